"""Source text and places in it.

In: the name and text of one file. Out: spans, which are half-open ranges of character offsets
into that text and give lines and columns on demand. Lines and columns count from 1, columns in
characters; offsets count from 0.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


@dataclass(frozen=True)
class Source:
    """One file's text under the name by which messages call it."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """The offset of the first character of every line."""
        return (0, *(end.end() for end in re.finditer("\n", self.text)))

    def line_text(self, line: int) -> str:
        """The text of a line (from 1) without its line end; empty beyond the last."""
        starts = self.line_starts
        if not 1 <= line <= len(starts):
            return ""
        end = starts[line] if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end].rstrip("\r\n")

    def line_column(self, offset: int) -> tuple[int, int]:
        """The line and column, both from 1, of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The span from offset `start` up to, not including, `end`."""
        return Span(self, start, end)


class Span(NamedTuple):
    """A range of characters in a source; a tuple because a tree holds one in every node."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line, from 1, on which the span starts."""
        return self.source.line_column(self.start)[0]

    @property
    def column(self) -> int:
        """The column, from 1, at which the span starts."""
        return self.source.line_column(self.start)[1]

    @property
    def end_line(self) -> int:
        """The line, from 1, of the first character after the span."""
        return self.source.line_column(self.end)[0]

    @property
    def end_column(self) -> int:
        """The column, from 1, of the first character after the span."""
        return self.source.line_column(self.end)[1]

    @property
    def text(self) -> str:
        """The characters of the span."""
        return self.source.text[self.start : self.end]

    @property
    def file(self) -> str:
        """The name of the file that the span lies in."""
        return self.source.name

    def __repr__(self) -> str:
        """The place as `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"

    def to_json(self) -> dict[str, str | int]:
        """The place for machines; lines and columns count from 1."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
        }

    def to(self, last: Span) -> Span:
        """The span from the start of this one to the end of `last`, in the same source."""
        return Span(self.source, self.start, last.end)


NO_SOURCE = Source("<none>", "")
NO_SPAN = Span(NO_SOURCE, 0, 0)
"""The place of a node that a program built instead of a parser."""


def span_field() -> Span:
    """The `span` of a node: where it stands, which is no part of what it says."""
    return field(default=NO_SPAN, compare=False, repr=False)
