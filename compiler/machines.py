"""Machines as cells: the state, the time in it, and what is true while one enters a state.

In: machines as declared and the checker of their conditions.  Out: cells and updates of the stage MOVE.

All machines step at once, at most one transition each: of those that are possible the first one in the
order: what is due, then as they are written.  What drops or revokes goes before both: see `sugar.py`.
"""

from __future__ import annotations

from govlang.compiler import ir
from govlang.compiler.fields import lasting, milliseconds
from govlang.compiler.happenings import state_cell, states
from govlang.compiler.ir import BoolExpr, Stage
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.temporal_setting import Setting
from govlang.dsl import ast
from govlang.dsl.expression_text import expression
from govlang.dsl.record import record
from govlang.dsl.source import Span


@record
class Move:
    """A transition: from the place of a state to that of another, when it is possible."""

    source: int
    target: int
    possible: BoolExpr
    span: Span


def moves_of(setting: Setting, machine: ast.MachineDecl) -> tuple[Move, ...]:
    """The transitions by precedence, each checked in the scope of the machine.

    Raises:
        RefusalError: a transition reads what a machine cannot.
    """
    home = setting.occurrences.machine_scope(machine)
    with setting.seen_from(home):
        return tuple(_move(setting, machine, one, home) for one in _ordered(machine))


def add_machine(setting: Setting, machine: ast.MachineDecl, moves: tuple[Move, ...]) -> None:
    """The cells of a machine: its state, the time in it, and for each state that is watched its entry."""
    memory, name = setting.memory, machine.name.text
    home = setting.occurrences.machine_scope(machine)
    updates = [
        ir.Update(Stage.MOVE, name, _taken(name, move), ir.IntConst(move.target)) for move in moves
    ]
    memory.add(ir.Cell(state_cell(machine), home, 0), *updates)
    if any(one.after is not None for one in machine.transitions):
        cap = _cap(setting, machine)
        age = ir.cell_field(_age(name), 0, cap)
        restarts = (
            ir.Update(Stage.MOVE, _age(name), _taken(name, m), ir.IntConst(0)) for m in moves
        )
        memory.add(ir.Cell(age, home, _age_at_start(machine, cap), cap), *restarts)
    for number, state in enumerate(states(machine)):
        brief = f"{name}.enters.{state}"
        if memory.home(brief) is None:
            continue
        into = (  # of several possible moves the first is taken, whichever state it enters
            ir.Update(Stage.MOVE, brief, _taken(name, m), ir.IntConst(int(m.target == number)))
            for m in moves
        )
        memory.add(ir.Cell(ir.cell_field(brief, 0, 1, ir.Kind.BOOL), home, 0, brief=True), *into)


def _cap(setting: Setting, machine: ast.MachineDecl) -> int:
    due = [one.after for one in machine.transitions if one.after is not None]
    return max(milliseconds(one, setting.scope.units) for one in due)


def _age_at_start(machine: ast.MachineDecl, cap: int) -> int:
    """The time in the start state before the first sample.

    Where nothing is due in the start state nobody asks: then the time has stopped, as it has after a while in
    that state, so that a machine that came back to its start is as if it had never left it, and may be forgotten.
    """
    waits = {one.source.text for one in machine.transitions if one.after is not None}
    return 0 if states(machine)[0] in waits else cap


def _age(name: str) -> str:
    return f"{name}.age"


def _taken(name: str, move: Move) -> BoolExpr:
    stands = ir.InRanges(name, ((move.source, move.source),))
    return ir.conjunction((stands, move.possible), move.span)


def _move(setting: Setting, machine: ast.MachineDecl, one: ast.Transition, home: str) -> Move:
    names = states(machine)
    return Move(
        names.index(one.source.text),
        names.index(one.target.text),
        _possible(setting, machine, one, home),
        one.span,
    )


def _ordered(machine: ast.MachineDecl) -> list[ast.Transition]:
    """What is due, then the others as they are written."""
    return sorted(machine.transitions, key=lambda one: one.after is None)


def _possible(
    setting: Setting, machine: ast.MachineDecl, one: ast.Transition, home: str
) -> BoolExpr:
    parts: list[BoolExpr] = []
    if one.on:
        parts.append(ir.disjunction([_happens(setting, event, home) for event in one.on]))
    if one.after is not None:
        due = lasting(one.after, setting.scope.units, "what it waits for: `on EVENT`")
        setting.window(one.after)
        reached = (due, _cap(setting, machine))
        parts.append(ir.InRanges(_age(machine.name.text), (reached,)))
    if one.when is not None:
        condition = setting.checker.inside(one.when)
        parts.append(_known(setting, condition.expr, one.when, home))
    return ir.conjunction(parts, one.span)


def _known(setting: Setting, holds: BoolExpr, when: ast.Expr, home: str) -> BoolExpr:
    """A condition as it is known before machines step."""
    occurrences, memory = setting.occurrences, setting.memory
    occurrences.home_of(holds, home, when.span)
    occurrences.check_moments(holds, home, when.span)
    entries = ir.fields_read(holds) & memory.moments
    if any(memory.stage(name) >= Stage.MOVE for name in entries):
        raise _unknown_yet(when.span)
    return occurrences.kept(holds, occurrences.named(expression(when), home), home)


def _happens(setting: Setting, event: ast.Occurrence, home: str) -> BoolExpr:
    trigger, where = setting.occurrences.trigger(event, home)
    if trigger.stage != Stage.TAKE:
        raise _unknown_yet(event.span)
    if where not in (home, ir.SHARED):
        raise RefusalError(
            "GOV244",
            f"`{shortened(event.span)}` is kept by `{where}`, the machine is not",
            event.span,
            f"write `machine … per {where}`",
        )
    setting.occurrences.check_moments(trigger.condition, home, event.span)
    return trigger.condition


def _unknown_yet(span: Span) -> RefusalError:
    return RefusalError(
        "GOV246",
        f"`{shortened(span)}` is not known when machines step",
        span,
        "a transition happens on an event; of another machine read the state",
    )
