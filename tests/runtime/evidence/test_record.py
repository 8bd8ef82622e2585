from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from govlang.native.digest import digest
from govlang.runtime.evidence.canonical import canonical
from govlang.runtime.evidence.record import (
    Basis,
    Circumstances,
    More,
    Verdict,
    event_body,
    record_body,
    salted,
)

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


def test_the_input_that_a_record_shows_is_what_its_hash_is_of() -> None:
    verdict = Verdict("allow", "r", approval_granted=False)
    when = Circumstances(5, "run:job@1")
    host = {"ticket": True, "secret": "Eve", "approved": ["b", "a"]}
    more = More(inputs=True, committed=True, enforcement="shadow")
    record = record_body(FIELDS, REQUEST, host, verdict, BASIS, when, SALT, more)
    bare = record_body(FIELDS, REQUEST, host, verdict, BASIS, when, SALT)
    assert record["input"] == REQUEST | {
        "risk": "0.2",
        "customer": salted(SALT, "customer", "Ada"),
    }
    assert record["runtime"] == {
        "ticket": True,
        "secret": salted(SALT, "secret", "Eve"),
        "approved": ["b", "a"],
    }
    assert record["input_hash"] == digest(canonical(record["input"])) == bare["input_hash"]
    assert record["committed"] is True
    assert record["enforcement"] == "shadow"
    added = {"input", "runtime", "committed", "enforcement"}
    assert {name: value for name, value in record.items() if name not in added} == bare


def test_what_a_request_forged_stands_in_the_input_under_its_own_name() -> None:
    verdict = Verdict("deny", "invalid_request", approval_granted=False)
    request = REQUEST | {"ticket": True, "secret": "Eve", "\ud800": 1}
    when = Circumstances(5, "j")
    record = record_body(FIELDS, request, {}, verdict, BASIS, when, SALT, More(inputs=True))
    assert record["input"]["ticket"] is True
    assert record["input"]["secret"] == salted(SALT, "secret", "Eve")
    assert record["input"]["\\ud800"] == "1"
    assert record["runtime"] == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (Decimal("0.10"), "0.10"),
        (3, "3"),
        (2**70, str(2**70)),
        (float("nan"), "nan"),
        ([1, {"a": 2}], ["1", {"a": "2"}]),
        ({"b", "a"}, ["a", "b"]),
        ("\ud800", "\\ud800"),
        (None, None),
        (True, True),
    ],
)
def test_a_number_is_hashed_as_it_was_written(value: Any, text: Any) -> None:
    verdict = Verdict("allow", "r", approval_granted=False)
    more = More(inputs=True)
    when = Circumstances(5, "j")
    record = record_body(FIELDS, {"risk": value}, {}, verdict, BASIS, when, SALT, more)
    assert record["input"] == {"risk": text}
    assert canonical(record)


def test_an_event_that_is_no_decision_has_every_member_of_a_record() -> None:
    decision = body(Verdict("allow", "r", approval_granted=False))
    steps = ({"at_ms": 7, "signal": "wind", "key": {}, "value": Decimal("0.5")},)
    more = More(steps=steps, details={"bytes": 3, "share": 0.25, "odd": "\udc00"})
    when = Circumstances(6, "run:job@1", "step_succeeded", "a1")
    record = event_body(when, BASIS, {"pool": "p"}, "infra.delete", more=more)
    assert set(record) == {*decision, "steps", "details"}
    assert (record["decision"], record["rule_id"]) == (None, None)
    assert record["approval_required"] is False
    assert record["input_hash"] == digest(b"{}")
    assert record["steps"] == [{"at_ms": 7, "signal": "wind", "key": {}, "value": "0.5"}]
    assert record["details"] == {"bytes": 3, "share": "0.25", "odd": "\\udc00"}
    shown = event_body(when, BASIS, input_values={"n": 3}, more=More(inputs=True))
    assert shown["input"] == {"n": "3"}
    assert shown["input_hash"] == digest(canonical({"n": "3"}))
