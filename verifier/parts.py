"""The parts of a condition: where they stand, what stands in their place, how they read.

In: a condition.  Out: its parts, conditions with a part replaced, words.
"""

from __future__ import annotations

from govlang.compiler import ir

Path = tuple[int, ...]
"""Where a part stands in a condition: the index of an operand, level by level."""


def compared_fields(condition: ir.BoolExpr) -> list[str]:
    """The numbers that comparisons compute with."""
    names: dict[str, None] = {}
    for atom in ir.atoms(condition):
        if isinstance(atom, ir.Compare):
            for part in (*ir.int_parts(atom.left), *ir.int_parts(atom.right)):
                if isinstance(part, ir.FieldValue):
                    names[part.name] = None
    return list(names)


def children(node: ir.BoolExpr) -> tuple[ir.BoolExpr, ...]:
    """The parts of a condition, one level down."""
    match node:
        case ir.Not(operand=operand):
            return (operand,)
        case ir.And(operands=operands) | ir.Or(operands=operands):
            return operands
        case _:
            return ()


def part_of(node: ir.BoolExpr, path: Path) -> ir.BoolExpr:
    """The part of a condition at a path."""
    for k in path:
        node = children(node)[k]
    return node


def replaced(node: ir.BoolExpr, path: Path, by: ir.BoolExpr) -> ir.BoolExpr:
    """A condition with one part replaced."""
    if not path:
        return by
    first, *rest = path
    match node:
        case ir.Not(operand=operand):
            return ir.Not(replaced(operand, tuple(rest), by))
        case ir.And(operands=operands) | ir.Or(operands=operands):
            changed = list(operands)
            changed[first] = replaced(operands[first], tuple(rest), by)
            return type(node)(tuple(changed))
        case _:
            raise ValueError("no such part")


def describe(node: ir.BoolExpr) -> str:
    """A condition without a place in a source, in words."""
    match node:
        case ir.InRanges(name=name, ranges=allowed):
            return f"{name} in " + ", ".join(f"{lo}..{hi}" for lo, hi in allowed)
        case ir.Has(name=name):
            return f"has {name}"
        case ir.SetTest(name=name, op=op):
            return f"{name} {op.value} …"
        case ir.TextTest(name=name, patterns=patterns):
            return f"{name} " + ", ".join(f'{p.kind.value} "{p.text}"' for p in patterns)
        case ir.TextEqual(left=left, right=right):
            return f"{left} == {right}"
        case ir.Compare(op=op):
            return f"… {op.value} …"
        case ir.Not(operand=operand):
            return f"not {describe(operand)}"
        case ir.And(operands=operands):
            return " and ".join(describe(one) for one in operands)
        case ir.Or(operands=operands):
            return " or ".join(describe(one) for one in operands)
        case _:
            return "the condition"
