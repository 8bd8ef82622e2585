"""Which policy runs: publishing and rolling back, and every bundle that must not take its place."""

from __future__ import annotations

import asyncio
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
from govlang.runtime.control.answer import Answer
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
        back = await plane.service.rollback(OPERATOR, "too strict")
        assert code(back) == ""
        assert plane.service.judge.policy.snapshot == before
        assert (await plane.submit("a1", "allow.x")).status == 202
        assert plane.events().count("policy_published") == 3

    play(scenario)


def test_a_looser_policy_needs_an_operators_word_which_is_recorded() -> None:
    async def scenario(plane: Plane) -> None:
        before = plane.service.judge.policy.snapshot
        refused = await publish(plane, bundle_of(LOOSER), "more")
        assert code(refused) == "looser_policy"
        assert isinstance(refused.body, dict)
        assert "20" in refused.body["detail"], "it shows a request on which it is looser"
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
    async def scenario() -> None:
        with pytest.raises(CodedError, match="GOV630"):
            await Plane(tmp_path, bundle_of(HIDDEN)).__aenter__()
        async with Plane(tmp_path / "other", bundle_of(EFFECTS)) as plane:
            assert code(await publish(plane, bundle_of(HIDDEN), "x", looser=True)) == "bad_bundle"

    asyncio.run(scenario())


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
