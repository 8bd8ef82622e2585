"""Everything that a policy remembers, once all of it has been read.

In: a checker that has seen every rule, property and `let`.  Out: `ir.Time`, or None for a policy over
single requests.  Machines are lowered here, as rules say which of their states they watch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from govlang.compiler import ir
from govlang.compiler.check import Checker
from govlang.compiler.happenings import ALLOWED, DISPATCHED, Event
from govlang.compiler.ir import ArithOp, Stage
from govlang.compiler.lets import names_in
from govlang.compiler.machines import add_machine, moves_of
from govlang.compiler.refusal import FaultyError, RefusalError, shortened
from govlang.compiler.resolve import unique, unknown
from govlang.dsl import ast
from govlang.dsl.source import Span

PERMITS_MAX: Final = 2**31 - 1


def lower_time(checker: Checker, conditions: Sequence[ast.Expr]) -> ir.Time | None:
    """The cells, their updates and the samples of a policy, given the conditions of its rules; errors are collected."""
    scope, temporal = checker.scope, checker.temporal
    _check_whose(checker)
    _machines(checker)
    samples = tuple(_samples(checker))
    cells, updates = temporal.memory.finish()
    if scope.time.is_empty and not cells and not temporal.reads:
        return None
    _check_key(checker)
    reads = {"gap": ir.GAP_FIELD, "clock_fault": ir.FAULT_FIELD}
    return ir.Time(
        cells,
        updates,
        samples,
        scope.key,
        scope.time.longest_ms,
        tuple(reads[name] for name in temporal.reads),
        any(_reads_clock(condition, scope.lets) for condition in conditions),
    )


def _reads_clock(condition: ast.Expr, lets: Mapping[str, ast.LetDecl]) -> bool:
    """Whether a condition reads `clock_fault`, perhaps by a `let`; those of proofs and machines do not count."""
    waiting, met = [condition], set[str]()
    while waiting:
        for name in names_in(waiting.pop()):
            if name == "clock_fault":
                return True
            if name in lets and name not in met:
                met.add(name)
                waiting.append(lets[name].value)
    return False


def _machines(checker: Checker) -> None:
    """All machines; a transition may watch the entries of others, so all are read before any is made."""
    temporal = checker.temporal
    read = []
    for machine in checker.scope.time.machines.values():
        try:
            read.append((machine, moves_of(temporal, machine)))
        except RefusalError as refusal:
            checker.found.add(refusal.diagnostic)
        except FaultyError:
            pass
    for machine, moves in read:
        add_machine(temporal, machine, moves)


def _check_key(checker: Checker) -> None:
    """Refuse a key that a request may lack: nothing would say whose state it reads."""
    scope = checker.scope
    key = None if scope.key is None else scope.fields[scope.key]
    if key is not None and key.optional:
        checker.found.error(
            "GOV244",
            f"the key `{key.name}` is optional, so a request without it has no state to read",
            key.span,
            help="remove `optional`",
        )


def _check_whose(checker: Checker) -> None:
    """Refuse contracts and autonomies that are not for the key, and levels that make no sense."""
    scope, found = checker.scope, checker.found
    autonomy = scope.time.autonomy
    whose: list[ast.ContractDecl | ast.AutonomyDecl] = [*scope.time.contracts.values()]
    for one in whose if autonomy is None else (*whose, autonomy):
        if one.key.text != scope.key:
            found.error(
                "GOV244",
                f"`{one.key.text}` is not the key, by which state is kept",
                one.key.span,
                help=f"write `for {scope.key}`" if scope.key else f"declare `{one.key.text} : key`",
            )
    for contract in scope.time.contracts.values():
        _check_calls(checker, contract)
    if autonomy is not None:
        names: dict[str, Span] = {}
        for level in autonomy.levels:
            unique(level.name, names, "level", found)
        for drop in autonomy.drops:
            if drop.level.text not in names:
                found.add(unknown("level", drop.level, names).diagnostic)


def _check_calls(checker: Checker, contract: ast.ContractDecl) -> None:
    """Refuse a contract that ends before its first call, or within one."""
    calls = None if contract.stop is None else contract.stop.calls
    if calls is not None and (calls.value < 1 or calls.value % 1 != 0):
        checker.found.error(
            "GOV247",
            f"`{shortened(calls.span)}` is no number of calls",
            calls.span,
            help="write a whole number from 1 up: `stop after 200 calls`",
        )


def _samples(checker: Checker) -> Iterator[ir.SampleType]:
    """What hosts report, in the order of their numbers."""
    scope, temporal = checker.scope, checker.temporal
    for event in scope.time.events.values():
        scope.kind_of(event.name)
        if event.after is not None:
            scope.kind_of(event.after.text)
    for signal in scope.time.signals.values():
        scope.kind_of(signal.name)
        temporal.signal(signal)
    for name in scope.time.met:
        kept = scope.time.signals.get(name)
        if kept is not None:
            kind = ir.SampleKind.SIGNAL
            yield ir.SampleType(name, kind, kept.shared, (kept.column,), None, kept.span)
            continue
        event = scope.time.events.get(name, Event(name))
        columns = tuple(event.fields.values())
        permit = _permit(checker, event)
        yield ir.SampleType(name, ir.SampleKind.EVENT, event.shared, columns, permit, event.span)


def _permit(checker: Checker, event: Event) -> str | None:
    """The cell that counts how many of an event may still come; None if it needs none before it."""
    if event.after is None or not _can_follow(checker, event, event.after):
        return None
    scope, before = checker.scope, event.after.text
    results = [one for one in scope.time.events.values() if one.after and one.after.text == before]
    home = ir.SHARED if event.shared else scope.key or ir.SHARED
    return _permits(checker, before, [one.name for one in results], home)


def _can_follow(checker: Checker, event: Event, after: ast.Name) -> bool:
    """Whether an event can come after another; what is wrong with it is reported."""
    scope = checker.scope
    if not scope.is_event(after.text) or after.text == ALLOWED:
        known = (*scope.time.events, DISPATCHED)
        checker.found.add(unknown("event", after, known).diagnostic)
        return False
    if event.shared == scope.time.events.get(after.text, Event(after.text)).shared:
        return True
    checker.found.error(
        "GOV244",
        f"of `{event.name}` and `{after.text}` one is shared, so the one cannot permit the other",
        after.span,
        help="write `shared` before both or before none",
    )
    return False


def _permits(checker: Checker, before: str, results: Sequence[str], home: str) -> str:
    """The cell: one more with each event before, one less with each result."""
    sampled = checker.temporal.occurrences.sampled
    name = f"{before} without a result"
    here, one = ir.FieldValue(name), ir.IntConst(1)
    more = ir.Arith(ArithOp.LEAST, ir.Arith(ArithOp.ADD, here, one), ir.IntConst(PERMITS_MAX))
    some = ir.InRanges(name, ((1, PERMITS_MAX),))
    less = ir.Arith(ArithOp.SUB, here, one)
    return checker.temporal.memory.add(
        ir.Cell(ir.cell_field(name, 0, PERMITS_MAX), home, 0),
        ir.Update(Stage.TAKE, name, sampled(before), more),
        *(
            ir.Update(Stage.TAKE, name, ir.conjunction((sampled(result), some)), less)
            for result in results
        ),
    )
