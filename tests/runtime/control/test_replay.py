"""A ledger decided anew: the policy that it was decided by says the same, every change of another one is counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from control_life import BUDGET, live
from control_plane import OPERATOR, Plane, agent, bundle_of, folder
from ledgers import chained, put

from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.runtime.control.replay import columns
from govlang.runtime.control.replay.asking import Asker
from govlang.runtime.control.replay.case import Case, Ruling
from govlang.runtime.control.replay.columns import Batch
from govlang.runtime.control.replay.ledger import Replay, replay
from govlang.runtime.control.replay.tally import Change, change
from govlang.runtime.decision import Decision
from govlang.runtime.evidence.ledger import EvidenceError
from govlang.runtime.evidence.record import (
    Basis,
    Circumstances,
    More,
    Verdict,
    record_body,
    written,
)
from govlang.runtime.evidence.source import open_source
from govlang.runtime.policy import Policy

KINDS = """language 1
policy kinds version "1.0.0"
default deny

input {
  agent  : key
  topic  : text
  amount : number in -50..1000 step 0.05
  count  : number in 0..100
  round  : number in 0..10 step 0.5 rounded down
  zone   : one of hall, yard
  tags   : set of red, blue
  urgent : bool
  note   : text optional
  depth  : number in 0..8 from runtime
  night  : bool from runtime
}

rule deep   when depth >= 2 deny because "too deep"
rule red    when tags contains red require human from "lead"
rule night  when night and zone is yard deny
rule noted  when has note and note like "stop*" throttle retry 1 s
rule many   when count > 50 or round >= 5 limit amount to 10
rule go     when amount <= 100 or urgent allow
"""


def policy_of(source: str) -> Policy:
    return Policy(compile_policy(compile_source(Source("p.gov", source)).policy).table)


def case_of(seq: int, request: Mapping[str, Any], runtime: Mapping[str, Any], **more: Any) -> Case:
    old = Ruling(Decision.ALLOW, "go")
    parts = {"job_id": f"r:s@{seq}", "agent": "a", "old": old, "delegation": ()} | more
    return Case(
        seq=seq,
        at_ms=seq,
        event="submitted",
        request=written(request),
        runtime=written(runtime),
        is_committed=False,
        **parts,
    )


ODD: dict[str, list[Any]] = {
    "agent": ["", "x" * 300, 5],
    "topic": ["é", None, "x" * 70_000],
    "amount": ["1e2", "0.07", "1000.05", "x", True, "123456789012345678", "-0.0", "5."],
    "count": ["1.0", "101", "00012"],
    "round": ["4.99", "0.15", "-0.1", "3.5"],
    "zone": ["sea", None],
    "tags": [["green"], ["red", "red"], "red", None],
    "urgent": ["true", None],
    "note": [None, 5],
}


def cases(dice: random.Random, many: int) -> list[Case]:
    """Requests of which some are no such requests."""
    found = []
    for seq in range(1, many + 1):
        request: dict[str, Any] = {
            "agent": dice.choice("abc"),
            "topic": dice.choice(("infra.read", "x")),
            "amount": str(dice.randrange(-1000, 20_000) / 20),
            "count": str(dice.randrange(0, 100)),
            "round": dice.choice(("3", "7", "0")),
            "zone": dice.choice(("hall", "yard")),
            "tags": dice.choice(([], ["red"], ["blue", "red"])),
            "urgent": dice.random() < 0.5,
        }
        if dice.random() < 0.5:
            request["note"] = dice.choice(("stop it", "go on"))
        if dice.random() < 0.1:
            name = dice.choice(list(ODD))
            request[name] = dice.choice(ODD[name])
        if dice.random() < 0.03:
            request.pop(dice.choice(list(request)))
        if dice.random() < 0.03:
            request["more"] = "5"
        runtime = {"depth": str(dice.randrange(4)), "night": dice.random() < 0.5}
        if dice.random() < 0.2:
            del runtime["depth"]
        chain = ("z", "b") if dice.random() < 0.1 else ()
        found.append(case_of(seq, request, runtime, delegation=chain))
    return found


@pytest.mark.parametrize("odd_share", [0, 1])
def test_columns_say_what_asking_one_by_one_says(
    odd_share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "WORTH", 1)
    asker = Asker(policy_of(KINDS))
    batch = Batch(asker)
    dice = random.Random(7)
    asked = 0
    for _ in range(40):
        some = cases(dice, 60) if odd_share else [c for c in cases(dice, 60) if is_plain(c)]
        found = batch.ask(some)
        asked += sum(one.reason is None for one in found)
        assert [one.ruling for one in found] == [asker.ask(case).ruling for case in some]
    assert asked > (100 if odd_share else 500), "columns were used"


def is_plain(case: Case) -> bool:
    return not any(name in case.request and case.request[name] in odd for name, odd in ODD.items())


def test_a_ledger_under_its_own_policy_is_unchanged_to_the_last_byte_of_memory() -> None:
    async def scenario(place: Path, seed: int) -> Replay:
        async with Plane(place, bundle_of(BUDGET)) as one:
            await live(one, random.Random(seed), 120)
            now_ms = one.clock()
            kept = one.service.judge.policy.save(now_ms=now_ms)
            policy = Policy.load(bundle_of(BUDGET), capacity=65_536)
            found = replay(open_source(place), policy)
            assert policy.save(now_ms=now_ms) == kept
            return found

    for seed in range(3):
        with folder() as place:
            found = asyncio.run(scenario(place, seed))
        assert found.tally.status == "unchanged", found.tally.to_dict()
        assert found.tally.asked > 30
        assert found.memory is not None
        assert (found.memory.first_gap, found.memory.requests > 3) == (None, True)


def test_whoever_handed_a_job_on_is_asked_too() -> None:
    source = """language 1
