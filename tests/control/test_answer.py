from __future__ import annotations

import re

import pytest

from govlang.runtime.control.answer import ASKED, BY_THE_SERVICE, PROBLEMS, problem


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_has_the_status_and_title_of_its_code(code: str) -> None:
    answer = problem(code, "why")
    closer = dict(zip(("field", "expected"), ASKED.get(code, ()), strict=False))
    assert answer.body == {
        "type": "urn:govlang:problem:" + code,
        "title": PROBLEMS[code].title,
        "status": answer.status,
        "detail": "why",
        "code": code,
        **closer,
    }
    assert (not closer) == (code in BY_THE_SERVICE)
    assert answer.status == PROBLEMS[code].status
    assert 400 <= answer.status < 600
    assert re.fullmatch(r"[a-z_]+", code)


def test_a_code_outside_of_the_table_cannot_be_answered() -> None:
    with pytest.raises(KeyError):
        problem("unheard_of", "why")


def test_what_the_place_of_the_refusal_knows_stands_before_what_its_code_says() -> None:
    answer = problem("conflict", "why", field="job_id", expected="another")
    assert isinstance(answer.body, dict)
    assert (answer.body["field"], answer.body["expected"]) == ("job_id", "another")


def test_what_is_none_is_left_out() -> None:
    answer = problem("denied", "why", rule_id="r", remedy=None)
    assert isinstance(answer.body, dict)
    assert answer.body["rule_id"] == "r"
    assert "remedy" not in answer.body


@pytest.mark.parametrize(("wait_s", "sent"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (29.1, "30")])
def test_a_wait_is_sent_as_whole_seconds_rounded_up(wait_s: float, sent: str) -> None:
    answer = problem("throttled", "why", retry_after_s=wait_s)
    assert answer.headers == {"retry-after": sent}
    assert isinstance(answer.body, dict)
    assert answer.body["retry_after_s"] == wait_s
