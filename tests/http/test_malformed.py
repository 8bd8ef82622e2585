"""Every POST route against every kind of body that is none."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from asgi_call import call
from fake_service import FakeService, bearer, fake_app
from http_samples import ROUTES, SAMPLES, target

from govlang.runtime.control.answer import PROBLEMS
from govlang.runtime.http import app as app_module
from govlang.runtime.http.reading import read_strictly
from govlang.runtime.http.route import Route

JSON_ROUTES = [route for route in ROUTES if route.body is not None]
DEEP = b'{"a":' * 101 + b"1" + b"}" * 101

MALFORMED = {
    "empty": b"",
    "blank": b" \n",
    "cut": b'{"request": {',
    "trailing": b"{} {}",
    "comma": b'{"a": 1,}',
    "single_quotes": b"{'a': 1}",
    "not_utf8": b'{"a": "\xff"}',
    "utf16": '{"a": 1}'.encode("utf-16"),
    "byte_order_mark": b"\xef\xbb\xbf{}",
    "nan": b'{"request": {"x": NaN}}',
    "infinity": b'{"request": {"x": -Infinity}}',
    "duplicate_key": b'{"request": {"x": 1, "x": 2}}',
    "lone_surrogate": b'{"request": {"x": "\\ud800"}}',
    "lone_surrogate_key": b'{"request": {"\\udfff": 1}}',
    "too_deep": DEEP,
    "far_too_deep": b"[" * 40_000 + b"]" * 40_000,
    "leading_zero": b'{"a": 01}',
    "control_character": b'{"a": "\x01"}',
}
OTHER_SHAPES: dict[str, Any] = {
    "null": None,
    "list": [],
    "text": "request",
    "number": 3,
    "unknown_member": {"surprise": 1},
}


def name_of(value: object) -> str:
    return value.name if isinstance(value, Route) else str(value)


def post(route: Route, body: bytes, kind: str = "application/json") -> tuple[Any, FakeService]:
    service = FakeService()
    headers = [*SAMPLES[route.name].headers, *bearer("every").items(), ("content-type", kind)]
    reply = call(fake_app(service), "POST", target(route), headers=headers, body=body)
    return reply, service


def is_told(reply: Any, code: str) -> None:
    """The problem has the code, says what was wrong, where, and what was expected."""
    assert reply.code == code
    assert reply.status == PROBLEMS[code].status
    for member in ("detail", "field", "expected"):
        assert reply.json[member], member


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=name_of)
def test_what_is_no_json_is_refused(route: Route, name: str) -> None:
    reply, service = post(route, MALFORMED[name])
    is_told(reply, "malformed_json")
    assert service.calls == []


@pytest.mark.parametrize("name", OTHER_SHAPES)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=name_of)
def test_json_of_another_shape_is_refused(route: Route, name: str) -> None:
    reply, service = post(route, json.dumps(OTHER_SHAPES[name]).encode())
    is_told(reply, "invalid_body")
    assert service.calls == []


@pytest.mark.parametrize("route", JSON_ROUTES, ids=name_of)
def test_every_member_is_strict(route: Route) -> None:
    for name in SAMPLES[route.name].body:
        for wrong in ([[]], {"": {"": []}}, "\x00", -1, True, None, 1e300, "x" * 20_000):
            sample = {**SAMPLES[route.name].body, name: wrong}
            reply, service = post(route, json.dumps(sample).encode())
            if reply.status != route.status:
                is_told(reply, "invalid_body")
                assert reply.json["field"].split(".")[0] in {name, "body"}
                assert service.calls == []
        unknown = {**SAMPLES[route.name].body, name + "_": 1}
        reply, _ = post(route, json.dumps(unknown).encode())
        is_told(reply, "invalid_body")
        assert reply.json["field"] == name + "_"
        assert reply.json["expected"] == f"there is no such member, did you mean `{name}`?"


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/jsonp",
        "application/problem+json",
    ],
)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=name_of)
def test_another_content_type_is_refused(route: Route, kind: str) -> None:
    reply, service = post(route, json.dumps(SAMPLES[route.name].body).encode(), kind)
    is_told(reply, "unsupported_media_type")
    assert service.calls == []


@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', "application/json"],
)
def test_json_in_utf8_is_taken_however_it_is_written(kind: str) -> None:
    route = JSON_ROUTES[0]
    assert post(route, json.dumps(SAMPLES[route.name].body).encode(), kind)[0].status == 200


def test_a_missing_or_doubled_content_type_is_refused() -> None:
    for kinds in ([], ["application/json", "application/json"]):
        headers = [*bearer("every").items(), *(("content-type", kind) for kind in kinds)]
        reply = call(
            fake_app(), "POST", "/v1/policy/evaluate", headers=headers, body=b'{"request":{}}'
        )
        is_told(reply, "unsupported_media_type")


@pytest.mark.parametrize("route", [r for r in ROUTES if r.has_body], ids=name_of)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused_as_it_comes(route: Route, announced: bool) -> None:
    service = FakeService()
    kind = "application/octet-stream" if route.takes_bytes else "application/json"
    headers = [*SAMPLES[route.name].headers, *bearer("every").items(), ("content-type", kind)]
    pieces = [b" " * 65_536] * 40
    if announced:
        headers.append(("content-length", str(65_536 * 40)))
    reply = call(fake_app(service), "POST", target(route), headers=headers, body=pieces)
    is_told(reply, "payload_too_large")
    assert reply.headers["connection"] == "close"
    assert service.calls == []


@pytest.mark.parametrize("size", [1023, 1024, 1025])
def test_the_limit_is_exact(size: int) -> None:
    headers = [*bearer("every").items(), ("content-type", "application/json")]
    body = b'{"request":{}}'.ljust(size)
    for pieces in ([body], [body[:500], body[500:]], [body, b""]):
        reply = call(
            fake_app(body_limit_bytes=1024),
            "POST",
            "/v1/policy/evaluate",
            headers=headers,
            body=pieces,
        )
        assert reply.status == (200 if size <= 1024 else 413)


VALUES: dict[str, tuple[str, int]] = {
    "numbers": ("[0,0,0]", 4),
    "lists": ("[[],[[]]]", 4),
    "objects": ('[{"a":0},{"a":{}}]', 5),
    "members": ('{"a":0,"b":0}', 3),
    "commas in a text": (json.dumps(["," * 200, "[" * 200, '",[{"' * 200]), 4),
    "a text with escapes": (json.dumps(["\\" * 301 + '"', '\\",[[[' * 100, "\\"]), 4),
    "short texts": ('["","",""]', 4),
}
"""A payload, and how many values it holds; where a list or an object is empty, one more is counted."""


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("over", [0, 1])
def test_a_body_of_more_values_than_the_limit_is_too_large(name: str, over: int) -> None:
    payload, values = VALUES[name]
    empty = payload.count("[]") + payload.count("{}")
    body = f'{{"request":{{}},"pool":"p","payload":[{"0," * 100}{payload}]}}'.encode()
    limit = 1 + 1 + 1 + 1 + 1 + 100 + values + empty
    service = FakeService()
    headers = [*bearer("every").items(), ("content-type", "application/json")]
    headers.append(("idempotency-key", "k"))
    app = fake_app(service, body_values_max=limit - over)
    reply = call(app, "POST", "/v1/jobs", headers=headers, body=body)
    if over:
        is_told(reply, "payload_too_large")
        assert reply.json["expected"].startswith(f"at most {limit - 1} values")
        assert service.calls == []
    else:
        assert reply.status == 202


@pytest.mark.parametrize(("size", "where"), [(100, "MainThread"), (70_000, "gov-read_0")])
def test_a_long_body_is_read_beside_the_event_loop(
    size: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def read(raw: bytes, most: int) -> Any:
        seen.append(threading.current_thread().name)
        return read_strictly(raw, most)

    monkeypatch.setattr(app_module, "read_strictly", read)
    headers = [*bearer("every").items(), ("content-type", "application/json")]
    for body, code in ((b'{"request":{}}', ""), (b"{", "malformed_json")):
        reply = call(
            fake_app(), "POST", "/v1/policy/evaluate", headers=headers, body=body.ljust(size)
        )
        assert (reply.status, reply.json.get("code", "")) == (400 if code else 200, code)
    assert seen == [where] * 2


def test_a_body_in_pieces_is_one_body() -> None:
    service = FakeService()
    headers = [*bearer("every").items(), ("content-type", "application/json")]
    pieces = [b'{"requ', b'est": {"a"', b": 1}}"]
    call(fake_app(service), "POST", "/v1/policy/evaluate", headers=headers, body=pieces)
    assert service.calls[0][2]["request"] == {"a": 1}


def test_a_client_that_leaves_gets_nothing_and_asks_nothing() -> None:
    service = FakeService()
    headers = [*bearer("every").items(), ("content-type", "application/json")]
    reply = call(
        fake_app(service),
        "POST",
        "/v1/policy/evaluate",
        headers=headers,
        body=[b'{"request"', b": {}}"],
        leaves=True,
    )
    assert reply.status == 0
    assert service.calls == []


@pytest.mark.parametrize(
    "keys", [[], [""], ["a b"], ["x" * 201], ["k\xe4"], ["a", "a"], ["a\tb"], ["\x7f"]]
)
def test_a_job_needs_one_good_idempotency_key(keys: list[str]) -> None:
    service = FakeService()
    headers = [*bearer("every").items(), ("content-type", "application/json")]
    headers += [("idempotency-key", key) for key in keys]
    body = json.dumps(SAMPLES["submit"].body).encode()
    reply = call(fake_app(service), "POST", "/v1/jobs", headers=headers, body=body)
    is_told(reply, "idempotency_key_missing")
    assert service.calls == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("record=1", "record"),
        ("record=", "record"),
        ("record=True", "record"),
        ("record=true&record=true", "query"),
        ("recrod=true", "recrod"),
        ("record=%ff", "record"),
        ("%00=1", r"\x00"),
    ],
)
def test_a_query_is_as_strict_as_a_body(query: str, field: str) -> None:
    service = FakeService()
    reply = call(
        fake_app(service),
        "POST",
        "/v1/policy/evaluate?" + query,
        headers=bearer("every"),
        plain={"request": {}},
    )
    is_told(reply, "invalid_body")
    assert reply.json["field"] == field or field.startswith("\\")
    assert service.calls == []


@pytest.mark.parametrize(
    "query",
    [
        "first=0",
        "first=-1",
        "first=1.0",
        "first=٣",
        "first=9999999999999999999",
        "first=1&last=x",
        "first=1&surprise=1",
    ],
)
def test_a_range_of_records_is_of_whole_numbers(query: str) -> None:
    reply = call(fake_app(), "GET", "/v1/evidence/records?" + query, headers=bearer("auditor"))
    is_told(reply, "invalid_body")


@pytest.mark.parametrize(
    "query", ["", "seq=1", "seq=1&size=2&to=3", "from=1", "size=2", "from=1&size=2"]
)
def test_a_proof_is_of_one_kind(query: str) -> None:
    reply = call(fake_app(), "GET", "/v1/evidence/proof?" + query, headers=bearer("auditor"))
    is_told(reply, "invalid_body")


def test_a_consistency_proof_is_asked_by_from_and_to() -> None:
    service = FakeService()
    call(fake_app(service), "GET", "/v1/evidence/proof?from=1&to=2", headers=bearer("auditor"))
    assert service.calls[0][2] == {"from": 1, "to": 2}
