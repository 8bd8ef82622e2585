"""Values for the variables of a policy at the edge, for tests that hold artefacts against each other.

In: a generator and the variables.  Out: rows of patterns: inside the domains, but for at most one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from govlang.compiler.program import Variable
from govlang.verifier.translation.machine_run import signed


def values(rng: random.Random, variables: Sequence[Variable]) -> Iterator[dict[str, int]]:
    """Rows without an end."""
    while True:
        found = {v.name: _inside(rng, v) for v in variables}
        if variables and rng.random() < 0.3:
            one = rng.choice(variables)
            wild = (
                one.lo - 1,
                one.hi + 1,
                one.unset,
                -1,
                rng.getrandbits(64),
                1 << (one.width - 1),
            )
            found[one.name] = rng.choice(wild)
        yield {v.name: signed(found[v.name], v.width) for v in variables}


def _inside(rng: random.Random, one: Variable) -> int:
    if one.mask and rng.random() < 0.5:
        return rng.getrandbits(64) & one.hi
    near = rng.choice((one.lo, one.hi, one.lo + 1, rng.randint(one.lo, one.hi)))
    return min(max(near, one.lo), one.hi)
