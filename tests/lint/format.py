"""clang-format has nothing to change, and no text file has trailing blanks, tabs in C, or carriage returns."""
import shutil
import subprocess

import lint

STYLE = "BasedOnStyle: LLVM\n"


def check(root, _options):
    tool = shutil.which("clang-format")
    if not tool:
        raise lint.Skip("clang-format is not installed")
    sources = list(lint.files(root, "lib/**/*.[ch]", "include/**/*.h", "cli/**/*.[ch]", "shim/**/*.[ch]", "examples/**/*.c",
                              "tests/**/*.[ch]"))
    if sources:
        result = subprocess.run([tool, "--dry-run", "--ferror-limit=3", *map(str, sources)], capture_output=True, text=True)
        yield from (line.replace(f"{root}/", "") for line in result.stderr.splitlines() if "warning:" in line or "error:" in line)
    for full in sources + list(lint.files(root, "**/*.md", "**/*.sh", "**/*.bats", "**/*.bash", "**/CMakeLists.txt", "tests/**/*.py")):
        name = full.relative_to(root)
        if name.parts[0].startswith("build"):
            continue
        for number, line in enumerate(full.read_bytes().split(b"\n"), 1):
            if line.endswith((b" ", b"\t", b"\r")):
                yield f"{name}:{number}: trailing blank"


SAMPLES = [
    ("clean", {".clang-format": STYLE, "lib/base/a.c": "int f(void) { return 0; }\n"}, None),
    ("badly formatted", {".clang-format": STYLE, "lib/base/a.c": "int  f( void ){return 0;}\n"}, "a.c:1"),
    ("trailing blank", {".clang-format": STYLE, "docs/a.md": "x \n"}, "trailing blank"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
