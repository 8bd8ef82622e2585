"""How a pass says that one expression cannot be used, without losing the other errors of the stage.

Raised inside a pass, caught where the next expression begins; never leaves the front end.
"""

from __future__ import annotations

from collections.abc import Sequence

from govlang.dsl.diagnostics import Diagnostic, Note, Severity
from govlang.dsl.source import Span


class RefusalError(Exception):
    """One error, to be collected with the others."""

    def __init__(
        self, code: str, message: str, span: Span, way_out: str, notes: tuple[Note, ...] = ()
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, Severity.ERROR, message, span, way_out, notes)


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, the first few of many."""
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (", …" if len(names) > most else "")


def shortened(span: Span, limit: int = 60) -> str:
    """What stands at a place, on one line, for a message."""
    text = " ".join(span.text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


class FaultyError(Exception):
    """A part has been reported already; what is built on it stays silent."""
