"""One direction: every #include is held against the list of allowed edges (docs/design, section "One direction"), and
the includes have no cycles. Third-party headers appear in their one folder and never in a public header."""
import re

import lint

CORE = {"base", "core"}
EDGES = {  # folder: the folders it may include, besides itself
    "base": set(),
    "core": {"base"},
    "json": CORE,
    "yaml": CORE,
    "http": CORE | {"json"},
    "docker": CORE | {"json"},
    "mounts": CORE,
    "identity": CORE,
    "cel": CORE | {"json"},
    "policy": CORE | {"json", "yaml", "cel"},
    "proto": CORE | {"json"},
    "network": CORE | {"json", "docker"},
    "containers": CORE | {"json", "docker", "mounts", "identity", "policy", "cel", "network"},
    "host_client": CORE | {"json", "http", "proto"},
    "agent_client": CORE | {"json", "http", "proto"},
    "host_api": CORE | {"json", "http", "docker", "mounts", "identity", "policy", "cel", "proto", "network", "containers"},
    "agent_server": CORE | {"json", "http", "identity", "policy", "cel", "proto"},
}
EDGES["daemon"] = set(EDGES) | {"yaml"}
EDGES["umbrella"] = set(EDGES)

# Which folder implements a public header.
PUBLIC = {"common": "base", "error": "base", "log": "core", "version": "core", "container": "containers",
          "protocol": "proto", "requests": "policy", "outcall": "umbrella"}

SHIM = {"base", "core", "json", "http", "proto", "agent_client"}

THIRD_PARTY = [  # header, folders below lib/ or other top folders that may include it
    (r"curl/", {"docker"}),
    (r"jansson", {"json", "cli", "tests", "examples"}),
    (r"yaml\.h", {"yaml", "tests"}),
    (r"microhttpd", {"http", "tests"}),
    (r"pcre2", {"cel", "tests"}),
    (r"ut(hash|list|array|string)\.h", set(EDGES) | {"cli", "tests"}),
    (r"check\.h", {"tests"}),
]
SYSTEM_FOLDERS = {"sys", "linux", "net", "netinet", "arpa", "asm", "sanitizer"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', re.M)


def owner(path):
    """lib/x/..., include/outcall/x.h and the top folders, as one name."""
    if path.parts[0] == "lib":
        return path.parts[1]
    if path.parts[0] == "include":
        return PUBLIC.get(path.stem, path.stem)
    return path.parts[0]


def resolve(root, path, name):
    """The file in the tree that a quoted or angled include means, or None."""
    bases = [path.parent, "lib", "include", "tests"] + (["cli", "shim"] if path.parts[0] == "tests" else [])
    for base in bases:
        candidate = (root / base / name).resolve()
        if candidate.is_file() and candidate.is_relative_to(root):
            return candidate.relative_to(root)
    return None


def edge_finding(path, target):
    top, who, what = path.parts[0], owner(path), owner(target)
    if top == "include" and target.parts[0] != "include":
        return f"a public header includes the private {target}"
    if top == "tests" or who == what:
        return None
    if top in ("cli", "examples"):
        allowed = target.parts[0] in ("include", top)
    elif top == "shim":
        allowed = target.parts[0] == "shim" or what in SHIM
    elif who not in EDGES:
        return f"folder \"{who}\" is not in the list of layers"
    else:
        allowed = what in EDGES[who]
    return None if allowed else f"{who} must not include {target} (of {what})"


def third_party_finding(path, name):
    who = owner(path)
    for pattern, folders in THIRD_PARTY:
        if re.match(pattern, name):
            if path.parts[0] == "include":
                return f"a public header includes the third-party <{name}>"
            return None if who in folders else f"{who} must not include the third-party <{name}>"
    if "/" in name and name.split("/")[0] not in SYSTEM_FOLDERS:
        return f"unknown header <{name}>: is it third-party? then name its folder in tests/lint/layers.py"
    return None


def cycles(graph):
    done, active = set(), []

    def visit(node):
        if node in active:
            yield " -> ".join(str(n) for n in active[active.index(node):] + [node])
            return
        if node in done:
            return
        active.append(node)
        for target in sorted(graph.get(node, ())):
            yield from visit(target)
        active.pop()
        done.add(node)

    for start in sorted(graph):
        yield from visit(start)


def check(root, _options):
    graph, folders = {}, {}
    for full in lint.files(root, "lib/**/*.[ch]", "include/**/*.h", "cli/**/*.[ch]", "shim/**/*.[ch]", "examples/**/*.[ch]",
                           "tests/**/*.[ch]"):
        path = full.relative_to(root)
        if len(path.parts) < 3 and path.parts[0] == "lib":
            continue
        text = lint.without_comments(full.read_text())
        for match in INCLUDE.finditer(text):
            name = match.group(1) or match.group(2)
            where = f"{path}:{lint.line_of(text, match.start())}"
            target = resolve(root, path, name) if match.group(2) or name.startswith("outcall/") else None
            if target is None:
                third_party = match.group(1) and not name.startswith("outcall/")
                finding = third_party_finding(path, name) if third_party else f"\"{name}\" is not in the tree"
            else:
                finding = edge_finding(path, target)
                graph.setdefault(path, set()).add(target)
                if path.parts[0] in ("lib", "include") and owner(path) != owner(target) and owner(path) != "umbrella":
                    folders.setdefault(owner(path), set()).add(owner(target))
            if finding:
                yield f"{where}: {finding}"
    for kind, edges in (("files", graph), ("folders", folders)):
        for cycle in cycles(edges):
            yield f"cycle of {kind}: {cycle}"


SAMPLES = [
    ("clean", {"lib/base/a.h": "", "lib/core/b.c": '#include "base/a.h"\n#include <stdio.h>\n'}, None),
    ("upwards", {"lib/core/a.h": "", "lib/base/b.c": '#include "core/a.h"\n'}, "base must not include"),
    ("sideways", {"lib/mounts/a.h": "", "lib/docker/b.c": '#include "mounts/a.h"\n'}, "docker must not include"),
    ("upwards by a public header", {"include/outcall/daemon.h": "", "lib/docker/b.c": '#include "outcall/daemon.h"\n'},
     "docker must not include"),
    ("curl elsewhere", {"lib/containers/b.c": "#include <curl/curl.h>\n"}, "third-party <curl"),
    ("third party in public", {"include/outcall/docker.h": "#include <jansson.h>\n"}, "public header includes the third"),
    ("private in public", {"lib/docker/e.h": "", "include/outcall/docker.h": '#include "docker/e.h"\n'}, "private"),
    ("command looks inside", {"lib/base/a.h": "", "cli/x.c": '#include "base/a.h"\n'}, "cli must not include"),
    ("shim takes the engine", {"lib/docker/e.h": "", "shim/x.c": '#include "docker/e.h"\n'}, "shim must not include"),
    ("cycle", {"lib/base/a.h": '#include "base/b.h"\n', "lib/base/b.h": '#include "base/a.h"\n'}, "cycle of files"),
    ("unknown folder", {"lib/base/a.h": "", "lib/misc/b.c": '#include "base/a.h"\n'}, "not in the list"),
    ("unknown library", {"lib/base/a.c": "#include <glib/glib.h>\n"}, "unknown header"),
    ("not there", {"lib/base/a.c": '#include "base/gone.h"\n'}, "not in the tree"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
