"""What is done with the verifier's questions: written as SMT-LIB files, asked again of a second solver.

What always holds: two solvers that contradict each other make the report undecided; a second solver that has no
answer changes nothing and is counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from govlang.cli.formats.findings import Finding, Report, error_of, joined_status
from govlang.native.files import write_whole
from govlang.verifier.smtlib import second_verdict, second_version


class Questions:
    """Told every question of one verification."""

    def __init__(self, folder: Path | None, *, cross_check: bool, timeout_s: float) -> None:
        """`folder`: where to write them; `cross_check`: whether to ask cvc5 too.

        Raises:
            ModuleNotFoundError: cvc5 is not installed.
        """
        self.count = 0
        self.confirmed = 0
        self.contradicted: list[str] = []
        self._folder = folder
        self._timeout_s = timeout_s
        self._second = second_version() if cross_check else None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def watch(self, text: str, verdict: str) -> None:
        """One question and its verdict."""
        self.count += 1
        if self._folder is not None:
            name = f"{self.count:05}-{verdict}.smt2"
            write_whole(self._folder / name, text.encode("utf-8"))
        if self._second is not None and verdict != "unknown":
            self._ask_again(text, verdict)

    def _ask_again(self, text: str, verdict: str) -> None:
        other = second_verdict(text, self._timeout_s)
        self.confirmed += other == verdict
        if other not in ("unknown", verdict):
            self.contradicted.append(f"question {self.count}: z3 says {verdict}, cvc5 {other}")

    def joined(self, report: Report) -> Report:
        """The report with what the second solver said."""
        if self._second is None:
            return report
        told: dict[str, Any] = {
            "name": "cvc5",
            "version": self._second,
            "questions": self.count,
            "confirmed": self.confirmed,
        }
        findings = [_finding(one) for one in self.contradicted]
        return report | {
            "cross_check": told,
            "status": joined_status(report["status"], "undecided" if findings else "proved"),
            "findings": report["findings"] + findings,
        }


def _finding(message: str) -> Finding:
    help_line = "report it with the question, which `--smt2 DIR` writes"
    said = f"undecided: two solvers contradict each other: {message}"
    return error_of("GOV309", "property", said, help_line)
