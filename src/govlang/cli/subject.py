"""What a verb works on: the path of a source or a bundle in, the checked policy out.

What always holds of a bundle's subject: the policy was compiled again from the sources inside it, its core
is, to the byte, the one that the bundle carries, and the manifest tells its inputs and outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from govlang.compiler.checked import Checked
from govlang.compiler.frontend import compile_file, compile_source
from govlang.dsl.source import Source

if TYPE_CHECKING:
    from govlang.native.errors import BundleError
    from govlang.runtime.bundle import Bundle

ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Subject:
    """A checked policy, and the bundle that it came from if it did."""

    path: Path
    checked: Checked
    bundle: Bundle | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources, for messages."""
        return self.checked.sources


def open_subject(path: Path) -> Subject:
    """The policy in a `.gov` file or a `.govb` bundle.

    Raises:
        GovError: the source cannot be used.
        CodedError: the bundle does not add up.
    """
    if not is_bundle(path):
        return Subject(path, compile_file(path))
    bundle = open_bundle(path)
    return Subject(path, _recompile(path, bundle), bundle)


def open_bundle(path: Path, public_key: bytes | None = None) -> Bundle:
    """The bundle at a path; of one that does not add up the message names path and part.

    Raises:
        CodedError: the bundle does not add up.
    """
    from govlang.runtime.bundle import load_bundle

    return load_bundle(path, public_key=public_key)


def is_bundle(path: Path) -> bool:
    """Whether a path means a bundle: by its name, or by how the file begins."""
    if path.suffix == ".govb":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    except OSError:
        return False


def _recompile(path: Path, bundle: Bundle) -> Checked:
    from govlang.compiler.bundle import schema, state
    from govlang.compiler.core import core_json

    checked = compile_source(Source(f"{path}!policy.gov", bundle.source))
    if bundle.manifest.tier is not None:
        from govlang.cli.tiers import only_tier

        checked = replace(checked, policy=only_tier(checked.policy, bundle.manifest.tier))
    policy, manifest = checked.policy, bundle.manifest
    if core_json(policy) != bundle.core:
        raise _broken("core.json", "is not what the sources in the bundle compile to")
    if (manifest.language, manifest.schema_) != (policy.language, schema(policy)):
        raise _broken(
            "manifest.json", "tells other inputs or outputs than the sources in the bundle"
        )
    kept = state(policy)
    if (manifest.state, manifest.state_bytes) != (kept, sum(one.bytes for one in kept)):
        raise _broken("manifest.json", "tells another state than the sources in the bundle")
    return checked


def _broken(part: str, message: str) -> BundleError:
    from govlang.native.errors import BundleError

    return BundleError("GOV404", part, message, "build the policy again with `gov build`")
