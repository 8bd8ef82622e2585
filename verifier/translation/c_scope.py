"""What names mean where they stand in a function of C: locals, parameters, members, short calls.

In: the file that a function is in, and which of its pointers are null.  Out: the meaning that
`c_values.py` asks for.

What always holds: a pointer is never read where it is null; every local of the machine has a name of
its own; a function calls only functions that stand before it, so that nothing recurses.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pycparser import c_ast

from govlang.verifier.translation import machine
from govlang.verifier.translation.c_header import SCOPES, Header, parameters
from govlang.verifier.translation.c_operators import behind
from govlang.verifier.translation.c_parse import Array, odd, place, type_text
from govlang.verifier.translation.c_preprocess import KEYWORDS, STANDARD
from govlang.verifier.translation.c_types import OddError, Type, Value, guarded, known, unknown
from govlang.verifier.translation.c_values import TYPES, convert_at, evaluate

STATEMENTS_MAX: Final = 400_000
"""Statements of a function with all calls put in their place."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """A name of one of the function's pointers; behind `next_` the state is written."""

    role: str


NEXT: Final = "next_"
DEADLINE: Final = "deadline"


@dataclass(frozen=True, slots=True)
class Variable:
    """A local: its name in the machine, its type, whether it may be assigned, its value when read."""

    name: str
    type: Type
    constant: bool
    value: Value


@dataclass(frozen=True, slots=True)
class Pending:
    """A local whose first value is being read; C would read it unset."""


Binding = Pointer | Variable | Value | Pending
Names = ChainMap[str, Binding]


