// Schema prints the facts that proto/ is written from, one per line, tab-separated:
//
//	message  NAME  FLAGS                             FLAGS: list = its JSON is the bare list
//	field    MESSAGE NUMBER NAME LABEL TYPE JSON FLAGS PATCHSTRATEGY MERGEKEY
//	enum     NAME VALUE NUMBER
//
// Field flags: ptr = Go pointer, keep = written even when empty, omitzero, inline = JSON of the
// parent. The wire half comes from the modules' generated.proto and from cri-api's descriptors, the
// JSON half from the tags of the Go structs.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// short package -> module and folder of its generated.proto
var packages = []struct{ short, module, dir string }{
	{"core", "k8s.io/api", "core/v1"},
	{"meta", "k8s.io/apimachinery", "pkg/apis/meta/v1"},
	{"resource", "k8s.io/apimachinery", "pkg/api/resource"},
	{"intstr", "k8s.io/apimachinery", "pkg/util/intstr"},
	{"runtime", "k8s.io/apimachinery", "pkg/runtime"},
	{"coordination", "k8s.io/api", "coordination/v1"},
	{"authentication", "k8s.io/api", "authentication/v1"},
	{"authorization", "k8s.io/api", "authorization/v1"},
	{"events", "k8s.io/api", "events/v1"},
	{"node", "k8s.io/api", "node/v1"},
	{"certificates", "k8s.io/api", "certificates/v1"},
	{"discovery", "k8s.io/api", "discovery/v1"},
	{"networking", "k8s.io/api", "networking/v1"},
	{"storage", "k8s.io/api", "storage/v1"},
}

type jsonFact struct{ name, flags, strategy, key string }

var (
	facts   = map[string]map[string]jsonFact{} // message -> field number -> fact
	lists   = map[string]bool{}
	seen    = map[reflect.Type]bool{}
	comment = regexp.MustCompile(`//[^\n]*`)
	field   = regexp.MustCompile(`^(optional|repeated|map)\s*(<[^>]*>)?\s*(\.?[\w.]*)\s+(\w+)\s*=\s*(\d+);$`)
)

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "schema: "+format+"\n", args...)
	os.Exit(1)
}

func shortName(t reflect.Type) string {
	for _, p := range packages {
		if t.PkgPath() == p.module+"/"+p.dir {
			return p.short + "." + t.Name()
		}
	}
	return ""
}

func walk(t reflect.Type) {
	if seen[t] {
		return
	}
	seen[t] = true
	name := shortName(t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Map:
		walk(t.Elem())
	case reflect.Slice:
		if name != "" {
			lists[name] = true
		}
		walk(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.IsExported() {
				walk(f.Type)
				record(name, f)
			}
		}
	}
}

func record(message string, f reflect.StructField) {
	tag := strings.Split(f.Tag.Get("protobuf"), ",")
	if message == "" || len(tag) < 2 {
		return
	}
	json := strings.Split(f.Tag.Get("json"), ",")
	options := " " + strings.Join(json[1:], " ") + " "
	var flags []string
	if f.Type.Kind() == reflect.Pointer {
		flags = append(flags, "ptr")
	}
	omitEmpty, omitZero := strings.Contains(options, " omitempty "), strings.Contains(options, " omitzero ")
	switch {
	case f.Anonymous && json[0] == "":
		flags = append(flags, "inline")
	case omitZero:
		flags = append(flags, "omitzero")
	case !omitEmpty:
		flags = append(flags, "keep")
	}
	if facts[message] == nil {
		facts[message] = map[string]jsonFact{}
	}
	facts[message][tag[1]] = jsonFact{json[0], strings.Join(flags, ","), f.Tag.Get("patchStrategy"), f.Tag.Get("patchMergeKey")}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func moduleDir(module string) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		fail("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// shortType turns a type of generated.proto into "package.Name"; scalars stay.
func shortType(own, t string) string {
	t = strings.TrimPrefix(strings.TrimSpace(t), ".")
	if strings.HasPrefix(t, "k8s.io.") {
		i := strings.LastIndex(t, ".")
		path := strings.ReplaceAll(strings.TrimPrefix(t[:i], "k8s.io."), ".", "/")
		for _, p := range packages {
			if p.module+"/"+p.dir == "k8s.io/"+path {
				return p.short + t[i:]
			}
		}
		fail("%s: type %s is outside the known packages", own, t)
	}
	if t[0] >= 'A' && t[0] <= 'Z' {
		return own + "." + t
	}
	return t
}

func dumpProto(w *bufio.Writer, short, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		fail("%v", err)
	}
	message := ""
	for _, line := range strings.Split(comment.ReplaceAllString(string(text), ""), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "message "):
			message = short + "." + strings.Fields(line)[1]
			flags := ""
			if lists[message] {
				flags = "list"
			}
			fmt.Fprintf(w, "message\t%s\t%s\n", message, orDash(flags))
		case line == "}":
			message = ""
		case message != "" && line != "":
			m := field.FindStringSubmatch(line)
			if m == nil {
				fail("%s: cannot read %q", path, line)
			}
			label, typ := m[1], m[3]
			if label == "map" {
				kv := strings.Split(strings.Trim(m[2], "<>"), ",")
				typ = "map<" + strings.TrimSpace(kv[0]) + "," + shortType(short, kv[1]) + ">"
				label = "repeated"
			} else {
				typ = shortType(short, typ)
			}
			j := facts[message][m[5]]
			name := j.name
			if name == "" {
				name = m[4]
			}
			fmt.Fprintf(w, "field\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", message, m[5], m[4], label, typ,
				name, orDash(j.flags), orDash(j.strategy), orDash(j.key))
		}
	}
}

