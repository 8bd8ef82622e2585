"""The control plane, whole: a data directory and a bundle in; gates, approvals, evidence and policies behind one
object out.

`start` and `stop` bound its life; every route of the HTTP interface is a method (jobs.py, decisions.py,
operations.py).
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from govlang.native.errors import CodedError
from govlang.runtime.bundle import read_bundle
from govlang.runtime.control import reconciler
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.archive import Archive
from govlang.runtime.control.breaker import Breaker
from govlang.runtime.control.bus.local import LocalBus
from govlang.runtime.control.check import DEPENDENCY, RemoteCheck
from govlang.runtime.control.decisions import Decisions
from govlang.runtime.control.hostclock import NowMs, host_clock
from govlang.runtime.control.jobs import Jobs
from govlang.runtime.control.judge import Context, no_context
from govlang.runtime.control.meter import Meter
from govlang.runtime.control.office import Office
from govlang.runtime.control.operations import Operations, create_token, forced
from govlang.runtime.control.rebuild import Loading
from govlang.runtime.control.settings import Settings
from govlang.runtime.control.store.sqlite import SqliteStore
from govlang.runtime.control.tokens import TokenBook
from govlang.runtime.control.writer import StoppedError, Writer

if TYPE_CHECKING:
    import httpx

    from govlang.runtime.control.turn import Turn

T = TypeVar("T")
log: Final = logging.getLogger("govlang.control")

FIRST_TOKEN_S: Final = 365 * 86_400
"""For how long the operator's token of the first start is good, in seconds."""
ROUND_S: Final = 0.25
"""How often the reconciler looks, in seconds."""
MEASURE_S: Final = 5
"""How often what waits is counted, in seconds."""
_HOUR_S: Final = 3600
TIDY_S: Final = 1.0
"""How often the store's log is moved into its database, in seconds."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What may stand in for the parts of a service, in tests and drills."""

    clock: NowMs = field(default_factory=host_clock)
    context: Context = no_context
    meter: Meter = field(default_factory=Meter)
    transport: httpx.AsyncBaseTransport | None = None
    """How the policy check elsewhere is reached."""
    breaker: Breaker = field(default_factory=Breaker)
    """What keeps calls away from it while it does not answer."""


