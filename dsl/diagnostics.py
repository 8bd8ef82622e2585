"""Diagnostics: what is wrong with a source, where, and what to type next.

In: codes, messages, spans. Out: `Diagnostic` values, a collector that lets a stage report all
its errors at once, and their plain-text rendering with the source line and a caret.
Every code has a page in `codes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from enum import StrEnum

from govlang.dsl.record import record
from govlang.dsl.source import Span

_WIDTH, _CONTEXT = 120, 60
"""How much of a source line is shown, and how much of it before the caret."""

_COMPARED = 300
"""So many names are compared with a misspelt word, which is slow; of more only its neighbours are looked up."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-"


class Severity(StrEnum):
    """How bad a finding is: an error stops the stage, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@record
class Note:
    """A second place that a diagnostic speaks of, as the first of two equal names."""

    message: str
    span: Span | None = None


@record
class Diagnostic:
    """One finding: a stable code, one line of message, a place, and the way out in `help`."""

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    help: str | None = None
    notes: tuple[Note, ...] = ()


class GovError(Exception):
    """The source cannot be used; carries every diagnostic of the stage, in source order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in self.diagnostics))


class TooManyError(GovError):
    """As many errors were found as are reported; the stage stops."""


class Diagnostics:
    """Collects the findings of a stage; with a `limit` it ends the stage at so many."""

    def __init__(self, limit: int | None = None) -> None:
        self._found: list[Diagnostic] = []
        self._limit = limit

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a finding; raises `TooManyError` with all of them where the limit is reached."""
        self._found.append(diagnostic)
        if self._limit is not None and len(self._found) >= self._limit:
            raise TooManyError(in_order(self._found))

    def last(self) -> Diagnostic | None:
        """The latest finding."""
        return self._found[-1] if self._found else None

    def replace_last(self, diagnostic: Diagnostic) -> None:
        """Put a finding in the place of the latest."""
        self._found[-1] = diagnostic

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        help: str | None = None,  # noqa: A002  # the word of the message format
        notes: tuple[Note, ...] = (),
    ) -> None:
        """Keep an error."""
        self.add(Diagnostic(code, Severity.ERROR, message, span, help, notes))

    def warning(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        help: str | None = None,  # noqa: A002  # the word of the message format
    ) -> None:
        """Keep a warning."""
        self.add(Diagnostic(code, Severity.WARNING, message, span, help))

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return any(d.severity is Severity.ERROR for d in self._found)

    def raise_errors(self) -> None:
        """Raise `GovError` with everything found if any of it is an error."""
        if self.has_errors:
            raise GovError(in_order(self._found))


def fail(
    code: str,
    message: str,
    span: Span | None = None,
    *,
    help: str | None = None,  # noqa: A002  # the word of the message format
) -> GovError:
    """The exception for one error; `raise fail(...)`."""
    return GovError([Diagnostic(code, Severity.ERROR, message, span, help)])


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file and place, those without a place first; what is said twice of one place stands once."""
    once: dict[object, Diagnostic] = {}
    for one in diagnostics:
        once.setdefault((_place(one), one.code, one.message), one)
    return tuple(sorted(once.values(), key=_place))


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    span = diagnostic.span
    return ("", -1) if span is None else (span.file, span.start)


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """The help line for a misspelt word, or None when nothing is near it."""
    near = nearest(word, candidates)
    return None if near is None else f"did you mean `{near}`?"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a misspelt word was meant to be, or None when nothing is near it."""
    known = set(candidates)
    if len(known) <= _COMPARED:
        near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    else:
        near = [one for one in _one_slip_away(word) if one in known][:1]
    return near[0] if near else None


def _one_slip_away(word: str) -> Iterator[str]:
    """The words with a letter more, less or other, or with two neighbours swapped."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        if tail:
            yield head + tail[1:]
        for letter in _LETTERS:
            yield head + letter + tail
            yield head + letter + tail[1:]


def render(diagnostic: Diagnostic) -> str:
    """The finding as plain text: head line, place, source line with caret, notes, help."""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    if diagnostic.span is not None:
        lines += excerpt(diagnostic.span)
    for note in diagnostic.notes:
        lines.append(f"  note: {note.message}")
        if note.span is not None:
            lines += excerpt(note.span)
    if diagnostic.help is not None:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic]) -> str:
    """All findings as plain text, a blank line apart."""
    return "\n\n".join(render(d) for d in diagnostics)


def excerpt(span: Span) -> list[str]:
    """The place and the source line with a caret under the span's part of it."""
    number = str(span.line)
    margin = " " * len(number)
    text = span.source.line_text(span.line)
    at = span.column - 1
    length = span.end - span.start if span.end_line == span.line else len(text) - at
    shown, blanks, carets = window(text, at, length)
    return [
        f"{margin}--> {span.file}:{span.line}:{span.column}",
        f"{margin} |",
        f"{number} | {shown}",
        f"{margin} | {' ' * blanks}{'^' * carets}",
    ]


def window(text: str, at: int, length: int) -> tuple[str, int, int]:
    """A source line for a terminal, and how many blanks and carets mark a part of it.

    Of a long line it is the part around the caret; control characters never come through.
    """
    first = max(0, at - _CONTEXT) if len(text) > _WIDTH else 0
    shown = "".join(map(_visible, text[first : first + _WIDTH]))
    left, right = "…" if first else "", "…" if len(text) > first + _WIDTH else ""
    carets = max(1, min(length, _WIDTH - at + first))
    return left + shown + right, at - first + len(left), carets


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char == "\t" else "\N{REPLACEMENT CHARACTER}"
