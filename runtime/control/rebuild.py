"""The policy's memory from the ledger: records in, the judge as it was after the last of them out.

It begins at the state that was saved last, and where there is none at the first record.  What always holds: both roads
end at the same bytes (`Policy.save`); a record that cannot be fed stops the start and says which; so does a saved state
that the ledger does not name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from govlang.native.digest import digest
from govlang.native.errors import CodedError
from govlang.runtime.bundle import read_bundle
from govlang.runtime.control.hostvalues import Context, no_context
from govlang.runtime.control.judge import RUNTIME_EVENTS, Judge
from govlang.runtime.control.values import number_of
from govlang.runtime.policy import Policy

if TYPE_CHECKING:
    from govlang.runtime.control.store import SavedState, Session

PUBLISHED: Final = frozenset({"policy_published", "policy_rolled_back"})
STARTED: Final = "started"
SAVED: Final = "state_saved"


@dataclass(frozen=True, slots=True)
class Loading:
    """How a bundle becomes a policy: room for keys, and what else the host knows of requests."""

    capacity: int
    context: Context = no_context

    def judge(self, bundle: bytes, params: Mapping[str, Any]) -> Judge:
        """The judge of a bundle with its parameters.

        Raises:
            CodedError: the bundle or a parameter does not add up.
        """
        opened = read_bundle(bundle)
        given = {n: number_of(v) if isinstance(v, str) else v for n, v in params.items()}
        policy = Policy.load(opened, params=given, capacity=self.capacity)
        _check_private(policy)
        return Judge(opened, policy, self.context, digest(bundle))


def _check_private(policy: Policy) -> None:
    """Refuse a policy whose private fields the service would have to tell in events: the ledger shows those whole.

    Raises:
        CodedError: GOV630 there is such a field.
    """
    private = {one.name for one in policy.fields if one.private}
    samples = policy.memory.samples if policy.memory is not None else ()
    for sample in samples:
        shown = {one.name for one in sample.fields} & private
        if sample.name in RUNTIME_EVENTS and shown:
            raise CodedError(
                "GOV630",
                f"`{min(shown)}` is private, and the event `{sample.name}` carries it into the ledger",
                "take `private` from the field, or the field from the event and out of `reserved(…)`",
            )


def rebuild(session: Session, loading: Loading, *, from_saved: bool = True) -> Judge | None:
    """The judge after the last record; None where no policy was ever published.

    Raises:
        CodedError: GOV625 a record cannot be fed, or its private values are gone · GOV632 the saved state is not the
            one that the ledger names.
    """
    saved = session.state() if from_saved else None
    judge, first = None, 1
    if saved is not None:
        judge, first = _from_saved(session, loading, saved), saved.seq + 1
    return feed_all(session, loading, judge, session.lines(first))


def _from_saved(session: Session, loading: Loading, saved: SavedState) -> Judge:
    """The judge with the saved state.

    Raises:
        CodedError: GOV632 the ledger does not vouch for it.
    """
    line = next(iter(session.lines(saved.seq, saved.seq)), None)
    record = {} if line is None else json.loads(line)
    details = record.get("details", {})
    kept = (digest(saved.blob), digest(saved.deadlines.encode()), saved.snapshot)
    named = (details.get("state"), details.get("deadlines"), record.get("policy_snapshot"))
    if record.get("run_timeline_event") != SAVED or named != kept:
        raise CodedError(
            "GOV632",
            f"the saved state of the policy is corrupt: it is not the one that record {saved.seq} of the ledger names",
            "`gov serve --rebuild-state` drops it and makes it again from the ledger, which is recorded",
        )
    judge = _published(session, loading, saved.snapshot, details)
    judge.policy.restore(saved.blob, downtime_ms=0, now_ms=record["at_ms"])
    judge.deadlines.go_on(json.loads(saved.deadlines))
    return judge


def _published(
    session: Session, loading: Loading, snapshot: str, details: Mapping[str, Any]
) -> Judge:
    """The policy that a record names, from the very bundle that it names, with the parameters that it holds."""
    bundle, named = session.bundle(snapshot), details.get("bundle")
    if bundle is not None and named is not None and digest(bundle) != named:
        bundle = session.bundle(named)  # it was published again in other bytes
    if bundle is None:
        raise _lost(f"the bundle of {snapshot} is not in the store")
    judge = loading.judge(bundle, details.get("params", {}))
    if judge.policy.snapshot != snapshot or named not in (None, judge.bundle_hash):
        raise _lost(f"the bundle of {snapshot} in the store is not the one that was published")
    return judge


def feed_all(
    session: Session, loading: Loading, judge: Judge | None, lines: Iterable[bytes]
) -> Judge | None:
    """Feed records to a judge, one after another."""
    for line in lines:
        record = json.loads(line)
        event = record["run_timeline_event"]
        if event in PUBLISHED:
            judge = _exchanged(session, loading, judge, record)
        elif judge is not None:
            _feed(session, judge, record)
    return judge


def _exchanged(
    session: Session, loading: Loading, judge: Judge | None, record: Mapping[str, Any]
) -> Judge:
    details = record["details"]
    anew = _published(session, loading, details["snapshot"], details)
    if judge is not None:
        hand_over(judge, anew, record["at_ms"])
    return anew


def hand_over(before: Judge, after: Judge, now_ms: int) -> tuple[str, ...]:
    """Let a policy go on with what another remembers; the cells that start anew."""
    state = before.policy.save(now_ms=now_ms)
    anew = after.policy.restore(state, downtime_ms=0, now_ms=now_ms)
    after.deadlines.go_on(before.deadlines.kept())
    return anew


def _feed(session: Session, judge: Judge, record: Mapping[str, Any]) -> None:
    """Feed what one record holds: a request that was committed, then steps; and a restart after an unknown time."""
    if judge.policy.memory is None:  # it remembers nothing, so that private values may be gone
        return
    at_ms = record["at_ms"]
    judge.deadlines.due(
        at_ms
    )  # their ticks stand in the ledger: each turn begins with those that are due
    try:
        if record["run_timeline_event"] == STARTED and not record["details"]["downtime_known"]:
            judge.policy.restore(judge.policy.save(now_ms=at_ms), downtime_ms=None, now_ms=at_ms)
        if not record.get("committed") and not record.get("steps"):
            return
        private = json.loads(session.secret(record["seq"]) or "{}")
        if record.get("committed"):
            hidden = {field.name for field in judge.policy.fields if field.private}
            judge.recommit(
                _whole(record["input"], private.get("input", {}), hidden),
                _whole(record["runtime"], private.get("runtime", {}), hidden),
                record["agent"],
                at_ms,
            )
        for step in record.get("steps", ()):
            judge.observe(step)
    except (CodedError, KeyError, TypeError, ValueError) as error:
        raise _lost(f"record {record.get('seq')} cannot be fed again: {error}") from None


def _whole(
    shown: Mapping[str, Any], private: Mapping[str, Any], hidden: set[str]
) -> dict[str, Any]:
    """Values with the private ones in place of their hashes.

    Raises:
        ValueError: a private value was forgotten.
    """
    lost = sorted((hidden & shown.keys()) - private.keys())
    if lost:
        raise ValueError(f"the value of the private field `{lost[0]}` was forgotten")
    return {**shown, **private}


def _lost(why: str) -> CodedError:
    return CodedError(
        "GOV625",
        f"what the policy remembered cannot be made again: {why}",
        "restore the data directory from a copy; docs/operations.md says how",
    )
