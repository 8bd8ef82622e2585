"""The clock of the gates goes on while the host sleeps, and never with a wall clock that is set."""

from __future__ import annotations

import time

import pytest

from govlang.runtime.control.hostclock import host_clock

HOUR_NS = 3_600_000_000_000
NO_CLOCK = "CLOCK_BOOTTIME"


@pytest.mark.skipif(not hasattr(time, NO_CLOCK), reason="this system has no clock that sleeps not")
def test_time_goes_on_while_the_host_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = [0]
    boot, awake = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.monotonic_ns()
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _: boot + slept[0])
    monkeypatch.setattr(time, "monotonic_ns", lambda: awake)
    clock = host_clock()
    before = clock()
    slept[0] = HOUR_NS
    assert clock() - before == 3_600_000


@pytest.mark.parametrize("has_boot", [True, False])
def test_a_wall_clock_that_is_set_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, *, has_boot: bool
) -> None:
    if not has_boot:
        monkeypatch.delattr(time, NO_CLOCK, raising=False)
    clock = host_clock()
    before, wall = clock(), time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: wall - HOUR_NS)
    assert 0 <= clock() - before < 60_000
