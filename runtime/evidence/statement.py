"""Exports: records in, in-toto statements (v1) in signed DSSE envelopes out.

The subject of a statement is a record, its digest that of the stored bytes; the predicate, of the type
`urn:govlang:evidence:v1`, holds the record itself.  What always holds: whoever has the envelope and the public key can
check the record without the ledger, and with an inclusion proof that the ledger has it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from govlang.runtime.evidence.canonical import canonical
from govlang.runtime.evidence.ledger import EvidenceError
from govlang.runtime.evidence.note import NoteError, Signer, Verifier
from govlang.runtime.evidence.source import LedgerSource

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:govlang:evidence:v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"


def statement(line: bytes, record: dict[str, Any], origin: str) -> bytes:
    """The statement about one record of the ledger `origin`, as canonical JSON."""
    name = f"{origin}/{record['seq']}"
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": hashlib.sha256(line).hexdigest()}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": record,
        }
    )


def envelope(payload: bytes, signer: Signer) -> bytes:
    """The DSSE envelope of a statement, as canonical JSON; `keyid` is the hash of the verifier key."""
    signature = signer.secret.sign(_authenticated(payload))
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {
                    "keyid": signer.verifier.hash.hex(),
                    "sig": base64.b64encode(signature).decode(),
                }
            ],
        }
    )


def open_envelope(content: bytes, verifier: Verifier) -> dict[str, Any]:
    """The statement of an envelope that this key signed.

    Raises:
        NoteError: GOV664 it is none, or of another key.
    """
    try:
        plain: Any = json.loads(content)
        payload = base64.b64decode(plain["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in plain["signatures"]]
        found: Any = json.loads(payload)
        fits = plain["payloadType"] == PAYLOAD_TYPE and found["_type"] == STATEMENT_TYPE
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unsigned("is no DSSE envelope of a statement") from None
    if not fits or not isinstance(found, dict):
        raise _unsigned("is of another kind")
    if not any(verifier.verifies(_authenticated(payload), signature) for signature in signatures):
        raise _unsigned(f"is not signed by `{verifier.name}`")
    return found


def exports(
    source: LedgerSource, signer: Signer, job: str | None = None, run: str | None = None
) -> Iterator[bytes]:
    """An envelope for each decision of a ledger; with `job` or `run` for each record of it, decisions or not.

    Raises:
        EvidenceError: GOV667 a line is no record.
    """
    for number, line in enumerate(source.lines(), 1):
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or record.get("seq") != number:
            why = f"line {number} of `{source.place}` is no record"
            raise EvidenceError("GOV667", why, "run `gov evidence verify`")
        whole = job is not None or run is not None
        if is_of(record, job, run) and (whole or record.get("decision") is not None):
            yield envelope(_stated(line, record, signer.name), signer)


def _stated(line: bytes, record: dict[str, Any], origin: str) -> bytes:
    try:
        return statement(line, record, origin)
    except (ValueError, RecursionError):
        why = f"record {record['seq']} holds what canonical JSON cannot say"
        raise EvidenceError("GOV667", why, "run `gov evidence verify --canonical`") from None


def is_of(record: dict[str, Any], job: str | None, run: str | None) -> bool:
    """Whether a record is of a job, or of a run; every record is, where neither is asked for."""
    name = record.get("job_id")
    if job is not None:
        return name == job
    return run is None or (isinstance(name, str) and (name == run or name.startswith(f"{run}:")))


def nothing_to_export(place: Path) -> EvidenceError:
    """The refusal of a choice that no record is of."""
    way = "see what there is with `gov evidence show`"
    return EvidenceError("GOV667", f"no such record in `{place}`", way)


def _authenticated(payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _unsigned(why: str) -> NoteError:
    return NoteError("GOV664", f"the export {why}", "give the verifier key that signed it")
