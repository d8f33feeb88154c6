"""What the lint programs share: reading the tree, C without comments and strings, and the frame of each program.

A lint is a function check(root, options) that yields findings, one line of text each. It is run as
    python3 <lint>.py ROOT [BUILD]      findings on stdout, exit 1 when there is one
    python3 <lint>.py --self-test       feeds it bad samples, exit 1 unless each of them is found
A check that needs something this machine lacks raises Skip: exit 77, or 1 when OUTCALL_TESTS_MUST_WORK=1.
"""
import os
import pathlib
import re
import sys
import tempfile


class Skip(Exception):
    pass


def files(root, *patterns):
    for pattern in patterns:
        yield from sorted(p for p in pathlib.Path(root).glob(pattern) if p.is_file())


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


C_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text):
    """C text with comments blanked out, line numbers kept."""
    return C_TOKEN.sub(lambda m: blank(m) if m.group(0)[0] == "/" else m.group(0), text)


def code_only(text):
    """C text with comments, strings and characters blanked out, line numbers kept."""
    return C_TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def write_tree(root, tree):
    for name, text in tree.items():
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def self_test(check, samples):
    """samples: (name, {path: text}, regular expression that one finding must match, or None for a clean tree)."""
    bad = 0
    for name, tree, expected in samples:
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, tree)
            found = list(check(pathlib.Path(root), []))
        good = not found if expected is None else any(re.search(expected, f) for f in found)
        if not good:
            print(f"self-test \"{name}\": expected {expected!r}, found {found}")
            bad = 1
    return bad


def main(check, samples):
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test(check, samples))
    try:
        found = list(check(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]))
    except Skip as why:
        print(f"skipped: {why}")
        sys.exit(1 if os.environ.get("OUTCALL_TESTS_MUST_WORK") == "1" else 77)
    for finding in found:
        print(finding)
    sys.exit(1 if found else 0)
