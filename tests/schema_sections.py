"""The section `gov.schema` of modules, for tests that change it."""

from __future__ import annotations

import json
from typing import Any

from govlang.compiler.wasm_binary import HEADER, name, unsigned

NAME = name("gov.schema")


def schema_of(module: bytes) -> dict[str, Any]:
    """The schema in a module."""
    text = module[module.index(NAME) + len(NAME) :].decode("utf-8", "replace")
    plain: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return plain


def with_section(module: bytes, content: bytes) -> bytes:
    """The module with another content of `gov.schema`; the sections behind it are dropped."""
    at = module.index(NAME)
    start = max(i for i in range(at - 6, at) if module[i] == 0)
    return module[:start] + section(content)


def with_schema(module: bytes, schema: Any) -> bytes:
    """The module with another schema."""
    return with_section(module, json.dumps(schema).encode())


def bare_module(schema: Any) -> bytes:
    """A module that holds nothing but a schema."""
    return HEADER + section(json.dumps(schema).encode())


def section(content: bytes) -> bytes:
    """A custom section `gov.schema`."""
    return b"\0" + unsigned(len(NAME) + len(content)) + NAME + content
