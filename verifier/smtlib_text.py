"""What Z3 prints, put into the form that SMT-LIB 2.6 asks for.

In: Z3's text.  Out: the same text, but that no sum, product, `and` and `or` has fewer than two operands:
Z3 prints `(or a)` for `a` and `or` for `false`, which the standard does not know and other solvers refuse.
"""

from __future__ import annotations

import re
from typing import Final

NEUTRAL: Final = {"and": "true", "or": "false", "+": "0", "*": "1"}
"""What an operator without operands stands for."""

_PART: Final = re.compile(r'\s+|[()]|\|[^|]*\||"(?:[^"]|"")*"|;[^\n]*|[^\s()|";]+')


def standard(text: str) -> str:
    """Z3's text in SMT-LIB 2.6; names in bars, texts and comments stay as they are."""
    out: list[str] = []
    opened: list[list[int]] = []  # of each open bracket: where it stands, then where its parts do
    for part in _PART.findall(text):
        if part == ")":
            _close(out, opened.pop())
            continue
        if part.isspace() or part.startswith(";"):
            out.append(part)
            continue
        is_operator = bool(opened) and len(opened[-1]) == 1
        if opened:
            opened[-1].append(len(out))
        if part == "(":
            opened.append([len(out)])
        out.append(part if is_operator else NEUTRAL.get(part, part))
    return "".join(out)


def _close(out: list[str], places: list[int]) -> None:
    """Close a bracket; an operator with one operand is that operand."""
    match places:
        case [start, operator, operand] if out[operator] in NEUTRAL:
            del out[start:operand]
        case _:
            out.append(")")
