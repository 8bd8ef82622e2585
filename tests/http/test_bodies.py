from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from asgi_call import Reply, call
from fake_service import FakeService, bearer, fake_app
from http_samples import SAMPLES

from govlang.runtime.http.reading import checked, read_strictly
from govlang.runtime.http.routes import ROUTES


def asked(target: str, body: bytes, *, role: str = "every", **settings: Any) -> tuple[Reply, Any]:
    """The reply, and the body as the service got it."""
    service = FakeService()
    headers = [
        *bearer(role).items(),
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ]
    client = "127.0.0.1" if settings.get("dev") else "192.0.2.1"
    app = fake_app(service, **settings)
    reply = call(app, "POST", target, headers=headers, body=body, client=client)
    if not service.calls:
        return reply, None
    return reply, next(part for part in service.calls[0] if isinstance(part, dict))


def test_numbers_of_a_request_arrive_as_they_were_written() -> None:
    body = b'{"request": {"a": 0.1, "b": 1.10, "c": 12345678901234567890, "d": 1e400, "e": [2.50]}}'
    _, seen = asked("/v1/policy/evaluate", body)
    assert seen["request"] == {
        "a": Decimal("0.1"),
        "b": Decimal("1.10"),
        "c": 12345678901234567890,
        "d": Decimal("1e400"),
        "e": [Decimal("2.50")],
    }
    assert str(seen["request"]["b"]) == "1.10"


def test_numbers_of_a_payload_are_plain_json() -> None:
    body = b'{"request": {}, "pool": "p", "payload": {"a": [0.5, 3, 1e3, null, "x", true]}}'
    _, seen = asked("/v1/jobs", body)
    payload = seen["payload"]["a"]
    assert payload == [0.5, 3, 1000.0, None, "x", True]
    assert [type(one) for one in payload] == [float, int, float, type(None), str, bool]


@pytest.mark.parametrize("number", [b"9007199254740992", b"-9007199254740992", b"1e16", b"1e999"])
def test_a_number_of_a_payload_that_readers_differ_on_is_refused(number: bytes) -> None:
    reply, seen = asked("/v1/jobs", b'{"request": {}, "pool": "p", "payload": [%b]}' % number)
    assert reply.code == "invalid_body"
    assert reply.json["field"] == "payload"
    assert "send it as text" in reply.json["expected"]
    assert seen is None
    assert asked("/v1/jobs", b'{"request": {"n": %b}, "pool": "p"}' % number)[0].status == 202


def test_what_is_left_out_has_its_default() -> None:
    _, seen = asked("/v1/jobs", b'{"request": {}, "pool": "p"}')
    assert seen == {
        "request": {},
        "payload": None,
        "pool": "p",
        "run_id": None,
        "step": None,
        "parent_job_id": None,
        "undo": None,
    }
    _, seen = asked("/v1/pools/ops/lease", b'{"worker": "w", "max": 1.0}')
    assert type(seen["max"]) is int
    assert seen == {"worker": "w", "max": 1, "wait_s": 0.0, "actions": []}


