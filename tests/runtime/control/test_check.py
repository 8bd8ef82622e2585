"""A policy check elsewhere: what callers send cannot make it look broken, and open never means unread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from control_life import BUDGET
from control_plane import EFFECTS, OPERATOR, Host, Plane, agent, approver, bundle_of

from govlang.runtime.control.check import ANSWER_MAX
from govlang.runtime.control.tokens import Caller, Role

STATELESS = EFFECTS.replace("agent  : key", "agent  : text")


class Check(httpx.AsyncBaseTransport):
    """Says what it is told to."""

    def __init__(self, status: int = 200, **said: Any) -> None:
        self.status = status
        self.asked = 0
        self.says: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens once, while it answers."""
        self.said = {
            "decision": "allow",
            "rule_id": "remote",
            "reason": "",
            "obligations": [],
            "matched": [],
            "policy_snapshot": "sha256:" + "1" * 64,
            "params_hash": "sha256:" + "2" * 64,
        } | said

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        said = self.said | (self.says(json.loads(request.content)) if self.says else {})
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
        return httpx.Response(self.status, content=json.dumps(said))


def plane(place: Path, check: Check, mode: str = "open") -> Plane:
    settings = {"policy_check_url": "http://check.test/", "policy_check_fail_mode": mode}
    if mode == "open":
        settings["policy_check_fail_open_reason"] = "a test"
    return Plane(place, bundle_of(STATELESS), settings, parts={"transport": check})


@pytest.mark.parametrize(
    "more", [{"amount": 5000}, {"amount": "1"}, {"colour": "red"}, {"topic": 3}]
)
def test_requests_that_cannot_be_read_do_not_open_the_breaker(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    async def scenario() -> None:
        check = Check(422, code="invalid_request", detail="no", rule_id="invalid_request")
        async with plane(tmp_path, check) as one:
            for n in range(5):
                asked = {"agent": "a1", "topic": "x", "amount": 1, **more}
                body = {"request": asked, "payload": None, "pool": "p"}
                answer = await one.service.submit(agent("a1"), body, f"k{n}")
                assert isinstance(answer.body, dict)
                assert (answer.status, answer.body["code"]) == (422, "invalid_request")
            assert one.service.breaker.state("policy_check") == "closed"
            assert one.events().count("invalid") == 5

    asyncio.run(scenario())


def test_what_the_check_elsewhere_cannot_read_is_refused_and_is_an_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check(422, code="invalid_request", detail="`amount` is missing")
        async with plane(tmp_path, check) as one:
            for _ in range(5):
                answer = await one.submit("a1", "x")
                assert (answer.status, check.asked > 0) == (422, True)
            assert one.service.breaker.state("policy_check") == "closed"

    asyncio.run(scenario())


def test_open_lets_nothing_through_that_the_table_cannot_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, Check(500)) as one:
            assert (await one.submit("a1", "x", 5000)).status == 422
            assert (await one.submit("a1", "x", 5)).status == 202

    asyncio.run(scenario())


