"""The canonical core: the checked IR as canonical JSON, and its hash, the snapshot.

In: a policy.  Out: bytes that depend on its meaning only (RFC 8785): layout and comments leave the
snapshot as it was.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import rfc8785

from govlang.compiler import ir

CORE_VERSION: Final = 1


def core_json(policy: ir.Policy) -> bytes:
    """The canonical bytes of a policy."""
    return rfc8785.dumps({"core": CORE_VERSION, "policy": _plain(policy)})


def snapshot(core: bytes) -> str:
    """The name of a policy's meaning: `sha256:` and the hash of its core in hexadecimal."""
    return "sha256:" + hashlib.sha256(core).hexdigest()


def _plain(node: Any) -> Any:
    """Dataclasses as objects with their class in `is`, sets sorted, big integers as text.

    RFC 8785 numbers are doubles, so an integer beyond 2**53 is written as a decimal text.
    """
    match node:
        case bool() | None:
            return node
        case Enum():
            return node.value
        case int():
            return node if abs(node) < 2**53 else str(node)
        case str():
            return node
        case tuple() | list():
            return [_plain(item) for item in node]
        case frozenset():
            return sorted(_plain(item) for item in node)
        case _ if is_dataclass(node):
            named = {
                f.name: _plain(getattr(node, f.name)) for f in fields(node) if f.name != "span"
            }
            return {"is": type(node).__name__} | named
        case _:
            raise TypeError(f"{type(node).__name__} has no place in the core")


class CoreError(ValueError):
    """Bytes that are no core this version can read; the message says where."""


def read_core(core: bytes) -> ir.Policy:
    """The policy whose canonical core these bytes are.

    Raises:
        CoreError: the bytes are no core, of another version, or not the canonical form.
    """
    try:
        document = json.loads(core)
        if document["core"] != CORE_VERSION:
            raise CoreError(f"core version {document['core']} is not {CORE_VERSION}")
        policy = _typed(document["policy"], ir.Policy)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CoreError(f"the core cannot be read: {error}") from error
    if not isinstance(policy, ir.Policy) or core_json(policy) != core:
        raise CoreError("the core is not in its canonical form")
    return policy


@cache
def _hints(name: str) -> tuple[type, dict[str, Any]]:
    """The IR class of that name and the types of its fields."""
    cls = getattr(ir, name, None)
    if not (isinstance(cls, type) and is_dataclass(cls)):
        raise CoreError(f"`{name}` is no node of the IR")
    hints = get_type_hints(cls)
    return cls, {f.name: hints[f.name] for f in fields(cls) if f.name != "span"}


def _typed(value: Any, hint: Any) -> Any:
    """A JSON value as the type that the IR declares for its place."""
    if isinstance(value, dict):
        cls, hints = _hints(value["is"])
        if value.keys() - {"is"} != hints.keys():
            raise CoreError(f"`{value['is']}` has the wrong fields")
        return cls(**{name: _typed(value[name], hints[name]) for name in hints})
    if get_origin(hint) in (Union, UnionType):
        present = [one for one in get_args(hint) if one is not type(None)]
        return None if value is None else _typed(value, present[0])
    if get_origin(hint) is tuple:
        return _typed_tuple(value, get_args(hint))
    if get_origin(hint) is frozenset:
        return frozenset(_typed(item, get_args(hint)[0]) for item in value)
    if hint is int and isinstance(value, str):
        return int(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if hint not in (int, str, bool) or type(value) is not hint:
        raise CoreError(f"a {type(value).__name__} stands where {hint} belongs")
    return value


def _typed_tuple(value: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise CoreError("a list is missing")
    if args[-1] is Ellipsis:
        return tuple(_typed(item, args[0]) for item in value)
    return tuple(_typed(item, one) for item, one in zip(value, args, strict=True))
