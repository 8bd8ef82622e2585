from __future__ import annotations

import asyncio
import inspect
from typing import Any

import httpx
import pytest
from gateway_policy import asked

from govlang.client import (
    Approval,
    AsyncGovClient,
    Conflict,
    Denied,
    Forbidden,
    GovClient,
    GovError,
    Invalid,
    LeaseLost,
    NotFound,
    Patience,
    Submitted,
    Throttled,
    Unavailable,
)


def public(kind: type) -> dict[str, inspect.Signature]:
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(one) for name, one in found if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    ours, theirs = public(GovClient), public(AsyncGovClient)
    assert list(ours) == list(theirs)
    for name, signature in ours.items():
        assert str(signature) == str(theirs[name]), name


def test_a_job_goes_all_the_way(gateway) -> None:
    client = gateway.client
    made = client.submit(asked("infra.read"), pool="ops", payload={"n": [1]}, run_id="r1")
    assert (made.job_id, made.state) == ("r1:read@1", "scheduled")
    assert (made.decision.decision, made.decision.rule_id) == ("allow", "ordinary")
    (lease,) = client.lease("ops", "w1", wait_s=5)
    assert (lease.job_id, lease.payload) == (made.job_id, {"n": [1]})
    assert client.heartbeat(lease.lease_id, started=True).state == "running"
    done = client.result(lease.lease_id, "succeeded", output={"rows": 3})
    assert done.state == "succeeded"
    assert client.result(lease.lease_id, "succeeded", output={"rows": 3}) == done
    job = client.wait(made.job_id, 5)
    assert job.is_over
    assert job.output == {"rows": 3}


def test_a_person_approves_exactly_one_job(gateway) -> None:
    client = gateway.client
    made = client.submit(asked("infra.delete", environment="production"), pool="ops")
    assert made.state == "approval_required"
    (one,) = client.approvals()
    assert isinstance(one, Approval)
    assert (one.approval_id, one.roles) == (made.approval_id, ("sre",))
    with pytest.raises(Conflict):
        client.approve(one.approval_id, "sha256:" + "0" * 64)
    first = client.approve(one.approval_id, one.job_hash, role="sre")
    assert first == client.approve(one.approval_id, one.job_hash, role="sre")
    with pytest.raises(Conflict) as refused:
        client.reject(one.approval_id, one.job_hash)
    assert refused.value.code == "approval_closed"


def test_approvals_come_in_pages_and_one_of_them_whole(gateway) -> None:
    client = gateway.client
    made = [
        client.submit(asked("infra.delete", environment="production"), pool="ops", payload={"n": n})
        for n in range(5)
    ]
    seen, page = [], client.approvals()
    assert page.more is not None
    while page:
        seen += [one.approval_id for one in page]
        page = client.approvals(after=page.more) if page.more else ()
    assert seen == [one.approval_id for one in made]
    one = client.approval(seen[3])
    assert (one.payload, one.whole, one.job_id) == ({"n": 3}, True, made[3].job_id)
    assert client.letters().more is None


EVERY = [
    ("enter_phase", ("r1", "plan"), {"evidence": {"a": 1}, "justification": "why"}, 7),
    ("timeline", ("r1",), {}, ({"seq": 1}, {"seq": 2}, {"seq": 7})),
    ("letters", (), {}, ()),
    ("simulate", ([{"request": asked("infra.read")}],), {}, None),
    ("explain", (asked("infra.read"),), {}, None),
    ("policy", (), {}, None),
    ("publish", (b"zip",), {"allow_looser": True, "reason": "asked for"}, None),
    ("rollback", ("it was wrong",), {}, None),
    ("observe", ({"event": "failure", "key": "a1"},), {}, None),
    ("observe", ({"signal": "heat", "value": 1, "key": "a1"},), {}, None),
    ("suspend", ("a1", "why"), {}, None),
    ("reinstate", ("a1", "why"), {}, None),
    ("force_open", ("db", "why"), {}, {"dependency": "db", "state": "forced"}),
    ("release", ("db", "why"), {}, {"dependency": "db", "state": "open"}),
    ("tokens", (), {}, ()),
    ("revoke_token", ("tok_1",), {}, {"id": "tok_1"}),
    ("checkpoint", (), {}, "govlang\n3\nAAAA\n"),
    ("records", (4, 9), {}, ({"seq": 4},)),
    ("inclusion", (3, 8), {}, {"path": [], "seq": "3", "size": "8"}),
    ("consistency", (3, 8), {}, {"path": [], "from": "3", "to": "8"}),
    ("health", (), {}, {"status": "ok"}),
    ("ready", (), {}, {"status": "ok"}),
    ("metrics", (), {}, "gov_jobs 1\n"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "answer"), EVERY)
