"""The office: what the service holds in memory, and how it is made from the store and kept in step with it.

What always holds: policy, job machine and the ledger's head are those of the last commit; a ledger that does not
reach its head, a
state that cannot be made again and a damaged store stop the start with what is wrong.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.digest import digest
from govlang.native.errors import CodedError
from govlang.runtime.control.chronicle import Chronicle, head_of
from govlang.runtime.control.headfile import HeadFile
from govlang.runtime.control.job_machine import CAPACITY, JobMachine, JobState
from govlang.runtime.control.rebuild import SAVED, STARTED, Loading, hand_over, rebuild
from govlang.runtime.control.revocation import tick
from govlang.runtime.control.store import SavedState
from govlang.runtime.control.turn import Turn
from govlang.runtime.control.values import compact
from govlang.runtime.control.writer import Workshop
from govlang.runtime.evidence.ledger import read_head

if TYPE_CHECKING:
    from govlang.runtime.control.hostclock import NowMs
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.meter import Meter
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.store.sqlite import SqliteStore

log: Final = logging.getLogger("govlang.control")

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
    ) -> None:
        self.store: Final = store
        self.settings: Final = settings
        self.loading: Final = loading
        self.clock: Final = clock
        self.metrics: Final = metrics
        self.woken: Callable[[frozenset[str]], None] = _hear_nothing
        self.grown: Callable[[int], None] = _hear_nothing
        self._head = HeadFile(Path(store.folder))
        self.judge: Judge | None = None
        self.machine = self._machine()
        self.chronicle = Chronicle()
        self.head_error: str | None = None
        self._head_count = -1
        self._is_torn = False
        self._saved_seq = 0
        self._suspended: dict[str, str] = {}
        self._live: Counter[str] = Counter()
        self._remember()
        self._check_head()

    # --- from the store --------------------------------------------------------------------------

    def _remember(self) -> None:
        """Make everything in memory from what was committed last."""
        session = self.store.reader()
        self.chronicle = Chronicle(head_of(session.tail()))
        self.judge = rebuild(session, self.loading)
        self._suspended = session.suspended()
        saved = session.state()
        self._saved_seq = saved.seq if saved else 0
        machine = self._machine()
        self._live = Counter()
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

    def open(self) -> Turn:
        if self._is_torn:
            self.abandon()
        if self.judge is None:
            raise CodedError("GOV627", "no policy is published", "give `gov serve` a bundle")
        turn = self._turn(self.judge)
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
        deadlines = compact(judge.deadlines())
        details = {
            "state": digest(blob),
            "bundle": judge.bundle_hash,
            "params": params_of(turn),
            "deadlines": digest(deadlines.encode()),
        }
        seq = turn.chronicle.tell(turn, SAVED, details=details)
        turn.session.put_state(SavedState(seq, judge.policy.snapshot, blob, deadlines))
        self._saved_seq = seq

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
        turn.chronicle.tell(turn, STARTED, details={**details, "downtime_known": is_known})
        if not is_known:
            state = policy.save(now_ms=turn.now_ms)
            policy.restore(state, downtime_ms=None, now_ms=turn.now_ms)
        self.close(turn)

    def stop(self) -> None:
        """Record the end, with the state, so that the next start is quick."""
        turn = self.open()
        self.save_state(turn)
        turn.chronicle.tell(turn, "stopped")
        self.close(turn)
        self._head.close()


def publish(
    turn: Turn, judge: Judge, bundle: bytes, params: Mapping[str, Any], by: str, reason: str
) -> tuple[str, ...]:
    """Put a policy in place of the one before; the cells that start anew."""
    snapshot = judge.policy.snapshot
    before = turn.session.get("active")
    turn.has_written = True
    turn.session.put_bundle(snapshot, bundle, turn.now_ms)
    anew = () if turn.judge is judge else hand_over(turn.judge, judge, turn.now_ms)
    turn.judge = judge
    turn.session.set("active", snapshot)
    turn.session.set("published_ms", str(turn.now_ms))
    set_params(turn, params)
    if before not in (None, snapshot):
        turn.session.set("previous", before)
    details = {
        "snapshot": snapshot,
        "bundle": judge.bundle_hash,
        "version": judge.policy.version,
        "params": written_params(params),
        "previous": before,
        "anew": list(anew),
        "reason": reason,
    }
    turn.chronicle.tell(turn, "policy_published", approver=by, details=details)
    return anew


def written_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as texts, exactly as they were given."""
    return {name: str(value) for name, value in sorted(params.items())}


def set_params(turn: Turn, params: Mapping[str, Any]) -> None:
    """Keep the parameters of the active policy."""
    turn.session.set("params", json.dumps(written_params(params)))


def params_of(turn: Turn) -> dict[str, str]:
    """The parameters of the active policy, as texts."""
    found: dict[str, str] = json.loads(turn.session.get("params") or "{}")
    return found


def _cut(why: str) -> CodedError:
    return CodedError(
        "GOV628",
        f"the ledger {why}",
        "restore the data directory from a copy, `gov evidence verify` shows which; it is never begun anew by itself",
    )
