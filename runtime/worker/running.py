"""One job under a lease: started, kept alive, stopped when it must, reported.

In: a lease, a plugin.  Out: how it ended, told to the gateway.

What always holds: the plugin runs only after the gateway acknowledged the start while the lease held by this clock too;
it is stopped when the gateway says `cancel`, when the lease is lost or can no longer be known to hold, when its time is
up, and when the worker stops; then nothing of it runs any more.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from govlang.client import calls
from govlang.client.answers import Beat, Lease
from govlang.client.async_client import AsyncGovClient
from govlang.client.duties import check_duties, read_duties
from govlang.client.errors import Denied, GovError, Invalid, Throttled, Unavailable
from govlang.client.sending import IMPATIENT, Patience
from govlang.client.wire import Call
from govlang.runtime.worker.job import Ended, WorkerJob, failed, job_of, reportable
from govlang.runtime.worker.plugins import Plugin

BEAT_S: Final = 10.0
"""How long a heartbeat waits for its answer at most."""
START_PAUSE_S: Final = 0.5
"""How long after an unanswered start it is asked for again at most."""
REPORT: Final = Patience(tries=12, waits_s=60.0)
"""How long a result is told again until the gateway takes it: after that the job times out there."""


class Halt(StrEnum):
    """Why a job is stopped before it ended by itself."""

    CANCELLED = "the job was cancelled"
    LOST = "the lease was lost"
    LATE = "the job's time was up"
    STOPPED = "the worker was stopped"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every job of a worker.

    `actions`: the `do` of obligations that the plugin carries out.  `timeout_s`: how long a job may run (None: as long
    as it lives).  `notice_s`: how long a plugin that looks at `cancelled` is given to stop by itself.
    """

    actions: frozenset[str] = frozenset()
    timeout_s: float | None = None
    notice_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A job of a worker; once `closing` is set it is not started, once `halting` is set it is stopped."""

    client: AsyncGovClient
    plugin: Plugin
    terms: Terms
    lease: Lease
    closing: asyncio.Event
    halting: asyncio.Event
    log: Any

    async def run(self) -> bool:
        """Run the job; whether it may be leased again (it did not run, or asked for that)."""
        held = await self._start()
        if held is None:
            return True
        keep = asyncio.ensure_future(self._keep(*held))  # until the result is told, too
        try:
            ended, halt = await self._carry_out(job_of(self.lease), keep)
            if halt is not Halt.LOST:
                await self._report(ended, IMPATIENT if halt is Halt.CANCELLED else REPORT)
        finally:
            keep.cancel()
        return ended.outcome == "again"

    # --- the lease ------------------------------------------------------------------------------

    async def _start(self) -> tuple[Beat, float] | None:
        """Tell the gateway that the job begins; its answer and until when the lease holds, None: it must not run."""
        until = _now() + self.lease.lease_s
        while _now() < until and not self.closing.is_set():
            asked_at = _now()
            try:
                beat = await self._beat(until, started=True)
            except (Unavailable, Throttled):
                await asyncio.sleep(
                    min(self.lease.lease_s / 10, START_PAUSE_S, max(until - _now(), 0))
                )
                continue
            except GovError as error:
                self.log.warning("not_started", code=error.code)
                return None
            until = asked_at + beat.lease_s
            if beat.state == "running" and not beat.cancel and _now() < until:
                self.log.info("started")
                return beat, until
            break
        self.log.warning("not_started", code="cancelled_or_late")
        return None

    async def _beat(self, until: float, *, started: bool = False) -> Beat:
        """One heartbeat; Unavailable if it is not answered while the lease holds."""
        within = max(0.05, min(BEAT_S, until - _now()))
        call = calls.heartbeat(self.lease.lease_id, started=started)
        try:
            async with asyncio.timeout(within):
                return await self.client.send(call, timeout_s=within, patience=IMPATIENT)
        except TimeoutError:
            raise Unavailable("timeout", 0, "the gateway did not answer in time") from None

    async def _keep(self, beat: Beat, until: float) -> Halt:
        """Heartbeats at a third of the lease; returns when the job must stop."""
        pause = beat.lease_s / 3
        while True:
            await asyncio.sleep(max(0.0, min(pause, until - _now())))
            asked_at = _now()
            if asked_at >= until:
                return Halt.LOST
            try:
                beat = await self._beat(until)
            except (Unavailable, Throttled):
                pause = beat.lease_s / 10
                continue
            except GovError as error:
                self.log.warning("heartbeat_refused", code=error.code)
                return Halt.LOST
            until, pause = asked_at + beat.lease_s, beat.lease_s / 3
            if beat.cancel or beat.state != "running":
                return Halt.CANCELLED

    # --- the work -------------------------------------------------------------------------------

    async def _carry_out(
        self, job: WorkerJob, keep: asyncio.Future[Halt]
    ) -> tuple[Ended, Halt | None]:
        """Run the plugin to its end, or to what halts it."""
        try:
            duties = read_duties(job.obligations)
            check_duties(duties, duties.limits, self.terms.actions)
        except Denied as error:
            return failed(f"{error.detail}; nothing was done"), None
        work = asyncio.ensure_future(self.plugin.run(job))
        stop = asyncio.ensure_future(self.halting.wait())
        try:
            waited: set[asyncio.Future[Any]] = {work, keep, stop}
            await asyncio.wait(
                waited,
                timeout=self.terms.timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done():
                return _end_of(work), None
            halt = keep.result() if keep.done() else Halt.STOPPED if stop.done() else Halt.LATE
            return await self._halt(job, work, keep, halt)
        finally:
            stop.cancel()
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    async def _halt(
        self, job: WorkerJob, work: asyncio.Future[Ended], keep: asyncio.Future[Halt], halt: Halt
    ) -> tuple[Ended, Halt]:
        """Stop the work: it is asked, given notice if it listens and the lease holds, and then made to."""
        self.log.warning("halted", why=halt.name.lower())
        job.cancelled.set()
        if self.plugin.is_asked and halt is not Halt.LOST:
            waited: set[asyncio.Future[Any]] = {work} if keep.done() else {work, keep}
            await asyncio.wait(
                waited, timeout=self.terms.notice_s, return_when=asyncio.FIRST_COMPLETED
            )
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=self.terms.notice_s)
        if not work.done():
            self.log.error("still_running")  # a thread that does not look at `cancelled`
            await asyncio.wait({work})
        is_lost = keep.done() and keep.result() is Halt.LOST
        return failed(halt.value), Halt.LOST if is_lost else halt

    # --- the end --------------------------------------------------------------------------------

    async def _report(self, ended: Ended, tries: Patience) -> None:
        one = reportable(ended)
        try:
            await self._send(one, tries)
        except Invalid as error:
            self.log.warning("output_refused", code=error.code)
            with suppress(GovError):
                await self._send(failed(f"the gateway refused the result: {error.detail}"), tries)
        except GovError as error:
            self.log.warning("not_reported", outcome=one.outcome, code=error.code)
        else:
            self.log.info("ended", outcome=one.outcome)

    async def _send(self, one: Ended, tries: Patience) -> None:
        call: Call[Any] = calls.result(
            self.lease.lease_id,
            one.outcome,
            output=one.output,
            error=one.error,
            used=one.used,
            fields=one.fields,
        )
        await self.client.send(call, patience=tries)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _end_of(work: asyncio.Future[Ended]) -> Ended:
    """The end of work that is done; a plugin that raises has failed."""
    if work.cancelled():
        return failed("the job cancelled itself")
    error = work.exception()
    return work.result() if error is None else failed(f"the plugin failed: {type(error).__name__}")
