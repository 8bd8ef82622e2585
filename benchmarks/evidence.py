"""The evidence ledger: making records, signing and checking them, each beside what it stands on.

Goes in: nothing. Comes out: rows of the workload `evidence`, records a second of processor time, with synced appends of
wall time; `python -m benchmarks.evidence` prints them. Records are of a request of six fields, one of them private,
with `input` and `runtime`: about 900 bytes. What always holds: both auditors found the ledger intact before their time
counts.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import rfc8785

from benchmarks.measure import Row, ns_per_call
from benchmarks.targets import CHECKED, EVIDENCE, RECORDED
from govlang.runtime.evidence import auditor
from govlang.runtime.evidence.audit import audit
from govlang.runtime.evidence.canonical import canonical
from govlang.runtime.evidence.keys import signed_by
from govlang.runtime.evidence.ledger import Head, Ledger, chain_line
from govlang.runtime.evidence.record import (
    Basis,
    Circumstances,
    More,
    Verdict,
    record_body,
)

RECORDS: Final = 100_000
SYNCED: Final = 200
HASH: Final = "sha256:" + "5a" * 32
BASIS: Final = Basis(HASH, HASH, HASH)
REQUEST: Final[dict[str, Any]] = {
    "agent": "agent-17",
    "topic": "infra.delete",
    "environment": "production",
    "risk": 0.2,
    "urgent": True,
    "customer": "Ada",
}
HOST: Final = {"ticket": True, "approved": ["sre-oncall"]}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the policy, as far as a record asks."""

    name: str
    kind: str
    origin: str = "request"
    private: bool = False


FIELDS: Final = (
    Field("agent", "key"),
    Field("topic", "text"),
    Field("environment", "enum"),
    Field("risk", "number"),
    Field("urgent", "bool"),
    Field("customer", "text", private=True),
    Field("approved", "set", origin="runtime"),
    Field("ticket", "bool", origin="runtime"),
)


def body(at_ms: int) -> dict[str, Any]:
    """The body of one record."""
    return record_body(
        FIELDS,
        REQUEST,
        HOST,
        Verdict("require_human", "gate", approval_granted=True),
        BASIS,
        Circumstances(at_ms, "run_2f9c1a77b0de:delete@1", approver="bo"),
        b"s" * 16,
        More(inputs=True, committed=True),
    )


def lines(count: int) -> tuple[list[bytes], Head]:
    """The lines of a ledger, and its head."""
    made, head, one = [], Head(), body(0)
    for at_ms in range(count):
        line, head = chain_line(one | {"at_ms": at_ms}, head)
        made.append(line)
    return made, head


def evidence_rows(count: int = RECORDS) -> Iterator[Row]:
    """Every figure."""
    yield from record_rows()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        made, head = lines(count)
        (place / "LEDGER.jsonl").write_bytes(b"\n".join(made) + b"\n")
        (place / "LEDGER.head").write_bytes(head.to_bytes())
        yield from append_rows(place / "synced")
        yield row("tiles and a checkpoint", rate(lambda: sign(place, made), count))
        yield from check_rows(place, count)


def record_rows() -> Iterator[Row]:
    """A record from a decision, and canonical JSON beside the reference."""
    one = body(0)
    whole = lambda at_ms: chain_line(body(at_ms), Head())  # noqa: E731  # as short as what it times
    yield Row(EVIDENCE, 0, "govlang", RECORDED, ns_per_call(whole, range(1_000), 1.0), "ns")
    for who, write in (("govlang", canonical), ("rfc8785", rfc8785.dumps)):
        assert write(one) == rfc8785.dumps(one)
        yield Row(EVIDENCE, 0, who, "canonical JSON", ns_per_call(write, [one], 1.0), "ns")


def append_rows(place: Path) -> Iterator[Row]:
    """Appends, each with record and head synced; wall time, since the disk takes it."""
    with Ledger(place) as ledger:
        start = perf_counter()
        for at_ms in range(SYNCED):
            ledger.append(body(at_ms))
        yield row("append, synced one by one (wall)", SYNCED / (perf_counter() - start))


def sign(place: Path, made: list[bytes]) -> None:
    """All tiles and a checkpoint, synced."""
    _, tree = signed_by(place)
    tree.extend(made)
    tree.checkpoint()


def check_rows(place: Path, count: int) -> Iterator[Row]:
    """Both auditors on the whole ledger, its checkpoint and its tiles."""

    def check(*, exact: bool) -> None:
        found = audit(place, exact=exact)
        assert found.intact
        assert found.covered == found.records == count

    def check_alone() -> None:
        alone = auditor.Auditor(place, [], [])
        alone.run()
        assert not alone.faults

    yield row(CHECKED, rate(lambda: check(exact=False), count))
    yield row("verify --canonical", rate(lambda: check(exact=True), count))
    yield row("auditor.py", rate(check_alone, count))


def rate(call: Callable[[], None], count: int) -> float:
    """Records a second of processor time, the best of three: other work only ever adds."""
    best = float("inf")
    for _ in range(3):
        start = process_time()
        call()
        best = min(best, process_time() - start)
    return count / best


def row(form: str, value: float) -> Row:
    """A rate of ours."""
    return Row(EVIDENCE, 0, "govlang", form, value, "records/s")


if __name__ == "__main__":
    print(f"{os.getloadavg()[0]:.1f} load")
    for found in evidence_rows():
        print(f"{found.value:12,.0f} {found.unit:10} {found.subject}: {found.form}")
