"""The threat table and the seed rows have their tests: every test that docs/security.md names exists, every row whose ring is
1 names one, and every S008 and S005 edge case has a system test that begins with its ID."""
import re

import lint

EDGE_CASES = [f"S008-EC-{n:03}" for n in range(1, 17)] + [f"S005-EC-{n:03}" for n in range(1, 11)]


def check(root, _options):
    tests = {}
    for full in lint.files(root, "tests/system/*.bats"):
        text = full.read_text()
        for match in re.finditer(r'^@test "(.*)" \{$', text, re.M):
            name = match.group(1)
            if name in tests:
                yield f"{full.relative_to(root)}:{lint.line_of(text, match.start())}: \"{name}\" is there twice"
            tests[name] = full
    for row in EDGE_CASES:
        if not any(name.startswith(row + ": ") for name in tests):
            yield f"{row} has no system test"
    table = root / "docs/security.md"
    for number, line in enumerate(table.read_text().splitlines(), 1):
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if not re.fullmatch(r"T\d\d", cells[0]):
            continue
        named = [] if cells[-1] == "later" else [re.sub(r" \(in part\)$", "", c) for c in cells[-1].split("<br>")]
        if not named and cells[1] == "1":
            yield f"docs/security.md:{number}: {cells[0]} names no test"
        for name in named:
            if name not in tests:
                yield f"docs/security.md:{number}: there is no system test \"{name}\""
        for name in tests:
            if name.startswith(cells[0] + ": ") and name not in named:
                yield f"docs/security.md:{number}: {cells[0]} does not name \"{name}\""


BATS = "".join(f'@test "{row}: x" {{\n}}\n' for row in EDGE_CASES)


def sample(bats, row):
    return {"tests/system/a.bats": BATS + bats, "docs/security.md": row + "\n"}


SAMPLES = [
    ("clean", sample('@test "T01: a" {\n}\n', "| T01 | 1 | x | y | T01: a |"), None),
    ("row without a test", sample("", "| T01 | 1 | x | y | later |"), "T01 names no test"),
    ("test that is not there", sample("", "| T01 | 1 | x | y | T01: a |"), "there is no system test"),
    ("test that is not named", sample('@test "T01: a" {\n}\n@test "T01: b" {\n}\n', "| T01 | 1 | x | y | T01: a |"), "does not name"),
    ("edge case without a test", {"tests/system/a.bats": "", "docs/security.md": ""}, "S008-EC-016 has no"),
    ("twice", sample('@test "T01: a" {\n}\n' * 2, "| T01 | 1 | x | y | T01: a |"), "there twice"),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
