"""Attacks on the service over its interface: each fails, and changes nothing; every answer is one of the document's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from attack_client import ROLES, ROUTES, Door, attack, traces
from http_samples import PATHS, SAMPLES, Sample

from govlang.runtime.http.routes import ROUTES as ASKED

# --- whose answer it is --------------------------------------------------------------------------


def test_a_key_that_was_used_gives_no_other_body_a_job() -> None:
    async def scenario(door: Door) -> None:
        first = await door.submit(key="k")
        before = traces(door)
        for changed in ({"payload": {"n": 2}}, {"pool": "q"}, {"run_id": "r"}, {"step": "s"}):
            reply = await door.submit(key="k", **changed)
            assert reply.code == "idempotency_conflict", changed
        assert (await door.submit("allow.y", key="k")).code == "idempotency_conflict"
        again = await door.submit(key="k")
        assert again.body == first.body
        assert again.headers["idempotent-replayed"] == "true"
        assert traces(door) == before

    attack(scenario)


def test_numbers_that_are_written_otherwise_are_another_body() -> None:
    async def scenario(door: Door) -> None:
        for number, written in enumerate((b"1", b"1.0", b'"1"', b"1e0")):
            raw = (
                b'{"request":{"agent":"a1","topic":"allow.x","amount":' + written + b'},"pool":"p"}'
            )
            reply = await door("submit", raw, as_="agent", key="k")
            assert reply.status == 202 if number == 0 else reply.code == "idempotency_conflict"

    attack(scenario)


def test_the_key_of_another_caller_is_another_key() -> None:
    async def scenario(door: Door) -> None:
        await door.token("other", "agent", agent="a2")
        first = (await door.submit(key="k")).json
        request = {"agent": "a2", "topic": "allow.x", "amount": 1}
        body = {"request": request, "payload": {"n": 1}, "pool": "p"}
        second = await door("submit", body, as_="other", key="k")
        assert second.status == 202
        assert second.json["job_id"] != first["job_id"]
        assert "idempotent-replayed" not in second.headers
        assert (await door("job", as_="other", job_id=first["job_id"])).code == "not_found"

    attack(scenario)


def test_one_key_sent_twenty_times_at_once_is_one_job() -> None:
    async def scenario(door: Door) -> None:
        replies = await asyncio.gather(*(door.submit(key="k") for _ in range(20)))
        assert {reply.status for reply in replies} == {202}
        assert len({reply.body for reply in replies}) == 1
        assert sum("idempotent-replayed" in reply.headers for reply in replies) == 19
        assert door.plane.service.rows.counts() == {"scheduled": 1}

    attack(scenario)


def test_two_bodies_under_one_key_at_once_are_one_job() -> None:
    async def scenario(door: Door) -> None:
        replies = await asyncio.gather(
            *(door.submit(key="k", payload={"n": n % 2}) for n in range(20))
        )
        assert sorted({reply.status for reply in replies}) == [202, 409]
        assert door.plane.service.rows.counts() == {"scheduled": 1}

    attack(scenario)


# --- whose work it is ----------------------------------------------------------------------------

DONE = {"outcome": "succeeded", "output": {"n": 1}}


def test_a_lease_is_worth_nothing_to_another_worker() -> None:
    async def scenario(door: Door) -> None:
        await door.token("other", "worker")
        await door.submit()
        lease = {"lease_id": (await door.leased())["lease_id"]}
        before = traces(door)
        for name, body in (("heartbeat", {"started": True}), ("result", DONE)):
            assert (await door(name, body, as_="other", **lease)).code == "lease_lost"
        assert traces(door) == before

    attack(scenario)


def test_what_a_worker_said_counts_once() -> None:
    async def scenario(door: Door) -> None:
        await door.submit()
        lease = {"lease_id": (await door.leased())["lease_id"]}
        assert (await door("result", DONE, as_="worker", **lease)).code == "illegal_state"
        await door("heartbeat", {"started": True}, as_="worker", **lease)
        first = await door("result", DONE, as_="worker", **lease)
        before = traces(door)
        assert (await door("result", DONE, as_="worker", **lease)).body == first.body
        for other in ({"outcome": "failed"}, {**DONE, "output": {"n": 2}}, {"outcome": "again"}):
            assert (await door("result", other, as_="worker", **lease)).code == "lease_lost"
        beat = await door("heartbeat", {"started": True}, as_="worker", **lease)
        assert beat.json == {"state": "succeeded", "cancel": True, "lease_s": 0.0}
        assert traces(door) == before

    attack(scenario)


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("tries", [1, 50])
def test_work_that_is_given_back_twice_is_given_back_once(*, has_begun: bool, tries: int) -> None:
    """The first answer was not read; with one try it was the last, and the job has ended."""

    async def scenario(door: Door) -> None:
        await door.token("other", "worker", pools=["p"])
        job_id = (await door.submit()).json["job_id"]
        lease = {"lease_id": (await door.leased())["lease_id"]}
        if has_begun:
            await door("heartbeat", {"started": True}, as_="worker", **lease)
        undone = {"outcome": "again", "error": "the source is not there yet"}
        first = await door("result", undone, as_="worker", **lease)
        assert first.status == 200
        before = traces(door)
        assert (await door("result", undone, as_="worker", **lease)).body == first.body
        for other in (DONE, {"outcome": "failed"}, {**undone, "error": "another"}):
            assert (await door("result", other, as_="worker", **lease)).code == "lease_lost"
        assert (await door("result", undone, as_="other", **lease)).code == "lease_lost"
        assert traces(door) == before
        if tries == 1:
            return
        door.plane.clock.forward(31)
        second = await door.leased()
        assert second["job_id"] == job_id
        assert (await door("result", undone, as_="worker", **lease)).body == first.body
        assert door.plane.state(job_id) == "dispatched"
        again = {"lease_id": second["lease_id"]}
        assert (await door("result", undone, as_="worker", **again)).json["state"] == "retrying"
        assert door.plane.events().count("retried") == 2

    attack(scenario, retry_budget=tries)


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_lease_that_ran_out_is_worth_nothing(*, has_begun: bool) -> None:
    async def scenario(door: Door) -> None:
        await door.submit()
        lease = {"lease_id": (await door.leased())["lease_id"]}
        if has_begun:
            await door("heartbeat", {"started": True}, as_="worker", **lease)
        door.plane.clock.forward(31)
        for name, body in (("heartbeat", {"started": True}), ("result", DONE)):
            assert (await door(name, body, as_="worker", **lease)).code == "lease_lost"
        await door.plane.reconcile()
        before = traces(door)
        assert (await door("result", DONE, as_="worker", **lease)).code == "lease_lost"
        assert traces(door) == before

    attack(scenario)


def test_a_worker_leases_from_its_own_pools_only() -> None:
    async def scenario(door: Door) -> None:
        await door.token("elsewhere", "worker", pools=["q"])
        await door.submit()
        before = traces(door)
        body = {"worker": "w", "max": 9}
        assert (await door("lease", body, as_="elsewhere", pool="p")).code == "forbidden"
        assert (await door("lease", body, as_="elsewhere", pool="q")).json == {"jobs": []}
        assert traces(door) == before

    attack(scenario)


@pytest.mark.parametrize("more", [{}, {"pools": []}])
def test_a_worker_whose_token_names_no_pool_leases_from_none(more: dict[str, Any]) -> None:
    async def scenario(door: Door) -> None:
        await door.token("nowhere", "worker", **more)
        await door.submit()
        before = traces(door)
        reply = await door("lease", {"worker": "w", "max": 9}, as_="nowhere", pool="p")
        assert (reply.code, reply.json["field"]) == ("forbidden", "pool")
        assert "names no pool" in reply.json["detail"]
        assert traces(door) == before

    attack(scenario)


@pytest.mark.parametrize("pools", [["*"], ["q", "*"]])
def test_a_star_names_every_pool(pools: list[str]) -> None:
    async def scenario(door: Door) -> None:
        await door.token("anywhere", "worker", pools=pools)
        await door.submit()
        reply = await door("lease", {"worker": "w", "max": 9}, as_="anywhere", pool="p")
        assert len(reply.json["jobs"]) == 1
        shown = (await door("tokens")).json["tokens"]
        assert next(one for one in shown if one["id"] == door.ids["anywhere"])["pools"] == ["*"]

    attack(scenario)


# --- who may call --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [route.name for route in ASKED])
def test_a_route_is_closed_to_every_role_that_it_does_not_name(name: str) -> None:
    async def scenario(door: Door) -> None:
        route, sample = ROUTES[name], SAMPLES.get(name, Sample())
        before = traces(door)
        query = "?" + sample.query if sample.query else ""
        for role in ROLES:
            if role not in route.roles:
                reply = await door(name, sample.body, as_=role, query=query, **PATHS)
                assert reply.code == "forbidden", role
        forged = door.tokens["operator"][:-1] + "g"
        wrong = door.tokens["operator"][:-64] + "0" * 64
        for nobody in (None, forged, wrong, "", "gov_", "x" * 5_000):
            assert (await door(name, sample.body, as_=nobody, **PATHS)).code == "unauthenticated"
        assert traces(door) == before

    attack(scenario)


def test_no_open_route_shows_what_the_service_holds() -> None:
    async def scenario(door: Door) -> None:
        await door.submit("allow.secret-topic", payload={"password": "hunter2"})
        for name in ("health", "ready", "openapi", "docs"):
            assert b"hunter2" not in (await door(name, as_=None)).body

    attack(scenario)


def test_a_token_that_was_revoked_while_its_request_was_on_the_way_takes_no_job() -> None:
    async def scenario(door: Door) -> None:
        body = {"worker": "w", "wait_s": 20}
        waits = asyncio.ensure_future(door("lease", body, as_="worker", pool="p"))
        await asyncio.sleep(0.05)
        assert (await door("revoke_token", token_id=door.ids["worker"])).status == 200
        submitted = (await door.submit()).json["job_id"]
        reply = await asyncio.wait_for(waits, 10)
        assert reply.code == "unauthenticated"
        assert door.plane.state(submitted) == "scheduled"

    attack(scenario)


def test_a_token_that_expired_while_its_request_waited_takes_no_job() -> None:
    async def scenario(door: Door) -> None:
        await door.token("brief", "worker", pools=["p"], ttl_s=60)
        body = {"worker": "w", "wait_s": 20}
        waits = asyncio.ensure_future(door("lease", body, as_="brief", pool="p"))
        await asyncio.sleep(0.05)
        door.plane.clock.forward(61)
        submitted = (await door.submit()).json["job_id"]
        assert (await asyncio.wait_for(waits, 10)).code == "unauthenticated"
        assert door.plane.state(submitted) == "scheduled"

    attack(scenario)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_token_that_has_ended_opens_nothing_more(end: str) -> None:
    async def scenario(door: Door) -> None:
        await door.submit()
        if end == "revoked":
            await door("revoke_token", token_id=door.ids["agent"])
        else:
            door.plane.clock.forward(86_400)
        assert (await door.submit()).code == "unauthenticated"

    attack(scenario)


def test_nobody_is_two_people_by_two_tokens_that_name_nobody() -> None:
    async def scenario(door: Door) -> None:
        body = {"roles": ["approver"], "approves": ["lead"], "ttl_s": 60}
        reply = await door("create_token", body)
        assert reply.code == "invalid_body"
        assert "`agent`" in reply.json["detail"]
        one = await door("create_token", {**body, "agent": "bob"})
        two = await door("create_token", {**body, "agent": "bob", "approves": ["owner"]})
        door.tokens |= {"one": one.json["token"], "two": two.json["token"]}
        asked = (await door.submit("both.x")).json["approval_id"]
        shown = (await door("approval", approval_id=asked)).json
        word = {"job_hash": shown["job_hash"]}
        for who in ("one", "two"):
            said = await door("approve", word, as_=who, approval_id=asked)
            assert (said.json["state"], said.json["missing"]) == ("approval_required", ["owner"])

    attack(scenario)


# --- what may not be said ------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["approved", "delegator", "origin", "depth"])
def test_what_only_the_host_knows_is_not_taken_from_a_request(field: str) -> None:
    async def scenario(door: Door) -> None:
        value: Any = ["lead"] if field == "approved" else 0 if field == "depth" else "a1"
        request = {"agent": "a1", "topic": "human.x", "amount": 1, field: value}
        forged = {"request": request, "pool": "p", "payload": {field: value}}
        assert (await door("submit", forged, as_="agent")).code == "invalid_request"
        asked = {"request": {**request, "topic": "allow.x"}}
        assert (await door("evaluate", asked, as_="agent")).code == "invalid_request"
        del request[field]
        asked = {"request": request, "runtime": {field: value}}
        assert (await door("evaluate", asked, as_="agent")).code == "forbidden"
        assert door.plane.service.rows.counts() == {}

    attack(scenario)


def test_an_agent_asks_for_itself_only() -> None:
    async def scenario(door: Door) -> None:
        before = traces(door)
        for name in ("a2", "A1", "a1 ", "a1\u200b", "\u0430" + "1"):
            request = {"agent": name, "topic": "allow.x", "amount": 1}
            body = {"request": request, "pool": "p"}
            assert (await door("submit", body, as_="agent")).code == "forbidden"
            assert (await door("evaluate", {"request": request}, as_="agent")).code == "forbidden"
        assert traces(door) == before

    attack(scenario)


NUMBERS = [
    b"1e999",
    b"-1e999",
    b"1e-999",
    b"0.1" + b"0" * 400 + b"1",
    b"9" * 5_000,
    b"1e9999999999999999999",
    b"-0",
    b"0." + b"3" * 3_000,
    b"1E+1000000",
    b"true",
    b"null",
    b'"NaN"',
    b'"Infinity"',
    b'"1e999"',
    b'"0x10"',
    b'"\xd9\xa1"',
    b'"1_0"',
    b'" 1"',
]


@pytest.mark.parametrize("written", NUMBERS, ids=lambda one: one[:12].decode())
def test_a_number_is_what_was_written_or_nothing(written: bytes) -> None:
    async def scenario(door: Door) -> None:
        request = b'{"agent":"a1","topic":"allow.x","amount":' + written + b"}"
        asked = await door("evaluate", b'{"request":' + request + b"}", as_="agent")
        raw = b'{"request":' + request + b',"payload":null,"pool":"p"}'
        reply = await door("submit", raw, as_="agent")
        if written == b"-0":
            assert (asked.status, reply.status) == (200, 202)
            return
        assert {asked.code, reply.code} <= {"invalid_request", "invalid_body"}
        assert door.plane.service.rows.counts() == {}

    attack(scenario)


def test_a_payload_holds_no_number_that_readers_take_differently() -> None:
    async def scenario(door: Door) -> None:
        request = b'{"agent":"a1","topic":"allow.x","amount":1}'
        for number in (b"1e999", b"9007199254740993", b"-1e400", b"9" * 500):
            raw = b'{"request":' + request + b',"pool":"p","payload":{"n":' + number + b"}}"
            assert (await door("submit", raw, as_="agent")).code == "invalid_body"
        assert door.plane.service.rows.counts() == {}

    attack(scenario)


STRANGE = [
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\u202e" * 99,
    "\ufeff",
    "\U0010ffff",
    "\x7f",
    "\x1b[2J",
    "x" * 300,
]
TEXTS = {
    "request.topic": lambda s: ("submit", {"request": {"agent": "a1", "topic": s, "amount": 1}, "pool": "p"}),
    "request.agent": lambda s: ("submit", {"request": {"agent": s, "topic": "allow.x", "amount": 1}, "pool": "p"}),
    "a field's name": lambda s: ("submit", {"request": {"agent": "a1", "topic": "allow.x", s: 1}, "pool": "p"}),
    "payload": lambda s: ("submit", {"request": {"agent": "a1"}, "payload": {s: s}, "pool": "p"}),
    "pool": lambda s: ("submit", {"request": {}, "pool": s}),
    "run_id": lambda s: ("submit", {"request": {}, "pool": "p", "run_id": s}),
    "step": lambda s: ("submit", {"request": {}, "pool": "p", "step": s}),
    "parent_job_id": lambda s: ("submit", {"request": {}, "pool": "p", "parent_job_id": s}),
    "evaluate": lambda s: ("evaluate", {"request": {"agent": "a1", "topic": s, "amount": 1}}),
    "simulate": lambda s: ("simulate", {"requests": [{"request": {"agent": "a1", "topic": s}}]}),
    "event": lambda s: ("event", {"event": s, "key": s, "fields": {s: s}}),
    "signal": lambda s: ("signal", {"signal": s, "value": s}),
    "worker": lambda s: ("lease", {"worker": s, "actions": [s]}),
    "suspend": lambda s: ("suspend", {"reason": s}),
    "rollback": lambda s: ("rollback", {"reason": s}),
    "token": lambda s: ("create_token", {"roles": ["agent"], "agent": s, "approves": [s], "ttl_s": 60}),
    "phase": lambda s: ("phase", {"phase": "plan", "evidence": {s: s}, "justification": s}),
}  # fmt: skip
NOT_ASCII_ESCAPES = "surrogatepass"


@pytest.mark.parametrize("where", TEXTS)
def test_no_text_breaks_the_service(where: str) -> None:
    async def scenario(door: Door) -> None:
        for text in STRANGE:
            name, body = TEXTS[where](text)
            path = {"agent": "nobody", "run_id": "r", "pool": "empty"}
            role = next(one for one in ROLES if one in ROUTES[name].roles)
            for raw in (
                json.dumps(body).encode(),
                json.dumps(body, ensure_ascii=False).encode("utf-8", NOT_ASCII_ESCAPES),
            ):
                reply = await door(name, raw, as_=role, **path)
                assert reply.status < 500, (text, reply.body)
                if any("\ud800" <= one <= "\udfff" for one in text):
                    assert reply.code == "malformed_json"
        assert (await door.submit()).status == 202
        assert door.plane.service.writer.is_alive

    attack(scenario)


PATHS_TRIED = [
    "..%2f..%2fgov.db",
    "%2e%2e",
    "..",
    "%00",
    "run%0d%0aset-cookie:x",
    "a%2fb",
    "%ff%fe",
    "' OR 1=1 --",
    "x" * 5_000,
    "%f0%9f%92%a3",
    "a:b@0",
    "a:b@01",
    "a:b@99999999999",
    "lease_ZZ",
    "*",
    "{job_id}",
]


@pytest.mark.parametrize(
    "part", ["job", "timeline", "approve", "heartbeat", "retry", "revoke_token"]
)
def test_no_path_leads_elsewhere(part: str) -> None:
    async def scenario(door: Door) -> None:
        route = ROUTES[part]
        role = next(one for one in ROLES if one in route.roles)
        name = next(iter(PATHS.keys() & {route.path.split("{")[1].split("}")[0]}))
        before = traces(door)
        for tried in PATHS_TRIED:
            body = SAMPLES.get(part, Sample()).body
            reply = await door(part, body, as_=role, **{name: tried.replace(" ", "%20")})
            assert reply.code in {"not_found", "lease_lost"}, tried
            assert b"\r\nset-cookie" not in reply.body
        assert traces(door) == before

    attack(scenario)


def test_no_body_is_too_deep_or_too_long_for_the_service_to_refuse() -> None:
    async def scenario(door: Door) -> None:
        before = traces(door)
        for deep in (b"[" * 90 + b"]" * 90, b"[" * 200 + b"]" * 200, b"[" * 50_000 + b"]" * 50_000):
            head = b'{"request":{"agent":"a1","topic":"deny.x","amount":'
            reply = await door("submit", head + deep + b'},"pool":"p"}', as_="agent")
            assert reply.code in {"malformed_json", "invalid_request", "payload_too_large"}
        piece = b" " * 65_536
        for headers in ([("content-length", str(40 * 65_536))], [("content-length", "12")], []):
            reply = await door("submit", as_="agent", headers=headers, pieces=[piece] * 40)
            assert reply.code == "payload_too_large"
        fields = {f"f{n}": n for n in range(1_001)}
        assert (
            await door("submit", {"request": fields, "pool": "p"}, as_="agent")
        ).code == "invalid_body"
        long = {"agent": "a1", "topic": "deny." + "x" * 20_000, "amount": 1}
        assert (
            await door("submit", {"request": long, "pool": "p"}, as_="agent")
        ).code == "invalid_body"
        assert traces(door)[1] == before[1]

    attack(scenario)
