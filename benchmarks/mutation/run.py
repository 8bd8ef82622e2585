"""Mutates a seeded sample of a package and counts what the tests notice; writes `benchmarks/mutation.md`.

`python -m benchmarks.mutation.run` does so for all three packages (`--package`, `--sample`, `--seed`,
`--budget` say otherwise), goes on where an earlier run was stopped, and never writes to a source: a mutant
lives in a forked process.  First the tests run once under coverage, so that each mutant meets only tests that
reach its statement, those of its own module first, as many as cost `--budget` seconds.  `--again` asks the
survivors once more, after new tests or with another budget; `--page` only writes the page.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutation import page, reach
from benchmarks.mutation.live import Program, Ran, end_group, run_forked
from benchmarks.mutation.mutants import Mutant, mutants, mutated
from benchmarks.mutation.packages import OUT, PACKAGES, ROOT, TESTS, modules
from benchmarks.mutation.profile import no_shrinking

SLACK_S = 30
"""A mutant's time is up this long, plus four times what its tests usually take, after it began."""


class Campaign:
    """A plugin of pytest: once the tests are collected, it runs mutants instead."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._chosen = chosen
        self._reach = reach.Reach()
        self._innocent: set[str] = set()
        self._unfit: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        no_shrinking()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._session = session
        self._items = {item.nodeid: item for item in session.items}
        self._program = Program(ROOT)
        gc.freeze()
        packages = self._chosen.package or PACKAGES
        samples = [
            [
                (package, mutant)
                for mutant in sample(package, self._chosen.seed, self._chosen.sample)
            ]
            for package in packages
        ]
        for package, mutant in chain.from_iterable(zip(*samples, strict=False)):
            self._run(package, mutant)
        return True

    def _run(self, package: str, mutant: Mutant) -> None:
        """Judge a mutant that is not judged yet, and keep what became of it."""
        file = results_file(package, self._chosen.seed)
        fates = read_fates(file)
        fate = fates.get(mutant.key, {}).get("fate")
        if fate is None or (self._chosen.again and fate in {"survived", "not reached"}):
            fates[mutant.key] = self._judge(mutant)
            file.write_text(json.dumps(fates, indent=1, ensure_ascii=False))
            alive = sum(fate["fate"] == "survived" for fate in fates.values())
            print(
                f"{package}: {len(fates)} judged, {alive} survived; {mutant.key} "
                f"{fates[mutant.key]['fate']}",
                flush=True,
            )

    def _judge(self, mutant: Mutant) -> dict[str, Any]:
        """What became of a mutant, as it is kept."""
        tree, before, after = mutated(ROOT, mutant)
        known = {**asdict(mutant), "before": before, "after": after}
        tests = [t for t in self._reach.tests(mutant, self._chosen.budget) if t in self._items]
        if not tests:
            return {**known, "fate": "not reached", "killer": ""}
        limit_s = SLACK_S + 4 * self._reach.cost_s(tests)
        swaps = self._program.swaps(ROOT / mutant.path, tree)
        ran = Ran()
        if swaps is not None and not mutant.at_import:
            ran = self._fork(tests, lambda: self._program.put(swaps), limit_s)
        if ran == Ran() and (swaps is None or self._reach.runs_at_import(mutant)):
            ran = run_fresh(mutant, tests, limit_s)
        fate = "timed out" if ran.overran else "killed" if ran.killer else "survived"
        return {**known, "fate": fate, "killer": ran.killer}

    def _fork(self, tests: list[str], change: Callable[[], None], limit_s: float) -> Ran:
        """Run tests on a mutant; one that fails in a fork even without a mutant is not asked again."""
        while True:
            items = [self._items[test] for test in tests if test not in self._unfit]
            ran = run_forked(self._session, items, change, limit_s)
            if not ran.killer or ran.killer in self._innocent:
                return ran
            alone = run_forked(self._session, [self._items[ran.killer]], lambda: None, limit_s)
            if alone == Ran():
                self._innocent.add(ran.killer)
                return ran
            print(f"{ran.killer} fails without a mutant", flush=True)
            self._unfit.add(ran.killer)


def run_fresh(mutant: Mutant, tests: list[str], limit_s: float) -> Ran:
    """The tests on a mutant in a new interpreter, which imports the module mutated."""
    asked = OUT / "tests.txt"
    asked.write_text("\n".join(tests))
    plugin = ("-p", "benchmarks.mutation.fresh", "-x", "--tb=no")
    command = [sys.executable, "-m", "pytest", *reach.FLAGS, *plugin, f"@{asked}"]
    environment = {**os.environ, "GOVLANG_MUTANT": mutant.key}
    with tempfile.TemporaryFile(
        "w+", encoding="utf-8"
    ) as out:  # a pipe would wait for its children
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = child.wait(timeout=2 * limit_s)
        except subprocess.TimeoutExpired:
            return Ran(overran=True)
        finally:
            end_group(child.pid)
            child.wait()
        out.seek(0)
        said = out.read()
    if code == pytest.ExitCode.OK:
        return Ran()
    if code in {pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.INTERNAL_ERROR}:
        raise RuntimeError(said)
    failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return Ran(killer=failed[0].split(" ", 2)[1] if failed else "at import")


def sample(package: str, seed: int, size: int) -> list[Mutant]:
    """The first of a package's mutants in a seeded order, so that a larger sample holds the smaller one."""
    found = all_mutants(package)
    random.Random(f"{seed} {package}").shuffle(found)
    return found[:size]


def all_mutants(package: str) -> list[Mutant]:
    """Every mutant of a package, in the order of its files."""
    return [mutant for path in modules(package) for mutant in mutants(ROOT, path)]


def results_file(package: str, seed: int) -> Path:
    """Where the fates of a package's mutants are kept."""
    return OUT / f"{package}-{seed}.json"


def read_fates(file: Path) -> dict[str, dict[str, Any]]:
    """What became of each mutant so far."""
    return dict(json.loads(file.read_text())) if file.exists() else {}


def main() -> int:
    """Parses the command line, runs, writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--package", action="append", choices=PACKAGES, help="one of them; may be repeated"
    )
    parser.add_argument("--sample", type=int, default=300, help="mutants a package")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=20, help="seconds of tests a mutant")
    parser.add_argument("--again", action="store_true", help="the survivors once more")
    parser.add_argument("--page", action="store_true", help="write the page from what is known")
    chosen = parser.parse_args()
    if not chosen.page:
        reach.record()
        code = pytest.main([*reach.FLAGS, "-s", *TESTS], plugins=[Campaign(chosen)])
        if code != pytest.ExitCode.OK:
            return int(code)
    sizes = {package: len(all_mutants(package)) for package in PACKAGES}
    fates = {package: read_fates(results_file(package, chosen.seed)) for package in PACKAGES}
    page.write(fates, sizes, chosen.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
