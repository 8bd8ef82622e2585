"""What a faulty policy says must be found in it, and how its text compares with others.

The first lines of each file in examples/faulty are comments:

    // expect: GOV302 unreachable rules dead by cover, other
    // expect: GOV301 conflict rules a, b
    // expect: GOV306 property claim
    // expect: GOV305 gap
    // fault: in words

In: the text.  Out: an `Expectation`; tokens; a template, in which names, numbers and texts are alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.keywords import KEYWORDS
from govlang.dsl.lexer import tokenise
from govlang.dsl.source import Source

_EXPECT = re.compile(
    r"// expect: (?P<code>GOV\d{3}) (?P<kind>\w+)"
    r"(?: rules (?P<rules>[\w#, ]+?)(?: by (?P<by>[\w#, ]+))?)?(?(rules)|(?: (?P<property>\w+))?)\n"
)
_FAULT = re.compile(r"// fault: \S.*\n")


@dataclass(frozen=True, slots=True)
class Expectation:
    """The finding that must come out: `rules` are at fault, `by` cover them."""

    code: str
    kind: str
    rules: tuple[str, ...]
    by: tuple[str, ...]
    property: str | None


def expectation(text: str) -> Expectation:
    """The expectation in the first lines of a faulty policy."""
    found = _EXPECT.match(text)
    assert found, "the first line is no `// expect: …`"
    assert _FAULT.match(text[found.end() :]), "no `// fault: …`"
    return Expectation(
        found["code"], found["kind"], _names(found["rules"]), _names(found["by"]),
        found["property"],
    )  # fmt: skip


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()


def tokens(text: str) -> list[str]:
    """The tokens of a policy; comments are none."""
    found = Diagnostics()
    read = tokenise(Source("policy.gov", text), found)
    assert not found, text
    return list(_written(read.terminals, read.texts))


def _written(terminals: list[str], texts: list[str]) -> Iterator[str]:
    """Strings keep their quotes, so that no text equals a word."""
    for terminal, text in zip(terminals, texts, strict=True):
        yield f'"{text}"' if terminal == "STRING" else text


def template(text: str) -> tuple[str, ...]:
    """The tokens with all names, numbers, units and texts made alike."""
    return tuple(_blank(token) for token in tokens(text))


def _blank(token: str) -> str:
    if token.startswith('"'):
        return '"'
    if token[:1].isdigit():
        return "0"
    return token if token in KEYWORDS or not token[:1].isalpha() else "x"


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Each faulty policy with its repaired twin."""
    faulty = [p for p in sorted(folder.glob("*/*.gov")) if not p.name.endswith(".fixed.gov")]
    return [(path, path.with_name(f"{path.stem}.fixed.gov")) for path in faulty]
