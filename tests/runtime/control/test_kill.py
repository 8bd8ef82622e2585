"""Kill -9 at every durable step: nothing that was acknowledged is lost, nothing runs twice, the ledger verifies."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from control_plane import START_MS, bundle_of
from killing import COUNTED, found_again, live_until
from model_plane import quick

LIFE_MS = 1_000_000
STEPS = 150
"""So many durable steps a life has, about; most of them are those of the first start and of the commits."""


def kills(folder: Path, points: list[int]) -> int:
    """Kill a process at each of those steps, one after another over the same folder; how many were killed."""
    count = 0
    for life, fatal in enumerate(points):
        at_ms = START_MS + life * LIFE_MS
        was_killed, told, _ = live_until(folder, at_ms, life, fatal)
        count += was_killed
        asyncio.run(found_again(folder, at_ms + LIFE_MS // 2, told, life))
    return count


@pytest.mark.parametrize("part", range(4))
def test_the_first_start_and_all_that_follows_survive_a_kill(tmp_path: Path, part: int) -> None:
    bundle_of(COUNTED)
    with quick():
        for fatal in range(1 + part, 60, 4):
            assert kills(tmp_path / str(fatal), [fatal]) == 1, "it was killed there"


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_a_thousand_kills_lose_nothing(tmp_path: Path, part: int) -> None:
    dice = random.Random(part)
    bundle_of(COUNTED)
    count = number = 0
    with quick():
        while count < 100:
            number += 1
            points = [
                1 + (10 * number + part) % STEPS,
                *(dice.randrange(1, STEPS) for _ in range(4)),
            ]
            count += kills(tmp_path / str(number), points)
