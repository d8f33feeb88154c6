"""Each public header compiles alone, and twice, as C99, C17 and C++17, with every warning an error."""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lint"))
import lint

COMPILERS = [("gcc", "c", "c99"), ("gcc", "c", "c17"), ("g++", "c++", "c++17"), ("clang", "c", "c99"), ("clang", "c++", "c++17")]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wundef", "-pedantic", "-Werror", "-fsyntax-only"]


def compile_one(root, header, compiler, language, standard):
    name = header.relative_to(root / "include")
    result = subprocess.run([compiler, "-x", language, f"-std={standard}", *WARNINGS, "-I", str(root / "include"), "-"],
                            input=f"#include <{name}>\n#include <{name}>\n", capture_output=True, text=True)
    if result.returncode:
        error = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr.strip())
        return f"{name} as {standard} ({compiler}): {error.replace(str(root) + '/', '')}"
    return None


def check(root, _options):
    compilers = [c for c in COMPILERS if shutil.which(c[0])]
    if not compilers:
        raise lint.Skip("no compiler is installed")
    headers = list(lint.files(root, "include/outcall/*.h"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(compile_one, root, h, *c) for h in headers for c in compilers]
        yield from (job.result() for job in jobs if job.result())


GUARD = "#ifndef X\n#define X\n%s\n#endif\n"
SAMPLES = [
    ("clean", {"include/outcall/x.h": GUARD % "int f(void);"}, None),
    ("needs another first", {"include/outcall/x.h": GUARD % "size_t f(void);"}, "size_t"),
    ("no guard", {"include/outcall/x.h": "struct x { int a; };\n"}, "redefinition"),
    ("not C99", {"include/outcall/x.h": GUARD % "struct x { int a; union { int b; int c; }; };"}, "c99"),
    ("not C++", {"include/outcall/x.h": GUARD % "int f(int class);"}, r"c\+\+17"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
