"""Checks in shell tests whose failure nobody would see.

`set -e`, by which bats notices a failed check, looks away from all of an `a && b` list but its last command, and from
`! a` altogether. So a statement that begins with a test or with `!` stands alone, unless it is the last one of its
function (whose status is then the function's), or the list leads to a word like return, or has an || of its own.
"""
import re

import lint

QUOTED = re.compile(r"\[\[ .*? \]\]|'[^']*'|\"(?:\\.|[^\"\\])*\"|\$\((?:[^()]|\([^()]*\))*\)")
HEREDOC = re.compile(r"<<-?\s*'?\"?([A-Za-z_]+)")
SILENT_LIST = re.compile(r"^\s*(?!if |elif |while |until |\}|done)\S.*? && ")
MEANT = re.compile(r"\|\||&& (return|continue|break|exit)\b|; then\b|; do\b|^\s*\w+\(\)|^\s*\(|^\s*exec ")


def statements(text):
    """(line number, statement without its quoted parts, whether it is its function's last), here-documents left out."""
    lines = text.splitlines()
    shown = QUOTED.sub(lambda m: re.sub(r"[^\n]", "x", m.group(0)), text).splitlines()
    until, begun = None, ""
    for number, (raw, line) in enumerate(zip(lines, shown), 1):
        if until is not None:
            until = None if raw.strip() == until else until
            continue
        start = HEREDOC.search(raw)
        until = start.group(1) if start and "<<<" not in raw else None
        begun += line.split(" # ")[0].rstrip()
        if begun.endswith(("&&", "||", "\\")):
            begun = begun.rstrip("\\") + " "
            continue
        rest = next((r for r in lines[number:] if r.strip()), "")
        yield number, begun, rest.strip() == "}"
        begun = ""


def check(root, _options):
    for path in lint.files(root, "tests/system/*.bats", "tests/support/*.bash"):
        for number, line, last in statements(path.read_text()):
            where = f"{path.relative_to(root)}:{number}: "
            if line.lstrip().startswith("#") or MEANT.search(line):
                continue
            if re.match(r"^\s*! ", line) and not last:
                yield where + "set -e looks away from \"! command\": `if command; then false; fi`"
            elif SILENT_LIST.match(line) and not last:
                yield where + "set -e sees only the last command of an && list: a line for each"


def tree(body, name="tests/system/a.bats"):
    return {name: "@test \"a\" {\n" + body + "    true\n}\n"}


SAMPLES = [
    ("two tests in a list", tree('    [ "$status" = 0 ] && [ -z "$output" ]\n'), r"a\.bats:2: .* && list"),
    ("over two lines", tree("    [ -e a ] &&\n        [ -e b ]\n"), ":3:"),
    ("a way out over two lines", tree("    [ -e a ] &&\n        [ -e b ] && return 0\n"), None),
    ("a command in a list", tree("    grep -q a b && grep -q c d\n"), "&& list"),
    ("in a loop", tree("    for i in 1 2; do\n        [ -e a ] && [[ $i = 1* ]]\n    done\n"), ":3:"),
    ("a negation", tree("    ! grep -q a b\n"), "looks away"),
    ("in a helper", {"tests/support/a.bash": "f()\n{\n    [ -e a ] && [ -e b ]\n    true\n}\n"}, "&& list"),
    ("the last of a function", {"tests/support/a.bash": "f()\n{\n    [ -e a ] && ! grep -q a b\n}\n"}, None),
    ("a way out", tree('    [ "$a" = 0 ] && [ "$b" = 0 ] && return 0\n    [ -e a ] && [ -e b ] || return 1\n'), None),
    ("a condition", tree("    if [ -e a ] && [ -e b ]; then\n        true\n    fi\n"), None),
    ("quoted", tree("    inside sh -c 'a && b'\n    says \"a && b\"\n    [ \"$(a && b)\" = c ]\n"), None),
    ("one test", tree("    [[ $a = *b* && $c = d ]]\n"), None),
    ("a here-document", tree("    cat >a <<END\n! a\na && b\nEND\n"), None),
]

if __name__ == "__main__":
    lint.main(check, SAMPLES)
