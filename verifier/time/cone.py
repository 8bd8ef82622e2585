"""What of a relation concerns a question: the cone of its variables.

In: what holds of samples, as many terms.  Out: for a question those of them that speak of what it reads.

What always holds: a part that excludes a question excludes it for the whole, too.  That a part does not
exclude it proves nothing, but the terms that are left out share no variable with the rest, except the kind of the
sample and its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import z3

from govlang.verifier.encode import Term

Variables = frozenset[int]
"""Variables by their numbers in the solver's context."""


def variables(term: Term) -> Variables:
    """The variables of a term."""
    context, found, met = term.ctx_ref(), set(), set()
    stack = [term.as_ast()]
    while stack:
        one = stack.pop()
        number = z3.Z3_get_ast_id(context, one)
        if number in met:
            continue
        met.add(number)
        size = z3.Z3_get_app_num_args(context, one)
        stack += [z3.Z3_get_app_arg(context, one, i) for i in range(size)]
        if not size and _is_variable(context, one):
            found.add(number)
    return frozenset(found)


def _is_variable(context: Term, one: Term) -> bool:
    kind = z3.Z3_get_decl_kind(context, z3.Z3_get_app_decl(context, one))
    return bool(kind == z3.Z3_OP_UNINTERPRETED)


class Indexed:
    """Terms that are found, by their place, from the variables of which they speak."""

    def __init__(self, terms: Iterable[Term], hubs: Variables) -> None:
        """`hubs` bind nothing together; terms without other variables are part of every question."""
        self._about = [variables(term) - hubs for term in terms]
        self._always = [place for place, about in enumerate(self._about) if not about]
        self._by_variable: dict[int, list[int]] = {}
        for place, about in enumerate(self._about):
            for one in about:
                self._by_variable.setdefault(one, []).append(place)

    def within(self, wanted: Variables) -> list[int]:
        """The terms that speak of nothing else."""
        places = {i for one in wanted for i in self._by_variable.get(one, ())}
        return [*self._always, *(i for i in sorted(places) if self._about[i] <= wanted)]

    def bound(self, wanted: Variables) -> tuple[list[int], Variables]:
        """The terms that speak of these variables, or of what such terms speak of; and all of that."""
        found: set[int] = set()
        met, stack = set(wanted), list(wanted)
        while stack:
            new = [i for i in self._by_variable.get(stack.pop(), ()) if i not in found]
            found.update(new)
            for one in {one for i in new for one in self._about[i]} - met:
                met.add(one)
                stack.append(one)
        return [*self._always, *sorted(found)], frozenset(met)


class Cone:
    """What holds of the last sample of a relation."""

    def __init__(
        self,
        laws: Sequence[Term],
        facts: Sequence[Term],
        defined: Iterable[tuple[Term, Term]],
        hubs: Iterable[Term],
    ) -> None:
        """`laws` hold of samples, `facts` of cells; `defined` variables are what terms say."""
        self._hubs = frozenset(one.get_id() for one in hubs)
        self._terms, self._known = laws, facts
        self._laws, self._facts = Indexed(laws, self._hubs), Indexed(facts, self._hubs)
        self._defined = {one.get_id(): (one == term, term) for one, term in defined}
        self._read: dict[int, Variables] = {}

    def near(self, asked: Iterable[Term]) -> list[Term]:
        """What a question reads, with the facts about nothing else."""
        own, wanted = self._definitions(asked)
        return [*own, *self._those(self._facts.within(wanted), self._laws.bound(wanted)[0])]

    def whole(self, asked: Iterable[Term]) -> list[Term]:
        """All that a question depends on, directly or not."""
        own, wanted = self._definitions(asked)
        facts, wanted = self._facts.bound(wanted)
        return [*own, *self._those(facts, self._laws.bound(wanted)[0])]

    def _those(self, facts: Iterable[int], laws: Iterable[int]) -> list[Term]:
        return [*(self._known[i] for i in facts), *(self._terms[i] for i in laws)]

    def _definitions(self, asked: Iterable[Term]) -> tuple[list[Term], Variables]:
        """The definitions of what is asked, and all variables of both."""
        wanted: Variables = frozenset().union(*map(variables, asked))
        found = []
        for one in sorted(wanted & self._defined.keys()):
            equal, term = self._defined[one]
            if one not in self._read:
                self._read[one] = variables(term)
            found.append(equal)
            wanted |= self._read[one]
        return found, wanted - self._hubs
