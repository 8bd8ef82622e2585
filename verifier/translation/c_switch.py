"""`switch` of C as a statement of the machine.

In: a node of pycparser's tree and the block that it stands in.  Out: the statement, and whether what stands behind
it is reached.

What always holds: each part ends in a `break` or a `return`; its labels are constants of the type of what is compared,
no two the same; a `default` is the last part and alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycparser import c_ast

from govlang.verifier.translation import machine
from govlang.verifier.translation.c_header import constant
from govlang.verifier.translation.c_parse import odd, place
from govlang.verifier.translation.c_types import OddError, Type
from govlang.verifier.translation.c_values import convert_at

if TYPE_CHECKING:
    from govlang.verifier.translation.c_lift import Block

Statements = tuple[machine.Statement, ...]


@dataclass(slots=True)
class Switch:
    """A `switch` being lifted: its parts so far."""

    block: Block
    node: Any

    def read(self) -> tuple[Statements, bool]:
        """The statement; whether what stands behind it is reached."""
        subject = self.block.value(self.node.cond)
        if subject.low or not isinstance(self.node.stmt, c_ast.Compound):
            raise OddError("a `switch` of another form")
        parts: list[tuple[tuple[int, ...], Statements]] = []
        rest: tuple[Statements, bool] | None = None
        seen: set[int] = set()
        falls = False
        for nodes in self.groups():
            last = nodes[-1]
            labels = [self.label(one, subject.type, seen) for one in nodes if one is not last]
            if isinstance(last, c_ast.Default):
                rest = self.part(last)
                continue
            labels.append(self.label(last, subject.type, seen))
            body, part_falls = self.part(last)
            parts.append((tuple(labels), body))
            falls = falls or part_falls
        otherwise, other_falls = rest or ((), True)
        found = machine.Switch(subject.expr, tuple(parts), otherwise, place(self.node))
        return (found,), falls or other_falls

    def groups(self) -> list[list[Any]]:
        """The labels of each part; the last one of them has its statements, `default` is alone and last."""
        groups: list[list[Any]] = [[]]
        for one in self.node.stmt.block_items or ():
            if not isinstance(one, c_ast.Case | c_ast.Default) or one.attributes:
                raise odd(one, "a statement before the first label of a `switch`")
            groups[-1].append(one)
            if one.stmts:
                groups.append([])
        defaults = [group for group in groups if any(isinstance(n, c_ast.Default) for n in group)]
        if groups.pop() or not groups:
            raise OddError("a `switch` whose last part is empty")
        if defaults not in ([], [groups[-1]]) or any(len(group) > 1 for group in defaults):
            raise OddError("a `default` that is not the last part, or not alone")
        return groups

    def label(self, node: Any, type_: Type, seen: set[int]) -> int:
        """The constant of a `case`, in the type of what it is compared with."""
        constants = self.block.scope.state.file.header.constants
        given = constant(node.expr, constants)
        value = convert_at(node, given, type_)
        expr = value.expr
        if not isinstance(expr, machine.Const) or value.lo != given.lo or expr.value in seen:
            raise odd(node, "a `case` that stands there twice, or never is")
        seen.add(expr.value)
        return expr.value

    def part(self, node: Any) -> tuple[Statements, bool]:
        """A part without its `break`; whether it comes to that."""
        match node.stmts:
            case [*nodes, c_ast.Break()] | [c_ast.Compound(block_items=[*nodes, c_ast.Break()])]:
                broken = True
            case nodes:
                broken = False
        if any(isinstance(one, c_ast.Decl) for one in node.stmts):
            raise odd(node, "a declaration in a part of a `switch` without braces of its own")
        found, falls = self.block.part(nodes)
        if falls != broken:
            raise odd(node, "a part of a `switch` without a `break` or a `return` at its end")
        return found, falls
