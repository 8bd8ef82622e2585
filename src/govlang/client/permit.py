"""A permit: that one guarded call may run, and what it must know and may tell.

In: made by a guard.  Out: read by the guarded code, which may set what is reported of it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from govlang.client.duties import Range


@dataclass(slots=True)
class Permit:
    """`request` has the policy's limits applied, `limits` are all of them by name.

    `cancelled` is set when the work must stop: look at it in loops, or wait for it.  What the guarded code puts into
    `output` (any JSON), `used` (what it used of each reserved field) and `fields` (of the events `success` and
    `failure`) is reported with its end.
    """

    request: Mapping[str, Any]
    limits: Mapping[str, Range]
    decision: str
    rule_id: str | None
    job_id: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    output: Any = None
    used: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)


CURRENT: Final[ContextVar[Permit | None]] = ContextVar("govlang_permit", default=None)


def current_permit() -> Permit | None:
    """The permit under which the caller runs; None: under none."""
    return CURRENT.get()
