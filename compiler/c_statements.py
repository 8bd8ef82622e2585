"""The body of `POLICY_decide`: the statements of a program in C.

In: a program, the names of its files.  Out: lines.

What always holds: every local has a value before it is read; a static function is called in the
declaration of a local only, so that its arguments are computed once and on every way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

from govlang.compiler.c_expressions import CHEAP, Expressions, bracketed, cost
from govlang.compiler.c_first import First, Lookup, firsts
from govlang.compiler.c_names import CNames, Scope, comment
from govlang.compiler.c_numbers import c_type, constant, member_type
from govlang.compiler.edge_state import NOW
from govlang.compiler.program import (
    KIND,
    Cell,
    Condition,
    Decide,
    End,
    Gather,
    Home,
    Keep,
    Let,
    Load,
    Mark,
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
from govlang.compiler.program_walk import all_reads, all_writes, writes
from govlang.compiler.steps_gather import BEST, ranks_of
from govlang.compiler.steps_logic import YES
from govlang.compiler.steps_terms import width

_INDENT: Final = "    "

_TIMED: Final = frozenset(
    {"kind", "sample", "shared", "state", "next_shared", "next_state", "now", "deadline"}
)
"""The arguments that a policy over time has beside those of others."""


class Statements:
    """Prints the statements of a program; `called` are the kinds of the helpers that they call."""

    def __init__(
        self, program: Program, names: CNames, refuse: str, helpers: Mapping[str, str]
    ) -> None:
        self._program = program
        self._names = names
        self._refuse = refuse
        self._read = frozenset(all_reads(program.body))
        self._firsts = _firsts(program.body)
        self._declared: set[Slot] = set()
        self._because = {rule.id: rule.because for rule in program.policy.rules}
        self._scope = Scope(names.file, {"request", "params", "outcome"})
        self._locals: dict[str, str] = {}
        if program.policy.time is not None:
            self._scope.taken |= _TIMED
            self._locals = {KIND.name: "kind", NOW: "now"}
        for slot in program.slots:
            if slot.name not in self._locals:
                self._locals[slot.name] = self._scope.fresh(slot.name.removeprefix("step."))
        self._helpers = helpers
        self._firsts_at = firsts(program.body)
        self.lookups = {one.slot: self._lookup(one) for one in self._firsts_at.values()}
        """What is looked up, by the slot that it is for."""
        self._values: list[str] = []
        self._expressions = Expressions(self._locals, self._call)
        self.called: set[str] = set()

    def lines(self) -> Iterator[str]:
        """The body behind the tests of pointers."""
        for slot in self._program.slots:
            if slot in self._read and slot not in self._firsts:
                zero = constant(0, slot.width, mask=slot.mask)
                yield f"{_INDENT}{c_type(slot.width, mask=slot.mask)} {self._locals[slot.name]} = {zero};"
        yield from self._top(self._program.body)

    def _call(self, kind: str, *arguments: str) -> str:
        """A local that has the value of a static function; it is declared before the statement."""
        self.called.add(kind)
        name = self._scope.fresh("value")
        self._values.append(
            f"const int64_t {name} = {self._helpers[kind]}({', '.join(arguments)});"
        )
        return name

    def _before(self) -> list[str]:
        """The declarations of what was called since the last time."""
        values, self._values = self._values, []
        return values

    # --- statements --------------------------------------------------------------------------------

    def _top(self, body: Sequence[Statement]) -> Iterator[str]:
        """The statements of a step; those that one lookup stands for are left out."""
        at = 0
        while at < len(body):
            first = self._firsts_at.get(at)
            if first is None:
                yield from self._block(body[at : at + 1])
                at += 1
            else:
                yield from (f"{_INDENT}{line}" for line in self._looked_up(first))
                at += len(first.conditions)

    def _lookup(self, first: First) -> Lookup:
        local, fresh = self._locals[first.slot.name], self._names.file.fresh
        function, array = (fresh(self._names.of(f"{local}_{what}")) for what in ("of", "by_bit"))
        return Lookup(function, array, first)

    def _looked_up(self, first: First) -> Iterator[str]:
        """The word of flags, and what it stands for."""
        found = self._scope.fresh("found")
        *better, worst = (bracketed(self._expressions.condition(c)) for c in first.conditions)
        yield from (*self._before(), f"int32_t {found} = 2 | {worst};")
        yield from (f"{found} = ({found} * 2) + {text};" for text in reversed(better))
        yield from self._ranks(first.slot)
        yield self._set(first.slot, f"{self.lookups[first.slot].function}((uint32_t){found})")

    def _block(self, body: Sequence[Statement]) -> Iterator[str]:
        for one in body:
            yield from (f"{_INDENT}{line}" for line in self._statement(one))

    def _statement(self, one: Statement) -> Iterator[str]:
        match one:
            case Load():
                yield from self._load(one)
            case Refuse(condition=condition, number=number, answer=answer):
                yield from self._refused(self._test(condition), number, answer)
            case End(condition=condition):
                test = self._test(condition)
                yield from (*self._before(), f"if ({test}) {{", f"{_INDENT}return 0;", "}")
            case Let(slot=slot, value=value):
                yield from self._let(slot, value)
            case Keep(condition=condition, stores=stores):
                yield from self._keep(condition, stores)
            case Start(slot=slot, value=value):
                if slot in self._read and slot not in self.lookups:
                    yield from self._start(slot, value)
            case Decide(slot=slot, condition=condition, rule=rule):
                text = self._expressions.condition(condition)
                yield from (*self._about(rule), *self._before(), self._set(slot, text))
            case Gather():
                yield from self._gathered(one)
            case Mark(slot=slot, condition=condition, mask=mask):
                text = self._marked(condition, constant(mask, slot.width, mask=True), slot.width)
                yield from (*self._before(), f"{self._locals[slot.name]} |= {text};")
            case When():
                yield from self._when(one)
            case Switch():
                yield from self._switch(one)
            case Store():
                yield from self._store(one)
            case _:
                assert_never(one)

    def _test(self, condition: Condition) -> str:
        return self._expressions.test(condition)

    def _ranks(self, slot: Slot) -> Iterator[str]:
        """What the numbers of a slot are."""
        if slot.name == BEST:
            ranks = ranks_of(self._program.policy)
            form = f"(4 - effect) << {ranks.shift} | rule" if ranks.joined else "rule << 3 | effect"
            yield f"/* Of {form} the least decides. */"

    def _start(self, slot: Slot, value: Value) -> Iterator[str]:
        yield from self._ranks(slot)
        text = self._expressions.value(value, mask=slot.mask)
        yield from (*self._before(), self._set(slot, text))

    def _let(self, slot: Slot, value: Value) -> Iterator[str]:
        text = self._narrowed(value, slot.width, c_type(slot.width, mask=slot.mask))
        yield from (*self._before(), self._set(slot, text))

    def _narrowed(self, value: Value, bits: int, kind: str) -> str:
        """A value of perhaps more bits in a type that holds it."""
        text = self._expressions.value(value)
        same = width(value) == bits and kind == c_type(bits, mask=False)
        return text if same else f"({kind}){bracketed(text)}"

    def _keep(
        self, condition: Condition, stores: Sequence[tuple[Variable, Value]]
    ) -> Iterator[str]:
        """The state gets values, where the step writes."""
        lines = []
        for one, value in stores:
            kind = member_type(one.width, one.bytes, one.lo)
            text = self._narrowed(value, one.width, kind)
            lines.append(f"next_{one.home}->{self._names.members[one.name]} = {text};")
        if not isinstance(condition, Truth):
            test = self._test(condition)
            lines = [f"if ({test}) {{", *(f"{_INDENT}{line}" for line in lines), "}"]
        yield from (*self._before(), "if (next_state != NULL) {")
        yield from (f"{_INDENT}{line}" for line in lines)
        yield "}"

    def _set(self, slot: Slot, text: str) -> str:
        """A slot gets a value; the first one declares it, where it is always the first."""
        name = self._locals[slot.name]
        if slot not in self._firsts or slot in self._declared:
            return f"{name} = {text};"
        self._declared.add(slot)
        const = "const " if self._firsts[slot] else ""
        return f"{const}{c_type(slot.width, mask=slot.mask)} {name} = {text};"

    def _about(self, rule: str) -> Iterator[str]:
        if rule:
            because = self._because.get(rule)
            yield f"/* {comment(rule)}{': ' + comment(because) if because else ''} */"

    def _marked(self, condition: Condition, bits: str, width: int) -> str:
        if isinstance(condition, Truth):
            return bits
        return f"{bracketed(self._test(condition))} ? {bits} : {constant(0, width, mask=True)}"

    def _store(self, one: Store) -> Iterator[str]:
        cell = one.cell
        text = self._expressions.value(one.value, mask=cell.mask)
        if width(one.value) > cell.width:
            text = f"({c_type(cell.width, mask=cell.mask)}){bracketed(text)}"
        yield from (*self._before(), f"{self._place(cell)} = {text};")

    def _place(self, cell: Cell) -> str:
        """Where a cell is stored."""
        if cell.name in self._names.cells:
            return f"outcome->{self._names.cells[cell.name]}"
        return f"*{cell.name.removeprefix('out.')}"

    # --- gathering ---------------------------------------------------------------------------------

    def _gathered(self, one: Gather) -> Iterator[str]:
        """A slot takes a value; a computed one is computed once, and only where it is wanted."""
        name = self._locals[one.slot.name]
        if isinstance(one.value, Number | Read):
            text = self._better(name, self._expressions.value(one.value), one)
            yield from (*self._before(), f"{name} = {text};")
            return
        test = None if isinstance(one.condition, Truth) else self._test(one.condition)
        yield from (*self._before(), "{" if test is None else f"if ({test}) {{")
        value = self._expressions.value(one.value)
        wanted = replace(one, condition=YES)
        held = self._scope.fresh("value")
        yield from (f"{_INDENT}{line}" for line in self._before())
        yield f"{_INDENT}const {c_type(one.slot.width, mask=False)} {held} = {value};"
        yield f"{_INDENT}{name} = {self._better(name, held, wanted)};"
        yield "}"

    def _better(self, name: str, value: str, one: Gather) -> str:
        """What a slot holds once it was offered a value."""
        always, text = isinstance(one.condition, Truth), bracketed(value)
        if one.way is Way.LAST:
            test = f"{bracketed(self._test(one.condition))} ? {text} : {name}"
            return value if always else test
        better = f"{text} {'<' if one.way is Way.LEAST else '>'} {name}"
        if not always:
            sign = "&" if cost(one.condition) <= CHEAP else "&&"
            condition = bracketed(self._expressions.condition(one.condition))
            better = f"{condition} {sign} ({better})"
            better = f"({better}) != 0" if sign == "&" else better
        return f"({better}) ? {text} : {name}"

    # --- reading and branching ---------------------------------------------------------------------

    def _load(self, load: Load) -> Iterator[str]:
        """A variable that nothing reads is only checked; one that may hold anything is not."""
        one, name = load.variable, self._locals[load.slot.name]
        outside = _outside(one, name)
        if outside is None and load.slot not in self._read:
            return
        if one.home is not Home.NOW:
            struct = "params" if one.param else str(one.home)
            text = f"{struct}->{self._names.members[one.name]}"
            has = [self._locals[self._program.variables[index].name] for index in one.has]
            has += [] if load.asked is None else [self._locals[load.asked.name]]
            if has:
                test = " & ".join(has)
                absent = constant(one.absent, one.width, mask=one.mask)
                text = f"({f'({test})' if len(has) > 1 else test} != 0) ? {text} : {absent}"
            yield self._set(load.slot, text)
        if outside is not None:
            yield from self._refused(outside, load.number, load.answer)

    def _refused(self, test: str, number: int, answer: int) -> Iterator[str]:
        yield from (*self._before(), f"if ({test}) {{")
        if self._program.silent:
            yield f"{_INDENT}return {answer};"
        else:
            yield f"{_INDENT}return {self._refuse}(outcome, {number}, {answer});"
        yield "}"

    def _when(self, one: When) -> Iterator[str]:
        test = self._test(one.condition)
        yield from (*self._before(), f"if ({test}) {{", *self._block(one.then))
        if one.otherwise:
            yield from ("} else {", *self._block(one.otherwise))
        yield "}"

    def _switch(self, one: Switch) -> Iterator[str]:
        yield f"switch ({self._locals[one.slot.name]}) {{"
        for values, body in one.parts:
            yield from (f"case {constant(v, one.slot.width, mask=False)}:" for v in values)
            yield from self._part(body)
        yield from ("default:", f"{_INDENT}break;", "}")

    def _part(self, body: Sequence[Statement]) -> Iterator[str]:
        """What is declared in a part stands in braces."""
        lines = [*self._block(body), f"{_INDENT}break;"]
        if any(line.startswith(f"{_INDENT}const ") for line in lines):
            yield from (f"{_INDENT}{{", *(f"{_INDENT}{line}" for line in lines), f"{_INDENT}}}")
        else:
            yield from lines


def _firsts(body: Sequence[Statement]) -> dict[Slot, bool]:
    """Slots that get their first value on every way; whether it is their only one."""
    times = Counter(all_writes(body))
    found: dict[Slot, bool | None] = {}
    for one in body:
        branches = isinstance(one, When | Switch)
        for slot in writes(one):
            found.setdefault(slot, None if branches else times[slot] == 1)
    return {slot: single for slot, single in found.items() if single is not None}


def _outside(one: Variable, name: str) -> str | None:
    """The test that a variable is outside its domain; None where it cannot be."""
    if one.mask:
        outside = ((1 << one.width) - 1) & ~one.hi
        shown = constant(outside, one.width, mask=True)
        zero = constant(0, one.width, mask=True)
        return f"({name} & {shown}) != {zero}" if outside else None
    least, most = _ends(one)
    tests = [f"{name} < {constant(one.lo, one.width, mask=False)}"] if one.lo > least else []
    if one.hi < most:
        tests.append(f"{name} > {constant(one.hi, one.width, mask=False)}")
    whole = " || ".join(map(bracketed, tests)) if len(tests) > 1 else "".join(tests)
    others = [f"{name} != {constant(value, one.width, mask=False)}" for value in one.beside]
    if whole and others:
        return " && ".join(map(bracketed, (whole, *others)))
    return whole or None


def _ends(one: Variable) -> tuple[int, int]:
    """What a variable can hold: all that its type has."""
    if one.lo >= 0 and 0 < 8 * one.bytes < one.width:
        return 0, (1 << 8 * one.bytes) - 1
    bits = 8 * one.bytes if one.bytes else one.width
    return -(1 << bits - 1), (1 << bits - 1) - 1
