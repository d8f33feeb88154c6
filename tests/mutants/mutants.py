"""The list of mutants: its format, its check, and how one is applied. run.py runs them.

Each *.mutants file here holds entries like this one ('#' begins a comment line):

    [socket-as-source]
    row: T03
    without: the refusal of every source that is a socket
    file: lib/mounts/check.c
    -if (!S_ISREG(st.stx_mode) && !S_ISDIR(st.st_mode))
    +if (0)
    test: unit mounts_denylist a_socket_is_never_a_source
    test: system threats T03: a hard link to the socket

'-' lines are text that stands exactly once in the file, '+' lines what takes its place (nothing, when there are none);
"file:" and its changes may come more than once. Every test that is named must turn red. As a lint (ctest: mutants-apply)
this holds the list against the tree: each change still applies, each test exists, each row has a mutant."""
import dataclasses
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lint"))
import lint

# Rows of docs/security.md get theirs by themselves, as soon as they name a test; these are the seeds' own. Not here:
# EC-003, 006, 011 and 014 say what must go on working, which is nothing that could be taken away in one place.
EDGE_CASES = [f"S008-EC-{n:03}" for n in (1, 2, 4, 5, 7, 8, 9, 10, 12, 13, 15, 16)]
NAME = re.compile(r"\[([a-z0-9-]+)\]")


class Malformed(Exception):
    pass


@dataclasses.dataclass
class Change:
    file: str
    old: list
    new: list

    def apply(self, text):
        old, new = "\n".join(self.old), "\n".join(self.new)
        found = text.count(old)
        if found != 1:
            raise Malformed(f"{self.file}: \"{self.old[0].strip()}\" stands there {found} times, not once")
        return text.replace(old, new)


@dataclasses.dataclass
class Mutant:
    name: str
    where: str
    rows: list = dataclasses.field(default_factory=list)
    without: str = ""
    changes: list = dataclasses.field(default_factory=list)
    tests: list = dataclasses.field(default_factory=list)

    def apply(self, root):
        """{file: its text with the changes made}"""
        texts = {}
        for change in self.changes:
            path = root / change.file
            if not path.is_file():
                raise Malformed(f"there is no {change.file}")
            texts[change.file] = change.apply(texts.get(change.file) or path.read_text())
        return texts


def add_line(mutant, line, state):
    """state: the file the changes are for, and whether the last line was a change's."""
    if line[0] in "-+":
        if not state["file"]:
            raise Malformed("a change before its \"file:\"")
        change = mutant.changes[-1] if state["in_change"] else None
        if line[0] == "-" and (change is None or change.new):
            change = Change(state["file"], [], [])
            mutant.changes.append(change)
        if change is None:
            raise Malformed("a \"+\" line without a \"-\" line")
        (change.old if line[0] == "-" else change.new).append(line[1:])
        state["in_change"] = True
        return
    state["in_change"] = False
    key, colon, value = line.partition(": ")
    if not colon:
        raise Malformed(f"not understood: {line}")
    if key == "file":
        state["file"] = value
    elif key == "without":
        mutant.without = value
    elif key == "row":
        mutant.rows += value.split()
    elif key == "test":
        mutant.tests.append(value)
    else:
        raise Malformed(f"unknown key \"{key}\"")


