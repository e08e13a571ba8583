// Vectors prints what upstream makes of texts: quantities, durations, times, YAML. One case a line,
// tab-separated, texts quoted as JSON; "!" stands for a refusal.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// random texts of a grammar's pieces: most are valid or nearly so
func text(r *rand.Rand, pieces []string, max int) string {
	var b strings.Builder
	for range 1 + r.Intn(max) {
		b.WriteString(pieces[r.Intn(len(pieces))])
	}
	return b.String()
}

func number(r *rand.Rand) string {
	s := fmt.Sprint(r.Int63n(int64(1) << r.Intn(50)))
	if r.Intn(3) == 0 {
		s += "." + fmt.Sprint(r.Int63n(int64(1)<<r.Intn(40)))
	}
	if r.Intn(8) == 0 {
		s = "-" + s
	}
	return s
}

func quantity(s string) {
	// upstream takes "Ki" for zero and refuses "Ei": not worth following
	if strings.HasSuffix(s, "i") && !strings.ContainsAny(s, "0123456789") {
		return
	}
	q, err := resource.ParseQuantity(s)
	if err != nil {
		fmt.Printf("quantity\t%s\t!\n", quote(s))
		return
	}
	// beyond these bounds upstream's numbers wrap around
	limit := resource.NewQuantity(math.MaxInt64/1000, resource.DecimalSI)
	if q.Sign() < 0 && len(s) > 5 || q.Cmp(*limit) > 0 && s != "8Ei" {
		return
	}
	// the canonical form, not the text it came with
	q.Add(resource.Quantity{})
	fmt.Printf("quantity\t%s\t%s\t%d\t%d\n", quote(s), q.String(), q.Value(), q.MilliValue())
}

func duration(s string) {
	d, err := time.ParseDuration(s)
	if err != nil {
		fmt.Printf("duration\t%s\t!\n", quote(s))
		return
	}
	fmt.Printf("duration\t%s\t%d\t%s\n", quote(s), d.Nanoseconds(), quote(d.String()))
}

func timestamp(s string) {
	var t metav1.Time
	var m metav1.MicroTime
	if t.UnmarshalJSON([]byte(quote(s))) != nil {
		fmt.Printf("time\t%s\t!\n", quote(s))
		return
	}
	m.Time = t.Time
	a, _ := t.MarshalJSON()
	b, _ := m.MarshalJSON()
	fmt.Printf("time\t%s\t%d\t%s\t%s\n", quote(s), t.Unix(), a, b)
}

func document(s string) {
	b, err := yaml.YAMLToJSON([]byte(s))
	if err != nil {
		fmt.Printf("yaml\t%s\t!\n", quote(s))
		return
	}
	fmt.Printf("yaml\t%s\t%s\n", quote(s), b)
}

func main() {
	r := rand.New(rand.NewSource(1))
	for _, s := range []string{"0", "1", "1.5", "1.5Gi", "0.1m", "1n", "0.1n", "100m", "1e3", "1E3", "1e-3", "12e6", "1Ki",
		"1024", "1024Ki", "1023Ki", "0.5Ki", "0.0001Ki", "1.1Ki", "9223372036854775807", "8Ei", "7Ei",
		"-1", "-0.5", "+5", "", " 1", "1 ", ".5", "5.", ".", "1.5.1", "1k", "1K", "1kk", "1i", "abc", "1e", "1e+", "--1",
		"1000000", "999999", "1000000m", "1000n", "500u", "1M", "1Mi", "2000Mi", "0Ki", "00012", "1.000", "1.50Gi"} {
		quantity(s)
	}
	for range 300 {
		quantity(number(r) + []string{"", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "e-3", "e0", "E2"}[r.Intn(16)])
	}
	for range 100 {
		quantity(text(r, []string{"0", "1", "5", "9", ".", "-", "+", "e", "E", "m", "k", "Ki", "i", "M"}, 6))
	}
	for _, s := range []string{"0", "1s", "1m30s", "1.5h", "300ms", "-2us", "1h0m0.5s", "", "1", "s", "1x", ".5s", "1.s", "+1s",
		"2562047h47m16.854775807s", "2562047h47m16.854775808s", "-2562047h47m16.854775808s", "1µs", "1μs", "1ns", "1m1m"} {
		duration(s)
	}
	for range 100 {
		duration(text(r, []string{"1", "20", "3.25", "h", "m", "s", "ms", "us", "ns", "-"}, 6))
	}
	for range 50 {
		d := time.Duration(r.Int63n(int64(1) << (1 + r.Intn(62))))
		duration(d.String())
	}
	for _, s := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05+07:00", "2006-01-02T15:04:05.123456789Z",
		"1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2000-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "9999-12-31T23:59:59Z",
		"2006-13-02T15:04:05Z", "2006-01-02 15:04:05Z", "2006-01-02T15:04:05", "2006-01-02T24:00:00Z", "2006-01-02T15:04:60Z",
		"2006-01-02T15:04:05.Z", "x", "2024-12-31T23:59:59.999999-11:30"} {
		timestamp(s)
	}
	for range 60 {
		timestamp(time.Unix(r.Int63n(1<<33), 0).UTC().Format(time.RFC3339))
	}
	scalars := []string{"y", "Y", "yes", "Yes", "YES", "yEs", "on", "Off", "true", "TRUE", "tRUE", "null", "~", "Null", "0", "00", "010", "08",
		"0x1F", "0b101", "0o17", "1_000", "-1", "+1", "1.5", "1.", ".5", "1e3", "1E-2", "-.5", "0.10", "1e400", "12:30", "1:30:00",
		"2001-01-01", "2001-12-14t21:59:43.10-05:00", "'1'", "\"yes\"", "!!str 1", "a b", "18446744073709551615", "18446744073709551616",
		"9223372036854775807", "-9223372036854775808", "0xFFFFFFFFFFFFFFFF", "-0b11", "-0x10", "-010", "_1", "1_", "1__0", "0_", ".", "-", "+", "1e", "0x", "0b",
		"1.2.3", "12e03", "-1.5e+3", "1k", "10%"}
	for _, s := range scalars {
		document("a: " + s + "\n")
	}
	for _, s := range []string{"", "a:\n", "- 1\n- [a, {b: c}]\n", "a: &x {b: 1}\nc: *x\n", "a: &x {b: 1, d: 2}\nc: {<<: *x, b: 3}\n",
		"a: &x {b: 1}\nd: &y {b: 2, e: 3}\nc:\n  <<: [*x, *y]\n", "a: |\n  one\n  two\n", "a: >-\n  one\n  two\n", "1: a\ntrue: b\n1.5: c\n",
		"a: *nope\n", "a: [1, 2\n", "\ta: 1\n", "a: 1\n---\nb: 2\n", "{\"a\": [1, \"b\", null, true]}", "# only a comment\n", "a: \"\\u00e9\\n\"\n", "? a\n: b\n"} {
		document(s)
	}
}
