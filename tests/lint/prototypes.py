"""Every exported prototype is documented where it stands: a comment directly above it, or above the group of
prototypes it begins, that says since which version."""
import re

import lint

API = re.compile(r"^OUTCALL_API\b[^;]*;", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def check(root, _options):
    for full in lint.files(root, "include/outcall/*.h"):
        text = full.read_text()
        name = full.relative_to(root)
        if not COMMENT.match(text):
            yield f"{name}:1: begins without a comment that says what the header is for"
        comments = {m.end(): m.group(0) for m in COMMENT.finditer(text)}
        above = None
        end_of_last = None
        for match in API.finditer(text):
            start = match.start()
            gap_start = max((e for e in comments if e <= start), default=None)
            direct = gap_start is not None and text[gap_start:start].strip(" ") == "\n"
            grouped = end_of_last is not None and above and re.fullmatch(r"[ \t]*(/\*[^\n]*\*/)?\n", text[end_of_last:start])
            what = re.search(r"(\w+)\s*\(", match.group(0)[len("OUTCALL_API"):].replace("OUTCALL_NODISCARD", ""))
            where = f"{name}:{lint.line_of(text, start)}: {what.group(1) if what else '?'}"
            if direct:
                above = comments[gap_start]
            elif not grouped:
                above = None
                yield f"{where} has no comment directly above it"
            if above and not re.search(r"\bSince\s+(\*\s+)?\d+\.\d+\.\d+", above):
                yield f"{where}: its comment does not say since which version"
            end_of_last = match.end()


GOOD = "/* outcall/x.h - a sample. */\n\n/* Does it. Since 0.1.0. */\nOUTCALL_API int a(void);\nOUTCALL_API int b(void);\n"
SAMPLES = [
    ("clean", {"include/outcall/x.h": GOOD}, None),
    ("no header comment", {"include/outcall/x.h": GOOD[GOOD.index("\n") + 2:].replace("/* Does", "int x; /* Does")}, "begins without"),
    ("none", {"include/outcall/x.h": "/* x */\n\nOUTCALL_API int a(void);\n"}, "a has no comment"),
    ("apart", {"include/outcall/x.h": GOOD + "\nOUTCALL_API int c(void);\n"}, "c has no comment"),
    ("no version", {"include/outcall/x.h": GOOD.replace("Since 0.1.0", "Yes")}, "since which version"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