def test_every_route_has_a_method_in_both_clients(
    gateway, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any
) -> None:
    found = getattr(gateway.client, name)(*args, **kwargs)

    async def again() -> Any:
        async with AsyncGovClient(gateway.url) as client:
            return await getattr(client, name)(*args, **kwargs)

    assert asyncio.run(again()) == found
    assert answer is None or found == answer


def test_the_methods_above_are_all_there_are() -> None:
    here = {one[0] for one in EVERY}
    elsewhere = {
        "submit",
        "job",
        "cancel",
        "approvals",
        "approval",
        "approve",
        "reject",
        "lease",
        "heartbeat",
    }
    elsewhere |= {"result", "evaluate", "create_token", "retry_letter", "wait", "send", "close"}
    assert set(public(GovClient)) == here | elsewhere


def test_a_question_is_answered_and_a_dead_letter_goes_again(gateway) -> None:
    client = gateway.client
    assert client.evaluate(asked("infra.read")).decision == "allow"
    assert client.evaluate(asked("infra.drop"), record=True).reason == "Never here"
    made = client.submit(asked("infra.read"), pool="ops")
    (lease,) = client.lease("ops", "w1")
    client.heartbeat(lease.lease_id, started=True)
    client.result(lease.lease_id, "failed", error="no")
    (letter,) = client.letters()
    assert (letter.job_id, letter.reason) == (made.job_id, "no")
    again = client.retry_letter(letter.job_id)
    assert again.job_id == made.job_id.replace("@1", "@2")
    assert client.cancel(again.job_id, "enough").state == "cancelled"
    with pytest.raises(Conflict) as refused:
        client.cancel(again.job_id, "enough")
    assert refused.value.code == "illegal_state"


def test_a_token_is_sent_and_shown_nowhere(gateway) -> None:
    made = gateway.client.create_token(["agent"], ttl_s=60, agent="a1")
    assert made.token not in repr(made)
    with GovClient(gateway.url, made.token) as client:
        assert client.submit(asked("infra.read"), pool="ops").state == "scheduled"
        assert made.token not in repr(client)
        with pytest.raises(Forbidden):
            client.lease("ops", "w1")
    with GovClient(gateway.url, f"{made.token}\n") as client:
        assert client.policy().policy, "as a file holds it"
    with GovClient(gateway.url, "gov_unknown") as client, pytest.raises(Forbidden) as refused:
        client.policy()
    assert (refused.value.code, refused.value.status) == ("unauthenticated", 401)
    assert "gov_unknown" not in str(refused.value)


@pytest.mark.parametrize("kind", [GovClient, AsyncGovClient])
@pytest.mark.parametrize("text", ["gov_a\nb", "gov_a b", "gov_\u00e9", "gov_a\x00"])
def test_what_can_be_no_token_is_refused_at_once_and_not_shown(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match="the token is none") as refused:
        kind("http://localhost:8420", text)
    assert text not in str(refused.value)


REFUSALS = [
    (asked("infra.drop"), Denied, "denied", 403),
    (asked("other"), Denied, "denied", 403),
    (asked("infra.read", size=0.3), Invalid, "invalid_request", 422),
    (asked("infra.burst"), Throttled, "throttled", 429),
]


