"""What random policies are made of: fields with units, values for requests, and the written text."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

FAMILIES: dict[str, dict[str, Fraction]] = {
    "plain": {"": Fraction(1)},
    "percent": {"%": Fraction(1)},
    "mass": {"kg": Fraction(1), "g": Fraction(1, 1000), "t": Fraction(1000)},
    "time": {"s": Fraction(1), "min": Fraction(60), "ms": Fraction(1, 1000), "h": Fraction(3600)},
    "speed": {"m/s": Fraction(1), "km/h": Fraction(5, 18)},
    "tokens": {"tokens": Fraction(1)},
}
STEPS = ["1", "1", "0.1", "0.5", "0.25", "2", "0.01", "10"]
NAMES = [
    "count",
    "level",
    "dev",
    "speed",
    "cap",
    "x",
    "y1",
    "load_now",
    "at",
    "test",
    "zone",
    "kind",
]
MEMBERS = ["urban", "rural", "airport", "test", "dev", "empty", "at", "high"]
LABELS = ["write", "delete", "pii", "at", "payment"]
TEXTS = ["infra.delete", "infra.x.y", "main", "", "a", "customer.notify", "infra.", "é*"]
PATHS = ["src/a.py", "src/billing/a", "src", "docs/b", "src/billing/x/y"]
TEXT_GLOBS = ["infra.*", "**", "*", "infra.**", "*.delete", "m*n", "a"]
PATH_GLOBS = ["src/**", "src/*", "*", "**/a", "src/**/a*"]
ROLES = ["sre-oncall", "atc", "human"]
HEADER = 'language 1\npolicy generated version "1.0.0"\n'


@dataclass(frozen=True)
class Column:
    """A field, parameter or output with what its values may be."""

    name: str
    kind: str
    family: str = "plain"
    unit: str = ""
    lo: int = 0
    hi: int = 0
    step: str = "1"
    members: tuple[str, ...] = ()
    optional: bool = False
    runtime: bool = False

    @property
    def grid(self) -> Fraction:
        """The step in base units."""
        return Fraction(self.step) * FAMILIES[self.family][self.unit]

    def type_text(self) -> str:
        match self.kind:
            case "number":
                lo, hi = (
                    decimal_text(Fraction(end) * Fraction(self.step)) for end in (self.lo, self.hi)
                )
                step = "" if self.step == "1" else f" step {self.step}"
                return f"number in {lo}..{hi} {self.unit}{step}"
            case "enum":
                return "one of " + ", ".join(self.members)
            case "set":
                return "set of " + ", ".join(self.members)
            case _:
                return self.kind

    def value(self, rng: Random) -> Any:
        """A value as JSON has it."""
        match self.kind:
            case "number" | "duration":
                near = [self.lo, self.hi, (self.lo + self.hi) // 2]
                steps = rng.choice([rng.choice(near), rng.randint(self.lo, self.hi)])
                return exact(Fraction(steps) * Fraction(self.step))
            case "enum":
                return rng.choice(self.members)
            case "set":
                return [m for m in self.members if rng.random() < 0.5]
            case "bool":
                return rng.random() < 0.5
            case "path":
                return rng.choice(PATHS)
            case _:
                return rng.choice(TEXTS)


def exact(value: Fraction) -> int | Decimal:
    if value.denominator == 1:
        return value.numerator
    return Decimal(value.numerator) / Decimal(value.denominator)


def decimal_text(value: Fraction) -> str:
    return format(exact(value), "f") if value.denominator != 1 else str(value.numerator)


@dataclass
class Written:
    """A policy as text, with what its requests are made of."""

    text: str
    files: dict[str, str]
    columns: list[Column]
    params: list[Column]
    zoned: bool

    def request(self, rng: Random) -> tuple[dict[str, Any], dict[str, Any]]:
        """A valid request and its runtime part."""
        request: dict[str, Any] = {}
        runtime: dict[str, Any] = {}
        for column in self.columns:
            if column.optional and rng.random() < 0.5:
                continue
            (runtime if column.runtime else request)[column.name] = column.value(rng)
        if self.zoned:
            runtime["weekday"] = rng.choice(["monday", "friday", "sunday"])
            runtime["minute_of_day"] = rng.choice([0, 539, 540, 1439])
        if self.text.count("approved") or "require human" in self.text + "".join(
            self.files.values()
        ):
            runtime["approved"] = [role for role in ROLES if rng.random() < 0.5]
        return request, runtime

    def read(self, name: str) -> bytes:
        """The files of the policy."""
        if name not in self.files:
            raise FileNotFoundError(2, "No such file or directory", name)
        return self.files[name].encode()


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
