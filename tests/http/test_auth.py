from __future__ import annotations

from dataclasses import replace

import pytest
from asgi_call import call
from fake_service import NOW_MS, TOKENS, FakeService, bearer, fake_app, token_book
from http_samples import ROUTES, sent, target

from govlang.runtime.control.tokens import Parsed, Role, TokenBook, Unknown, token_text
from govlang.runtime.http.auth import KNOWN_MAX, Auth, is_loopback
from govlang.runtime.http.headers import pick
from govlang.runtime.http.refusal import RefusedError
from govlang.runtime.http.route import Route

AGENT = TOKENS[Role.AGENT]
TEXT = token_text(AGENT)
OTHER_SECRET = token_text(Parsed(AGENT.token_id, "f" * 64))
UNKNOWN = token_text(Parsed("tok_" + "f" * 16, AGENT.secret))


def headers_of(*values: str) -> list[tuple[str, str]]:
    return [("authorization", value) for value in values]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ((), Unknown.MISSING),
        (("",), Unknown.MALFORMED),
        (("Bearer",), Unknown.MALFORMED),
        (("Bearer ",), Unknown.MALFORMED),
        ((TEXT,), Unknown.MALFORMED),
        (("Basic " + TEXT,), Unknown.MALFORMED),
        (("Bearer  " + TEXT,), Unknown.MALFORMED),
        (("Bearer " + TEXT + " ",), Unknown.MALFORMED),
        (("Bearer " + TEXT[:-1],), Unknown.MALFORMED),
        (("Bearer " + TEXT, "Bearer " + TEXT), Unknown.MALFORMED),
        (("Bearer \xff" + TEXT[1:],), Unknown.MALFORMED),
        (("Bearer " + UNKNOWN,), Unknown.UNKNOWN),
        (("Bearer " + OTHER_SECRET,), Unknown.UNKNOWN),
    ],
)
def test_whoever_shows_no_good_token_is_nobody(sent: tuple[str, ...], why: Unknown) -> None:
    service = FakeService()
    reply = call(fake_app(service), "GET", "/v1/policy", headers=headers_of(*sent))
    assert (reply.status, reply.code, reply.json["detail"]) == (401, "unauthenticated", why.value)
    assert (reply.json["field"], reply.headers["www-authenticate"]) == ("Authorization", "Bearer")
    assert service.calls == []


def test_a_token_expires_also_when_it_is_remembered() -> None:
    now = [NOW_MS]
    auth = Auth(token_book(), lambda: now[0])
    headers = pick([(b"authorization", b"Bearer " + TEXT.encode())])
    for _ in range(2):
        assert auth.caller(headers, None).token_id == AGENT.token_id
    now[0] += 1000
    for _ in range(2):
        with pytest.raises(RefusedError) as caught:
            auth.caller(headers, None)
        assert caught.value.answer.body["detail"] == Unknown.EXPIRED.value


def test_a_revoked_token_is_nobody_at_once() -> None:
    service, book = FakeService(), token_book()
    app = fake_app(service, book=book)
    assert call(app, "GET", "/v1/policy", headers=bearer("agent")).status == 200
    book.revoke(AGENT.token_id, NOW_MS)
    reply = call(app, "GET", "/v1/policy", headers=bearer("agent"))
    assert (reply.code, reply.json["detail"]) == ("unauthenticated", Unknown.REVOKED.value)
    assert call(app, "GET", "/v1/policy", headers=bearer("worker")).status == 200


def test_a_token_that_changes_is_seen_at_once() -> None:
    service, book = FakeService(), token_book()
    app = fake_app(service, book=book)
    assert call(app, "GET", "/v1/dlq", headers=bearer("agent")).code == "forbidden"
    stored = book.find(AGENT.token_id)
    assert stored is not None
    book.put(replace(stored, roles=frozenset({Role.OPERATOR})))
    assert call(app, "GET", "/v1/dlq", headers=bearer("agent")).status == 200


def test_the_scheme_may_be_written_either_way() -> None:
    assert call(fake_app(), "GET", "/v1/policy", headers=headers_of("bEARER " + TEXT)).status == 200


