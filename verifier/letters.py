"""What a text is made of, byte by byte: UTF-8, the segments of paths, bytes that people like to read.

In: bytes and where they stand.  Out: where the next byte stands, and whether a text fits a field.

What always holds: a sequence of bytes that never goes to `DEAD` and ends between characters is valid
UTF-8, and a path that ends `INSIDE` has no empty, `.` or `..` segment, backslash or NUL.
"""

from __future__ import annotations

from typing import Final

from govlang.compiler import ir

DEAD: Final = -1

# UTF-8 by RFC 3629: state → (first byte, last byte, next state) triples; 0 is between characters.
UTF8: Final[tuple[tuple[tuple[int, int, int], ...], ...]] = (
    (
        (0x00, 0x7F, 0),
        (0xC2, 0xDF, 1),
        (0xE0, 0xE0, 4),
        (0xE1, 0xEC, 2),
        (0xED, 0xED, 5),
        (0xEE, 0xEF, 2),
        (0xF0, 0xF0, 6),
        (0xF1, 0xF3, 3),
        (0xF4, 0xF4, 7),
    ),
    ((0x80, 0xBF, 0),),
    ((0x80, 0xBF, 1),),
    ((0x80, 0xBF, 2),),
    ((0xA0, 0xBF, 1),),
    ((0x80, 0x9F, 1),),
    ((0x90, 0xBF, 2),),
    ((0x80, 0x8F, 2),),
)
UTF8_CELLS: Final = tuple(sorted({edge[0] for row in UTF8 for edge in row} | {0x90, 0xA0, 0xC0}))
LIKED: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Where a path stands: at the start of a segment, after `.`, after `..`, inside a proper segment.
START, DOT, DOTS, INSIDE = range(4)


def after_byte(state: int, byte: int) -> int:
    """Where a character stands after one more byte."""
    return next((to for lo, hi, to in UTF8[state] if lo <= byte <= hi), DEAD)


def place_after(state: int, byte: int) -> int:
    """Where a path stands after one more byte."""
    if byte in b"\\\0":
        return DEAD
    if byte == ord("/"):
        return START if state == INSIDE else DEAD
    if byte == ord("."):
        return {START: DOT, DOT: DOTS}.get(state, INSIDE)
    return INSIDE


def moves(alphabet: tuple[int, ...], utf8: int, place: int | None) -> list[tuple[int, int, int]]:
    """The bytes that may come next, with the states after them; `place` None: not in a path."""
    found = (
        (b, after_byte(utf8, b), INSIDE if place is None else place_after(place, b))
        for b in alphabet
    )
    return [move for move in found if DEAD not in move]


def is_valid(field: ir.Field, text: bytes) -> bool:
    """Whether a text that is UTF-8 is a valid value of a field."""
    if len(text) > field.max_bytes:
        return False
    if field.kind is not ir.Kind.PATH:
        return True
    segments = text.split(b"/")
    return not (b"\\" in text or b"\0" in text) and not any(
        s in (b"", b".", b"..") for s in segments
    )
