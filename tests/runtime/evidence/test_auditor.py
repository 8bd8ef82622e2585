from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import database, faults, fill, put, sign

from govlang.runtime.control.chronicle import head_of
from govlang.runtime.evidence import auditor
from govlang.runtime.evidence.ledger import GENESIS
from govlang.runtime.evidence.source import open_source

FILE = Path(auditor.__file__).resolve()

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]
"""Tests 1 to 3 of RFC 8032 section 7.1: public key, message, signature."""


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_the_signatures_of_rfc_8032_hold_and_no_changed_one(
    key: str, message: str, signature: str
) -> None:
    raw, text, sig = (bytes.fromhex(part) for part in (key, message, signature))
    assert auditor.verifies(raw, text, sig)
    assert not auditor.verifies(raw, text + b"x", sig)
    for bit in range(0, 512, 17):
        changed = bytearray(sig)
        changed[bit // 8] ^= 1 << (bit % 8)
        assert not auditor.verifies(raw, text, bytes(changed))
    order = auditor.ORDER + int.from_bytes(sig[32:], "little")
    assert not auditor.verifies(raw, text, sig[:32] + order.to_bytes(32, "little"))
    assert not auditor.verifies(raw, text, sig[:63])


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_signatures_agree_with_openssl(seed: bytes, message: bytes) -> None:
    secret = Ed25519PrivateKey.from_private_bytes(seed)
    raw = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert auditor.verifies(raw, message, secret.sign(message))
    assert not auditor.verifies(raw, message + b"!", secret.sign(message))


def test_the_auditor_imports_the_standard_library_alone() -> None:
    names = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(FILE.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    assert names <= sys.stdlib_module_names


def run(tmp_path: Path, *arguments: str | Path) -> tuple[int, str]:
    """The auditor in an environment without anything, from a copy of its own."""
    copy = tmp_path / "copy" / "auditor.py"
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(FILE.read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", copy, *arguments],
        cwd=tmp_path,
        env={},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done.returncode, (done.stdout + done.stderr).decode()


def test_it_runs_alone_on_each_kind_of_ledger(tmp_path: Path) -> None:
    lines = fill(tmp_path / "dir", 260)
    ring, note = sign(tmp_path / "dir")
    key = str(ring.signer.verifier)
    fill(tmp_path / "one.jsonl", 3)
    database(tmp_path / "db", [*lines])
    (tmp_path / "db/LEDGER.head").write_bytes((tmp_path / "dir/LEDGER.head").read_bytes())
    (tmp_path / "tiles").mkdir()
    (tmp_path / "dir/tile").rename(tmp_path / "tiles/tile")
    (tmp_path / "tiles/checkpoint").write_bytes(note)
    for name, more in (
        ("dir", ("--key", key)),
        ("one.jsonl", ()),
        ("db", ("--key", key, "--checkpoint", tmp_path / "dir/checkpoint")),
        ("tiles", ("--key", tmp_path / "dir/ledger.pub")),
    ):
        code, said = run(tmp_path, tmp_path / name, *more)
        assert (code, "intact" in said) == (0, True), said
    put(tmp_path / "dir", [lines[0].replace(b"job0", b"jobX"), *lines[1:]])
    code, said = run(tmp_path, tmp_path / "dir", "--key", key)
    assert code == 1
    assert "fault    record 2 does not follow the record before it" in said
    assert "has another root than the first 260 records" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("dir", "--key", "no key"),
        ("dir", "--key", "a+00000000+AQ=="),
        ("dir", "--checkpoint", "nothing"),
        ("dir", "--checkpoint", "/dev/zero"),
        ("/dev/zero",),
        ("bad",),
        (),
    ],
)
def test_what_cannot_be_used_ends_in_exit_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    fill(tmp_path / "dir", 2)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/gov.db").write_bytes(b"none" * 1_000)
    code, said = run(tmp_path, *arguments)
    assert code == 2
    assert said


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.encode("utf-16-le"),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode() + b"\r",
        lambda text: b" " + text.encode(),
        lambda text: text.encode() + b" ",
        lambda text: text.encode().replace(b'"job"', b'"\xed\xa0\x80"'),
        lambda text: text.encode().replace(b'"seq": 1', b'"seq": true'),
        lambda text: text.encode().replace(b'"seq": 1', b'"seq": 1.0'),
    ],
)
def test_what_is_json_to_some_readers_only_is_no_record(
    tmp_path: Path, written: Callable[[str], bytes]
) -> None:
    text = json.dumps({"job_id": "job", "prev": GENESIS, "seq": 1})
    put(tmp_path, [text.encode()], head_of((1, text.encode())))
    assert faults(tmp_path) == (set(), False)
    line = written(text)
    put(tmp_path, [line], head_of((1, line)))
    assert faults(tmp_path) == ({"GOV505"}, True)


def test_records_after_the_last_checkpoint_are_said_to_be_open(tmp_path: Path) -> None:
    fill(tmp_path / "dir", 2)
    sign(tmp_path / "dir")
    fill(tmp_path / "dir", 1)
    code, said = run(tmp_path, tmp_path / "dir")
    assert code == 0
    assert "1 records are under no checkpoint yet" in said
    assert open_source(tmp_path / "dir").count() == 3
