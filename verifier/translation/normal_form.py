"""What a policy asks in the form in which artefacts are compared.

In: trees of a policy laid out over columns (`source.py`).  Out: the same in the normal form of `integers.py`.
"""

from __future__ import annotations

from govlang.verifier.translation.conditions import Conditions
from govlang.verifier.translation.tree import Tree


def normal_condition(tree: Tree, numbers: Conditions) -> Tree:
    """A condition of the policy in the normal form of `integers.py`."""
    domain = numbers.domain
    match tree[0]:
        case "and":
            return domain.conj([normal_condition(part, numbers) for part in tree[1:]])
        case "or":
            return domain.disj([normal_condition(part, numbers) for part in tree[1:]])
        case "not":
            return domain.neg(normal_condition(tree[1], numbers))
        case "eq" | "lt" | "le":
            a, b = normal_integer(tree[1], numbers), normal_integer(tree[2], numbers)
            return numbers.compared(tree[0], a, b)
        case "normal":  # it is one already
            found: Tree = tree[1]
            return found
        case "ne0":
            return numbers.truth(normal_integer(tree[1], numbers))
        case _:
            return tree


def normal_integer(tree: Tree, numbers: Conditions) -> Tree:
    """An integer of the policy in the normal form of `integers.py`."""
    match tree[0]:
        case "floor":
            return numbers.floor(normal_integer(tree[1], numbers), tree[2])
        case "if":
            a, b = normal_integer(tree[2], numbers), normal_integer(tree[3], numbers)
            return numbers.chosen(normal_condition(tree[1], numbers), a, b)
        case "truth":
            return numbers.number(normal_condition(tree[1], numbers))
        case "load":
            return numbers.load(tree[1])
        case "const":
            return tree
        case _:
            a, b = normal_integer(tree[1], numbers), normal_integer(tree[2], numbers)
            return numbers.exact(tree[0], a, b)
