"""Which policy is active: the one that is published takes the place of the one before, in one turn.

In: a turn, a judge that was loaded and the bundle that it is of.  Out: the cells that start anew.  What always holds:
the store has every bundle that was ever active, the active one by name with its parameters, and the way back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from govlang.native.digest import digest
from govlang.runtime.control.hostvalues import warn_unset
from govlang.runtime.control.rebuild import hand_over
from govlang.runtime.control.revocation import watch_exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.store import Session
    from govlang.runtime.control.turn import Turn

HISTORY: Final = "history"
"""The name under which the store has the policies that were published before the active one, the newest last."""
HISTORY_MAX: Final = 1000


def publish(
    turn: Turn,
    judge: Judge,
    bundle: bytes,
    params: Mapping[str, Any],
    by: str,
    reason: str,
    *,
    is_back: bool = False,
) -> tuple[str, ...]:
    """Put a policy in place of the one before; the cells that start anew.

    `is_back`: it is the one before, and the one that is left is not gone back to.
    """
    if turn.judge is not judge:
        warn_unset(judge.policy, judge.context)
    snapshot = judge.policy.snapshot
    before = turn.session.get("active")
    turn.has_written = True
    _keep_bundle(turn, snapshot, bundle)
    with watch_exchange(turn):
        anew = () if turn.judge is judge else hand_over(turn.judge, judge, turn.now_ms)
        turn.judge = judge
        turn.session.set("active", snapshot)
        turn.session.set("published_ms", str(turn.now_ms))
        set_params(turn, params)
        if before not in (None, snapshot):
            _remember_before(turn, None if is_back else before)
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


def history_of(session: Session) -> list[str]:
    """The snapshots that a roll-back goes along, the newest last."""
    kept = session.get(HISTORY)
    if kept is not None:
        return [str(one) for one in json.loads(kept)]
    previous = session.get("previous")  # of an earlier version, which knew of one only
    return [] if previous is None else [previous]


def _remember_before(turn: Turn, left: str | None) -> None:
    """Add the policy that is left to those that can be gone back to; None: it went back to the newest of them."""
    history = history_of(turn.session)
    history = history[:-1] if left is None else [*history, left][-HISTORY_MAX:]
    turn.session.set(HISTORY, json.dumps(history))
    turn.session.set("previous", history[-1] if history else None)


def _keep_bundle(turn: Turn, snapshot: str, bundle: bytes) -> None:
    """Keep a bundle by its snapshot; another of the same meaning stays, as records name it by its hash."""
    before = turn.session.bundle(snapshot)
    if before is not None and before != bundle:
        turn.session.put_bundle(digest(before), before, turn.now_ms)
    turn.session.put_bundle(snapshot, bundle, turn.now_ms)


def written_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as texts, exactly as they were given."""
    return {name: str(value) for name, value in sorted(params.items())}


def set_params(turn: Turn, params: Mapping[str, Any]) -> None:
    """Keep the parameters of the active policy."""
    turn.session.set("params", json.dumps(written_params(params)))


def params_of(session: Session) -> dict[str, str]:
    """The parameters of the active policy, as texts."""
    found: dict[str, str] = json.loads(session.get("params") or "{}")
    return found
