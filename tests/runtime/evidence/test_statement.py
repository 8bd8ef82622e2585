from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from ledgers import fill, put

from govlang.native.digest import digest
from govlang.runtime.evidence.ledger import EvidenceError, Head, chain_line
from govlang.runtime.evidence.note import NoteError, Signer
from govlang.runtime.evidence.source import open_source
from govlang.runtime.evidence.statement import exports, open_envelope

SIGNER = Signer.new("log")


def ledger(place: Path) -> list[bytes]:
    lines, head = [], Head()
    for job, decision in (
        ("run_1:a@1", "ALLOW"),
        ("run_1:a@1", None),
        ("run_1:b@1", "DENY"),
        ("run_12:a@1", "ALLOW"),
        ("run_1", None),
    ):
        line, head = chain_line({"job_id": job, "decision": decision}, head)
        lines.append(line)
    place.mkdir(exist_ok=True)
    put(place, lines, head)
    return lines


def test_an_export_is_an_in_toto_statement_in_a_dsse_envelope(tmp_path: Path) -> None:
    lines = ledger(tmp_path)
    first = next(exports(open_source(tmp_path), SIGNER))
    plain = json.loads(first)
    assert plain["payloadType"] == "application/vnd.in-toto+json"
    assert set(plain) == {"payload", "payloadType", "signatures"}
    statement = json.loads(base64.b64decode(plain["payload"]))
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "log/1", "digest": {"sha256": digest(lines[0]).removeprefix("sha256:")}}
        ],
        "predicateType": "urn:govlang:evidence:v1",
        "predicate": json.loads(lines[0]),
    }
    assert open_envelope(first, SIGNER.verifier) == statement


@pytest.mark.parametrize(
    ("job", "run", "numbers"),
    [
        (None, None, [1, 3, 4]),
        ("run_1:a@1", None, [1, 2]),
        (None, "run_1", [1, 2, 3, 5]),
        (None, "run_2", []),
    ],
)
def test_a_job_or_a_run_is_exported_whole(
    tmp_path: Path, job: str | None, run: str | None, numbers: list[int]
) -> None:
    ledger(tmp_path)
    found = exports(open_source(tmp_path), SIGNER, job, run)
    assert [open_envelope(e, SIGNER.verifier)["predicate"]["seq"] for e in found] == numbers


def test_every_flipped_bit_of_an_export_is_refused(tmp_path: Path) -> None:
    ledger(tmp_path)
    content = next(exports(open_source(tmp_path), SIGNER))
    whole = open_envelope(content, SIGNER.verifier)
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        try:
            assert open_envelope(bytes(changed), SIGNER.verifier) == whole  # the key id is a hint
        except NoteError:
            continue
        assert b"keyid" in content


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"payload":"e30=","signatures":[]}']
)
def test_what_is_no_export_is_a_coded_error(content: bytes) -> None:
    with pytest.raises(NoteError, match="GOV664"):
        open_envelope(content, SIGNER.verifier)


def test_an_export_of_another_key_is_refused(tmp_path: Path) -> None:
    ledger(tmp_path)
    content = next(exports(open_source(tmp_path), SIGNER))
    with pytest.raises(NoteError, match="GOV664"):
        open_envelope(content, Signer.new("log").verifier)


@pytest.mark.parametrize("line", [b"{}", b"x", b'{"seq":1,"decision":"ALLOW","n":1e400}'])
def test_a_line_that_is_no_record_is_not_exported(tmp_path: Path, line: bytes) -> None:
    fill(tmp_path, 1)
    put(tmp_path, [line])
    with pytest.raises(EvidenceError, match="GOV667"):
        list(exports(open_source(tmp_path), SIGNER))
