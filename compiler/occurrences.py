"""Names of what happens as triggers of cells, and conditions as triggers.

In: an event, `enters M.s`, or a checked condition.  Out: a `Trigger` with the scope of the cells that it
moves.

What always holds: cells of a scope are moved only by samples that address it; a condition on request
fields is looked at when a request comes and keeps its truth at other samples (before the first: false).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from govlang.compiler import ir
from govlang.compiler.happenings import ALLOWED, DISPATCHED, Event, states
from govlang.compiler.ir import BoolExpr, Effect, Stage
from govlang.compiler.meanings import Moment
from govlang.compiler.monitors import Memory, Trigger
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import Scope, unknown
from govlang.dsl import ast
from govlang.dsl.source import NO_SPAN, Span

IS_REQUEST = ir.InRanges(ir.SAMPLE, ((ir.REQUEST, ir.REQUEST),))


@dataclass(slots=True)
class Occurrences:
    """Triggers in the scope of a policy's names, with the cells that they need."""

    scope: Scope
    memory: Memory

    # --- events ----------------------------------------------------------------------------------

    def trigger(self, what: ast.Occurrence | ast.Name, context: str) -> tuple[Trigger, str]:
        """When it happens, and the scope in which that is kept, seen from a scope.

        Raises:
            RefusalError: nothing of that name happens (GOV201), or not by that field (GOV244).
        """
        match what:
            case ast.Enters(machine=machine, state=state):
                return self._enters(machine, state)
            case ast.Name():
                return self._event(what, what.text, None, context)
            case ast.EventRef(name=name, member=member, per=per):
                text = name.text if member is None else f"{name.text}.{member.text}"
                return self._event(name, text, per, context)

    def event(self, name: ast.Name, text: str) -> Event:
        """The event of a name; the built-in ones need no declaration.

        Raises:
            RefusalError: nothing of that name happens (GOV201).
        """
        found = self.scope.time.events.get(text)
        if found is not None:
            return found
        if text in (ALLOWED, DISPATCHED):
            return Event(text)
        whole = ast.Name(text, name.span)
        raise unknown("event", whole, (*self.scope.time.events, ALLOWED, DISPATCHED))

    def _event(
        self, name: ast.Name, text: str, per: ast.Name | None, context: str
    ) -> tuple[Trigger, str]:
        event = self.event(name, text)
        home = self._home(event, per, context)
        called = text if home == ir.SHARED and event.shared else self.named(text, home)
        if text == ALLOWED:
            condition: BoolExpr = ir.DecisionIn(frozenset((Effect.ALLOW, Effect.LIMIT)))
            return Trigger(called, Stage.CLOSE, condition), home
        return Trigger(called, Stage.TAKE, self.sampled(text)), home

    def _home(self, event: Event, per: ast.Name | None, context: str) -> str:
        if per is None:
            home = ir.SHARED if event.shared else context
            if home not in (ir.SHARED, self.scope.key):
                self._check_carried(event, home, event.span or NO_SPAN)
            return home
        if per.text == self.scope.key and not event.shared:
            return per.text
        self._check_kept_by(per)
        self._check_carried(event, per.text, per.span)
        return per.text

    def _check_kept_by(self, per: ast.Name) -> None:
        """Refuse `per F` unless every request says which F is meant."""
        asked = self.scope.fields.get(per.text)
        if asked is None or not asked.is_text or asked.optional:
            raise RefusalError(
                "GOV244",
                f"`per {per.text}` needs a text or key field of that name in `input` that is always there",
                per.span,
                f"declare `{per.text} : text` in `input`",
            )

    def _check_carried(self, event: Event, per: str, span: Span) -> None:
        """Refuse an event that does not say to whom of a scope it happens."""
        carried = event.fields.get(per)
        if event.name != ALLOWED and (carried is None or not carried.is_text):
            kind = self.scope.fields[per].kind.value
            raise RefusalError(
                "GOV244",
                f"the event `{event.name}` carries no `{per}`",
                span,
                f"declare it: `event {event.name} {{ {per} : {kind} }}`",
            )

    def sampled(self, name: str) -> BoolExpr:
        """This sample is that event or signal."""
        number = self.scope.kind_of(name)
        return ir.InRanges(ir.SAMPLE, ((number, number),))

    def named(self, text: str, home: str) -> str:
        """What is kept in a scope; INVARIANT: the same text in two scopes has two names."""
        if home == (self.scope.key or ir.SHARED):
            return text
        return f"{text} of all" if home == ir.SHARED else f"{text} per {home}"

    # --- machines --------------------------------------------------------------------------------

    def _enters(self, machine: ast.Name, state: ast.Name) -> tuple[Trigger, str]:
        declared = self.scope.time.machines.get(machine.text)
        if declared is None:
            raise unknown("machine", machine, self.scope.time.machines)
        if state.text not in states(declared):
            raise unknown("state", state, states(declared))
        home = self.machine_scope(declared)
        name = f"{machine.text}.enters.{state.text}"
        self.memory.expect(name, Stage.MOVE, home)
        self.memory.moments.add(name)
        self.memory.meanings[name] = Moment()
        return Trigger(name, Stage.LOOK, ir.InRanges(name, ((1, 1),))), home

    def machine_scope(self, machine: ast.MachineDecl) -> str:
        """Where the state of a machine is kept."""
        if machine.shared:
            return ir.SHARED
        if machine.per is None:
            return self.scope.key or ir.SHARED
        if machine.per.text != self.scope.key:
            self._check_kept_by(machine.per)
        return machine.per.text

    # --- conditions ------------------------------------------------------------------------------

    def condition(
        self, holds: BoolExpr, text: str, context: str, span: Span
    ) -> tuple[Trigger, str]:
        """When a condition holds, looked at once it can be known at a sample.

        Raises:
            RefusalError: operators stand too deep in each other, or it reads what is kept elsewhere.
        """
        home = self.home_of(holds, context, span)
        self.check_moments(holds, home, span)
        called = self.named(text, home)
        held = self.kept(holds, called, home)
        return Trigger(called, self._stage(held, span), held), home

    def home_of(self, holds: BoolExpr, context: str, span: Span) -> str:
        """The scope of a condition: shared if all that it reads is, else that of its context.

        Raises:
            RefusalError: it reads what is kept elsewhere (GOV244).
        """
        names = ir.fields_read(holds)
        if ir.GAP in names and context != (self.scope.key or ir.SHARED):
            raise RefusalError(
                "GOV244",
                f"`{shortened(span)}` reads `gap`, which is that of the key",
                span,
                "read it in a rule, or in a machine of the key",
            )
        homes: set[str | None] = {self._home_of_column(name) for name in names - {ir.SAMPLE}}
        homes |= {ir.SHARED if event.shared else None for event in self._events_in(holds)}
        others = homes - {ir.SHARED, context, None}
        if others:
            raise RefusalError(
                "GOV244",
                f"`{shortened(span)}` reads what is kept by `{next(iter(others))}`",
                span,
                "write the operator in a rule, where the request says which one is meant",
            )
        return ir.SHARED if homes == {ir.SHARED} else context

    def _home_of_column(self, name: str) -> str | None:
        """The scope of a cell; None for what a sample of any scope brings."""
        home = self.memory.home(name)
        if home is not None:
            return home
        signal = self.scope.time.signals.get(name.removeprefix("$"))
        return ir.SHARED if signal is not None and signal.shared else None

    def _events_in(self, holds: BoolExpr) -> Iterator[Event]:
        """The events and signals of which a condition asks whether they are this sample."""
        for atom in ir.atoms(holds):
            if not isinstance(atom, ir.InRanges) or atom.name != ir.SAMPLE:
                continue
            for number in (lo for lo, _ in atom.ranges if lo >= ir.FIRST_KIND):
                name = self.scope.time.met[number - ir.FIRST_KIND]
                yield self.scope.time.events.get(name, Event(name))

    def check_moments(self, holds: BoolExpr, home: str, span: Span) -> None:
        """Refuse what happens to all where only the samples of a key are looked at.

        Raises:
            RefusalError: the condition would never see it (GOV244).
        """
        if home == ir.SHARED:
            return
        names = ir.fields_read(holds) & self.memory.moments
        shared = any(self.memory.home(name) == ir.SHARED for name in names)
        if shared or any(event.shared for event in self._events_in(holds)):
            raise RefusalError(
                "GOV244",
                f"`{shortened(span)}` asks for what happens to all at the samples of one `{home}`",
                span,
                "ask how long ago it was: `alarm within 1 min`, or make the machine `shared`",
            )

    def kept(self, holds: BoolExpr, text: str, home: str, *, wanted: bool = True) -> BoolExpr:
        """The condition (or its contrary) with what is about request fields kept between requests.

        Before the first request neither a test on its fields nor the contrary of the test holds.
        """
        match holds:
            case ir.BoolConst():
                return holds if wanted else ir.negation(holds)
            case ir.Not(operand=operand) if not self._is_asked(holds):
                return self.kept(operand, text, home, wanted=not wanted)
            case ir.And(operands=operands) | ir.Or(operands=operands) if not self._is_asked(holds):
                parts = [
                    self.kept(one, f"{text}, {i}", home, wanted=wanted)
                    for i, one in enumerate(operands, 1)
                ]
                every = isinstance(holds, ir.And) == wanted
                return (ir.conjunction if every else ir.disjunction)(parts, holds.span)
            case _:
                own = holds if wanted else ir.negation(holds, holds.span)
                return self._asked(own, text if wanted else f"not {text}", home)

    @property
    def _fields(self) -> frozenset[str]:
        """The columns that a request brings."""
        return frozenset((*self.scope.fields, ir.APPROVED))

    def _is_asked(self, holds: BoolExpr) -> bool:
        """Whether every test in it is about a request and nothing else."""
        atoms = list(ir.atoms(holds))
        return bool(atoms) and all(
            read and read <= self._fields for read in map(ir.fields_read, atoms)
        )

    def _asked(self, holds: BoolExpr, text: str, home: str) -> BoolExpr:
        """A test as it was at the last request, if it is about one; false where a value was lacking."""
        read = ir.fields_read(holds)
        asked = read & self._fields
        lacking = self.memory.lacking if asked else self.memory.unasked
        seen = sorted({lacking[name] for name in read if name in lacking})
        there = (ir.InRanges(name, ((1, 1),)) for name in seen)
        whole = ir.conjunction((*there, holds), holds.span)
        return self._held(whole, text, home) if asked else whole

    def _held(self, holds: BoolExpr, text: str, home: str) -> BoolExpr:
        name = f"{text}, as last asked"
        stage = self._stage(holds, holds.span or NO_SPAN)
        last = ir.InRanges(name, ((1, 1),))
        self.memory.add(
            ir.Cell(ir.cell_field(name, 0, 1, ir.Kind.BOOL), home, 0),
            ir.Update(stage, name, ir.conjunction((IS_REQUEST, holds)), ir.IntConst(1)),
            ir.Update(stage, name, IS_REQUEST, ir.IntConst(0)),
        )
        return ir.disjunction(
            (
                ir.conjunction((IS_REQUEST, holds)),
                ir.conjunction((ir.negation(IS_REQUEST), last)),
            )
        )

    def _stage(self, holds: BoolExpr, span: Span) -> int:
        """The first stage in which everything that it reads is known."""
        last = max((self.memory.stage(name) for name in ir.fields_read(holds)), default=Stage.TAKE)
        base = Stage.LOOK if last >= Stage.MOVE else Stage.HOLD
        stage = base if last < base else last + 1
        if stage - base >= ir.LEVELS_MAX:
            raise RefusalError(
                "GOV245",
                f"`{shortened(span)}` stands in more than {ir.LEVELS_MAX} operators over time",
                span,
                "give the inner one a `machine` of its own",
            )
        return stage