@pytest.mark.parametrize(("request_", "kind", "code", "status"), REFUSALS)
def test_a_refusal_is_of_its_kind(gateway, request_, kind, code: str, status: int) -> None:
    with pytest.raises(GovError) as refused:
        gateway.client.submit(request_, pool="ops")
    assert type(refused.value) is kind
    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_refusal_says_which_rule_and_why(gateway) -> None:
    with pytest.raises(Denied) as refused:
        gateway.client.submit(asked("infra.drop"), pool="ops")
    assert (refused.value.rule_id, refused.value.reason) == ("kept_out", "Never here")
    assert refused.value.decision["obligations"] == [{"do": "notify", "args": {"team": "finance"}}]


STATUSES = [
    (400, "malformed_json", Invalid),
    (403, "own_approval", Forbidden),
    (404, "not_found", NotFound),
    (410, "gone", NotFound),
    (409, "lease_lost", LeaseLost),
    (409, "idempotency_conflict", Conflict),
    (413, "payload_too_large", Invalid),
    (501, "not_installed", Unavailable),
    (302, "moved", Unavailable),
    (418, "teapot", Unavailable),
]


@pytest.mark.parametrize(("status", "code", "kind"), STATUSES)
def test_a_status_is_an_exception_whatever_it_is(gateway, status: int, code: str, kind) -> None:
    gateway.faults.answer("/v1/jobs/r:s@1", status, {"code": code, "detail": "no"})
    with pytest.raises(GovError) as refused:
        gateway.client.job("r:s@1")
    assert type(refused.value) is kind


ODD = [
    b"",
    b"no json",
    b"[]",
    b"{}",
    b'{"job_id": "r:s@1", "run_id": "r", "state": "scheduled"}',
    b'{"job_id": 1, "run_id": "r", "state": "scheduled", "decision": {}}',
    b'{"job_id": "r:s@1", "run_id": "r", "state": "scheduled", "decision": []}',
    b'{"job_id": NaN}',
    b"\xff",
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", ODD)
def test_an_answer_that_cannot_be_read_is_no_success(body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(202, content=body))
    with (
        GovClient("http://gateway", transport=transport, patience=Patience(1, 0)) as client,
        pytest.raises(Unavailable) as refused,
    ):
        client.submit(asked("infra.read"), pool="ops")
    assert refused.value.code == "unreadable_answer"


def test_what_a_newer_gateway_adds_is_left_out() -> None:
    body = {"job_id": "r:s@1", "run_id": "r", "state": "new", "more": 1}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    with GovClient("http://gateway", transport=transport) as client:
        assert client.job("r:s@1").state == "new"


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "ftp://host", "http://", "http://a:b@host", "http://host?x=1"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="gateway"):
        GovClient(url)


def test_a_url_without_its_scheme_is_told_what_is_missing() -> None:
    with pytest.raises(ValueError, match="`http://` is missing: write http://localhost:8431"):
        GovClient("localhost:8431")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: {2, "a"}}, object()])
def test_what_json_has_not_is_refused_before_anything_is_sent(gateway, value: object) -> None:
    with pytest.raises(Invalid) as caught:
        gateway.client.submit(asked("infra.copy", size=40), pool="ops", payload=value)
    assert (caught.value.code, caught.value.status) == ("unwritable", 0)
    assert isinstance(caught.value, ValueError)
    assert gateway.faults.seen == []


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_a_path_cannot_be_left(gateway, job_id: str) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        gateway.client.job(job_id)


def test_a_segment_stays_one(gateway) -> None:
    with pytest.raises(NotFound):
        gateway.client.job("../policy")
    assert gateway.faults.seen[-1].url.raw_path == b"/v1/jobs/..%2Fpolicy"


def test_a_submission_is_typed(gateway) -> None:
    made = gateway.client.submit(asked("infra.copy", size=40), pool="ops")
    assert isinstance(made, Submitted)
    assert made.decision.obligations == ({"limit": "size", "to": 10},)
    (lease,) = gateway.client.lease("ops", "w1")
    assert lease.request["size"] == 10