func protoType(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "map<" + protoType(f.MapKey()) + "," + protoType(f.MapValue()) + ">"
	case f.Message() != nil:
		return criName(f.Message())
	case f.Enum() != nil:
		return criName(f.Enum())
	}
	return f.Kind().String()
}

func criName(d protoreflect.Descriptor) string {
	return "cri" + strings.TrimPrefix(string(d.FullName()), string(d.ParentFile().Package()))
}

func dumpEnums(w *bufio.Writer, enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		e := enums.Get(i)
		for v := range e.Values().Len() {
			fmt.Fprintf(w, "enum\t%s\t%s\t%d\n", criName(e), e.Values().Get(v).Name(), e.Values().Get(v).Number())
		}
	}
}

func dumpDescriptors(w *bufio.Writer, file protoreflect.FileDescriptor) {
	dumpEnums(w, file.Enums())
	for i := range file.Messages().Len() {
		m := file.Messages().Get(i)
		if m.Oneofs().Len() > 0 {
			fail("%s: oneofs are not handled", m.FullName())
		}
		for k := range m.Messages().Len() {
			if !m.Messages().Get(k).IsMapEntry() {
				fail("%s: nested messages are not handled", m.FullName())
			}
		}
		fmt.Fprintf(w, "message\t%s\t-\n", criName(m))
		dumpEnums(w, m.Enums())
		for k := range m.Fields().Len() {
			f := m.Fields().Get(k)
			label := "none"
			if f.Cardinality() == protoreflect.Repeated {
				label = "repeated"
			}
			fmt.Fprintf(w, "field\t%s\t%d\t%s\t%s\t%s\t%s\t-\t-\t-\n", criName(m), f.Number(), f.Name(), label, protoType(f), f.JSONName())
		}
	}
}

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		authenticationv1.AddToScheme, authorizationv1.AddToScheme, certificatesv1.AddToScheme,
		coordinationv1.AddToScheme, corev1.AddToScheme, discoveryv1.AddToScheme, eventsv1.AddToScheme,
		networkingv1.AddToScheme, nodev1.AddToScheme, storagev1.AddToScheme, metav1.AddMetaToScheme,
	} {
		if err := add(scheme); err != nil {
			fail("%v", err)
		}
	}
	known := scheme.AllKnownTypes()
	var names []string
	types := map[string]reflect.Type{}
	for gvk, t := range known {
		names = append(names, gvk.String())
		types[gvk.String()] = t
	}
	sort.Strings(names)
	for _, n := range names {
		walk(types[n])
	}
	for _, v := range []any{corev1.SerializedReference{}, metav1.Status{}, metav1.WatchEvent{},
		metav1.PartialObjectMetadata{}, metav1.LabelSelector{}} {
		walk(reflect.TypeOf(v))
	}

	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for _, p := range packages {
		dumpProto(w, p.short, filepath.Join(moduleDir(p.module), p.dir, "generated.proto"))
	}
	dumpDescriptors(w, cri.File_staging_src_k8s_io_cri_api_pkg_apis_runtime_v1_api_proto)
}
