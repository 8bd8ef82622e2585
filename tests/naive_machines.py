"""A policy over time, read off its syntax tree: what a sample does, by language.md.

In: the tree of a policy and samples as hosts report them.  Out: the outcome of requests, the states of
machines.  Machines, contracts and autonomy are read as they are described, not as they are lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from naive import Fired, Naive, Outcome
from naive_past import ALL, Instance, Past, Sample
from naive_places import Moves
from naive_reading import Reading, ms
from naive_time import TimeReading

from govlang.dsl import ast

LIFE = ("issued", "done", "revoked", "reinstated")
CLOCK_FAULT = Outcome("deny", "clock_fault", (), ())


@dataclass(frozen=True)
class Way:
    """A transition: `after_ms` None if it is not due to time; `first`: it goes before those that are."""

    source: str
    target: str
    possible: Callable[[TimeReading], bool]
    after_ms: int | None = None
    first: bool = False


@dataclass(frozen=True)
class Machine:
    """A machine with its transitions as they are written."""

    name: str
    home: str
    start: str
    ways: tuple[Way, ...]

    def ordered(self) -> list[Way]:
        """What revokes or drops, what is due, the rest."""
        return (
            [way for way in self.ways if way.first]
            + [way for way in self.ways if not way.first and way.after_ms is not None]
            + [way for way in self.ways if not way.first and way.after_ms is None]
        )


class NaiveTime(Naive):
    """One policy and all that has happened to it."""

    def __init__(self, policy: ast.Policy, params: Mapping[str, Any]) -> None:
        self.events: dict[str, ast.EventDecl] = {}
        self.signals: dict[str, ast.SignalDecl] = {}
        self.machines: dict[str, Machine] = {}
        self.life: set[str] = set()
        self.truths: dict[tuple[int, Instance, int], bool] = {}
        self.moved: dict[tuple[str, Instance], Moves] = {}
        super().__init__(policy)
        self.given_params = params
        self.key = next(
            (n for n, f in self.fields.items() if f.type == ast.PlainType(ast.Plain.KEY)), None
        )
        for one in policy.declarations:
            self._remember(one)
        self.reserved = {
            one.field.text for one in everything(policy) if isinstance(one, ast.Reserved)
        }
        self.homes = {name: machine.home for name, machine in self.machines.items()}
        apart = {name.text for name in pers(policy)} | ({self.key} if self.key else set())
        self.past = Past(self.key, apart)
        self.reads_clock = any(
            reads_clock(one.condition, self.lets)
            for one in policy.declarations
            if isinstance(one, ast.Rule) and one.condition is not None
        )

    def _remember(self, one: ast.Declaration) -> None:
        match one:
            case ast.EventDecl(name=name):
                self.events[name.text] = one
            case ast.SignalDecl(name=name):
                self.signals[name.text] = one
            case ast.MachineDecl():
                self.machines[one.name.text] = self._machine(one)
            case ast.ContractDecl():
                self.life |= {f"{one.name.text}.{moment}" for moment in LIFE}
                self.machines[one.name.text] = self._contract(one)
            case ast.AutonomyDecl():
                self.machines["autonomy"] = self._autonomy(one)
            case _:
                pass

    # --- machines --------------------------------------------------------------------------------

    def _machine(self, one: ast.MachineDecl) -> Machine:
        home = one.per.text if one.per else "" if one.shared else self.key or ""
        ways = (
            Way(
                way.source.text,
                way.target.text,
                lambda asked, way=way: (  # type: ignore[misc]  # bound at once
                    (not way.on or happens(asked, way.on))
                    and (way.when is None or asked.holds(way.when))
                ),
                None if way.after is None else ms(way.after),
            )
            for way in one.transitions
        )
        return Machine(one.name.text, home, one.start.text, tuple(ways))

    def _contract(self, one: ast.ContractDecl) -> Machine:
        """none, active, stopped, revoked."""
        name, stop = one.name.text, one.stop or ast.Stop()
        own = {moment: ast.EventRef(one.name, ast.Name(moment)) for moment in LIFE}

        def on(*events: ast.Occurrence) -> Callable[[TimeReading], bool]:
            return lambda asked: happens(asked, events)

        ways = [
            Way(source, "revoked", on(*one.revoke, own["revoked"]), first=True)
            for source in ("none", "active", "stopped")
        ]
        if stop.after is not None:
            ways.append(Way("active", "stopped", lambda _: True, ms(stop.after)))
        if stop.on:
            ways.append(Way("active", "stopped", on(*stop.on)))
        if stop.calls is not None:
            calls = int(stop.calls.value)
            ways.append(Way("active", "stopped", lambda asked: calls <= self._calls(name, asked)))
        ways += [Way(source, "active", on(own["issued"])) for source in ("none", "stopped")]
        ways.append(Way("revoked", "none", on(own["reinstated"])))
        return Machine(name, self.key or "", "none", tuple(ways))

    def _calls(self, contract: str, asked: TimeReading) -> int:
        """How many requests were allowed since the contract was issued."""
        entries = self.moves(contract, asked.context).entries
        last = max(position for position, state in entries if state == "active")
        lived = self.past.lived(asked.context, asked.at)
        decisions = [self.past.samples[j].decision for j, _ in lived if j >= last]
        return sum(decision in ("allow", "limit") for decision in decisions)

    def _autonomy(self, one: ast.AutonomyDecl) -> Machine:
        """Up one level at a sample; down at once, and never up by a drop."""
        names = [level.name.text for level in one.levels]
        ways = []
        for drop in one.drops:
            below = names.index(drop.level.text)
            down = partial(_happens_one_of, drop.on)
            target = drop.level.text
            ways += [Way(source, target, down, first=True) for source in names[below + 1 :]]
        for lower, level in zip(names, one.levels[1:], strict=False):
            ways.append(
                Way(
                    lower,
                    level.name.text,
                    lambda asked, level=level: (  # type: ignore[misc]  # bound at once
                        (level.when is None or asked.holds(level.when))
                        and not any(happens(asked, drop.on) for drop in one.drops)
                    ),
                )
            )
        return Machine("autonomy", self.key or "", names[0], tuple(ways))

    def moves(self, machine: str, instance: Instance) -> Moves:
        """The past of a machine."""
        start = self.machines[machine].start
        return self.moved.setdefault((machine, instance), Moves(start))

    # --- samples ---------------------------------------------------------------------------------

    def report(self, sample: Sample) -> bool:
        """Take in what is no request; whether it was taken."""
        if sample.name is not None and self._lacks(sample):
            return False
        self._step(self.past.take(sample))
        return True

    def _lacks(self, sample: Sample) -> bool:
        """Whether an event needs another before it, of which none is left."""
        declared = self.events.get(sample.name or "")
        if declared is None or declared.after is None:
            return False
        own = self.past.instances(sample)
        instance = ALL if declared.shared else own.get(self.key or "", ALL)
        results = {
            n for n, e in self.events.items() if e.after and e.after.text == declared.after.text
        }
        lived = self.past.lived(instance, len(self.past.samples))
        names = [self.past.samples[j].name for j, _ in lived]
        permits = sum(name == declared.after.text for name in names)
        return permits <= sum(name in results for name in names)

    def commit(self, at_ms: int, given: Mapping[str, Any]) -> Outcome | None:
        """The outcome of a request; None where an assumption is broken, which changes nothing."""
        plain = Reading(self, given, self.given_params)
        if not all(plain.holds(o.condition) for o in self.declarations if is_assumption(o)):
            return None
        at = self.past.take(Sample(at_ms, given=given))
        self._step(at)
        outcome = self.outcome(self.reading(at))
        assert outcome is not None
        if self.past.faults[at] and not self.reads_clock:
            outcome = CLOCK_FAULT
        self.past.samples[at].decision = outcome.decision
        return outcome

    def reading(self, at: int) -> TimeReading:
        """The policy as its rules see it."""
        context = self.past.addresses[at].get(self.key or "", ALL)
        return TimeReading(self, self.given_params, context, at)

    def _step(self, at: int) -> None:
        """All machines that the sample addresses, at once."""
        found = [
            (machine, self.past.addresses[at][machine.home])
            for machine in self.machines.values()
            if machine.home in self.past.addresses[at]
        ]
        taken = [(m, instance, self._taken(m, instance, at)) for m, instance in found]
        for machine, instance, way in taken:
            if way is not None:
                self.moves(machine.name, instance).entries.append((at, way.target))

    def _taken(self, machine: Machine, instance: Instance, at: int) -> Way | None:
        moves = self.moves(machine.name, instance)
        state = moves.state(at - 1)
        asked = TimeReading(self, self.given_params, instance, at, moving=True)
        times = dict(self.past.lived(instance, at))
        entered = moves.entries[-1][0] if moves.entries else min(times)
        for way in machine.ordered():
            due = way.after_ms is None or times[at] - times[entered] >= way.after_ms
            if way.source == state and due and way.possible(asked):
                return way
        return None

    # --- rules -----------------------------------------------------------------------------------

    def _rules(self, asked: Reading) -> Iterator[Fired | None]:
        for one in self.declarations:
            match one:
                case ast.ContractDecl():
                    for name, holds in self._outside(one, asked):
                        if holds:
                            yield Fired(name, -1, "deny", "", (), (), None, (), guard=True)
                case ast.AutonomyDecl():
                    yield from self._allowed(one, asked)
                case _:
                    yield from self._ruled(one, asked)

    def _ruled(self, one: ast.Declaration, asked: Reading) -> Iterator[Fired | None]:
        whole, self.declarations = self.declarations, (one,)
        try:
            yield from super()._rules(asked)
        finally:
            self.declarations = whole

    def _outside(self, one: ast.ContractDecl, asked: Reading) -> Iterator[tuple[str, bool]]:
        name = one.name.text
        yield f"{name}.not_active", asked.named(name) != "active"
        may = {member.text for member in one.may}
        yield f"{name}.outside", asked.named(one.field.text) not in may
        if one.scope is not None:
            yield f"{name}.out_of_scope", not asked.holds(one.scope)
        for need in one.needs:
            yield f"{name}.needs_{need.text}", not asked.named(need.text)

    def _allowed(self, one: ast.AutonomyDecl, asked: Reading) -> Iterator[Fired]:
        names = [level.name.text for level in one.levels]
        reached = names.index(asked.named("autonomy"))
        for number, level in enumerate(one.levels):
            may = {member.text for member in level.may}
            if number <= reached and asked.named(one.field.text) in may:
                name = f"autonomy.{level.name.text}"
                yield Fired(name, len(self.tiers), "allow", "", (), (), None, ())


def happens(asked: TimeReading, events: tuple[ast.Occurrence, ...]) -> bool:
    """Whether one of them is what this sample is."""
    return any(asked.happens(event).holds(asked.at) for event in events)


def _happens_one_of(events: tuple[ast.Occurrence, ...], asked: TimeReading) -> bool:
    return happens(asked, events)


def is_assumption(one: ast.Declaration) -> bool:
    return isinstance(one, ast.AssumeDecl)


def everything(node: Any) -> Iterator[Any]:
    """All nodes of a tree."""
    yield node
    for name in getattr(node, "__dataclass_fields__", ()):
        found = getattr(node, name)
        if name != "span":
            for one in found if isinstance(found, tuple) else (found,):
                yield from everything(one)


def pers(node: Any) -> Iterator[ast.Name]:
    """The fields by which something is kept apart."""
    for name in getattr(node, "__dataclass_fields__", ()):
        found = getattr(node, name)
        if name == "per" and found is not None:
            yield found
        elif name != "span":
            for one in found if isinstance(found, tuple) else (found,):
                yield from pers(one)


def reads_clock(expr: Any, lets: Mapping[str, ast.Expr]) -> bool:
    """Whether an expression reads `clock_fault`."""
    if isinstance(expr, ast.Name):
        named = lets.get(expr.text)
        return expr.text == "clock_fault" or (named is not None and reads_clock(named, lets))
    fields = getattr(expr, "__dataclass_fields__", ())
    found = [getattr(expr, name) for name in fields if name != "span"]
    found += [one for many in found if isinstance(many, tuple) for one in many]
    return any(reads_clock(one, lets) for one in found)
