#!/usr/bin/env python3
"""Write the schema of the Kubernetes API and of the CRI from facts, or check that it is what they say.

usage: generate.py [--check] FACTS    FACTS: output of tests/upstream/schema

Writes proto/k8s/*.proto, proto/cri/runtime.proto and lib/kube/fields.c (what protobuf cannot say about
the JSON form). --check writes nothing, prints a diff and exits 1 when a file differs.
"""
import difflib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ABOUT = {
    "core": "Pods, nodes, services, volumes and the rest of API group \"\", v1.",
    "meta": "What all objects share: metadata, list and watch frames, Status, selectors, times.",
    "resource": "Quantities: decimal numbers as text.",
    "intstr": "A value that is a number or a text.",
    "runtime": "Envelopes: the typed frame of a stored object, and raw embedded JSON.",
    "coordination": "Leases, coordination.k8s.io/v1.",
    "authentication": "Token reviews and token requests, authentication.k8s.io/v1.",
    "authorization": "Access reviews, authorization.k8s.io/v1.",
    "events": "Events, events.k8s.io/v1.",
    "node": "Runtime classes, node.k8s.io/v1.",
    "certificates": "Signing requests, trust bundles, pod certificates, certificates.k8s.io/v1.",
    "discovery": "Endpoint slices, discovery.k8s.io/v1.",
    "networking": "Address ranges of Services, ingresses, network policies, networking.k8s.io/v1.",
    "storage": "CSI drivers and nodes, storage classes, attachments, storage.k8s.io/v1.",
    "cri": "The container runtime interface, runtime.v1: every message of both services.",
}
OPTIONS = ("option (pb_c_file).gen_pack_helpers = false;", "option (pb_c_file).gen_init_helpers = false;")


class Message:
    def __init__(self, name, flags):
        self.name, self.flags, self.fields, self.enums = name, flags, [], {}


def read_facts(path):
    """messages by package, and top-level enums by package, both in the order of the facts"""
    messages, enums, by_name = {}, {}, {}
    for line in open(path, encoding="utf-8"):
        kind, *rest = line.rstrip("\n").split("\t")
        package = rest[0].split(".")[0]
        if kind == "message":
            by_name[rest[0]] = m = Message(*rest)
            messages.setdefault(package, []).append(m)
        elif kind == "field":
            by_name[rest[0]].fields.append(rest[1:])
        else:
            owner = by_name.get(rest[0].rsplit(".", 1)[0])
            (owner.enums if owner else enums.setdefault(package, {})).setdefault(rest[0], []).append(rest[1:])
    return messages, enums


def folder(package):
    return "cri/runtime" if package == "cri" else "k8s/" + package


def local(package, name):
    return re.sub(r"\b%s\." % package, "", name)


def enum_text(name, values, indent):
    body = "".join(f"{indent}  {value} = {number};\n" for value, number in values)
    return f"{indent}enum {name.rsplit('.', 1)[1]} {{\n{body}{indent}}}\n"


def field_text(package, message, field):
    number, name, label, type_name = field[:4]
    shown = local(package, local(message.name[len(package) + 1:], local(package, type_name)))
    prefix = "" if label == "none" or type_name.startswith("map<") else label + " "
    return f"  {prefix}{shown.replace(',', ', ')} {name} = {number};\n"


def proto_text(package, messages, enums):
    used = {p for m in messages for f in m.fields for p in re.findall(r"\b([a-z]\w*)\.[A-Z]", f[3])} - {package}
    out = [f"// {ABOUT[package]}\n// Written by proto/generate.py.\n",
           f"syntax = \"{'proto3' if package == 'cri' else 'proto2'}\";\n", f"package {package};\n\n"]
    out += [f"import \"{folder(p)}.proto\";\n" for p in sorted(used)]
    out += ["import \"protobuf-c/protobuf-c.proto\";\n\n"]
    out += [o + "\n" for o in OPTIONS]
    out += ["\n" + enum_text(name, values, "") for name, values in enums.items()]
    for m in messages:
        out.append(f"\nmessage {m.name.split('.', 1)[1]} {{\n")
        out += [enum_text(name, values, "  ") for name, values in m.enums.items()]
        out += [field_text(package, m, f) for f in sorted(m.fields, key=lambda f: int(f[0]))]
        out.append("}\n")
    return "".join(out)


