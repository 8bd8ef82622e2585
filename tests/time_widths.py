"""Policies of many cells of every width, so that instances take every shape: in C their cells are moved by vectors.

In: a seeded `random.Random`.  Out: a policy whose cells grow or stand still, with and without a sign, and are set to
numbers of their ranges by events.  What always holds: every cell is set by some event.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import tables
from time_ir_policies import KEY, OTHER, SAMPLES, SCOPES, sampled

from govlang.compiler import ir

TOPS = (1, 200, 255, 256, 60_000, 2**16 - 1, 2**31, 2**32 - 1, 2**32, 2**52)
"""Ends of ranges, two and more of each width."""

COUNTS = (0, 0, 1, 2, 3, 5, 16, 17, 40)


def wide_policy(rng: Random) -> ir.Policy:
    """A policy with two rules on cells at most."""
    cells: list[ir.Cell] = []
    updates: list[ir.Update] = []
    for scope in SCOPES:
        for top in rng.sample(TOPS, rng.randint(0, 4)):
            count = rng.choice(COUNTS)
            cells += [cell_of(rng, f"{scope}.{top}.{n}", scope, top) for n in range(count)]
    for cell in cells:
        for event in rng.sample("efgdvs", rng.randint(1, 3)):
            value = rng.choice(
                (cell.field.lo, cell.field.hi, rng.randint(cell.field.lo, cell.field.hi))
            )
            updates.append(ir.Update(ir.Stage.TAKE, cell.name, sampled(event), ir.IntConst(value)))
    samples = tuple(replace(one, permit=None) for one in SAMPLES)
    time = ir.Time(tuple(cells), tuple(updates), samples, KEY.name, 2**40)
    asked = [cell for cell in cells if cell.scope in (ir.SHARED, KEY.name)]
    rules = tuple(
        ir.Rule(f"r{n}", ir.InRanges(cell.name, ((cell.field.lo, cell.field.hi // 2),)), effect)
        for n, (cell, effect) in enumerate(
            zip(asked, (ir.Effect.DENY, ir.Effect.THROTTLE), strict=False)
        )
    )
    return tables.policy_of(KEY, OTHER, rules=rules, time=time)


def cell_of(rng: Random, name: str, scope: str, top: int) -> ir.Cell:
    """A cell of up to `top`; it grows from 0 or -1 on, to its end or not so far, or stands still."""
    lo = rng.choice((0, 0, -1, -top // 2, 1))
    initial = rng.choice((lo, top, rng.randint(lo, top)))
    cap = rng.choice((None, top, top, rng.randint(0, top))) if lo < 1 else None
    return ir.Cell(ir.cell_field(name, lo, top), scope, initial, cap)
