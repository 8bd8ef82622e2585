"""Which policy runs: publishing and rolling back, and every bundle that must not take its place."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from control_plane import EFFECTS, OPERATOR, Plane, agent, bundle_of, folder
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from govlang.cli.building import build
from govlang.native.container import pack, unpack
from govlang.native.errors import CodedError
from govlang.runtime.bundle import read_bundle
from govlang.runtime.control import publishing
from govlang.runtime.control.answer import Answer
from govlang.runtime.control.rebuild import rebuild
from govlang.runtime.control.turn import Turn
from govlang.verifier.report import Options

STRICTER = EFFECTS.replace('topic like "allow.**"    allow', 'topic like "allow.a*"    allow')
LOOSER = EFFECTS.replace("limit amount to 10 and", "limit amount to 20 and")

COUNTING = """language 1
policy counting version "1.0.0"
default allow
input {
  agent  : key
  topic  : text
  amount : number in 0..1000 step 0.5
}
rule burst when count(allowed) in 1 min >= 3 throttle retry 5 s
"""
STRICTER_COUNT = (
    COUNTING.replace('version "1.0.0"', 'version "1.1.0"') + "rule large when amount > 500 deny\n"
)


def play(
    scenario: Callable[[Plane], Awaitable[None]], source: str = EFFECTS, **settings: Any
) -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(source), settings) as plane:
                await scenario(plane)

    asyncio.run(whole())


async def publish(plane: Plane, bundle: bytes, why: str = "", *, looser: bool = False) -> Answer:
    return await plane.service.publish(OPERATOR, bundle, allow_looser=looser, reason=why)


def code(answer: Answer) -> str:
    assert isinstance(answer.body, dict)
    return str(answer.body.get("code", ""))


def test_a_stricter_policy_is_proved_to_be_so_and_takes_the_place() -> None:
    async def scenario(plane: Plane) -> None:
        before = plane.service.judge.policy.snapshot
        answer = await publish(plane, bundle_of(STRICTER), "less")
        assert isinstance(answer.body, dict)
        assert (answer.status, answer.body["previous"]) == (200, before)
        assert (await plane.submit("a1", "allow.x")).status == 403
        refused = await plane.service.rollback(OPERATOR, "too strict")
        assert code(refused) == "looser_policy"
        assert plane.events()[-1] == "policy_refused"
        back = await plane.service.rollback(OPERATOR, "too strict", allow_looser=True)
        assert code(back) == ""
        assert plane.service.judge.policy.snapshot == before
        assert (await plane.submit("a1", "allow.x")).status == 202
        assert plane.events().count("policy_published") == 3

    play(scenario)


def last_published(plane: Plane) -> dict[str, Any]:
    records = [json.loads(line) for line in plane.service.rows.lines(1)]
    found: dict[str, Any] = [
        one["details"] for one in records if one["run_timeline_event"] == "policy_published"
    ][-1]
    return found


def test_a_roll_back_goes_along_the_history_and_never_to_what_was_left() -> None:
    async def scenario(plane: Plane) -> None:
        first, second = (read_bundle(bundle_of(one)).snapshot for one in (EFFECTS, STRICTER))

        def active() -> str:
            return plane.service.judge.policy.snapshot

        assert (await publish(plane, bundle_of(STRICTER))).status == 200
        assert (await publish(plane, bundle_of(LOOSER), "agreed", looser=True)).status == 200
        stricter = await plane.service.rollback(OPERATOR, "too loose")
        assert isinstance(stricter.body, dict)
        assert (stricter.status, active()) == (200, second)
        assert last_published(plane)["reason"] == "rolled back: too loose"
        assert stricter.body["previous"] == first, "not the looser one, which was left"
        refused = await plane.service.rollback(OPERATOR, "and again")
        assert (code(refused), active()) == ("looser_policy", second)
        again = await plane.service.rollback(OPERATOR, "and again", allow_looser=True)
        assert isinstance(again.body, dict)
        assert (again.status, active(), again.body["previous"]) == (200, first, None)
        assert last_published(plane)["reason"] == "rolled back: allowed to be looser: and again"
        none = await plane.service.rollback(OPERATOR, "once more", allow_looser=True)
        assert (code(none), active()) == ("conflict", first)

    play(scenario)


def test_a_directory_of_an_earlier_version_goes_back_to_the_one_policy_that_it_knows() -> None:
    async def scenario(plane: Plane) -> None:
        assert (await publish(plane, bundle_of(STRICTER))).status == 200

        def forget(turn: Turn) -> None:
            turn.has_written = True
            turn.session.set("history", None)

        await plane.service.carry_out(forget)
        back = await plane.service.rollback(OPERATOR, "why", allow_looser=True)
        assert isinstance(back.body, dict)
        assert (back.status, back.body["previous"]) == (200, None)

    play(scenario)


def test_a_looser_policy_needs_an_operators_word_which_is_recorded() -> None:
    async def scenario(plane: Plane) -> None:
        before = plane.service.judge.policy.snapshot
        refused = await publish(plane, bundle_of(LOOSER), "more")
        assert code(refused) == "looser_policy"
        assert isinstance(refused.body, dict)
        assert "now: limit amount <= 20" in refused.body["detail"]
        assert "{" not in refused.body["detail"], "a sentence; the requests are members"
        (example,) = refused.body["examples"]
        assert example["message"] == refused.body["detail"]
        assert example["step"]["request"]["topic"].startswith("limit."), "on which it is looser"
        record = json.loads(list(plane.service.rows.lines(1))[-1])
        assert json.dumps(example["step"]) in record["details"]["reason"]
        assert plane.service.judge.policy.snapshot == before
        assert plane.events()[-1] == "policy_refused"
        assert code(await publish(plane, bundle_of(LOOSER), "  ", looser=True)) == "invalid_body"
        assert (await publish(plane, bundle_of(LOOSER), "agreed", looser=True)).status == 200
        assert plane.service.judge.policy.snapshot != before

    play(scenario)


def test_what_the_policy_remembers_goes_over_where_it_means_the_same() -> None:
    async def scenario(plane: Plane) -> None:
        for number in range(3):
            await plane.submit("a1", f"t{number}")
        assert len(await plane.lease(5)) == 3
        answer = await publish(plane, bundle_of(STRICTER_COUNT), "large ones")
        assert code(answer) == "looser_policy", "what is denied now does not count: more goes later"
        answer = await publish(plane, bundle_of(STRICTER_COUNT), "large ones", looser=True)
        assert isinstance(answer.body, dict)
        assert (answer.status, answer.body["anew"]) == (200, [])
        assert (await plane.submit("a1", "t9")).status == 429

    play(scenario, COUNTING)


def keys() -> tuple[bytes, bytes]:
    private = Ed25519PrivateKey.generate()
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def signed(source: str, place: Path, key: bytes) -> bytes:
    path = place / "signed.gov"
    path.write_text(source, encoding="utf-8")
    return build(path, Options(), tier=None, key_pem=key, against=None).bundle


def test_where_a_signature_is_demanded_only_that_key_counts(tmp_path: Path) -> None:
    own, public = keys()
    other, _ = keys()
    (tmp_path / "key.pub").write_bytes(public)
    settings = {"require_signature": tmp_path / "key.pub"}

    async def scenario() -> None:
        with pytest.raises(CodedError, match="GOV405"):
            await Plane(tmp_path / "unsigned", bundle_of(EFFECTS), settings).__aenter__()
        async with Plane(tmp_path / "data", signed(EFFECTS, tmp_path, own), settings) as plane:
            before = plane.service.judge.policy.snapshot
            for wrong in (bundle_of(STRICTER), signed(STRICTER, tmp_path, other)):
                assert code(await publish(plane, wrong, "x", looser=True)) == "unsigned_policy"
            assert plane.service.judge.policy.snapshot == before
            assert (await publish(plane, signed(STRICTER, tmp_path, own), "x")).status == 200

    asyncio.run(scenario())


def swapped() -> bytes:
    """A bundle whose table is that of another policy."""
    parts = dict(unpack(bundle_of(STRICTER)))
    return pack({**parts, "table.bin": unpack(bundle_of(LOOSER))["table.bin"]})


@pytest.mark.parametrize(
    "broken",
    [lambda: b"", lambda: b"PK\x03\x04", lambda: bundle_of(STRICTER)[:-1], swapped],
    ids=["empty", "no bundle", "cut", "another table"],
)
def test_a_bundle_that_does_not_add_up_changes_nothing(broken: Callable[[], bytes]) -> None:
    async def scenario(plane: Plane) -> None:
        before = (plane.service.judge.policy.snapshot, plane.service.office.chronicle.head)
        assert code(await publish(plane, broken(), "x", looser=True)) == "bad_bundle"
        assert (plane.service.judge.policy.snapshot, plane.service.office.chronicle.head) == before

    play(scenario)


HIDDEN = """language 1
policy hidden version "1.0.0"
default allow
input {
  agent  : key
  topic  : text
  amount : number in 0..1000 step 0.5 private
}
rule over when reserved(amount) + amount > 100 throttle retry 1 min
"""


def test_a_private_field_that_the_ledger_would_show_is_refused(tmp_path: Path) -> None:
    hidden = HIDDEN.replace("policy hidden", "policy effects")

    async def scenario() -> None:
        with pytest.raises(CodedError, match="GOV630"):
            await Plane(tmp_path, bundle_of(HIDDEN)).__aenter__()
        async with Plane(tmp_path / "other", bundle_of(EFFECTS)) as plane:
            assert code(await publish(plane, bundle_of(hidden), "x", looser=True)) == "bad_bundle"

    asyncio.run(scenario())


@pytest.mark.parametrize("looser", [False, True])
@pytest.mark.parametrize("source", [EFFECTS, STRICTER, LOOSER, COUNTING])
def test_a_bundle_of_another_policy_is_called_that(source: str, *, looser: bool) -> None:
    """Whether it is looser is no question: a policy of another name does not follow this one."""
    other = bundle_of(re.sub(r"policy \w+ version", "policy another version", source))

    async def scenario(plane: Plane) -> None:
        before = plane.service.judge.policy.snapshot, plane.service.office.chronicle.head
        answer = await publish(plane, other, "x", looser=looser)
        assert isinstance(answer.body, dict)
        assert (answer.status, answer.body["code"]) == (409, "other_policy")
        assert "`another`; here `effects` is active" in answer.body["detail"]
        assert "data directory of its own" in answer.body["expected"]
        after = plane.service.judge.policy.snapshot, plane.service.office.chronicle.head
        assert after == before

    play(scenario)


def test_a_restart_goes_on_with_what_was_published() -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS)) as plane:
                await publish(plane, bundle_of(STRICTER), "less")
                last = plane.service.judge.policy.snapshot
            async with Plane(place, bundle_of(EFFECTS)) as again:
                assert again.service.judge.policy.snapshot == last
                answer = await again.service.submit(
                    agent("a1"),
                    {"request": {"agent": "a1", "topic": "allow.x", "amount": 1}, "pool": "p"},
                    "k",
                )
                assert answer.status == 403

    asyncio.run(whole())


def test_an_active_policy_that_the_key_did_not_sign_stops_the_start(tmp_path: Path) -> None:
    own, public = keys()
    (tmp_path / "key.pub").write_bytes(public)
    demanded = {"require_signature": tmp_path / "key.pub"}
    place = tmp_path / "data"

    async def scenario() -> None:
        async with Plane(place, bundle_of(EFFECTS)):
            pass
        for named in (bundle_of(EFFECTS), signed(EFFECTS, tmp_path, own)):
            with pytest.raises(CodedError, match="GOV631"):
                await Plane(place, named, demanded).__aenter__()
        async with Plane(place, bundle_of(EFFECTS)) as plane:
            anew = signed(EFFECTS, tmp_path, own)
            assert plane.service.differs(anew, {})
            assert (await publish(plane, anew, "it is signed now")).status == 200
            assert not plane.service.differs(anew, {})
        async with Plane(place, bundle_of(EFFECTS), demanded) as plane:
            assert (await plane.submit("a1", "allow.x")).status == 202
            made = rebuild(plane.service.rows, plane.service.office.loading, from_saved=False)
            assert made is not None, "records that name the unsigned bundle can be fed"
            assert made.bundle_hash == plane.service.judge.bundle_hash

    asyncio.run(scenario())


CAPPED = """language 1
policy capped version "1.0.0"
default deny
input {
  agent : key
  topic : text
  amount : number in 0..1000 step 0.5
}
param cap : number in 1..100 = 50
rule starts when amount <= cap allow
"""


async def set_anew(plane: Plane, reason: str = "", **params: str) -> Answer:
    service = plane.service
    return await service.publish(
        OPERATOR,
        service.active_bundle(),
        allow_looser=bool(reason),
        reason=reason,
        params=params,
    )


def test_parameters_are_set_anew_as_a_policy_is_published(tmp_path: Path) -> None:
    bundle = bundle_of(CAPPED)

    async def scenario() -> None:
        async with Plane(tmp_path, bundle, params={"cap": "40"}) as plane:
            service = plane.service
            for same in ({}, {"cap": "40"}, {"cap": "40.0"}):
                assert not service.differs(bundle, same), same
                assert not service.differs(None, same), same
            assert service.differs(None, {"cap": "60"})
            with pytest.raises(CodedError, match="`capp` is no parameter"):
                service.differs(None, {"capp": "60"})
            assert (await plane.submit("a1", "x", 50)).status == 403
            refused = await set_anew(plane, cap="60")
            assert code(refused) == "looser_policy"
            assert plane.events()[-1] == "policy_refused"
            for reason in ("", "a drill"):
                assert code(await set_anew(plane, reason, capp="60")) == "bad_bundle"
            assert (await plane.submit("a1", "x", 50)).status == 403
            assert (await set_anew(plane, "a bigger fleet", cap="60")).status == 200
            assert (await plane.submit("a1", "x", 50)).status == 202
            record = json.loads(list(service.rows.lines(1))[-2])
            assert record["run_timeline_event"] == "policy_published"
            assert record["details"]["params"] == {"cap": "60"}
            assert "a bigger fleet" in record["details"]["reason"]
        async with Plane(tmp_path, bundle) as again:
            assert (await again.submit("a1", "x", 50, "later")).status == 202
            made = rebuild(again.service.rows, again.service.office.loading, from_saved=False)
            assert made is not None
            assert made.policy.params_hash == again.service.judge.policy.params_hash

    asyncio.run(scenario())


def test_what_a_first_start_refuses_has_made_nothing(tmp_path: Path) -> None:
    starts = [
        (b"language 1", {}, {}, "GOV401"),
        (bundle_of(CAPPED), {}, {"capp": 1}, "GOV411"),
        (bundle_of(CAPPED), {}, {"cap": "many"}, "GOV411"),
        (bundle_of(HIDDEN), {}, {}, "GOV630"),
        (bundle_of(COUNTING), {"policy_check_url": "http://check.test/"}, {}, "GOV615"),
        (None, {}, {}, "GOV627"),
    ]

    async def start(*given: Any, **more: Any) -> None:
        await Plane(tmp_path / "data", *given, **more).__aenter__()

    for bundle, settings, params, refusal in starts:
        with pytest.raises(CodedError, match=refusal):
            asyncio.run(start(bundle, settings, params=params))
        assert list(tmp_path.iterdir()) == []


def test_a_finding_that_no_step_shows_is_recorded_without_one() -> None:
    assert publishing._shown({"message": "undecided", "step": None}) == "undecided"
    assert publishing._shown({"message": "looser", "step": {"at_ms": 0}}) == 'looser: {"at_ms": 0}'


def test_a_token_that_is_revoked_while_policies_are_compared_publishes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(plane: Plane) -> None:
        wanted = {"roles": ["operator"], "agent": "eve", "ttl_s": 60}
        made = (await plane.service.create_token(OPERATOR, wanted)).body
        assert isinstance(made, dict)
        stored = plane.service.book.find(made["id"])
        assert stored is not None

        async def compared(*_: Any, **__: Any) -> None:
            await plane.service.revoke_token(OPERATOR, made["id"])

        monkeypatch.setattr(publishing, "why_looser", compared)
        before = plane.service.judge.policy.snapshot
        answer = await plane.service.publish(
            stored.caller(), bundle_of(LOOSER), allow_looser=False, reason="try"
        )
        assert answer.status == 401, answer
        assert plane.service.judge.policy.snapshot == before

    play(scenario)