@dataclass(frozen=True, slots=True)
class File:
    """What a function may refer to.

    `functions` in the order of the text; `cells` give the documented name of every member of a role; `widths`
    the bits of the variables of the state.
    """

    header: Header
    functions: Mapping[str, Any]
    order: Mapping[str, int]
    cells: Mapping[tuple[str, str], str]
    arrays: Mapping[str, Array]
    widths: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """A function being lifted: what all its blocks, and those of the functions that it calls, share."""

    file: File
    nulls: frozenset[str]
    given: Mapping[str, machine.Expr] = field(default_factory=dict)
    """Of pointers that may be NULL, by role, when they are none; of what some of them point to, by its name."""
    locals: dict[str, int] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)
    called: set[str] = field(default_factory=set)
    """The functions that are called, and the arrays that are read."""
    statements: int = 0
    has_stored: bool = False
    """Whether the state was stored, which the pointers to it may see."""

    def new_local(self, name: str, type_: Type) -> str:
        """A local of the machine, with a name of its own."""
        number, found = 1, name
        while found in self.locals:
            number += 1
            found = f"{name}.{number}"
        self.locals[found] = type_.width
        return found

    def through(self, pointer: str, value: Value) -> Value:
        """A value that is read or written through a pointer: undefined where it is NULL."""
        given = self.given.get(pointer)
        if given is None:
            return value
        return replace(value, expr=guarded(given, value.expr), total=False, size=value.size + 5)

    def count(self) -> None:
        """One more statement or call."""
        self.statements += 1
        if self.statements > STATEMENTS_MAX:
            raise OddError(f"more than {STATEMENTS_MAX} statements")

    def callee(self, name: str) -> Any:
        """The function of a name; it stands before the one that calls it."""
        order = self.file.order
        if name not in order:
            raise OddError(f"a call of `{name}`, which is no function of the file")
        if order[name] >= order[self.stack[-1]]:
            raise OddError(f"a call of `{name}`, which stands further down")
        self.called.add(name)
        return self.file.functions[name]


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of a block.

    `before`: what may be set before the statement that is being read, as everything in it is evaluated
    anyhow; None where C may not come to evaluate it.
    """

    state: State
    names: Names = field(default_factory=ChainMap)
    before: list[machine.Statement] | None = None

    def setting(self, before: list[machine.Statement]) -> Scope:
        """This scope for one statement."""
        return replace(self, before=before)

    def lazy(self) -> Scope:
        """This scope for an operand that C may not come to evaluate."""
        return replace(self, before=None)

    def inner(self) -> Scope:
        """The scope of a block in this one."""
        return Scope(self.state, self.names.new_child())

    def bind(self, node: Any, binding: Binding) -> None:
        """A new name in this block."""
        name, file = node.name, self.state.file
        taken = name in file.header.names or name in file.order or name in self.names.maps[0]
        if taken or name in KEYWORDS or name in STANDARD:
            raise odd(node, f"`{name}` is declared although it means something already")
        self.names[name] = binding

    def rebind(self, name: str, binding: Variable) -> None:
        """A local that has its first value now."""
        self.names[name] = binding

    # --- meaning ---------------------------------------------------------------------------------

    def name(self, name: str) -> Value | None:
        """The value of a local, a parameter or a constant."""
        match self.names.get(name):
            case Variable(value=value):
                return value
            case Value() as value:
                return value
            case Pointer() | Pending():
                raise OddError(f"`{name}` has no value here")
            case None:
                return self.state.file.header.constants.get(name)

    def null(self, name: str) -> Value | None:
        """Whether a pointer is null; None if the name is no pointer."""
        binding = self.names.get(name)
        if not isinstance(binding, Pointer):
            return None
        given = self.state.given.get(binding.role)
        if given is None:
            return known(Type.INT32, int(binding.role in self.state.nulls))
        expr = machine.Compared(machine.Test.EQ, 32, given, machine.Const(32, 0))
        return Value(Type.INT32, expr, 0, 1, size=2)

    def role(self, pointer: str) -> str:
        """What a pointer points to; it is not null."""
        binding = self.names.get(pointer)
        if not isinstance(binding, Pointer):
            raise OddError(f"`{pointer}` is no pointer here")
        if binding.role in self.state.nulls:
            raise OddError(f"`{pointer}` is used although it may be NULL")
        return binding.role

    def array(self, name: str) -> Array:
        """An array of the file."""
        found = self.state.file.arrays.get(name)
        if found is None or name in self.names:
            raise OddError(f"`{name}` is no array here")
        self.state.called.add(name)
        return found

    def member(self, pointer: str, name: str) -> Value:
        """The value of a variable."""
        role, file = self.role(pointer), self.state.file
        found, cell = file.header.structs.get(role, {}).get(name), file.cells.get((role, name))
        if role == "outcome" or found is None or found.type is None or cell is None:
            raise OddError(f"`{pointer}->{name}` has no value that may be read")
        if found.storage is not None:
            raise OddError(f"`{pointer}->{name}` is read otherwise than into a local of its width")
        value = unknown(found.type, machine.Cell(found.type.width, cell))
        return self.state.through(cell if cell in self.state.given else role, value)

    def kept(self, pointer: str, name: str) -> Value | None:
        """The value of a variable of the state, in its width; None if it is none."""
        binding, file = self.names.get(pointer), self.state.file
        if not isinstance(binding, Pointer) or binding.role not in SCOPES:
            return None
        role = self.role(pointer)
        found, cell = file.header.structs[role].get(name), file.cells.get((role, name))
        if found is None or found.storage is None or cell is None:
            raise OddError(f"`{pointer}->{name}` has no value that may be read")
        if self.state.has_stored:
            raise OddError(f"`{pointer}->{name}` is read behind a store of the state")
        width, storage = file.widths[cell], found.storage
        type_ = Type.INT64 if width == 64 else Type.INT32
        return Value(type_, machine.Cell(width, cell), storage.least, storage.greatest)

    def call(self, name: str, arguments: Sequence[Any]) -> Value:
        """A call inside an expression: of a function that is one `return`."""
        node = self.state.callee(name)
        gives = type_text(node.decl.type.type)
        if not is_short(node) or gives not in TYPES:
            raise OddError(f"a call of `{name}`, which is more than one `return`, in an expression")
        forced: list[Value] = []
        inside = self.arguments(node, arguments, forced)
        self.state.stack.append(name)
        self.state.count()
        result = _result(node)
        value = convert_at(result, evaluate(result, inside), TYPES[gives])
        self.state.stack.pop()
        return behind(forced, value)

    # --- arguments -------------------------------------------------------------------------------

    def arguments(self, node: Any, given: Sequence[Any], forced: list[Value]) -> Scope:
        """The parameters of a function, bound; values that are no mere names are set before.

        Where nothing can be set, values that may be undefined and need not be read are `forced`.
        """
        wanted = [*parameters(node.decl.type)]
        if len(wanted) != len(given):
            raise OddError(f"`{node.decl.name}` takes {len(wanted)} arguments")
        inside = Scope(self.state, before=self.before)
        for (one, text), expr in zip(wanted, given, strict=True):
            if text[-1] == "*":
                inside.bind(one, self._handed_on(one, text, expr))
            else:
                inside.bind(one, self._argument(node, one, text, expr, forced))
        return inside

    def _argument(
        self, function: Any, node: Any, text: str, expr: Any, forced: list[Value]
    ) -> Value:
        plain = text.removeprefix("const ")
        if plain not in TYPES:
            raise odd(node, f"the type `{text}` of a parameter")
        value = convert_at(expr, evaluate(expr, self), TYPES[plain])
        if isinstance(value.expr, machine.Const | machine.Cell | machine.Local):
            return value
        if self.before is not None:
            name = self.state.new_local(node.name, value.type)
            self.before.append(machine.Set(name, value.expr, place(expr)))
            return replace(value, expr=machine.Local(value.type.width, name), total=True, size=1)
        if not value.total and not always_reads(_result(function), node.name):
            forced.append(value)
        return value

    def _handed_on(self, node: Any, text: str, expr: Any) -> Pointer:
        binding = self.names.get(expr.name) if isinstance(expr, c_ast.ID) else None
        if not isinstance(binding, Pointer):
            raise OddError("a pointer that is none of the arguments")
        if pointed(self.state.file.header, node, text) != binding.role:
            raise OddError(f"the {binding.role} as a `{text}`")
        return binding


def pointed(header: Header, node: Any, text: str) -> str:
    """What a parameter points to, by its type; only the outcome, the state and a deadline are written."""
    for role in header.structs:
        const = "" if role == "outcome" else "const "
        if text == f"{const}{header.policy}_{role}_t *":
            return role
        if role in SCOPES and text == f"{header.policy}_{role}_t *":
            return f"{NEXT}{role}"
    if "state" in header.structs and text == "int64_t *":
        return DEADLINE
    raise odd(node, f"the type `{text}` of a parameter")


def _result(node: Any) -> Any:
    return node.body.block_items[0].expr


def always_reads(node: Any, name: str) -> bool:
    """Whether an expression evaluates a name whatever its parts come to."""
    match node:
        case c_ast.ID(name=found):
            return bool(found == name)
        case c_ast.Cast(expr=expr) | c_ast.UnaryOp(expr=expr):
            return always_reads(expr, name)
        case c_ast.BinaryOp(op="&&" | "||", left=left):
            return always_reads(left, name)
        case c_ast.BinaryOp(left=left, right=right):
            return always_reads(left, name) or always_reads(right, name)
        case c_ast.TernaryOp(cond=condition):
            return always_reads(condition, name)
        case _:
            return False


def is_short(node: Any) -> bool:
    """Whether a function is one `return` of a value."""
    match node.body.block_items:
        case [c_ast.Return(expr=expr)] if expr is not None:
            return True
        case _:
            return False
