"""The page of a code."""

from __future__ import annotations

from govlang.dsl.record import record


@record
class Page:
    """What a code means: `example` shows the fault as it is written, `way_out` how to mend it."""

    title: str
    explanation: str
    example: str
    way_out: str
