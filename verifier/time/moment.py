"""One sample as Z3 terms: the relation between the state before it and the state behind it.

In: a policy over time, the columns of its flat form.  Out: for the cells before the sample the cells as the
rules see them and those that are kept, with what makes it a sample that is taken.

What always holds: for a sample that is taken, these terms are what the reference step (compiler/step.py)
comes to; stages go in order, the updates of one stage read what was before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

import z3

from govlang.compiler import ir
from govlang.compiler.ir import BoolExpr, Effect, Stage
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.outcome import Decision, any_of
from govlang.verifier.properties import with_decision

Terms = Mapping[str, Term]
Whose = Callable[[str], ir.Policy]
"""By cell: the policy whose decision its updates read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a sample does to the cells that it addresses; `laws` hold if it is taken at all.

    `before[stage]` are the cells as a stage finds them, `seen` as the rules see them.
    """

    seen: Terms
    after: Terms
    before: Mapping[int, Terms]
    laws: tuple[Term, ...]


@dataclass
class Moment:
    """The variables of one sample: its columns, its keys by scope, its time, whether a tick has the key."""

    policy: ir.Policy
    time: ir.Time
    encoder: Encoder
    mark: str
    whose: Whose | None = None
    """None: the policy's own decision, for all cells."""
    keys: dict[str, Term] = field(init=False)
    at: Term = field(init=False)
    keyed: Term = field(init=False)

    def __post_init__(self) -> None:
        self.keys = {scope: z3.Int(f"k{self.mark}:{scope}") for scope in own_scopes(self.time)}
        self.at = z3.Int(f"at{self.mark}")
        self.keyed = z3.Bool(f"keyed{self.mark}")

    # --- what it is ------------------------------------------------------------------------------

    def column(self, name: str) -> Term:
        """The variable of a column that is a number."""
        return self.encoder.variables[self.encoder.columns.value[name]]

    @property
    def kind(self) -> Term:
        """What sort of sample it is, as in `ir.SAMPLE`."""
        return self.column(ir.SAMPLE)

    @property
    def is_request(self) -> Term:
        """It is a request."""
        return self.kind == ir.REQUEST

    @property
    def fault(self) -> Term:
        """The clock went back."""
        return self.column(ir.CLOCK_FAULT) == 1

    def addresses(self, scope: str) -> Term:
        """It carries the key of a scope."""
        if scope == ir.SHARED:
            return z3.BoolVal(True)
        carrying = [self.is_request]
        own = scope == self.time.key
        if own:
            carrying.append(z3.And(self.kind == ir.TICK, self.keyed))
        for number, one in enumerate(self.time.samples, ir.FIRST_KIND):
            columns = {column.name for column in one.fields}
            if (own and not one.shared) or f"${one.name}.{scope}" in columns:
                carrying.append(self.kind == number)
        return any_of(carrying)

    # --- what it does ----------------------------------------------------------------------------

    def laws(self) -> Iterator[Term]:
        """What every sample satisfies, whatever the state."""
        kinds = ir.FIRST_KIND + len(self.time.samples)
        yield z3.And(self.kind >= 0, self.kind < kinds)
        encoder = self.encoder
        yield from encoder.domains()
        yield from encoder.absences()
        yield from encoder.text_laws()
        for one in encoder.assumptions():
            yield z3.Implies(self.is_request, one)
        for name, number in self._absent_otherwise():
            own = encoder.variables[number]
            low = z3.Not(own) if z3.is_bool(own) else own == encoder.columns.domain(number)[0][0]
            yield z3.Implies(self.kind != self._brings(name), low)

    def _absent_otherwise(self) -> Iterator[tuple[str, int]]:
        """The columns that only one kind of sample brings; texts are left free, nothing keeps them."""
        columns = self.encoder.columns
        brought = {c.name for one in self.time.samples for c in one.fields}
        kept = {cell.name for cell in self.time.cells} | {ir.SAMPLE, ir.GAP, ir.CLOCK_FAULT}
        names = ({one.name for one in self.policy.fields} | brought) - kept
        for name in sorted(names):
            if name in columns.value:
                yield name, columns.value[name]
            for number in columns.members.get(name, ()):
                yield name, number

    def _brings(self, name: str) -> int:
        for number, one in enumerate(self.time.samples, ir.FIRST_KIND):
            if any(column.name == name for column in one.fields):
                return number
        return ir.REQUEST

    def take(self, grown: Terms, *, again: bool = False) -> Taken:
        """The sample on cells that have grown by the time since the last one.

        `again`: no time has passed since the last one, so that no pane is left.
        """
        laws = [*self._permitted(grown)]
        cells, before = dict(grown), {}
        for stage, updates in self._stages():
            before[stage] = dict(cells)
            if stage < Stage.CLOSE and not (again and stage == Stage.TURN):
                cells |= self._updated(cells, updates, {})
        seen = dict(cells)
        closing = [u for u in self.time.updates if u.stage == Stage.CLOSE]
        decisions = self._decisions(seen, {u.cell for u in closing if _decides(u)})
        for name, term in self._updated(cells, closing, decisions).items():
            cells[name] = z3.If(self.is_request, term, cells[name])
        return Taken(seen, cells, before, tuple(laws))

    def _stages(self) -> Iterator[tuple[int, list[ir.Update]]]:
        due = sorted(self.time.updates, key=lambda u: u.stage)
        yield from ((stage, list(own)) for stage, own in groupby(due, lambda u: u.stage))

    def _permitted(self, grown: Terms) -> Iterator[Term]:
        for number, one in enumerate(self.time.samples, ir.FIRST_KIND):
            if one.permit is not None:
                yield z3.Implies(self.kind == number, grown[one.permit] > 0)

    def _updated(
        self, cells: Terms, updates: list[ir.Update], decisions: Mapping[str, Decision]
    ) -> dict[str, Term]:
        """The cells that a stage may change."""
        here = self.encoder.over(cells)
        found: dict[str, Term] = {}
        for update in reversed(updates):
            holds = self._holds(here, update.condition, decisions.get(update.cell))
            old = found.get(update.cell, cells[update.cell])
            found[update.cell] = z3.If(holds, here.integer(update.value), old)
        return found

    def _holds(self, here: Encoder, condition: BoolExpr, decision: Decision | None) -> Term:
        if decision is None or not _speaks(condition):
            return here.condition(condition)
        if (decision.policy.time or self.time).rules_read_clock:
            return with_decision(here, condition, decision)
        denied = with_decision(here, _under_deny(condition), decision)
        return z3.If(self.fault, denied, with_decision(here, condition, decision))

    def _decisions(self, seen: Terms, cells: Iterable[str]) -> dict[str, Decision]:
        """By cell: the decision that its updates read."""
        here = self.encoder.over(seen)
        whose = {cell: self.whose(cell) if self.whose else self.policy for cell in cells}
        made = {
            id(one): Decision(
                here, one.rules, lambda rule: here.condition(rule.condition), policy=one
            )
            for one in whose.values()
        }
        return {cell: made[id(one)] for cell, one in whose.items()}


