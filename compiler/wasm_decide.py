"""`decide` of a policy: a `program.Program`, statement by statement, as WebAssembly.

In: a program and the numbers of the globals.  Out: a function without parameters that returns 0, or
−1 where the step was refused; of a policy over time one that is given the kind of a sample and whether it
writes, and has more answers.

What always holds: every branch goes forward; the outcome's cells are written once on every way; a
local is 0 before it is set, so that a slot which starts at 0 costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import dropwhile, takewhile
from typing import Final, TypeGuard, assert_never

from govlang.compiler.ir import CompareOp
from govlang.compiler.program import (
    KIND,
    STATE_HOMES,
    Both,
    Compare,
    Condition,
    Decide,
    End,
    Gather,
    Keep,
    Let,
    Load,
    Mark,
    Negation,
    Number,
    Program,
    Read,
    Refuse,
    Slot,
    Start,
    Statement,
    Store,
    Switch,
    Truth,
    Value,
    Variable,
    Way,
    When,
)
from govlang.compiler.program_walk import computes, condition_reads, value_reads
from govlang.compiler.wasm_binary import Function
from govlang.compiler.wasm_code import Code, Label, Place
from govlang.compiler.wasm_reach import Reach, domains
from govlang.compiler.wasm_switch import branch_by_value
from govlang.compiler.wasm_values import Expressions, cost_of

Part = tuple[tuple[int, ...], tuple[Statement, ...]]

CULPRIT: Final = "out.invalid"

_CHEAP: Final = 10
"""Instructions up to which a value is worked out rather than jumped over."""

_KIND, _KEEP = 0, 1  # the parameters of a step over time

_APART: Final = 6
"""Cells up to which a refused step stores its outcome apart: a few bytes more, and valid ones meet nobody."""

NOT_REFUSED: Final = -1
"""What `out.invalid` holds where a step was not refused."""


def decide_function(program: Program, number: Mapping[str, int]) -> Function:
    """The function; `number` has the globals by the names of docs/edge.md."""
    return function_of(program, number, "decide", ("decide", "commit"))


def function_of(
    program: Program, number: Mapping[str, int], name: str, exports: tuple[str, ...]
) -> Function:
    """A function that does what a program says; it has parameters where the program takes samples."""
    step = _Step(program, number)
    step.write()
    code = step.code
    return Function(name, exports, code.params, tuple(code.locals), code.finished())


class _Step:
    """The code of a step while it is written."""

    def __init__(self, program: Program, number: Mapping[str, int]) -> None:
        self.program = program
        self.number = number
        self.code = Code(params=2 if program.timed else 0)
        self.places = {
            one.slot: Place(number[one.variable.name], one.slot.width, is_global=True)
            for one in program.body
            if _stands(one, timed=program.timed)
        }
        if program.timed:
            self.places[KIND] = Place(_KIND, 32)
        narrow = sorted(program.slots, key=lambda slot: slot.width)  # stable: locals form two runs
        for slot in narrow:
            if slot not in self.places:
                self.places[slot] = Place(self.code.new_local(slot.width), slot.width)
        reach = Reach(domains(program.body))
        self.expressions = Expressions(self.code, self.places, reach)
        self.loaded: dict[int, Slot] = {}
        self.known = dict.fromkeys(program.slots, 0)
        """What slots surely hold: a local is 0 before it is set."""
        self.answers = sorted(_answers(program.body))
        self.answer = 0
        """What the local of the answer holds here, which is there where there are several."""

    def write(self) -> None:
        """The whole function but its last `end`."""
        body = self.program.body
        if not any(isinstance(one, Load | Refuse) for one in body):
            self._statements(body)
            self.code.const(0)
            return
        stores = len(list(takewhile(_is_plain_store, reversed(body))))
        gathering = list(dropwhile(lambda one: isinstance(one, Load | Refuse), body))
        # A valid request that is refused goes its own way: the proof looks at one way at a time.
        alone = not any(isinstance(one, Load) for one in gathering) and not any(
            isinstance(one, Refuse) for one in body
        )
        many = len(self.program.cells) > _APART
        if many and self.program.refused and alone and stores == len(self.program.cells):
            self._with_common_stores(body[:-stores], body[-stores:])
        else:
            self._with_own_stores(body)

    def _with_own_stores(self, body: Sequence[Statement]) -> None:
        """A refused step stores its outcome apart."""
        code = self.code
        if len(self.answers) > 1:
            self.local = code.new_local(32)
        with code.block(result=32) as self.refused:
            self._statements(body)
            code.const(0)
            code.op("return")
        if self.program.silent:
            code.op("drop")
        else:
            code.op("global.set", self.number[CULPRIT])
            for cell in self.program.cells:
                if cell.name != CULPRIT:
                    code.const(cell.neutral, cell.width)
                    code.op("global.set", self.number[cell.name])
        if len(self.answers) > 1:
            code.get(self.local)
        else:
            code.const(self.answers[0])

    def _with_common_stores(self, body: Sequence[Statement], stores: Sequence[Statement]) -> None:
        """A refused step comes to the stores with slots that give its outcome.

        It has a block of its own, so that an engine keeps the slots' first values off the way of others.
        """
        code = self.code
        for slot, value in self.program.refused:
            self._statement(Start(slot, Number(value, slot.width)))
        with code.block(result=32) as ready, code.block(result=32) as self.refused:
            self._statements(body)
            code.const(NOT_REFUSED)
            code.branch("br", ready)
        which = code.new_local(32)
        code.tee(which)
        code.op("global.set", self.number[CULPRIT])
        for one in stores:
            if isinstance(one, Store) and one.cell.name != CULPRIT:
                self._statement(one)
        code.get(which)  # from here on: its sign, the other way round
        code.const(NOT_REFUSED)
        code.op("i32.xor")
        code.const(31)
        code.op("i32.shr_s")

    refused: Label
    local: int

    # --- statements -----------------------------------------------------------------------------

    def _statements(self, statements: Sequence[Statement]) -> None:
        for one in statements:
            self._statement(one)

    def _statement(self, one: Statement) -> None:
        match one:
            case Load():
                self._answering(one.answer)
                self._load(one)
            case Refuse(condition=condition, number=number):
                self._answering(one.answer)
                self.code.const(number)
                self.expressions.condition(condition)
                self._refuse()
            case End(condition=condition):
                self._answering(0)
                self.code.const(NOT_REFUSED)
                self.expressions.condition(condition)
                self._refuse()
            case Let(slot=slot, value=value):
                self.expressions.value(value, slot.width)
                self._set(slot)
            case Keep(condition=condition, stores=stores):
                self._keep(condition, stores)
            case Start(slot=slot, value=value):
                if not isinstance(value, Number):
                    self.expressions.value(value, slot.width)
                    self._set(slot)
                elif self.known.get(slot) != value.value:
                    self.code.const(value.value, slot.width)
                    self._set(slot)
                    self.known[slot] = value.value
            case Decide(slot=slot, condition=condition):
                self.expressions.condition(condition, strict=True)
                self._set(slot)
            case Gather(slot=slot, condition=condition, value=value, way=way):
                self._gather(slot, condition, value, way)
            case Mark(slot=slot, condition=condition, mask=mask):
                self._mark(slot, condition, mask)
            case When(condition=condition, then=then, otherwise=otherwise):
                self._when(condition, then, otherwise)
            case Switch(slot=slot, parts=parts):
                self._switch(slot, [(values, part) for values, part in parts if part])
            case Store(cell=cell, value=value):
                self.expressions.value(value, cell.width)
                self.code.op("global.set", self.number[cell.name])
            case _:
                assert_never(one)

    def _set(self, slot: Slot) -> None:
        self.code.set(self.places[slot].number)
        self.known.pop(slot, None)

    def _refuse(self) -> None:
        """The number below the condition on top leaves with the branch."""
        self.code.branch("br_if", self.refused)
        self.code.op("drop")

    def _answering(self, answer: int) -> None:
        """From here on a refused step has this answer."""
        if len(self.answers) > 1 and answer != self.answer:
            self.code.const(answer)
            self.code.set(self.local)
            self.answer = answer

    def _load(self, load: Load) -> None:
        """Read a variable, or what it is read as if it does not count, and check its domain."""
        code, slot, variable = self.code, load.slot, load.variable
        width, span = variable.width, variable.hi - variable.lo
        self.loaded[load.number] = slot
        checked = span < (1 << width) - 1
        if checked:
            code.const(load.number)
        flags = [self.loaded[has] for has in variable.has]
        flags += [] if load.asked is None else [load.asked]
        if not self.places[slot].is_global:
            code.op("global.get", self.number[variable.name])
            if flags:
                code.const(variable.absent, width)
                for i, flag in enumerate(flags):
                    code.push(self.places[flag])
                    if i:
                        code.op("i32.and")
                code.op("select")
            self._set(slot)
        if checked:
            code.push(self.places[slot])
            if variable.lo:
                code.const(variable.lo, width)
                code.op(f"i{width}.sub")
            code.const(span, width)
            code.op(f"i{width}.gt_u")
            for value in variable.beside:
                code.push(self.places[slot])
                code.const(value, width)
                code.op(f"i{width}.ne")
                code.op("i32.and")
            self._refuse()

    def _keep(self, condition: Condition, stores: Sequence[tuple[Variable, Value]]) -> None:
        """The state gets values, where the step writes."""
        code = self.code
        code.get(_KEEP)
        if condition != Truth(True):
            self.expressions.condition(condition, strict=True)
            code.op("i32.and")
        with code.block("if"):
            for variable, value in stores:
                self.expressions.value(value, variable.width)
                code.op("global.set", self.number[variable.name])

    # --- gathering ------------------------------------------------------------------------------

    def _gather(self, slot: Slot, condition: Condition, value: Value, way: Way) -> None:
        """A `select` keeps the new value or the old one; a value that costs much is jumped over."""
        code = self.code
        alone = condition == Truth(True) or cost_of(value) == 1
        if not alone and (way is not Way.LAST or cost_of(value) > _CHEAP):
            self.expressions.condition(condition)
            with code.block("if"):
                self._gather(slot, Truth(True), value, way)
            return
        if way is not Way.LAST and cost_of(value) > 1:
            self.expressions.value(value, slot.width)
            self._better(slot, way)
        else:
            self._select(slot, _when_better(slot, condition, value, way), value)
        self._set(slot)

    def _select(self, slot: Slot, condition: Condition, value: Value) -> None:
        """The value where the condition holds, else what the slot holds."""
        code, local = self.code, self.places[slot].number
        if condition == Truth(True):
            self.expressions.value(value, slot.width)
            return
        chained = slot not in (*condition_reads(condition), *value_reads(value))
        if chained and code.ends_with_set(local):
            code.take_back(local)
            self.expressions.value(value, slot.width)
            self.expressions.condition(condition, negate=True)
        else:
            self.expressions.value(value, slot.width)
            code.get(local)
            self.expressions.condition(condition)
        code.op("select")

    def _better(self, slot: Slot, way: Way) -> None:
        """The better one of what is on top and what the slot holds."""
        code, local = self.code, self.places[slot].number
        with self.expressions.scratch(slot.width) as found:
            code.tee(found)
            code.get(local)
            code.get(found)
            code.get(local)
            code.op(f"i{slot.width}.{'lt_s' if way is Way.LEAST else 'gt_s'}")
            code.op("select")

    def _mark(self, slot: Slot, condition: Condition, mask: int) -> None:
        code = self.code
        fresh = self.known.get(slot) == 0
        if not fresh and slot not in condition_reads(condition):
            code.take(self.places[slot].number)
        elif not fresh:
            code.push(self.places[slot])
        self._bits(slot.width, condition, mask)
        if not fresh:
            code.op(f"i{slot.width}.or")
        self._set(slot)

    def _bits(self, width: int, condition: Condition, mask: int) -> None:
        """`mask` where the condition holds, else 0."""
        code = self.code
        if condition == Truth(True):
            code.const(mask, width)
        elif mask.bit_count() > 1:
            code.const(mask, width)
            code.const(0, width)
            self.expressions.condition(condition)
            code.op("select")
        else:
            self.expressions.condition(condition, strict=True)
            if width == 64:
                code.op("i64.extend_i32_u")
            if mask > 1:
                code.const(mask.bit_length() - 1, width)
                code.op(f"i{width}.shl")

    # --- ways -----------------------------------------------------------------------------------

    def _when(
        self, condition: Condition, then: Sequence[Statement], otherwise: Sequence[Statement]
    ) -> None:
        if not then:
            condition, then, otherwise = Negation(condition), otherwise, then
        if not then:
            return
        self.expressions.condition(condition)
        before = dict(self.known)
        with self.code.block("if"):
            self._statements(then)
            if otherwise:
                self.code.op("else")
                after, self.known = self.known, before
                self._statements(otherwise)
                before = after
        self.known = _common(self.known, before)

    def _switch(self, slot: Slot, parts: Sequence[Part]) -> None:
        """Blocks inside each other, the first part's innermost: a branch out of it leads to the part."""
        if not parts:
            return
        code = self.code
        end = code.open()
        labels = [code.open() for _ in parts][::-1]
        to = {v: label for (vs, _), label in zip(parts, labels, strict=True) for v in vs}
        branch_by_value(self.expressions, slot, to, end)
        before, after = self.known, self.known
        for label, (_, part) in zip(labels, parts, strict=True):
            code.close()
            self.known = dict(before)
            self._statements(part)
            after = _common(after, self.known)
            if label.level != end.level + 1:
                code.branch("br", end)
        code.close()
        self.known = after


