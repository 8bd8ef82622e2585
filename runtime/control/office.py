"""The office: what the service holds in memory, and how it is made from the store and kept in step with it.

What always holds: policy, job machine and the ledger's head are those of the last commit; a ledger that does not reach
its head, a state that cannot be made again and a damaged store stop the start with what is wrong.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.digest import digest
from govlang.native.errors import CodedError
from govlang.runtime.control.active import params_of, publish
from govlang.runtime.control.chronicle import Chronicle, head_of
from govlang.runtime.control.flights import Flights, lost_name, read_lost, unasked_name
from govlang.runtime.control.headfile import HeadFile
from govlang.runtime.control.hostvalues import warn_unset
from govlang.runtime.control.job_machine import CAPACITY, JobMachine, JobState
from govlang.runtime.control.rebuild import SAVED, STARTED, Loading, rebuild
from govlang.runtime.control.revocation import tick
from govlang.runtime.control.store import SavedState
from govlang.runtime.control.submit import Submission
from govlang.runtime.control.turn import Turn
from govlang.runtime.control.values import compact
from govlang.runtime.control.writer import Operation, Workshop
from govlang.runtime.evidence.ledger import read_head

if TYPE_CHECKING:
    from govlang.runtime.control.hostclock import NowMs
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.meter import Meter
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.store.sqlite import SqliteStore

log: Final = logging.getLogger("govlang.control")

STATE_SEQ: Final = "state_seq"
"""The name under which the store has the number of the last `state_saved`: that there should be a state."""
LOST: Final = "lost"
DROPPED: Final = "dropped"

LIVE: Final = tuple(s.value for s in JobState if s is not JobState.PENDING and not s.is_over)


def _hear_nothing(what: object) -> None:
    del what


class Office(Workshop):
    """Opens and closes the writer's turns over a store."""

    def __init__(
        self,
        store: SqliteStore,
        settings: Settings,
        loading: Loading,
        clock: NowMs,
        metrics: Meter,
        *,
        drops_state: bool = False,
    ) -> None:
        """`drops_state`: what the policy remembers is made from the ledger alone, whatever state is saved.

        Raises:
            CodedError: GOV625, GOV626, GOV628, GOV632: what is stored does not add up.
        """
        self.store: Final = store
        self.settings: Final = settings
        self.loading: Final = loading
        self.clock: Final = clock
        self.metrics: Final = metrics
        self.woken: Callable[[frozenset[str]], None] = _hear_nothing
        self.grown: Callable[[int], None] = _hear_nothing
        self._head = HeadFile(Path(store.folder))
        self.judge: Judge | None = None
        self.machine: JobMachine
        self.chronicle: Chronicle
        self.head_error: str | None = None
        self._head_count = -1
        self._is_torn = False
        self._saved_seq = 0
        self._anew = DROPPED if drops_state else ""
        self._suspended: dict[str, str] = {}
        self._live: Counter[str] = Counter()
        self._flights = Flights()
        self._remember()
        self._check_head()

    # --- from the store --------------------------------------------------------------------------

    def _remember(self) -> None:
        """Make everything in memory from what was committed last."""
        session = self.store.reader()
        self.chronicle = Chronicle(head_of(session.tail()))
        saved = session.state()
        if saved is None and session.get(STATE_SEQ) is not None:
            self._anew = LOST
        self.judge = rebuild(session, self.loading, from_saved=not self._anew)
        self._suspended = session.suspended()
        self._saved_seq = saved.seq if saved else 0
        machine = self._machine()
        self._live = Counter()
        self._flights = Flights()
        for job in session.live():
            self._live[job.agent] += 1
            state = machine.follow(job.job_id, session.moves(job.job_id))
            if state is not job.state:
                raise CodedError(
                    "GOV626",
                    f"job `{job.job_id}` is kept as {job.state.value}, its moves lead to {state.value}",
                    "restore the data directory from a copy; docs/operations.md says how",
                )
        self.machine = machine
        for flight in session.in_flight_of(None):
            self._flights.start(flight)
        for one in self._flights.all():
            since_ms = session.get(unasked_name(one.job_id))
            if since_ms is not None:
                self._flights.owe(one, int(since_ms), 0)
            lost = session.get(lost_name(one.job_id))
            if lost is not None:
                self._flights.lose(one, read_lost(lost))
        self.metrics.restored(dict.fromkeys(LIVE, 0) | session.live_counts())

    def _machine(self) -> JobMachine:
        """A job machine with room for undo and retries beside the jobs that are let in."""
        return JobMachine(max(CAPACITY, 2 * self.settings.live_jobs_max))

    def _check_head(self) -> None:
        """Refuse a ledger that was cut or exchanged: its head lies beside it."""
        kept, found = read_head(self._head.path), self.chronicle.head
        if kept is None and found.count:
            raise _cut("has records, but its head is missing")
        if kept is None:
            return
        if kept.count > found.count:
            raise _cut(f"has {found.count} records, its head counts {kept.count}")
        line = next(iter(self.store.reader().lines(kept.count, kept.count)), None)
        if kept.count and (line is None or digest(bytes(line)) != kept.hash):
            raise _cut("is not the one that its head names")
        if kept != found:
            self._head.write(found)

    # --- turns -----------------------------------------------------------------------------------

    def open(self, operations: Sequence[Operation[Any]] = ()) -> Turn:
        if self._is_torn:
            self.abandon()
        if self.judge is None:
            raise CodedError("GOV627", "no policy is published", "give `gov serve` a bundle")
        turn = self._turn(self.judge)
        turn.session.look_up_answers(
            one.kept_as for one in operations if isinstance(one, Submission)
        )
        tick(turn)
        return turn

    def _turn(self, judge: Judge) -> Turn:
        return Turn(
            now_ms=self.clock(),
            session=self.store.begin(),
            judge=judge,
            machine=self.machine,
            chronicle=self.chronicle,
            settings=self.settings,
            metrics=self.metrics,
            suspended=self._suspended,
            live=self._live,
            flights=self._flights,
        )

    def close(self, turn: Turn) -> None:
        if self.chronicle.head.count - self._saved_seq >= self.settings.state_records:
            self.save_state(turn)
        self.store.commit()
        self.judge = turn.judge
        # INVARIANT: what was committed is never carried out again, so nothing that follows may fail the turn.
        try:
            self._follow_up(turn)
        except Exception as error:
            self.head_error = str(error)
            log.exception("the head of the ledger lags behind")

    def _follow_up(self, turn: Turn) -> None:
        """Write the head, and tell who waits; a head that lags is written with the next turn."""
        if turn.woken:
            self.woken(frozenset(turn.woken))
        count = self.chronicle.head.count
        if count != self._head_count:
            self.grown(count)
            self.metrics.ledger(count)
            self._head.write(self.chronicle.head)
        self._head_count, self.head_error = count, None

    def abandon(self) -> None:
        self._is_torn = True  # until all of it is made: what is half of before is not worked with
        self.store.rollback()
        self._remember()
        self._is_torn = False

    def save_state(self, turn: Turn) -> None:
        """Keep what the policy remembers, so that the next start need not feed the whole ledger."""
        judge = turn.judge
        blob = judge.policy.save(now_ms=turn.now_ms)
        deadlines = compact(judge.deadlines.kept())
        details = {
            "state": digest(blob),
            "bundle": judge.bundle_hash,
            "params": params_of(turn.session),
            "deadlines": digest(deadlines.encode()),
        }
        seq = turn.chronicle.tell(turn, SAVED, details=details)
        turn.session.put_state(SavedState(seq, judge.policy.snapshot, blob, deadlines))
        turn.session.set(STATE_SEQ, str(seq))
        self._saved_seq = seq

    def save_private(self, turn: Turn) -> None:
        """Save what a policy remembers that was told private values, so that these can be forgotten."""
        policy = turn.judge.policy
        is_private = any(field.private for field in policy.fields)
        if policy.memory is not None and is_private and self.chronicle.head.count > self._saved_seq:
            self.save_state(turn)

    # --- the start -------------------------------------------------------------------------------

    def begin(self, bundle: bytes, params: Mapping[str, Any], by: str) -> None:
        """Publish the first policy of a new store."""
        judge = self.loading.judge(bundle, params)
        self._head.write(
            self.chronicle.head
        )  # of no record, so that a kill before the next one is no cut
        turn = self._turn(judge)
        try:
            publish(turn, judge, bundle, params, by, "the first policy")
            self.close(turn)
        except BaseException:
            self.abandon()
            raise

    def start(self, details: Mapping[str, Any]) -> None:
        """Record the start: with what settings, and whether it is known for how long nobody decided."""
        turn = self.open()
        tail = turn.session.tail()
        is_known = tail is None or json.loads(tail[1])["at_ms"] <= turn.now_ms
        policy = turn.judge.policy
        warn_unset(policy, turn.judge.context)
        if self._anew:
            self._tell_anew(turn)
        turn.chronicle.tell(turn, STARTED, details={**details, "downtime_known": is_known})
        if not is_known:
            turn.session.step_back(turn.now_ms, int(self.settings.lease_s * 1000))
            state = policy.save(now_ms=turn.now_ms)
            policy.restore(state, downtime_ms=None, now_ms=turn.now_ms)
        self.close(turn)

    def _tell_anew(self, turn: Turn) -> None:
        """Record that what the policy remembers was made from the ledger alone, and save it again."""
        log.warning(
            "the saved state was %s: what the policy remembers was made from the ledger", self._anew
        )
        turn.chronicle.tell(turn, "state_rebuilt", details={"saved_state": self._anew})
        self.save_state(turn)
        self._anew = ""

    def stop(self) -> None:
        """Record the end, with the state, so that the next start is quick."""
        turn = self.open()
        self.save_state(turn)
        turn.chronicle.tell(turn, "stopped")
        self.close(turn)
        self.let_go()

    def let_go(self) -> None:
        """Close the files."""
        self._head.close()


def _cut(why: str) -> CodedError:
    return CodedError(
        "GOV628",
        f"the ledger {why}",
        "restore the data directory from a copy, `gov evidence verify` shows which; it is never begun anew by itself",
    )
