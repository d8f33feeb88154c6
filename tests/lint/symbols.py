"""The symbol map, the headers and the built library say the same; the map is sorted; and the library keeps no mutable
global: no object of ours lies in .data or .bss but the few named here."""
import os
import re
import subprocess

import lint

ALLOWED_GLOBALS = {"curl_once"}  # the pthread_once_t guard of libcurl's own global state


def map_names(text):
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", text, flags=re.S)
    names = []
    for node in re.finditer(r"([\w.]+)\s*\{(.*?)\}", text, re.S):
        exported = re.search(r"global:(.*?)(local:|$)", node.group(2), re.S)
        names.append((node.group(1), [n.strip() for n in exported.group(1).split(";") if n.strip()] if exported else []))
    return names


def header_names(root):
    for full in lint.files(root, "include/outcall/*.h"):
        text = lint.without_comments(full.read_text())
        for match in re.finditer(r"^OUTCALL_API\b([^;]*);", text, re.M):
            prototype = re.sub(r"OUTCALL_(NODISCARD|PRINTF\([^)]*\))", "", match.group(1))
            name = re.search(r"(\w+)\s*\(", prototype)
            if name:
                yield name.group(1)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def difference(a, b, text):
    for name in sorted(set(a) - set(b)):
        yield f"{name} {text}"


def binary_findings(build, names, nodes):
    library = os.path.join(build, "lib", "liboutcall.so")
    if not os.path.exists(library):
        raise lint.Skip(f"{library} is not built")
    exported = {}
    for line in run("nm", "-D", "--defined-only", "--with-symbol-versions", library).splitlines():
        name, _, version = line.split()[-1].partition("@@")
        if name not in nodes:
            exported[name] = version
    yield from difference(names, exported, "is in the map but not in the library")
    yield from difference(exported, names, "is in the library but not in the map")
    for name, version in exported.items():
        if version not in nodes:
            yield f"{name} has the version \"{version}\""


def global_findings(build):
    archive = os.path.join(build, "lib", "liboutcall.a")
    member = "?"
    for line in run("objdump", "-t", archive).splitlines():
        head = re.match(r"(\S+\.o):\s+file format", line)
        if head:
            member = head.group(1)
        entry = re.match(r"[0-9a-f]+ \S?\s+\S*\s*O (\.(?:data|bss|tdata|tbss)\S*)\s+[0-9a-f]+ (?:\.hidden )?(\S+)", line)
        if entry and not entry.group(1).startswith(".data.rel.ro") and not re.search(r"asan|ubsan|__odr", line):
            name = entry.group(2).split(".")[0]
            if name not in ALLOWED_GLOBALS:
                yield f"{member}: {name} is a mutable global ({entry.group(1)})"


def check(root, options):
    nodes = map_names((root / "lib/liboutcall.map").read_text())
    names = [n for _, group in nodes for n in group]
    for node, group in nodes:
        if group != sorted(group):
            yield f"{node} is not sorted: {next(b for a, b in zip(group, group[1:]) if a > b)} stands too late"
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"{name} is exported twice"
    headers = list(header_names(root))
    yield from difference(headers, names, "is declared in a header but not in the map")
    yield from difference(names, headers, "is in the map but in no header")
    if options:
        yield from binary_findings(options[0], names, [node for node, _ in nodes])
        yield from global_findings(options[0])


def sample(header, text):
    return {"include/outcall/x.h": header, "lib/liboutcall.map": "LIBOUTCALL_0.1 {\nglobal:\n" + text + "local:\n *;\n};\n"}


SAMPLES = [
    ("clean", sample("OUTCALL_API int a(void);\nOUTCALL_API OUTCALL_NODISCARD int b(void);\n", " a;\n b;\n"), None),
    ("not in the map", sample("OUTCALL_API int a(void);\n", ""), "not in the map"),
    ("not in a header", sample("", " a;\n"), "in no header"),
    ("not sorted", sample("OUTCALL_API int a(void);\nOUTCALL_API int b(void);\n", " b;\n a;\n"), "not sorted"),
    ("twice", sample("OUTCALL_API int a(void);\n", " a;\n a;\n"), "exported twice"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
