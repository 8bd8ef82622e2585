"""The time that a proof may take as a whole, so that it ends whatever it meets.

In: a limit in seconds, and a clock.  Out: nothing while there is time, `OutOfTimeError` after that.
What always holds: whoever builds trees, holds boxes against each other, runs a statement or asks the
solver looks at the clock first; between two looks little is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Final

LIMIT_S: Final = 300.0
QUESTIONS: Final = 30
"""The limit goes up with that of a question: a user who gives more time to one gives it to all."""


class OutOfTimeError(Exception):
    """The time of a proof is over."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a proof must have ended: `limit_s` seconds after `start`, as the clock counts."""

    limit_s: float = inf
    start: float = 0.0
    clock: Callable[[], float] = monotonic

    def left_s(self) -> float:
        """The seconds that are left.

        Raises:
            OutOfTimeError: there are none.
        """
        left = self.start + self.limit_s - self.clock()
        if left <= 0:
            raise OutOfTimeError
        return left

    def raise_if_over(self) -> None:
        """Look at the clock.

        Raises:
            OutOfTimeError: the time is over.
        """
        if self.clock() >= self.start + self.limit_s:
            raise OutOfTimeError

    @property
    def told(self) -> str:
        """What to say of a proof that it has ended."""
        return f"the proof takes longer than {self.limit_s:g} s"


def deadline_after(limit_s: float | None, timeout_s: float) -> Deadline:
    """The deadline of a proof that begins now; `timeout_s` bounds each of its questions."""
    seconds = max(LIMIT_S, QUESTIONS * timeout_s) if limit_s is None else limit_s
    return Deadline(seconds, monotonic())


NEVER: Final = Deadline()
"""There is time without end."""
