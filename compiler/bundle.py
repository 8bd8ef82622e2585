"""Writes a bundle: a policy, its artefacts and what was proved of them in, the bytes of a `.govb` out.

What always holds: equal inputs give equal bytes (no times, no paths, no counts that vary), and
`runtime/bundle.py` reads back what this writes.  Times and measured counts belong into the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from govlang.compiler import ir
from govlang.native.container import pack
from govlang.native.digest import digest
from govlang.native.layout import STATE_HEAD
from govlang.native.manifest import (
    Accepted,
    Column,
    Cost,
    Instances,
    Manifest,
    NoLooser,
    Parameter,
    Proof,
    Schema,
    artefact,
    manifest_bytes,
)

EXACT_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that a bundle holds, before it is bytes."""

    policy: ir.Policy
    core: bytes
    source: bytes
    table: bytes
    table_version: str
    proofs: tuple[Proof, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    no_looser: NoLooser | None = None
    tier: str | None = None
    worst_case: Cost = field(default_factory=lambda: Cost(steps=0, steps_per_byte=0))
    others: Mapping[str, bytes] = field(default_factory=dict)


def bundle_bytes(contents: Contents, key_pem: bytes | None = None) -> bytes:
    """The bundle; signed if a private key (PEM) is given.

    Raises:
        CodedError: GOV406 the key cannot sign.
    """
    parts = {
        "core.json": contents.core,
        "policy.gov": contents.source,
        "table.bin": contents.table,
        **contents.others,
    }
    manifest = manifest_bytes(_manifest(contents, parts))
    signed: dict[str, bytes] = {}
    if key_pem is not None:
        from govlang.native.signature import sign

        signed["signature"] = sign(manifest, key_pem)
    return pack({"manifest.json": manifest, **parts, **signed})


def _manifest(contents: Contents, parts: Mapping[str, bytes]) -> Manifest:
    policy = contents.policy
    return Manifest(
        language=policy.language,
        table=contents.table_version,
        policy=policy.name,
        version=policy.version,
        snapshot=digest(contents.core),
        tier=contents.tier,
        artefacts={name: artefact(content) for name, content in parts.items()},
        schema=schema(policy),
        proofs=list(contents.proofs),
        accepted=list(contents.accepted),
        no_looser=contents.no_looser,
        state=state(policy),
        state_bytes=sum(one.bytes for one in state(policy)),
        worst_case=contents.worst_case,
    )


def state(policy: ir.Policy) -> list[Instances]:
    """What a policy keeps: once for all, then for each value of its key, then of other fields."""
    time = policy.time
    if time is None:
        return []
    named = (ir.SHARED, time.key or ir.SHARED, *(cell.scope for cell in time.cells))
    return [
        Instances(
            per=scope or None,
            bytes=STATE_HEAD + sum(cell.bytes for cell in time.cells if cell.scope == scope),
        )
        for scope in dict.fromkeys(named)
    ]


def schema(policy: ir.Policy) -> Schema:
    """What goes in and out of a policy, as the manifest tells it."""
    return Schema(
        fields=[column(one) for one in policy.fields],
        outputs=[column(one) for one in policy.outputs],
        actions=[action.name for action in policy.actions],
        params=[Parameter(field=column(p.field), default=_exact(p.default)) for p in policy.params],
        roles=list(policy.roles),
        rules=len(policy.rules),
    )


_ORIGINS: Final[Mapping[ir.Origin, Literal["request", "runtime", "clock"]]] = {
    ir.Origin.REQUEST: "request",
    ir.Origin.RUNTIME: "runtime",
    ir.Origin.CLOCK: "clock",
}


def column(one: ir.Field) -> Column:
    """A field as the manifest tells it."""
    return Column(
        name=one.name,
        kind=one.kind.value,
        lo=_exact(one.lo),
        hi=_exact(one.hi),
        step_num=_exact(one.step_num),
        step_den=_exact(one.step_den),
        unit=one.unit,
        members=list(one.members),
        max_bytes=one.max_bytes,
        optional=one.optional,
        private=one.private,
        origin=_ORIGINS[one.origin],
        rounding=one.rounding.value,
        implied=one.implied,
    )


def _exact(value: int) -> int | str:
    """An integer as canonical JSON can carry it: beyond 2**53 as decimal text."""
    return value if abs(value) < EXACT_MAX else str(value)
