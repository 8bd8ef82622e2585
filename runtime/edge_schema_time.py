"""The part of `gov.schema` that policies over time have: scopes, cells, events and signals (docs/edge.md).

In: the member `time` of a schema, and how its fields are read.  Out: `EdgeTime`.

What always holds: what is not of the documented form raises one of the errors that `edge_schema.read_schema` turns
into GOV416.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from govlang.runtime.edge_schema import EdgeField

SCOPES: Final = (("state",), ("shared", "state"))
_SIZES: Final = (8, 4, 2, 1)
_DEFINITION_DIGITS: Final = 16

STATE_HEAD: Final = 8
"""The bytes of a scope before its cells."""


@dataclass(frozen=True, slots=True)
class EdgeCell:
    """A cell of the state; `freshness`: it is the age of a signal's last sample."""

    field: EdgeField
    scope: str
    bytes: int
    initial: int
    cap: int | None
    freshness: bool

    @property
    def name(self) -> str:
        """The variable that holds it."""
        return f"{self.scope}.{self.field.name}"


@dataclass(frozen=True, slots=True)
class EdgeSample:
    """An event or a signal, with what it carries beside its key."""

    name: str
    is_event: bool
    is_shared: bool
    fields: tuple[EdgeField, ...]

    @property
    def function(self) -> str:
        """The function that takes it in."""
        return f"{'event' if self.is_event else 'signal'}.{self.name}"

    def variable(self, field: EdgeField) -> str:
        """The variable of something that it carries."""
        return f"sample.{self.name}.{field.name}" if self.is_event else f"sample.{self.name}"


@dataclass(frozen=True, slots=True)
class EdgeTime:
    """Everything that a board remembers and is told; `key` is the field that says whose."""

    key: str | None
    longest_ms: int
    definition: str
    scopes: tuple[str, ...]
    cells: tuple[EdgeCell, ...]
    samples: tuple[EdgeSample, ...]

    @property
    def state_bytes(self) -> int:
        """The bytes of the scopes."""
        return sum(cell.bytes for cell in self.cells) + STATE_HEAD * len(self.scopes)


def read_time(plain: Mapping[str, Any], read_field: Callable[[Any], EdgeField]) -> EdgeTime:
    """What a schema says of time."""
    names = tuple(str(one["name"]) for one in plain["scopes"])
    found = EdgeTime(
        key=_name(plain["key"]) if "key" in plain else None,
        longest_ms=int(plain["longest_ms"]),
        definition=_name(plain["definition"]),
        scopes=names,
        cells=tuple(
            _cell(cell, str(scope["name"]), read_field)
            for scope in plain["scopes"]
            for cell in scope.get("cells", ())
        ),
        samples=tuple(_sample(one, read_field) for one in plain.get("samples", ())),
    )
    if names not in SCOPES or found.state_bytes != plain["state_bytes"]:
        raise ValueError(names)
    if len(found.definition) != _DEFINITION_DIGITS or int(found.definition, 16) < 0:
        raise ValueError(found.definition)
    return found


def _cell(plain: Mapping[str, Any], scope: str, read_field: Callable[[Any], EdgeField]) -> EdgeCell:
    one = EdgeCell(
        field=read_field(plain),
        scope=scope,
        bytes=int(plain["bytes"]),
        initial=int(plain.get("initial", 0)),
        cap=int(plain["cap"]) if "cap" in plain else None,
        freshness=bool(plain.get("freshness", False)),
    )
    if one.bytes not in _SIZES or not one.field.lo <= one.initial <= one.field.hi:
        raise ValueError(one.name)
    return one


def _sample(plain: Mapping[str, Any], read_field: Callable[[Any], EdgeField]) -> EdgeSample:
    fields = tuple(read_field(one) for one in plain.get("fields", ()))
    is_event = bool(plain.get("event", True))
    if not is_event and len(fields) != 1:
        raise ValueError(plain["name"])
    return EdgeSample(_name(plain["name"]), is_event, bool(plain.get("shared", False)), fields)


def _name(plain: Any) -> str:
    if not isinstance(plain, str):
        raise TypeError
    return plain
