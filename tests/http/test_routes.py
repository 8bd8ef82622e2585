from __future__ import annotations

import inspect

import pytest
from asgi_call import call
from fake_service import FakeService, bearer, fake_app
from http_samples import ALL, OPEN, ROUTES, sent, target

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.tokens import Role
from govlang.runtime.http.route import Route
from govlang.runtime.http.service import Decisions, Jobs, Operations

PAIRS = [(route, role) for route in ROUTES for role in Role]


def name_of(value: object) -> str:
    return value.name if isinstance(value, Route) else str(value)


@pytest.mark.parametrize(("route", "role"), PAIRS, ids=name_of)
def test_a_route_is_open_to_its_roles_and_no_other(route: Route, role: Role) -> None:
    service = FakeService()
    request = sent(route)
    request["headers"] += bearer(role).items()
    reply = call(fake_app(service), route.method, target(route), **request)
    if role in route.roles:
        assert reply.status == route.status, reply.body
        assert len(service.calls) == 1
        assert role in service.calls[0][1].roles
    else:
        assert reply.code == "forbidden"
        assert reply.json["expected"] == " or ".join(sorted(route.roles))
        assert service.calls == []


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_nobody_is_let_in_without_a_token(route: Route) -> None:
    service = FakeService()
    reply = call(fake_app(service), route.method, target(route), **sent(route))
    assert (reply.status, reply.code) == (401, "unauthenticated")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert service.calls == []


@pytest.mark.parametrize("route", [r for r in OPEN if r.name != "metrics"], ids=name_of)
def test_an_open_route_asks_for_no_token(route: Route) -> None:
    assert call(fake_app(), "GET", route.path).status == 200


@pytest.mark.parametrize(
    ("metrics_open", "role", "status"),
    [
        (True, None, 200),
        (False, None, 401),
        (False, "agent", 403),
        (False, "approver", 403),
        (False, "worker", 200),
        (False, "auditor", 200),
        (False, "operator", 200),
    ],
)
def test_metrics_are_for_those_who_watch(metrics_open: bool, role: str | None, status: int) -> None:
    app = fake_app(metrics_open=metrics_open)
    assert call(app, "GET", "/metrics", headers=bearer(role) if role else None).status == status


@pytest.mark.parametrize("path", sorted({route.path for route in ALL}))
def test_another_method_is_refused_and_the_right_ones_are_named(path: str) -> None:
    methods = {route.method for route in ALL if route.path == path}
    allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    plain = path.replace("{", "").replace("}", "")
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"):
        if method not in allowed:
            reply = call(fake_app(), method, plain, headers=bearer("every"))
            assert reply.headers["allow"] == ", ".join(sorted(allowed))
            assert reply.status == 405
            assert method == "HEAD" or reply.code == "method_not_allowed"
    options = call(fake_app(), "OPTIONS", plain)
    assert (options.status, options.headers["allow"]) == (204, ", ".join(sorted(allowed)))
    assert "content-type" not in options.headers


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/jobs/", "/v1/nothing", "/v1/jobs/a/b/c", "//v1/jobs"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_an_unknown_path_is_not_found(path: str, method: str) -> None:
    reply = call(fake_app(), method, path, headers=bearer("every"))
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert method == "HEAD" or reply.code == "not_found"


@pytest.mark.parametrize("route", [r for r in ALL if r.method == "GET"], ids=name_of)
def test_head_is_get_without_the_body(route: Route) -> None:
    service = FakeService()
    app = fake_app(service)
    got = call(app, "GET", target(route), headers=bearer("every"))
    head = call(app, "HEAD", target(route), headers=bearer("every"))
    assert head.body == b""
    if route.name != "metrics":
        assert (head.status, head.headers) == (got.status, got.headers)


@pytest.mark.parametrize(
    "name", ["job_id", "run_id", "approval_id", "lease_id", "token_id", "pool"]
)
@pytest.mark.parametrize("value", ["a b", "ä", "x" * 300, "..%2f..", "a%00"])
def test_what_is_no_id_is_not_found(name: str, value: str) -> None:
    service = FakeService()
    route = next(r for r in ROUTES if "{" + name + "}" in r.path)
    request = sent(route)
    request["headers"] += bearer("every").items()
    path = route.path.replace("{" + name + "}", value)
    assert call(fake_app(service), route.method, path, **request).code == "not_found"
    assert service.calls == []


def test_every_route_asks_the_service_by_the_name_of_its_method() -> None:
    methods = {
        name
        for part in (Jobs, Decisions, Operations)
        for name, _ in inspect.getmembers(part, inspect.isfunction)
        if not name.startswith("_")
    }
    routed = {route.name for route in ROUTES}
    assert methods - routed == {"observe", "health", "ready", "stop_waiting"}
    assert routed - methods == {"event", "signal"}
    assert len({(r.method, r.path) for r in ALL}) == len({r.name for r in ALL}) == len(ALL)


def test_what_the_service_refuses_is_sent_as_it_is() -> None:
    service = FakeService()
    service.gives = problem("throttled", "wait", retry_after_s=2.5, rule_id="r")
    reply = call(
        fake_app(service),
        "POST",
        "/v1/policy/evaluate",
        headers=bearer("agent"),
        plain={"request": {}},
    )
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, "throttled", "3")
    assert reply.json["rule_id"] == "r"


def test_a_failure_is_a_problem_and_says_nothing_of_its_cause() -> None:
    service = FakeService()
    service.gives = RuntimeError("hush")
    reply = call(fake_app(service), "GET", "/v1/policy", headers=bearer("agent"))
    assert (reply.status, reply.code) == (500, "internal_error")
    assert b"hush" not in reply.body


@pytest.mark.parametrize("hush", [float("nan"), "\ud800 hush", {1, 2}, RuntimeError("hush")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_that_json_cannot_hold_is_a_failure_like_any_other(
    method: str, hush: object
) -> None:
    service = FakeService()
    service.gives = Answer(200, {"value": hush})
    reply = call(fake_app(service), method, "/v1/policy", headers=bearer("agent"))
    assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
    if method == "GET":
        assert reply.code == "internal_error"
    assert b"hush" not in reply.body


@pytest.mark.parametrize("route", ALL, ids=name_of)
def test_no_answer_is_kept_by_caches(route: Route) -> None:
    request = sent(route)
    request["headers"] += bearer("every").items()
    reply = call(fake_app(), route.method, target(route), **request)
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert int(reply.headers["content-length"]) == len(reply.body)
