from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govlang.native.errors import CodedError
from govlang.runtime.evidence import tree as module
from govlang.runtime.evidence.checkpoint import Checkpoint, PublicKey, open_checkpoint
from govlang.runtime.evidence.ledger import EvidenceError
from govlang.runtime.evidence.merkle import is_consistent, is_included, leaf_hash, root_of
from govlang.runtime.evidence.note import Signer
from govlang.runtime.evidence.tiles import (
    ENTRIES,
    ENTRY_MAX,
    Tiles,
    bundle,
    tile_path,
    unbundle,
)
from govlang.runtime.evidence.tree import Rhythm, Tree

SIGNER = Signer("log", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
KEYS = (PublicKey(SIGNER.verifier),)
SIZES = (0, 1, 2, 3, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_000)


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"record %d" % i for i in range(first, count)]


def tree(folder: Path, rhythm: Rhythm | None = None) -> Tree:
    return Tree(folder, "log", (SIGNER,), rhythm=rhythm)


def signed(folder: Path) -> Checkpoint:
    return open_checkpoint((folder / "checkpoint").read_bytes(), KEYS)[0]


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (0, 1, "tile/0/000.p/1"),
        (1_234_067, 256, "tile/0/x001/x234/067"),
        (1_000, 255, "tile/0/x001/000.p/255"),
    ],
)
def test_a_tile_lies_where_the_specification_says(index: int, width: int, path: str) -> None:
    assert tile_path(0, index, width) == path
    assert tile_path(ENTRIES, 5) == "tile/entries/005"


def test_a_tree_grows_through_all_its_tiles(tmp_path: Path) -> None:
    grown = tree(tmp_path)
    done = 0
    for size in SIZES:
        grown.extend(lines(size, done))
        done = size
        grown.checkpoint()
        leaves = [leaf_hash(line) for line in lines(size)]
        tiles = Tiles(tmp_path, size)
        assert signed(tmp_path) == Checkpoint("log", size, root_of(leaves))
        assert tiles.root() == root_of(leaves)
        first = max(0, size - 300)
        assert list(tiles.entries(first, size)) == lines(size, first)


def test_proofs_come_from_the_tiles_alone(tmp_path: Path) -> None:
    size = 1_000
    grown = tree(tmp_path)
    grown.extend(lines(size))
    grown.checkpoint()
    leaves = [leaf_hash(line) for line in lines(size)]
    root, tiles = signed(tmp_path).root, Tiles(tmp_path, size)
    for index in (0, 1, 255, 256, 511, 767, 768, 998, 999):
        assert is_included(leaves[index], index, size, tiles.inclusion(index), root)
    for first in (1, 2, 255, 256, 300, 512, 768, 999, 1_000):
        old = root_of(leaves[:first])
        assert is_consistent(first, size, old, root, tiles.consistency(first))
        assert is_included(leaves[0], 0, first, tiles.inclusion(0, first), old)
        assert is_consistent(1, first, leaves[0], old, tiles.consistency(1, first))
    for asked in (lambda: tiles.inclusion(0, 1_001), lambda: tiles.consistency(1, 1_001)):
        with pytest.raises(ValueError, match="has 1000 entries"):
            asked()


def test_only_the_tiles_of_the_last_two_checkpoints_stay(tmp_path: Path) -> None:
    grown = tree(tmp_path)
    for size in (10, 20, 30):
        grown.extend(lines(size, size - 10))
        grown.checkpoint()
    found = sorted(p.name for p in (tmp_path / "tile/0/000.p").iterdir())
    assert found == ["20", "30"]
    for size in (300, 310):
        grown.extend(lines(size, grown.size))
        grown.checkpoint()
    assert not (tmp_path / "tile/0/000.p").exists()
    assert sorted(p.name for p in (tmp_path / "tile/0/001.p").iterdir()) == ["44", "54"]


