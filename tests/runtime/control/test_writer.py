"""The writer: groups, what is taken back, and who is told what."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest

from govlang.runtime.control.writer import StoppedError, StorageError, Workshop, Writer


class Turn:
    """A turn that notes what was written in it."""

    def __init__(self) -> None:
        self.has_written = False
        self.notes: list[str] = []

    def begin(self) -> None:
        self.has_written = False


class Shop(Workshop):
    """Keeps what was committed; refuses commits when it is told to."""

    def __init__(self) -> None:
        self.kept: list[list[str]] = []
        self.fails = 0
        self.abandoned = 0

    def open(self, operations: Any) -> Any:
        del operations
        return Turn()

    def close(self, turn: Any) -> None:
        if self.fails:
            self.fails -= 1
            raise sqlite3.OperationalError("disk is full")
        self.kept.append(turn.notes)

    def abandon(self) -> None:
        self.abandoned += 1


def note(text: str, then: BaseException | None = None) -> Any:
    def operation(turn: Any) -> str:
        turn.has_written = True
        turn.notes.append(text)
        if then is not None:
            raise then
        return text

    return operation


def refuse(error: Exception) -> Any:
    def operation(turn: Any) -> str:
        del turn
        raise error

    return operation


class Held:
    """A writer that waits at its first operation until the test has queued the others."""

    def __init__(self, shop: Shop) -> None:
        self.gate = threading.Event()
        self.writer = Writer(shop, 8, lambda *_: None)
        self.writer.start()
        self.began = threading.Event()
        self.first = self.writer.submit(self._wait)
        self.began.wait(10)

    def _wait(self, turn: Any) -> None:
        del turn
        self.began.set()
        self.gate.wait(10)

    def let_go(self) -> None:
        self.gate.set()
        self.first.result(10)


def test_what_waits_is_committed_together() -> None:
    shop = Shop()
    held = Held(shop)
    futures = [held.writer.submit(note(str(n))) for n in range(5)]
    held.let_go()
    assert [one.result(10) for one in futures] == list("01234")
    assert shop.kept == [[], list("01234")]


def test_a_refusal_costs_the_others_nothing() -> None:
    shop = Shop()
    held = Held(shop)
    one = held.writer.submit(note("a"))
    two = held.writer.submit(refuse(ValueError("no")))
    three = held.writer.submit(note("c"))
    held.let_go()
    assert (one.result(10), three.result(10)) == ("a", "c")
    with pytest.raises(ValueError, match="no"):
        two.result(10)
    assert shop.kept[-1] == ["a", "c"]
    assert shop.abandoned == 0


def test_one_that_breaks_after_it_wrote_is_taken_back_alone() -> None:
    shop = Shop()
    held = Held(shop)
    one = held.writer.submit(note("a"))
    two = held.writer.submit(note("b", KeyError("torn")))
    three = held.writer.submit(note("c"))
    held.let_go()
    assert (one.result(10), three.result(10)) == ("a", "c")
    with pytest.raises(KeyError):
        two.result(10)
    assert [n for group in shop.kept for n in group] == ["a", "c"], "what broke is nowhere"
    assert shop.abandoned >= 1
    assert held.writer.is_alive


def test_a_disk_that_refuses_is_told_to_everybody_and_the_writer_goes_on() -> None:
    shop = Shop()
    held = Held(shop)
    held.let_go()
    shop.fails = 3
    one, two = (held.writer.submit(note(n)) for n in "ab")
    for future in (one, two):
        with pytest.raises(StorageError):
            future.result(10)
    shop.fails = 0
    assert held.writer.submit(note("c")).result(10) == "c"
    assert held.writer.is_alive
    assert shop.kept[-1] == ["c"]


def test_a_caller_that_left_does_not_stop_the_writer() -> None:
    shop = Shop()
    held = Held(shop)
    one = held.writer.submit(note("a"))
    two = held.writer.submit(note("b"))
    assert one.cancel()
    held.let_go()
    assert two.result(10) == "b"
    with pytest.raises(CancelledError):
        one.result(10)
    assert [n for group in shop.kept for n in group] == ["b"], "what nobody waits for had not begun"


def test_a_writer_that_stops_carries_out_what_it_took_in() -> None:
    shop = Shop()
    held = Held(shop)
    futures = [held.writer.submit(note(str(n))) for n in range(3)]
    held.gate.set()
    held.writer.stop()
    assert [one.result(0) for one in futures] == list("012")
    with pytest.raises(StoppedError):
        held.writer.submit(note("late"))
    assert not held.writer.is_alive
