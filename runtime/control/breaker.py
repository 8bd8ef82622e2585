"""A circuit breaker for each dependency, as the proved table of `examples/breaker.gov` has it.

In: calls that are about to go out, and how they ended.  Out: leave to make them, or why not.

What always holds: of a half-open dependency at most three calls are out, whatever threads do; no lock is held while
a call runs; a call that began before the breaker last moved counts for nothing; what was forced open stays open.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

from govlang.native.errors import CodedError, TableError
from govlang.runtime.control.builtin import load_builtin
from govlang.runtime.decision import Decision

if TYPE_CHECKING:
    from govlang.runtime.decision import Outcome

CAPACITY: Final = 10_000
"""Dependencies that are watched unless told otherwise; none that was called is ever forgotten."""

FORCED_RETRY_S: Final = 30
"""When to ask again where only a person can close the breaker, in seconds."""

STATES: Final = ("closed", "forced", "open", "half_open")
"""In the order in which `breaker.gov` numbers them."""

WAITING: Final = frozenset({"open", "half_open"})
"""The states that end when a time is up."""

Taken = TypeVar("Taken")


def monotonic_ms() -> int:
    """A clock that never goes back, in ms since some moment."""
    return time.monotonic_ns() // 1_000_000


class BreakerOpenError(CodedError):
    """The call must not be made (GOV650); `retry_s` says in how many seconds it makes sense to ask again."""

    def __init__(self, dependency: str, retry_s: int, reason: str) -> None:
        super().__init__(
            "GOV650",
            f"the breaker of `{dependency}` is open: {reason}",
            help=f"ask again in {retry_s} s",
        )
        self.dependency = dependency
        self.retry_s = retry_s
        self.reason = reason


@dataclass(slots=True)
class Call:
    """A call that the breaker let through; it wants to be told once how it ended."""

    dependency: str
    period: int
    began_ms: int
    _tell: Callable[[Call, str], None] = field(repr=False)
    is_over: bool = False

    def succeeded(self) -> None:
        """It brought what it should; if it took too long that counts as a failure."""
        self._tell(self, "success")

    def failed(self) -> None:
        """It brought an error, or nothing."""
        self._tell(self, "failure")

    def abandoned(self) -> None:
        """Nobody waits for it any more: a failure, as far as anybody knows."""
        self._tell(self, "failure")


class Breaker:
    """Watches dependencies by name; threads may share it."""

    def __init__(
        self,
        clock_ms: Callable[[], int] = monotonic_ms,
        slow_s: float = 2.0,
        capacity: int = CAPACITY,
    ) -> None:
        """`clock_ms` must not go back; a call that takes longer than `slow_s` seconds counts as a failure."""
        self._policy: Final = load_builtin("breaker-1.0.0.govb", capacity)
        self._clock_ms = clock_ms
        self._slow_ms = slow_s * 1000
        self._lock: Final = Lock()
        self._now_ms = 0
        self._periods: Final[dict[str, int]] = {}
        """How often the breaker of a dependency has moved; only of those that have."""

    def admit(self, dependency: str) -> Call:
        """Leave to make a call now.

        Raises:
            BreakerOpenError: GOV650, it must not be made.
            CodedError: GOV651 no dependency could be called so · GOV652 there is no room for another one.
        """
        asked = {"dependency": dependency}
        with self._lock:
            now = self._now()
            outcome = self._watched(dependency, lambda: self._policy.commit(asked, now_ms=now))
            if outcome.decision is not Decision.ALLOW:
                raise _refusal(outcome, dependency, now)
            self._report("dispatched", dependency, now)
            return Call(dependency, self._periods.get(dependency, 0), now, self._told)

    @contextmanager
    def guard(self, dependency: str) -> Iterator[Call]:
        """Make a call inside: an exception is a failure, also one that only ends the waiting.

        Whoever knows better tells the call's end inside.

        Raises:
            CodedError: as `admit`, and then nothing inside is run.
        """
        call = self.admit(dependency)
        try:
            yield call
        except BaseException as error:
            # What was cancelled or interrupted would perhaps have come to something; nobody knows.
            end = call.failed if isinstance(error, Exception) else call.abandoned
            if not call.is_over:
                end()
            raise
        if not call.is_over:
            call.succeeded()

    def make_room(self, dependency: str) -> None:
        """Watch a dependency from now on, so that it can be forced open; nothing moves.

        Raises:
            CodedError: GOV651 no dependency could be called so · GOV652 there is no room for another one.
        """
        with self._lock:
            if self._read(dependency) != "forced":
                self._report("release", dependency, self._now())

    def force_open(self, dependency: str) -> None:
        """Let no call through until `release`.

        Raises:
            CodedError: GOV651 no dependency could be called so · GOV652 there is no room for another one.
        """
        with self._lock:
            self._report("force_open", dependency, self._now())

    def release(self, dependency: str) -> None:
        """Take a forced opening back: it is open as after failures, and probes go out half a minute later.

        Raises:
            CodedError: as `force_open`.
        """
        with self._lock:
            self._report("release", dependency, self._now())

    def state(self, dependency: str) -> str:
        """`closed`, `open`, `half_open` or `forced`, now; a dependency that was never called is closed.

        Raises:
            CodedError: GOV651, no dependency could be called so.
        """
        with self._lock:
            if self._read(dependency) in WAITING:
                self._tick(dependency, self._now())
            return self._read(dependency)

    # --- all of this under the lock ---------------------------------------------------------------

    def _told(self, call: Call, end: str) -> None:
        """Take in how a call ended; what is due goes first, since a sample brings one transition at most."""
        with self._lock:
            if call.is_over:
                raise CodedError(
                    "GOV653", f"the call of `{call.dependency}` has ended already", "tell it once"
                )
            call.is_over = True
            now = self._now()
            self._tick(call.dependency, now)
            if call.period != self._periods.get(call.dependency, 0):
                end = "late"
            elif now - call.began_ms > self._slow_ms:
                end = "slow"
            self._report(end, call.dependency, now)

    def _now(self) -> int:
        """The time, which never goes back, so that no sample is a clock fault."""
        self._now_ms = max(self._now_ms, self._clock_ms())
        return self._now_ms

    def _tick(self, dependency: str, now: int) -> None:
        step = {"tick": True, "key": dependency, "at_ms": now}
        self._watched(dependency, lambda: self._policy.observe(step))

    def _report(self, event: str, dependency: str, now: int) -> None:
        step = {"event": event, "key": dependency, "at_ms": now}
        try:
            self._watched(dependency, lambda: self._policy.observe(step))
        except TableError as error:
            raise _no_room(dependency) if error.code == "GOV418" else error from None

    def _watched(self, dependency: str, sample: Callable[[], Taken]) -> Taken:
        """Take in a sample; if it moves the breaker another period begins.

        INVARIANT: no transition leads back to where it comes from, and a sample brings one at most.
        """
        before = self._read(dependency)
        taken = sample()
        if self._read(dependency) != before:
            self._periods[dependency] = self._periods.get(dependency, 0) + 1
        return taken

    def _read(self, dependency: str) -> str:
        try:
            return STATES[self._policy.remembered("breaker", dependency)]
        except TableError as error:
            raise CodedError(
                "GOV651",
                f"this is no name of a dependency: {error.message}",
                help="give a text of at most 256 bytes",
            ) from None


def _refusal(outcome: Outcome, dependency: str, now: int) -> CodedError:
    """Why a call must not be made."""
    if outcome.rule_id == "state_full":
        return _no_room(dependency)
    waits = [one["retry_ms"] for one in outcome.obligations if "retry_ms" in one]
    if outcome.next_deadline_ms is not None:
        waits.append(outcome.next_deadline_ms - now)
    retry_s = max(1, math.ceil(min(waits) / 1000)) if waits else FORCED_RETRY_S
    return BreakerOpenError(dependency, retry_s, outcome.reason)


def _no_room(dependency: str) -> CodedError:
    return CodedError(
        "GOV652",
        f"there is no room to watch `{dependency}` beside the others",
        help="name dependencies by what fails together",
    )
