from __future__ import annotations

import io
import json

import pytest
from asgi_call import call
from fake_service import TOKENS, FakeService, bearer, fake_app

from govlang.runtime.control.tokens import Role, token_text
from govlang.runtime.http.logs import SECRETS, service_log

TEXT = token_text(TOKENS[Role.AGENT])


def test_a_line_is_a_json_object() -> None:
    stream = io.StringIO()
    service_log(stream=stream).info("job denied", job_id="r:s@1", rule="cap", n=3)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job denied",
        "level": "info",
        "job_id": "r:s@1",
        "rule": "cap",
        "n": 3,
    }


def test_text_is_for_people() -> None:
    stream = io.StringIO()
    service_log(form="text", stream=stream).info("started", port=8420)
    assert "started" in stream.getvalue()
    assert "port=8420" in stream.getvalue()


def test_the_level_counts() -> None:
    stream = io.StringIO()
    log = service_log("warning", stream=stream)
    log.info("quiet")
    log.warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_member_that_is_secret_is_left_out(name: str, form: str) -> None:
    stream = io.StringIO()
    log = service_log(form=form, stream=stream)
    log.info("x", **{name: "hush"})
    log.info("x", **{name.upper(): {"a": "hush"}})
    log.info("x", deep=[{"deeper": ({name: b"hush"},)}])
    assert "hush" not in stream.getvalue()
    assert stream.getvalue().count("…") == 3


@pytest.mark.parametrize(
    "text",
    [TEXT, "Bearer " + TEXT, f"the header was `Bearer {TEXT}`", "bearer hush" + "0" * 50 + "1"],
)
def test_a_token_inside_a_text_is_left_out(text: str) -> None:
    stream = io.StringIO()
    service_log(stream=stream).info(text, why=text, more={"a": [text]})
    assert "…" in stream.getvalue()
    assert "hush" not in stream.getvalue()
    assert "0" * 40 not in stream.getvalue()


def test_a_failure_is_logged_with_its_cause_and_without_its_secrets() -> None:
    stream, service = io.StringIO(), FakeService()
    service.gives = RuntimeError(f"cannot use {TEXT}")
    call(fake_app(service, stream=stream), "GET", "/v1/policy", headers=bearer("agent"))
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["route"]) == ("request failed", "error", "policy")
    assert "RuntimeError: cannot use gov_tok_" in line["exception"]
    assert "0" * 40 not in stream.getvalue()


def test_what_is_forbidden_is_logged_by_the_token_id() -> None:
    stream = io.StringIO()
    call(fake_app(stream=stream), "GET", "/v1/dlq", headers=bearer("agent"))
    line = json.loads(stream.getvalue())
    assert (line["event"], line["token_id"]) == ("forbidden", TOKENS[Role.AGENT].token_id)


def test_nothing_of_a_request_is_logged() -> None:
    stream = io.StringIO()
    app = fake_app(stream=stream)
    call(
        app,
        "POST",
        "/v1/policy/evaluate",
        headers=bearer("agent"),
        plain={"request": {"a": "hush"}},
    )
    call(app, "POST", "/v1/policy/evaluate", headers=bearer("agent"), plain={"hush": 1})
    assert "hush" not in stream.getvalue()
