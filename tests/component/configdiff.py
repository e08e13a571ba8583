"""Configurations of two programs side by side: documents to give them, and what they print.

Used as a module.
"""
import json


def document(head, fields):
    """JSON of a document with these values at these dotted paths."""
    tree = dict(head)
    for path, value in fields.items():
        at = tree
        *groups, last = path.split(".")
        for g in groups:
            at = at.setdefault(g, {})
        at[last] = value
    return json.dumps(tree)


def scalar(text):
    """of the YAML that both programs write"""
    if text[:1] in "\"[{":
        return json.loads(text)
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_yaml(text):
    """Block mappings and lists of scalars or mappings, as the programs write them."""
    lines = [(len(x) - len(x.lstrip(" ")), x.strip()) for x in text.splitlines() if x.strip() and x.strip() != "---"]

    def block(i, indent):
        if lines[i][1].startswith("- "):
            items = []
            while i < len(lines) and lines[i][0] == indent and lines[i][1].startswith("- "):
                rest = lines[i][1][2:]
                if (": " in rest or rest.endswith(":")) and rest[:1] not in "\"'[{":
                    lines[i] = (indent + 2, rest)
                    value, i = block(i, indent + 2)
                else:
                    value, i = scalar(rest), i + 1
                items.append(value)
            return items, i
        tree = {}
        while i < len(lines) and lines[i][0] == indent and not lines[i][1].startswith("- "):
            key, _, rest = lines[i][1].partition(":")
            i += 1
            if rest.strip():
                tree[scalar(key)] = scalar(rest.strip())
            elif i < len(lines) and (lines[i][0] > indent or lines[i][0] == indent and lines[i][1].startswith("- ")):
                tree[scalar(key)], i = block(i, lines[i][0])
            else:
                tree[scalar(key)] = None
        return tree, i

    return block(0, 0)[0]


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for k in sorted(set(a) | set(b)):
            yield from differences(a.get(k, "(absent)"), b.get(k, "(absent)"), f"{path}.{k}" if path else k)
    elif a != b:
        yield f"{path}: upstream {a!r}, ours {b!r}"
