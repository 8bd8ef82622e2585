from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgi_call import call
from fake_service import bearer, fake_app
from http_document import DOCUMENT, conforms, validator
from http_samples import ALL, ROUTES, SAMPLES, Sample, sent, target
from jsonschema import Draft202012Validator, ValidationError
from problem_codes import reached

from govlang.runtime.control.answer import PROBLEMS
from govlang.runtime.control.service import Service
from govlang.runtime.http.page import page
from govlang.runtime.http.route import Route

OPEN_OBJECTS = {"AnyJson", "FieldValue"}
"""What the members of somebody else's objects are."""


def name_of(value: object) -> str:
    return value.name if isinstance(value, Route) else str(value)


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in the document, with its place."""
    if isinstance(schema, dict):
        yield path, schema
        for name, one in schema.items():
            yield from parts(one, f"{path}/{name}")
    elif isinstance(schema, list):
        for index, one in enumerate(schema):
            yield from parts(one, f"{path}/{index}")


def test_the_document_is_served_as_it_is_made() -> None:
    reply = call(fake_app(metrics_open=True), "GET", "/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == DOCUMENT


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    for path, part in parts(DOCUMENT):
        if "$ref" in part:
            assert (
                part["$ref"].removeprefix("#/components/schemas/")
                in DOCUMENT["components"]["schemas"]
            )
        assert not any(name.startswith("x-") for name in part), path
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_bound_is_written_as_json_schema_has_it() -> None:
    assert not [path for path, part in parts(DOCUMENT) if {"ge", "le", "gt", "lt"} & set(part)]
    lease = DOCUMENT["components"]["schemas"]["Lease"]["properties"]["max"]
    assert (lease["minimum"], lease["maximum"]) == (1, 100)


def test_every_object_is_closed() -> None:
    for path, part in parts(DOCUMENT["components"]["schemas"]):
        if part.get("type") == "object":
            rest = part.get("additionalProperties")
            named = isinstance(rest, dict) and rest
            assert rest is False or named, path
            if "properties" in part:
                assert rest is False, path


@pytest.mark.parametrize("route", ALL, ids=name_of)
def test_every_status_stands_there_with_its_codes(route: Route) -> None:
    responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    assert set(responses) == {str(route.status), *(str(PROBLEMS[c].status) for c in route.codes())}
    for code in route.codes():
        response = responses[str(PROBLEMS[code].status)]
        assert f"`{code}`" in response["description"]
        assert f"Problem_{code}" in json.dumps(response["content"]["application/problem+json"])


ERRORS = {"illegal_state": "move", "policy_unavailable": "ask", "busy": "children"}
"""Problems that `answer_to` makes of an error, by the name of what is called and raises it."""


def method_of(route: Route) -> str | None:
    """The method of the service that a route calls; None: it is answered without one."""
    called = route.act.__code__.co_names  # type: ignore[attr-defined]
    return next((name for name in called if callable(getattr(Service, name, None))), None)


@pytest.mark.parametrize("route", [r for r in ALL if method_of(r)], ids=name_of)
def test_the_problems_of_a_route_are_those_that_the_service_can_answer(route: Route) -> None:
    body = reached(str(method_of(route)))
    assert body.codes - set(route.codes()) == set(), "answered, and not in the document"
    raised = {code for code, call in ERRORS.items() if call in body.attributes}
    nowhere = set(route.problems) - body.codes - raised
    assert nowhere == set(), "in the document, and answered nowhere"


def test_reading_the_source_finds_what_it_should() -> None:
    assert {"own_approval", "approval_closed", "conflict"} <= reached("approve").codes
    assert {"unsigned_policy", "bad_bundle", "looser_policy"} <= reached("publish").codes
    assert {"throttled", "idempotency_conflict", "denied"} <= reached("submit").codes
    assert "own_approval" not in reached("cancel").codes


@pytest.mark.parametrize("route", ALL, ids=name_of)
def test_the_samples_and_their_answers_are_what_the_document_says(route: Route) -> None:
    request = sent(route)
    request["headers"] += bearer("every").items()
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    body = SAMPLES.get(route.name, Sample()).body
    if route.body is not None:
        validator(operation["requestBody"]["content"]["application/json"]["schema"]).validate(body)
    reply = call(fake_app(), route.method, target(route), **request)
    assert reply.status == route.status
    conforms(route, reply)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_refusals_are_what_the_document_says(route: Route) -> None:
    app = fake_app(body_limit_bytes=1024)
    for token in ({}, bearer("agent"), bearer("worker"), bearer("every")):
        for body in (b"", b"{", b"{}", b" " * 2000):
            for kind in ("application/json", "application/octet-stream", "text/plain"):
                headers = [*token.items(), ("content-type", kind)]
                reply = call(
                    app,
                    route.method,
                    target(route),
                    headers=headers,
                    body=body,
                )
                conforms(route, reply)


def test_a_problem_of_another_status_does_not_pass_for_one() -> None:
    refusal = {
        "type": "urn:govlang:problem:denied",
        "title": PROBLEMS["denied"].title,
        "status": 403,
        "detail": "x",
        "code": "denied",
        "field": "request",
        "expected": "another one",
    }
    check = validator({"$ref": "#/components/schemas/Problem_denied"})
    check.validate(refusal)
    for change in ({"status": 404}, {"code": "forbidden"}, {"surprise": 1}):
        with pytest.raises(ValidationError):
            check.validate(refusal | change)
    for name in ("field", "expected"):
        with pytest.raises(ValidationError):
            check.validate({k: v for k, v in refusal.items() if k != name})


def test_the_page_shows_every_route_and_asks_no_other_host() -> None:
    reply = call(fake_app(), "GET", "/docs")
    text = reply.body.decode()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    for route in ALL:
        assert f"{route.method} {route.path}</h2>" in text
    for foreign in ("http://", "https://", "<script", "src=", "@import", "url("):
        assert foreign not in text


def test_the_page_escapes_what_it_shows() -> None:
    hostile = json.loads(
        json.dumps(DOCUMENT).replace("Jobs that will not run", "<script>alert(1)</script>")
    )
    assert "<script>" in json.dumps(hostile)
    assert "<script>" not in page(hostile)
