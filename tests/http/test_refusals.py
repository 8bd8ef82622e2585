"""Every refusal says the field and what was expected, wherever in the sources it is made."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from control_plane import (
    AUDITOR,
    EFFECTS,
    OPERATOR,
    Plane,
    agent,
    approver,
    bundle_of,
    folder,
    worker,
)

import govlang.runtime
from govlang.runtime.control.answer import ASKED, BY_THE_SERVICE, PROBLEMS, Answer, problem

SOURCES = Path(govlang.runtime.__file__).parent
MEANT = frozenset(
    {"own_approval", "suspended", "not_installed", "policy_unavailable", "unauthenticated"}
)
"""Codes of which nothing closer can be said where they are given."""
GENERAL = MEANT | {"bad_bundle", "idempotency_conflict", "busy", "gone"}


def test_every_code_has_its_words_or_is_the_services_own_failure() -> None:
    assert ASKED.keys() | BY_THE_SERVICE == PROBLEMS.keys()
    assert not ASKED.keys() & BY_THE_SERVICE
    for code in PROBLEMS:
        body = problem(code, "x").body
        assert isinstance(body, dict)
        assert ("field" in body, "expected" in body) == ((code in ASKED),) * 2, code


def sites() -> Iterator[tuple[str, str, set[str]]]:
    """Each place where a refusal is made: where it is, its code, what it says beside it."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name("problem" | "refused"),
                    args=[ast.Constant(str(code)), *_],
                    keywords=named,
                ):
                    where = f"{path.relative_to(SOURCES)}:{node.lineno}"
                    yield where, code, {one.arg or "" for one in named}
                case _:
                    pass


def test_whoever_knows_says_what_was_expected() -> None:
    found = list(sites())
    assert len(found) > 40
    silent = [
        (where, code)
        for where, code, said in found
        if code not in GENERAL | BY_THE_SERVICE and "expected" not in said
    ]
    assert silent == []


Refusals = dict[str, Answer]


async def refusals(plane: Plane) -> Refusals:
    """A refusal of each kind that agents, approvers, workers and operators get."""
    service = plane.service
    asked = await plane.submit("a1", "human.x")
    assert isinstance(asked.body, dict)
    approval, job_id = asked.body["approval_id"], asked.body["job_id"]
    other = {"job_hash": "sha256:" + "0" * 64}
    own = {"job_hash": service.rows.job(job_id).job_hash}  # type: ignore[union-attr]
    bad = {"agent": "a1", "topic": "allow.x", "amount": 5000}
    return {
        "denied": await plane.submit("a1", "deny.x", 5),
        "throttled": await plane.submit("a1", "throttle.x"),
        "invalid_request": await plane.submit("a1", "allow.x", 5000),
        "invalid_request, asked": await service.evaluate(
            agent("a1"), {"request": bad}, record=False
        ),
        "invalid_request, told": await service.evaluate(agent("a1"), {"request": bad}, record=True),
        "not_found": service.job(agent("a2"), job_id),
        "not_found, run": service.timeline(agent("a2"), "run_0"),
        "not_found, approval": await service.approve(approver("b", "lead"), "apr_0", own),
        "not_found, letter": await service.retry(OPERATOR, job_id),
        "not_found, token": await service.revoke_token(OPERATOR, "tok_0"),
        "own_approval": await service.approve(approver("a1", "lead"), approval, own),
        "conflict": await service.approve(approver("b", "lead"), approval, other),
        "forbidden": await service.approve(approver("b", "x"), approval, own),
        "forbidden, reject": await service.reject(approver("b", "x"), approval, own),
        "conflict, back": await service.rollback(OPERATOR, "x"),
        "lease_lost": await service.heartbeat(worker(), "lease_0", {}),
        "lease_lost, result": await service.result(worker(), "lease_0", {"outcome": "failed"}),
        **await ended(plane, approval, job_id, own),
    }


async def ended(plane: Plane, approval: str, job_id: str, own: dict[str, Any]) -> Refusals:
    service = plane.service
    assert (await service.cancel(OPERATOR, job_id, "x")).status == 200
    await service.suspend(OPERATOR, "a1", "x")
    return {
        "illegal_state": await service.cancel(OPERATOR, job_id, "x"),
        "approval_closed": await service.approve(approver("b", "lead"), approval, own),
        "denied, suspended": await plane.submit("a1", "allow.x"),
        "forbidden, runtime": await service.explain(
            AUDITOR, {"request": {"topic": "x"}, "runtime": {"x": 1}}
        ),
    }


