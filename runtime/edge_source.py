"""Where the module of a host comes from: a path, bytes, or a bundle that is open already.

What always holds: with a public key only what it signed is taken, never a bare module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from govlang.native.errors import BundleError
from govlang.runtime.bundle import Bundle, check_signer, read_bundle
from govlang.runtime.opening import named, policy_bytes

PART: Final = "policy.wasm"
_WASM: Final = b"\0asm"


def opened(source: str | Path | bytes | Bundle, public_key: bytes | None) -> Bundle | bytes:
    """The bundle, or the bytes of a bare module.

    Raises:
        CodedError: the file cannot be read, or the bundle does not add up or is not signed by the key.
    """
    if isinstance(source, Bundle):
        if public_key is not None:
            check_signer(source.parts, public_key)
        return source
    if isinstance(source, bytes):
        return _read(source, public_key)
    data = policy_bytes(source, "a .wasm or a .govb file")
    with named(source):
        return _read(data, public_key)


def _read(data: bytes, public_key: bytes | None) -> Bundle | bytes:
    if public_key is None and data.startswith(_WASM):
        return data
    return read_bundle(data, public_key=public_key)


def module_of(bundle: Bundle) -> bytes:
    """The module in a bundle.

    Raises:
        BundleError: GOV404, there is none.
    """
    module = bundle.parts.get(PART)
    if module is None:
        raise BundleError("GOV404", PART, "is not in this bundle", "build it with `--emit wasm`")
    return module
