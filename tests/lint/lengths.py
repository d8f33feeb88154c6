"""Files and functions stay readable: the aim is 500 lines and 60 lines; past the limits here it is a finding."""
import sys

import lint

FILE_MAX, FUNCTION_MAX = 600, 80


def functions(lines):
    """(first line, length, signature) of each body whose braces stand in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None:
            start = number
        elif line == "}" and start is not None:
            yield start, number - start + 1, lines[start - 2].strip() if start > 1 else ""
            start = None


def check(root, _options):
    longest = []
    for full in lint.files(root, "lib/**/*.[ch]", "include/**/*.h", "cli/**/*.[ch]", "shim/**/*.[ch]", "examples/**/*.c"):
        lines = full.read_text().splitlines()
        name = full.relative_to(root)
        if len(lines) > FILE_MAX:
            yield f"{name}: {len(lines)} lines, more than {FILE_MAX}"
        for start, length, signature in functions(lines):
            longest.append((length, f"{name}:{start}: {signature}"))
            if length > FUNCTION_MAX:
                yield f"{name}:{start}: {length} lines, more than {FUNCTION_MAX}: {signature}"
    over = sorted((f for f in longest if 60 < f[0] <= FUNCTION_MAX), reverse=True)
    for length, where in over[:10]:
        print(f"note: {length} lines (aim: 60): {where}", file=sys.stderr)


BODY = "int f(void)\n{\n" + "    x();\n" * 90 + "}\n"
SAMPLES = [
    ("clean", {"lib/base/a.c": "int f(void)\n{\n    return 0;\n}\n"}, None),
    ("long function", {"lib/base/a.c": BODY}, "more than 80: int f"),
    ("long file", {"lib/base/a.c": "int x;\n" * 601}, "more than 600"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
