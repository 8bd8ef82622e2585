"""Work in flight: `reserved(x)` as two cells, three events and a field of the runtime.

In: the declarations, to see which fields are reserved; later `reserved(x)` itself.  Out: in the scope the events
`reserved`, `settled` and `released`, which carry an amount of each such field, and the runtime field `reserved_x`,
what the very job that is asked about has reserved already; later the number.

What always holds: 0 <= what is reserved; a request that is allowed takes the place of its own reservation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.happenings import RELEASED, RESERVED, SETTLED, Event
from govlang.compiler.ir import ArithOp, Effect, IntExpr, Stage
from govlang.compiler.literals import unit_and_step
from govlang.compiler.monitors_panes import SUM_MAX
from govlang.compiler.occurrences import IS_REQUEST
from govlang.compiler.refusal import FaultyError, RefusalError
from govlang.compiler.resolve import Scope, unknown
from govlang.compiler.temporal_setting import Setting
from govlang.compiler.types import Quantity
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics

EVENTS: Final = (RESERVED, SETTLED, RELEASED)
KINDS: Final = (ir.Kind.NUMBER, ir.Kind.DURATION)


def own_field(name: str) -> str:
    """The runtime field of what a job has reserved of a field."""
    return f"{RESERVED}_{name}"


# --- names ---------------------------------------------------------------------------------------


def reserved_names(declarations: Iterable[ast.Declaration]) -> dict[str, ast.Name]:
    """The fields of which `reserved(x)` is read, each with its first place."""
    found: dict[str, ast.Name] = {}
    for declaration in declarations:
        for name in _read_in(declaration):
            found.setdefault(name.text, name)
    return found


def _read_in(node: Any) -> Iterator[ast.Name]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Reserved):
            yield one.field
        elif isinstance(one, tuple):
            waiting += reversed(one)
        else:
            names = getattr(one, "__dataclass_fields__", ())
            waiting += [getattr(one, name) for name in reversed([*names]) if name != "span"]


def enter_reservations(
    scope: Scope, declarations: Iterable[ast.Declaration], found: Diagnostics
) -> None:
    """Enter the events and the fields; what cannot be reserved is reported."""
    held: dict[str, ir.Field] = {}
    names = reserved_names(declarations)
    for text, name in names.items():
        own = own_field(text)
        try:
            held[text] = _amount(scope, name)
            _check_free(scope, name, (*EVENTS, own))
        except RefusalError as refusal:
            found.add(refusal.diagnostic)
            scope.faulty.add(own)
        except FaultyError:
            scope.faulty.add(own)
    if scope.faulty.intersection(map(own_field, names)):
        return
    for event in EVENTS if held else ():
        columns = {
            text: replace(one, name=f"${event}.{text}", origin=ir.Origin.SAMPLE)
            for text, one in held.items()
        }
        scope.time.events[event] = Event(event, columns, shared=scope.key is None)
    for text, one in held.items():
        own = own_field(text)
        scope.fields[own] = replace(one, name=own, origin=ir.Origin.RUNTIME, optional=True)
    scope.time.reserved |= held


def _amount(scope: Scope, name: ast.Name) -> ir.Field:
    """An amount of a field, from none up.

    Raises:
        RefusalError: there is no such field (GOV201), or it is nothing that adds up (GOV248).
        FaultyError: its declaration was refused.
    """
    if name.text in scope.faulty:
        raise FaultyError
    field = scope.fields.get(name.text)
    if field is None:
        raise unknown("field of a request", name, scope.fields)
    if field.kind not in KINDS or field.lo < 0 or field.optional:
        raise RefusalError(
            "GOV248",
            f"`{name.text}` is no number from 0 up that every request carries",
            name.span,
            "reserve a number whose range begins at 0 or above",
        )
    return replace(field, lo=0, private=False)


def _check_free(scope: Scope, reader: ast.Name, names: Iterable[str]) -> None:
    """Refuse to give a name to two things (GOV203)."""
    for name in names:
        if name in {*scope.names(), *scope.outputs}:
            raise RefusalError(
                "GOV203",
                f"`{name}` is declared, and built in where `reserved({reader.text})` is read",
                reader.span,
                f"give the `{name}` that is declared another name",
            )


# --- cells ---------------------------------------------------------------------------------------


def reserved(setting: Setting, name: ast.Name) -> Quantity:
    """What the work in flight of a key has reserved, but for the very job that is asked about.

    Raises:
        FaultyError: the field cannot be reserved, which has been reported.
    """
    field = setting.scope.time.reserved.get(name.text)
    if field is None:
        raise FaultyError
    kept, own = f"reserved({field.name})", f"reserved({field.name}) by this job"
    _add_own(setting, field, own)
    _add_kept(setting, field, kept, own)
    unit, step = unit_and_step(field, setting.scope.units)
    return Quantity(_others(kept, own), (0, SUM_MAX), step, unit)


def _others(kept: str, own: str) -> IntExpr:
    return _less(ir.FieldValue(kept), ir.FieldValue(own))


def _add_own(setting: Setting, field: ir.Field, own: str) -> None:
    """What the request says that it has reserved itself; a sample that is no request has none."""
    told = own_field(field.name)
    asked = ir.conjunction((IS_REQUEST, ir.Has(told)))
    setting.memory.add(
        ir.Cell(ir.cell_field(own, 0, field.hi), _home(setting), 0, brief=True),
        ir.Update(Stage.TAKE, own, asked, ir.FieldValue(told)),
    )


def _add_kept(setting: Setting, field: ir.Field, kept: str, own: str) -> None:
    """What is reserved; a request that is allowed takes the place of its own reservation."""
    here, sampled = ir.FieldValue(kept), setting.occurrences.sampled
    caused = ir.DecisionIn(frozenset((Effect.ALLOW, Effect.LIMIT)))

    def amount(event: str) -> IntExpr:
        return ir.FieldValue(f"${event}.{field.name}")

    setting.memory.add(
        ir.Cell(ir.cell_field(kept, 0, SUM_MAX), _home(setting), 0),
        ir.Update(Stage.TAKE, kept, sampled(RESERVED), _more(here, amount(RESERVED))),
        ir.Update(Stage.TAKE, kept, sampled(SETTLED), _less(here, amount(SETTLED))),
        ir.Update(Stage.TAKE, kept, sampled(RELEASED), _less(here, amount(RELEASED))),
        ir.Update(Stage.CLOSE, kept, caused, _more(_others(kept, own), ir.FieldValue(field.name))),
    )


def _home(setting: Setting) -> str:
    return setting.scope.key or ir.SHARED


def _more(here: IntExpr, amount: IntExpr) -> IntExpr:
    """With an amount more, up to what the cell holds."""
    return ir.Arith(ArithOp.LEAST, ir.Arith(ArithOp.ADD, here, amount), ir.IntConst(SUM_MAX))


def _less(here: IntExpr, amount: IntExpr) -> IntExpr:
    """With an amount less, down to none."""
    return ir.Arith(ArithOp.SUB, here, ir.Arith(ArithOp.LEAST, here, amount))
