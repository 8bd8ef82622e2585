"""`gov.schema`, the part of a WebAssembly module that tells a host how to ask it and what it answers.

In: the bytes of a module.  Out: `EdgeSchema`, whose fields have what `native/request.py` asks of a column.
The form is that of docs/edge.md; members that are left out have their default.

What always holds: a module whose schema is not of this form is refused with GOV416.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from govlang.native.errors import ArtefactError
from govlang.native.request import Declared
from govlang.runtime.edge_schema_time import EdgeTime, read_time

SCHEMA_VERSION: Final = 1
TEXT_KINDS: Final = frozenset({"text", "path", "key"})
_KINDS: Final = TEXT_KINDS | {"number", "enum", "set", "bool", "time", "duration"}
_ORIGINS: Final = frozenset({"request", "runtime", "clock"})
_ROUNDINGS: Final = frozenset({"exact", "up", "down", "nearest"})
_SECTION: Final = b"gov.schema"
_CUSTOM: Final = 0
_HEADER: Final = b"\0asm\1\0\0\0"


@dataclass(frozen=True, slots=True)
class EdgeField(Declared):
    """A field; `classes` is the number of class columns of a text."""

    classes: int


@dataclass(frozen=True, slots=True)
class Argument:
    """A value for `field`: a constant, a constant text, the text of a field, or computed by the module."""

    field: EdgeField
    value: int | None = None
    text: str | None = None
    source: str | None = None

    @property
    def is_computed(self) -> bool:
        """Whether the module works it out."""
        return self.value is None and self.text is None and self.source is None


@dataclass(frozen=True, slots=True)
class Duty:
    """An action with its arguments, for a time if `for_ms` is given."""

    action: str
    arguments: tuple[Argument, ...]
    for_ms: int | None


@dataclass(frozen=True, slots=True)
class Remedy:
    """What the caller may do instead."""

    text: str
    values: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class EdgeSchema:
    """Everything that a host must know of a policy."""

    policy: str
    version: str
    snapshot: str
    time_zone: str | None
    fields: tuple[EdgeField, ...]
    params: tuple[EdgeField, ...]
    rules: tuple[tuple[str, str], ...]
    """Name and reason of each rule, in order of precedence."""
    assumptions: tuple[str, ...]
    targets: tuple[EdgeField, ...]
    duties: tuple[Duty, ...]
    remedies: tuple[Remedy, ...]
    same: tuple[tuple[str, str], ...]
    time: EdgeTime | None

    @property
    def roles(self) -> tuple[str, ...]:
        """Who can approve."""
        return next((one.members for one in self.fields if one.name == "approved"), ())


def read_schema(module: bytes) -> EdgeSchema:
    """The schema in a module.

    Raises:
        ArtefactError: GOV416 the module has none, or one of another form.
    """
    try:
        plain = json.loads(_section(module))
        if plain["schema"] != SCHEMA_VERSION:
            raise ArtefactError(
                "gov.schema", f"is of version {plain['schema']}, not {SCHEMA_VERSION}"
            )
        return _schema(plain)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise ArtefactError("gov.schema", "is not of the documented form") from None


def _section(module: bytes) -> bytes:
    """The content of the custom section `gov.schema`."""
    if not module.startswith(_HEADER):
        raise ArtefactError("offset 0x0", "is no WebAssembly module of version 1")
    at = len(_HEADER)
    while at < len(module):
        kind = module[at]
        size, start = _leb(module, at + 1)
        content = module[start : start + size]
        if kind == _CUSTOM:
            length, name = _leb(content, 0)
            if content[name : name + length] == _SECTION:
                return content[name + length :]
        at = start + size
    raise ArtefactError(
        "gov.schema", "is missing: the module is cut off, or was not written by `gov build`"
    )


def _leb(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends (WebAssembly 1.0, 5.2.2)."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80 or shift > 28:
            return value, at


def _schema(plain: Mapping[str, Any]) -> EdgeSchema:
    fields = tuple(_field(one) for one in plain["fields"])
    by_name = {one.name: one for one in fields}
    targets = by_name | {one["name"]: _field(one) for one in plain.get("outputs", ())}
    actions = {
        one["name"]: {arg["name"]: _field(arg) for arg in one.get("args", ())}
        for one in plain.get("actions", ())
    }
    return EdgeSchema(
        policy=_text(plain["policy"]),
        version=_text(plain["version"]),
        snapshot=_text(plain["snapshot"]),
        time_zone=_text(plain["time_zone"]) if "time_zone" in plain else None,
        fields=fields,
        params=tuple(_field(one) for one in plain.get("params", ())),
        rules=tuple(_rule(one) for one in plain["rules"]),
        assumptions=tuple(_text(one) for one in plain.get("assumptions", ())),
        targets=tuple(targets[name] for name in plain.get("limits", ())),
        duties=tuple(
            Duty(
                _text(one["do"]), _arguments(one.get("args", {}), actions[one["do"]]), _for_ms(one)
            )
            for one in plain.get("dos", ())
        ),
        remedies=tuple(
            Remedy(_text(one["text"]), _arguments(one.get("with", {}), by_name))
            for one in plain.get("remedies", ())
        ),
        same=tuple((_text(a), _text(b)) for a, b in plain.get("same", ())),
        time=read_time(plain["time"], _field) if "time" in plain else None,
    )


def _rule(plain: Any) -> tuple[str, str]:
    name, because = (plain, "") if isinstance(plain, str) else plain
    return _text(name), _text(because)


def _for_ms(plain: Mapping[str, Any]) -> int | None:
    return int(plain["for_ms"]) if "for_ms" in plain else None


def _field(plain: Mapping[str, Any]) -> EdgeField:
    kind = _one_of(_KINDS, plain.get("kind", "number"))
    members = tuple(_text(member) for member in plain.get("members", ()))
    num, den = plain.get("step", (1, 1))
    most = {"enum": len(members) - 1, "set": (1 << len(members)) - 1}
    one = EdgeField(
        name=_text(plain["name"]),
        kind=kind,
        lo=int(plain.get("lo", 0)),
        hi=most.get(kind, int(plain.get("hi", 0))),
        step_num=int(num),
        step_den=int(den),
        unit=_text(plain.get("unit", "")),
        members=members,
        max_bytes=int(plain["max"]) if kind in TEXT_KINDS else 0,
        optional=bool(plain.get("optional", False)),
        origin=_one_of(_ORIGINS, plain.get("origin", "request")),
        rounding=_one_of(_ROUNDINGS, plain.get("rounding", "exact")),
        implied=None if plain.get("implied") is None else int(plain["implied"]),
        classes=int(plain.get("classes", 0)),
    )
    if not (one.step_num > 0 and one.step_den > 0 and one.lo <= one.hi):
        raise ValueError(one.name)
    return one


def _text(plain: Any) -> str:
    if not isinstance(plain, str):
        raise TypeError
    return plain


def _one_of(known: frozenset[str], plain: Any) -> str:
    if plain not in known:
        raise ValueError(plain)
    return _text(plain)


def _arguments(
    plain: Mapping[str, Mapping[str, Any]], fields: Mapping[str, EdgeField]
) -> tuple[Argument, ...]:
    return tuple(
        Argument(
            fields[name],
            int(one["value"]) if "value" in one else None,
            _text(one["text"]) if "text" in one else None,
            _text(one["field"]) if "field" in one else None,
        )
        for name, one in plain.items()
    )