def test_strangers_do_not_fill_the_memory() -> None:
    auth = Auth(token_book(), lambda: NOW_MS)
    for index in range(100):
        with pytest.raises(RefusedError):
            auth.caller(pick([(b"authorization", b"Bearer %d" % index)]), None)
    assert auth._known == {}
    auth._version = auth.book.version
    auth._known.update({bytes([index % 256, index // 256]): None for index in range(KNOWN_MAX)})
    auth.caller(pick([(b"authorization", b"Bearer " + TEXT.encode())]), None)
    assert len(auth._known) == 1


LOCAL = [("host", "127.0.0.1:8420")]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:8420"])
@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1"])
def test_in_dev_whoever_is_here_holds_every_role(host: str, client: str) -> None:
    service = FakeService()
    app = fake_app(service, dev=True)
    assert call(app, "GET", "/v1/dlq", headers=[("host", host)], client=client).status == 200
    caller = service.calls[0][1]
    assert (caller.subject, caller.roles, caller.approves) == ("dev", frozenset(Role), None)


@pytest.mark.parametrize("client", ["192.0.2.1", "10.0.0.1", "::2", "localhost", None])
def test_in_dev_whoever_is_elsewhere_is_nobody(client: str | None) -> None:
    app = fake_app(dev=True)
    assert call(app, "GET", "/v1/dlq", headers=LOCAL, client=client).code == "unauthenticated"


@pytest.mark.parametrize(
    "hosts",
    [[], ["evil.example"], ["127.0.0.1.evil.example"], ["localhost", "localhost"], ["localhost:x"]],
)
def test_in_dev_a_page_of_another_site_is_nobody(hosts: list[str]) -> None:
    app = fake_app(dev=True)
    headers = [("host", host) for host in hosts]
    reply = call(app, "GET", "/v1/dlq", headers=headers, client="127.0.0.1")
    assert reply.code == "unauthenticated"


CHANGING = [route for route in ROUTES if route.method != "GET"]
ELSEWHERE = [
    [("origin", "http://evil.example")],
    [("origin", "null")],
    [("origin", "")],
    [("origin", "http://127.0.0.1")],
    [("origin", "http://127.0.0.1:3000")],
    [("origin", "http://localhost:8420")],
    [("origin", "https://127.0.0.1:8420")],
    [("origin", "http://127.0.0.1:8420"), ("origin", "http://evil.example")],
    [("sec-fetch-site", "cross-site")],
    [("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8420")],
]
"""What a browser says of a page that is not ours."""


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.name)
def test_in_dev_no_page_of_another_origin_changes_anything(route: Route) -> None:
    """Those without a body, too: a page may send them without asking first."""
    for page in ELSEWHERE:
        service = FakeService()
        request = sent(route)
        request["headers"] += [*LOCAL, *page]
        app = fake_app(service, dev=True)
        reply = call(app, route.method, target(route), client="127.0.0.1", **request)
        assert (reply.code, reply.json["field"]) == ("forbidden", "Origin"), page
        assert service.calls == []


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.name)
@pytest.mark.parametrize(
    "page",
    [
        [],
        [("origin", "http://127.0.0.1:8420")],
        [("origin", "HTTP://127.0.0.1:8420"), ("sec-fetch-site", "same-origin")],
        [("sec-fetch-site", "none")],
    ],
)
def test_in_dev_programs_and_our_own_pages_may_ask(
    route: Route, page: list[tuple[str, str]]
) -> None:
    request = sent(route)
    request["headers"] += [*LOCAL, *page]
    reply = call(fake_app(dev=True), route.method, target(route), client="127.0.0.1", **request)
    assert reply.status == route.status


def test_in_dev_a_token_is_good_from_any_page() -> None:
    headers = [*LOCAL, *bearer("operator").items(), ("origin", "http://evil.example")]
    reply = call(fake_app(dev=True), "GET", "/v1/dlq", headers=headers, client="127.0.0.1")
    assert reply.status == 200, "a browser adds no token by itself"


def test_in_dev_a_token_that_is_shown_still_counts() -> None:
    app = fake_app(dev=True)
    headers = [*LOCAL, *bearer("agent").items()]
    assert call(app, "GET", "/v1/dlq", headers=headers, client="127.0.0.1").code == "forbidden"
    headers = [*LOCAL, ("authorization", "Bearer " + UNKNOWN)]
    reply = call(app, "GET", "/v1/dlq", headers=headers, client="127.0.0.1")
    assert reply.code == "unauthenticated"


def test_without_dev_the_loopback_is_nobody() -> None:
    reply = call(fake_app(), "GET", "/v1/dlq", headers=LOCAL, client="127.0.0.1")
    assert reply.code == "unauthenticated"


def test_an_empty_book_lets_nobody_in() -> None:
    app = fake_app(book=TokenBook(version=1))
    assert call(app, "GET", "/v1/policy", headers=bearer("agent")).code == "unauthenticated"


@pytest.mark.parametrize(
    ("client", "here"),
    [(("127.0.0.1", 1), True), (("1.1.1.1", 1), False), (None, False), (("x", 1), False)],
)
def test_the_loopback_is_known_by_its_address(client: object, here: bool) -> None:
    assert is_loopback(client) is here
