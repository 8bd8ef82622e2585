"""Which keys count: forward along rotations, back for what was before, and never by a key that was replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ledgers import chained, faults, fill, put, sign

from govlang.runtime.evidence.audit import Kept, audit
from govlang.runtime.evidence.checkpoint import Checkpoint, PublicKey, sign_checkpoint
from govlang.runtime.evidence.keys import Keyring, signed_by
from govlang.runtime.evidence.merkle import leaf_hash, root_of
from govlang.runtime.evidence.note import Signer
from govlang.runtime.evidence.rotation import sign_rotation
from govlang.runtime.evidence.source import open_source

SIZE = 3


def rotated(place: Path) -> Keyring:
    ring, tree = signed_by(place, "log")
    tree.extend(open_source(place).lines())
    return ring.rotate(tree)


def public(*signers: Signer) -> tuple[PublicKey, ...]:
    return tuple(PublicKey(one.verifier) for one in signers)


def stranger() -> Signer:
    return Signer("log", Ed25519PrivateKey.generate())


class Stolen:
    """A ledger of five records, its key rotated after three; whoever has the old key writes what lies in `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        fill(place, SIZE)
        self.old = sign(place)[0].signer
        self.new = rotated(place).signer
        fill(place, 2)
        sign(place)

    def forge(self, *keys: PublicKey, signer: Signer | None = None, true: int = SIZE) -> None:
        """Leave the first records as they are, write two others behind them, sign and name keys at will."""
        bodies = [{"job_id": f"job{n}", "n": str(n)} for n in range(true)]
        lines, head = chained([*bodies, {"job_id": "forged"}, {"job_id": "forged too"}])
        assert lines[:true] == list(open_source(self.place).lines())[:true]
        put(self.place, lines, head)
        shutil.rmtree(self.place / "tile")
        (self.place / "checkpoint").write_bytes(self.note(lines, signer or self.old))
        (self.place / "ledger.pub").write_text("".join(f"{key}\n" for key in keys))

    def note(self, lines: list[bytes], *signers: Signer) -> bytes:
        return sign_checkpoint(self.checkpoint(lines), signers)

    def checkpoint(self, lines: list[bytes]) -> Checkpoint:
        return Checkpoint("log", len(lines), root_of([leaf_hash(line) for line in lines]))

    def replace(self, size: int, before: Signer, successor: Signer, name: str) -> None:
        """Put the note of a rotation there that both signed."""
        there = self.checkpoint(list(open_source(self.place).lines())[:size])
        (self.place / name).write_bytes(sign_rotation(there, before, successor))


@pytest.fixture
def stolen(tmp_path: Path) -> Stolen:
    return Stolen(tmp_path)


def test_the_ledger_of_two_keys_is_intact_for_whoever_knows_either(stolen: Stolen) -> None:
    for known in (stolen.old, stolen.new):
        assert faults(stolen.place, public(known)) == (set(), False)
        assert audit(stolen.place, Kept(keys=public(known))).covered == 5
    assert faults(stolen.place, public(stranger())) == ({"GOV664"}, True)


def test_a_replaced_key_signs_nothing_more_for_whoever_knows_the_newest(stolen: Stolen) -> None:
    stolen.forge(*public(stolen.new, stolen.old))
    assert faults(stolen.place, public(stolen.new)) == ({"GOV664"}, True)


def test_a_replaced_key_signs_nothing_more_for_whoever_knows_only_it(stolen: Stolen) -> None:
    stolen.forge(*public(stolen.new, stolen.old))
    assert faults(stolen.place, public(stolen.old)) == ({"GOV664"}, True)


@pytest.mark.parametrize("size", [2, SIZE])
def test_a_replaced_key_makes_no_other_its_successor(stolen: Stolen, size: int) -> None:
    """Not even over records for which it was in use."""
    third = stranger()
    stolen.replace(size, stolen.old, third, f"checkpoint-{size}.9")
    stolen.forge(*public(stolen.old, third, stolen.new), signer=third)
    assert faults(stolen.place, public(stolen.new)) == ({"GOV664"}, True)


def test_a_key_that_was_replaced_twice_is_a_fault(stolen: Stolen) -> None:
    third = stranger()
    stolen.replace(5, stolen.old, third, "checkpoint-5")
    (stolen.place / "ledger.pub").write_text(
        "".join(f"{key}\n" for key in public(stolen.old, third, stolen.new))
    )
    assert faults(stolen.place, public(stolen.old)) == ({"GOV664"}, True)


@pytest.mark.parametrize("size", [2, 5])
def test_a_replaced_key_brings_nobody_before_it(stolen: Stolen, size: int) -> None:
    third = stranger()
    stolen.forge(*public(third, stolen.old, stolen.new), signer=third)
    stolen.replace(size, third, stolen.old, f"checkpoint-{size}.9")
    assert faults(stolen.place, public(stolen.new))[1]
    assert "GOV664" in faults(stolen.place, public(stolen.new))[0]
    kept = PublicKey(stolen.old.verifier, SIZE)
    assert "GOV664" in faults(stolen.place, (kept,))[0]
    assert faults(stolen.place, (kept,))[1]


def test_what_was_signed_before_a_rotation_cannot_be_written_anew(stolen: Stolen) -> None:
    bodies = [{"job_id": "job0", "n": "0"}, {"job_id": "forged"}]
    lines, head = chained(bodies)
    put(stolen.place, lines, head)
    (stolen.place / "checkpoint").write_bytes(stolen.note(lines, stolen.old))
    codes, found = faults(stolen.place, public(stolen.new))
    assert codes
    assert found


def test_a_checkpoint_that_both_signed_is_no_rotation(stolen: Stolen) -> None:
    lines = list(open_source(stolen.place).lines())[:SIZE]
    note = stolen.note(lines, stolen.new, stolen.old)
    (stolen.place / f"checkpoint-{SIZE}").write_bytes(note)
    assert faults(stolen.place, public(stolen.old)) == ({"GOV664"}, True)


def test_keys_may_follow_each_other_over_the_same_records(tmp_path: Path) -> None:
    fill(tmp_path, SIZE)
    rings = [sign(tmp_path)[0], *(rotated(tmp_path) for _ in range(3))]
    assert [key.until for key in rings[-1].keys] == [SIZE, SIZE, SIZE, None]
    fill(tmp_path, 2)
    sign(tmp_path)
    for ring in rings:
        assert faults(tmp_path, public(ring.signer)) == (set(), False)
        assert audit(tmp_path, Kept(keys=public(ring.signer))).covered == 5
