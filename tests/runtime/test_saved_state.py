"""Saved states at their edges."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator

import pytest
from small_memory import load, small

from govlang.runtime.policy import Policy

KEYS = [f"k{i}" for i in range(40)]


@pytest.fixture
def collecting() -> Iterator[None]:
    """Finalizers run at nearly every object that is made (until Python 3.11 in the middle of C, too)."""
    before = gc.get_threshold()
    gc.collect()
    yield
    gc.set_threshold(*before)
    gc.enable()


class Late:
    """Takes a sample of the last key in when it is found to be garbage, and is so again `left` times."""

    def __init__(self, policy: Policy, left: int) -> None:
        self.policy, self.left, self.own = policy, left, self

    def __del__(self) -> None:
        self.policy.commit({"who": KEYS[-1]}, now_ms=1_000 - self.left)
        if self.left > 0:
            Late(self.policy, self.left - 1)


@pytest.mark.usefixtures("collecting")
def test_what_is_saved_is_of_one_moment() -> None:
    policy = load(small())
    for who in KEYS:
        policy.commit({"who": who}, now_ms=0)
    gc.disable()
    Late(policy, 100)
    gc.set_threshold(1)
    gc.enable()
    saved = policy._save()
    gc.disable()
    times = {(scope, key): struct.unpack_from("<q", state)[0] for scope, key, state in saved}
    assert len(times) == 1 + len(KEYS)
    assert times[1, KEYS[-1].encode()] == times[0, b""], "a sample came between the two"
