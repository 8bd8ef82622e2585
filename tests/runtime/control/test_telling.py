"""Who may tell the policy what happens: nobody gives authority by running jobs."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from control_plane import ANYBODY, OPERATOR, Plane, agent, bundle_of, example, run, worker

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.tokens import Caller

EARNED = """language 1
policy earned version "1.0.0"
longest window 7 d
default deny

input {
  agent : key
  topic : one of read, merge
}
event ci_pass
signal heat : number in 0..100

autonomy for agent on topic {
  observer   may read
  maintainer may merge when count(ci_pass) in 7 d >= 2
}
"""


def lists(caller: Caller, *events: str) -> Caller:
    return replace(caller, events=frozenset(events))


async def tell(plane: Plane, caller: Caller, event: str, key: str = "ops") -> Answer:
    return await plane.service.observe(caller, {"event": event, "key": key})


def code(answer: Answer) -> tuple[int, str]:
    assert isinstance(answer.body, dict)
    return answer.status, str(answer.body.get("code", ""))


@pytest.mark.parametrize("listed", [(), ("maintenance.issued", "maintenance.reinstated")])
@pytest.mark.parametrize("event", ["issued", "revoked", "reinstated"])
def test_a_worker_gives_and_takes_no_contract_whatever_its_token_lists(
    tmp_path: Path, event: str, listed: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, example("agents/policy.gov")) as plane:
            before = len(plane.events())
            hand = lists(worker("ops"), *listed)
            assert code(await tell(plane, hand, f"maintenance.{event}")) == (403, "forbidden")
            assert len(plane.events()) == before
            assert (await tell(plane, OPERATOR, f"maintenance.{event}")).status == 202

    run(scenario)


def test_an_agent_earns_no_autonomy_by_what_its_own_worker_says(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EARNED)) as plane:
            body: Any = {
                "request": {"agent": "ops", "topic": "merge"},
                "payload": None,
                "pool": "p",
            }
            for _ in range(2):
                assert code(await tell(plane, worker("ops"), "ci_pass")) == (403, "forbidden")
            assert code(await plane.service.submit(agent("ops"), body, "k1")) == (403, "denied")
            gate = lists(worker("ci"), "ci_pass")
            for _ in range(2):
                assert (await tell(plane, gate, "ci_pass")).status == 202
            assert (await plane.service.submit(agent("ops"), body, "k2")).status == 202

    run(scenario)


def test_a_signal_is_told_by_those_whose_token_lists_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EARNED)) as plane:
            step = {"signal": "heat", "value": 3, "key": "ops"}
            assert code(await plane.service.observe(worker(), step)) == (403, "forbidden")
            for caller in (lists(worker(), "heat"), OPERATOR, ANYBODY):
                assert (await plane.service.observe(caller, step)).status == 202

    run(scenario)


def test_whoever_is_suspended_tells_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EARNED)) as plane:
            gate = lists(worker("ci"), "ci_pass")
            await plane.service.suspend(OPERATOR, "ci", "lies")
            assert code(await tell(plane, gate, "ci_pass")) == (403, "suspended")

    run(scenario)


def test_what_a_token_lists_is_kept_and_one_of_an_older_store_lists_nothing(tmp_path: Path) -> None:
    body = {"roles": ["worker"], "agent": "ci", "events": ["ci_pass"], "ttl_s": 60}

    async def made() -> None:
        async with Plane(tmp_path, bundle_of(EARNED)) as plane:
            await plane.service.create_token(OPERATOR, body)

    async def kept() -> frozenset[str]:
        async with Plane(tmp_path, bundle_of(EARNED)) as plane:
            (token,) = plane.service.rows.tokens()
            found = plane.service.book.find(token.id)
            assert found is not None
            return found.caller().events

    run(made)
    assert run(kept) == {"ci_pass"}
    with sqlite3.connect(tmp_path / "gov.db") as database:
        database.execute("ALTER TABLE tokens DROP COLUMN events")
    assert run(kept) == frozenset()
