from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from govlang.native.errors import CodedError
from govlang.runtime.control.archive import Archive
from govlang.runtime.evidence.checkpoint import read_checkpoint
from govlang.runtime.evidence.ledger import Head, chain_line
from govlang.runtime.evidence.merkle import is_consistent, is_included, leaf_hash, root_of


class Lines:
    """A store that has nothing but a ledger."""

    def __init__(self) -> None:
        self.all: list[bytes] = []

    def reader(self) -> Lines:
        return self

    def tail(self) -> tuple[int, bytes] | None:
        return (len(self.all), self.all[-1]) if self.all else None

    def lines(self, first: int) -> Iterator[bytes]:
        return iter(self.all[first - 1 :])


def chained(count: int) -> list[bytes]:
    """So many records, each of which names the one before."""
    found, head = [], Head()
    for _ in range(count):
        line, head = chain_line({}, head)
        found.append(line)
    return found


def archive(folder: Path, store: Lines) -> Archive:
    settings: Any = SimpleNamespace(checkpoint_records=100, checkpoint_s=60.0, origin="log")
    found: Any = store
    return Archive(folder, found, settings)


def hashes(proof: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(one) for one in proof["hashes"]]


def test_proofs_hold_for_every_size_up_to_the_newest_checkpoint(tmp_path: Path) -> None:
    store = Lines()
    kept = archive(tmp_path, store)
    for size in (300, 301, 302, 650):
        store.all = chained(size)
        kept._sign()
        assert kept.size == size
    leaves = [leaf_hash(line) for line in store.all]
    for size in (1, 2, 255, 256, 300, 512, 600, 650):
        root = root_of(leaves[:size])
        proof = kept.proof({"seq": size, "size": size})
        assert is_included(leaves[size - 1], size - 1, size, hashes(proof), root)
        for first in {1, size // 2 or 1, size}:
            proof = kept.proof({"from": first, "to": size})
            old = root_of(leaves[:first])
            assert is_consistent(first, size, old, root, hashes(proof))
    note = kept.checkpoint()
    assert note is not None
    assert read_checkpoint(note).root == root_of(leaves)


def stopped(count: int) -> list[bytes]:
    """Records, the last of which tells of a stop."""
    head, found = Head(), []
    for number in range(count):
        event = "stopped" if number == count - 1 else "tick"
        line, head = chain_line({"run_timeline_event": event}, head)
        found.append(line)
    return found


@pytest.mark.parametrize(
    ("lines", "is_signed", "is_warned_of"),
    [
        (chained(99), False, False),
        (chained(100), False, True),
        (stopped(3), False, True),
        (chained(100), True, False),
        (stopped(3), True, False),
        ([], False, False),
    ],
)
def test_a_checkpoint_that_was_due_and_is_not_there_is_warned_of(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    lines: list[bytes],
    is_signed: bool,  # a case of the table
    is_warned_of: bool,
) -> None:
    store = Lines()
    kept = archive(tmp_path, store)
    store.all = lines
    if is_signed:
        kept._sign()
    archive(tmp_path, store)
    told = [one for one in caplog.messages if "no checkpoint, though one was due" in one]
    assert bool(told) is is_warned_of


@pytest.mark.parametrize(
    "query", [{"seq": 4}, {"seq": 0}, {"seq": 1, "size": 4}, {"from": 4, "to": 3}, {"to": 3}]
)
def test_a_proof_of_what_is_not_there_is_refused(tmp_path: Path, query: dict[str, int]) -> None:
    store = Lines()
    store.all = chained(3)
    kept = archive(tmp_path, store)
    kept._sign()
    with pytest.raises(CodedError, match="GOV667"):
        kept.proof(query)


def test_an_archive_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    store = Lines()
    store.all = chained(2)
    archive(tmp_path, store)._sign()
    store.all = chained(3)
    again = archive(tmp_path, store)
    again.start()
    again.stop()
    assert again.size == 3
    store.all[0] = b"x"
    with pytest.raises(CodedError, match="GOV661"):
        archive(tmp_path, store)
