"""Whether a text matches a pattern, said as plainly as possible.

In: a pattern and a text.  Out: true or false.  `*` stands for any run of characters without the
separator, `**` for any run at all, everything else for itself.  The DFA of `text_classes.py` is
held against this file.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final, assert_never

from govlang.compiler.ir import Pattern, PatternKind

_STARS: Final = ("*", "**")


def matches(pattern: Pattern, text: str, separator: str) -> bool:
    """Whether `text` matches; `separator` is the character that `*` does not cross."""
    match pattern.kind:
        case PatternKind.LITERAL:
            return text == pattern.text
        case PatternKind.UNDER:
            return text.startswith(pattern.text)
        case PatternKind.GLOB:
            return _glob_matches(_glob_parts(pattern.text), text, separator)
        case _:
            assert_never(pattern.kind)


@lru_cache(maxsize=1024)
def _glob_parts(glob: str) -> tuple[str, ...]:
    """The stars and the characters of a glob."""
    return tuple(re.findall(r"\*\*|.", glob, re.DOTALL))


def _glob_matches(parts: tuple[str, ...], text: str, separator: str) -> bool:
    """Follows all ways to match at once: a regular expression would try them one after another."""
    stars = [i for i, part in enumerate(parts) if part in _STARS]
    head = stars[0] if stars else len(parts)
    if not text.startswith("".join(parts[:head])):
        return False
    if len(stars) == 1:
        tail = "".join(parts[head + 1 :])
        run = text[head : len(text) - len(tail)]
        fits = len(text) >= head + len(tail) and text.endswith(tail)
        return fits and (parts[head] == "**" or separator not in run)
    reached = _past_stars(parts, {head})
    for char in text[head:]:
        after: set[int] = set()
        for i in reached:
            part = parts[i] if i < len(parts) else ""
            if part == "**" or (part == "*" and char != separator):
                after.add(i)
            elif part == char:
                after.add(i + 1)
        if not after:
            return False
        reached = _past_stars(parts, after)
    return len(parts) in reached


def _past_stars(parts: tuple[str, ...], reached: set[int]) -> set[int]:
    """The places and those behind their stars, which may stand for nothing."""
    found = set(reached)
    for start in reached:
        stars = takewhile(_STARS.__contains__, islice(parts, start, None))
        found.update(start + n for n, _ in enumerate(stars, 1))
    return found