FLAGS = {"ptr": "FIELD_POINTER", "keep": "FIELD_KEEP", "omitzero": "FIELD_OMIT_ZERO", "inline": "FIELD_INLINE"}


def table_text(messages):
    """rows of one message stand together in the order of field numbers, as its descriptor has them"""
    rows, heads, renames, merges = [], [], [], []
    everything = sorted((m for p in messages if p != "cri" for m in messages[p]), key=lambda m: m.name)
    for m in everything:
        first = len(rows)
        for number, name, _, _, json, flags, strategy, key in sorted(m.fields, key=lambda f: int(f[0])):
            c_flags = [FLAGS[f] for f in flags.split(",") if f != "-"]
            if json not in (name, "-"):
                c_flags.append("FIELD_RENAMED")
                renames.append((m.name, name, json))
            if strategy != "-":
                merges.append((m.name, name, "NULL" if key == "-" else f'"{key}"',
                               "true" if "retainKeys" in strategy else "false"))
            if c_flags:
                rows.append((m.name, name, number, " | ".join(c_flags)))
        is_list = m.flags == "list"
        if len(rows) > first or is_list:
            heads.append((m.name, first, len(rows) - first, "true" if is_list else "false"))
    out = ["/* What protobuf cannot say about fields: pointers, always-written, inlined, merge keys. Pure; a\n * table.\n"
           " *\n * Written by proto/generate.py. Messages without a row have only plain fields.\n */\n"
           "#include \"fields.h\"\n\n/* clang-format off: a table */\n"
           "static const struct field_flags flags[] = {\n"]
    last = None
    for message, name, number, c_flags in rows:
        if message != last:
            out.append(f"\t/* {message} */\n")
            last = message
        out.append(f"\t{{ {number}, {c_flags} }}, /* {name} */\n")
    out.append("};\n\nstatic const struct field_message messages[] = {\n")
    out += [f'\t{{ "{n}", {first}, {count}, {is_list} }},\n' for n, first, count, is_list in heads]
    out.append("};\n\nstatic const struct field_rename renames[] = {\n")
    out += [f'\t{{ "{m}", "{n}", "{j}" }},\n' for m, n, j in sorted(renames)]
    out.append("};\n\nstatic const struct field_merge merges[] = {\n")
    out += [f'\t{{ "{m}", "{n}", {k}, {r} }},\n' for m, n, k, r in sorted(merges)]
    out.append("};\n\nconst struct field_tables field_tables = {\n"
               "\t.flags = flags,\n"
               "\t.messages = messages, .n_messages = sizeof(messages) / sizeof(*messages),\n"
               "\t.renames = renames, .n_renames = sizeof(renames) / sizeof(*renames),\n"
               "\t.merges = merges, .n_merges = sizeof(merges) / sizeof(*merges),\n"
               "};\n")
    return "".join(out)


def main():
    check = "--check" in sys.argv
    messages, enums = read_facts(sys.argv[-1])
    files = {f"proto/{folder(p)}.proto": proto_text(p, messages[p], enums.get(p, {})) for p in messages}
    files["lib/kube/fields.c"] = table_text(messages)
    bad = 0
    for path, text in files.items():
        full = os.path.join(ROOT, path)
        if check:
            have = open(full, encoding="utf-8").read() if os.path.exists(full) else ""
            diff = list(difflib.unified_diff(have.splitlines(1), text.splitlines(1), path, "upstream's facts"))
            sys.stdout.writelines(diff[:60])
            bad += bool(diff)
        else:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
    if check:
        print(f"{len(files)} files, {sum(map(len, messages.values()))} messages, {bad} files differ")
    return 1 if bad else 0


sys.exit(main())
