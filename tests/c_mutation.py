"""Seeded changes of C text, as a wrong compiler would make them.

In: a source.  Out: changed sources: other constants, signs, members and names, statements left out or
twice, branches exchanged.  What always holds: a change is made in code, never in a comment or in a line
of the preprocessor.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final

_WORD: Final = re.compile(
    r"/\*.*?\*/|^[ \t]*#[^\n]*|[A-Za-z_]\w*|\d\w*|->|[-+*/%&|^<>=!]=|<<=?|>>=?|&&|\|\||\S",
    re.DOTALL | re.MULTILINE,
)
_SIGNS: Final = (
    ("<", "<=", ">", ">=", "==", "!="),
    ("+", "-", "*", "&", "|", "^"),
    ("<<", ">>"),
    ("/", "%"),
    ("&&", "||", "&", "|"),
    ("|=", "&=", "^=", "=", "+="),
)
_TYPES: Final = ("int32_t", "uint32_t", "int64_t", "uint64_t")

Word = tuple[int, int, str]


def words(source: str, pattern: str) -> list[Word]:
    """The words of the code of a source that match."""
    found = ((*match.span(), match[0]) for match in _WORD.finditer(source))
    return [one for one in found if re.fullmatch(pattern, one[2]) and one[2][:1] != "#"]


def put(source: str, word: Word, text: str) -> str:
    """The source with another text for a word."""
    return source[: word[0]] + text + source[word[1] :]


def constant(rng: random.Random, source: str) -> str:
    """Another number."""
    word = rng.choice(words(source, r"\d\w*"))
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)(\w*)", word[2])
    assert match is not None
    number = int(match[1], 0)
    others = (number + 1, max(number - 1, 0), number * 2, 0, 1, number ^ (1 << rng.randrange(6)))
    return put(source, word, f"{rng.choice(others)}{match[2]}")


def suffix(rng: random.Random, source: str) -> str:
    """The type of a number."""
    word = rng.choice(words(source, r"\d\w*"))
    return put(source, word, word[2].rstrip("uUlL") + rng.choice(("", "u", "ll", "ull")))


def sign(rng: random.Random, source: str) -> str:
    """Another operator of its kind."""
    group = rng.choice(_SIGNS)
    found = words(source, "|".join(map(re.escape, group)))
    if not found:
        return source
    word = rng.choice(found)
    return put(source, word, rng.choice([one for one in group if one != word[2]]))


def kind(rng: random.Random, source: str) -> str:
    """Another type."""
    return put(source, rng.choice(words(source, "|".join(_TYPES))), rng.choice(_TYPES))


def member(rng: random.Random, source: str) -> str:
    """Another member behind an arrow, of any struct."""
    found = re.findall(r"->(\w+)", source)
    places = [(*match.span(1), match[1]) for match in re.finditer(r"->(\w+)", source)]
    return put(source, rng.choice(places), rng.choice(found))


def name(rng: random.Random, source: str) -> str:
    """A name in the place of another."""
    found = words(source, r"[a-z]\w*")
    return put(source, rng.choice(found), rng.choice(found)[2])


def without(rng: random.Random, source: str) -> str:
    """A statement less."""
    lines = source.split("\n")
    number = rng.choice([n for n, line in enumerate(lines) if line.rstrip().endswith(";")])
    return "\n".join(lines[:number] + lines[number + 1 :])


def moved(rng: random.Random, source: str) -> str:
    """A statement in the place of the next one."""
    lines = source.split("\n")
    number = rng.choice([n for n, line in enumerate(lines[:-1]) if line.rstrip().endswith(";")])
    lines[number], lines[number + 1] = lines[number + 1], lines[number]
    return "\n".join(lines)


def negated(rng: random.Random, source: str) -> str:
    """The other branch."""
    word = rng.choice(words(source, "if"))
    opening = source.index("(", word[1])
    depth, end = 0, opening
    for end in range(opening, len(source)):
        depth += (source[end] == "(") - (source[end] == ")")
        if depth == 0:
            break
    return f"{source[:opening]}(!{source[opening : end + 1]}){source[end + 1 :]}"


def character(rng: random.Random, source: str) -> str:
    """A sign less, or another one."""
    place = rng.randrange(len(source))
    return source[:place] + rng.choice(("", rng.choice(source))) + source[place + 1 :]


KINDS: Final[tuple[Callable[[random.Random, str], str], ...]] = (
    constant,
    suffix,
    sign,
    kind,
    member,
    name,
    without,
    moved,
    negated,
    character,
)


def mutant(rng: random.Random, source: str) -> str:
    """A source with one change."""
    changed = source
    while changed == source:
        changed = rng.choice(KINDS)(rng, source)
    return changed
