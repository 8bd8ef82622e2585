"""Reads a `.govb` bundle: bytes in, parts that add up out, or a refusal that names the part.

What always holds of a `Bundle`: it is, to the byte, what the compiler would have written; each part has
the hash that the manifest gives; the snapshot is the hash of the core; if a signature was demanded, the
manifest carries one of that key.  The table's own words are checked by `native`, when it is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from govlang.native.container import unpack
from govlang.native.digest import digest
from govlang.native.errors import BundleError
from govlang.native.manifest import Manifest, read_manifest
from govlang.runtime.opening import named, policy_bytes

REQUIRED: Final = ("manifest.json", "core.json", "policy.gov", "table.bin")
UNHASHED: Final = frozenset({"manifest.json", "signature"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose parts add up."""

    manifest: Manifest
    parts: Mapping[str, bytes]

    @property
    def core(self) -> bytes:
        """The checked core, canonical JSON."""
        return self.parts["core.json"]

    @property
    def table(self) -> bytes:
        """The decision table."""
        return self.parts["table.bin"]

    @property
    def source(self) -> str:
        """The sources, merged."""
        return self.parts["policy.gov"].decode("utf-8")

    @property
    def snapshot(self) -> str:
        """The hash of the core: the name of the policy's meaning."""
        return self.manifest.snapshot

    def check_part(self, part: str, what: str, named: tuple[str, str, str]) -> None:
        """Refuse a part that names another policy, version or snapshot than the manifest.

        Raises:
            BundleError: GOV404 it does.
        """
        if named != (self.manifest.policy, self.manifest.version, self.manifest.snapshot):
            raise _broken(part, f"is the {what} of another policy or version")


def load_bundle(path: Path | str, *, public_key: bytes | None = None) -> Bundle:
    """The bundle in a file; with a public key (PEM) only if it is signed by it.

    Raises:
        CodedError: GOV400 the file cannot be read · GOV629 it is a source, and what `read_bundle` raises with the
            file's name.
    """
    data = policy_bytes(path)
    with named(path):
        return read_bundle(data, public_key=public_key)


def read_bundle(data: bytes, *, public_key: bytes | None = None) -> Bundle:
    """The bundle that the bytes are.

    Raises:
        BundleError: GOV401 the archive · GOV402, GOV403 the manifest · GOV404 a part · GOV405 the signature.
    """
    parts = unpack(data)
    for name in REQUIRED:
        if name not in parts:
            raise _broken(name, "is missing")
    manifest = read_manifest(parts["manifest.json"])
    _check_parts(manifest, parts)
    _check_core(manifest, parts["core.json"])
    if public_key is not None:
        check_signer(parts, public_key)
    return Bundle(manifest, parts)


def check_signer(parts: Mapping[str, bytes], public_key: bytes) -> None:
    """Refuse parts whose manifest is not signed by this key (PEM).

    Raises:
        BundleError: GOV405 there is no such signature.
    """
    from govlang.native.signature import check_signature

    check_signature(parts.get("signature"), parts["manifest.json"], public_key)


def _check_parts(manifest: Manifest, parts: Mapping[str, bytes]) -> None:
    hashed = {name for name in parts if name not in UNHASHED}
    for name in sorted(hashed ^ set(manifest.artefacts)):
        where = "the archive" if name in manifest.artefacts else "the manifest"
        raise _broken(name, f"is not in {where}")
    for name, artefact in manifest.artefacts.items():
        if len(parts[name]) != artefact.bytes:
            raise _broken(name, f"is {len(parts[name])} bytes long, not {artefact.bytes}")
        if digest(parts[name]) != artefact.sha256:
            raise _broken(name, "has another hash than the manifest says")
    try:
        parts["policy.gov"].decode("utf-8")
    except UnicodeDecodeError:
        raise _broken("policy.gov", "is not UTF-8") from None


def _check_core(manifest: Manifest, core: bytes) -> None:
    if digest(core) != manifest.snapshot:
        raise _broken("core.json", "is not the core of the manifest's snapshot")
    try:
        plain: Any = json.loads(core)
        policy = plain["policy"]
        same = (policy["name"], policy["version"]) == (manifest.policy, manifest.version)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _broken("core.json", "is no core") from None
    if not same:
        raise _broken("core.json", "is the core of another policy or version")


def _broken(part: str, message: str) -> BundleError:
    return BundleError("GOV404", part, message, "build the policy again with `gov build`")
