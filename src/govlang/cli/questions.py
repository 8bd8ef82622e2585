"""What is done with the questions to the solver: written as SMT-LIB files, asked again of a second solver.

In: each question of a stage (`verify`, `table`, `diff` …) with Z3's verdict.  Out: a file each, whose name
tells policy, stage, number and verdict; the report with what the second solver said.

What always holds: two solvers that contradict each other are an error, and the report is undecided at best; a
second solver that has no answer changes nothing and is named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from govlang.cli.formats.findings import Finding, Report, error_of, joined_status
from govlang.native.files import write_whole
from govlang.verifier.smtlib import Watch, question_file, second_answer, second_version

CONTRADICTED: Final = "GOV310"
NAMED_MAX: Final = 100
"""The most questions without an answer that a report names."""

_WRITTEN: Final = re.compile(r".+-[a-z]+-\d{5}-(sat|unsat|unknown)\.smt2")


def folders(root: Path, paths: Iterable[Path]) -> list[Path]:
    """A folder for the questions of each path, none twice: files of one name are numbered."""
    found: list[Path] = []
    for path in paths:
        names = (path.name if n == 1 else f"{path.name}-{n}" for n in range(1, len(found) + 2))
        found.append(next(root / name for name in names if root / name not in found))
    return found


class Questions:
    """Told every question of one policy's verification."""

    def __init__(
        self, policy: str, folder: Path | None, *, cross_check: bool, timeout_s: float
    ) -> None:
        """`folder`: where to write them, emptied of those of an earlier run; `cross_check`: ask cvc5 too.

        Raises:
            ModuleNotFoundError: cvc5 is not installed.
        """
        self.policy = policy
        self.counts: Counter[str] = Counter()
        self.confirmed = 0
        self.unanswered: list[str] = []
        self.contradicted: list[str] = []
        self._folder = folder
        self._timeout_s = timeout_s
        self._second = second_version() if cross_check else None
        if folder is not None:
            _prepare(folder)

    def stage(self, name: str) -> Watch:
        """What is told the questions of one stage."""

        def watch(text: str, verdict: str) -> None:
            self._take(name, text, verdict)

        return watch

    def _take(self, stage: str, text: str, verdict: str) -> None:
        self.counts[stage] += 1
        number = f"{stage}-{self.counts[stage]:05}"
        if self._folder is not None:
            content = question_file(text, verdict, f"policy {self.policy}, question {number}")
            name = f"{self.policy}-{number}-{verdict}.smt2"
            write_whole(self._folder / name, content.encode("utf-8"))
        if self._second is not None:
            self._ask_again(number, text, verdict)

    def _ask_again(self, number: str, text: str, verdict: str) -> None:
        """What cvc5 says; where Z3 had no answer there is nothing to confirm."""
        if verdict == "unknown":
            self.unanswered.append(f"{number}: z3 gave up")
            return
        other = second_answer(text, self._timeout_s)
        if other.verdict == "unknown":
            self.unanswered.append(f"{number}: {other.why}")
        elif other.verdict == verdict:
            self.confirmed += 1
        else:
            self.contradicted.append(f"question {number}: z3 says {verdict}, cvc5 {other.verdict}")

    def joined(self, report: Report) -> Report:
        """The report with what the second solver said."""
        if self._second is None:
            return report
        told: dict[str, Any] = {
            "name": "cvc5",
            "version": self._second,
            "questions": self.counts.total(),
            "confirmed": self.confirmed,
            "contradicted": len(self.contradicted),
            "unanswered": len(self.unanswered),
            "without_answer": self.unanswered[:NAMED_MAX],
        }
        findings = [_finding(one) for one in self.contradicted]
        return report | {
            "cross_check": told,
            "status": joined_status(report["status"], "undecided" if findings else "proved"),
            "findings": report["findings"] + findings,
        }


def _prepare(folder: Path) -> None:
    """Make the folder, or empty it of the questions of an earlier run; other files stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if _WRITTEN.fullmatch(path.name):
            path.unlink()


def _finding(message: str) -> Finding:
    help_line = "report it with the question, which `--smt2 DIR` writes"
    said = f"undecided: two solvers contradict each other: {message}"
    return error_of(CONTRADICTED, "solver", said, help_line)


def cross_checked(told: dict[str, Any]) -> str:
    """What a second solver said, in a line for people."""
    line = f"{told['name']} {told['version']} confirmed {told['confirmed']} of {told['questions']} questions"
    if told["unanswered"]:
        line += f", {told['unanswered']} without an answer ({told['without_answer'][0]})"
    return line
