"""The limits of a source, tested before it is parsed.

In: bytes or text. Out: a `Source`, or `GovError`. After `check` a source is at most 4 MiB, is not
blank, has no control characters and no characters that change the direction of text (they make a
reader see another policy than the compiler).
"""

from __future__ import annotations

import re

from govlang.dsl.diagnostics import GovError, fail
from govlang.dsl.source import Source

MAX_BYTES = 4 * 1024 * 1024
"""Lark-made tables parse about 1 MiB in 2 s; more belongs into a table's CSV file."""

MAX_NAME = 200
"""Characters of a name; messages quote names."""

MAX_DIGITS = 1000
"""Of a number; values of 64 bits need 19, constants may be anything."""

MAX_ERRORS = 100
"""Reported of one file; more say nothing new."""

MAX_DEPTH = 200
"""Of brackets and of the tree, so that later stages may recurse."""

_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def decode(name: str, data: bytes) -> Source:
    """The source of a file's bytes, without a byte order mark; raises GOV101, GOV103."""
    if len(data) > MAX_BYTES:
        raise _too_large(name)
    try:
        return Source(name, data.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fail(
            "GOV101",
            f"`{name}` is not valid UTF-8: byte 0x{data[error.start]:02x} on line {line}",
            help="save the file as UTF-8",
        ) from None


def check(source: Source) -> None:
    """Raise for a source that may not be parsed: GOV101, GOV102, GOV103, GOV105."""
    text = source.text
    if len(text) > MAX_BYTES or (not text.isascii() and _size(text) > MAX_BYTES):
        raise _too_large(source.name)
    if not text.strip():
        raise fail(
            "GOV102",
            f"`{source.name}` is empty",
            source.span(0, 0),
            help='begin with `language 1` and `policy my_policy version "1.0.0"`',
        )
    found = _FORBIDDEN.search(text)
    if found is not None:
        raise fail(
            "GOV105",
            f"the character U+{ord(found[0]):04X} may not stand in a policy",
            source.span(found.start(), found.end()),
            help=f"remove it; inside a string write the escape `\\u{{{ord(found[0]):x}}}`",
        )


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _too_large(name: str) -> GovError:
    return fail(
        "GOV103",
        f"`{name}` is larger than {MAX_BYTES // 1024**2} MiB",
        help='move rows into a table `from "file.csv"`, or split the policy with `import`',
    )
