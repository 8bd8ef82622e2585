"""A writer that is killed at any moment loses nothing that it acknowledged, and the chain stays whole."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from govlang.runtime.evidence.audit import audit, records
from govlang.runtime.evidence.ledger import Ledger


def write_until_killed(place: Path, acknowledged: int) -> None:
    """The child: append for ever, and say after each append that it was done."""
    with Ledger(place) as ledger:
        while True:
            head = ledger.append({"job_id": "j", "n": ledger.head.count}, salt=b"s" * 16)
            os.write(acknowledged, head.count.to_bytes(8, "little"))


def kill_once(place: Path, delay_s: float) -> int:
    """Fork a writer, kill it after a while; the last count that it acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            write_until_killed(place, writer)
        finally:
            os._exit(1)
    os.close(writer)
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    told = b""
    while chunk := os.read(reader, 1 << 16):
        told += chunk
    os.close(reader)
    return int.from_bytes(told[-8:], "little") if told else 0


def run_rounds(place: Path, rounds: int) -> None:
    rng = random.Random(rounds)
    for round_ in range(rounds):
        acknowledged = kill_once(place, rng.uniform(0.002, 0.03))
        with Ledger(place) as ledger:
            assert ledger.head.count >= acknowledged
            ledger.append({"job_id": f"after {round_}"})
        assert audit(place).intact
    assert [r["seq"] for r in records(place)] == list(range(1, audit(place).records + 1))


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    run_rounds(tmp_path, 20)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_thousand_kills_lose_nothing(tmp_path: Path) -> None:
    for part in range(10):
        run_rounds(tmp_path / str(part), 100)