policy chain version "1.0.0"
default allow
input {
  agent : key
  topic : text
  depth : number in 0..8 from runtime
}
rule barred when agent == "planner" and topic like "infra.**" deny
rule deep   when depth >= 1 and topic like "deep.**" throttle retry 1 s
"""
    asker = Asker(policy_of(source))
    request = {"agent": "ops", "topic": "infra.delete"}
    assert asker.ask(case_of(1, request, {})).ruling.decision == "allow"
    chained_on = case_of(1, request, {}, delegation=("planner",))
    assert asker.ask(chained_on).ruling == (Decision.DENY, "barred")
    deep = case_of(1, {"agent": "ops", "topic": "deep.x"}, {}, delegation=("planner",))
    assert asker.ask(deep).ruling.rule_id == "deep"


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("allow", "limit", Change.ESCALATED),
        ("limit", "throttle", Change.ESCALATED),
        ("throttle", "require_human", Change.ESCALATED),
        ("require_human", "deny", Change.ESCALATED),
        ("deny", "require_human", Change.RELAXED),
        ("limit", "allow", Change.RELAXED),
        ("deny", "deny", Change.UNCHANGED),
    ],
)
def test_effects_are_ordered(old: str, new: str, kind: Change) -> None:
    assert change(Ruling(Decision(old), "a"), Ruling(Decision(new), "b")) is kind


def test_a_request_that_cannot_be_read_is_a_class_of_its_own() -> None:
    deny, invalid = Ruling(Decision.DENY, "a"), Ruling(Decision.DENY, "invalid_request")
    assert change(deny, invalid) is Change.UNREADABLE
    assert change(invalid, invalid) is Change.UNCHANGED
    assert change(invalid, Ruling(Decision.ALLOW, "a")) is Change.RELAXED


def test_approvals_change_nothing_of_what_is_compared() -> None:
    asker = Asker(policy_of(KINDS))
    request = cases(random.Random(2), 1)[0].request | {"tags": ["red"], "amount": "5"}
    runtime = {"depth": "0", "night": False, "approved": ["lead"]}
    assert asker.ask(case_of(1, request, runtime)).ruling.decision == "require_human"


def decided(seq: int, **more: Any) -> dict[str, Any]:
    zero = "sha256:" + "0" * 64
    body = record_body(
        policy_of(KINDS).fields,
        {"agent": "a"},
        {},
        Verdict("deny", "default", approval_granted=False),
        Basis(zero, zero, zero),
        Circumstances(seq, f"r:s@{seq}", agent="a"),
        b"",
        More(inputs=True),
    )
    return body | more


@pytest.mark.parametrize(
    ("more", "why", "foreign"),
    [
        ({"rule_id": "suspended", "details": {"reason": "x"}}, "by `suspended`", True),
        ({"rule_id": "suspended"}, None, False),
        ({"rule_id": "fail_open", "decision": "ALLOW"}, "by `fail_open`", True),
        ({"input": {"agent": "hmac-sha256:" + "0" * 64}}, "`agent`", False),
    ],
)
def test_what_no_policy_decided_and_what_is_only_hashed_is_not_asked(
    tmp_path: Path, more: dict[str, Any], why: str | None, foreign: bool
) -> None:
    put(tmp_path, *chained([decided(1, **more)]))
    tally = replay(open_source(tmp_path), policy_of(KINDS)).tally
    left = tally.not_by_policy if foreign else tally.not_replayable
    assert [why] if why else [one for one in left.reasons if why is None or why in one] == []
    assert sum(left.reasons.values()) == (why is not None)
    assert tally.decisions == 1


def test_a_decision_without_its_input_is_not_asked(tmp_path: Path) -> None:
    body = decided(1)
    del body["input"]
    put(tmp_path, *chained([body]))
    tally = replay(open_source(tmp_path), policy_of(KINDS)).tally
    assert list(tally.not_replayable.reasons) == ["the record does not show its input"]
    assert tally.status == "undecided"


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"decision":"MAYBE"}', b"x", b"[" * 100_000])
def test_a_line_that_is_no_record_ends_the_replay(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "LEDGER.jsonl").write_bytes(line + b"\n")
    with pytest.raises(EvidenceError, match=r"line 1 of .* is no record"):
        replay(open_source(tmp_path), policy_of(KINDS))


def test_private_values_come_from_the_store_while_they_are_there() -> None:
    from govlang.runtime.evidence.forgetting import forget_private

    async def scenario(place: Path) -> tuple[Replay, Replay]:
        async with Plane(place, bundle_of(BUDGET)) as one:
            body = {
                "request": {"agent": "a1", "topic": "t", "amount": 1, "note": "x"},
                "payload": None,
                "pool": "p",
            }
            assert (await one.service.submit(agent("a1"), body, "k1")).status == 202
            (job,) = await one.lease()
            await one.begin(job)
            await one.end(job)
            source = open_source(place)
            whole = replay(source, Policy.load(bundle_of(BUDGET)))
        forget_private(source, one.clock() + 1)  # its state is saved
        return whole, replay(source, Policy.load(bundle_of(BUDGET)))

    with folder() as place:
        whole, without = asyncio.run(scenario(place))
    assert (whole.tally.status, whole.tally.decisions) == ("unchanged", 2)
    assert (without.tally.status, without.tally.decisions) == ("undecided", 2)
    assert without.memory is not None
    assert without.memory.first_gap is not None


def test_over_time_what_happened_is_fed_to_the_other_policy_as_it_happened() -> None:
    stricter = BUDGET.replace("since success >= 3 deny", "since success >= 1 deny")
    renamed = (
        BUDGET.replace("event alarm { level", "event siren { level")
        .replace("alarm within 1 min and", "siren within 1 min and")
        .replace("on alarm", "on siren")
    )

    async def scenario(place: Path) -> None:
        async with Plane(place, bundle_of(BUDGET)) as one:
            body = {
                "request": {"agent": "a1", "topic": "t", "amount": 1, "note": "x"},
                "payload": None,
                "pool": "p",
            }
            await one.service.submit(agent("a1"), body, "k1")
            (job,) = await one.lease()
            await one.begin(job)
            await one.end(job, "failed", error="no")
            await one.service.submit(agent("a1"), body, "k2")
            alarm = {"event": "alarm", "key": {"agent": "a1"}, "fields": {"level": 3}}
            assert (await one.service.observe(OPERATOR, alarm)).status == 202

    with folder() as place:
        asyncio.run(scenario(place))
        found = replay(open_source(place), policy_of(stricter)).tally.to_dict()
        other = replay(open_source(place), policy_of(renamed))
    assert found["escalated"]["count"] == 1
    (example,) = found["escalated"]["examples"]
    assert (example["new"]["rule_id"], example["event"]) == ("bad", "submitted")
    assert other.tally.status == "unchanged"
    assert other.memory is not None
    assert [why for why in other.memory.left_out if "alarm" in why]
