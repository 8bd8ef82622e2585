"""The control plane, whole: a data directory and a bundle in; gates, approvals, evidence and policies behind one
object out.

`start` and `stop` bound its life; every route of the HTTP interface is a method (jobs.py, decisions.py, operations.py).
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

from govlang.native.errors import BundleError, CodedError
from govlang.runtime.bundle import check_signer, read_bundle
from govlang.runtime.control import first_token, reconciler
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.archive import Archive
from govlang.runtime.control.breaker import Breaker
from govlang.runtime.control.bus.local import LocalBus
from govlang.runtime.control.check import DEPENDENCY, RemoteCheck
from govlang.runtime.control.decisions import Decisions
from govlang.runtime.control.headfile import NAME as HEAD
from govlang.runtime.control.hostclock import NowMs, host_clock
from govlang.runtime.control.hostvalues import Context, no_context
from govlang.runtime.control.jobs import Jobs
from govlang.runtime.control.meter import Meter
from govlang.runtime.control.office import Office
from govlang.runtime.control.operations import Operations, forced
from govlang.runtime.control.rebuild import Loading
from govlang.runtime.control.retiring import Retiring, forget_answers
from govlang.runtime.control.settings import Settings
from govlang.runtime.control.store.sqlite import DATABASE, SqliteStore
from govlang.runtime.control.tokens import TokenBook
from govlang.runtime.control.waiting import Queues, time_out
from govlang.runtime.control.writer import StoppedError, Writer

if TYPE_CHECKING:
    import httpx

    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.turn import Turn

T = TypeVar("T")
log: Final = logging.getLogger("govlang.control")

ROUND_S: Final = 0.25
"""How often the reconciler looks, in seconds."""
MEASURE_S: Final = 5
"""How often what waits is counted, in seconds."""
HOUR_S: Final = 3600
"""How often what is old is looked for, in seconds."""
PAUSE_S: Final = 0.05
"""Between two transactions that delete what is old, in seconds: others have their turn."""
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
        *,
        drops_state: bool = False,
    ) -> None:
        """Open the data directory; of a new one `bundle` becomes the first policy.

        `drops_state`: what the policy remembers is made again from the ledger alone, and saved.

        Raises:
            CodedError: the directory, the ledger or the bundle cannot be used (GOV400 to GOV411, GOV620 to GOV632), or
                POLICY_CHECK_URL is set for a policy that remembers (GOV615).
        """
        given = parts or Parts()
        loading = Loading(settings.key_capacity, given.context)
        if _is_new(folder):  # what cannot be begun leaves nothing behind
            _check_first(_given(bundle, folder, settings), params or {}, settings, loading)
        store = SqliteStore(folder)
        try:
            # The archive first: the office moves the head on.
            archive = Archive(folder, store, settings, given.meter)
            office = Office(
                store, settings, loading, given.clock, given.meter, drops_state=drops_state
            )
            if office.judge is None:
                office.begin(_given(bundle, folder, settings), params or {}, "the first start")
            self._furnish(store, office, archive, given)
        except BaseException:
            store.close()
            raise
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False
        self._retiring = Retiring(settings)
        self._queues = Queues(settings)
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="gov-aside")

    def _furnish(self, store: SqliteStore, office: Office, archive: Archive, given: Parts) -> None:
        """All that a desk has, about an office that has its policy.

        Raises:
            CodedError: as `__init__`, of what is in the directory and the settings together.
        """
        settings = office.settings
        _check_active(office, settings)
        self.breaker = given.breaker
        for dependency in forced(store.reader()):
            self.breaker.force_open(dependency)
        writer = Writer(office, settings.group_max, given.meter.committed)
        check = _check_of(settings, self.breaker, given)
        super().__init__(office, writer, LocalBus(), _book(store), check)
        self.archive = archive
        _check_memory(self.judge, settings)

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Record the start and begin to work."""
        self.office.start({**self.office.settings.shown(), "ledger_key": self.archive.key})
        for token in self.rows.tokens():  # which end sooner, where the clock was ahead
            self.book.put(token)
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

    def before_start(self, operation: Callable[[Turn], T]) -> T:
        """Carry out an operation before `start`, while nobody else writes."""
        turn = self.office.open()
        done = operation(turn)
        self.office.close(turn)
        return done

    async def let_go(self) -> None:
        """Let go of a directory in which nothing was started."""
        if self.check is not None:
            await self.check.close()
        self._aside.shutdown()
        self.office.let_go()
        self.office.store.close()

    def first_token(self) -> str | None:
        """The operator's token of a data directory of which none was shown yet; before `start`.

        It is replaced at the next start, unless it is said to have been `first_token_shown`.
        """
        text, *changed = self.before_start(first_token.first_token) or (None,)
        for token_id in changed:
            stored = self.rows.token(str(token_id))
            assert stored is not None
            self.book.put(stored)
        return text

    async def first_token_shown(self) -> None:
        """Whoever started the service has seen it; where that cannot be stored, it is replaced at the next start."""
        await self._quietly(first_token.shown)

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
            more = await self._quietly(forget_answers)
            more = await self._retire_some() or more
            await asyncio.sleep(PAUSE_S if more else HOUR_S)
            if not more:
                await self._quietly(self.office.save_private)

    async def _retire_some(self) -> bool:
        """Delete the next jobs that ended long ago, as far as the ledger is signed; whether to go on at once."""
        try:
            found = await self._beside(lambda: self._retiring.find(self.rows, self.office.clock()))
        except sqlite3.Error:
            log.exception("old jobs were not looked for")
            return False
        if found:
            covered = self.archive.size
            await self._quietly(lambda turn: self._retiring.delete(turn, found, covered))
        return bool(found)

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

    def _depths(self) -> tuple[tuple[int, int], dict[str, int]]:
        return self.rows.depths(), self.rows.oldest()  # by a reader of this thread

    async def measure(self) -> None:
        """Tell the metrics what stands waiting, and how the breakers are; end what has waited too long."""
        (outbox, letters), oldest = await self._beside(self._depths)
        metrics = self.office.metrics
        metrics.outbox(outbox)
        metrics.dead_letters(letters)
        for dependency in (DEPENDENCY, *forced(self.rows)):
            metrics.breaker(dependency, self.breaker.state(dependency))
        now_ms = self.office.clock()
        metrics.waiting(self._queues.look(oldest, now_ms))
        overdue = self._queues.overdue(oldest, now_ms)
        while overdue and await self._quietly(lambda turn: time_out(turn, overdue)):
            pass

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
        help_line = f"type `gov serve BUNDLE.govb --data {folder}`; `gov build` makes the bundle"
        raise CodedError("GOV627", f"`{folder}` holds no policy", help_line)
    key = settings.require_signature
    read_bundle(bundle, public_key=key.pem if key else None)
    return bundle


