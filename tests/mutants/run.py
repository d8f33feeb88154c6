"""Runs the mutants. See run.sh for the options, mutants.py for the list."""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import mutants

TEST_S = 150  # one unit program, or one system test; a mutant that hangs is red too
SWAPS = "20"  # rounds of the swapping test: enough for either outcome, and for a mutant to be caught
BUILD_OPTIONS = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O0", "-DOUTCALL_FAULTS=ON"]
PROGRAMS = ["outcalld", "outcall", "outcall-agent", "example-manager", "fake-agent", "agent-load"]


class Broken(Exception):
    """The run itself cannot go on, or a mutant proves nothing."""


def copy_tree(source, target):
    """Only what differs is written, so that a second run builds little."""
    wanted = set()
    for path in source.rglob("*"):
        relative = path.relative_to(source)
        if relative.parts[0].startswith("build") or relative.parts[0] == ".git" or "__pycache__" in relative.parts:
            continue
        wanted.add(relative)
        copy = target / relative
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif not copy.is_file() or copy.read_bytes() != path.read_bytes():
            shutil.copyfile(path, copy)
            shutil.copymode(path, copy)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.relative_to(target) not in wanted:
            path.rmdir() if path.is_dir() else path.unlink()


class Bench:
    """A copy of the tree, its build folder, and one engine for all."""

    def __init__(self, root, work, jobs):
        self.source, self.build, self.state = work / "source", work / "build", work / "engine.env"
        self.jobs = jobs
        self.engine_runs = False
        self.source.mkdir(parents=True, exist_ok=True)
        copy_tree(root, self.source)
        self.env = dict(os.environ, OUTCALL_SOURCE=str(self.source), OUTCALL_BUILD=str(self.build), LC_ALL="C.UTF-8",
                        OUTCALL_TESTS_MUST_WORK="1", OUTCALL_TEST_SWAPS=SWAPS, BATS_TEST_TIMEOUT=str(TEST_S))
        self.command(["cmake", "-S", str(self.source), "-B", str(self.build), *BUILD_OPTIONS])

    def command(self, words):
        result = subprocess.run(words, capture_output=True, text=True, env=self.env, check=False)
        if result.returncode:
            raise Broken(f"{' '.join(words[:3])} failed:\n{result.stdout[-4000:]}{result.stderr[-4000:]}")

    def engine(self, verb):
        self.command([str(self.source / "tests/support/engine.sh"), verb, str(self.state)])
        self.engine_runs = verb == "start"

    def make(self, tests):
        targets = set()
        for test in tests:
            kind, where, _ = mutants.split_test(test)
            targets.update([f"test_{where}"] if kind == "unit" else PROGRAMS)
        self.command(["ninja", "-C", str(self.build), f"-j{self.jobs}", *sorted(targets)])

    def end_strays(self):
        """bats runs no teardown for a test whose time ran out: what was built here and still runs was its own."""
        for exe in pathlib.Path("/proc").glob("[0-9]*/exe"):
            try:
                if pathlib.Path(os.readlink(exe)).is_relative_to(self.build):
                    os.kill(int(exe.parent.name), signal.SIGKILL)
            except OSError:
                pass

    def output(self, words):
        """What it printed, and whether its time ran out."""
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              env=self.env, start_new_session=True) as process:
            try:
                return process.communicate(timeout=TEST_S * 2)[0], False
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return process.communicate()[0], True
            except BaseException:  # told to stop: the test tidies up after itself
                os.killpg(process.pid, signal.SIGTERM)
                raise

    def is_red(self, test):
        kind, where, name = mutants.split_test(test)
        return self.unit_is_red(where, name) if kind == "unit" else self.system_is_red(where, name)

    def unit_is_red(self, module, name):
        text, late = self.output([str(self.build / f"tests/unit/test_{module}")])
        ended = re.search(r"^\d+%: Checks: \d+", text, re.M)
        if not ended and not late:
            raise Broken(f"test_{module} ended in the middle:\n{text[-2000:]}")
        return late or bool(re.search(rf":[FE]:[^:]*:{re.escape(name)}:", text)), text

    def system_is_red(self, file, name):
        if not self.engine_runs:
            self.engine("start")
        pattern = re.sub(r"([][.*^$+?(){}|\\])", r"\\\1", name)
        text, late = self.output([str(self.source / "tests/support/engine.sh"), "with", str(self.state), "bats", "--tap",
                                  "--print-output-on-failure", "-f", f"^{pattern}$",
                                  str(self.source / f"tests/system/{file}.bats")])
        results = re.findall(r"^(ok|not ok) \d+ ", text, re.M)
        if not late and len(results) != 1:
            raise Broken(f"\"{name}\" ran {len(results)} times:\n{text[-2000:]}")
        if re.search(r"from function `setup' in test file|cannot run: ", text):
            raise Broken(f"\"{name}\" did not get as far as its first line:\n{text[-3000:]}")
        self.end_strays()
        return late or results == ["not ok"], text


