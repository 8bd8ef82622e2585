"""The obligations that an answer of a module means.

In: the schema of a module, its outcome's cells, the texts of the request.  Out: obligations in the JSON
form of the outcome, in the order `do`, `limit`, `require`, `retry_ms`, `remedy`; numbers are exact decimals
in the unit of their field.

What always holds: the same set as `runtime/obligations.py` gives for the table; of one duty asked for with
several times the longest is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Context
from typing import Any, Final

from govlang.native.errors import ArtefactError
from govlang.runtime.edge_engine import NOTHING
from govlang.runtime.edge_schema import Argument, EdgeField, EdgeSchema
from govlang.runtime.obligations import Duty, Obligation, decimal, merged

_EXACT: Final = Context(prec=60)
_REQUIRE_HUMAN: Final = 3
_DENY: Final = 4
_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """What the module left in its globals, with the texts that it was asked about."""

    schema: EdgeSchema
    read: Callable[[str], int]
    """A cell by name; `NOTHING` where the policy has no use for it."""
    texts: Mapping[str, str]

    def has(self, mask: str, bit: int) -> bool:
        """Whether a bit of `out.dos`, `out.limited` or `out.remedies` is set."""
        return bool(self.read(f"out.{mask}.{bit // _WORD}") >> bit % _WORD & 1)


def gather(answer: Answer, effect: int) -> tuple[Obligation, ...]:
    """Every obligation of an outcome with this effect."""
    kept = merged(_duties(answer))
    if effect != _DENY:
        kept += _limits(answer)
        if effect == _REQUIRE_HUMAN:
            kept.append(_requirement(answer))
        retry = answer.read("out.retry")
        kept += [{"retry_ms": retry}] if retry != NOTHING else []
    kept += _remedies(answer)
    return tuple(one for i, one in enumerate(kept) if one not in kept[:i])


def _duties(answer: Answer) -> Iterator[Duty]:
    for number, duty in enumerate(answer.schema.duties):
        if answer.has("dos", number):
            args = _values(answer, f"out.do.{number}", duty.arguments)
            yield duty.action, args, duty.for_ms


def _limits(answer: Answer) -> Iterator[Obligation]:
    for number, target in enumerate(answer.schema.targets):
        if answer.has("limited", number):
            lo = answer.read(f"out.lo.{target.name}")
            hi = answer.read(f"out.hi.{target.name}")
            start = {} if lo == target.lo else {"from": decimal(lo, target)}
            yield {"limit": target.name, **start, "to": decimal(hi, target)}


def _requirement(answer: Answer) -> Obligation:
    named, expires = answer.read("out.roles"), answer.read("out.expires")
    roles = [role for i, role in enumerate(answer.schema.roles) if named >> i & 1]
    return {"require": roles} | ({"expires_ms": expires} if expires != NOTHING else {})


def _remedies(answer: Answer) -> Iterator[Obligation]:
    for number, remedy in enumerate(answer.schema.remedies):
        if answer.has("remedies", number):
            values = _values(answer, f"out.remedy.{number}", remedy.values)
            yield {"remedy": remedy.text} | ({"with": values} if values else {})


def _values(answer: Answer, prefix: str, arguments: tuple[Argument, ...]) -> dict[str, Any]:
    return {one.field.name: _value(answer, prefix, one) for one in arguments}


def _value(answer: Answer, prefix: str, one: Argument) -> Any:
    if one.text is not None:
        return one.text
    if one.source is not None:
        return answer.texts.get(one.source, "")
    value = one.value if one.value is not None else answer.read(f"{prefix}.{one.field.name}")
    return _shown(value, one.field)


def _shown(value: int, one: EdgeField) -> Any:
    match one.kind:
        case "enum":
            if not 0 <= value < len(one.members):
                raise ArtefactError("outcome", f"`{one.name}` has no member number {value}")
            return one.members[value]
        case "bool":
            return bool(value)
        case "set":
            return [m for i, m in enumerate(one.members) if value >> i & 1]
        case _:
            return decimal(value, one)