def _stands(one: Statement, *, timed: bool) -> TypeGuard[Load]:
    """Whether a variable is read as it stands, so that it need not be kept."""
    if not isinstance(one, Load) or one.variable.has or one.asked is not None:
        return False
    return not (timed and one.variable.home in STATE_HOMES)  # the step will set it


def _answers(body: Sequence[Statement]) -> set[int]:
    """What a refused step can answer."""
    ends = (one for one in body if isinstance(one, Load | Refuse | End))
    return {0 if isinstance(one, End) else one.answer for one in ends}


def _is_plain_store(one: Statement) -> bool:
    """Whether a cell is stored without arithmetic, which a refused variable might carry out of its range."""
    return isinstance(one, Store) and not computes(one.value)


def _common(a: Mapping[Slot, int], b: Mapping[Slot, int]) -> dict[Slot, int]:
    """What is known on both ways."""
    return {slot: value for slot, value in a.items() if b.get(slot) == value}


def _when_better(slot: Slot, condition: Condition, value: Value, way: Way) -> Condition:
    """When a slot takes a value that costs nothing to look at twice."""
    old = Read(slot, slot.width)
    match way:
        case Way.LAST:
            return condition
        case Way.LEAST:
            better = Compare(CompareOp.LT, value, old)
        case Way.GREATEST:
            better = Compare(CompareOp.LT, old, value)
        case _:
            assert_never(way)
    return better if condition == Truth(True) else Both((condition, better))
