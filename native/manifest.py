"""The manifest of a bundle: what the parts are, what was proved of them, what they cost.

In: the values that the compiler knows, or the bytes of `manifest.json`.  Out: a checked `Manifest`, or
its canonical bytes (RFC 8785).  The compiler writes it and the runtime reads it; neither knows the other.

What always holds: `read_manifest(manifest_bytes(m)) == m`, and bytes that are not canonical are refused.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Any, Final, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from govlang.native.digest import digest
from govlang.native.errors import BundleError

BUNDLE_MAJOR: Final = 1
BUNDLE_MINOR: Final = 0

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class _Part(BaseModel):
    # `defer_build`: most commands read no bundle, and building the validators takes longer than they do.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Artefact(_Part):
    """A part of the bundle beside the manifest and the signature."""

    sha256: Digest
    bytes: Count


class Column(_Part):
    """A field as the core has it; integers beyond 2**53 are decimal texts, as everywhere in the core."""

    name: str
    kind: Literal["number", "enum", "set", "bool", "time", "duration", "text", "path", "key"]
    lo: int | str
    hi: int | str
    step_num: int | str
    step_den: int | str
    unit: str
    members: list[str]
    max_bytes: Count
    optional: bool
    private: bool
    origin: Literal["request", "runtime", "clock"]
    rounding: Literal["exact", "up", "down", "nearest"]
    implied: int | None


class Parameter(_Part):
    """A constant of the deployment and the value that its declaration gives."""

    field: Column
    default: int | str


class Schema(_Part):
    """What goes in and out of the policy."""

    fields: list[Column]
    outputs: list[Column]
    actions: list[str]
    params: list[Parameter]
    roles: list[str]
    rules: Count


class Proof(_Part):
    """Something that was proved when the bundle was built, how, and with what verdict."""

    property: str
    kind: str
    method: str
    verdict: Literal["proved", "refuted", "undecided"]


class Accepted(_Part):
    """A finding that the author took responsibility for."""

    code: str
    rules: list[str]
    because: str


class Cost(_Part):
    """The worst case of one decision: `steps + steps_per_byte × text bytes` table steps.

    So with the instructions of the WebAssembly module and the operations of the C, their scans included; None
    without the artefact.
    """

    steps: Count
    steps_per_byte: Count
    instructions: Count | None = None
    instructions_per_byte: Count | None = None
    operations: Count | None = None
    operations_per_byte: Count | None = None


class Instances(_Part):
    """What is kept for each value of the field `per` (None: once for all), in bytes: the cells and a time."""

    per: str | None
    bytes: Count


class NoLooser(_Part):
    """A proof that this policy permits nothing that the policy of another snapshot forbade."""

    against: Digest
    verdict: Literal["proved"]


class Manifest(_Part):
    """All that a loader needs to know before it trusts a part."""

    format: Literal["govb"] = "govb"
    major: int = Field(default=BUNDLE_MAJOR, ge=1)
    minor: int = Field(default=BUNDLE_MINOR, ge=0)
    language: Count
    table: str
    policy: str
    version: str
    snapshot: Digest
    tier: str | None = None
    artefacts: dict[str, Artefact]
    schema_: Schema = Field(alias="schema")
    proofs: list[Proof]
    accepted: list[Accepted]
    no_looser: NoLooser | None = None
    state: list[Instances] = []
    """What is kept; empty where the policy remembers nothing."""
    state_bytes: Count
    """Bytes of one instance of each kind together."""
    worst_case: Cost

    @cached_property
    def proof_hash(self) -> str:
        """What evidence records say of the proofs: the hash of their canonical JSON."""
        return digest(rfc8785.dumps([proof.model_dump(mode="json") for proof in self.proofs]))


def artefact(content: bytes) -> Artefact:
    """What the manifest says of a part."""
    return Artefact(sha256=digest(content), bytes=len(content))


def manifest_bytes(manifest: Manifest) -> bytes:
    """The canonical bytes of a manifest."""
    plain = manifest.model_dump(mode="json", by_alias=True)
    if not manifest.state:
        del plain["state"]
    return rfc8785.dumps(plain)


def read_manifest(content: bytes) -> Manifest:
    """The manifest that the bytes hold.

    Raises:
        BundleError: GOV402 it is no canonical manifest · GOV403 its major version is newer than ours.
    """
    plain = _json(content)
    major = plain.get("major") if isinstance(plain, dict) else None
    if isinstance(major, int) and major > BUNDLE_MAJOR:
        raise BundleError(
            "GOV403",
            "manifest.json",
            f"is of version {major}, this program reads up to {BUNDLE_MAJOR}",
            "install a newer govlang",
        )
    try:
        manifest = Manifest.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _broken(f"`{place}` is wrong: {first['msg'].lower()}") from None
    if not _is_canonical(manifest, content):
        raise _broken("is not written canonically")
    return manifest


def _is_canonical(manifest: Manifest, content: bytes) -> bool:
    """Whether the bytes are the ones that we would write; what cannot be written at all is not."""
    try:
        return manifest_bytes(manifest) == content
    except (rfc8785.CanonicalizationError, ValueError):
        return False


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise _broken("is not JSON") from None


def _broken(message: str) -> BundleError:
    help_line = "build the policy again with `gov build`"
    return BundleError("GOV402", "manifest.json", message, help_line)
