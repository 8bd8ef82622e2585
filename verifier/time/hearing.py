"""What one version makes of the samples of both.

In: a version over the common columns, and the events and signals of both.  Out: its updates over these samples:
what the version does not take is to it a tick.

What always holds: at a sample that the version does not take, its cells are those behind a tick of the same time
that carries the same key; a tick carries no other key, so nothing kept by other fields changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from govlang.compiler import ir
from govlang.compiler.ir import Stage
from govlang.verifier import ranges
from govlang.verifier.merge import Version
from govlang.verifier.rewriting import Renamer

NO_NAMES: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Hearing(Renamer):
    """From the samples of one version to those of both."""

    numbers: Mapping[int, int]
    """By kind of sample of this version: its number among those of both."""
    takes: Mapping[int, ir.BoolExpr]
    """By kind of sample of both: when this version takes it."""
    reaches: Mapping[str, Mapping[int, ir.BoolExpr]]
    """By field that state is kept by, beside the key: the kinds that carry it, and when this version sees that."""

    @classmethod
    def listening(
        cls,
        own: ir.Policy,
        samples: Sequence[ir.SampleType],
        version: Version,
        always: bool,  # noqa: FBT001  # whether what one version takes for a request the other does, too
    ) -> Self:
        """How a version hears samples; `own` is that version over its own columns."""
        time = own.time
        known = {} if time is None else {one.name: one for one in time.samples}
        numbers = {ir.REQUEST: ir.REQUEST, ir.TICK: ir.TICK}
        takes: dict[int, ir.BoolExpr] = {ir.REQUEST: ir.TRUE if always else version.valid}
        takes[ir.TICK] = ir.TRUE
        for number, one in enumerate(samples, ir.FIRST_KIND):
            takes[number] = ir.FALSE
            if one.name in known and time is not None:
                numbers[time.kind_of(one.name)] = number
                columns = {column.name: column for column in known[one.name].fields}
                takes[number] = ir.conjunction([*replace(version.rewriter, own=columns).validity()])
        plain = version.rewriter
        return cls(
            plain.common,
            plain.common,
            plain.params,
            plain.params,
            NO_NAMES,
            numbers,
            takes,
            {scope: _reaching(scope, samples, known, takes) for scope in _scopes(time)},
        )

    # --- conditions ------------------------------------------------------------------------------

    def condition(self, condition: ir.BoolExpr) -> ir.BoolExpr:
        """The same condition over the samples of both."""
        if isinstance(condition, ir.InRanges) and condition.name == ir.SAMPLE:
            return self._kinds(condition.ranges)
        return Renamer.condition(self, condition)

    def _kinds(self, allowed: ir.Ranges) -> ir.BoolExpr:
        wanted = {n for n in self.numbers if ranges.holds(allowed, n)}
        ours = {self.numbers[n] for n in wanted}
        ticks = ir.TICK in wanted
        found: list[ir.BoolExpr] = []
        for number, taken in self.takes.items():
            if number in ours and (ticks or taken == ir.TRUE):
                found.append(_is(number))
            elif number in ours:
                found.append(ir.conjunction([_is(number), taken]))
            elif ticks and number != ir.TICK and taken != ir.TRUE:
                found.append(ir.conjunction([_is(number), ir.negation(taken)]))
        return _joined(found)

    # --- updates ---------------------------------------------------------------------------------

    def time(self, time: ir.Time) -> ir.Time:
        """What the version remembers, over the samples of both."""
        scopes = {cell.name: cell.scope for cell in time.cells}
        return replace(time, updates=tuple(self._guarded(u, scopes[u.cell]) for u in time.updates))

    def _guarded(self, update: ir.Update, scope: str) -> ir.Update:
        one = self.update(update)
        guards = list(self._reached(scope))
        asked = self.takes[ir.REQUEST]
        if one.stage == Stage.CLOSE and asked != ir.TRUE and not guards:
            guards.append(asked)
        return replace(one, condition=ir.conjunction([one.condition, *guards])) if guards else one

    def _reached(self, scope: str) -> Iterator[ir.BoolExpr]:
        """That the sample carries the key of a scope for this version, where it does for the other."""
        for number, taken in self.reaches.get(scope, {}).items():
            if taken != ir.TRUE:
                yield ir.disjunction([ir.negation(_is(number)), taken])

    # --- what that leaves out ----------------------------------------------------------------------

    def lost(self, own: ir.Policy) -> Iterator[str]:
        """What is not compared: state of other fields than the key, of which only one version takes a sample.

        There the clock can go back for one version and not for the other.
        """
        for scope in dict.fromkeys(cell.scope for cell in (own.time.cells if own.time else ())):
            if any(True for _ in self._reached(scope)):
                yield f"what is kept per `{scope}` has samples that only one version takes"


def _is(number: int) -> ir.InRanges:
    return ir.InRanges(ir.SAMPLE, ((number, number),))


def _joined(parts: Iterable[ir.BoolExpr]) -> ir.BoolExpr:
    """Some part holds; those that only name kinds as one."""
    plain = [one for one in parts if isinstance(one, ir.InRanges)]
    rest = [one for one in parts if not isinstance(one, ir.InRanges)]
    kinds = ranges.of_values(lo for one in plain for lo, _ in one.ranges)
    return ir.disjunction([*([ir.InRanges(ir.SAMPLE, kinds)] if kinds else []), *rest])


def _scopes(time: ir.Time | None) -> set[str]:
    return set() if time is None else {cell.scope for cell in time.cells} - {ir.SHARED, time.key}


def _reaching(
    scope: str,
    samples: Sequence[ir.SampleType],
    known: Mapping[str, ir.SampleType],
    takes: Mapping[int, ir.BoolExpr],
) -> dict[int, ir.BoolExpr]:
    """The kinds that carry a field in some version, and when they do in this one."""
    found = {ir.REQUEST: takes[ir.REQUEST]}
    for number, one in enumerate(samples, ir.FIRST_KIND):
        name = f"${one.name}.{scope}"
        own = known[one.name].fields if one.name in known else ()
        if any(column.name == name for column in one.fields):
            here = any(column.name == name for column in own)
            found[number] = takes[number] if here else ir.FALSE
    return found
