"""Requests that were reached, as what the passes look at before they ask the solver.

In: random histories of a policy over time, and whatever is reached later.  Out: requests in a box that are the first
sample of all, requests on which a rule fires, and others beside these.

What always holds: each was computed by the reference step from the empty state.  That none comes out proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value
from govlang.compiler.step import CLOCK_FAULT_RULE, Request
from govlang.verifier import ranges
from govlang.verifier.columns import Point
from govlang.verifier.explore import Explorer
from govlang.verifier.judge import Judge, Judged
from govlang.verifier.shapes import Box, contains
from govlang.verifier.time.traces import Reached, Taking, run

RANDOM_MAX: Final = 400
"""Requests of random histories that are looked at, beside one for each rule."""

FIRING_MAX: Final = 20
"""Requests on which a rule fires that are looked at first."""

BESIDE_MAX: Final = 2
"""Requests on which a rule fires beside which others are made."""

BEHIND_MAX: Final = 60
"""Random histories behind which one of these is asked once more."""

BEHIND_WORK_MAX: Final = 40_000
"""Cells and updates that are computed for that, for one rule."""

First = tuple[Reached, list[int]] | None
"""A request that is the first sample of all, with its row; None if it is not taken."""


class Pool(Explorer):
    """Knows no requests but those that were reached before, and first ones."""

    def __init__(
        self,
        policy: ir.Policy,
        judge: Judge,
        reached: Sequence[Reached],
        met: Sequence[Reached],
        take: Taking,
    ) -> None:
        super().__init__(judge)
        assert policy.time is not None
        self._take = take
        self.reached = reached
        self._known = 0
        self._own = {one.name for one in policy.fields}
        self._plain = [one for one in self._plain if one.name in self._own]
        self._texts = [one for one in self._texts if one.name in self._own]
        most = RANDOM_MAX + len(judge.rules)
        self._random = [one for one in met if one.decision is not None][-most:]
        self._met = self._random
        self._every = met
        self._cost = len(policy.time.cells) + len(policy.time.updates) + 1
        self._firing: dict[int, list[tuple[Reached, Judged]]] = {}
        self._first: dict[tuple[object, ...], First] = {}

    def point(self, box: Box) -> Point | None:
        """A request in a box that is the first sample of all; None if none is at hand."""
        made = super().point(box)
        if made is None:
            return None
        asked = tuple(made.values.items()), tuple(made.params.items())
        if asked not in self._first:
            found = run(self._take, made.params, (Request(made.values),))
            self._first[asked] = (found, self.columns.row(found)) if found else None
        first = self._first[asked]
        return first[0] if first is not None and contains(box, first[1]) else None

    def search(
        self,
        rule: int,
        shows: Callable[[Judged], bool],
        partners: Iterable[int] = (),
        before: Callable[[int], bool] = lambda _: True,
    ) -> Judged | None:
        """A request that was reached before, on which a rule fires and `shows` holds."""
        del partners, before
        self._judge_met()
        self._judge(self.reached[self._known :])
        self._known = len(self.reached)
        return next((one for _, one in self._firing.get(rule, ()) if shows(one)), None)

    def environments(self, rule: int | None = None) -> Iterator[Environment]:
        """Requests of random histories; first some on which a rule fires."""
        if rule is not None:
            self._judge_met()
            yield from (one.env for _, one in self._firing.get(rule, ())[:FIRING_MAX])
        yield from self._chance

    @cached_property
    def _chance(self) -> list[Environment]:
        return [self.judge.environment(one) for one in self._random]

    def beside(self, rule: int) -> Iterator[Environment]:
        """Other requests in the place of one on which a rule fires, and that one behind other samples."""
        self._judge_met()
        for reached, _ in self._firing.get(rule, ())[:BESIDE_MAX]:
            last = reached.samples[-1]
            before = run(self._take, reached.params, reached.samples[:-1])
            if before is not None and isinstance(last, Request):
                for values in self._others(rule, last.values):
                    yield from self._asked(before, replace(last, values=values))
                for behind in self._spread():
                    yield from self._asked(behind, replace(last, at_ms=behind.samples[-1].at_ms))

    def _others(self, rule: int, values: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
        """The values of a request on which a rule fires, each time with others in one column that it tests."""
        for column, allowed in self.judge.shapes[rule][0].box.items():
            names = {self.columns.columns[column].name, self.columns.columns[column].other}
            left = ranges.minus(self.columns.domain(column), allowed)
            made = super().point({column: left}) if left and names & self._own else None
            if made is not None:
                kept = {name: value for name, value in values.items() if name not in names}
                yield kept | {n: value for n, value in made.values.items() if n in names}

    def _spread(self) -> Sequence[Reached]:
        """Some of the random histories, from the first to the last."""
        count = min(BEHIND_MAX, BEHIND_WORK_MAX // self._cost)
        return self._every[:: max(1, len(self._every) // max(1, count))]

    def _asked(self, behind: Reached, request: Request) -> Iterator[Environment]:
        """A request behind some samples, if it is one that rules answer."""
        watched = self._take(behind.params, behind.after, request)
        said = watched.outcome
        if watched.seen and said is not None and said.rule_id != CLOCK_FAULT_RULE:
            yield Environment(self.judge.policy, behind.params, watched.seen)

    def _judge_met(self) -> None:
        self._judge(self._met)
        self._met = []

    def _judge(self, new: Sequence[Reached]) -> None:
        """What fires on some requests."""
        for reached in new:
            judged = None if reached.decision is None else self.judge.judge(reached)
            if judged is None:
                continue
            for rule in judged.fired:
                self._firing.setdefault(rule, []).append((reached, judged))