class Service(Jobs, Decisions, Operations):
    """A running control plane."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        bundle: bytes | None,
        params: Mapping[str, Any] | None = None,
        parts: Parts | None = None,
    ) -> None:
        """Open the data directory; of a new one `bundle` becomes the first policy.

        Raises:
            CodedError: the directory, the ledger or the bundle cannot be used (GOV400 to GOV411, GOV620 to GOV628),
            or
                POLICY_CHECK_URL is set for a policy that remembers (GOV615).
        """
        given = parts or Parts()
        store = SqliteStore(folder)
        try:
            archive = Archive(
                folder, store, settings, given.meter
            )  # first: the office moves the head on
            office = Office(
                store,
                settings,
                Loading(settings.key_capacity, given.context),
                given.clock,
                given.meter,
            )
            self.is_new = office.judge is None
            if office.judge is None:
                office.begin(_given(bundle, folder, settings), params or {}, "the first start")
            self.breaker = given.breaker
            for dependency in forced(store.reader()):
                self.breaker.force_open(dependency)
            check = None
            if settings.policy_check_url is not None:
                check = RemoteCheck(settings, self.breaker, given.transport)
            writer = Writer(office, settings.group_max, given.meter.committed)
            super().__init__(office, writer, LocalBus(), _book(store), check)
            self.archive = archive
            _check_memory(self)
        except BaseException:
            store.close()
            raise
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="gov-aside")

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Record the start and begin to work."""
        self.office.start({**self.office.settings.shown(), "ledger_key": self.archive.key})
        loop = asyncio.get_running_loop()
        self.office.woken = lambda pools: _soon(loop, self._publish, pools)
        self.office.grown = self.archive.grown
        self.writer.start()
        self.archive.start()
        self._tasks = [
            asyncio.create_task(self._reconcile(), name="gov-reconcile"),
            asyncio.create_task(self._forget(), name="gov-forget"),
            asyncio.create_task(self._measure(), name="gov-measure"),
            asyncio.create_task(self._tidy(), name="gov-tidy"),
        ]
        self._publish(frozenset())  # what a crash left in the outbox

    def first_token(self) -> str:
        """The operator's token of a new data directory; before `start`, told once."""
        turn = self.office.open()
        body = {"roles": ["operator"], "agent": "operator", "ttl_s": FIRST_TOKEN_S}
        answer = create_token(turn, "the first start", body)
        self.office.close(turn)
        assert isinstance(answer.body, dict)
        stored = self.rows.token(answer.body["id"])
        assert stored is not None
        self.book.put(stored)
        return str(answer.body["token"])

    def stop_waiting(self) -> None:
        """Release every lease that waits; readiness ends."""
        self._is_stopping = True
        self._tasks.append(asyncio.ensure_future(self.bus.close()))

    async def stop(self) -> None:
        """Carry out what was taken in, keep the state, sign the ledger, and let go of the directory."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.bus.close()
        if self.check is not None:
            await self.check.close()
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self.writer.stop()
        try:
            if self.writer.last_error is None:
                self.office.stop()
        finally:
            self.archive.stop()
            self._aside.shutdown()
            self.office.store.close()

    def ready(self) -> Answer:
        """The policy is loaded, the last commit reached the disk, nothing is stopping."""
        if self._is_stopping:
            return problem("not_ready", "the service is stopping")
        return super().ready()

    # --- what goes on by itself ------------------------------------------------------------------

    def _publish(self, pools: frozenset[str]) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.ensure_future(self.bus.publish(pools)))

    async def _relay(self) -> None:
        """Tell the bus what stands in the outbox, then take it out: once a round, as it is a commit of its own.

        Whoever waits has heard of it at once from `_publish`; this is for what a killed process left.
        """
        found = self.rows.unpublished(10_000)
        if not found:
            return
        await self.bus.publish({pool for _, pool, _ in found})

        def sent(turn: Turn) -> None:
            turn.has_written = True
            turn.session.published(found[-1][0])

        await self._quietly(sent)

    async def _reconcile(self) -> None:
        while True:
            await self._relay()
            more = await self._quietly(reconciler.reconcile)
            if not more:
                await asyncio.sleep(ROUND_S)

    async def _forget(self) -> None:
        while True:
            await self._quietly(reconciler.forget_answers)
            await asyncio.sleep(_HOUR_S)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            try:
                await self._beside(self.office.store.tidy)
            except sqlite3.Error:
                log.exception("the log of the store was not tidied")

    async def _measure(self) -> None:
        while True:
            try:
                await self.measure()
            except Exception:
                log.exception("nothing could be measured")
            await asyncio.sleep(MEASURE_S)

    def _depths(self) -> tuple[int, int]:
        return self.rows.depths()  # by a reader of this thread

    async def measure(self) -> None:
        """Tell the metrics what stands waiting, and how the breakers are."""
        outbox, letters = await self._beside(self._depths)
        metrics = self.office.metrics
        metrics.outbox(outbox)
        metrics.dead_letters(letters)
        for dependency in (DEPENDENCY, *forced(self.rows)):
            metrics.breaker(dependency, self.breaker.state(dependency))

    async def _beside(self, work: Callable[[], T]) -> T:
        """Do what takes long in a thread that the stop waits for."""
        return await asyncio.get_running_loop().run_in_executor(self._aside, work)

    async def _quietly(self, operation: Callable[[Turn], Any]) -> Any:
        """An operation that nobody waits for; what fails is logged and tried again in the next round."""
        try:
            return await self.carry_out(operation)
        except StoppedError:
            return None
        except Exception:
            log.exception("the reconciler failed")
            await asyncio.sleep(1)
            return None


def _soon(
    loop: asyncio.AbstractEventLoop, call: Callable[[frozenset[str]], None], pools: frozenset[str]
) -> None:
    """Call back in the loop; a loop that has ended needs to hear nothing."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, pools)


def _given(bundle: bytes | None, folder: Path, settings: Settings) -> bytes:
    if bundle is None:
        raise CodedError("GOV627", f"`{folder}` holds no policy", "give `gov serve` a bundle")
    key = settings.require_signature
    read_bundle(bundle, public_key=key.read_bytes() if key else None)
    return bundle


def _book(store: SqliteStore) -> TokenBook:
    book = TokenBook()
    for token in store.reader().tokens():
        book.put(token)
    return book


def _check_memory(service: Service) -> None:
    """A policy that remembers is asked here, or nowhere: its windows are kept where its samples are."""
    if service.check is not None and service.judge.policy.memory is not None:
        raise CodedError(
            "GOV615",
            f"`{service.judge.policy.name}` has rules over time, and POLICY_CHECK_URL is set",
            "unset it: what such a policy remembers is kept with the jobs, in this service",
        )
