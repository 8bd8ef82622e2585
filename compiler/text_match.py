"""Whether a text matches a pattern, said as plainly as possible.

In: a pattern and a text.  Out: true or false.  `*` stands for any run of characters without the
separator, `**` for any run at all, everything else for itself.  The DFA of `text_classes.py` is
held against this file.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import assert_never

from govlang.compiler.ir import Pattern, PatternKind


def matches(pattern: Pattern, text: str, separator: str) -> bool:
    """Whether `text` matches; `separator` is the character that `*` does not cross."""
    match pattern.kind:
        case PatternKind.LITERAL:
            return text == pattern.text
        case PatternKind.UNDER:
            return text.startswith(pattern.text)
        case PatternKind.GLOB:
            return glob_regex(pattern.text, separator).fullmatch(text) is not None
        case _:
            assert_never(pattern.kind)


@lru_cache(maxsize=1024)
def glob_regex(glob: str, separator: str) -> re.Pattern[str]:
    """The regular expression that a glob stands for."""
    parts = re.split(r"(\*\*|\*)", glob)
    inner = {"**": ".*", "*": f"[^{re.escape(separator)}]*"}
    return re.compile("".join(inner.get(part, re.escape(part)) for part in parts), re.DOTALL)
