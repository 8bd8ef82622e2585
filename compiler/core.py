"""The canonical core: the checked IR as canonical JSON, and its hash, the snapshot.

In: a policy.  Out: bytes that depend on its meaning only (RFC 8785): layout and comments leave the
snapshot as it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

import rfc8785

from govlang.compiler import ir

CORE_VERSION: Final = 1


def core_json(policy: ir.Policy) -> bytes:
    """The canonical bytes of a policy."""
    return rfc8785.dumps({"core": CORE_VERSION, "policy": plain(policy)})


def snapshot(core: bytes) -> str:
    """The name of a policy's meaning: `sha256:` and the hash of its core in hexadecimal."""
    return "sha256:" + hashlib.sha256(core).hexdigest()


def plain(node: Any) -> Any:
    """A part of a policy as JSON: dataclasses as objects with their class in `is`, sets sorted, big integers as text.

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
            return [plain(item) for item in node]
        case frozenset():
            return sorted(plain(item) for item in node)
        case _ if is_dataclass(node):
            named = {f.name: plain(getattr(node, f.name)) for f in fields(node) if f.name != "span"}
            return {"is": type(node).__name__} | named
        case _:
            raise TypeError(f"{type(node).__name__} has no place in the core")