def _check_of(settings: Settings, breaker: Breaker, parts: Parts) -> RemoteCheck | None:
    """The policy check elsewhere, if there is one."""
    if settings.policy_check_url is None:
        return None
    return RemoteCheck(settings, breaker, parts.transport)


def _is_new(folder: Path) -> bool:
    """Whether nothing was ever begun in a directory."""
    return not any((folder / name).exists() for name in (DATABASE, HEAD))


def _check_first(
    bundle: bytes, params: Mapping[str, Any], settings: Settings, loading: Loading
) -> None:
    """Refuse what the first start could not serve, before it has made anything."""
    _check_memory(loading.judge(bundle, params), settings)


def _check_active(office: Office, settings: Settings) -> None:
    """Refuse an active policy that the demanded key did not sign: whoever demands it now did not when it came."""
    key, judge = settings.require_signature, office.judge
    if key is None or judge is None:
        return
    try:
        check_signer(judge.bundle.parts, key.pem)
    except BundleError as error:
        raise CodedError(
            "GOV631",
            f"the active policy is not signed by the key of GOV_REQUIRE_SIGNATURE: {error.message}",
            "start once without GOV_REQUIRE_SIGNATURE and with its bundle signed by that key, which is published, "
            "then with it again",
        ) from None


def _book(store: SqliteStore) -> TokenBook:
    book = TokenBook()
    for token in store.reader().tokens():
        book.put(token)
    return book


def _check_memory(judge: Judge, settings: Settings) -> None:
    """A policy that remembers is asked here, or nowhere: its windows are kept where its samples are."""
    if settings.policy_check_url is not None and judge.policy.memory is not None:
        raise CodedError(
            "GOV615",
            f"`{judge.policy.name}` has rules over time, and POLICY_CHECK_URL is set",
            "unset it: what such a policy remembers is kept with the jobs, in this service",
        )
