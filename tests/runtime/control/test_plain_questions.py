"""What the judge tells of a plain question is what it answers when it is asked in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from control_plane import EFFECTS, START_MS, bundle_of, example

from govlang.runtime.bundle import read_bundle
from govlang.runtime.control import judge as judges
from govlang.runtime.control.answer import Lasting
from govlang.runtime.control.hostvalues import Context, no_context
from govlang.runtime.control.judge import Judge, Question
from govlang.runtime.policy import Policy

TOPICS = ("allow", "limit", "throttle", "human", "both", "notify", "deny", "none")

KNOWING = """language 1
policy knowing version "1.0.0"
default deny
input {
  agent : key
  night : bool from runtime
}
rule by_day when not night allow
"""


def judge_of(bundle: bytes, context: Context = no_context) -> Judge:
    return Judge(read_bundle(bundle), Policy.load(bundle), context)


def told(judge: Judge, request: dict[str, Any], agent: str = "a1") -> dict[str, Any]:
    return judge.told(judge.outcome(request, agent, START_MS))


def asked(judge: Judge, request: dict[str, Any], agent: str = "a1") -> dict[str, Any]:
    return judge.ask(Question(request, agent), START_MS).to_dict()


@pytest.mark.parametrize("amount", [0.5, 20])
@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_told_is_what_is_asked(topic: str, amount: float) -> None:
    judge = judge_of(bundle_of(EFFECTS))
    request = {"agent": "a1", "topic": f"{topic}.x", "amount": amount}
    assert told(judge, request) == told(judge, request) == asked(judge, request)


def test_only_what_nothing_of_the_request_goes_into_is_kept() -> None:
    judge = judge_of(bundle_of(EFFECTS))
    for topic in TOPICS:
        request = {"agent": "a1", "topic": f"{topic}.x", "amount": 1}
        assert isinstance(told(judge, request), Lasting) is (topic not in {"limit", "deny"})
    assert not isinstance(told(judge, {"agent": "a1"}), Lasting)


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "TOLD_MAX", 1)
    judge = judge_of(bundle_of(EFFECTS))
    for topic in ("human", "allow"):
        request = {"agent": "a1", "topic": f"{topic}.x", "amount": 1}
        assert told(judge, request) == asked(judge, request)


def test_an_answer_ends_with_the_state_that_gave_it() -> None:
    judge = judge_of(example("control_plane.gov"))
    request = {
        "agent": "a1",
        "topic": "infra.read",
        "environment": "dev",
        "risk": 0,
        "tokens": 0,
        "labels": [],
    }
    assert told(judge, request)["decision"] == "allow"
    for _ in range(20):
        judge.commit(Question(request, "a1"), START_MS)
    assert told(judge, request)["rule_id"] == "burst"
    assert told(judge, {**request, "agent": "a2"}, "a2")["decision"] == "allow"


def test_what_the_host_knows_of_an_agent_counts() -> None:
    def context(agent: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"night": agent != request["agent"]}

    judge = judge_of(bundle_of(KNOWING), context)
    assert told(judge, {"agent": "a1"})["decision"] == "allow"
    assert told(judge, {"agent": "a1"}, "a2")["decision"] == "deny"
