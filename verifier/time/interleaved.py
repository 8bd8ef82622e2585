"""What may be true of the last times that two versions remember of one thing, of which one keeps more than the other.

In: the ages of two operators, each from the last time on back.  Out: facts which together say that the times that the
shorter one keeps are those of the longer one, in order, without as many of them as it keeps less.

Where a limit on what was allowed is raised from n to m, and both versions let through what their limit permits, that is
so: whatever comes, the looser one has let through what the other has, and at most m - n times more that still count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import z3

from govlang.compiler import ir
from govlang.verifier.encode import Term
from govlang.verifier.time.moment import Terms
from govlang.verifier.time.suggestions import Fact, Numbers

FACTS_MAX: Final = 600
"""Facts about two operators; of longer ones nothing is guessed."""


def interleaved(a: Sequence[ir.Cell], b: Sequence[ir.Cell]) -> Iterator[Fact]:
    """That the times of one are among those of the other; nothing where both keep as many.

    The i-th of the few is one of the i-th to the (i + more)-th of the many.  If it is none of the first of these up to
    the e-th, so many were left out before it, and each one behind it is none of its first up to the e-th either.  Times
    stand in order, so this for all i and e is all that there is to say.
    """
    few, many = sorted(([one.name for one in cells] for cells in (a, b)), key=len)
    more = len(many) - len(few)
    if not 0 < more * len(few) * (len(few) + 1) // 2 <= FACTS_MAX:
        return
    for i, first in enumerate(few):
        yield _some_equal(a[0].scope, [(first, other) for other in many[i : i + more + 1]])
        for e in range(more):
            early = [(first, other) for other in many[i : i + e + 1]]
            for j in range(i + 1, len(few)):
                late = [(few[j], other) for other in many[j + e + 1 : j + more + 1]]
                yield _some_equal(a[0].scope, [*early, *late])


def _some_equal(scope: str, pairs: Sequence[tuple[str, str]]) -> Fact:
    text = " or ".join(f"`{one}` equals `{other}`" for one, other in pairs)

    def of(cells: Terms) -> Term:
        return z3.Or([cells[one] == cells[other] for one, other in pairs])

    def holds(cells: Numbers) -> bool:
        return any(cells[one] == cells[other] for one, other in pairs)

    return Fact(text, of, holds, scope=scope)
