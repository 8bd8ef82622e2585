"""What a condition found, for people: values by their names, and what the state says in the author's words.

In: a condition, the columns as the rules saw them, what their cells mean.  Out: `Told`.

What always holds: no cell is named; panes are summed, ages are said as how long ago.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, assert_never

from govlang.cli.hindsight import Hindsight
from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.meanings import (
    Amount,
    Deviation,
    Earlier,
    Lasting,
    Meaning,
    Moment,
    Past,
    Sampled,
    Times,
    Unbroken,
    Words,
)
from govlang.compiler.obligations import argument
from govlang.compiler.step import Request
from govlang.compiler.transitions import machines
from govlang.dsl.units import duration_text

DIGITS: Final = 6
"""Behind the point of a mean, which is kept finer than anybody reads."""

NEVER: Final = "never"


@dataclass(frozen=True, slots=True)
class Told:
    """Values by the names of their fields or the texts of their operators, and sentences on the rest."""

    found: Mapping[str, Any]
    history: tuple[str, ...]


class Teller:
    """Says what conditions found at one request of a policy over time."""

    def __init__(self, env: Environment, words: Words, past: Hindsight, request: Request) -> None:
        self.env = env
        self.words = words
        self.past = past
        self.request = request
        self.machines = {one.name: one for one in machines(past.time)}

    def guards(self, condition: ir.BoolExpr) -> bool:
        """Whether a condition asks for a sample, without which what stands behind it has nothing to read."""
        read = ir.fields_read(condition)
        return any(isinstance(self.words.meanings.get(name), Sampled) for name in read)

    def tell(self, condition: ir.BoolExpr) -> Told:
        """What a condition found."""
        read = ir.fields_read(condition)
        amounts = [one for one in self.words.amounts if one.cells and one.cells <= read]
        left = sorted(read.difference(*(one.cells for one in amounts)))
        found = {one.text: self._value(one) for one in amounts}
        found |= {name: self._field(name) for name in left if not self._is_state(name)}
        sentences = (self._sentence(name, condition) for name in self._last_of_rings(left))
        return Told(found, tuple(dict.fromkeys(one for one in sentences if one)))

    # --- values ----------------------------------------------------------------------------------

    def _value(self, amount: Amount) -> Any:
        steps = self.env.evaluate(amount.number)
        return _number(steps * amount.step)

    def _field(self, name: str) -> Any:
        value = self.env.values.get(name)
        return None if value is None else argument(value, self.env.fields[name])

    def _is_state(self, name: str) -> bool:
        """Whether a column is nothing that has a name in the policy and a value in a request or signal."""
        return name.startswith("$") or name in self.words.meanings or name in self.machines

    # --- sentences -------------------------------------------------------------------------------

    def _last_of_rings(self, names: list[str]) -> Iterator[str]:
        """The cells, of the ages of one thing only the last, which says most."""
        meanings = {name: self.words.meanings.get(name) for name in names}
        longest: dict[str, int] = {}
        for one in meanings.values():
            if isinstance(one, Times):
                longest[one.ages[0]] = max(longest.get(one.ages[0], 0), len(one.ages))
        for name, one in meanings.items():
            if not isinstance(one, Times) or len(one.ages) == longest[one.ages[0]]:
                yield name

    def _sentence(self, name: str, condition: ir.BoolExpr) -> str:
        meaning = self.words.meanings.get(name)
        if meaning is not None:
            return self._meant(name, meaning, condition)
        if name in self.machines:
            return self._standing(self.machines[name])
        if name == ir.GAP:
            return self._gap()
        if name == ir.CLOCK_FAULT:
            return f"the clock {'went' if self._cell(name) else 'did not go'} back"
        return ""

    def _meant(self, name: str, meaning: Meaning, condition: ir.BoolExpr) -> str:
        match meaning:
            case Times(ages=(only,)):
                return self._ago(only)
            case Times(ages=ages):
                return self._so_far(ages, _window(condition, name))
            case Lasting():
                return self._for(name)
            case Past(newest=newest):
                ago = dict.fromkeys(self._ago(one) for one in newest if self._is_recent(one))
                return ", ".join(ago) or self._ago(newest[0])
            case Unbroken(anchor=anchor):
                if self.past.has_moved(name, self.request):
                    return f"not at every sample since `{anchor}`"
                return f"`{anchor}` has not happened"
            case Sampled():
                return "" if self._cell(name) else "no sample yet"
            case Moment():
                return "" if self._cell(name) else "not at this sample"
            case Deviation(taken=taken, first=first):
                few = self._cell(taken) < first
                return f"{self._cell(taken)} of {first} samples so far" if few else ""
            case Earlier():
                return f"the sample before was {self._field(name)}"
            case _:
                assert_never(meaning)

    def _ago(self, age: str) -> str:
        if self._is_recent(age):
            return f"{duration_text(self._cell(age))} ago"
        cap = self.past.time.cell(age).cap or 0
        moved = self.past.has_moved(age, self.request)
        return f"more than {duration_text(cap - 1)} ago" if moved else NEVER

    def _is_recent(self, age: str) -> bool:
        """Whether an age is known: it has not reached the end of what is kept."""
        return self._cell(age) < (self.past.time.cell(age).cap or 0)

    def _so_far(self, ages: tuple[str, ...], window_ms: int) -> str:
        count = sum(self._cell(age) <= window_ms for age in ages)
        return f"{count}{' or more' if count == len(ages) else ''} so far"

    def _for(self, name: str) -> str:
        held = self._cell(name)
        if held < 0:
            return "it does not hold"
        longest = held == self.past.time.cell(name).cap
        return f"for {duration_text(held)} {'or longer' if longest else 'so far'}"

    def _standing(self, machine: ir.Cell) -> str:
        stood = self.past.stood_ms(machine, self.request)
        state = machine.field.members[self._cell(machine.name)]
        since = "since the start" if stood is None else f"since {duration_text(stood)}"
        return f"`{machine.name}` is {state} {since}"

    def _gap(self) -> str:
        gap = self._cell(ir.GAP)
        return "no sample before" if gap == ir.GAP_MAX else f"the gap is {duration_text(gap)}"

    def _cell(self, name: str) -> int:
        value = self.env.values[name]
        assert isinstance(value, int)
        return value


def _window(condition: ir.BoolExpr, name: str) -> int:
    """The window in which a condition reads an age."""
    return max(
        atom.ranges[0][1]
        for atom in ir.atoms(condition)
        if isinstance(atom, ir.InRanges) and atom.name == name
    )


def _number(value: Fraction) -> int | Decimal:
    """A number as people write it."""
    if value.denominator == 1:
        return value.numerator
    rounded = round(value, DIGITS)
    return (Decimal(rounded.numerator) / Decimal(rounded.denominator)).normalize()