def first_failure(test, text):
    """What exactly turned red: a test that fails for another reason than the missing defence proves nothing."""
    name = re.escape(test.split(" ", 2)[2])
    found = re.search(rf"^#\s+`(.*)' failed|^\S+:\d+:[FE]:[^:]*:{name}:\d+: (.*)$", text, re.M)
    return next((g for g in found.groups() if g), "").strip()[:160] if found else "hung"


def judge(bench, mutant, options):
    """The tests that stayed green although the defence was gone; with --why, prints where the others failed."""
    changed = mutant.apply(bench.source)
    originals = {file: (bench.source / file).read_text() for file in changed}
    try:
        for file, text in changed.items():
            (bench.source / file).write_text(text)
        bench.make(mutant.tests)
        green = []
        for test in mutant.tests:
            red, text = bench.is_red(test)
            if options.verbose:
                print(text)
            if not red:
                green.append(test)
            elif options.why:
                print(f"    {test}: {first_failure(test, text)}")
        return green
    finally:
        for file, text in originals.items():
            (bench.source / file).write_text(text)


def baseline(bench, tests):
    """A test that is red with every defence in place would prove nothing."""
    bench.make(tests)
    done = {}
    for test in sorted(set(tests)):
        kind, where, _ = mutants.split_test(test)
        if kind == "unit" and where in done:
            red, text = bool(re.search(rf":[FE]:[^:]*:{test.split()[-1]}:", done[where])), done[where]
        else:
            red, text = bench.is_red(test)
        if kind == "unit":
            done[where] = text
        if red:
            raise Broken(f"red without any mutant: {test}\n{text[-3000:]}")


def run(bench, chosen, options):
    if not options.no_baseline:
        begin = time.monotonic()
        baseline(bench, [t for m in chosen for t in m.tests])
        print(f"all tests are green without a mutant ({time.monotonic() - begin:.0f} s)", flush=True)
    bad = []
    for number, mutant in enumerate(chosen, 1):
        begin = time.monotonic()
        try:
            green = judge(bench, mutant, options)
            result = "SURVIVED: " + "; ".join(green) if green else "killed"
        except (Broken, mutants.Malformed) as why:
            result = f"BROKEN: {why}"
        if result != "killed":
            bad.append(mutant.name)
        print(f"{number}/{len(chosen)} {mutant.name} ({time.monotonic() - begin:.1f} s): {result}", flush=True)
    print(f"{len(chosen) - len(bad)} of {len(chosen)} killed" + (f"; not: {' '.join(bad)}" if bad else ""))
    return 1 if bad else 0


def select(every, options):
    chosen = [m for m in every if not options.only or any(re.search(o, m.name) or o in m.rows for o in options.only)]
    if options.only and not chosen:
        raise Broken("no mutant has that name")
    return sorted(chosen, key=lambda m: m.changes[0].file)


def arguments():
    p = argparse.ArgumentParser(prog="run.sh", description="Removes one defence after the other and expects red tests.")
    p.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    p.add_argument("--only", action="append", metavar="NAME", help="a row, or a regular expression for names; may be repeated")
    p.add_argument("--no-baseline", action="store_true", help="do not first run the tests without a mutant")
    p.add_argument("--why", action="store_true", help="show where each test failed")
    p.add_argument("--verbose", action="store_true", help="show what the tests print")
    p.add_argument("--work", type=pathlib.Path, help="where the copy and its build lie (default: build-mutants)")
    p.add_argument("--jobs", type=int, default=os.cpu_count(), help="parallel compilations")
    return p.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    root, options, bench = pathlib.Path(__file__).resolve().parents[2], arguments(), None
    try:
        chosen = select(mutants.load(root), options)
        if options.list:
            for m in chosen:
                print(f"{m.name}  [{' '.join(m.rows)}]  without {m.without}\n    " + "\n    ".join(m.tests))
            return 0
        bench = Bench(root, (options.work or root / "build-mutants").resolve(), options.jobs)
        return run(bench, chosen, options)
    except (Broken, mutants.Malformed) as why:
        print(f"run.sh: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if bench and bench.state.exists():
            bench.engine("stop")


sys.exit(main())
