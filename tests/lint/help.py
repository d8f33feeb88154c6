"""Documents say what the programs do: every outcall and outcalld command line shown in the documents is held against the
programs' own --help, every option of --help stands in the manual pages, and every option of a manual page in --help;
relative links and named paths of the tree exist."""
import functools
import os
import re
import shlex
import subprocess

import lint

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
PROGRAMS = {"outcall": "cli/outcall", "outcalld": "cli/outcalld"}
DOCUMENTS = ("README.md", "docs/*.md", "cli/*.md", "shim/README.md")


class Help:
    """A program's help texts, by command words."""

    def __init__(self, program):
        self.program = program

    @functools.lru_cache(maxsize=None)
    def text(self, *words):
        result = subprocess.run([self.program, *words, "--help"], capture_output=True, text=True, timeout=20)
        return result.stdout if result.returncode == 0 else None

    def options(self, *words):
        found = set()
        for n in range(len(words) + 1):
            found |= set(OPTION.findall(self.text(*words[:n]) or ""))
        return found

    def commands(self, *words):
        """Every command below words, by following the indented first words of the help text."""
        for line in (self.text(*words) or "").splitlines():
            match = re.match(r"\s+((?:[a-z]+ ?)+)(?:\s{2,}|\s*$|\s+[\[A-Z<-])", line)
            if match:
                new = tuple(match.group(1).split())
                new = new if new[:len(words)] == words else words + new
                if len(new) <= 3 and new != words and self.text(*new):
                    yield new


def command_lines(text):
    """(line number, program, arguments) of each command line in the fenced blocks of a document."""
    fenced, number, joined = False, 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced, joined = not fenced, ""
            continue
        if not fenced:
            continue
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        line, joined = joined + line, ""
        match = re.match(r"\s*(?:\$ |# )?(?:sudo )?(?:\S*/)?(outcalld?)\s+(.*)", line)
        if match and not re.match(r"\s*[A-Z]", match.group(0)):
            try:
                yield number, match.group(1), shlex.split(match.group(2), comments=True)
            except ValueError:
                continue


def command_findings(helps, program, arguments):
    words = []
    for argument in arguments:
        if argument.startswith("-") or not re.fullmatch(r"[a-z]+", argument) or helps[program].text(*words, argument) is None:
            break
        words.append(argument)
    # Global options come before the command: look for the command behind them too.
    if not words:
        for i, argument in enumerate(arguments):
            if re.fullmatch(r"[a-z]+", argument) and not argument.startswith("-") and helps[program].text(argument):
                words = [argument]
                if i + 1 < len(arguments) and re.fullmatch(r"[a-z]+", arguments[i + 1]) and helps[program].text(argument, arguments[i + 1]):
                    words.append(arguments[i + 1])
                break
    if program == "outcall" and not words and not set(arguments) & {"--help", "--version"}:
        yield f"{program} has no command \"{' '.join(arguments[:2])}\""
    known = helps[program].options(*words) | {"--help", "--version"}
    for argument in arguments:
        if argument == "--":
            break
        option = OPTION.match(argument)
        if option and option.group(0) not in known:
            yield f"{program} {' '.join(words)} has no option {option.group(0)}"


def manual_findings(root, helps):
    for program, page in (("outcall", "cli/outcall.1"), ("outcalld", "cli/outcalld.8")):
        path = root / page
        if program not in helps or not path.is_file():
            continue
        text = re.sub(r"\\-|\\\(hy", "-", path.read_text()).replace("\\&", "")
        # mdoc writes an option as "Fl -memory" or "Fl Fl memory"
        text = re.sub(r"\bFl (?:Fl |-)(?=[a-z])", "--", text)
        shown, known = set(OPTION.findall(text)), set()
        todo, seen = [()], set()
        while todo:
            words = todo.pop()
            if words in seen:
                continue
            seen.add(words)
            known |= helps[program].options(*words)
            todo += list(helps[program].commands(*words))
        for option in sorted(known - shown - {"--help"}):
            yield f"{page}: {option} of {program} --help is missing"
        for option in sorted(shown - known - {"--help", "--version"}):
            yield f"{page}: {program} has no option {option}"


def link_findings(root, full):
    text = full.read_text()
    for match in re.finditer(r"\[[^\]\n]*\]\(([^)\s#]+)(#[^)]*)?\)", text):
        target = match.group(1)
        if not re.match(r"[a-z]+:", target) and not (full.parent / target).exists():
            yield f"{full.relative_to(root)}:{lint.line_of(text, match.start())}: {target} does not exist"
    for match in re.finditer(r"`((?:lib|cli|shim|tests|examples|docs|include|\.ci)/[\w./-]*\w/?)`", text):
        if not (root / match.group(1)).exists():
            yield f"{full.relative_to(root)}:{lint.line_of(text, match.start())}: {match.group(1)} does not exist"


def check(root, options):
    documents = list(lint.files(root, *DOCUMENTS))
    for full in documents:
        yield from link_findings(root, full)
    if not options:
        return
    helps = {name: Help(os.path.join(options[0], path)) for name, path in PROGRAMS.items()
             if os.path.exists(os.path.join(options[0], path))}
    if len(helps) != len(PROGRAMS):
        raise lint.Skip("the programs are not built")
    for full in documents:
        for number, program, arguments in command_lines(full.read_text()):
            for finding in command_findings(helps, program, arguments):
                yield f"{full.relative_to(root)}:{number}: {finding}"
    yield from manual_findings(root, helps)


FAKE = """#!/bin/sh
case "$*" in
--help) printf 'usage: outcall\\n  --json  JSON\\n  network create  make one\\n' ;;
"network --help") printf 'usage\\n  network create\\n' ;;
"network create --help") printf 'usage\\n  --subnet S\\n' ;;
*) exit 2 ;;
esac
"""


def check_fake(root, _options):
    """The whole check, against two small programs that the samples bring along."""
    build = root / "build"
    lint.write_tree(build, {"cli/outcall": FAKE, "cli/outcalld": FAKE})
    for name in PROGRAMS.values():
        os.chmod(build / name, 0o755)
    yield from check(root, [str(build)])


def document(line):
    return {"README.md": f"```\n{line}\n```\n", "cli/outcall.1": ".It Fl -json\n.It Fl -subnet\n"}


SAMPLES = [
    ("clean", document("sudo build/cli/outcall --json network create x --subnet 10.0.0.0/24"), None),
    ("no such option", document("outcall network create x --color"), "no option --color"),
    ("option of another command", document("outcall --subnet x"), "no option --subnet|no command"),
    ("no such command", document("outcall frobnicate x"), "no command"),
    ("manual lacks one", {"cli/outcall.1": ".It Fl -json\n"}, "--subnet of outcall --help is missing"),
    ("manual has one more", {"cli/outcall.1": ".It Fl -json\n.It Fl -subnet\n.It Fl -color\n"}, "no option --color"),
    ("dead link", {"README.md": "[x](docs/gone.md)\n"}, "docs/gone.md does not exist"),
    ("dead path", {"README.md": "see `lib/gone/x.c`\n"}, "lib/gone/x.c does not exist"),
]

if __name__ == "__main__":
    import sys
    lint.main(check_fake if sys.argv[1:] == ["--self-test"] else check, SAMPLES)
