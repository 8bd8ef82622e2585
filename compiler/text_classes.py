"""From the text patterns of a policy to classes: what tables and proofs see of a text.

In: a policy.  Out: for each text field the columns that its value feeds (none if no pattern reads
it), each with a minimal automaton that maps the bytes to a class.

What always holds: two texts of one class in every column match exactly the same patterns; fields
that some rule compares with one another share their columns, so that equal texts have equal
classes; one automaton has at most 4 096 states, the patterns are split over several otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir
from govlang.compiler.automata import (
    STATES_MAX,
    Dfa,
    TextPattern,
    TooManyStatesError,
    build_dfa,
)

PATTERN_CODE: Final = "GOV260"


class PatternTooLargeError(Exception):
    """One pattern alone passes the limit of states; `code` is its page."""

    code = PATTERN_CODE

    def __init__(self, field: str, pattern: ir.Pattern) -> None:
        shown = pattern.text if len(pattern.text) <= 40 else pattern.text[:40] + "…"
        super().__init__(
            f"the pattern `{shown}` of `{field}` needs an automaton of more than {STATES_MAX} states"
        )
        self.field = field
        self.pattern = pattern


@dataclass(frozen=True, slots=True)
class ClassColumn:
    """One automaton of a field; `accepting[p]` are the classes whose texts match pattern p."""

    dfa: Dfa
    accepting: dict[TextPattern, frozenset[int]]

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.dfa.accepted)


@dataclass(frozen=True, slots=True)
class TextClasses:
    """The columns of one text field."""

    field: ir.Field
    columns: tuple[ClassColumn, ...] = ()

    def class_of(self, text: bytes) -> tuple[int, ...]:
        """The class of a text in each column."""
        return tuple(column.dfa.class_of(text) for column in self.columns)

    def accepting(self, patterns: Sequence[ir.Pattern]) -> dict[int, frozenset[int]]:
        """Column → classes: a text matches one of `patterns` iff it is so in one of the columns."""
        found: dict[int, frozenset[int]] = {}
        for pattern in patterns:
            key = text_pattern(pattern, self.field)
            index = next(i for i, c in enumerate(self.columns) if key in c.accepting)
            found[index] = found.get(index, frozenset()) | self.columns[index].accepting[key]
        return found


def text_pattern(pattern: ir.Pattern, field: ir.Field) -> TextPattern:
    """A pattern as `field` reads it."""
    return TextPattern(pattern, ord(field.separator))


def classify_fields(policy: ir.Policy) -> dict[str, TextClasses]:
    """The classes of every text field, by name.

    Raises:
        PatternTooLargeError: one pattern alone passes the limit of states.
    """
    texts = {field.name: field for field in policy.fields if field.is_text}
    patterns: dict[str, dict[TextPattern, None]] = {name: {} for name in texts}
    group = {name: name for name in texts}
    for atom in _text_atoms(policy):
        if isinstance(atom, ir.TextTest):
            own = patterns[atom.name]
            own.update(dict.fromkeys(text_pattern(p, texts[atom.name]) for p in atom.patterns))
        else:
            joined = {group[atom.left], group[atom.right]}
            group = {name: min(joined) if g in joined else g for name, g in group.items()}
    columns: dict[str, tuple[ClassColumn, ...]] = {}
    for root in set(group.values()):
        union: dict[TextPattern, None] = {}
        for name in texts:
            union.update(patterns[name] if group[name] == root else {})
        columns[root] = build_columns(tuple(union), root)
    return {name: TextClasses(field, columns[group[name]]) for name, field in texts.items()}


def _text_atoms(policy: ir.Policy) -> Iterator[ir.TextTest | ir.TextEqual]:
    for condition in _conditions(policy):
        for atom in ir.atoms(condition):
            if isinstance(atom, ir.TextTest | ir.TextEqual):
                yield atom


def _conditions(policy: ir.Policy) -> Iterator[ir.BoolExpr]:
    """Every condition of a policy, those inside the expressions of limits, dos and remedies too."""
    for rule in policy.rules:
        yield rule.condition
        for expr in ir.rule_expressions(rule):
            yield from (p.condition for p in ir.int_parts(expr) if isinstance(p, ir.Choose))
    for update in policy.time.updates if policy.time else ():
        yield update.condition
        yield from (p.condition for p in ir.int_parts(update.value) if isinstance(p, ir.Choose))
    yield from (assumption.condition for assumption in policy.assumptions)
    yield from (prove.condition for prove in policy.properties)


def build_columns(patterns: Sequence[TextPattern], field: str) -> tuple[ClassColumn, ...]:
    """The columns for these patterns: one if one automaton can hold them all.

    Raises:
        PatternTooLargeError: one pattern alone passes the limit of states.
    """
    if not patterns:
        return ()
    if sum(len(p.pattern.text) for p in patterns) <= 8 * STATES_MAX:
        try:
            return (_column(patterns),)
        except TooManyStatesError:
            pass
    if len(patterns) == 1:
        raise PatternTooLargeError(field, patterns[0].pattern)
    plain = sorted((p for p in patterns if _is_prefix(p)), key=lambda p: p.pattern.text.encode())
    globs = [p for p in patterns if not _is_prefix(p)]
    return (*_split_prefixes(plain, field), *_halved(globs, field))


def _column(patterns: Sequence[TextPattern]) -> ClassColumn:
    dfa = build_dfa(patterns)
    accepting: list[set[int]] = [set() for _ in patterns]
    for number, accepted in enumerate(dfa.accepted):
        for index in accepted:
            accepting[index].add(number)
    return ClassColumn(dfa, {p: frozenset(c) for p, c in zip(patterns, accepting, strict=True)})


def _is_prefix(pattern: TextPattern) -> bool:
    """Whether the pattern is a literal, or a literal head and one star: no more than a trie."""
    text = pattern.pattern.text
    return pattern.pattern.kind is not ir.PatternKind.GLOB or "*" not in text.removesuffix(
        "**"
    ).removesuffix("*")


def _split_prefixes(patterns: Sequence[TextPattern], field: str) -> Iterator[ClassColumn]:
    """Neighbours in the order of their bytes share a trie until it is full.

    A prefix may double the states of what stands below it, so a chunk that is still too large is
    halved.
    """
    chunk: list[TextPattern] = []
    nodes, last = 2, b""
    for pattern in patterns:
        text = pattern.pattern.text.encode()
        fresh = len(text) - _common(last, text) + 1
        if chunk and nodes + fresh > STATES_MAX:
            yield from _halved(chunk, field)
            chunk, nodes = [], 2
        chunk.append(pattern)
        nodes, last = nodes + fresh, text
    yield from _halved(chunk, field)


def _common(a: bytes, b: bytes) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _halved(patterns: Sequence[TextPattern], field: str) -> Iterator[ClassColumn]:
    if not patterns:
        return
    try:
        yield _column(patterns)
    except TooManyStatesError:
        if len(patterns) == 1:
            raise PatternTooLargeError(field, patterns[0].pattern) from None
        middle = len(patterns) // 2
        yield from _halved(patterns[:middle], field)
        yield from _halved(patterns[middle:], field)
