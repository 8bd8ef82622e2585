"""Questions to the solver, told as SMT-LIB 2.6 text, and a second solver that answers again.

In: the assertions of a solver and the literals that were assumed.  Out: the verdict, text that any SMT solver
reads; cvc5's verdict on a question (from the extra `cross-check`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import z3

from govlang.verifier.smtlib_text import standard

Watch = Callable[[str, str], None]
"""Told each question as SMT-LIB and the verdict on it: `sat`, `unsat` or `unknown`."""

_STATUS: Final = "(set-info :status unknown)"


@dataclass(frozen=True, slots=True)
class SecondAnswer:
    """What the second solver says: `sat`, `unsat`, or `unknown` and why."""

    verdict: str
    why: str = ""


def ask(solver: Any, literals: Sequence[Any], watch: Watch | None) -> Any:
    """Z3's verdict on what a solver holds together with literals: every question goes through here."""
    verdict = solver.check(*literals)
    if watch is not None:
        watch(smtlib(solver, literals), str(verdict))
    return verdict


def total(parts: Sequence[Any]) -> Any:
    """A sum of integers, 0 of none."""
    return z3.Sum(parts) if parts else z3.IntVal(0)


def smtlib(solver: Any, literals: Sequence[Any]) -> str:
    """The question that `solver.check(*literals)` asks."""
    whole = z3.Solver()
    whole.add(*solver.assertions(), *literals)
    return standard(whole.to_smt2())


def second_version() -> str:
    """The version of cvc5.

    Raises:
        ModuleNotFoundError: cvc5 is not installed.
    """
    import cvc5

    return str(cvc5.__version__)


def question_file(text: str, verdict: str, about: str) -> str:
    """A question as a file that any SMT solver takes; one that disagrees with the verdict says so itself."""
    status = _STATUS.replace("unknown", verdict)
    version = z3.get_version_string()
    head = f"; {about}: z3 {version} says {verdict}\n(set-logic ALL)\n"
    return head + text.replace(_STATUS, status, 1)


def second_answer(text: str, timeout_s: float) -> SecondAnswer:
    """What cvc5 says of a question.

    Raises:
        ModuleNotFoundError: cvc5 is not installed.
    """
    import cvc5

    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit-per", str(max(1, int(timeout_s * 1000))))
    solver.setOption("parsing-mode", "strict")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, f"(set-logic ALL)\n{text}", "question")
    symbols = parser.getSymbolManager()
    answers: list[str] = []
    try:
        while not (command := parser.nextCommand()).isNull():
            answers.append(str(command.invoke(solver, symbols)).strip())
    except RuntimeError as error:
        return SecondAnswer("unknown", f"cvc5 does not read it: {error}")
    return _read(next((answer for answer in answers if answer), ""), timeout_s)


def _read(answer: str, timeout_s: float) -> SecondAnswer:
    """The first thing that cvc5 says of a question is the verdict, or what keeps it from one."""
    if answer in {"sat", "unsat"}:
        return SecondAnswer(answer)
    if "TIMEOUT" in answer:
        return SecondAnswer("unknown", f"cvc5 reached the time limit of {timeout_s:g} s")
    return SecondAnswer("unknown", f"cvc5 gave up: {answer}")
