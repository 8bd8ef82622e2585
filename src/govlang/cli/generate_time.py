"""Tests over time that are missing: goals in, `test` blocks with histories found by the solver out.

What always holds: a history that comes out was run on the reference step, with its ticks as a test tells them,
and reaches its goal there; it expects what the policy decides now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from govlang.cli.coverage import Untaken
from govlang.cli.goals import Goal, Unreached
from govlang.cli.passage import cover_histories, passage
from govlang.cli.test_blocks import Sample, history_steps, params_written
from govlang.compiler import ir
from govlang.compiler.importers.trees import name
from govlang.compiler.interpret import Environment, Params
from govlang.compiler.step import Request, Tick, Watched
from govlang.compiler.transitions import machines, transitions
from govlang.dsl import ast
from govlang.verifier.columns import Point
from govlang.verifier.options import Options
from govlang.verifier.report import context_of
from govlang.verifier.solve import Absent, Answer, Found
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.machines import asks_taken, shows_taken
from govlang.verifier.time.traces import Reached, run, shortened, taking


@dataclass
class Histories:
    """Finds histories by the solver."""

    policy: ir.Policy
    timeout_s: float
    unreached: list[Unreached] = field(default_factory=list)
    passed: list[tuple[Watched, Params]] = field(default_factory=list)

    def tests(self, goals: list[Goal]) -> Iterator[tuple[Goal, ast.Test]]:
        """One test for each goal that no earlier one reaches."""
        if not goals:
            return
        context = self._context(goals)
        for number, goal in enumerate(goals):
            if self._is_reached(goal, self.passed):
                continue
            answer, shows = self._find(context, number, goal)
            history = self._history(context, goal, answer, shows)
            if history is None:
                self.unreached.append(Unreached(goal, isinstance(answer, Absent)))
                continue
            self.passed += self._pass(history)
            yield goal, self._test(goal, history)

    def _context(self, goals: list[Goal]) -> TimeContext:
        """The goals stand as properties, so that their sets are taken apart as those of rules are."""
        wanted = (one.condition(self.policy) for one in goals)
        named = tuple(ir.Property(f"$goal {i}", one) for i, one in enumerate(wanted))
        policy = replace(self.policy, properties=named)
        context = context_of(policy, Options(timeout_s=self.timeout_s))
        assert isinstance(context, TimeContext)
        return context

    def _is_reached(self, goal: Goal, passed: list[tuple[Watched, Params]]) -> bool:
        return bool(passed) and goal.is_reached(cover_histories(self.policy, passed, goal.rule))

    def _find(
        self, context: TimeContext, number: int, goal: Goal
    ) -> tuple[Answer, Callable[[Point], bool]]:
        if isinstance(goal.what, Untaken):
            place = _place(self.policy, goal.what)
            flat = [
                one for cell in machines(context.time) for one in transitions(context.time, cell)
            ]
            taken = shows_taken(context, flat[place])
            return context.search.find(asks_taken(flat[place]), taken), taken
        wanted = context.policy.properties[number].condition

        def shows(point: Point) -> bool:
            decided = isinstance(point, Reached) and point.outcomes[-1] is not None
            return decided and Environment(context.policy, point.params, point.values).holds(wanted)

        return context.session.find([context.encoder.condition(wanted)], shows), shows

    def _history(
        self, context: TimeContext, goal: Goal, answer: Answer, shows: Callable[[Point], bool]
    ) -> Reached | None:
        """A history that a test can tell and that reaches the goal."""
        if not isinstance(answer, Found) or not isinstance(answer.point, Reached):
            return None
        found = answer.point
        for one in (shortened(context.take, context.time, found, shows), found):
            told = _told(self.policy, one.samples)
            again = run(taking(self.policy), one.params, told)
            if again is not None and self._is_reached(goal, self._pass(again)):
                return again
        return None

    def _pass(self, history: Reached) -> list[tuple[Watched, Params]]:
        watched = passage(self.policy, history.params, iter(history.samples))
        return [(one, history.params) for one in watched]

    def _test(self, goal: Goal, history: Reached) -> ast.Test:
        states: tuple[ast.StateIs, ...] = ()
        if isinstance(goal.what, Untaken):
            states = _states(self.policy, goal.what)
        steps = history_steps(self.policy, history.samples, history.outcomes, states)
        given = params_written(self.policy, history.params)
        return ast.Test(ast.String(""), given, tuple(steps))


def _place(policy: ir.Policy, untaken: Untaken) -> int:
    """Where a transition stands among all; taking sets apart leaves their order as it is."""
    assert policy.time is not None
    time = policy.time
    own = [one for cell in machines(time) for one in transitions(time, cell)]
    return own.index(untaken.transition)


def _states(policy: ir.Policy, untaken: Untaken) -> tuple[ast.StateIs, ...]:
    """The state that a transition leads to, where a test can ask for it."""
    assert policy.time is not None
    machine = untaken.transition.machine
    if machine.scope not in (ir.SHARED, policy.time.key):
        return ()
    state = machine.field.members[untaken.transition.target]
    return (ast.StateIs(name(machine.name), name(state)),)


def _told(policy: ir.Policy, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """The samples with ticks for whoever was named last, as a test has them."""
    assert policy.time is not None
    key_field, key = policy.time.key, None
    told: list[Sample] = []
    for sample in samples:
        if isinstance(sample, Tick):
            told.append(replace(sample, key=key))
            continue
        told.append(sample)
        own = sample.values.get(key_field or "") if isinstance(sample, Request) else sample.key
        key = own if isinstance(own, str) else key
    return tuple(told)
