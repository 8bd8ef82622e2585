"""Policies that are smuggled in: a bundle that is not what it says, or not whose it must be, never gets active."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from control_plane import EFFECTS, OPERATOR, Plane, bundle_of, folder
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from govlang.native.container import pack, unpack
from govlang.native.digest import digest
from govlang.native.errors import CodedError
from govlang.native.signature import sign
from govlang.runtime.evidence.canonical import canonical

REFUSED = 'deny because "never" remedy "ask for less" with amount = 1'
LOOSER = EFFECTS.replace(REFUSED, "allow").replace('"1.0.0"', '"1.0.1"')
SAME = EFFECTS.replace('"1.0.0"', '"1.0.2"')

Parts = dict[str, bytes]


def parts_of(source: str) -> Parts:
    return dict(unpack(bundle_of(source)))


def manifest_of(parts: Mapping[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(parts["manifest.json"])
    return found


def packed(parts: Parts, manifest: Mapping[str, Any]) -> bytes:
    """The parts with their hashes made good, as whoever builds bundles by hand would."""
    artefacts = {
        name: {**one, "bytes": len(parts[name]), "sha256": digest(parts[name])}
        for name, one in manifest["artefacts"].items()
    }
    made = canonical({**manifest, "artefacts": artefacts})
    return pack({**parts, "manifest.json": made + b"\n" * parts["manifest.json"].endswith(b"\n")})


def key_pair() -> tuple[bytes, bytes]:
    """A private and a public key in PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public


def signed(bundle: bytes, private: bytes) -> bytes:
    parts = dict(unpack(bundle))
    return pack({**parts, "signature": sign(parts["manifest.json"], private)})


def play(
    scenario: Callable[[Plane], Awaitable[None]], first: bytes | None = None, **settings: Any
) -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, first or bundle_of(EFFECTS), settings) as plane:
                await scenario(plane)

    asyncio.run(whole())


async def published(plane: Plane, bundle: bytes, **more: Any) -> str:
    """The code of the refusal; the active policy, and what it answers, are as they were."""
    before = plane.service.judge.policy.snapshot
    given = {"allow_looser": False, "reason": "", **more}
    answer = await plane.service.publish(OPERATOR, bundle, **given)
    assert isinstance(answer.body, dict)
    if answer.status == 200:
        return ""
    assert plane.service.judge.policy.snapshot == before
    assert (await plane.submit("a1", "deny.x")).status == 403
    return str(answer.body["code"])


def swapped(name: str) -> bytes:
    """A bundle with one part of another policy, its hash made good."""
    parts, other = parts_of(SAME), parts_of(LOOSER)
    return packed({**parts, name: other[name]}, manifest_of(parts))


@pytest.mark.parametrize("name", ["table.bin", "core.json"])
def test_a_bundle_with_a_part_of_another_is_no_bundle(name: str) -> None:
    async def scenario(plane: Plane) -> None:
        assert await published(plane, swapped(name), allow_looser=True, reason="x") == "bad_bundle"

    play(scenario)


def test_the_active_snapshot_opens_no_door_to_another_table() -> None:
    """A bundle that claims to be the active policy, but decides otherwise."""

    async def scenario(plane: Plane) -> None:
        parts = parts_of(EFFECTS)
        table = parts_of(LOOSER)["table.bin"]
        forged = packed({**parts, "table.bin": table}, manifest_of(parts))
        assert await published(plane, forged) in {"bad_bundle", "looser_policy"}

    play(scenario)


def test_a_looser_policy_needs_an_operators_word() -> None:
    async def scenario(plane: Plane) -> None:
        assert await published(plane, bundle_of(LOOSER)) == "looser_policy"
        assert plane.events()[-2] == "policy_refused"
        assert await published(plane, bundle_of(LOOSER), allow_looser=True) == "invalid_body"
        assert (
            await published(plane, bundle_of(LOOSER), allow_looser=True, reason=" \t")
            == "invalid_body"
        )
        assert await published(plane, bundle_of(LOOSER), allow_looser=True, reason="a drill") == ""

    play(scenario)


def forged_proof() -> bytes:
    """The looser bundle, whose manifest says that it was proved to be no looser."""
    parts = parts_of(LOOSER)
    manifest = manifest_of(parts)
    active = manifest_of(parts_of(EFFECTS))["snapshot"]
    return packed(parts, {**manifest, "no_looser": {"against": active, "verdict": "proved"}})


def test_a_proof_that_nobody_signed_is_made_anew() -> None:
    async def scenario(plane: Plane) -> None:
        assert await published(plane, forged_proof()) in {"looser_policy", "bad_bundle"}

    play(scenario)


def test_only_bundles_of_the_right_key_are_taken(tmp_path: Path) -> None:
    private, public = key_pair()
    other, _ = key_pair()
    key = tmp_path / "key.pem"
    key.write_bytes(public)
    good = signed(bundle_of(SAME), private)
    parts = dict(unpack(good))
    stolen = pack({**parts_of(LOOSER), "signature": parts["signature"]})
    forged = pack({**dict(unpack(forged_proof())), "signature": parts["signature"]})
    changed = packed({**parts, "table.bin": parts_of(LOOSER)["table.bin"]}, manifest_of(parts))

    async def scenario(plane: Plane) -> None:
        word = {"allow_looser": True, "reason": "a drill"}
        for bundle in (bundle_of(SAME), signed(bundle_of(SAME), other), stolen, forged, changed):
            assert await published(plane, bundle, **word) in {"unsigned_policy", "bad_bundle"}
        assert await published(plane, good) == ""

    play(scenario, signed(bundle_of(EFFECTS), private), require_signature=key)


def test_the_first_policy_must_be_signed_too(tmp_path: Path) -> None:
    _, public = key_pair()
    key = tmp_path / "key.pem"
    key.write_bytes(public)
    with pytest.raises(CodedError) as refused:
        play(lambda plane: published(plane, b""), require_signature=key)  # type: ignore[arg-type, return-value]
    assert refused.value.code == "GOV405"


@pytest.mark.parametrize(
    "bundle", [b"", b"PK\x03\x04", b"\x00" * 10_000, b"govtable" + b"\xff" * 100]
)
def test_what_is_no_bundle_is_refused(bundle: bytes) -> None:
    async def scenario(plane: Plane) -> None:
        assert await published(plane, bundle, allow_looser=True, reason="x") == "bad_bundle"

    play(scenario)


def test_a_bundle_that_was_exchanged_in_the_store_stops_the_start(tmp_path: Path) -> None:
    async def serve() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)):
            pass

    asyncio.run(serve())
    with closing(sqlite3.connect(tmp_path / "gov.db")) as database, database:
        database.execute("UPDATE bundles SET bundle = ?", (bundle_of(LOOSER),))
    with pytest.raises(CodedError):
        asyncio.run(serve())
