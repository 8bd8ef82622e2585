"""A replay: a ledger and another policy in, the tally of what it would have decided out.

Over single requests cases are decided in batches; over time one after another, with what was committed and what
happened fed in between, as `rebuild.py` feeds it.  What always holds: the ledger is read once, in order, and nothing is
written; a line that is no record ends the replay.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Self
from urllib.parse import quote

from govlang.runtime.control.replay.asking import Asker
from govlang.runtime.control.replay.case import MARK, Case, Private, Unasked, read_case
from govlang.runtime.control.replay.columns import Batch
from govlang.runtime.control.replay.tally import Tally, count
from govlang.runtime.evidence.ledger import EvidenceError
from govlang.runtime.evidence.source import DATABASE, DatabaseSource, LedgerSource, unreadable
from govlang.runtime.policy import Policy

BATCH: Final = 1024
"""Cases that are decided at once unless told otherwise."""

Progress = Callable[[int], None]
"""Hears how many records were read."""


@dataclass(slots=True)
class Memory:
    """What a policy over time was fed, and what of the ledger it did not take."""

    requests: int = 0
    steps: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    first_gap: int | None = None
    """The record from which on it remembers less than a policy that was there."""

    def lack(self, seq: int, why: str) -> None:
        count(self.left_out, why)
        if self.first_gap is None:
            self.first_gap = seq

    def to_dict(self) -> dict[str, Any]:
        left = [{"why": why, "count": times} for why, times in self.left_out.most_common()]
        fed = {"requests": self.requests, "steps": self.steps}
        return {**fed, "left_out": left, "first_gap": self.first_gap}


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found."""

    records: int
    tally: Tally
    memory: Memory | None


class NoPrivate:
    """A ledger that keeps salts at most: no value can be had again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def of(self, seq: int) -> Mapping[str, Mapping[str, Any]]:
        del seq
        return {}


class StoredPrivate:
    """The table `secrets` of a data directory, opened for reading."""

    def __init__(self, source: DatabaseSource) -> None:
        self._path = source.place / DATABASE

    def __enter__(self) -> Self:
        uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        self._database = sqlite3.connect(uri, uri=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def of(self, seq: int) -> Mapping[str, Mapping[str, Any]]:
        """The private values of a record; empty where they were forgotten."""
        query = "SELECT private FROM secrets WHERE seq = ?"
        try:
            with closing(self._database.execute(query, (seq,))) as found:
                row = found.fetchone()
            kept: dict[str, dict[str, Any]] = {} if row is None else json.loads(row[0])
        except (sqlite3.Error, ValueError) as error:
            raise unreadable(self._path, f"the private values of record {seq}: {error}") from None
        return kept


def private_of(source: LedgerSource) -> NoPrivate | StoredPrivate:
    """Where the private values of a ledger are."""
    if isinstance(source, DatabaseSource) and source.has_table("secrets"):
        return StoredPrivate(source)
    return NoPrivate()


def tell_nobody(done: int) -> None:
    """Progress that nobody watches."""
    del done


def replay(
    source: LedgerSource,
    policy: Policy,
    *,
    limit: int = 10,
    batch: int = BATCH,
    progress: Progress = tell_nobody,
) -> Replay:
    """Decide every decision of a ledger anew; `limit` examples of each class.

    Raises:
        EvidenceError: GOV500 the ledger cannot be read, or a line is no record.
    """
    asker = Asker(policy)
    tally = Tally(asker, limit)
    with private_of(source) as private:
        if policy.memory is None:
            records = _in_batches(source, private, Batch(asker), tally, batch, progress)
            return Replay(records, tally, None)
        memory = Memory()
        records = _in_order(source, private, asker, tally, memory, progress)
        return Replay(records, tally, memory)


def _in_batches(
    source: LedgerSource,
    private: Private,
    asked: Batch,
    tally: Tally,
    size: int,
    progress: Progress,
) -> int:
    number = 0
    cases = _cases(source, private)
    while found := list(islice(cases, size)):
        number += len(found)
        waiting: list[Case] = []
        for _, _, case in found:
            if isinstance(case, Unasked):
                tally.leave(case)
            elif case is not None:
                waiting.append(case)
        for case, answered in zip(waiting, asked.ask(waiting), strict=True):
            tally.add(case, answered)
        progress(number)
    return number


PACE: Final = 1000
"""Records between two words about how far a replay is."""


def _in_order(
    source: LedgerSource,
    private: Private,
    asker: Asker,
    tally: Tally,
    memory: Memory,
    progress: Progress,
) -> int:
    number = 0
    for number, record, case in _cases(source, private):
        _pause(asker, record)
        if isinstance(case, Case):
            tally.add(case, asker.ask(case))
            if case.is_committed:
                _commit(asker, case, memory)
        elif case is not None:
            tally.leave(case)
            if record.get("committed"):
                memory.lack(number, f"a request was not remembered: {case.why}")
        steps = record.get("steps", ())
        for why in asker.feed(steps):
            memory.lack(number, why)
        memory.steps += len(steps)
        if number % PACE == 0:
            progress(number)
    return number


def _commit(asker: Asker, case: Case, memory: Memory) -> None:
    why = asker.commit(case)
    memory.requests += 1
    if why is not None:
        memory.lack(case.seq, why)


def _pause(asker: Asker, record: Mapping[str, Any]) -> None:
    """A start after an unknown time."""
    is_start = record["run_timeline_event"] == "started"
    if is_start and record.get("details", {}).get("downtime_known") is False:
        asker.pause(record["at_ms"])


def _cases(
    source: LedgerSource, private: Private
) -> Iterator[tuple[int, dict[str, Any], Case | Unasked | None]]:
    """The records, counted from 1, each with its case."""
    read = json.JSONDecoder().decode
    for number, line in enumerate(source.lines(), 1):
        try:
            record: Any = read(line.decode())
            case = read_case(record, private if MARK in line else None)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            why = f"line {number} of `{source.place}` is no record"
            raise EvidenceError("GOV500", why, "run `gov evidence verify`") from None
        yield number, record, case
