"""The policies that the service itself runs on: `runtime/builtin/*.govb`, built by `make builtin`.

In: a name.  Out: the loaded table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from govlang.native.container import BUNDLE_BYTES_MAX
from govlang.native.files import read_at_most
from govlang.runtime.policy import Policy

FOLDER: Final = Path(__file__).resolve().parent.parent / "builtin"


def builtin_bundle(file: str) -> bytes:
    """The bytes of a bundle of the service.

    Raises:
        OSError: the installation lacks the file.
    """
    return read_at_most(FOLDER / file, BUNDLE_BYTES_MAX)


def load_builtin(file: str, capacity: int) -> Policy:
    """A policy of the service, with room for so many keys.

    Raises:
        CodedError: GOV400 the installation lacks the file · GOV401 to GOV411 it was changed, or there is no room.
    """
    return Policy.load(FOLDER / file, capacity=capacity)
