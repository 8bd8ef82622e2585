"""What a header declares: structs, constants, what members hold at first, functions.

In: the parsed header and its macros.  Out: `Header`.

What always holds: there is a request, an outcome and perhaps parameters, whose members have one of the
documented types and distinct names; every member of request and parameters has a first value; nothing
else is declared.  Names are those of C; `c_names.py` knows the documented ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pycparser import c_ast

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_parse import Array, check_plain, odd, place, type_text
from govlang.verifier.translation.c_preprocess import KEYWORDS, STANDARD
from govlang.verifier.translation.c_types import (
    STORAGES,
    OddError,
    Storage,
    Type,
    Value,
    known,
)
from govlang.verifier.translation.c_values import TYPES, convert_at, evaluate
from govlang.verifier.translation.machine_run import signed

ROLES: Final = ("request", "params", "sample", "shared", "state", "outcome")
SCOPES: Final = ("shared", "state")
"""Structs of the state; what a member of theirs is read into has the bits of its variable."""

FIRST_VALUES: Final = {
    "request": "REQUEST_UNSET",
    "params": "PARAMS_DEFAULT",
    "sample": "SAMPLE_UNSET",
    "shared": "SHARED_START",
    "state": "STATE_START",
}
"""What the macros of first values are called, by what they fill."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct: a number, an array of masks (`type`, `count`), or bytes (no type).

    A member of the state has a `storage`, and the type that what it holds is promoted to.
    """

    name: str
    type: Type | None
    count: int | None
    at: str
    storage: Storage | None = None


@dataclass(slots=True)
class Header:
    """The declarations of a header, by C's names."""

    policy: str = ""
    structs: dict[str, dict[str, Member]] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    """What a public function is declared as: `int32_t(const POLICY_request_t *, …)`."""
    unset: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of everything but the outcome: what each number holds at first, in its width."""

    names: set[str] = field(default_factory=set)
    """All names of the two files but those inside functions and structs."""

    places: dict[str, str] = field(default_factory=dict)
    """Where each of them is declared."""

    def declare(self, at: str, name: str | None) -> str:
        """A new name of the files."""
        if not name or name in KEYWORDS or name in STANDARD or name in self.names:
            raise ArtefactError(at, f"`{name}` is declared although it means something already")
        self.names.add(name)
        self.places[name] = at
        return name


def read_header(nodes: Sequence[Any], macros: Sequence[Any]) -> Header:
    """What a header declares.

    Raises:
        ArtefactError: GOV416 with the line.

    """
    header = Header()
    for node in nodes:
        match node:
            case c_ast.Typedef(type=c_ast.TypeDecl(type=c_ast.Struct())):
                _struct(header, node)
            case c_ast.Decl(type=c_ast.Enum()):
                _enum(header, node)
            case c_ast.Decl(type=c_ast.FuncDecl()):
                check_plain(node)
                name = header.declare(place(node), node.name)
                header.functions[name] = signature(node.type)
                _check_parameters(header, node)
            case _:
                raise odd(node, "the header declares more than structs, constants and functions")
    _check_whole(header)
    for node in macros:
        _macro(header, node)
    _check_unset(header)
    return header


def _check_parameters(header: Header, node: Any) -> None:
    """The names of parameters hide no type that stands behind them."""
    names = [one.name for one, _ in parameters(node.type)]
    if len({*names}) < len(names) or {*names} & (header.names | KEYWORDS | STANDARD):
        raise odd(node, "a parameter whose name means something else already")


def _check_whole(header: Header) -> None:
    missing = {"request", "outcome"} - set(header.structs)
    if missing:
        raise ArtefactError("header line 1", f"no struct for the {min(missing)}")


def _check_unset(header: Header) -> None:
    missing = set(FIRST_VALUES) & set(header.structs) - set(header.unset)
    if missing:
        raise ArtefactError("header line 1", f"no first values for the {min(missing)}")


# --- structs ---------------------------------------------------------------------------------------


def _struct(header: Header, node: Any) -> None:
    decl, struct = node.type, node.type.type
    extras = (node.quals, decl.quals, decl.align, decl.attributes, struct.attributes, struct.name)
    if any(extras) or node.storage != ["typedef"]:
        raise odd(node, "what stands beside a struct")
    policy, _, role = header.declare(place(node), node.name).removesuffix("_t").rpartition("_")
    if role not in ROLES or role in header.structs or header.policy not in ("", policy):
        raise odd(node, f"the struct `{node.name}`")
    header.policy = policy
    members: dict[str, Member] = {}
    for one in struct.decls or ():
        member = _member(one, role)
        if member.name in members or member.name in KEYWORDS or member.name in STANDARD:
            raise odd(one, f"the member `{member.name}`")
        members[member.name] = member
    header.structs[role] = members


def _member(node: Any, role: str) -> Member:
    if not isinstance(node, c_ast.Decl) or not node.name:
        raise odd(node, "a member without a name")
    check_plain(node)
    kind, _, count = type_text(node.type).partition("[")
    size = int(count[:-1]) if count else None
    if role in SCOPES and kind in STORAGES and size is None:
        return Member(node.name, TYPES.get(kind, Type.INT32), None, place(node), STORAGES[kind])
    if (
        kind in TYPES
        and role not in SCOPES
        and (size is None or (role == "outcome" and kind == "uint32_t" and size))
    ):
        return Member(node.name, TYPES[kind], size, place(node))
    if kind == "uint8_t" and size and role == "request":
        return Member(node.name, None, size, place(node))
    raise odd(node, f"the type `{type_text(node.type)}` of the member `{node.name}`")


# --- constants -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constants:
    """The meaning of an expression that has constants only."""

    values: Mapping[str, Value]

    def name(self, name: str) -> Value | None:
        """The value of a constant."""
        return self.values.get(name)

    def null(self, name: str) -> Value | None:  # noqa: ARG002  # the form of `Meaning`
        """There are no pointers."""
        return None

    def member(self, pointer: str, name: str) -> Value:
        """There are no structs."""
        raise OddError(f"`{pointer}->{name}` in a constant")

    def call(self, name: str, arguments: Sequence[Any]) -> Value:  # noqa: ARG002
        """There are no functions."""
        raise OddError(f"a call of `{name}` in a constant")

    def array(self, name: str) -> Array:
        """There are no arrays."""
        raise OddError(f"`{name}[…]` in a constant")

    def lazy(self) -> Constants:
        """The same."""
        return self


def constant(node: Any, values: Mapping[str, Value]) -> Value:
    """The value of a constant expression."""
    value = evaluate(node, Constants(values))
    if value.constant is None or value.low:
        raise odd(node, "a constant expression without a value")
    return value


def _enum(header: Header, node: Any) -> None:
    check_plain(node)
    enum = node.type
    if node.name or enum.attributes or enum.underlying_type or enum.values is None:
        raise odd(node, "an `enum` that is no list of constants")
    if enum.name:
        header.declare(place(node), enum.name)
    following = 0
    for one in enum.values.enumerators:
        if not isinstance(one, c_ast.Enumerator) or one.attributes:
            raise odd(one, "an `enum` that is no list of constants")
        given = known(Type.INT64, following)
        value = constant(one.value, header.constants) if one.value is not None else given
        if not Type.INT32.least <= value.lo <= Type.INT32.greatest:
            raise odd(one, f"`{one.name}` does not fit `int`")
        header.constants[header.declare(place(one), one.name)] = known(Type.INT32, value.lo)
        following = value.lo + 1


def _macro(header: Header, node: Any) -> None:
    name = header.declare(place(node), node.name)
    initialisers = {
        f"{header.policy.upper()}_{word}": role
        for role, word in FIRST_VALUES.items()
        if role in header.structs or role in ("request", "params")
    }
    role = initialisers.get(name)
    if isinstance(node.init, c_ast.InitList):
        if role not in header.structs:
            raise odd(node, f"`{name}` initialises nothing that is declared")
        header.unset[role] = _initial(header, node.init, header.structs[role])
    elif role is not None or node.init is None:
        raise odd(node, f"`{name}` is no initialiser")
    else:
        header.constants[name] = constant(node.init, header.constants)


def _initial(header: Header, node: Any, members: Mapping[str, Member]) -> dict[str, int]:
    exprs = node.exprs
    if len(exprs) != len(members):
        raise odd(node, f"{len(exprs)} first values for {len(members)} members")
    found: dict[str, int] = {}
    for expr, member in zip(exprs, members.values(), strict=True):
        if member.type is None:
            _check_zero(header, expr)
            continue
        value = constant(expr, header.constants)
        if member.storage is not None:
            found[member.name] = _first(expr, value, member, member.storage)
            continue
        if member.type.signed and not member.type.least <= value.lo <= member.type.greatest:
            raise odd(expr, f"the first value of `{member.name}` does not fit its type")
        pattern = convert_at(expr, value, member.type).lo
        found[member.name] = signed(pattern, member.type.width)
    return found


def _first(expr: Any, value: Value, member: Member, storage: Storage) -> int:
    """What a member of the state holds at first."""
    if not storage.least <= value.lo <= storage.greatest:
        raise odd(expr, f"the first value of `{member.name}` does not fit its type")
    return value.lo


def _check_zero(header: Header, expr: Any) -> None:
    match expr:
        case c_ast.InitList(exprs=[one]) if constant(one, header.constants).lo == 0:
            return
        case _:
            raise odd(expr, "bytes that start otherwise than `{ 0 }`")


# --- functions -------------------------------------------------------------------------------------


def parameters(node: Any) -> Iterator[tuple[Any, str]]:
    """The parameters of a function, with their types."""
    params = node.args.params if node.args else None
    if not params:
        raise odd(node, "a function without a list of parameters")
    if len(params) == 1 and isinstance(params[0], c_ast.Typename):
        if type_text(params[0].type) != "void":
            raise odd(node, "a parameter without a name")
        return
    for one in params:
        if not isinstance(one, c_ast.Decl) or not one.name:
            raise odd(node, "a parameter without a name")
        check_plain(one)
        yield one, type_text(one.type)


def signature(node: Any) -> str:
    """What a function takes and gives; `const` of a parameter itself is not part of it."""
    taken = (
        text if text[-1] == "*" else text.removeprefix("const ") for _, text in parameters(node)
    )
    if node.attributes:
        raise odd(node, "what stands beside a function")
    return f"{type_text(node.type)}({', '.join(taken)})"