@pytest.mark.parametrize(
    ("target", "body", "field"),
    [
        ("/v1/jobs", b'{"request": {}, "pool": ""}', "pool"),
        ("/v1/jobs", b'{"request": {}, "pool": "a/b"}', "pool"),
        ("/v1/jobs", b'{"request": {}, "pool": "p\\n"}', "pool"),
        ("/v1/jobs", b'{"request": {}}', "pool"),
        ("/v1/jobs", b'{"request": [], "pool": "p"}', "request"),
        ("/v1/jobs", b'{"request": {}, "pool": "p", "run_id": "a:b"}', "run_id"),
        ("/v1/jobs", b'{"request": {}, "pool": "p", "parent_job_id": "r:s@0"}', "parent_job_id"),
        ("/v1/jobs", b'{"request": {}, "pool": "p", "undo": {"request": {}}}', "undo.pool"),
        ("/v1/jobs", b'{"request": {}, "pool": "p", "approval_granted": true}', "approval_granted"),
        ("/v1/pools/p/lease", b'{"worker": "w", "max": 0}', "max"),
        ("/v1/pools/p/lease", b'{"worker": "w", "max": 1.5}', "max"),
        ("/v1/pools/p/lease", b'{"worker": "w", "max": "1"}', "max"),
        ("/v1/pools/p/lease", b'{"worker": "w", "wait_s": 30.5}', "wait_s"),
        ("/v1/pools/p/lease", b'{"worker": "w", "wait_s": true}', "wait_s"),
        ("/v1/pools/p/lease", b'{"worker": "w", "wait_s": -1e-9}', "wait_s"),
        ("/v1/leases/lease_1/heartbeat", b'{"started": 1}', "started"),
        ("/v1/leases/lease_1/result", b'{"outcome": "done"}', "outcome"),
        ("/v1/leases/lease_1/result", b'{"outcome": "failed", "used": {"a": "1"}}', "used.a"),
        ("/v1/signals", b'{"signal": "s", "value": null}', "value"),
        ("/v1/signals", b'{"signal": "s", "value": [1]}', "value"),
        ("/v1/events", b'{"event": "e", "key": 3}', "key"),
        ("/v1/policy/simulate", b'{"requests": []}', "requests"),
        ("/v1/policy/simulate", b'{"requests": [{"request": {}}, 3]}', "requests.1"),
        ("/v1/approvals/apr_1/approve", b'{"job_hash": "0"}', "job_hash"),
        ("/v1/tokens", b'{"roles": ["root"], "ttl_s": 1}', "roles.0"),
        ("/v1/tokens", b'{"roles": ["agent"], "ttl_s": 1}', "body"),
        ("/v1/tokens", b'{"roles": ["worker", "worker"], "ttl_s": 1}', "body"),
        ("/v1/tokens", b'{"roles": ["worker"], "ttl_s": 0}', "ttl_s"),
        ("/v1/policy/rollback", b'{"reason": ""}', "reason"),
        ("/v1/policy/rollback", b'{"reason": "a\\u0007b"}', "reason"),
    ],
)
def test_a_fault_is_named_by_its_member(target: str, body: bytes, field: str) -> None:
    reply, seen = asked(target, body)
    assert reply.code == "invalid_body"
    assert reply.json["field"] == field
    assert f"`{field}`" in reply.json["detail"]
    assert seen is None


def test_all_faults_are_told_at_once() -> None:
    reply, _ = asked("/v1/jobs", b'{"request": 1, "pool": 2, "x": 3}')
    for name in ("request", "pool", "x"):
        assert f"`{name}`" in reply.json["detail"]


def test_nothing_that_was_sent_stands_in_the_refusal() -> None:
    reply, _ = asked("/v1/jobs", b'{"request": "hush", "pool": "hush hush", "payload": "hush"}')
    assert reply.code == "invalid_body"
    assert b"hush" not in reply.body


def test_only_an_operator_says_what_the_host_knows() -> None:
    body = b'{"request": {}, "runtime": {"depth": 1}}'
    reply, seen = asked("/v1/policy/evaluate", body, role="agent")
    assert (reply.code, reply.json["field"], seen) == ("forbidden", "runtime", None)
    assert asked("/v1/policy/evaluate", body, role="operator")[0].status == 200
    assert asked("/v1/policy/evaluate", b'{"request": {}}', role="agent")[0].status == 200


@pytest.mark.parametrize("name", ["event", "signal"])
def test_whoever_reports_something_may_say_when_it_happened(name: str) -> None:
    body = (
        b'{"event": "e", "at_ms": 5}'
        if name == "event"
        else b'{"signal": "s", "value": 1, "at_ms": 5}'
    )
    reply, seen = asked(f"/v1/{name}s", body)
    assert (reply.status, seen["at_ms"]) == (202, 5)
    reply, seen = asked(f"/v1/{name}s", body.replace(b"5}", b"-5}"))
    assert (reply.code, reply.json["field"], seen) == ("invalid_body", "at_ms", None)


def test_a_bundle_arrives_byte_by_byte() -> None:
    service = FakeService()
    headers = [*bearer("operator").items(), ("content-type", "application/octet-stream")]
    bundle = b"PK" + bytes(range(256))
    reply = call(
        fake_app(service),
        "POST",
        "/v1/policy/publish?reason=x",
        headers=headers,
        body=[bundle[:9], bundle[9:]],
    )
    assert reply.status == 200
    assert service.calls[0][2:] == (bundle, False, "x")


def test_the_samples_cover_every_body() -> None:
    assert all(SAMPLES[name].body is not None for name in ("submit", "result", "publish"))


@pytest.mark.parametrize("name", [route.name for route in ROUTES if route.body is not None])
def test_a_body_is_read_as_its_model_has_it(name: str) -> None:
    model = next(route.body for route in ROUTES if route.name == name)
    assert model is not None
    value = read_strictly(json.dumps(SAMPLES[name].body).encode())
    assert checked(model, value, "body") == model.model_validate(value).model_dump(by_alias=True)
