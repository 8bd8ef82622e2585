"""Values for the policy of c_demo.py, and its outcome by C's names.

In: a count and a seed.  Out: rows of member values, mostly inside the domains, as patterns.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from typing import Final

from govlang.verifier.translation.machine_run import signed

POINTS: Final = (
    0,
    1,
    2,
    3,
    7,
    24,
    25,
    26,
    99,
    100,
    101,
    -1,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    5 * 10**9,
)


def rows(count: int, seed: int = 0) -> Iterator[dict[str, int]]:
    """Values of the demo's members."""
    rng = random.Random(seed)
    for _ in range(count):
        odd = rng.random() < 0.2
        yield {
            "battery": signed(rng.choice(POINTS), 32) if odd else rng.randint(0, 100),
            "has_zone": rng.choice((0, 1, 1, 1, 2)) if odd else rng.choice((0, 1)),
            "zone": rng.choice((*POINTS, -(2**63), 2**63 - 1, rng.randint(-99, 99))),
            "tags": signed(rng.choice(POINTS), 32) if odd else rng.randint(0, 7),
            "approved": rng.choice((0, 1, -1, -(2**63), rng.getrandbits(62))),
            "param_heavy": rng.choice(POINTS[:12]),
        }


def documented_row(row: Mapping[str, int]) -> dict[str, int]:
    """The row by the documented names."""
    return {
        name.replace("has_", "has.").replace("param_", "param."): value
        for name, value in row.items()
    }


def c_cells(cells: Mapping[str, int]) -> dict[str, int]:
    """Cells as c_compiled.py gives them: by C's names, 32-bit masks without a sign."""
    return {
        re.sub(r"\.(\d+)$", r"[\1]", cell.removeprefix("out.")).replace(".", "_"): (
            value & 0xFFFFFFFF if cell.startswith("out.limited") else value
        )
        for cell, value in cells.items()
    }
