"""How a pass says that one expression cannot be used, without losing the other errors of the stage.

Raised inside a pass, caught where the next expression begins; never leaves the front end.
"""

from __future__ import annotations

from govlang.dsl.diagnostics import Diagnostic, Note, Severity
from govlang.dsl.source import Span


class RefusalError(Exception):
    """One error, to be collected with the others."""

    def __init__(
        self, code: str, message: str, span: Span, way_out: str | None, notes: tuple[Note, ...] = ()
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, Severity.ERROR, message, span, way_out, notes)


def shortened(span: Span, limit: int = 60) -> str:
    """What stands at a place, on one line, for a message."""
    text = " ".join(span.text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
