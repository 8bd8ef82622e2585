"""A loaded table: the C engine behind typed methods.

In: bytes from anywhere.  Out: `Table`, checked once; decisions on words, the class of a text, the value
of a program.

What always holds: a table never changes after its parameters are bound, so threads share it; scratch is
made for each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from govlang.native._table import ffi, lib
from govlang.native.errors import TableError
from govlang.native.schema import Schema

BY_DEFAULT: Final = 0xFFFFFFFF
BY_INVALID: Final = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class Decision:
    """What the engine decides: an effect (0..4) and a rule, BY_DEFAULT or BY_INVALID.

    `culprit` says of BY_INVALID which column is out of range, or, from the number of request columns
    on, which assumption is broken.
    """

    effect: int
    rule: int
    culprit: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    """A decision with the numbers of the rules that fired, and of those whose obligations count."""

    decision: Decision
    fired: tuple[int, ...]
    taken: tuple[int, ...]


class Table:
    """A compiled policy in memory."""

    def __init__(self, data: bytes) -> None:
        """Check and copy the bytes.

        Raises:
            TableError: GOV410, they do not add up.
        """
        why = ffi.new("const char **")
        loaded = lib.gov_table_load(data, len(data), why)
        if loaded == ffi.NULL:
            reason = ffi.string(why[0]).decode()
            raise TableError(
                "GOV410",
                f"the compiled table cannot be used: {reason}",
                help="build the policy again with `gov build`",
            )
        self._table = ffi.gc(loaded, lib.gov_table_free)
        self.data: Final = data
        self.schema: Final = Schema(data)
        self.columns: Final[int] = lib.gov_table_columns(loaded)
        self.steps: Final[int] = lib.gov_table_steps(loaded)
        self._scratch: Final[int] = lib.gov_table_scratch(loaded)

    @property
    def pointer(self) -> Any:
        """The loaded table, for other calls of the engine."""
        return self._table

    @property
    def address(self) -> int:
        """Where the table lies; valid as long as this object."""
        return int(ffi.cast("uintptr_t", self._table))

    def scratch(self) -> Any:
        """Memory for one call of the engine."""
        return ffi.new("uint64_t[]", self._scratch)

    def bind(self, values: Sequence[int]) -> None:
        """Set the parameters, in steps, before anybody decides.

        Raises:
            TableError: GOV411, one is missing or out of range.
        """
        if len(values) != len(self.schema.params):
            raise TableError("GOV411", f"expected {len(self.schema.params)} parameters")
        if lib.gov_table_bind(self._table, ffi.new("int64_t[]", list(values))) != 0:
            raise TableError("GOV411", "a parameter is out of range")

    @cached_property
    def _rule_words(self) -> int:
        return (self.schema.rule_count + 63) // 64

    def empty_words(self) -> list[int]:
        """The words of a request without any optional field, parameters included."""
        words = ffi.new("int64_t[]", self.columns + 1)
        lib.gov_words(self._table, words)
        return [int(word) for word in words[0 : self.columns]]

    def decide(self, words: Sequence[int]) -> Decision:
        """The outcome of a request's words."""
        outcome = ffi.new("gov_outcome *")
        scratch = self.scratch()
        lib.gov_decide(self._table, self._words(words), scratch, outcome)
        return Decision(outcome.decision, outcome.rule, outcome.culprit)

    def collect(self, words: Sequence[int] | bytes) -> Collected:
        """The same outcome with the rules behind it; words as numbers or as they lie in memory."""
        outcome = ffi.new("gov_outcome *")
        scratch = self.scratch()
        lib.gov_collect(self._table, self._words(words), scratch, outcome)
        size = self._rule_words
        return Collected(
            Decision(outcome.decision, outcome.rule, outcome.culprit),
            _bits(scratch[0:size]),
            _bits(scratch[size : 2 * size]),
        )

    def run(self, program: int, words: Sequence[int] | bytes) -> int:
        """The value of a program of the table."""
        if not 0 <= program < lib.gov_table_programs(self._table):
            raise IndexError(program)
        return int(lib.gov_run(self._table, program, self._words(words)))

    def classify(self, classifier: int, text: bytes) -> int:
        """The class of a text for one classifier of its field."""
        if not 0 <= classifier < lib.gov_table_classifiers(self._table):
            raise IndexError(classifier)
        return int(lib.gov_classify(self._table, classifier, text, len(text)))

    def _words(self, words: Sequence[int] | bytes) -> Any:
        if isinstance(words, bytes):
            if len(words) != 8 * self.columns:
                raise ValueError(f"expected {self.columns} words, found {len(words)} bytes")
            return ffi.from_buffer("int64_t[]", words) if words else ffi.new("int64_t[]", 1)
        if len(words) != self.columns:
            raise ValueError(f"expected {self.columns} words, found {len(words)}")
        return ffi.new("int64_t[]", [*words, 0])


def _bits(words: Sequence[int]) -> tuple[int, ...]:
    """The numbers of the bits that are set, ascending."""
    found = []
    for at, word in enumerate(words):
        left = int(word)
        while left:
            low = left & -left
            found.append(64 * at + low.bit_length() - 1)
            left ^= low
    return tuple(found)
