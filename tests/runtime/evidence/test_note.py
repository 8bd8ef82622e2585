from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from govlang.native.errors import CodedError
from govlang.runtime.evidence.checkpoint import (
    Checkpoint,
    PublicKey,
    open_checkpoint,
    parse_keys,
    read_checkpoint,
    sign_checkpoint,
)
from govlang.runtime.evidence.note import NoteError, Signer, Verifier, open_note, sign_note

SIGNER = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
OTHER = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
CHECKPOINT = Checkpoint("example.org/log", 7, b"\x05" * 32)
NOTE = sign_checkpoint(CHECKPOINT, (SIGNER,))

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The vector of the signed-note specification's reference implementation (golang.org/x/mod/sumdb/note)."""


def test_the_note_of_the_reference_implementation_verifies() -> None:
    verifier = Verifier.parse(PETER)
    assert open_note(PETER_NOTE.encode(), (verifier,)).signers == (verifier,)


def test_a_checkpoint_is_the_note_of_the_specification() -> None:
    lines = NOTE.decode().split("\n")
    assert lines[:3] == ["example.org/log", "7", base64.b64encode(b"\x05" * 32).decode()]
    assert lines[3] == ""
    assert lines[4].startswith("— example.org/log ")
    raw = base64.b64decode(lines[4].split(" ")[2])
    assert raw[:4] == SIGNER.verifier.hash
    assert len(raw) == 4 + 64
    assert lines[5:] == [""]
    checkpoint, note = open_checkpoint(NOTE, (PublicKey(SIGNER.verifier),))
    assert checkpoint == CHECKPOINT
    assert note.signers == (SIGNER.verifier,)


def test_two_keys_sign_one_checkpoint_and_either_is_enough() -> None:
    note = sign_checkpoint(CHECKPOINT, (SIGNER, OTHER))
    for signer in (SIGNER, OTHER):
        _, opened = open_checkpoint(note, (PublicKey(signer.verifier),))
        assert opened.signers == (signer.verifier,)
    both = (PublicKey(SIGNER.verifier), PublicKey(OTHER.verifier))
    assert len(open_checkpoint(note, both)[1].signers) == 2


def test_every_flipped_bit_of_a_checkpoint_is_refused() -> None:
    for bit in range(len(NOTE) * 8):
        changed = bytearray(NOTE)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(NoteError):
            open_checkpoint(bytes(changed), (PublicKey(SIGNER.verifier),))


@given(st.binary(max_size=300))
def test_whatever_is_no_note_is_a_coded_error(content: bytes) -> None:
    with pytest.raises(NoteError, match="GOV663"):
        read_checkpoint(content)


BODY = CHECKPOINT.to_text()
SIGNED = NOTE.decode().split("\n")[4]


@pytest.mark.parametrize(
    "note",
    [
        BODY,
        BODY + "\n",
        BODY + SIGNED + "\n",
        NOTE.decode() + "\n",
        NOTE.decode()[:-1],
        NOTE.decode().replace("\n7\n", "\n07\n"),
        NOTE.decode().replace("\n7\n", "\n+7\n"),
        NOTE.decode().replace("\n7\n", "\n7 \n"),
        NOTE.decode().replace("\n", "\r\n"),
        NOTE.decode().replace("— ", "- "),
        NOTE.decode().replace("— example.org/log ", "— example.org/log  "),
        NOTE.decode().replace("— example.org/log ", "— "),
        NOTE.decode().replace("BQU=\n\n", "BQU=\nmore\n\n"),
        NOTE.decode().replace("BQU=\n\n", "\n\n"),
        BODY + "\n" + (SIGNED + "\n") * 17,
        "x" * 2**17,
    ],
)
def test_a_note_of_another_form_is_refused(note: str) -> None:
    with pytest.raises(NoteError, match=r"GOV66[34]"):
        open_checkpoint(note.encode(), (PublicKey(SIGNER.verifier),))


def test_a_signature_that_stands_twice_is_refused() -> None:
    note = (BODY + "\n" + (SIGNED + "\n") * 2).encode()
    with pytest.raises(NoteError, match="GOV664"):
        open_checkpoint(note, (PublicKey(SIGNER.verifier),))


def test_a_checkpoint_of_an_unknown_key_is_not_trusted() -> None:
    with pytest.raises(NoteError, match="GOV664"):
        open_checkpoint(NOTE, (PublicKey(OTHER.verifier),))


@pytest.mark.parametrize(("until", "holds"), [(6, False), (7, True), (8, True), (None, True)])
def test_a_retired_key_verifies_what_it_signed_and_no_larger_tree(
    until: int | None, *, holds: bool
) -> None:
    keys = (PublicKey(SIGNER.verifier, until),)
    if holds:
        assert open_checkpoint(NOTE, keys)[0] == CHECKPOINT
    else:
        with pytest.raises(NoteError, match=r"GOV664.*retired"):
            open_checkpoint(NOTE, keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+b",
        str(SIGNER.verifier)[:-1],
        str(SIGNER.verifier).replace("log+", "log++"),
        str(SIGNER.verifier).replace("example", "exemple"),
        str(SIGNER.verifier).upper(),
        str(SIGNER.verifier) + " until",
        str(SIGNER.verifier) + " until -1",
        str(SIGNER.verifier) + " until 007",
        "a+00000000+" + base64.b64encode(b"\x02" + b"k" * 32).decode(),
        "name+00000000+é",
    ],
)
def test_a_text_that_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError, match="GOV665"):
        PublicKey.parse(text)


def test_public_keys_are_written_as_they_are_read() -> None:
    keys = (PublicKey(SIGNER.verifier, 12), PublicKey(OTHER.verifier))
    text = "# the keys\n\n" + "".join(f"{key}\n" for key in keys)
    assert parse_keys(text) == keys


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "x" * 201, "a\x00"])
def test_a_name_that_cannot_stand_in_a_note_is_refused(name: str) -> None:
    with pytest.raises(NoteError, match="GOV665"):
        Signer.new(name)


def test_a_private_key_goes_through_its_pem() -> None:
    again = Signer.from_pem(SIGNER.name, SIGNER.to_pem())
    assert sign_note("a\n", (again,)) == sign_note("a\n", (SIGNER,))
    with pytest.raises(CodedError, match="GOV406"):
        Signer.from_pem("a", b"no key")