def test_a_reader_with_an_older_checkpoint_finds_the_full_tile(tmp_path: Path) -> None:
    grown = tree(tmp_path)
    for size in (200, 300, 400):
        grown.extend(lines(size, grown.size))
        grown.checkpoint()
    assert not (tmp_path / "tile/0/000.p").exists()
    assert Tiles(tmp_path, 200).root() == root_of([leaf_hash(line) for line in lines(200)])


def test_a_tree_goes_on_from_the_lines(tmp_path: Path) -> None:
    grown = tree(tmp_path)
    grown.extend(lines(300))
    grown.checkpoint()
    again = tree(tmp_path)
    again.extend(lines(900))
    note = again.checkpoint()
    whole = tree(tmp_path / "other")
    whole.extend(lines(900))
    (tmp_path / "other").mkdir(exist_ok=True)
    assert note == whole.checkpoint()


@pytest.mark.parametrize(
    "other",
    [
        lines(299),
        [],
        [b"x", *lines(400, 1)],
        [*lines(299), b"x", *lines(400, 300)],
        lines(400)[::-1],
        lines(400, 1),
    ],
)
def test_a_tree_that_is_no_extension_is_not_signed(tmp_path: Path, other: list[bytes]) -> None:
    grown = tree(tmp_path)
    grown.extend(lines(300))
    note = grown.checkpoint()

    def go_on() -> None:
        again = tree(tmp_path)
        again.extend(other)
        again.checkpoint()

    with pytest.raises(EvidenceError, match="GOV661"):
        go_on()
    assert (tmp_path / "checkpoint").read_bytes() == note


def test_a_checkpoint_of_another_writer_stands(tmp_path: Path) -> None:
    one, other = tree(tmp_path), tree(tmp_path)
    one.extend(lines(3))
    other.extend([*lines(2), b"fork"])
    note = one.checkpoint()
    with pytest.raises(EvidenceError, match="GOV662"):
        other.checkpoint()
    assert (tmp_path / "checkpoint").read_bytes() == note


def test_a_checkpoint_of_another_origin_or_key_is_not_gone_on_from(tmp_path: Path) -> None:
    tree(tmp_path).checkpoint()
    with pytest.raises(EvidenceError, match=r"GOV661.*of `log`, not of `other`"):
        Tree(tmp_path, "other", (SIGNER,))
    stranger = Signer("log", Ed25519PrivateKey.generate())
    with pytest.raises(CodedError, match="GOV664"):
        Tree(tmp_path, "log", (stranger,))
    Tree(tmp_path, "log", (stranger,), KEYS)


def test_a_record_that_no_tile_can_hold_is_refused(tmp_path: Path) -> None:
    grown = tree(tmp_path)
    grown.extend([b"x" * ENTRY_MAX])
    with pytest.raises(EvidenceError, match="GOV660"):
        grown.extend([b"x" * (ENTRY_MAX + 1)])
    grown.checkpoint()
    assert list(Tiles(tmp_path, 1).entries(0, 1)) == [b"x" * ENTRY_MAX]


def test_a_checkpoint_is_due_after_so_many_records_or_so_long(tmp_path: Path) -> None:
    grown = tree(tmp_path, Rhythm(every=3, within_ms=1_000))
    assert not grown.is_due(5_000)
    grown.extend(lines(1), now_ms=5_000)
    assert not grown.is_due(5_999)
    assert grown.is_due(6_000)
    grown.extend(lines(3, 1), now_ms=5_001)
    assert grown.is_due(5_002)
    grown.checkpoint()
    assert not grown.is_due(9_000)
    grown.extend(lines(4, 3), now_ms=9_000)
    assert not grown.is_due(9_999)
    assert grown.is_due(10_000)


def test_an_unchanged_tree_is_not_signed_again(tmp_path: Path) -> None:
    grown = tree(tmp_path)
    grown.extend(lines(5))
    assert grown.checkpoint() == grown.checkpoint()


