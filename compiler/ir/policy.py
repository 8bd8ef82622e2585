"""Rules, properties and the policy that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from enum import StrEnum
from typing import Final

from govlang.compiler.ir.expressions import (
    Arith,
    BoolExpr,
    Choose,
    DecisionIn,
    Effect,
    FieldValue,
    FloorDiv,
    IntConst,
    IntExpr,
    ParamValue,
)
from govlang.compiler.ir.fields import Action, Field, Kind, Origin, Param
from govlang.compiler.ir.state import FAULT_FIELD, FIRST_KIND, GAP_FIELD, SAMPLE, Time
from govlang.compiler.ir.walk import atoms
from govlang.dsl.record import record
from govlang.dsl.source import Span


class Combine(StrEnum):
    """How the effects of several standing rules become one."""

    STRICT = "strict"
    MOST_RESTRICTIVE = "most_restrictive"
    FIRST_MATCH = "first_match"
    UNIQUE = "unique"


class Default(StrEnum):
    """What holds where no rule permits."""

    ALLOW = "allow"
    DENY = "deny"
    NONE = "none"


@record
class TextConst:
    """A constant text, as an argument of an action or a remedy."""

    text: str


@record
class TextField:
    """The value of a text field, as an argument of an action or a remedy."""

    name: str


ArgValue = IntConst | FieldValue | ParamValue | Arith | FloorDiv | Choose | TextConst | TextField


@record
class Limit:
    """`target` (an input number or an output) may only be in `lo..hi`, in steps of the target."""

    target: str
    lo: IntExpr
    hi: IntExpr


@record
class Do:
    """The host must carry out `action` with these arguments, for a time if `for_ms` is given."""

    action: str
    args: tuple[ArgValue, ...] = ()
    for_ms: int | None = None


@record
class Remedy:
    """What the caller may do instead: a text, and values for fields of a request."""

    text: str
    values: tuple[tuple[str, ArgValue], ...] = ()


class RuleKind(StrEnum):
    """Where a rule comes from: written, a row of a table, or the guard of an invariant."""

    RULE = "rule"
    ROW = "row"
    GUARD = "guard"


@record
class Rule:
    """When `condition` holds the rule fires; unless overridden it stands and gives its effect.

    `tier` counts from 0, the highest declared tier; guards have -1; rules outside every tier block
    have `len(policy.tiers)`.  `overrides` names rules of the same or a lower tier.
    """

    id: str
    condition: BoolExpr
    effect: Effect
    tier: int = 0
    kind: RuleKind = RuleKind.RULE
    limits: tuple[Limit, ...] = ()
    dos: tuple[Do, ...] = ()
    roles: tuple[str, ...] = ()
    expires_ms: int | None = None
    retry_ms: int | None = None
    because: str = ""
    remedy: Remedy | None = None
    overrides: tuple[str, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class Assumption:
    """A fact that every valid request satisfies; one that does not is an invalid request."""

    text: str
    condition: BoolExpr
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class Property:
    """Something that must hold of every valid request (and its decision, when it is mentioned).

    `possible`: that can come about from every reachable state.
    """

    name: str
    condition: BoolExpr
    possible: bool = False
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def mentions_decision(self) -> bool:
        """Whether the property speaks of the outcome."""
        return any(isinstance(atom, DecisionIn) for atom in atoms(self.condition))


@record
class Policy:
    """A whole checked policy."""

    name: str
    version: str
    language: int
    combine: Combine
    default: Default
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    outputs: tuple[Field, ...] = ()
    actions: tuple[Action, ...] = ()
    params: tuple[Param, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    properties: tuple[Property, ...] = ()
    tiers: tuple[str, ...] = ()
    time_zone: str | None = None
    time: Time | None = None

    def field(self, name: str) -> Field:
        """The input field or the cell `name`; KeyError if there is none."""
        for one in (*self.fields, *self.remembered):
            if one.name == name:
                return one
        raise KeyError(name)

    def target(self, name: str) -> Field:
        """The input or output that `limit NAME to …` speaks of; KeyError if there is none."""
        for one in (*self.outputs, *self.fields):
            if one.name == name:
                return one
        raise KeyError(name)

    def rule(self, rule_id: str) -> Rule:
        """The rule `rule_id`; KeyError if there is none."""
        for one in self.rules:
            if one.id == rule_id:
                return one
        raise KeyError(rule_id)

    @property
    def remembered(self) -> tuple[Field, ...]:
        """The columns that rules read and no request carries: cells, and what the clock says."""
        if self.time is None:
            return ()
        return (*(cell.field for cell in self.time.cells), *self.time.reads)

    @property
    def columns(self) -> tuple[Field, ...]:
        """Everything that rules and updates read and no request carries: cells, and what samples bring."""
        if self.time is None:
            return ()
        brought = (column for one in self.time.samples for column in one.fields)
        kind = Field(
            SAMPLE, Kind.NUMBER, hi=FIRST_KIND + len(self.time.samples), origin=Origin.SAMPLE
        )
        return (*(cell.field for cell in self.time.cells), *brought, kind, GAP_FIELD, FAULT_FIELD)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the policy names: the universe of the runtime field `approved`."""
        return next((f.members for f in self.fields if f.name == APPROVED), ())


APPROVED: Final = "approved"
"""The built-in runtime field: the set of roles that approved this very job."""


def rule_expressions(rule: Rule) -> Iterator[IntExpr]:
    """The integer expressions of a rule's effect: its limits, and the arguments it passes on."""
    for limit in rule.limits:
        yield from (limit.lo, limit.hi)
    values = [arg for do in rule.dos for arg in do.args]
    values += [value for _, value in rule.remedy.values] if rule.remedy else []
    for value in values:
        if not isinstance(value, TextConst | TextField):
            yield value
