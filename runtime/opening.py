"""The file of a policy: its path in; its bytes out, or a refusal that names the file and what to give instead.

What always holds: whatever is wrong with a file that was given as a path, the message says which file it is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from govlang.native.container import BUNDLE_BYTES_MAX
from govlang.native.errors import ArtefactError, BundleError, CodedError
from govlang.native.files import read_at_most

_HEADER: Final = re.compile(r'^\s*policy\s+"?([\w.-]+)"?\s+version\s+"([\w.+-]+)"', re.MULTILINE)
"""The name and the version that a source gives its policy."""


def policy_bytes(path: str | Path, wanted: str = "the path of a .govb file") -> bytes:
    """The content of a file that should be compiled; `wanted` says of what kind.

    Raises:
        CodedError: GOV400 it cannot be read · GOV629 it is a source.
    """
    try:
        data = read_at_most(Path(path), BUNDLE_BYTES_MAX)
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        raise CodedError("GOV400", f"`{path}`: {why}", f"give {wanted}") from None
    except ValueError:
        raise CodedError("GOV400", f"`{path}`: is no path", f"give {wanted}") from None
    refuse_source(path, data, "what is loaded is", "load `{}`")
    return data


def refuse_source(path: str | Path, data: bytes, wanted: str, then: str) -> None:
    """Refuse a source where a bundle is wanted; what to type, with the bundle's name where the source says it.

    `then` is what to do with the bundle, `{}` in it is its path.

    Raises:
        CodedError: GOV629 it is one.
    """
    if Path(path).suffix != ".gov" or data.startswith(b"PK"):
        return
    named = _HEADER.search(data.decode("utf-8", "replace"))
    bundle = f"{named[1]}-{named[2]}.govb" if named else "NAME-VERSION.govb"
    source, built = shlex.quote(str(path)), shlex.quote(f"dist/{bundle}")
    raise CodedError(
        "GOV629",
        f"`{path}` is the source of a policy, {wanted} the bundle that was built and proved from it",
        f"type `gov build {source} -o dist`, then {then.format(built)}",
    )


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Name the file in what is said inside of a bundle, a table or a module that does not add up.

    Raises:
        CodedError: what was raised, with `PATH!PART` where it is about a part.
    """
    try:
        yield
    except BundleError as error:
        why = error.message.removeprefix(f"`{error.part}`: ")
        raise BundleError(error.code, f"{path}!{error.part}", why, error.help) from None
    except ArtefactError as error:
        part = f"{path}!{error.part}" if error.part else str(path)
        raise ArtefactError(error.at, error.why, part) from None
