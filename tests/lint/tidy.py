"""clang-tidy has nothing to say about any C file of ours, with the checks of .clang-tidy. One process a file, two at a
time: several files in one process confuse version 14. A file that was clean is not looked at again while it, every
header, .clang-tidy, its compile command and clang-tidy itself are the same (BUILD/lint-tidy.json)."""
import concurrent.futures
import hashlib
import json
import pathlib
import re
import shutil
import subprocess

import lint

JOBS = 2
SOURCES = ("lib/**/*.c", "cli/**/*.c", "shim/**/*.c", "examples/**/*.c", "tests/**/*.c")
HEADERS = ("include/**/*.h", "lib/**/*.h", "cli/**/*.h", "shim/**/*.h", "tests/**/*.h")
FINDING = re.compile(r"^\S.*: (?:warning|error): ")


def commands(build):
    """file -> its compile command; many files are compiled more than once, with flags that make no difference here, and
    clang-tidy would look at each of them once for every command: it gets a list of its own, in BUILD/lint-tidy/."""
    path = build / "compile_commands.json"
    if not path.exists():
        raise lint.Skip(f"{path} does not exist: configure first")
    each = {entry["file"]: entry for entry in json.loads(path.read_text())}
    (build / "lint-tidy").mkdir(exist_ok=True)
    (build / "lint-tidy" / "compile_commands.json").write_text(json.dumps(list(each.values())))
    return {file: entry["command"] for file, entry in each.items()}


def common_key(root, tool):
    """What every file's result depends on."""
    digest = hashlib.sha256(subprocess.run([tool, "--version"], capture_output=True, check=True).stdout)
    for path in [root / ".clang-tidy", *lint.files(root, *HEADERS)]:
        digest.update(f"\n{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest


def run(tool, build, path):
    result = subprocess.run([tool, "--quiet", "-p", str(build / "lint-tidy"), str(path)], capture_output=True, text=True)
    found = [line for line in result.stdout.splitlines() if FINDING.match(line)]
    if result.returncode != 0 and not found:
        found = [f"{path}: clang-tidy failed: {(result.stderr or result.stdout).strip()[-300:]}"]
    return found


def check(root, options):
    tool = shutil.which("clang-tidy")
    if not tool:
        raise lint.Skip("clang-tidy is not installed")
    build = pathlib.Path(options[0]).resolve()
    known, common = commands(build), common_key(root, tool)
    cache = build / "lint-tidy.json"
    clean = json.loads(cache.read_text()) if cache.exists() else {}
    keys = {}
    for path in lint.files(root, *SOURCES):
        if str(path) not in known:
            continue  # an option left it out of this build
        digest = common.copy()
        digest.update(known[str(path)].encode() + path.read_bytes())
        keys[str(path)] = digest.hexdigest()
    if not keys:
        yield "there is no file of ours in compile_commands.json"
    due = [path for path, key in keys.items() if clean.get(path) != key]
    findings = set()  # one in a header comes with every file that includes it
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for path, found in zip(due, pool.map(lambda p: run(tool, build, p), due)):
            findings.update(found)
            clean[path] = None if found else keys[path]
    cache.write_text(json.dumps({path: clean[path] for path in keys if clean.get(path)}, indent=0))
    yield from sorted(line.replace(f"{root}/", "") for line in findings)


CONFIG = "Checks: '-*,bugprone-sizeof-expression,clang-analyzer-core.*'\nWarningsAsErrors: '*'\nHeaderFilterRegex: '.*'\n"
CLEAN = "int f(const int *p);\nint f(const int *p)\n{\n    return p ? *p : 0;\n}\n"


def sample_check(root, _options):
    """The samples bring no build folder: each gets its own, and is looked at twice, the second time with the cache."""
    build = root / "build"
    build.mkdir()
    files = [str(p) for p in lint.files(root, *SOURCES)]
    (build / "compile_commands.json").write_text(json.dumps(
        [{"directory": str(root), "command": f"cc -I{root} -c {f}", "file": f} for f in files]))
    first, second = list(check(root, [build])), list(check(root, [build]))
    if first != second:
        yield "the second run says something else"
    yield from first
    if not first:  # what was clean must not stay so when a header goes bad
        for path in lint.files(root, *HEADERS):
            path.write_text("int f(int);\n")
            if not list(check(root, [build])):
                yield "the cache hides a bad header"


SAMPLES = [
    ("clean", {".clang-tidy": CONFIG, "lib/a.c": '#include "lib/a.h"\n' + CLEAN, "lib/a.h": "int f(const int *p);\n"}, None),
    ("null dereference", {".clang-tidy": CONFIG, "lib/a.c": CLEAN.replace("p ? *p : 0", "p ? 0 : *p")},
     r"lib/a\.c:4.*NullDereference"),
    ("in a test", {".clang-tidy": CONFIG, "tests/unit/a.c": CLEAN.replace("p ? *p : 0", "p ? 0 : *p")}, "NullDereference"),
    ("does not compile", {".clang-tidy": CONFIG, "cli/a.c": "int f(void) { return nothing; }\n"}, "undeclared"),
    ("no files", {".clang-tidy": CONFIG}, "no file of ours"),
]

if __name__ == "__main__":
    import sys
    lint.main(sample_check if "--self-test" in sys.argv else check, SAMPLES)
