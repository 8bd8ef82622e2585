"""Types and constants as C has them.

In: widths and integers.  Out: text.  What always holds: a constant has the type that it is used in.
"""

from __future__ import annotations

from typing import Final

_LEAST_32: Final = -(2**31)
_LEAST_64: Final = -(2**63)


def c_type(width: int, *, mask: bool) -> str:
    """The type of a variable, a cell or a slot."""
    return f"uint{width}_t" if mask else f"int{width}_t"


def member_type(width: int, size: int, lo: int) -> str:
    """The type of a cell of the state: that of its width, or of its bytes and its sign where they are fewer."""
    if 8 * size in (0, width):
        return c_type(width, mask=False)
    return f"{'' if lo < 0 else 'u'}int{8 * size}_t"


def constant(value: int, width: int, *, mask: bool) -> str:
    """A constant of such a type; −1 of a mask is all its bits."""
    if mask:
        bits = value & ((1 << width) - 1)
        return f"0x{bits:x}u" if width == 32 else f"UINT64_C(0x{bits:x})"
    if value == _LEAST_32 and width == 32:
        return "INT32_MIN"
    if value == _LEAST_64:
        return "INT64_MIN"
    plain = str(abs(value)) if width == 32 else f"INT64_C({abs(value)})"
    return f"-{plain}" if value < 0 else plain
