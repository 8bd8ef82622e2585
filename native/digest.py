"""The one way to write a hash: bytes in, `sha256:` and 64 hexadecimal digits out."""

from __future__ import annotations

import hashlib


def digest(content: bytes) -> str:
    """The SHA-256 of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