def parse(path, shown):
    mutant, state = None, {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{shown}:{number}"
        header = NAME.fullmatch(line)
        if header:
            if mutant:
                yield mutant
            mutant, state = Mutant(header.group(1), where), {"file": None, "in_change": False}
        elif not line.strip() or line.startswith("#"):
            continue
        elif not mutant:
            raise Malformed(f"{where}: before the first [name]")
        else:
            try:
                add_line(mutant, line, state)
            except Malformed as why:
                raise Malformed(f"{where}: {why}") from why
    if mutant:
        yield mutant


def load(root):
    return [m for f in lint.files(root, "tests/mutants/*.mutants") for m in parse(f, f.relative_to(root))]


def split_test(test):
    """\"unit MODULE TEST\" or \"system FILE NAME\": kind, program or file, the one test in it"""
    parts = test.split(" ", 2)
    if len(parts) != 3 or parts[0] not in ("unit", "system"):
        raise Malformed(f"test \"{test}\": expected \"unit MODULE TEST\" or \"system FILE NAME\"")
    return parts


def test_problem(root, test):
    kind, where, name = split_test(test)
    path = root / (f"tests/unit/test_{where}.c" if kind == "unit" else f"tests/system/{where}.bats")
    text = f"START_TEST({name})" if kind == "unit" else f'@test "{name}" {{'
    if not path.is_file() or text not in path.read_text():
        return f"there is no test \"{test}\""
    return None


def problems(root, mutant):
    if not (mutant.rows and mutant.without and mutant.changes and mutant.tests):
        yield "one of row, without, file with a change, and test is missing"
        return
    try:
        for file, text in mutant.apply(root).items():
            if text == (root / file).read_text():
                yield f"{file}: nothing changes"
        for test in mutant.tests:
            problem = test_problem(root, test)
            if problem:
                yield problem
    except Malformed as why:
        yield str(why)


def rows_with_tests(root):
    """Rows of the table that name tests, and the names."""
    table = root / "docs/security.md"
    for line in table.read_text().splitlines() if table.is_file() else []:
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if re.fullmatch(r"T\d\d", cells[0]) and cells[-1] != "later":
            yield cells[0], [re.sub(r" \(in part\)$", "", c) for c in cells[-1].split("<br>")]


def check(root, _options):
    try:
        mutants = load(root)
    except Malformed as why:
        yield str(why)
        return
    names = set()
    for mutant in mutants:
        if mutant.name in names:
            yield f"{mutant.where}: \"{mutant.name}\" is there twice"
        names.add(mutant.name)
        for problem in problems(root, mutant):
            yield f"{mutant.where}: {mutant.name}: {problem}"
    for row, tests in rows_with_tests(root):
        mine = [t.split(" ", 2)[-1] for m in mutants if row in m.rows for t in m.tests]
        if not mine:
            yield f"{row} has no mutant"
        for test in tests:
            if test not in mine:
                yield f"{row}: no mutant turns \"{test}\" red"
    for row in EDGE_CASES if mutants else []:
        if not any(row in m.rows and any(f" {row}: " in t for t in m.tests) for m in mutants):
            yield f"{row} has no mutant that turns a test of that name red"


ENTRY = "[a]\nrow: T01\nwithout: x\nfile: lib/a.c\n-int a\n+int b\ntest: unit a one\ntest: system a T01: one\n"
BATS = '@test "T01: one" {\n}\n'


def sample(entry=ENTRY, code="int a;\n", bats=BATS):
    return {"tests/mutants/a.mutants": entry, "lib/a.c": code, "tests/unit/test_a.c": "START_TEST(one)\n",
            "tests/system/a.bats": bats, "docs/security.md": "| T01 | 1 | x | y | T01: one |\n"}


EDGE_CASES_MISSING = "S008-EC-001 has no mutant"
SAMPLES = [
    ("no longer there", sample(code="int c;\n"), "stands there 0 times"),
    ("there twice", sample(code="int a; int a;\n"), "stands there 2 times"),
    ("no file", sample(ENTRY.replace("lib/a.c", "lib/b.c")), "there is no lib/b.c"),
    ("nothing changes", sample(ENTRY.replace("+int b", "+int a")), "nothing changes"),
    ("no unit test", sample(ENTRY.replace("unit a one", "unit a two")), "there is no test \"unit a two\""),
    ("no system test", sample(bats=""), "there is no test \"system a T01: one\""),
    ("no change", sample("[a]\nrow: T01\nwithout: x\ntest: unit a one\n"), "is missing"),
    ("twice", sample(ENTRY * 2), "\"a\" is there twice"),
    ("row without a mutant", sample(ENTRY.replace("row: T01", "row: T02")), "T01 has no mutant"),
    ("test without a mutant", sample(ENTRY.replace("test: system a T01: one\n", "")), "no mutant turns \"T01: one\" red"),
    ("edge case without a mutant", sample(), EDGE_CASES_MISSING),
    ("not understood", sample(ENTRY + "what is this\n"), "a.mutants:9: not understood"),
    ("empty list", {"docs/security.md": ""}, None),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
