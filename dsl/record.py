"""Frozen records, made quickly: what `@dataclass(frozen=True, slots=True)` says, at a fraction of its time.

The standard library writes and compiles six functions a class.  The syntax tree and the IR have a hundred classes, and
every command starts by making them, which was a fifth of a cold `gov check`.  Here only `__init__` is
written; comparing, hashing and showing are shared.

What always holds: a record is a dataclass to everyone who asks (`fields`, `replace`, `match`), and fields
with `compare=False` take no part in equality.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError, field
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(made: Class) -> Class:
    """The class with slots, an initialiser, equality, a hash and a text; its attributes cannot be set."""
    body = dict(made.__dict__)
    fields = dict(_fields(body))
    names = tuple(fields)
    for name in (*names, "__dict__", "__weakref__"):
        body.pop(name, None)
    body |= {"__slots__": names, "__dataclass_fields__": fields, "__match_args__": names}
    key = _key([name for name, one in fields.items() if one.compare])
    body.setdefault("__eq__", _equality(key))
    body.setdefault("__hash__", lambda self: hash(key(self)))
    body.setdefault("__repr__", _text([name for name, one in fields.items() if one.repr]))
    body |= {"__setattr__": _refuse, "__delattr__": _refuse, "__reduce__": _reduce}
    found: Any = type(made)(made.__name__, made.__bases__, body)
    found.__init__ = _initialiser(found, fields)
    return found  # type: ignore[no-any-return]  # a class made at run time


_FIELD: Any = dataclasses._FIELD  # type: ignore[attr-defined]  # noqa: SLF001  # the mark has no other name


def _fields(body: dict[str, Any]) -> Iterator[tuple[str, Field[Any]]]:
    """The annotated names, as `dataclasses` describes them."""
    for name, kind in body.get("__annotations__", {}).items():
        if kind.startswith("ClassVar"):
            continue
        given = body.get(name, MISSING)
        one: Any = given if isinstance(given, Field) else field(default=given)
        one.name, one.type, one.kw_only = name, kind, False
        one._field_type = _FIELD  # noqa: SLF001  # what `dataclasses.fields` looks for
        yield name, one


def _key(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _self: ()


def _equality(key: Callable[[Any], Any]) -> Callable[[Any, object], Any]:
    def equal(self: Any, other: object) -> Any:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    return equal


def _text(names: list[str]) -> Callable[[Any], str]:
    def shown(self: Any) -> str:
        parts = (f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({', '.join(parts)})"

    return shown


def _initialiser(made: Any, fields: dict[str, Field[Any]]) -> Callable[..., None]:
    """`__init__`, which sets slots past the refusal to set anything."""
    space: dict[str, Any] = {}
    arguments, body = [], []
    for name, one in fields.items():
        space[f"set_{name}"] = getattr(made, name).__set__
        made_anew = one.default_factory is not MISSING
        space[f"default_{name}"] = one.default_factory if made_anew else one.default
        has_default = made_anew or one.default is not MISSING
        arguments.append(f"{name}=default_{name}" if has_default else name)
        value = f"default_{name}() if {name} is default_{name} else {name}" if made_anew else name
        body.append(f"set_{name}(self, {value})")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    text = f"def __init__(self, {', '.join(arguments)}):\n  {'; '.join(body) or 'pass'}"
    exec(text, space)  # noqa: S102  # names of fields, as the class wrote them
    return space["__init__"]  # type: ignore[no-any-return]


def _refuse(_self: Any, name: str, *_value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot change field {name!r}")


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), tuple(getattr(self, name) for name in self.__slots__)
