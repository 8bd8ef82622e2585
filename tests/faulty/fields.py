"""Random fields and partitions of their values, the stuff of generated policies.

In: a `random.Random`.  Out: fields as they are declared, and splits: conditions of which exactly
one holds for each value of the field.

INVARIANT: every condition of a split holds for some value, and a path uses a field at most once, so
the conjunction of a path holds for some request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random


@dataclass(frozen=True, slots=True)
class Part:
    """A condition on one field: as an expression, and as the cell of a table's column."""

    field: str
    expression: str
    cell: str


@dataclass(frozen=True, slots=True)
class Number:
    """`name : number in low..high unit step s`."""

    name: str
    low: int
    high: int
    step: Decimal
    unit: str

    def declaration(self) -> str:
        """The field's line in `input { }`."""
        step = "" if self.step == 1 else f" step {self.step}"
        return f"{self.name} : number in {self.low}..{self.high}{self.suffix()}{step}"

    def suffix(self) -> str:
        """The unit as it stands after a number."""
        return f" {self.unit}" if self.unit else ""

    def part(self, operator: str, value: str) -> Part:
        """The field compared with a number that is written as `value`."""
        cell = f"{operator} {value}{self.suffix()}"
        return Part(self.name, f"{self.name} {cell}", cell)

    def threshold(self, rng: Random) -> Decimal:
        """A value with at least eight steps above and below it, not negative."""
        steps = int((self.high - max(self.low, 0)) / self.step)
        return max(self.low, 0) + rng.randint(8, steps - 8) * self.step

    def split(self, rng: Random) -> tuple[Part, ...]:
        """At most, and more than, some value."""
        value = str(self.threshold(rng))
        return self.part("<=", value), self.part(">", value)


@dataclass(frozen=True, slots=True)
class Flag:
    """`name : bool`."""

    name: str

    def declaration(self) -> str:
        """The field's line in `input { }`."""
        return f"{self.name} : bool"

    def split(self, rng: Random) -> tuple[Part, ...]:
        """Set and not set, in either order."""
        both = [Part(self.name, self.name, "true"), Part(self.name, f"not {self.name}", "false")]
        rng.shuffle(both)
        return tuple(both)


@dataclass(frozen=True, slots=True)
class Choice:
    """`name : one of …`."""

    name: str
    members: tuple[str, ...]

    def declaration(self) -> str:
        """The field's line in `input { }`."""
        return f"{self.name} : one of {', '.join(self.members)}"

    def split(self, rng: Random) -> tuple[Part, ...]:
        """The members in two or three groups."""
        members = rng.sample(self.members, len(self.members))
        cuts = sorted(rng.sample(range(1, len(members)), rng.choice((1, 1, 2))))
        return tuple(
            self._group(members[a:b])
            for a, b in zip((0, *cuts), (*cuts, len(members)), strict=True)
        )

    def _group(self, members: Sequence[str]) -> Part:
        if len(members) == 1:
            return Part(self.name, f"{self.name} is {members[0]}", members[0])
        cell = f"{{{', '.join(members)}}}"
        return Part(self.name, f"{self.name} in {cell}", cell)


@dataclass(frozen=True, slots=True)
class Labels:
    """`name : set of …`."""

    name: str
    members: tuple[str, ...]

    def declaration(self) -> str:
        """The field's line in `input { }`."""
        return f"{self.name} : set of {', '.join(self.members)}"

    def split(self, rng: Random) -> tuple[Part, ...]:
        """With and without one label, or one of two labels."""
        chosen = rng.sample(self.members, rng.choice((1, 2)))
        held = chosen[0] if len(chosen) == 1 else f"any {{{', '.join(chosen)}}}"
        return _both(self.name, f"contains {held}")


@dataclass(frozen=True, slots=True)
class Text:
    """`name : text`."""

    name: str

    def declaration(self) -> str:
        """The field's line in `input { }`."""
        return f"{self.name} : text max 60"

    def split(self, rng: Random) -> tuple[Part, ...]:
        """Texts that match a glob, and the others."""
        word = rng.choice(("infra", "billing", "mail", "db"))
        tail = rng.choice((".*", ".**", ".*.read", "*"))
        return _both(self.name, f'like "{word}{tail}"')


Field = Number | Flag | Choice | Labels | Text


def _both(name: str, cell: str) -> tuple[Part, ...]:
    return Part(name, f"{name} {cell}", cell), Part(name, f"not ({name} {cell})", f"not {cell}")


NUMBERS = ("load", "height", "delay", "price", "depth", "queue")
FLAGS = ("signed", "urgent", "manual")
CHOICES = {
    "region": ("north", "south", "east", "west"),
    "phase": ("plan", "build", "run", "stop"),
    "colour": ("red", "green", "blue"),
}
LABELS = {"tags": ("draft", "legal", "pii", "bulk"), "roles": ("ops", "dev", "audit")}
TEXTS = ("topic", "branch")


def number(rng: Random, name: str, unit: str | None = None) -> Number:
    """A number from 0, or from below it, in some unit and grid."""
    step = rng.choice((Decimal(1), Decimal(1), Decimal("0.5"), Decimal("0.1"), Decimal("0.01")))
    low = rng.choice((0, 0, 0, -20, -100))
    chosen = rng.choice(("", "", "kg", "kW", "%", "min", "m/s")) if unit is None else unit
    return Number(name, low, rng.choice((40, 60, 100, 250, 1000)), step, chosen)


def fields(rng: Random, count: int) -> list[Field]:
    """`count` (at most 15) fields of all types, in random order, at least a third numbers."""
    numbers = max(1, count // 3)
    others: list[Field] = [Flag(n) for n in FLAGS]
    others += [Choice(n, m) for n, m in CHOICES.items()]
    others += [Labels(n, m) for n, m in LABELS.items()]
    others += [Text(n) for n in TEXTS]
    chosen: list[Field] = [number(rng, n) for n in rng.sample(NUMBERS, numbers)]
    chosen += rng.sample(others, count - numbers)
    rng.shuffle(chosen)
    return chosen


Path = tuple[Part, ...]


def leaves(rng: Random, over: Sequence[Field], count: int) -> list[Path]:
    """At least `count` paths (while the fields last) of which one holds for each request."""
    paths: list[Path] = [()]
    while len(paths) < count:
        open_paths = [p for p in paths if len(p) < len(over)]
        if not open_paths:
            break
        path = rng.choice(open_paths)
        paths.remove(path)
        paths += grow(rng, path, over)
    return paths


def grow(rng: Random, path: Path, over: Sequence[Field]) -> list[Path]:
    """The path cut along a field that it does not use yet."""
    used = {part.field for part in path}
    field = rng.choice([f for f in over if f.name not in used])
    return [(*path, part) for part in field.split(rng)]


def condition(path: Path) -> str:
    """A path as an expression."""
    return " and ".join(part.expression for part in path)
