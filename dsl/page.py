"""The page of a code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """What a code means: `example` shows the fault as it is written, `way_out` how to mend it."""

    title: str
    explanation: str
    example: str
    way_out: str
