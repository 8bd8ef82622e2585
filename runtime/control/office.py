"""The office: what the service holds in memory, and how it is made from the store and kept in step with it.

What always holds: policy, job machine and the ledger's head are those of the last commit; a ledger that does not
reach its head, a
state that cannot be made again and a damaged store stop the start with what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.digest import digest
from govlang.native.errors import CodedError
from govlang.runtime.control.chronicle import Chronicle, head_of
from govlang.runtime.control.headfile import HeadFile
from govlang.runtime.control.job_machine import JobMachine
from govlang.runtime.control.rebuild import SAVED, STARTED, Loading, hand_over, rebuild
from govlang.runtime.control.store import SavedState
from govlang.runtime.control.turn import Turn
from govlang.runtime.control.writer import Workshop
from govlang.runtime.evidence.ledger import read_head

if TYPE_CHECKING:
    from govlang.runtime.control.hostclock import NowMs
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.meter import Meter
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.store.sqlite import SqliteStore


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
        self.machine = JobMachine()
        self.chronicle = Chronicle()
        self._saved_seq = 0
        self._suspended: dict[str, str] = {}
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
        machine = JobMachine()
        for job in session.live():
            state = machine.follow(job.job_id, session.moves(job.job_id))
            if state is not job.state:
                raise CodedError(
                    "GOV626",
                    f"job `{job.job_id}` is kept as {job.state.value}, its moves lead to {state.value}",
                    "restore the data directory from a copy; docs/operations.md says how",
                )
        self.machine = machine
        self.metrics.restored(session.live_counts())

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
            self._head.sync()

    # --- turns -----------------------------------------------------------------------------------

    def open(self) -> Turn:
        if self.judge is None:
            raise CodedError("GOV627", "no policy is published", "give `gov serve` a bundle")
        return self._turn(self.judge)

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
        )

    def close(self, turn: Turn) -> None:
        before = self._committed_count
        if self.chronicle.head.count - self._saved_seq >= self.settings.state_records:
            self.save_state(turn)
        self.store.commit()
        self.judge = turn.judge
        if self.chronicle.head.count != before:
            self._head.write(self.chronicle.head)
            self._committed_count = self.chronicle.head.count
            self.grown(self._committed_count)
            self.metrics.ledger(self._committed_count)
        if turn.woken:
            self.woken(frozenset(turn.woken))

    _committed_count = -1

    def abandon(self) -> None:
        self.store.rollback()
        self._remember()

    def save_state(self, turn: Turn) -> None:
        """Keep what the policy remembers, so that the next start need not feed the whole ledger."""
        judge = turn.judge
        blob = judge.policy.save(now_ms=turn.now_ms)
        details = {
            "state": digest(blob),
            "bundle": judge.bundle_hash,
            "params": params_of(turn),
            "deadlines": judge.deadlines(),
        }
        seq = turn.chronicle.tell(turn, SAVED, details=details)
        turn.session.put_state(SavedState(seq, judge.policy.snapshot, blob))
        self._saved_seq = seq

    # --- the start -------------------------------------------------------------------------------

    def begin(self, bundle: bytes, params: Mapping[str, Any], by: str) -> None:
        """Publish the first policy of a new store."""
        judge = self.loading.judge(bundle, params)
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
    if before is not None:
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
