"""The worker: leases jobs while it has room, and stops gracefully.

In: a gateway, a pool, a plugin.  Out: nothing; it runs until it is told to stop, or the gateway refuses it.

What always holds: no more jobs than `concurrency` at a time; a job that has run here is not run again, whatever the
gateway hands out; after `stop` nothing is leased or started; what does not end within the grace is stopped and reported
as failed.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from govlang.client.answers import Lease
from govlang.client.async_client import AsyncGovClient
from govlang.client.errors import Forbidden, GovError, Invalid, NotFound
from govlang.native.errors import CodedError
from govlang.runtime.worker.plugins import Plugin
from govlang.runtime.worker.running import Running, Terms

POLL_S: Final = 20
"""How long the gateway is asked to wait for a job."""
RAN_MAX: Final = 100_000
"""How many jobs that have run are remembered."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0


def default_name() -> str:
    """The name of this worker in the gateway's records: host and process."""
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:80]
    return f"{host or 'worker'}-{os.getpid()}"


@dataclass(slots=True)
class Worker:
    """A worker of a pool; `grace_s`: how long running jobs may take after `stop`."""

    client: AsyncGovClient
    pool: str
    plugin: Plugin
    log: Any
    concurrency: int = 1
    terms: Terms = field(default_factory=Terms)
    grace_s: float = 25.0
    name: str = field(default_factory=default_name)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _running: set[str] = field(default_factory=set)
    _ran: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _halting: asyncio.Event = field(default_factory=asyncio.Event)
    _is_ready: bool = False

    def stop(self) -> None:
        """Lease nothing more, and end; said twice, without grace."""
        if self._closing.is_set():
            self._halting.set()
        self._closing.set()

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            CodedError: GOV683, the gateway refuses this worker; what runs is ended first.
        """
        try:
            await self._lease_on()
        finally:
            await self._end()

    async def _lease_on(self) -> None:
        failures = 0
        while not self._closing.is_set():
            if len(self._tasks) >= self.concurrency:
                await self._first(*self._tasks)
                continue
            try:
                leases = await self._lease()
            except (Forbidden, NotFound, Invalid) as error:
                why = f"the gateway refuses this worker: {error.detail}"
                raise CodedError(
                    "GOV683", why, "give a token of the role `worker` and its pool"
                ) from error
            except GovError as error:
                failures += 1
                await self._pause(error, failures)
                continue
            failures = 0
            self._say_ready()
            for one in leases:
                self._take(one)

    def _say_ready(self) -> None:
        """Log that it is, once: the gateway has taken its token and its pool."""
        if not self._is_ready and not self._closing.is_set():
            self._is_ready = True
            self.log.info("ready", pool=self.pool, concurrency=self.concurrency)

    async def _lease(self) -> tuple[Lease, ...]:
        """Jobs, as many as there is room for; none once the worker is told to stop.

        The first time the gateway is not asked to wait, so that its answer shows that it takes this worker.
        """
        free = self.concurrency - len(self._tasks)
        asked = asyncio.ensure_future(
            self.client.lease(
                self.pool,
                self.name,
                most=free,
                wait_s=POLL_S if self._is_ready else 0,
                actions=self.terms.actions,
            )
        )
        await self._first(asked)
        if not asked.done():
            asked.cancel()
            await asyncio.wait({asked})
        return () if asked.cancelled() or self._closing.is_set() else asked.result()

    async def _first(self, *waited: asyncio.Future[Any]) -> None:
        """Wait for the first of these, or until the worker is told to stop."""
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({*waited, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()

    async def _pause(self, error: GovError, failures: int) -> None:
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311  # so that not all come at once; no secret
        if error.retry_after_s is not None:
            pause = min(max(pause, error.retry_after_s), LONGEST_PAUSE_S)
        self.log.warning("not_leased", code=error.code, pause_s=round(pause, 2))
        await self._first(asyncio.ensure_future(asyncio.sleep(pause)))

    def _take(self, lease: Lease) -> None:
        """Run a job, unless it runs or has run here: then its lease lapses unstarted."""
        log = self.log.bind(job_id=lease.job_id, agent=lease.agent)
        if lease.job_id in self._running or lease.job_id in self._ran:
            log.error("leased_again")
            return
        self._running.add(lease.job_id)
        task = asyncio.ensure_future(self._run(lease, log))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, lease: Lease, log: Any) -> None:
        one = Running(
            self.client, self.plugin, self.terms, lease, self._closing, self._halting, log
        )
        is_anew = False
        try:
            is_anew = await one.run()
        except Exception as error:  # noqa: BLE001  # one job's fault does not end the others
            log.error("internal_fault", kind=type(error).__name__)  # noqa: TRY400  # a traceback may quote what a job holds
        finally:
            self._running.discard(lease.job_id)
            if not is_anew:
                self._ran[lease.job_id] = None
                while len(self._ran) > RAN_MAX:
                    self._ran.popitem(last=False)

    async def _end(self) -> None:
        """Let running jobs end, for a while; then end them."""
        self._closing.set()
        if self._tasks:
            self.log.info("stopping", running=len(self._tasks), grace_s=self.grace_s)
            halting = asyncio.ensure_future(self._halting.wait())
            everything = asyncio.ensure_future(asyncio.wait(set(self._tasks)))
            await asyncio.wait(
                {everything, halting}, timeout=self.grace_s, return_when=asyncio.FIRST_COMPLETED
            )
            halting.cancel()
            self._halting.set()
            await asyncio.wait({everything}, timeout=self.grace_s + 10.0)
            everything.cancel()
        await self.plugin.close()
        self.log.info("stopped", unfinished=len(self._tasks))