def test_open_is_no_approval_once_the_approval_has_expired(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check(decision="require_human", obligations=[{"require": ["lead"]}])
        async with plane(tmp_path, check) as one:
            assert (await one.submit("a1", "x")).status == 202
            (asked,) = one.service.rows.approvals("open", 9)
            body = {"job_hash": asked.job_hash}
            await one.service.approve(approver("bob", "lead"), asked.approval_id, body)
            assert one.state(asked.job_id) == "scheduled"
            check.status = 500
            one.clock.forward(90_000)
            assert await one.lease() == []
            assert one.state(asked.job_id) == "retrying"

    asyncio.run(scenario())


def test_a_retry_asks_the_check_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check()
        async with plane(tmp_path, check, "closed") as one:
            answer = await one.submit("a1", "allow.x")
            assert isinstance(answer.body, dict)
            check.said["decision"] = "deny"
            assert await one.lease() == []
            assert one.state(answer.body["job_id"]) == "denied"
            again = await one.service.retry(OPERATOR, answer.body["job_id"])
            assert again.status == 403, again

    asyncio.run(scenario())


def test_a_policy_that_remembers_is_not_published_where_another_decides(tmp_path: Path) -> None:
    async def scenario() -> None:
        remembers = BUDGET.replace("policy budget", "policy effects")
        async with plane(tmp_path, Check()) as one:
            answer = await one.service.publish(
                OPERATOR, bundle_of(remembers), allow_looser=True, reason="try"
            )
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (422, "bad_bundle")

    asyncio.run(scenario())


def test_a_policy_of_another_name_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            before = one.service.judge.policy.snapshot
            answer = await one.service.publish(
                OPERATOR, bundle_of(BUDGET), allow_looser=True, reason="try"
            )
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (409, "other_policy"), answer
            assert one.service.judge.policy.snapshot == before

    asyncio.run(scenario())


def test_a_host_that_fails_to_say_what_it_knows_is_a_check_without_an_answer(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        host = Host()
        async with Plane(tmp_path, bundle_of(EFFECTS), parts={"context": host}) as one:
            first = await one.submit("a1", "allow.x")
            assert isinstance(first.body, dict)
            host.fails = True
            answer = await one.submit("a1", "allow.x")
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (503, "policy_unavailable")
            assert await one.lease() == []
            assert one.state(first.body["job_id"]) == "retrying"
            records = [json.loads(line) for line in one.service.rows.lines(1)]
            assert records[-1]["run_timeline_event"] == "postponed"

    asyncio.run(scenario())


HOSTED = """language 1
policy hosted version "1.0.0"
default deny
input {
  agent  : key
  topic  : text
  amount : number in 0..1000
  role   : one of dev, lead from runtime
}
rule leads when role is lead allow
"""


async def coroutine() -> dict[str, Any]:
    return {"role": "lead"}


GIVEN: list[tuple[Callable[[], Any], str]] = [
    (lambda: None, "`NoneType`, not a mapping of fields to values"),
    (lambda: [("role", "lead")], "`list`, not a mapping of fields to values"),
    (lambda: "role", "`str`, not a mapping of fields to values"),
    (lambda: {1: "lead"}, "a mapping with the key `1` (int), which is no name of a field"),
    (coroutine, "a coroutine, it must be a plain function (`def`, not `async def`)"),
]


@pytest.mark.parametrize(("given", "said"), GIVEN)
def test_a_context_that_returns_no_mapping_is_a_check_without_an_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: Callable[[], Any], said: str
) -> None:
    async def scenario() -> None:
        def context(name: str, request: Any) -> Any:
            return given()

        async with Plane(tmp_path, bundle_of(HOSTED), parts={"context": context}) as one:
            answer = await one.submit("a1", "x")
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (503, "policy_unavailable")
            assert said in answer.body["detail"]
            assert one.events()[-1] == "submit_refused"
            request = {"agent": "a1", "topic": "x", "amount": 1}
            for record in (False, True):
                asked = await one.service.evaluate(agent("a1"), {"request": request}, record=record)
                assert asked.status == 503

    asyncio.run(scenario())
    assert f"the host's context returned {said}" in caplog.messages


def test_a_field_of_the_host_that_nobody_sets_is_warned_of_and_not_the_callers_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(HOSTED)) as one:
            answer = await one.submit("a1", "x")
            assert isinstance(answer.body, dict)
            assert answer.body["detail"] == "`role` is missing: the host sets it"
            assert answer.body["field"] == "runtime.role"
            assert answer.body["expected"].startswith("set by the host (`gov serve --context`)")
            request = {"agent": "a1", "topic": "x", "amount": 1, "role": "lead"}
            forged = await one.service.evaluate(agent("a1"), {"request": request}, record=False)
            assert isinstance(forged.body, dict)
            assert forged.body["detail"] == "`role` is set by the host, a request must not carry it"
            assert forged.body["expected"] == "left out: the host sets it"

    def said() -> list[str]:
        return [one for one in caplog.messages if one.startswith("nobody sets `role`")]

    asyncio.run(scenario())
    assert len(said()) == 1
    assert "`gov serve --context MODULE:FUNCTION`" in said()[0]


