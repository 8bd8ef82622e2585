"""Which policy runs: publishing another, going back to the one before.

What always holds: the active policy is whole at every moment; a bundle that does not add up, is not signed where that
is demanded, or is
looser than the active one without an operator's written word changes nothing.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import BundleError, CodedError
from govlang.runtime.bundle import Bundle, read_bundle
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.office import params_of, publish
from govlang.runtime.control.rebuild import Loading

if TYPE_CHECKING:
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.turn import Turn

SHOWN: Final = 5
"""So many findings are told."""

COMPARE_S: Final = 300
"""For how long a comparison with the active policy may take, in seconds."""


def opened(bundle: bytes, settings: Settings) -> Bundle | Answer:
    """The bundle, signed as the settings demand."""
    try:
        key = settings.require_signature
        return read_bundle(bundle, public_key=key.read_bytes() if key else None)
    except BundleError as error:
        code = "unsigned_policy" if error.code == "GOV405" else "bad_bundle"
        return problem(code, error.message, field="body", expected=error.help)
    except (CodedError, OSError) as error:
        return problem("bad_bundle", str(error), field="body")


async def why_looser(active: Judge, bundle: Bundle, raw: bytes, *, is_signed: bool) -> str | None:
    """Why a bundle counts as looser than the active policy; None: it was proved not to be.

    The proof is the manifest's, against the very snapshot that is active, if a signature was demanded and so stands
    behind it (`is_signed`): anybody can write a manifest.  Else it is made now, in a process of its own, where the
    extra `govlang[verify]` is installed.
    """
    if bundle.snapshot == active.policy.snapshot and bundle.table == active.bundle.table:
        return None
    proved = bundle.manifest.no_looser
    if is_signed and proved is not None and proved.against == active.policy.snapshot:
        return None
    if importlib.util.find_spec("z3") is None:
        return (
            "nothing proves it: a manifest's proof (`gov build --against`) counts where signatures are demanded, "
            "and `govlang[verify]`, which would prove it here, is not installed"
        )
    return await _compared(active, raw)


async def _compared(active: Judge, raw: bytes) -> str | None:
    """Ask `gov verify --against --no-looser` of both bundles."""
    from govlang.native.container import pack

    with tempfile.TemporaryDirectory(prefix="gov-publish-") as folder:
        old, new = Path(folder) / "active.govb", Path(folder) / "new.govb"
        old.write_bytes(pack(dict(active.bundle.parts)))
        new.write_bytes(raw)
        options = ("--against", str(old), "--no-looser", "--format", "json")
        command = ("-m", "govlang.cli", "verify", str(new), *options)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            told, _ = await asyncio.wait_for(child.communicate(), COMPARE_S)
        except TimeoutError:
            child.kill()
            await child.wait()
            return f"the comparison with the active policy took more than {COMPARE_S} s"
    return None if child.returncode == 0 else _why(told)


def _why(told: bytes) -> str:
    """What `gov verify --format json` found against a bundle, with the request or the history that shows it."""
    try:
        report = json.loads(told)
        found = [one for one in report["findings"] if one["severity"] == "error"]
        shown = [f"{one['message']}: {json.dumps(_last(one))}" for one in found[:SHOWN]]
    except (ValueError, KeyError, TypeError):
        return "the comparison with the active policy failed"
    return "; ".join(shown) or "whether it is nowhere looser could not be decided"


def _last(finding: dict[str, Any]) -> Any:
    """The step on which the two policies differ."""
    trace = (finding.get("witness") or {}).get("trace") or [None]
    return trace[-1]


def put_in_place(
    turn: Turn, loading: Loading, raw: bytes, against: str, by: str, reason: str
) -> Answer:
    """Publish a bundle that was found fit to follow the policy of snapshot `against`."""
    if turn.judge.policy.snapshot != against:
        return problem("conflict", "another policy was published meanwhile, compare again")
    try:
        params = params_of(turn)
        known = {p["name"] for p in _parameters(read_bundle(raw))}
        kept = {name: value for name, value in params.items() if name in known}
        judge = loading.judge(raw, kept)
    except CodedError as error:
        return problem("bad_bundle", error.message, field="body", expected=error.help)
    why = _unfit(turn, judge)
    if why is not None:
        return problem("bad_bundle", why, field="body")
    anew = publish(turn, judge, raw, kept, by, reason)
    return Answer(200, {**shown(turn), "anew": list(anew)})


def _unfit(turn: Turn, judge: Judge) -> str | None:
    """Why a policy cannot follow the active one, None if it can."""
    active = turn.judge.policy
    if judge.policy.name != active.name:
        return f"it is the policy `{judge.policy.name}`, not `{active.name}`, whose memory it would take over"
    if turn.settings.policy_check_url is not None and judge.policy.memory is not None:
        return "it has rules over time, and POLICY_CHECK_URL is set: what it remembers is kept here"
    return None


def _parameters(bundle: Bundle) -> list[dict[str, Any]]:
    return [{"name": one.field.name} for one in bundle.manifest.schema_.params]


def refused(turn: Turn, bundle: Bundle, by: str, why: str) -> Answer:
    """Record that a looser policy was offered."""
    details = {"snapshot": bundle.snapshot, "reason": why[:2000]}
    turn.chronicle.tell(turn, "policy_refused", approver=by, details=details)
    return problem(
        "looser_policy",
        why,
        field="body",
        expected="a policy that is nowhere looser, or `allow_looser=true` with a `reason`",
    )


def roll_back(turn: Turn, loading: Loading, by: str, reason: str) -> Answer:
    """Go back to the policy before the active one."""
    previous = turn.session.get("previous")
    raw = turn.session.bundle(previous) if previous else None
    if raw is None:
        return problem("conflict", "there is no policy before the active one")
    found = opened(raw, turn.settings)
    if isinstance(found, Answer):
        return found
    return put_in_place(
        turn, loading, raw, turn.judge.policy.snapshot, by, f"rolled back: {reason}"
    )


def shown(turn: Turn) -> dict[str, Any]:
    """The active policy, as `GET /v1/policy` tells."""
    return described(turn.judge, turn.session.get("published_ms"), turn.session.get("previous"))


def described(judge: Judge, published_ms: str | None, previous: str | None) -> dict[str, Any]:
    """A policy in a few words."""
    policy = judge.policy
    fields = judge.bundle.manifest.schema_.fields
    return {
        "policy": policy.name,
        "version": policy.version,
        "snapshot": policy.snapshot,
        "params_hash": policy.params_hash,
        "proof_hash": judge.proof_hash,
        "published_ms": int(published_ms or 0),
        "previous": previous,
        "fields": [
            {"name": f.name, "kind": f.kind, "origin": f.origin, "optional": f.optional}
            for f in fields
        ],
    }
