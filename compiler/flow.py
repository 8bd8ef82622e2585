"""Which optional fields an expression reads, and which it proves to be there.

In: the flows of the parts of an expression, in the order in which they are evaluated.  Out: the
flow of the whole.  An expression is safe where everything that it still needs is known to be
present: `has x and x > 3`, `not has x or x > 3`, `if has x then x else 0`, `has x implies x > 3`.

INVARIANT: if the facts in `when_true` (`when_false`) do not hold of a request, the condition is not
true (false) of it, whatever an absent field reads as.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import reduce
from typing import Final

from govlang.dsl.record import record
from govlang.dsl.source import Span

Fields = frozenset[str]
Needs = Mapping[str, Span]

_NOTHING: Final[Fields] = frozenset()


@record
class Flow:
    """What an expression needs, and the fields that are present when it is true or false.

    `needs` maps a field to the first place that reads it unguarded.
    """

    needs: Needs = field(default_factory=dict)
    when_true: Fields = _NOTHING
    when_false: Fields = _NOTHING

    def lacks(self, known: Fields) -> Needs:
        """What is needed and not known to be present."""
        return {name: span for name, span in self.needs.items() if name not in known}


EMPTY: Final = Flow()


def read(name: str, span: Span) -> Flow:
    """An optional field is read."""
    return Flow({name: span})


def presence(name: str) -> Flow:
    """`has name`."""
    return Flow(when_true=frozenset((name,)))


def negated(flow: Flow) -> Flow:
    """`not a`."""
    if not flow.when_true and not flow.when_false:
        return flow
    return Flow(flow.needs, flow.when_false, flow.when_true)


def both(left: Flow, right: Flow) -> Flow:
    """`a and b`: b is evaluated where a is true."""
    if left is EMPTY and right is EMPTY:
        return EMPTY
    return Flow(
        _merged(left.needs, right.lacks(left.when_true)),
        left.when_true | right.when_true,
        left.when_false & right.when_false,
    )


def either(left: Flow, right: Flow) -> Flow:
    """`a or b`: b is evaluated where a is false."""
    return negated(both(negated(left), negated(right)))


def implied(left: Flow, right: Flow) -> Flow:
    """`a implies b`."""
    return either(negated(left), right)


def chosen(condition: Flow, then: Flow, otherwise: Flow) -> Flow:
    """`if c then a else b`."""
    if condition is EMPTY and then is EMPTY and otherwise is EMPTY:
        return EMPTY
    branches = _merged(then.lacks(condition.when_true), otherwise.lacks(condition.when_false))
    return Flow(
        _merged(condition.needs, branches),
        (condition.when_true | then.when_true) & (condition.when_false | otherwise.when_true),
        (condition.when_true | then.when_false) & (condition.when_false | otherwise.when_false),
    )


def together(flows: Iterable[Flow]) -> Flow:
    """Operands of arithmetic and of comparisons: all are evaluated, none guards another."""
    return reduce(_joined, flows, EMPTY)


def _joined(left: Flow, right: Flow) -> Flow:
    if not right.needs:
        return Flow(left.needs) if left.when_true or left.when_false else left
    return Flow(_merged(left.needs, right.needs))


def _merged(first: Needs, second: Needs) -> Needs:
    if not second:
        return first
    return {**second, **first}