def test_every_refusal_says_where_it_is_wrong_and_what_was_expected() -> None:
    async def whole() -> Refusals:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS)) as plane:
                return await refusals(plane)

    for name, answer in asyncio.run(whole()).items():
        assert isinstance(answer.body, dict), name
        assert answer.body["code"] == name.partition(",")[0], (name, answer.body)
        assert answer.body["field"], name
        assert answer.body["expected"], name
        closer = answer.body["expected"] != ASKED[answer.body["code"]][1]
        assert closer or answer.body["code"] in MEANT, (name, "nothing closer is said")


FIELDS = """language 1
policy fields version "1.0.0"
default allow

input {
  agent : key
  odd   : text
  size  : number in 0..10 GB step 0.5
  zone  : one of urban, rural
  tags  : set of red, blue
  fine  : bool optional
  host  : bool optional from runtime
}
"""

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a number out of range": (
        {"size": 11},
        "request.size",
        "a number in 0..10 GB, a multiple of 0.5",
    ),
    "off its grid": (
        {"size": Decimal("0.7")},
        "request.size",
        "a number in 0..10 GB, a multiple of 0.5",
    ),
    "of another type": (
        {"size": "`zone`"},
        "request.size",
        "a number in 0..10 GB, a multiple of 0.5",
    ),
    "no member": ({"zone": "a`b`c"}, "request.zone", "one of `urban`, `rural`"),
    "no member of a set": (
        {"tags": ["green"]},
        "request.tags",
        "a list of `red`, `blue`, each at most once",
    ),
    "no truth": ({"fine": 1}, "request.fine", "true or false"),
    "missing": ({"odd": None}, "request.odd", "a text of at most 256 bytes"),
    "forged": ({"host": 1}, "request.host", "left out: the host sets it"),
    "unknown": (
        {"a`b": 1},
        "request.a`b",
        "one of the fields `agent`, `odd`, `size`, `zone`, `tags`, `fine`",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_that_cannot_be_read_is_told_its_field_and_what_it_must_be(name: str) -> None:
    given, field, expected = WRONG[name]

    async def whole() -> list[Answer]:
        with folder() as place:
            async with Plane(place, bundle_of(FIELDS)) as plane:
                plain = {"agent": "a1", "odd": "x", "size": 1, "zone": "urban", "tags": []}
                request = {k: v for k, v in {**plain, **given}.items() if v is not None}
                body = {"request": request, "pool": "p"}
                ask = plane.service.evaluate
                return [
                    await ask(agent("a1"), {"request": request}, record=False),
                    await ask(agent("a1"), {"request": request}, record=True),
                    await plane.service.submit(agent("a1"), body, "k"),
                ]

    for answer in asyncio.run(whole()):
        assert isinstance(answer.body, dict)
        assert (answer.status, answer.body["code"]) == (422, "invalid_request"), answer
        assert (answer.body["field"], answer.body["expected"]) == (field, expected)


def test_the_policy_says_what_each_field_must_be() -> None:

    async def whole() -> list[dict[str, Any]]:
        with folder() as place:
            async with Plane(place, bundle_of(FIELDS)) as plane:
                answer = plane.service.policy(OPERATOR)
                assert isinstance(answer.body, dict)
                found: list[dict[str, Any]] = answer.body["fields"]
                return found

    told = {
        one.pop("name"): {k: v for k, v in one.items() if v is not None}
        for one in asyncio.run(whole())
    }
    plain = {"origin": "request", "optional": False, "private": False}
    assert told == {
        "agent": {"kind": "key", **plain, "max_bytes": 256},
        "odd": {"kind": "text", **plain, "max_bytes": 256},
        "size": {
            "kind": "number",
            **plain,
            "unit": "GB",
            "min": 0,
            "max": 10,
            "step": 0.5,
            "rounding": "exact",
        },
        "zone": {"kind": "enum", **plain, "members": ["urban", "rural"]},
        "tags": {"kind": "set", **plain, "members": ["red", "blue"]},
        "fine": {"kind": "bool", **plain, "optional": True},
        "host": {"kind": "bool", **plain, "optional": True, "origin": "runtime"},
    }
