"""Calls that no file of ours makes, calls that the library does not make, and words that do not stay in a tree."""
import re

import lint

EVERYWHERE = """strcpy strcat sprintf vsprintf strtok atoi atol atoll atof gets sscanf fscanf scanf system popen alloca
    strtol strtoul strtoll strtoull strtod mktemp tmpnam tempnam asctime ctime gmtime localtime rand srand usleep""".split()
LIBRARY = """printf vprintf puts putchar perror exit _exit _Exit abort atexit getenv secure_getenv setenv unsetenv putenv
    signal sigaction sigprocmask raise umask setlocale chdir fchdir sleep nanosleep err errx warn warnx""".split()
ALLOWED = {  # the only reasons why not
    ("lib/base/fault.c", "getenv"), ("lib/base/fault.c", "raise"),  # fault points, compiled into test builds only
}
# Number parsing by hand is what num.c is for; it alone may use the strict wrappers' ingredients.
OLD_FD = re.compile(r"\b(open|openat|socket|accept|pipe|dup|epoll_create|fopen|memfd_create|eventfd|signalfd)\s*\(")
CLOEXEC = {"open": "O_CLOEXEC", "openat": "O_CLOEXEC", "socket": "SOCK_CLOEXEC", "memfd_create": "MFD_CLOEXEC",
           "eventfd": "EFD_CLOEXEC", "signalfd": "SFD_CLOEXEC", "accept": None, "pipe": None, "dup": None,
           "epoll_create": None, "fopen": "fopen"}
WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def call(names):
    return re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")


def arguments(text, start):
    """The text between the parenthesis at start and its partner."""
    depth = 0
    for i in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return text[start:i]
    return text[start:]


def fd_findings(code, raw):
    for match in OLD_FD.finditer(code):
        name = match.group(1)
        if re.search(r"[\w.>]$", code[:match.start()].rstrip(" ")[-1:]) and code[match.start() - 1] in ".>":
            continue
        flag = CLOEXEC[name]
        args = arguments(raw, match.end() - 1)
        if flag is None:
            yield match.start(), f"{name}() makes a descriptor that survives exec: use {name}4/{name}2/{name}3/F_DUPFD_CLOEXEC"
        elif name == "fopen":
            if not re.search(r'"[rwa][^"]*e[^"]*"\s*$', args):
                yield match.start(), 'fopen() without "e"'
        elif flag not in args and "flags" not in args:
            yield match.start(), f"{name}() without {flag}"


def check(root, _options):
    everywhere, library = call(EVERYWHERE), call(LIBRARY)
    stderr = re.compile(r"\b(stdout|stderr)\b")
    for full in lint.files(root, "lib/**/*.[ch]", "include/**/*.h", "cli/**/*.[ch]", "shim/**/*.[ch]", "examples/**/*.[ch]",
                           "tests/**/*.[ch]"):
        path = str(full.relative_to(root))
        raw = full.read_text()
        code = lint.code_only(raw)
        found = [(m.start(), f"{m.group(1)}() is banned") for m in everywhere.finditer(code)]
        if path.startswith(("lib/", "include/")):
            found += [(m.start(), f"{m.group(1)}() has no place in the library") for m in library.finditer(code)
                      if (path, m.group(1)) not in ALLOWED]
            found += [(m.start(), f"the library does not print: {m.group(1)}") for m in stderr.finditer(code)]
        if path.startswith(("lib/", "cli/", "shim/")):
            found += fd_findings(code, raw)
        for offset, text in sorted(found):
            yield f"{path}:{lint.line_of(code, offset)}: {text}"
    for full in lint.files(root, "tests/**/*.sh", "tests/**/*.bats", "tests/**/*.bash", "examples/*.sh", ".ci/run"):
        text = full.read_text()
        for match in re.finditer(r"\|\|\s*(true|:)\s*$", text, re.M):
            yield f"{full.relative_to(root)}:{lint.line_of(text, match.start())}: a check that cannot fail: || true"
    for full in lint.files(root, "lib/**/*", "include/**/*", "cli/**/*", "shim/**/*", "examples/**/*", "docs/**/*", "*.md",
                           "CMakeLists.txt", "tests/**/*.[ch]", "tests/**/*.sh", "tests/**/*.bats"):
        text = full.read_text(errors="replace")
        for match in WORDS.finditer(text):
            yield f"{full.relative_to(root)}:{lint.line_of(text, match.start())}: {match.group(1)} has no place in the tree"


SAMPLES = [
    ("clean", {"lib/base/a.c": "/* strcpy( */ int f(void) { return my_strcpy(\"strcpy(\"); }\n"}, None),
    ("strcpy", {"lib/base/a.c": "void f(void) { strcpy(a, b); }\n"}, r"strcpy\(\) is banned"),
    ("strcpy in a test", {"tests/unit/a.c": "void f(void) { strcpy (a, b); }\n"}, r"strcpy\(\) is banned"),
    ("getenv in the library", {"lib/core/a.c": "char *s = getenv(\"X\");\n"}, "no place in the library"),
    ("getenv in a program", {"cli/a.c": "char *s = getenv(\"X\");\n"}, None),
    ("prints", {"lib/core/a.c": "void f(void) { fputs(\"x\", stderr); }\n"}, "does not print"),
    ("open", {"lib/core/a.c": "int f = open(p, O_RDONLY);\n"}, "without O_CLOEXEC"),
    ("open, good", {"lib/core/a.c": "int f = open(p, O_RDONLY | O_CLOEXEC);\n"}, None),
    ("accept", {"lib/http/a.c": "int f = accept(s, 0, 0);\n"}, "survives exec"),
    ("fopen", {"cli/a.c": "FILE *f = fopen(p, \"r\");\n"}, 'without "e"'),
    ("cannot fail", {"tests/system/a.bats": "check || true\n"}, "cannot fail"),
    ("word", {"docs/a.md": "FIX" + "ME later\n"}, "no place in the tree"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
