"""Reads a canonical core back, which only a test has to do: that it can be done shows that nothing is lost.

In: the bytes of a core.  Out: the policy.
"""

from __future__ import annotations

import json
from dataclasses import fields
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from govlang.compiler import ir


def read_core(core: bytes) -> ir.Policy:
    policy = typed(json.loads(core)["policy"], ir.Policy)
    assert isinstance(policy, ir.Policy)
    return policy


@cache
def hints_of(name: str) -> tuple[Any, dict[str, Any]]:
    """The IR class of that name and the types of its fields."""
    cls = getattr(ir, name)
    hints = get_type_hints(cls)
    return cls, {f.name: hints[f.name] for f in fields(cls) if f.name != "span"}


def typed(value: Any, hint: Any) -> Any:
    """A JSON value as the type that the IR declares for its place."""
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(value, dict):
        cls, hints = hints_of(value["is"])
        assert value.keys() == {"is", *hints}
        return cls(**{name: typed(value[name], hints[name]) for name in hints})
    if origin in (Union, UnionType):
        present = [one for one in args if one is not type(None)]
        return None if value is None else typed(value, present[0])
    if origin is tuple:
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        return tuple(typed(item, kind) for item, kind in zip(value, kinds, strict=True))
    if origin is frozenset:
        return frozenset(typed(item, args[0]) for item in value)
    if hint is int and isinstance(value, str):
        return int(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    assert type(value) is hint
    return value
