"""Which tests reach which lines, and what each of them costs: a plugin of pytest, and its reader.

The plugin runs every test that was not recorded yet under coverage, with the test as its context.  What it
writes stands below `out/mutation/` and holds for one state of the sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

import coverage
import pytest

from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.packages import OUT, PACKAGES, ROOT, TESTS, modules

FLAGS = ("-q", "-p", "no:xdist", "-p", "no:cacheprovider")
LINES = OUT / "lines.data"
COSTS = OUT / "costs.json"
QUICK_S = 0.5


class Recorder:
    """Records, test by test, the lines that it reaches and the processor time that it takes."""

    def __init__(self) -> None:
        self._costs: dict[str, float | None] = read_costs()
        self._coverage = coverage.Coverage(
            data_file=str(LINES), source_pkgs=["govlang"], branch=False
        )
        if LINES.exists():
            self._coverage.load()

    def start(self) -> None:
        self._coverage.start()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid not in self._costs]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        before = _spent_s()
        yield
        self._costs.setdefault(item.nodeid, _spent_s() - before)
        self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._costs[report.nodeid] = None

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
        COSTS.write_text(json.dumps({"sources": fingerprint(), "costs": self._costs}, indent=1))


class Reach:
    """What was recorded: the tests to run for a mutant."""

    def __init__(self) -> None:
        self._costs = {test: cost_s for test, cost_s in read_costs().items() if cost_s is not None}
        self._data = coverage.CoverageData(str(LINES))
        self._data.read()
        self._files = {Path(name).resolve(): name for name in self._data.measured_files()}
        self._lines: dict[str, dict[int, list[str]]] = {}

    def tests(self, mutant: Mutant, budget_s: float) -> list[str]:
        """The tests that reach the mutant, those of its module first, as many as cost `budget_s` in all.

        A change to what runs at import is noticed by a test that reaches the module, or where none does, by any.
        """
        name = self._files.get((ROOT / mutant.path).resolve())
        if name is None:
            return []
        lines = self._lines.setdefault(name, self._data.contexts_by_lineno(name))
        asked = lines if mutant.at_import else range(mutant.first, mutant.last + 1)
        found = {test for line in asked for test in lines.get(line, ()) if test in self._costs}
        if mutant.at_import and not found:
            found = set(self._costs)
        chosen, spent_s = [], 0.0
        for test in self._ordered(found, f"/test_{Path(mutant.path).stem}.py"):
            cost_s = self._costs[test]
            if not chosen or spent_s + cost_s <= budget_s:
                chosen.append(test)
                spent_s += cost_s
        return chosen

    def cost_s(self, tests: list[str]) -> float:
        """What tests cost together."""
        return sum(self._costs[test] for test in tests)

    def runs_at_import(self, mutant: Mutant) -> bool:
        """Whether importing alone reaches the mutant."""
        name = self._files.get((ROOT / mutant.path).resolve())
        if name is None or mutant.at_import:
            return True
        lines = self._lines.setdefault(name, self._data.contexts_by_lineno(name))
        return any("" in lines.get(at, ()) for at in range(mutant.first, mutant.last + 1))

    def _ordered(self, found: set[str], mirror: str) -> Iterator[str]:
        """Quick tests before slow ones; among them the module's own first, then the quickest of every file in turn."""
        files: dict[tuple[bool, str], list[str]] = defaultdict(list)
        for test in sorted(found, key=lambda test: (self._costs[test], test)):
            files[self._costs[test] > QUICK_S, test.partition("::")[0]].append(test)
        for slow in (False, True):
            own = [
                files.pop(key)
                for key in sorted(files)
                if key[0] is slow and key[1].endswith(mirror)
            ]
            yield from chain.from_iterable(own)
            others = [tests for key, tests in files.items() if key[0] is slow]
            for turn in zip_longest(*others):
                yield from sorted(filter(None, turn), key=self._costs.__getitem__)


def record() -> None:
    """Run the tests that were not recorded yet; all of them where the sources have changed."""
    OUT.mkdir(parents=True, exist_ok=True)
    if not COSTS.exists() or json.loads(COSTS.read_text())["sources"] != fingerprint():
        COSTS.unlink(missing_ok=True)
        LINES.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "benchmarks.mutation.reach"], check=True, cwd=ROOT)


def read_costs() -> dict[str, float | None]:
    """Processor time of each test, in seconds, its processes included; None for one that fails as it is."""
    return dict(json.loads(COSTS.read_text())["costs"]) if COSTS.exists() else {}


def fingerprint() -> str:
    """Of all sources that are mutated."""
    found = hashlib.sha256()
    for package in PACKAGES:
        for path in modules(package):
            found.update((ROOT / path).read_bytes())
    return found.hexdigest()


def _spent_s() -> float:
    return sum(os.times()[:4])


def main() -> int:
    """Record; a test that fails as it is can notice no mutant, and is never asked."""
    recorder = Recorder()
    recorder.start()
    code = pytest.main([*FLAGS, *TESTS], plugins=[recorder])
    fine = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}
    return 0 if code in fine else int(code)


if __name__ == "__main__":
    sys.exit(main())
