"""What a host must do with an outcome, gathered from the compiled table.

In: a loaded table, the words of a request with the texts it quotes, the rules whose obligations count.
Out: obligations in the JSON form of the outcome: `do`, `limit`, `require`, `retry_ms`, `remedy`, in this
order; numbers are exact decimals in the unit of their field.

What always holds: the same as `compiler/obligations.py` says of the checked policy; a test holds the two
against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final

from govlang.native.errors import TableError
from govlang.native.request import Column
from govlang.native.schema import Arg, Field, Rule
from govlang.native.table import Table

Obligation = dict[str, Any]

Duty = tuple[str, dict[str, Any], int | None]
"""An action that a rule asks for, its arguments, and for how many ms if it says so."""

_REQUIRE_HUMAN: Final = 3
_DENY: Final = 4
_EXACT: Final = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the table sees it: its words, and the value of each text field, in order."""

    table: Table
    words: bytes
    texts: Sequence[str]

    def run(self, program: int) -> int:
        """The value of a program."""
        return self.table.run(program, self.words)

    def text(self, field: int) -> str:
        """The value of a text field, by its place among all inputs."""
        inputs = self.table.schema.inputs[:field]
        return self.texts[sum(one.kind in ("text", "path", "key") for one in inputs)]

    @property
    def approved(self) -> int:
        """The roles that approved, as a mask."""
        column = self.table.schema.approved
        if column is None:
            return 0
        return int.from_bytes(self.words[8 * column : 8 * column + 8], "little")


def gather_obligations(asked: Asked, rules: Sequence[Rule], effect: int) -> tuple[Obligation, ...]:
    """Every obligation of the rules that an outcome with this effect keeps."""
    kept = merged(_duties(asked, rules)) if any(rule.dos for rule in rules) else []
    if effect != _DENY:
        kept += _limits(asked, rules)
        if effect == _REQUIRE_HUMAN:
            kept += _requirement(asked, rules)
        kept += _retry(rules)
    kept += _remedies(asked, rules)
    if len(kept) < 2:
        return tuple(kept)
    return tuple(one for i, one in enumerate(kept) if one not in kept[:i])


def merged(duties: Iterable[Duty]) -> list[Obligation]:
    """One obligation for each action and its arguments; of several times the longest."""
    found: list[Obligation] = []
    for action, args, for_ms in duties:
        one: Obligation = {"do": action} | ({"args": args} if args else {})
        twin = next((o for o in found if o | {"for_ms": 0} == one | {"for_ms": 0}), None)
        if twin is None:
            found.append(one if for_ms is None else one | {"for_ms": for_ms})
        elif for_ms is None:
            twin.pop("for_ms", None)
        elif "for_ms" in twin:
            twin["for_ms"] = max(twin["for_ms"], for_ms)
    return found


def decimal(value: int, field: Column) -> int | Decimal:
    """`value` steps of a field as a number in its unit: an int if whole, else an exact decimal."""
    whole, rest = divmod(value * field.step_num, field.step_den)
    if rest == 0:
        return whole
    return _EXACT.divide(Decimal(value * field.step_num), Decimal(field.step_den))


def _value(asked: Asked, arg: Arg) -> Any:
    if arg.text is not None:
        return arg.text
    if arg.source is not None:
        return asked.text(arg.source)
    assert arg.program is not None
    return _shown(asked.run(arg.program), arg.field)


def _shown(value: int, field: Field) -> Any:
    match field.kind:
        case "enum":
            if not 0 <= value < len(field.members):
                raise TableError("GOV414", f"`{field.name}` has no member number {value}")
            return field.members[value]
        case "bool":
            return bool(value)
        case "set":
            return [m for i, m in enumerate(field.members) if value >> i & 1]
        case _:
            return decimal(value, field)


def _duties(asked: Asked, rules: Sequence[Rule]) -> Iterator[Duty]:
    for do in (do for rule in rules for do in rule.dos):
        args = {arg.field.name: _value(asked, arg) for arg in do.args}
        yield do.action, args, do.for_ms


def _limits(asked: Asked, rules: Sequence[Rule]) -> Iterator[Obligation]:
    fields = asked.table.schema.all_fields
    ranges: dict[int, tuple[int, int]] = {}
    for limit in (limit for rule in rules for limit in rule.limits):
        target = fields[limit.target]
        lo, hi = ranges.get(limit.target, (target.lo, target.hi))
        ranges[limit.target] = (max(lo, asked.run(limit.lo)), min(hi, asked.run(limit.hi)))
    for index, (lo, hi) in ranges.items():
        target = fields[index]
        start = {} if lo == target.lo else {"from": decimal(lo, target)}
        yield {"limit": target.name, **start, "to": decimal(hi, target)}


def _requirement(asked: Asked, rules: Sequence[Rule]) -> Iterator[Obligation]:
    approved = asked.approved
    waiting = [r for r in rules if r.effect == _REQUIRE_HUMAN and r.roles & ~approved]
    named = 0
    for rule in waiting:
        named |= rule.roles
    expiries = [rule.expires_ms for rule in waiting if rule.expires_ms is not None]
    expires = {"expires_ms": min(expiries)} if expiries else {}
    roles = asked.table.schema.roles
    yield {"require": [role for i, role in enumerate(roles) if named >> i & 1], **expires}


def _retry(rules: Sequence[Rule]) -> Iterator[Obligation]:
    retries = [rule.retry_ms for rule in rules if rule.retry_ms is not None]
    if retries:
        yield {"retry_ms": max(retries)}


def _remedies(asked: Asked, rules: Sequence[Rule]) -> Iterator[Obligation]:
    for remedy in (rule.remedy for rule in rules if rule.remedy is not None):
        values = {arg.field.name: _value(asked, arg) for arg in remedy.values}
        yield {"remedy": remedy.text} | ({"with": values} if values else {})