def test_a_published_policy_is_warned_of_as_well_and_none_that_is_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = HOSTED.replace("from runtime", "").replace("1.0.0", "0.9.0")
    known = HOSTED.replace("role   : one of dev, lead", "depth : number in 0..9")
    known = known.replace("role is lead", "depth > 0")

    async def scenario(folder: Path, first: str, second: str, **parts: Any) -> None:
        async with Plane(folder, bundle_of(first), parts=parts) as one:
            caplog.clear()
            done = await one.service.publish(
                OPERATOR, bundle_of(second), allow_looser=True, reason="try"
            )
            assert done.status == 200, done

    asyncio.run(scenario(tmp_path / "a", plain, HOSTED))
    assert [one for one in caplog.messages if one.startswith("nobody sets `role`")]
    asyncio.run(scenario(tmp_path / "b", plain, known))
    assert not [one for one in caplog.messages if one.startswith("nobody sets")]
    asyncio.run(scenario(tmp_path / "c", plain, HOSTED, context=lambda *_: {"role": "lead"}))
    assert not [one for one in caplog.messages if one.startswith("nobody sets")]


def test_work_ends_and_questions_are_answered_while_the_host_does_not_say_what_it_knows(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        host = Host()
        async with Plane(tmp_path, bundle_of(BUDGET), parts={"context": host}) as one:
            request = {"agent": "a1", "topic": "t", "amount": 1, "note": "x"}
            body = {"request": request, "payload": None, "pool": "p"}
            for key in ("k1", "k2", "k3"):
                await one.service.submit(agent("a1"), body, key)
            first, second, _ = await one.lease(3)
            await one.begin(first)
            await one.begin(second)
            host.fails = True
            assert (await one.end(first)).status == 200
            one.clock.forward(31)
            await one.reconcile()
            assert one.state(second["job_id"]) == "timed_out"
            for record in (False, True):
                asked = await one.service.evaluate(agent("a1"), {"request": request}, record=record)
                assert asked.status == 503
            many = await one.service.simulate(OPERATOR, {"requests": [{"request": request}]})
            assert many.status == 503

    asyncio.run(scenario())


def records(one: Plane) -> list[dict[str, Any]]:
    return [json.loads(line) for line in one.service.rows.lines(1)]


MALFORMED = [
    ("limit", [{"limit": "amount"}]),
    ("limit", [{"limit": "amount", "to": "x"}]),
    ("limit", [{"limit": "amount", "to": True}]),
    ("limit", [{"limit": "amount", "to": float("nan")}]),
    ("limit", [{"limit": "amount", "to": 1, "from": 2}]),
    ("limit", [{"limit": "amount", "to": 1, "from": None}]),
    ("limit", []),
    ("allow", [{"do": ["a"]}]),
    ("allow", [{"do": "a", "args": {"x": float("inf")}}]),
    ("allow", [{"do": "a", "for": 3}]),
    ("allow", [{"frob": 1}]),
    ("allow", ["do"]),
    ("throttle", [{"retry_ms": "x"}]),
    ("throttle", [{"retry_ms": 10**400}]),
    ("require_human", [{"require": "ops"}]),
    ("require_human", [{"require": []}]),
    ("require_human", [{"require": ["ops"], "expires_ms": float("nan")}]),
    ("require_human", [{"require": ["ops"], "expires_ms": 0}]),
    ("require_human", []),
]


@pytest.mark.parametrize("mode", ["closed", "open"])
@pytest.mark.parametrize(("decision", "obligations"), MALFORMED)
def test_obligations_that_cannot_be_read_are_no_answer_at_either_gate(
    tmp_path: Path, decision: str, obligations: list[Any], mode: str
) -> None:
    async def scenario() -> None:
        check = Check()
        async with plane(tmp_path, check, mode) as one:
            assert (await one.submit("a1", "x")).status == 202
            check.said |= {"decision": decision, "obligations": obligations}
            answer = await one.submit("a1", "x")
            last = records(one)[-1]
            assert isinstance(answer.body, dict)
            if mode == "closed":
                assert (answer.status, answer.body["code"]) == (503, "policy_unavailable")
                assert (last["rule_id"], last["details"]["reason"]) == (
                    "policy_unavailable",
                    "gave an answer that cannot be read",
                )
            else:
                assert (answer.status, last["rule_id"]) == (202, "fail_open")
            given = await one.lease(5)
            assert len(given) == (2 if mode == "open" else 0)
            check.said |= {"decision": "allow", "obligations": []}
            one.clock.forward(60)
            assert len(await one.lease(5)) == (0 if mode == "open" else 1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "said",
    [
        {"rule_id": "\ud800"},
        {"reason": "\ud800"},
        {"reason": 3},
        {"rule_id": ""},
        {"matched": [3]},
        {"policy_snapshot": "v7"},
        {"params_hash": None},
        {"more": 1},
    ],
)
def test_an_answer_that_no_record_could_hold_is_none(tmp_path: Path, said: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, Check(**said), "closed") as one:
            assert (await one.submit("a1", "x")).status == 503

    asyncio.run(scenario())


def test_every_obligation_that_a_policy_can_ask_for_is_read(tmp_path: Path) -> None:
    said = [
        {"do": "notify", "args": {"who": "ops", "n": 1.5}, "for_ms": 60_000},
        {"limit": "amount", "from": 0.5, "to": 10},
        {"limit": "pace", "to": 3},
        {"retry_ms": 7000},
        {"remedy": "ask for less", "with": {"amount": 1}},
    ]

    async def scenario() -> None:
        async with plane(tmp_path, Check(decision="limit", obligations=said), "closed") as one:
            answer = await one.submit("a1", "x", 50)
            assert isinstance(answer.body, dict)
            assert answer.body["decision"]["obligations"] == said
            (job,) = await one.lease(1, "notify")
            assert (job["request"]["amount"], job["limits"]) == (10, {"pace": {"to": 3}})

    asyncio.run(scenario())


def asks_unless_approved(body: dict[str, Any]) -> dict[str, Any]:
    if "lead" in body["runtime"].get("approved", []):
        return {"decision": "allow", "rule_id": "trusted", "obligations": []}
    return {"decision": "require_human", "rule_id": "asks", "obligations": [{"require": ["lead"]}]}


def test_the_record_of_an_approved_dispatch_tells_the_decision_before_the_approval(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        check = Check()
        check.says = asks_unless_approved
        async with plane(tmp_path, check, "closed") as one:
            answer = await one.submit("a1", "x")
            assert isinstance(answer.body, dict)
            (asked,) = one.service.rows.approvals("open", 9)
            body = {"job_hash": asked.job_hash}
            await one.service.approve(approver("bob", "lead"), asked.approval_id, body)
            assert len(await one.lease()) == 1
            record = records(one)[-1]
            assert record["run_timeline_event"] == "step_dispatched"
            assert (record["decision"], record["rule_id"]) == ("REQUIRE_HUMAN", "asks")
            assert (record["approval_required"], record["approver"]) == (True, "bob")
            assert record["labels"]["approval_granted"] == "true"
            assert record["policy_snapshot"] == "sha256:" + "1" * 64
            assert record["proof_hash"] == "", "nothing is known here of another policy's proofs"

    asyncio.run(scenario())


async def bob_is_suspended(one: Plane) -> None:
    await one.service.suspend(OPERATOR, "bob", "his token was stolen")


async def the_approval_expires(one: Plane) -> None:
    one.clock.forward(90_000)


@pytest.mark.parametrize("happens", [bob_is_suspended, the_approval_expires])
def test_an_approval_that_ends_while_the_check_is_asked_lets_nothing_through(
    tmp_path: Path, happens: Callable[[Plane], Awaitable[None]]
) -> None:
    async def scenario() -> None:
        check = Check()
        check.says = asks_unless_approved
        async with plane(tmp_path, check, "closed") as one:
            assert (await one.submit("a1", "x")).status == 202
            (asked,) = one.service.rows.approvals("open", 9)
            body = {"job_hash": asked.job_hash}
            await one.service.approve(approver("bob", "lead"), asked.approval_id, body)
            assert one.state(asked.job_id) == "scheduled"
            check.meanwhile = lambda: happens(one)
            assert await one.lease() == []
            assert one.state(asked.job_id) == "scheduled", "what was said is of no use any more"
            assert await one.lease() == []
            assert one.state(asked.job_id) == "approval_required", "it was asked anew"

    asyncio.run(scenario())


def test_a_token_that_is_revoked_while_the_check_is_asked_stores_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check()
        async with plane(tmp_path, check, "closed") as one:
            wanted = {"roles": ["agent"], "agent": "a1", "ttl_s": 60}
            made = (await one.service.create_token(OPERATOR, wanted)).body
            assert isinstance(made, dict)
            caller = Caller("a1", frozenset({Role.AGENT}), frozenset(), None, made["id"])

            async def revoked() -> None:
                await one.service.revoke_token(OPERATOR, made["id"])

            check.meanwhile = revoked
            request = {"agent": "a1", "topic": "x", "amount": 1}
            body = {"request": request, "payload": None, "pool": "p"}
            answer = await one.service.submit(caller, body, "k")
            assert answer.status == 401, answer
            assert one.service.rows.counts() == {}

    asyncio.run(scenario())


def test_an_undo_that_cannot_be_read_is_not_asked_about(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check()
        async with plane(tmp_path, check) as one:
            undo = {"request": {"agent": "a1", "topic": "x", "amount": 5000}}
            answer = await one.submit("a1", "allow.x", undo=undo)
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["field"]) == (403, "undo.request.amount")
            assert check.asked == 1

    asyncio.run(scenario())


def denies_deletes(body: dict[str, Any]) -> dict[str, Any]:
    return {"decision": "deny"} if body["request"]["topic"] == "allow.delete" else {}


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_an_undo_is_decided_by_the_check_elsewhere_too(tmp_path: Path, mode: str) -> None:
    """Else whoever cancels his own job has done as its undo what he may not do."""

    async def scenario() -> None:
        check = Check()
        check.says = denies_deletes
        async with plane(tmp_path, check, mode) as one:
            undo = {"request": {"agent": "a1", "topic": "allow.delete", "amount": 1}}
            answer = await one.submit("a1", "allow.x", undo=undo)
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (403, "denied")
            assert answer.body["field"] == "undo.request"
            assert one.service.rows.counts() == {}
            undo["request"]["topic"] = "allow.put_back"
            answer = await one.submit("a1", "allow.x", undo=undo)
            assert answer.status == 202, answer
            assert isinstance(answer.body, dict)
            check.said["decision"] = "deny"
            assert await one.lease() == []
            check.said["decision"] = "allow"
            check.says = lambda body: (
                {"decision": "deny"} if body["request"]["topic"] == "allow.put_back" else {}
            )
            again = await one.service.retry(OPERATOR, answer.body["job_id"])
            assert again.status == 403, again

    asyncio.run(scenario())


def test_what_was_said_before_a_policy_was_published_dispatches_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check()
        async with plane(tmp_path, check, "closed") as one:
            assert (await one.submit("a1", "x")).status == 202
            other = bundle_of(STATELESS.replace('"1.0.0"', '"1.0.1"').replace("7 s", "8 s"))

            async def published() -> None:
                found = await one.service.publish(OPERATOR, other, allow_looser=True, reason="try")
                assert found.status == 200, found

            check.meanwhile = published
            assert await one.lease() == []
            assert len(await one.lease()) == 1

    asyncio.run(scenario())


def test_the_proofs_are_named_where_the_check_runs_the_policy_of_here(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check()
        async with plane(tmp_path, check, "closed") as one:
            check.said["policy_snapshot"] = one.service.judge.policy.snapshot
            await one.submit("a1", "x")
            assert records(one)[-1]["proof_hash"] == one.service.judge.proof_hash != ""

    asyncio.run(scenario())


class Endless(Check):
    """Answers, and goes on answering."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, content=self._on_and_on())

    async def _on_and_on(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 65_536
            yield b" " * 65_536


def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Endless()
        async with plane(tmp_path, check, "closed") as one:
            answer = await one.submit("a1", "x")
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (503, "policy_unavailable")
            assert "too much" in answer.body["detail"]
            assert check.sent <= ANSWER_MAX + 65_536

    asyncio.run(scenario())
