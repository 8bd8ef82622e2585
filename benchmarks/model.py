"""A workload as plain data: fields, rules and a default, from which every engine's own form is printed.

Goes in: nothing. Comes out: frozen dataclasses and `first_match`, the meaning that all engines are held to.
What always holds: the rules stand in an order (strict effects of the higher tier first) in which the first that
fires is the one `combine strict` names, so `first match` and the language's meaning agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

Value = int | str | list[str]
Request = dict[str, Value]
NO_RULE = -1


@dataclass(frozen=True, slots=True)
class Number:
    """An integer field in `lo..hi`."""

    name: str
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Choice:
    """An enumeration."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A dot-separated text."""

    name: str


@dataclass(frozen=True, slots=True)
class Labels:
    """A set of at most 64 members."""

    name: str
    members: tuple[str, ...]


Field = Number | Choice | Text | Labels


@dataclass(frozen=True, slots=True)
class Equals:
    """`field` is this member, or this text."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """`field` is one of these members."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """`lo <= field <= hi`; a side at the field's own limit is not printed."""

    field: str
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class SumAtMost:
    """The fields together are at most `bound`."""

    fields: tuple[str, ...]
    bound: int


@dataclass(frozen=True, slots=True)
class SumAtLeast:
    """The fields together are at least `bound`."""

    fields: tuple[str, ...]
    bound: int


@dataclass(frozen=True, slots=True)
class HasAny:
    """The set has one of these members."""

    field: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartsWith:
    """The text begins with `prefix` and a dot (`like "prefix.**"`)."""

    field: str
    prefix: str


Condition = Equals | OneOf | Between | SumAtMost | SumAtLeast | HasAny | StartsWith
NOT_BOX_SHAPED = (SumAtMost, SumAtLeast, HasAny, StartsWith)


@dataclass(frozen=True, slots=True)
class Rule:
    """A conjunction of conditions and an effect (`allow`, `require_human`, `deny`)."""

    name: str
    effect: str
    conditions: tuple[Condition, ...]
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """Fields, rules in precedence order and the default effect."""

    name: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    default: str

    def field(self, name: str) -> Field:
        """The field called `name`."""
        return next(field for field in self.fields if field.name == name)


def holds(condition: Condition, request: Mapping[str, Value]) -> bool:
    """Whether the condition is true of the request."""
    match condition:
        case Equals(field, value):
            return request[field] == value
        case OneOf(field, values):
            return request[field] in values
        case Between(field, lo, hi):
            return lo <= number(request, field) <= hi
        case SumAtMost(fields, bound):
            return total(request, fields) <= bound
        case SumAtLeast(fields, bound):
            return total(request, fields) >= bound
        case HasAny(field, members):
            return not set(members).isdisjoint(labels(request, field))
        case StartsWith(field, prefix):
            return text(request, field).startswith(prefix + ".")
        case _:
            assert_never(condition)


def fires(rule: Rule, request: Mapping[str, Value]) -> bool:
    """Whether all conditions of the rule hold."""
    return all(holds(condition, request) for condition in rule.conditions)


def first_match(rules: Iterable[Rule], request: Mapping[str, Value]) -> int:
    """The position of the first rule that fires, or `NO_RULE`; slow, and the judge of all others."""
    return next((index for index, rule in enumerate(rules) if fires(rule, request)), NO_RULE)


def number(request: Mapping[str, Value], field: str) -> int:
    """The request's number."""
    value = request[field]
    if not isinstance(value, int):
        message = f"`{field}` must be a number"
        raise TypeError(message)
    return value


def text(request: Mapping[str, Value], field: str) -> str:
    """The request's text or member."""
    value = request[field]
    if not isinstance(value, str):
        message = f"`{field}` must be a string"
        raise TypeError(message)
    return value


def labels(request: Mapping[str, Value], field: str) -> list[str]:
    """The request's set."""
    value = request[field]
    if not isinstance(value, list):
        message = f"`{field}` must be a list"
        raise TypeError(message)
    return value


def total(request: Mapping[str, Value], fields: tuple[str, ...]) -> int:
    """The sum of the fields."""
    return sum(number(request, field) for field in fields)