def own_scopes(time: ir.Time) -> tuple[str, ...]:
    """The scopes with a key."""
    scopes = {cell.scope for cell in time.cells} | {time.key or ir.SHARED}
    return tuple(sorted(scopes - {ir.SHARED}))


def grow(cell: ir.Cell, value: Term, ms: Term) -> Term:
    """A cell after some time."""
    if cell.cap is None:
        return value
    more = value + ms
    grown = z3.If(more > cell.cap, z3.IntVal(cell.cap), more)
    return grown if cell.field.lo >= 0 else z3.If(value >= 0, grown, value)


def _speaks(condition: BoolExpr) -> bool:
    return any(isinstance(atom, ir.DecisionIn) for atom in ir.atoms(condition))


def _decides(update: ir.Update) -> bool:
    return _speaks(update.condition)


def _under_deny(condition: BoolExpr) -> BoolExpr:
    """A condition where the decision is deny."""
    match condition:
        case ir.DecisionIn(effects=effects):
            return ir.BoolConst(Effect.DENY in effects)
        case ir.Not(operand=operand):
            return ir.Not(_under_deny(operand))
        case ir.And(operands=operands):
            return ir.And(tuple(map(_under_deny, operands)))
        case ir.Or(operands=operands):
            return ir.Or(tuple(map(_under_deny, operands)))
        case _:
            return condition
