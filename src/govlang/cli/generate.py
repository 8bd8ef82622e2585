"""Tests that are missing: what no test reached in, `test` blocks found by the solver out.

What always holds: each test expects what the policy decides now; a person reads whether that is what it
should decide.  What no valid request reaches gets no test, and is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from govlang.cli.coverage import Coverage, Seen, cover
from govlang.cli.generate_time import Histories
from govlang.cli.goals import Goal, Unreached, goals_of
from govlang.cli.test_blocks import free_name, params_written, request_step
from govlang.compiler import ir
from govlang.compiler.checked import Checked
from govlang.compiler.interpret import decide, default_params
from govlang.dsl import ast
from govlang.dsl.printer import print_policy
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder
from govlang.verifier.solve import Absent, Found, Session

TIMEOUT_S: Final = 10.0
TESTS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Generated:
    """Tests as text, empty if nothing is missing or can be reached; `is_cut`: more are missing."""

    text: str
    count: int
    is_cut: bool
    unreached: tuple[Unreached, ...] = ()


class Generator(Protocol):
    """Finds tests for goals, one after the other."""

    unreached: list[Unreached]

    def tests(self, goals: list[Goal]) -> Iterator[tuple[Goal, ast.Test]]:
        """One test for each goal that no earlier one reaches."""


def missing_tests(checked: Checked, coverage: Coverage, most: int = TESTS_MAX) -> Generated:
    """At most so many tests for what no test reached."""
    found = _generator(checked.policy)
    tests, names = [], {case.name for case in checked.tests}
    waiting = found.tests(goals_of(coverage))
    for goal, test in islice(waiting, most):
        title = free_name(goal.title, names)
        names.add(title)
        tests.append(ast.Test(ast.String(title), test.params, test.steps))
    is_cut = len(tests) == most and next(waiting, None) is not None
    text = print_policy(ast.Policy(None, tuple(tests))) if tests else ""
    return Generated(text, len(tests), is_cut, tuple(found.unreached))


def _generator(policy: ir.Policy) -> Generator:
    if policy.time is None:
        return _Requests(policy)
    return Histories(policy, TIMEOUT_S)


class _Requests:
    """Finds requests by the solver."""

    def __init__(self, policy: ir.Policy) -> None:
        self.policy = policy
        self.unreached: list[Unreached] = []
        self.encoder = Encoder(Columns(policy))
        # what a condition says of a field that is not there does not count, so it may read as anything
        validity = self.encoder.validity(absent_as_lowest=False)
        self.session = Session(self.encoder, TIMEOUT_S, validity)
        self.seen: list[Seen] = []

    def tests(self, goals: list[Goal]) -> Iterator[tuple[Goal, ast.Test]]:
        """One test for each goal that no earlier one reaches."""
        for goal in goals:
            if self.seen and goal.is_reached(cover(self.policy, self.seen, only=goal.rule)):
                continue
            wanted = self.encoder.condition(goal.condition(self.policy))
            answer = self.session.find([wanted], lambda _: True)
            if isinstance(answer, Found):
                self.seen.append((answer.point.values, answer.point.params))
                yield goal, self._test(answer.point)
            else:
                self.unreached.append(Unreached(goal, isinstance(answer, Absent)))

    def _test(self, point: Point) -> ast.Test:
        params = {**default_params(self.policy), **point.params}
        step = request_step(self.policy, point.values, decide(self.policy, params, point.values))
        return ast.Test(ast.String(""), params_written(self.policy, params), (step,))
