"""The variables of an artefact, by cases: all of them in their domains, or which is the first that is not.

In: an interface.  Out: for each case a domain, and what a variable is in it as a tree.  Together the cases
are everything that a host can set.

Columns are variables in their order; behind them, for each, what it holds where it counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from govlang.compiler import ir
from govlang.verifier.translation.deadline import NEVER, Deadline
from govlang.verifier.translation.edge_interface import Interface, Variable
from govlang.verifier.translation.integers import const
from govlang.verifier.translation.paths import FREE, Path
from govlang.verifier.translation.tree import Domain, Spans, Tree, minus
from govlang.verifier.translation.words import Words


@dataclass(frozen=True, slots=True)
class Case:
    """Some of what a host can set: the domain, and what must hold beside it.

    `checked`: the first variables, which lie in their domains; of the others nothing is known.
    """

    interface: Interface
    words: Words
    spans: list[Spans | None]
    members: list[int]
    checked: int
    start: Path = FREE
    kind: int = ir.REQUEST

    def variable(self, name: str, path: Path) -> Tree:
        """The value of a variable where the path is taken."""
        number = self.interface.number(name)
        one = self.interface.variables[number]
        if not one.counts(self.kind):
            return self.words.load(len(self.interface.variables) + number)
        if number >= self.checked or not one.present:
            return self.words.load(number)
        condition = path.simplified(self.present(one), self.words.domain)
        stray = ("load", len(self.interface.variables) + number)
        return self.words.chosen(condition, self.words.load(number), stray)

    def present(self, one: Variable) -> Tree:
        """The variable counts."""
        return _present(one, self.words.domain)


def _present(one: Variable, domain: Domain) -> Tree:
    return domain.conj([domain.inside(number, ((1, 1),)) for number in one.present])


def _free(one: Variable) -> Spans | None:
    """Whatever a variable can hold."""
    return None if one.is_set else one.whole


def _case(
    interface: Interface,
    own: Sequence[Spans | None],
    bits: Sequence[int],
    checked: int,
    deadline: Deadline,
    kind: int = ir.REQUEST,
) -> Case:
    variables = interface.variables
    own = [
        spans if one.counts(kind) or one.is_set else ((one.absent, one.absent),)
        for one, spans in zip(variables, own, strict=True)
    ]
    bits = [count if one.counts(kind) else 0 for one, count in zip(variables, bits, strict=True)]
    spans = [*own, *map(_free, variables)]
    members = [*bits, *(one.width if one.is_set else 0 for one in variables)]
    domain = Domain(spans, members, deadline)
    widths = {i: one.width for i, one in enumerate((*variables, *variables)) if one.is_set}
    absent = {
        number: (_present(one, domain), const(one.absent))
        for number, one in enumerate(variables[:checked])
        if one.present and one.counts(kind)
    }
    words = Words(domain, widths, absent=absent)
    return Case(interface, words, spans, members, checked, kind=kind)


def valid_case(
    interface: Interface,
    own: Sequence[Spans | None],
    bits: Sequence[int],
    deadline: Deadline = NEVER,
    kind: int = ir.REQUEST,
) -> Case:
    """Every variable lies in its domain, which is given, or counts for nothing."""
    return _case(interface, own, bits, len(interface.variables), deadline, kind)


def domains(interface: Interface) -> tuple[list[Spans | None], list[int]]:
    """The domains of all variables, and the members of those that are sets."""
    listed = interface.variables
    return [_domain(one) for one in listed], [_members(one) if one.is_set else 0 for one in listed]


def invalid_case(
    interface: Interface, number: int, deadline: Deadline = NEVER, kind: int = ir.REQUEST
) -> Case | None:
    """A variable counts and lies outside its domain, the ones before it do not; None if none can.

    `kind` is that of the sample.
    """
    one = interface.variables[number]
    if not one.counts(kind):
        return None
    own = [_domain(v) if i < number else _free(v) for i, v in enumerate(interface.variables)]
    for place in one.present:
        own[place] = ((1, 1),)
    bits = [
        0 if not v.is_set else _members(v) if i < number else v.width
        for i, v in enumerate(interface.variables)
    ]
    if not one.is_set:
        own[number] = minus(one.whole, one.domain)
        return _case(interface, own, bits, number, deadline, kind) if own[number] else None
    case = _case(interface, own, bits, number, deadline, kind)
    strange = case.words.domain.any_of(number, (1 << one.width) - (1 << _members(one)))
    start = FREE.narrowed(strange, case.words.domain)
    if start is None:
        return None
    return Case(interface, case.words, case.spans, case.members, number, start, kind)


def _members(one: Variable) -> int:
    return one.column.hi.bit_length()


def _domain(one: Variable) -> Spans | None:
    return None if one.is_set else one.domain