def test_tiles_that_were_deleted_are_made_anew(tmp_path: Path) -> None:
    grown = tree(tmp_path)
    grown.extend(lines(600))
    note = grown.checkpoint()
    shutil.rmtree(tmp_path / "tile")
    again = tree(tmp_path)
    again.extend(lines(600))
    assert again.checkpoint() == note
    assert Tiles(tmp_path, 600).root() == signed(tmp_path).root
    assert list(Tiles(tmp_path, 600).entries(0, 600)) == lines(600)


@pytest.mark.parametrize("content", [b"\x00", b"\x00\x05abc", b"\x00\x01ab", b"\xff"])
def test_a_broken_tile_of_entries_is_none(content: bytes) -> None:
    assert unbundle(content) is None


def test_entries_go_through_a_bundle() -> None:
    entries = [b"", b"a", b"b" * ENTRY_MAX]
    assert unbundle(bundle(entries)) == entries


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("tile/0/000", lambda p: p.unlink()),
        ("tile/0/000", lambda p: p.write_bytes(p.read_bytes()[:-1])),
        ("tile/0/001.p/44", lambda p: p.write_bytes(p.read_bytes() + b"x" * 32)),
        ("tile/0/001.p/44", lambda p: (p.unlink(), p.mkdir())),
    ],
)
def test_a_tile_that_is_missing_or_broken_is_a_coded_error(
    tmp_path: Path, path: str, change: Callable[[Path], object]
) -> None:
    grown = tree(tmp_path)
    grown.extend(lines(300))
    grown.checkpoint()
    change(tmp_path / path)
    with pytest.raises(EvidenceError, match="GOV666"):
        Tiles(tmp_path, 300).inclusion(3 if path.endswith("000") else 270)


class KilledError(Exception):
    """Stands for the end of the program."""


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program end before its write number `step`."""
    writes: Iterator[int] = iter(range(10_000))
    whole = module.write_whole

    def write(path: Path, content: bytes, mode: int = 0o644) -> None:
        if next(writes) >= step:
            raise KilledError
        whole(path, content, mode)

    monkeypatch.setattr(module, "write_whole", write)
    monkeypatch.setattr("govlang.runtime.evidence.tiles.write_whole", write)


@pytest.mark.parametrize("step", range(12))
def test_a_writer_that_ends_at_any_write_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    begun = tree(tmp_path)
    begun.extend(lines(100))
    begun.checkpoint()
    with monkeypatch.context() as patch:
        killed_at(step, patch)
        try:
            begun.extend(lines(600, 100))
            begun.checkpoint()
            ended = False
        except KilledError:
            ended = True
    assert ended == (step < 8), "two tiles of entries, two of hashes, three partial, one note"
    assert Tiles(tmp_path, signed(tmp_path).size).root() == signed(tmp_path).root
    again = tree(tmp_path)
    again.extend(lines(650))
    again.checkpoint()
    assert signed(tmp_path).size == 650
    assert Tiles(tmp_path, 650).root() == root_of([leaf_hash(line) for line in lines(650)])


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_killed_writers_leave_checkpoints_that_agree(tmp_path: Path) -> None:
    rng = random.Random(1)
    before: Checkpoint | None = None
    for _ in range(10):
        child = os.fork()
        if child == 0:
            try:
                grown = tree(tmp_path)
                for size in range(0, 100_000, 50):
                    grown.extend(lines(size + 50, size))
                    if grown.last is None or grown.size > grown.last.size:
                        grown.checkpoint()
            finally:
                os._exit(1)
        signal.sigtimedwait([], rng.uniform(0.05, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if not (tmp_path / "checkpoint").exists():
            continue
        after = signed(tmp_path)
        tiles = Tiles(tmp_path, after.size)
        assert tiles.root() == after.root
        if before is not None:
            proof = tiles.consistency(before.size) if before.size else []
            assert is_consistent(before.size, after.size, before.root, after.root, proof)
        before = after
    assert before is not None
    shutil.rmtree(tmp_path / "tile")
