from __future__ import annotations

from pathlib import Path

import pytest
from ledgers import faults, fill, sign

from govlang.native.files import write_whole
from govlang.runtime.control.chronicle import head_of
from govlang.runtime.evidence import keys as module
from govlang.runtime.evidence.audit import Kept, audit
from govlang.runtime.evidence.checkpoint import PublicKey
from govlang.runtime.evidence.keys import Keyring, given_keys, read_public, signed_by
from govlang.runtime.evidence.note import NoteError
from govlang.runtime.evidence.source import open_source


def rotated(place: Path) -> Keyring:
    ring, tree = signed_by(place)
    tree.extend(open_source(place).lines())
    return ring.rotate(tree)


def test_keys_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, "log")
    assert (tmp_path / "ledger.key").stat().st_mode & 0o077 == 0
    again = Keyring.open(tmp_path)
    assert again.signer.verifier == ring.signer.verifier
    assert again.origin == "log"
    assert Keyring.open(tmp_path / "other").origin.startswith("govlang-ledger/")


def test_a_rotation_leaves_old_checkpoints_verifiable(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    ring, first = sign(tmp_path)
    old = PublicKey(ring.signer.verifier)
    fill(tmp_path, 5)
    new = rotated(tmp_path)
    assert read_public(tmp_path) == (PublicKey(old.verifier, 10), PublicKey(new.signer.verifier))
    assert Keyring.open(tmp_path).signer.verifier == new.signer.verifier
    fill(tmp_path, 5)
    sign(tmp_path)
    assert faults(tmp_path) == (set(), False)
    newest = PublicKey(new.signer.verifier)
    for known in (old, newest):
        assert faults(tmp_path, (known,)) == (set(), False)
        assert audit(tmp_path, Kept(keys=(known,))).covered == 15
    assert faults(tmp_path, (old,), (first,)) == (set(), False)
    third = rotated(tmp_path)
    assert [key.until for key in third.keys] == [10, 15, None]
    assert faults(tmp_path, (old,), (first,)) == (set(), False)


def test_a_key_that_no_rotation_signed_is_not_trusted(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    ring, _ = sign(tmp_path)
    rotated(tmp_path)
    (tmp_path / "checkpoint-3").unlink()
    fill(tmp_path, 3)
    sign(tmp_path)
    assert faults(tmp_path, (PublicKey(ring.signer.verifier),)) == ({"GOV664"}, True)


@pytest.mark.parametrize("step", range(6))
def test_a_rotation_that_ends_at_any_write_is_not_begun_or_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    fill(tmp_path, 3)
    ring, _ = sign(tmp_path)
    left = [step]

    def write(path: Path, content: bytes, mode: int = 0o644) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        write_whole(path, content, mode)

    with monkeypatch.context() as patch:
        for name in ("keys", "tree", "tiles"):
            patch.setattr(f"govlang.runtime.evidence.{name}.write_whole", write)
        patch.setattr(module, "sync_folder", lambda _: None)
        if step < 4:
            with pytest.raises(KeyboardInterrupt):
                rotated(tmp_path)
        else:
            rotated(tmp_path)
    again, _ = sign(tmp_path)
    assert (again.signer.verifier == ring.signer.verifier) == (step < 3)
    fill(tmp_path, 2)
    sign(tmp_path)
    assert faults(tmp_path, (PublicKey(ring.signer.verifier),)) == (set(), False)


def test_a_rotation_killed_before_the_key_is_in_its_place_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 3)
    sign(tmp_path)
    ring, tree = signed_by(tmp_path)
    tree.extend(open_source(tmp_path).lines())

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_settled", end)
        with pytest.raises(KeyboardInterrupt):
            ring.rotate(tree)
    assert (tmp_path / "ledger.key.next").exists()
    ring, _ = sign(tmp_path)
    assert PublicKey(ring.signer.verifier) == read_public(tmp_path)[-1]
    assert not (tmp_path / "ledger.key.next").exists()


def test_keys_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path / "a", "log")
    Keyring.open(tmp_path / "b", "log")
    (tmp_path / "a/ledger.pub").write_bytes((tmp_path / "b/ledger.pub").read_bytes())
    with pytest.raises(NoteError, match=r"GOV665.*is not the key"):
        Keyring.open(tmp_path / "a")
    with pytest.raises(NoteError, match=r"GOV665.*not of `other`"):
        Keyring.open(tmp_path / "b", "other")
    (tmp_path / "a/ledger.pub").write_bytes(b"\xff")
    with pytest.raises(NoteError, match="GOV665"):
        Keyring.open(tmp_path / "a")
    assert ring.origin == "log"


def test_a_key_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    Keyring.open(tmp_path, "log")
    (tmp_path / "ledger.key").unlink()
    with pytest.raises(NoteError, match=r"GOV665.*ledger.key` is missing") as caught:
        Keyring.open(tmp_path)
    assert "restore it from the newest copy" in (caught.value.help or "")
    assert not (tmp_path / "ledger.key").exists()


def test_a_given_key_is_a_text_or_a_file(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, "log")
    key = str(ring.signer.verifier)
    assert given_keys((key,)) == given_keys((str(tmp_path / "ledger.pub"),)) == ring.keys
    for text in ("nothing", str(tmp_path / "ledger.key"), "a+b+c"):
        with pytest.raises(NoteError, match="GOV665"):
            given_keys((text,))


def test_a_name_may_be_of_any_letters(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    ring, tree = signed_by(tmp_path, "Türen/日本")
    tree.extend(open_source(tmp_path).lines())
    tree.checkpoint()
    assert Keyring.open(tmp_path).origin == "Türen/日本"
    assert faults(tmp_path, ring.keys) == (set(), False)


def test_a_key_that_is_known_to_be_retired_signs_no_more_whatever_lies_beside_the_ledger(
    tmp_path: Path,
) -> None:
    """A thief of a retired key writes a ledger of his own, and a `ledger.pub` that says nothing of its end."""
    fill(tmp_path / "true", 3)
    sign(tmp_path / "true")
    secret = (tmp_path / "true/ledger.key").read_bytes()
    kept = rotated(tmp_path / "true").keys
    fill(tmp_path / "true", 2)
    sign(tmp_path / "true")
    assert faults(tmp_path / "true", kept) == (set(), False)
    for begins in (0, 3):
        forged = tmp_path / f"forged{begins}"
        if begins:
            lines = list(open_source(tmp_path / "true").lines())[:begins]
            forged.mkdir()
            (forged / "LEDGER.jsonl").write_bytes(b"".join(one + b"\n" for one in lines))
            (forged / "LEDGER.head").write_bytes(head_of((begins, lines[-1])).to_bytes())
            note = (tmp_path / "true/checkpoint-3").read_bytes()
            (forged / "checkpoint-3").write_bytes(note)
        fill(forged, 5 - begins, "forged")
        (forged / "ledger.key").write_bytes(secret)
        (forged / "ledger.pub").write_text(f"{kept[0].verifier}\n")
        sign(forged)
        (forged / "ledger.pub").write_text(f"{kept[1].verifier}\n{kept[0].verifier}\n")
        assert faults(forged, kept) == ({"GOV664"}, True), begins
