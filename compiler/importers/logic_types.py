"""What JSON-Logic must know of fields and nodes: declarations in, kinds and units out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum, auto
from typing import Any, assert_never

from govlang.compiler.importers.logic_errors import UNKNOWN, error
from govlang.dsl import ast
from govlang.dsl.diagnostics import did_you_mean


class Kind(Enum):
    """The types that JSON-Logic can tell apart."""

    NUMBER = auto()
    TEXT = auto()
    ENUM = auto()
    SET = auto()
    BOOL = auto()


def kind_of(field: ast.Field) -> Kind:
    """The kind of a field."""
    match field.type:
        case ast.NumberType():
            return Kind.NUMBER
        case ast.EnumType():
            return Kind.ENUM
        case ast.SetType():
            return Kind.SET
        case ast.PlainType(kind=ast.Plain.BOOL):
            return Kind.BOOL
        case ast.PlainType(kind=ast.Plain.KEY) | ast.TextType():
            return Kind.TEXT
        case ast.PlainType():
            return Kind.NUMBER
        case _:
            assert_never(field.type)


def unit_of(left: ast.Field | None, right: ast.Field | None) -> str | None:
    """The unit that bare numbers beside these fields are in."""
    for field in (left, right):
        if field is None:
            continue
        match field.type:
            case ast.NumberType():
                return field.type.unit
            case ast.PlainType(kind=ast.Plain.TIME) | ast.PlainType(kind=ast.Plain.DURATION):
                return "ms"
            case _:
                pass
    return None


class Schema:
    """The fields that expressions may read, and what the nodes over them give."""

    def __init__(self, fields: Sequence[ast.Field]) -> None:
        self.fields: Mapping[str, ast.Field] = {f.name.text: f for f in fields}

    def plain_var(self, node: Any) -> str | None:
        """The field that a node reads and nothing else; None where it has a default."""
        match node:
            case {"var": str(word)} | {"var": [str(word)]} if len(node) == 1:
                return word
            case _:
                return None

    def field(self, word: Any, at: str) -> ast.Field:
        """The declaration of a field; GOV602 if there is none."""
        if not isinstance(word, str) or word not in self.fields:
            near = did_you_mean(str(word), self.fields)
            raise error(
                UNKNOWN, at, f"there is no field `{word}`", near or "declare it in the schema"
            )
        return self.fields[word]

    def any_field(self, node: Any) -> ast.Field | None:
        """A field that a value reads, for its unit."""
        match node:
            case {"var": [str(word), *_]} | {"var": str(word)}:
                return self.fields.get(word)
            case {"*": _}:
                return next((f for f in map(self.any_field, node["*"]) if f is not None), None)
            case dict():
                parts = next(iter(node.values()))
                found = map(self.any_field, parts if isinstance(parts, list) else [parts])
                return next((f for f in found if f is not None), None)
            case _:
                return None

    def kind(self, node: Any) -> Kind | None:
        """What a node gives; None for a constant."""
        match node:
            case str() if node in self.fields:
                return kind_of(self.fields[node])
            case {"var": _}:
                field = self.any_field(node)
                return None if field is None else kind_of(field)
            case {"+": _} | {"-": _} | {"*": _} | {"/": _} | {"min": _} | {"max": _}:
                return Kind.NUMBER
            case {"if": [_, then, *_]} | {"?:": [_, then, *_]}:
                return self.kind(then) or constant_kind(then)
            case dict():
                return Kind.BOOL
            case _:
                return None

    def is_constant(self, node: Any) -> bool:
        """Whether a node is no operation and no list."""
        return not isinstance(node, dict | list)

    def fits(self, node: Any, kind: Kind) -> bool:
        """Whether a node is an operation, or a constant of this kind."""
        return not self.is_constant(node) or constant_kind(node) is kind


def constant_kind(node: Any) -> Kind | None:
    """What a constant is; None for null, lists and objects."""
    match node:
        case bool():
            return Kind.BOOL
        case int() | Decimal():
            return Kind.NUMBER
        case str():
            return Kind.TEXT
        case _:
            return None
