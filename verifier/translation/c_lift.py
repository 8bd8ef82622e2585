"""Functions of C as machine functions: statements, and calls of static functions put in their place.

In: a function of pycparser's tree, and which of its pointers are null.  Out: a body of `machine.py`.

What always holds: no comparison of a pointer is left; every local has a value when it is declared;
every way ends in a `return`; behind one nothing stands.  All of the text is read when no pointer is
null; else only what is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pycparser import c_ast

from govlang.verifier.translation import machine
from govlang.verifier.translation.c_header import constant, parameters
from govlang.verifier.translation.c_operators import binary, truth
from govlang.verifier.translation.c_parse import check_plain, odd, place, type_text
from govlang.verifier.translation.c_returns import has_return, with_last_returns
from govlang.verifier.translation.c_scope import (
    DEADLINE,
    NEXT,
    File,
    Pending,
    Pointer,
    Scope,
    State,
    Variable,
    is_short,
    pointed,
)
from govlang.verifier.translation.c_switch import Switch
from govlang.verifier.translation.c_types import OddError, Type, Value, stored, unknown
from govlang.verifier.translation.c_values import TYPES, convert_at, evaluate
from govlang.verifier.translation.edge_time import NOW

Statements = tuple[machine.Statement, ...]


@dataclass(frozen=True, slots=True)
class Exit:
    """What a `return` becomes: the end of the machine function (`direct`), or what a call gives."""

    made: Callable[[Any, Value | None], Statements]
    direct: bool


@dataclass(frozen=True, slots=True)
class Lifted:
    """A function, and the functions and arrays that it uses."""

    function: machine.Function
    called: frozenset[str]


def lift(
    file: File, name: str, nulls: frozenset[str], given: Mapping[str, machine.Expr] | None = None
) -> Lifted:
    """A function, where the pointers of some roles are null; `given` says of others when they are none.

    Raises:
        ArtefactError: GOV416 with the line.

    """
    node, state = file.functions[name], State(file, nulls, given or {})
    state.locals.update({KIND: 32, KEEP: 32} if given else {})
    scope = Scope(state)
    for one, text in parameters(node.decl.type):
        number = _NUMBERS.get(text.removeprefix("const "))
        scope.bind(one, number or Pointer(pointed(file.header, one, text)))
    state.stack.append(name)
    body = _body(node, scope, Exit(_returned, direct=True))
    return Lifted(machine.Function(state.locals, {}, body), frozenset(state.called))


OUT_DEADLINE: Final = "out.deadline"
"""The cell that a deadline is stored in."""

KIND: Final = "kind"
KEEP: Final = "keep"
"""The locals that tell the ways into a step apart: the kind of the sample, and whether it writes."""

_NUMBERS: Final = {
    "int32_t": unknown(Type.INT32, machine.Local(32, KIND)),
    "int64_t": unknown(Type.INT64, machine.Cell(64, NOW)),
}
"""What a function that is lifted takes beside pointers, by type."""


def _returned(node: Any, value: Value | None) -> Statements:
    assert value is not None
    return (machine.Return(value.expr, place(node)),)


def _body(node: Any, scope: Scope, leave: Exit) -> Statements:
    """The body of a function whose parameters are bound; if it gives a value, it does on every way."""
    gives = type_text(node.decl.type.type)

    def left(where: Any, value: Value | None) -> Statements:
        if (value is None) != (gives == "void"):
            raise odd(where, f"a `return` of a function that gives `{gives}`")
        return leave.made(where, value and convert_at(where, value, TYPES[gives]))

    found, falls = Block(scope, Exit(left, leave.direct)).items(node.body.block_items or ())
    if falls and gives != "void":
        raise odd(node, f"`{node.decl.name}` can end without a value")
    return found


@dataclass(frozen=True, slots=True)
class Block:
    """A block being lifted: the names in it, and what a `return` in it becomes."""

    scope: Scope
    exit: Exit

    def items(self, nodes: Sequence[Any]) -> tuple[Statements, bool]:
        """The statements of a block; whether what stands behind it is reached."""
        found: list[machine.Statement] = []
        falls = True
        for number, node in enumerate(nodes):
            if not falls and self.scope.state.nulls:
                break
            if not falls or (number and self._has_left(nodes[number - 1])):
                raise odd(node, "a statement behind a `return`")
            before: list[machine.Statement] = []
            try:
                self.scope.state.count()
                own, falls = Block(self.scope.setting(before), self.exit).statement(node)
            except OddError as error:
                raise odd(node, str(error)) from None
            if not (found and isinstance(found[-1], machine.Return)):
                found += (*before, *own)
        return tuple(found), falls

    def _has_left(self, node: Any) -> bool:
        """Whether a function that is called may have returned in a statement."""
        return not self.exit.direct and has_return(node)

    def inner(self, node: Any) -> tuple[Statements, bool]:
        """A statement, or a block, with names of its own."""
        nodes = node.block_items or () if isinstance(node, c_ast.Compound) else (node,)
        return self.part(nodes)

    def part(self, nodes: Sequence[Any]) -> tuple[Statements, bool]:
        """Statements with names of their own."""
        return Block(self.scope.inner(), self.exit).items(nodes)

    def statement(self, node: Any) -> tuple[Statements, bool]:
        """A statement; whether what stands behind it is reached."""
        match node:
            case c_ast.Decl():
                return self.declaration(node), True
            case c_ast.Assignment():
                return self.assignment(node), True
            case c_ast.FuncCall():
                return self.call(node, "void"), True
            case c_ast.Cast(to_type=to, expr=c_ast.FuncCall() as call) if _is_void(to):
                return self.call(call, *TYPES), True
            case c_ast.Compound():
                return self.inner(node)
            case c_ast.If():
                return self.condition(node)
            case c_ast.Switch():
                return Switch(self, node).read()
            case c_ast.Return(expr=expr):
                return self.leave(node, expr), False
            case _:
                kind = type(node).__name__
                raise OddError(f"a statement that is none of the documented ones ({kind})")

    def leave(self, node: Any, expr: Any) -> Statements:
        """`return`, perhaps of what another function gives."""
        if self.is_long_call(expr):
            return self.inlined(expr, self.exit)
        return self.exit.made(node, None if expr is None else self.value(expr))

    def condition(self, node: Any) -> tuple[Statements, bool]:
        """`if`; of a constant condition, as pointers make them, the part that counts."""
        condition = self.value(node.cond)
        chosen = condition.constant
        then: Statements = ()
        otherwise: Statements = ()
        falls = other_falls = True
        if chosen is None or chosen or not self.scope.state.nulls:
            then, falls = self.inner(node.iftrue)
        if node.iffalse is not None and (not chosen or not self.scope.state.nulls):
            otherwise, other_falls = self.inner(node.iffalse)
        if chosen is not None and not self.scope.state.nulls:
            return then if chosen else otherwise, falls or other_falls
        if chosen is not None:
            return (then, falls) if chosen else (otherwise, other_falls)
        found = machine.If(truth(condition), then, otherwise, place(node))
        return (found,), falls or other_falls

    # --- values ----------------------------------------------------------------------------------

    def value(self, node: Any) -> Value:
        """The value of an expression here."""
        return evaluate(node, self.scope)

    def declaration(self, node: Any) -> Statements:
        """A local with its first value, in which its name means nothing yet."""
        check_plain(node)
        text = type_text(node.type)
        plain = text.removeprefix("const ")
        if plain not in TYPES or node.init is None:
            raise OddError(f"a local `{node.name}` of type `{text}`, or without a first value")
        type_, constant_ = TYPES[plain], plain != text
        name = self.scope.state.new_local(node.name, type_)
        self.scope.bind(node, Pending())
        found, first = self.received(node, type_, node.init, name)
        value = unknown(type_, machine.Local(type_.width, name))
        if constant_ and first is not None:
            value = replace(value, lo=first.lo, hi=first.hi)
        self.scope.rebind(node.name, Variable(name, type_, constant_, value))
        return found

    def received(
        self, node: Any, type_: Type, expr: Any, name: str
    ) -> tuple[Statements, Value | None]:
        """A local gets the value of an expression, which is known then, or of a call."""
        if not self.is_long_call(expr):
            value = self.kept(expr, type_) or convert_at(node, self.value(expr), type_)
            return (machine.Set(name, value.expr, place(node)),), value

        def made(where: Any, value: Value | None) -> Statements:
            assert value is not None
            return (machine.Set(name, convert_at(where, value, type_).expr, place(where)),)

        return self.inlined(expr, Exit(made, direct=False)), None

    def kept(self, expr: Any, type_: Type) -> Value | None:
        """A variable of the state, if an expression is nothing else, in a local of its width."""
        match expr:
            case c_ast.StructRef(type="->", name=c_ast.ID(name=pointer), field=field):
                found = self.scope.kept(pointer, field.name)
                return found if found is None or found.type is type_ else None
            case _:
                return None

    def assignment(self, node: Any) -> Statements:
        """An assignment to a local or to a member of what may be written."""
        match node.lvalue:
            case c_ast.ID(name=name):
                return self.set_local(node, name)
            case c_ast.StructRef() as member:
                return self.store(node, member, None)
            case c_ast.ArrayRef(name=c_ast.StructRef() as member, subscript=index):
                return self.store(node, member, index)
            case c_ast.UnaryOp(op="*", expr=c_ast.ID(name=name)):
                return self.store_deadline(node, name)
            case _:
                raise OddError("an assignment to something else than a local or the outcome")

    def set_local(self, node: Any, name: str) -> Statements:
        """An assignment to a local; `x |= e` is `x = x | e`."""
        binding = self.scope.names.get(name)
        if not isinstance(binding, Variable) or binding.constant:
            raise OddError(f"an assignment to `{name}`")
        if node.op == "=":
            return self.received(node, binding.type, node.rvalue, binding.name)[0]
        value = binary(node.op[:-1], binding.value, self.value(node.rvalue))
        return (machine.Set(binding.name, convert_at(node, value, binding.type).expr, place(node)),)

    def store(self, node: Any, member: Any, index: Any) -> Statements:
        """An assignment to a cell of the outcome, or to the state."""
        if not isinstance(member.name, c_ast.ID) or member.type != "->" or node.op != "=":
            raise OddError(
                "an assignment to no local and no `outcome->member`, or one that reads it"
            )
        role, file = self.scope.role(member.name.name), self.scope.state.file
        if role.startswith(NEXT) and index is None:
            return self.keep(node, role, member.field.name)
        found = file.header.structs.get(role, {}).get(member.field.name)
        if role != "outcome" or found is None or found.type is None:
            raise OddError(f"an assignment to `{member.field.name}`")
        cell = file.cells[role, found.name] + self.word(index, found.count)
        value = convert_at(node, self.value(node.rvalue), found.type)
        value = self.scope.state.through(role, value)
        return (machine.Store(cell, value.expr, place(node)),)

    def keep(self, node: Any, role: str, name: str) -> Statements:
        """An assignment to a variable of the state; a cast to a type of fewer bits must hold the value."""
        state, scope = self.scope.state, role.removeprefix(NEXT)
        found = state.file.header.structs[scope].get(name)
        if found is None or found.storage is None:
            raise OddError(f"an assignment to `{name}`")
        cell, expr = state.file.cells[scope, name], node.rvalue
        width = state.file.widths[cell]
        if isinstance(expr, c_ast.Cast) and found.storage.bits < width:
            is_own = type_text(expr.to_type.type) == str(found.storage) and not expr.to_type.quals
            expr = expr.expr if is_own else expr
        value = stored(self.value(expr), found.storage, width)
        state.has_stored = True
        return (machine.Store(cell, state.through(role, value).expr, place(node)),)

    def store_deadline(self, node: Any, pointer: str) -> Statements:
        """An assignment to the deadline."""
        if self.scope.role(pointer) != DEADLINE or node.op != "=":
            raise OddError(f"an assignment to what `{pointer}` points to")
        value = convert_at(node, self.value(node.rvalue), Type.INT64)
        return (machine.Store(OUT_DEADLINE, value.expr, place(node)),)

    def word(self, index: Any, count: int | None) -> str:
        """The number of a word of an array; nothing where there is no array."""
        if index is None and count is None:
            return ""
        if index is None or count is None:
            raise OddError("an array without an index, or an index of what is no array")
        word = constant(index, self.scope.state.file.header.constants).lo
        if not 0 <= word < count:
            raise OddError(f"word {word} of an array of {count}")
        return f".{word}"

    # --- calls -----------------------------------------------------------------------------------

    def is_long_call(self, node: Any) -> bool:
        """Whether a node calls a function that is more than one `return`."""
        if not isinstance(node, c_ast.FuncCall) or not isinstance(node.name, c_ast.ID):
            return False
        found = self.scope.state.file.functions.get(node.name.name)
        return found is not None and not is_short(found)

    def call(self, node: Any, *gives: str) -> Statements:
        """A call of a function of one of the types, whose value is not used."""
        if not isinstance(node.name, c_ast.ID):
            raise OddError("a call of something that is no name")
        return self.inlined(node, Exit(lambda *_: (), direct=False), *gives)

    def inlined(self, node: Any, leave: Exit, *gives: str) -> Statements:
        """The body of a function of one of the types, if none of one with a value, where it is called."""
        state, name = self.scope.state, node.name.name
        found = state.callee(name)
        if type_text(found.decl.type.type) not in (gives or TYPES):
            raise OddError(f"a call of `{name}` that uses more or less than it gives")
        inside = self.scope.arguments(found, node.args.exprs if node.args else [], [])
        state.stack.append(name)
        body = _body(found if leave.direct else with_last_returns(found), inside, leave)
        state.stack.pop()
        return body


def _is_void(node: Any) -> bool:
    return not node.quals and type_text(node.type) == "void"
