"""`classify.F`: whether its code is the scan of docs/edge.md, and which tables and bounds it has.

In: the checked instructions of the function, and what each global is.  Out: `Scanned`: the places of
its automata, its longest text, its copy, its pairs.

What always holds: the function does what docs/edge.md says, in that order, and nothing else; every
load and store is inside the automaton or copy that it names, if those are where `wasm_memory.py` holds
them to be: a state is below the number of states wherever it is used (0 at first, checked before the
next round), a symbol is a byte and 256 entries follow the last state, `i` is below the length, which
is at most the longest text, and the text ends inside the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.verifier.translation.machine import Op, Test
from govlang.verifier.translation.wasm_instructions import Code, Instruction
from govlang.verifier.translation.wasm_memory import SYMBOLS, Pair, Place, Scanned
from govlang.verifier.translation.wasm_shape import (
    DONE,
    REFUSED,
    SETS,
    Stretches,
    differs,
    split,
)
from govlang.verifier.translation.wasm_symbols import (
    Assign,
    Effect,
    Exit,
    Held,
    Load,
    Loaded,
    Made,
    Other,
    Store,
    Stretch,
    Sum,
    all_held,
    compared,
    comparison,
    constant,
    loaded_of,
    one,
)

_UNSET_PAIR: Final = 2
_UNSET_LENGTH: Final = -1
_PTR: Final = one(Held(0))
_LEN: Final = one(Held(1))


@dataclass(frozen=True, slots=True)
class Globals:
    """What a scan may set: classes in their order, pairs with the other text, lengths by number."""

    classes: tuple[int, ...]
    unset: tuple[int, ...]
    pairs: Mapping[int, str]
    lengths: frozenset[int]


def read_scan(
    instructions: Sequence[Instruction], locals_: int, memory: int, globals_: Globals
) -> Scanned:
    """What a scan is made of; `locals_` is the number of its locals, `memory` that of its bytes.

    Raises:
        ArtefactError: GOV416, the function is not the scan of docs/edge.md.

    """
    return _Reading(split(instructions), locals_, memory, globals_).scanned()


# --- meaning -------------------------------------------------------------------------------------


class _Reading:
    """The stretches of a scan, run over, and what was found in them."""

    def __init__(self, parts: Stretches, locals_: int, memory: int, globals_: Globals) -> None:
        self.parts = parts
        self.memory = memory
        self.globals = globals_
        setting = {
            one.args[0]
            for one in (*parts.before, *parts.loop, *parts.after)
            if one.code in SETS and one.args[0] < 2
        }
        if setting:
            differs(parts.loop_at, "a parameter is set")
        zeros = dict.fromkeys(range(2, locals_), constant(0))
        self.before = self._run(parts.before, {0: _PTR, 1: _LEN, **zeros}, parts.loop_at)
        changing = {one.args[0] for one in parts.loop if one.code in SETS}
        self.head = all_held(self.before.locals, changing)
        self.loop = self._run(parts.loop, dict(self.head), parts.after_at)
        self.after = Stretch(dict(self.head))
        self.after.take(parts.after)
        self.states: dict[int, Place] = {}
        self.expected: set[Loaded] = set()
        self.byte = constant(0)
        self.index = 0

    def _run(self, code: Sequence[Instruction], locals_: dict[int, Sum], end: int) -> Stretch:
        stretch = Stretch(locals_)
        stretch.take(code)
        if stretch.operands:
            differs(end, "operands are left over")
        return stretch

    def scanned(self) -> Scanned:
        """All that the scan is made of."""
        unset, exits = _parted(self.before.effects)
        length = self._forgets(unset)
        max_bytes = self._stays_inside(exits)
        self._reads_on()
        validity, *_ = self._advances()
        copy = self._copies(length)
        classes, pairs = self._remembers(validity, length)
        columns = tuple(self.states[local] for local in classes)
        if len(set(classes)) != len(classes) or {validity, *classes} != set(self.states):
            differs(self.parts.after_at, "states and columns do not fit")
        self._loads_nothing_else()
        return Scanned(max_bytes, self.states[validity], columns, pairs, length, copy)

    # --- before the loop ------------------------------------------------------------------------

    def _forgets(self, assigned: Sequence[Assign]) -> int | None:
        """Everything is unset first; the global of the own length, if there is one."""
        found = {effect.number: effect.value.number for effect in assigned}
        lengths = self.globals.lengths & set(found)
        wanted = {
            **dict(zip(self.globals.classes, self.globals.unset, strict=True)),
            **dict.fromkeys(self.globals.pairs, _UNSET_PAIR),
            **dict.fromkeys(lengths, _UNSET_LENGTH),
        }
        known = {number: constant(value).number for number, value in wanted.items()}
        if found != known or len(found) != len(assigned):
            differs(self.parts.loop_at, "not just its own variables are unset at first")
        if len(lengths) != bool(self.globals.pairs):
            differs(self.parts.loop_at, "a compared text has one length, others have none")
        return next(iter(lengths), None)

    def _stays_inside(self, exits: Sequence[Exit]) -> int:
        """A text is refused that is too long, or does not end inside the memory; the greatest length."""
        match [comparison(exit_.condition) for exit_ in exits]:
            case [(Test.GT_U, length, limit), (Test.GT_U, start, last)]:
                room = constant(self.memory).plus(_LEN.times(-1))
                greatest = limit.number
                inside = start == _PTR and last == room and self.memory < 1 << 32
                if length == _LEN and greatest is not None and inside:
                    return greatest
            case _:
                pass
        return differs(self.parts.loop_at, "its length and its end are not checked")

    # --- the loop -------------------------------------------------------------------------------

    def _reads_on(self) -> None:
        """The loop ends behind the last byte; else it reads the next one."""
        first = self.loop.effects[0] if self.loop.effects else None
        steps = [one.code for one in self.parts.loop]
        set_late = not SETS & set(steps[: steps.index(Code.BR_IF)]) if first else False
        match first:
            case Exit(condition=condition, label=label) if label == DONE and set_late:
                index = self._held(compared(condition, Test.GE_U, _LEN))
            case _:
                index = None
        if index is None or not self._counts(index):
            differs(self.parts.loop_at, "it does not go byte by byte to the end of the text")
        self.index = index
        byte = Loaded(1, _PTR.plus(one(Held(index))), 0)
        self.byte = one(byte)
        self.expected.add(byte)

    def _counts(self, local: int) -> bool:
        after = one(Held(local)).plus(constant(1))
        return self._starts_at_0(local) and self.loop.locals[local] == after

    def _starts_at_0(self, local: int) -> bool:
        return self.before.locals[local] == constant(0)

    def _held(self, value: Sum | None) -> int | None:
        """The local of the loop that a value is."""
        match [] if value is None or value.constant else list(value.terms):
            case [(Held(local=local), 1)] if local > 1:
                return local
            case _:
                return None

    def _advances(self) -> list[int]:
        """Every state goes on and is checked, before anything is written; the first is validity's."""
        exits = [effect for effect in self.loop.effects[1:] if isinstance(effect, Exit)]
        found = [self._advance(exit_) for exit_ in exits]
        if not found or len(set(found)) < len(found):
            differs(self.parts.loop_at, "its states do not go on one by one")
        return found

    def _advance(self, exit_: Exit) -> int:
        match comparison(exit_.condition) if exit_.label == REFUSED else None:
            case (Test.GE_U, state, states):
                loaded, count = loaded_of(state), states.number
                step = None if loaded is None else self._step(loaded)
                if step is not None and count is not None:
                    local, place = step[0], Place(step[1], step[2], count)
                    if self._starts_at_0(local) and self.loop.locals[local] == state:
                        self.states[local] = place
                        return local
            case _:
                pass
        return differs(exit_.at, "a state is not checked, or does not go on by its automaton")

    def _step(self, loaded: Loaded) -> tuple[int, int, int] | None:
        """The local, start and shift of an automaton whose next state is loaded."""
        held: list[tuple[int, int]] = []
        symbols: list[tuple[Loaded, int]] = []
        for atom, factor in loaded.base.terms:
            if isinstance(atom, Held):
                held.append((atom.local, factor))
            elif isinstance(atom, Loaded):
                symbols.append((atom, factor))
        if loaded.size != 2 or loaded.base.constant or len(loaded.base.terms) != 2:
            return None
        match held, symbols:
            case [(local, factor)], [(symbol, 2)]:
                shift = factor.bit_length() - 2
                start = symbol.offset
                whole = symbol == Loaded(1, self.byte, start) and loaded.offset == start + SYMBOLS
                if local > 1 and factor == 2 << max(shift, 0) and whole:
                    self.expected |= {symbol, loaded}
                    return local, start, shift
            case _:
                pass
        return None

    def _copies(self, length: int | None) -> int | None:
        """A compared text is copied as it is read, and nothing else is written."""
        effects = self.loop.effects
        stores = [place for place, effect in enumerate(effects) if isinstance(effect, Store)]
        if any(isinstance(effect, Assign) for effect in effects):
            differs(self.parts.loop_at, "a variable is set too early")
        if not stores and length is None:
            return None
        match [effects[place] for place in stores]:
            case [Store(base=base, offset=offset, value=value)]:
                late = not any(isinstance(effect, Exit) for effect in effects[stores[0] :])
                own = base == one(Held(self.index)) and value == self.byte
                if length is not None and own and late:
                    return offset
            case _:
                pass
        return differs(self.parts.loop_at, "it writes something else than a copy of the text")

    # --- behind the loop ------------------------------------------------------------------------

    def _remembers(self, validity: int, length: int | None) -> tuple[list[int], tuple[Pair, ...]]:
        """A valid text sets everything; the local of each column, and the pairs."""
        effects = [effect for effect in self.after.effects if not isinstance(effect, Load)]
        match effects:
            case [Exit(label=label, condition=condition), *rest] if label == REFUSED:
                refused = loaded_of(compared(condition, Test.EQ, constant(0)))
                ends = self.after.operands == [constant(0)]
                whole = refused is not None and self._class_of(refused) == validity
                if not (ends and whole):
                    differs(self.parts.after_at, "a text that is not valid is not refused")
            case _:
                differs(self.parts.after_at, "a text that is not valid is not refused")
        assigned = [effect for effect in rest if isinstance(effect, Assign)]
        values = {effect.number: effect.value for effect in assigned}
        numbers = {*self.globals.classes, *self.globals.pairs}
        if length is not None:
            numbers.add(length)
        if len(values) < len(rest) or set(values) != numbers:
            differs(self.parts.after_at, "not just its own variables are set")
        if length is not None and values[length] != _LEN:
            differs(self.parts.after_at, "the length is not kept")
        classes = [self._column(values[number]) for number in self.globals.classes]
        pairs = [number for number in values if number in self.globals.pairs]
        return classes, tuple(self._pair(number, values[number]) for number in pairs)

    def _column(self, value: Sum) -> int:
        loaded = loaded_of(value)
        local = None if loaded is None else self._class_of(loaded)
        return differs(self.parts.after_at, "a class is another") if local is None else local

    def _class_of(self, loaded: Loaded) -> int | None:
        """The local of the state whose class is loaded."""
        match list(loaded.base.terms):
            case [(Held(local=local), 2)] if local in self.states:
                place = self.states[local]
                if loaded == Loaded(2, one(Held(local)).times(2), place.classes_at):
                    self.expected.add(loaded)
                    return local
            case _:
                pass
        return None

    def _pair(self, number: int, value: Sum) -> Pair:
        """`same := length of the other = -1 ? 2 : (d = 0) & (length of the other = len)`."""
        match list(value.terms):
            case [(Made(what="select", parts=(unset, same, condition)), 1)] if not value.constant:
                other = compared(condition, Test.EQ, constant(_UNSET_LENGTH))
                length = self._length(other)
                if length is not None and unset == constant(_UNSET_PAIR):
                    copy = self._difference(same, one(Other(length)))
                    return Pair(self.globals.pairs[number], length, copy)
            case _:
                pass
        return differs(self.parts.after_at, "a pair is not what its texts are")

    def _length(self, value: Sum | None) -> int | None:
        match [] if value is None else list(value.terms):
            case [(Other(number=number), 1)] if value == one(Other(number)):
                return number if number in self.globals.lengths else None
            case _:
                return None

    def _difference(self, same: Sum, other_length: Sum) -> int:
        """Where the copy stands that the text was compared with, byte by byte."""
        equal_length = one(Made(Test.EQ, (other_length, _LEN)))
        for local in sorted(self.head):
            no_difference = one(Made(Test.EQ, (one(Held(local)), constant(0))))
            if same == one(Made(Op.AND, (no_difference, equal_length))):
                return self._compared_with(local)
        return differs(self.parts.after_at, "a pair is not what its texts are")

    def _compared_with(self, local: int) -> int:
        index = one(Held(self.index))
        for effect in self.loop.effects:
            match effect:
                case Load(loaded=Loaded(size=1, base=base, offset=copy) as loaded) if base == index:
                    bits = one(Made(Op.XOR, (one(loaded), self.byte)))
                    gathered = one(Made(Op.OR, (one(Held(local)), bits)))
                    if self._starts_at_0(local) and self.loop.locals[local] == gathered:
                        self.expected.add(loaded)
                        return copy
                case _:
                    pass
        return differs(self.parts.loop_at, "a pair does not gather the difference of its texts")

    def _loads_nothing_else(self) -> None:
        effects = (*self.before.effects, *self.loop.effects, *self.after.effects)
        for effect in effects:
            if isinstance(effect, Load) and effect.loaded not in self.expected:
                differs(effect.at, "the memory is read at another place")


def _parted(effects: Sequence[Effect]) -> tuple[list[Assign], list[Exit]]:
    """What is set before the first exit, and the exits; nothing else may stand before the loop."""
    assigned = [effect for effect in effects if isinstance(effect, Assign)]
    exits = [effect for effect in effects if isinstance(effect, Exit)]
    if [*assigned, *exits] != effects or any(exit_.label != REFUSED for exit_ in exits):
        differs(effects[0].at, "what stands before the loop is something else")
    return assigned, exits
