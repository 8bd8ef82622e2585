"""The container of a bundle: named parts in, the bytes of a zip archive out, and back.

The archive is written without compression, extra fields, comments or times (1980-01-01), so equal parts
give equal bytes, and any zip tool can read it.  Layout (APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16):

    local header 30 bytes, name, content   one a part, in order
    central header 46 bytes, name          one a part, in order
    end record 22 bytes

INVARIANT: `unpack(pack(parts)) == parts`, and `unpack` refuses every byte string that `pack` would not
have written, so that no bit of a bundle is without meaning.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from govlang.native.errors import BundleError

PARTS: Final = (
    "manifest.json",
    "core.json",
    "policy.gov",
    "table.bin",
    "policy.wasm",
    "policy.c",
    "policy.h",
    "signature",
)
"""Every part that a bundle may have, in the order in which they stand."""

BUNDLE_BYTES_MAX: Final = 256 * 2**20

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_VERSION: Final = 20
_DOS_DATE: Final = (1 << 5) | 1  # 1980-01-01


def pack(parts: Mapping[str, bytes]) -> bytes:
    """The archive of the parts; their order is that of `PARTS` whatever order they come in."""
    names = [name for name in PARTS if name in parts]
    if len(names) != len(parts):
        raise ValueError(f"no such part: {sorted(set(parts) - set(PARTS))}")
    body, directory = bytearray(), bytearray()
    for name in names:
        offset = len(body)
        content, raw = parts[name], name.encode("ascii")
        common = (_VERSION, 0, 0, 0, _DOS_DATE, zlib.crc32(content), len(content), len(content))
        body += _LOCAL.pack(b"PK\x03\x04", *common, len(raw), 0) + raw + content
        directory += _CENTRAL.pack(
            b"PK\x01\x02", _VERSION, *common, len(raw), 0, 0, 0, 0, 0, offset
        )
        directory += raw
    end = _END.pack(b"PK\x05\x06", 0, 0, len(names), len(names), len(directory), len(body), 0)
    return bytes(body + directory + end)


def unpack(data: bytes) -> dict[str, bytes]:
    """The parts of an archive that `pack` wrote.

    Raises:
        BundleError: GOV401, naming the first part that does not add up.
    """
    if len(data) > BUNDLE_BYTES_MAX:
        raise _broken("archive", f"is larger than {BUNDLE_BYTES_MAX} bytes")
    parts: dict[str, bytes] = {}
    offset = 0
    while data[offset : offset + 4] == b"PK\x03\x04":
        name, content, offset = _entry(data, offset)
        if name in parts:
            raise _broken(name, "stands there twice")
        parts[name] = content
    if not parts:
        raise _broken("archive", "is not a bundle")
    if pack(parts) != data:
        raise _broken("archive", "its directory does not match its parts")
    return parts


def _entry(data: bytes, offset: int) -> tuple[str, bytes, int]:
    """The part whose local header stands at `offset`, and where the next header stands."""
    start = offset + _LOCAL.size
    if start > len(data):
        raise _broken("archive", "ends in the middle of a header")
    *_, crc, size, _, name_size, _ = _LOCAL.unpack_from(data, offset)
    raw = data[start : start + name_size]
    name = raw.decode("ascii", "replace")
    if name not in PARTS:
        raise _broken("archive", "holds a part that no bundle has")
    content = data[start + name_size : start + name_size + size]
    if len(content) != size:
        raise _broken(name, "is cut off")
    if zlib.crc32(content) != crc:
        raise _broken(name, "has been changed: its checksum does not match")
    return name, content, start + name_size + size


def _broken(part: str, message: str) -> BundleError:
    return BundleError("GOV401", part, message, "build the policy again with `gov build`")
