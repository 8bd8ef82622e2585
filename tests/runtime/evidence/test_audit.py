"""Attacks on a ledger; both auditors, which share no code, must find each."""

from __future__ import annotations

import random
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from ledgers import chained, database, faults, fill, one_file_finds, put, sign

from govlang.native.digest import digest
from govlang.runtime.evidence import source
from govlang.runtime.evidence.audit import Kept, audit
from govlang.runtime.evidence.checkpoint import PublicKey, read_checkpoint, sign_checkpoint
from govlang.runtime.evidence.keys import Keyring
from govlang.runtime.evidence.ledger import Head, read_head
from govlang.runtime.evidence.note import Signer
from govlang.runtime.evidence.tree import Tree

COUNT = 6


class Attacked(NamedTuple):
    """A ledger of six records with a checkpoint, and what its owner noted elsewhere."""

    place: Path
    lines: list[bytes]
    ring: Keyring
    note: bytes

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        return (PublicKey(self.ring.signer.verifier),)

    @property
    def bodies(self) -> list[dict[str, str]]:
        return [{"job_id": f"job{i}", "n": str(i)} for i in range(COUNT)]


@pytest.fixture
def ledger(tmp_path: Path) -> Attacked:
    lines = fill(tmp_path / "data", COUNT)
    ring, note = sign(tmp_path / "data")
    return Attacked(tmp_path / "data", lines, ring, note)


def test_a_signed_ledger_is_intact(ledger: Attacked) -> None:
    found = audit(ledger.place, Kept(None, (ledger.note,), ledger.keys), exact=True)
    assert found.intact
    assert (found.records, found.covered, found.origin) == (COUNT, COUNT, "log")
    assert found.signed_by == (str(ledger.ring.signer.verifier),)
    assert faults(ledger.place, ledger.keys, (ledger.note,)) == (set(), False)
    fill(ledger.place, 3)
    assert audit(ledger.place).covered == COUNT
    assert faults(ledger.place, ledger.keys, (ledger.note,)) == (set(), False)


def cut(bodies: list[dict[str, str]]) -> list[dict[str, str]]:
    return bodies[:-1]


def edited(bodies: list[dict[str, str]]) -> list[dict[str, str]]:
    return [*bodies[:2], bodies[2] | {"n": "other"}, *bodies[3:]]


def reordered(bodies: list[dict[str, str]]) -> list[dict[str, str]]:
    return [*bodies[:2], bodies[3], bodies[2], *bodies[4:]]


def dropped(bodies: list[dict[str, str]]) -> list[dict[str, str]]:
    return [*bodies[:2], *bodies[3:], {"job_id": "more", "n": "x"}]


def inserted(bodies: list[dict[str, str]]) -> list[dict[str, str]]:
    return [bodies[0], {"job_id": "more", "n": "x"}, *bodies[1:]]


