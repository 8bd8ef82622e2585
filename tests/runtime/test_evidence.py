from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from govlang.runtime.evidence import Basis, Circumstances, Verdict, record_body, salted

SALT = b"s" * 16
BASIS = Basis("sha256:a", "sha256:b", "sha256:c")


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    private: bool = False
    origin: str = "request"


FIELDS = (
    Field("agent", "key"),
    Field("topic", "text"),
    Field("environment", "enum"),
    Field("risk", "number"),
    Field("urgent", "bool"),
    Field("customer", "text", private=True),
    Field("approved", "set", origin="runtime"),
    Field("ticket", "bool", origin="runtime"),
    Field("secret", "text", private=True, origin="runtime"),
)
REQUEST: dict[str, Any] = {
    "agent": "a1",
    "topic": "infra.delete",
    "environment": "production",
    "risk": 0.2,
    "urgent": True,
    "customer": "Ada",
}


def body(verdict: Verdict, salt: bytes = SALT, **changes: Any) -> dict[str, Any]:
    when = Circumstances(5, "run:job@1", approver="bo")
    return record_body(FIELDS, REQUEST | changes, {"approved": ["x"]}, verdict, BASIS, when, salt)


def test_the_record_is_that_of_the_contract() -> None:
    record = body(Verdict("require_human", "gate", approval_granted=True))
    assert record == {
        "at_ms": 5,
        "job_id": "run:job@1",
        "topic": "infra.delete",
        "policy_snapshot": "sha256:a",
        "params_hash": "sha256:b",
        "proof_hash": "sha256:c",
        "decision": "REQUIRE_HUMAN",
        "rule_id": "gate",
        "approval_required": True,
        "labels": {
            "approval_granted": "true",
            "customer": salted(SALT, "customer", "Ada"),
            "environment": "production",
            "urgent": "true",
        },
        "run_timeline_event": "decided",
        "agent": "a1",
        "approver": "bo",
        "delegation": [],
        "input_hash": record["input_hash"],
    }


def test_a_private_value_cannot_be_guessed_from_the_record() -> None:
    verdict = Verdict("allow", "r", approval_granted=False)
    one, other = body(verdict), body(verdict, salt=b"t" * 16)
    assert "Ada" not in str(one)
    assert one["labels"]["customer"] != other["labels"]["customer"]
    assert one["input_hash"] != other["input_hash"]


def test_the_input_hash_depends_on_every_field() -> None:
    verdict = Verdict("allow", "r", approval_granted=False)
    hashes = {body(verdict, **{name: "other"})["input_hash"] for name in REQUEST}
    assert len(hashes) == len(REQUEST)
    assert body(verdict)["input_hash"] not in hashes


def test_what_a_request_forges_does_not_replace_what_the_host_gave() -> None:
    verdict = Verdict("deny", "invalid_request", approval_granted=False)
    when = Circumstances(5, "run:job@1")
    host = {"ticket": False, "secret": "Bo", "approved": ["x"]}

    def record(request: dict[str, Any], runtime: dict[str, Any]) -> dict[str, Any]:
        return record_body(FIELDS, REQUEST | request, runtime, verdict, BASIS, when, SALT)

    honest = record({}, host)
    forged = record({"ticket": True, "secret": "Eve"}, host)
    assert forged["labels"] == honest["labels"]
    assert forged["labels"]["ticket"] == "false"
    assert forged["input_hash"] != honest["input_hash"]
    assert "ticket" not in record({"ticket": True}, {})["labels"]
    assert record({}, {"topic": "other"})["topic"] == "infra.delete"
