"""What a guard asks of whoever decides: in process (`local.py`) or a gateway (`leased.py`).

`Road.admit` returns only what may run; `Admitted.begin` is the last word before it does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from govlang.client.duties import Duties, Obligation
from govlang.client.permit import Permit
from govlang.native.request import legible

LOG: Final = logging.getLogger("govlang.client")
"""Where a report that failed after the work was done is told; nothing else is."""

ERROR_MAX: Final = 500
"""The most characters of an error that are reported."""

Check = Callable[[Duties], None]
"""Raises Denied where the guarded code cannot keep to the obligations."""


class Admitted(Protocol):
    """A call that the policy lets through, on conditions."""

    request: Mapping[str, Any]
    duties: Duties
    decision: str
    rule_id: str | None
    job_id: str | None
    cancelled: threading.Event

    def begin(self) -> None:
        """Say that it runs now; raises GovError if it must not after all."""

    def withdraw(self, why: str) -> None:
        """Say that it will not run; never raises."""

    def succeed(self, permit: Permit) -> None:
        """Report its success; never raises."""

    def fail(self, permit: Permit, error: BaseException) -> None:
        """Report its failure; never raises."""


class Road(Protocol):
    """Whoever decides."""

    def admit(
        self,
        request: Mapping[str, Any],
        payload: Any,
        check: Check,
        actions: Collection[str],
        given_up: threading.Event,
    ) -> Admitted:
        """Ask for a call, until `given_up`; raises GovError unless it may run."""


def told(error: BaseException) -> str:
    """An error in one line."""
    text, name = str(error), type(error).__name__
    return legible(f"{name}: {text}" if text else name, ERROR_MAX)


def remedy_of(obligations: Collection[Obligation]) -> Any:
    """What the policy says would help."""
    return next((dict(one) for one in obligations if "remedy" in one), None)