ATTACKS = (cut, edited, reordered, dropped, inserted)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_ledger_chained_anew_with_its_head_is_found_by_its_checkpoint(
    ledger: Attacked, attack: Callable[[list[dict[str, str]]], list[dict[str, str]]]
) -> None:
    put(ledger.place, *chained(attack(ledger.bodies)))
    codes, found = faults(ledger.place)
    assert codes >= {"GOV661"}
    assert found
    assert audit(ledger.place).covered == 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_one_signed_anew_by_another_key_is_found_by_the_known_key(
    ledger: Attacked, attack: Callable[[list[dict[str, str]]], list[dict[str, str]]]
) -> None:
    for path in (ledger.place / "tile", ledger.place / "checkpoint"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in ledger.place.glob("ledger.*"):
        path.unlink()
    put(ledger.place, *chained(attack(ledger.bodies)))
    sign(ledger.place)
    assert faults(ledger.place) == (set(), False), "nothing outside tells"
    assert faults(ledger.place, ledger.keys) == ({"GOV664"}, True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_fork_by_the_holder_of_the_key_is_found_by_a_checkpoint_kept_elsewhere(
    ledger: Attacked, attack: Callable[[list[dict[str, str]]], list[dict[str, str]]]
) -> None:
    shutil.rmtree(ledger.place / "tile")
    (ledger.place / "checkpoint").unlink()
    put(ledger.place, *chained(attack(ledger.bodies)))
    sign(ledger.place)
    assert faults(ledger.place, ledger.keys) == (set(), False)
    assert faults(ledger.place, ledger.keys, (ledger.note,)) == ({"GOV661"}, True)


def test_two_checkpoints_of_one_size_that_differ_are_a_fork(ledger: Attacked) -> None:
    tree = Tree(ledger.place.parent / "fork", "log", (ledger.ring.signer,))
    tree.extend(chained(edited(ledger.bodies))[0])
    assert faults(ledger.place, ledger.keys, (tree.checkpoint(),)) == ({"GOV661"}, True)


def test_plain_edits_are_found_without_any_key(ledger: Attacked) -> None:
    for change in (
        ledger.lines[:-1],
        [*ledger.lines[:2], *ledger.lines[3:]],
        [*ledger.lines[:2], ledger.lines[3], ledger.lines[2], *ledger.lines[4:]],
        [*ledger.lines, ledger.lines[-1]],
        [ledger.lines[0].replace(b"job0", b"jobX"), *ledger.lines[1:]],
        [],
    ):
        put(ledger.place, change)
        codes, found = faults(ledger.place)
        assert codes
        assert found


def test_a_cut_back_to_the_checkpoint_is_found_though_the_head_was_deleted(
    ledger: Attacked,
) -> None:
    fill(ledger.place, 3)
    (ledger.place / "LEDGER.head").unlink()
    put(ledger.place, ledger.lines)
    assert faults(ledger.place, ledger.keys, (ledger.note,)) == ({"GOV506"}, True)


def test_an_older_checkpoint_put_back_is_found_by_a_newer_one_kept_elsewhere(
    ledger: Attacked,
) -> None:
    head = (ledger.place / "LEDGER.head").read_bytes()
    fill(ledger.place, 3)
    _, newer = sign(ledger.place)
    put(ledger.place, ledger.lines)
    (ledger.place / "LEDGER.head").write_bytes(head)
    (ledger.place / "checkpoint").write_bytes(ledger.note)
    shutil.rmtree(ledger.place / "tile")
    assert faults(ledger.place, ledger.keys, (ledger.note,)) == (set(), False), "nothing tells"
    assert faults(ledger.place, ledger.keys, (newer,)) == ({"GOV661"}, True)
    assert audit(ledger.place, Kept(None, (newer,), ledger.keys)).covered == COUNT


def test_a_missing_checkpoint_is_found_when_a_key_is_given(ledger: Attacked) -> None:
    (ledger.place / "checkpoint").unlink()
    assert faults(ledger.place, ledger.keys) == ({"GOV664"}, True)


def test_a_retired_key_cannot_sign_what_came_after(ledger: Attacked) -> None:
    old = ledger.ring.signer
    tree = Tree(ledger.place, "log", (old,), ledger.ring.keys)
    tree.extend(ledger.lines)
    ledger.ring.rotate(tree)
    forged, head = chained([*ledger.bodies, {"job_id": "forged"}])
    put(ledger.place, forged, head)
    thief = Tree(ledger.place, "log", (old,), ledger.ring.keys)
    thief.extend(forged)
    thief.checkpoint()
    codes, found = faults(ledger.place)
    assert codes == {"GOV664"}
    assert found


FLIPPED = ("LEDGER.jsonl", "LEDGER.head", "checkpoint")


@pytest.mark.parametrize("name", FLIPPED)
def test_every_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    fill(tmp_path, 2)
    ring, _ = sign(tmp_path)
    keys = (PublicKey(ring.signer.verifier),)
    shutil.rmtree(tmp_path / "tile")
    path = tmp_path / name
    content = path.read_bytes()
    sample = random.Random(1).sample(range(len(content) * 8), 100)
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(changed)
        assert audit(tmp_path, Kept(keys=keys)).faults, f"bit {bit}"
        if bit in sample:  # a signature in pure Python takes its time
            assert one_file_finds(tmp_path, keys), f"bit {bit}"


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/000", "tile/0/001.p/44"])
@pytest.mark.parametrize("change", ["gone", "bit", "longer"])
def test_tiles_that_disagree_with_the_records_are_found(
    tmp_path: Path, path: str, change: str
) -> None:
    fill(tmp_path, 300)
    sign(tmp_path)
    fill(tmp_path, 300)
    assert audit(tmp_path).intact
    tile = tmp_path / path
    content = tile.read_bytes()
    match change:
        case "gone":
            tile.unlink()
        case "bit":
            tile.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        case _:
            tile.write_bytes(content + b"\0")
    assert {fault.code for fault in audit(tmp_path).faults} == {"GOV666"}


def test_a_database_that_is_gone_is_not_intact(ledger: Attacked) -> None:
    (ledger.place / "LEDGER.jsonl").unlink()
    assert faults(ledger.place, ledger.keys) == ({"GOV506"}, True)
    (fault,) = audit(ledger.place).faults
    assert "the database (`gov.db`) or the lines that it is of are gone" in fault.message


def test_a_ledger_with_a_key_and_without_a_checkpoint_is_told_apart(ledger: Attacked) -> None:
    assert not audit(ledger.place).is_unsigned
    (ledger.place / "checkpoint").unlink()
    assert audit(ledger.place).is_unsigned
    assert faults(ledger.place) == (set(), False)
    (ledger.place / "ledger.pub").unlink()
    assert not audit(ledger.place).is_unsigned


def test_a_folder_of_tiles_is_checked_alone(ledger: Attacked) -> None:
    (ledger.place / "LEDGER.jsonl").unlink()
    (ledger.place / "LEDGER.head").unlink()
    assert audit(ledger.place, Kept(keys=ledger.keys)).records == COUNT
    assert faults(ledger.place, ledger.keys) == (set(), False)
    tile = ledger.place / "tile/entries/000.p/6"
    content = tile.read_bytes()
    for at in range(0, len(content), 7):
        tile.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        codes, found = faults(ledger.place, ledger.keys)
        assert codes
        assert found
    tile.unlink()
    codes, found = faults(ledger.place, ledger.keys)
    assert codes == {"GOV666", "GOV661"}
    assert found


def test_a_database_is_checked_as_its_lines_are(ledger: Attacked, tmp_path: Path) -> None:
    place = database(tmp_path / "db", [*ledger.lines])
    (place / "LEDGER.head").write_bytes((ledger.place / "LEDGER.head").read_bytes())
    sign(place)
    assert faults(place) == (set(), False)
    gap = database(tmp_path / "gap", [*ledger.lines], first=2)
    (gap / "LEDGER.head").write_bytes((ledger.place / "LEDGER.head").read_bytes())
    codes, found = faults(gap)
    assert codes == {"GOV505"}
    assert found


def test_a_record_that_is_not_canonical_is_found_when_asked(tmp_path: Path) -> None:
    lines = [b'{"seq": 1, "prev": "sha256:' + b"0" * 64 + b'"}']
    put(tmp_path, lines, Head(1, digest(lines[0])))
    assert audit(tmp_path).intact
    assert {fault.code for fault in audit(tmp_path, exact=True).faults} == {"GOV505"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"seq":' + b"9" * 10_000 + b"}",
        b"null",
        b"[1]",
        b'{"seq":true}',
        b'{"seq":1}',
        b'{"prev":null,"seq":1}x',
        b"x" * 70_000,
    ],
)
def test_a_line_that_is_no_record_is_a_fault_of_that_record(tmp_path: Path, line: bytes) -> None:
    fill(tmp_path, 1)
    ring, _ = sign(tmp_path)
    put(tmp_path, [line])
    found = audit(tmp_path, exact=True)
    assert any(fault.seq == 1 and fault.code == "GOV505" for fault in found.faults)
    assert one_file_finds(tmp_path)
    assert ring.keys


def test_at_most_a_hundred_faults_are_kept(tmp_path: Path) -> None:
    put(tmp_path, [b"{}"] * 1_000)
    found = audit(tmp_path)
    assert len(found.faults) == 100
    assert found.records == 1_000


def test_a_stranger_s_checkpoint_of_this_ledger_is_not_trusted(ledger: Attacked) -> None:
    stranger = Signer.new("log")
    forged = sign_checkpoint(read_checkpoint(ledger.note), (stranger,))
    (ledger.place / "checkpoint").write_bytes(forged)
    assert faults(ledger.place) == ({"GOV664"}, True)


def test_memory_does_not_grow_with_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CHUNK", 2**14)
    peaks = []
    for count in (800, 8_000):
        place = tmp_path / str(count)
        fill(place, count)
        sign(place)
        tracemalloc.start()
        assert audit(place, exact=True).records == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0], "a tenth of the ledger alone would be as much again"


def test_a_ledger_that_grows_meanwhile_is_intact(
    ledger: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = read_head(ledger.place / "LEDGER.head")
    fill(ledger.place, 2)
    new = read_head(ledger.place / "LEDGER.head")
    heads = iter([old, old, new])
    monkeypatch.setattr(source.JsonlSource, "head", lambda _: next(heads))
    assert audit(ledger.place).intact


def test_a_tile_that_a_writer_has_replaced_meanwhile_is_no_fault(
    ledger: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        fill(ledger.place, 1)
        _, newest = sign(ledger.place)
    notes = iter([ledger.note])
    monkeypatch.setattr(source.JsonlSource, "checkpoint", lambda _: next(notes, newest))
    found = audit(ledger.place)
    assert (found.faults, found.covered) == ((), COUNT)
