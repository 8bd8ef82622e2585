"""Programs that tests call: found on PATH, or the test says which package is missing.

In CI (`CI=true`) a missing program fails the test; elsewhere it is skipped.
"""

from __future__ import annotations

import os
import shutil
from typing import Final

import pytest

PACKAGES: Final = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "chromium": "chromium",
    "clang": "clang",
    "curl": "curl",
    "gcc": "gcc",
    "node": "nodejs",
    "qemu-system-arm": "qemu-system-arm",
    "tsc": "node-typescript",
    "wasm-validate": "wabt",
}
"""The Debian package of each program; `.ci/edge-packages` installs them."""


def tool(name: str) -> str:
    """The path of a program of `PACKAGES`."""
    found = shutil.which(name)
    if found is None:
        why = f"`{name}` is missing: install the Debian package `{PACKAGES[name]}`"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found
