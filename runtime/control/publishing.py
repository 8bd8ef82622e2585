"""Which policy runs: publishing another, going back to the one before.

What always holds: the active policy is whole at every moment; a bundle that does not add up, is not signed where that
is demanded, or is looser than the active one without an operator's written word changes nothing.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import BundleError, CodedError
from govlang.runtime.bundle import Bundle, read_bundle
from govlang.runtime.control import fields
from govlang.runtime.control.active import history_of, params_of, publish
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.children import Children, gov
from govlang.runtime.control.rebuild import Loading

if TYPE_CHECKING:
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.store import Session
    from govlang.runtime.control.turn import Turn

SHOWN: Final = 5
"""So many findings are told."""

COMPARE_S: Final = 300
"""For how long a comparison with the active policy may take, in seconds."""


@dataclass(frozen=True, slots=True)
class Looser:
    """Why a bundle counts as looser: in a sentence, and the findings that show it."""

    why: str
    examples: tuple[dict[str, Any], ...] = ()
    """Of each what changed (`message`), and the last `step` on which the two differ, None where nobody knows one."""


def opened(bundle: bytes, settings: Settings) -> Bundle | Answer:
    """The bundle, signed as the settings demand."""
    try:
        key = settings.require_signature
        return read_bundle(bundle, public_key=key.pem if key else None)
    except BundleError as error:
        code = "unsigned_policy" if error.code == "GOV405" else "bad_bundle"
        return problem(code, error.message, field="body", expected=error.help)


async def why_looser(
    active: Judge, bundle: Bundle, raw: bytes, children: Children, *, is_signed: bool
) -> Looser | None:
    """Why a bundle counts as looser than the active policy; None: it was proved not to be.

    The proof is the manifest's, against the very snapshot that is active, if a signature was demanded and so stands
    behind it (`is_signed`): anybody can write a manifest.  Else it is made now, in a process of its own, where the
    extra `govlang[verify]` is installed.

    Raises:
        BusyError: no process can be begun now.
    """
    if bundle.snapshot == active.policy.snapshot and bundle.table == active.bundle.table:
        return None
    proved = bundle.manifest.no_looser
    if is_signed and proved is not None and proved.against == active.policy.snapshot:
        return None
    if importlib.util.find_spec("z3") is None:
        return Looser(
            "nothing proves it: a manifest's proof (`gov build --against`) counts where signatures are demanded, "
            "and `govlang[verify]`, which would prove it here, is not installed"
        )
    with children.place():
        return await _compared(active, raw)


async def _compared(active: Judge, raw: bytes) -> Looser | None:
    """Ask `gov verify --against --no-looser` of both bundles."""
    from govlang.native.container import pack

    with tempfile.TemporaryDirectory(prefix="gov-publish-") as folder:
        old, new = Path(folder) / "active.govb", Path(folder) / "new.govb"
        old.write_bytes(pack(dict(active.bundle.parts)))
        new.write_bytes(raw)
        options = ("--against", str(old), "--no-looser", "--format", "json")
        ended = await gov(("verify", str(new), *options), COMPARE_S)
    if ended is None:
        return Looser(f"the comparison with the active policy took more than {COMPARE_S} s")
    return None if ended.code == 0 else _why(ended.printed)


def _why(told: bytes) -> Looser:
    """What `gov verify --format json` found against a bundle, with the request or the history that shows it."""
    try:
        report = json.loads(told)
        errors = [one for one in report["findings"] if one["severity"] == "error"]
        found = tuple({"message": one["message"], "step": _last(one)} for one in errors[:SHOWN])
    except (ValueError, KeyError, TypeError):
        return Looser("the comparison with the active policy failed")
    if not found:
        return Looser("whether it is nowhere looser could not be decided")
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Looser(f"{found[0]['message']}{more}", found)


def _last(finding: dict[str, Any]) -> Any:
    """The step on which the two policies differ."""
    trace = (finding.get("witness") or {}).get("trace") or [None]
    return trace[-1]


@dataclass(frozen=True, slots=True)
class Offer:
    """A bundle that may become the active policy, with the parameters that are set anew; the others are kept."""

    raw: bytes
    params: Mapping[str, Any] = field(default_factory=dict)

    def judge(self, loading: Loading, kept: Mapping[str, Any]) -> tuple[Judge, dict[str, Any]]:
        """The judge of it, and its parameters.

        Raises:
            CodedError: the bundle or a parameter does not add up.
        """
        known = {one.field.name for one in read_bundle(self.raw).manifest.schema_.params}
        params = {n: value for n, value in kept.items() if n in known} | dict(self.params)
        return loading.judge(self.raw, params), params

    def sets_anew(self, loading: Loading, kept: Mapping[str, Any]) -> bool:
        """Whether it decides with other parameters than those that are kept.

        Raises:
            CodedError: as `judge`.
        """
        if not self.params:
            return False
        plain, _ = Offer(self.raw).judge(loading, kept)
        return self.judge(loading, kept)[0].policy.params_hash != plain.policy.params_hash


UNPROVED: Final = Looser(
    "a parameter is set otherwise, and nothing proves that this is nowhere looser"
)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A bundle that was held against the policy that was active, and why it counts as looser; None: it may follow."""

    offer: Offer
    bundle: Bundle
    active: Judge
    reason: str
    looser: Looser | None
    is_back: bool = False


def put_in_place(turn: Turn, loading: Loading, weighed: Weighed, by: str) -> Answer:
    """Publish what was weighed, or record that it was refused as looser."""
    if weighed.looser is not None:
        return refused(turn, weighed.bundle, by, weighed.looser)
    then, now = weighed.active.policy, turn.judge.policy
    if (then.snapshot, then.params_hash) != (now.snapshot, now.params_hash):
        return problem(
            "conflict",
            "another policy was published meanwhile, compare again",
            field="body",
            expected=f"a policy that follows `{now.snapshot}`",
        )
    offer = weighed.offer
    found = fit(offer, loading, params_of(turn.session), turn.settings, turn.judge)
    if isinstance(found, Answer):
        return found
    judge, params = found
    anew = publish(turn, judge, offer.raw, params, by, weighed.reason, is_back=weighed.is_back)
    return Answer(200, {**shown(turn), "anew": list(anew)})


def fit(
    offer: Offer, loading: Loading, kept: Mapping[str, Any], settings: Settings, active: Judge
) -> tuple[Judge, dict[str, Any]] | Answer:
    """The judge of an offer and its parameters; or why it cannot follow the active policy here."""
    try:
        judge, params = offer.judge(loading, kept)
    except CodedError as error:
        return problem("bad_bundle", error.message, field="body", expected=error.help)
    return unlike(active, judge.policy.name) or _unfit(settings, judge) or (judge, params)


def unlike(active: Judge, name: str) -> Answer | None:
    """The refusal of a bundle of another policy than the active one, whatever it allows; None: it is the same."""
    own = active.policy.name
    if name == own:
        return None
    return problem(
        "other_policy",
        f"the bundle is of the policy `{name}`; here `{own}` is active, whose memory it would take over",
        field="body",
        expected=f"a bundle of `{own}`, or a data directory of its own for `{name}`",
    )


def _unfit(settings: Settings, judge: Judge) -> Answer | None:
    """The refusal of a policy that cannot follow the active one, None if it can."""
    if settings.policy_check_url is None or judge.policy.memory is None:
        return None
    why = "it has rules over time, and POLICY_CHECK_URL is set: what it remembers is kept here"
    return problem("bad_bundle", why, field="body")


def _shown(example: Mapping[str, Any]) -> str:
    """A finding with the step that shows it, where one is known."""
    step = example["step"]
    return str(example["message"]) + ("" if step is None else f": {json.dumps(step)}")


def refused(turn: Turn, bundle: Bundle, by: str, looser: Looser) -> Answer:
    """Record that a looser policy was offered."""
    told = "; ".join(map(_shown, looser.examples)) or looser.why
    details = {"snapshot": bundle.snapshot, "reason": told[:2000]}
    turn.chronicle.tell(turn, "policy_refused", approver=by, details=details)
    return problem(
        "looser_policy",
        looser.why,
        field="body",
        expected="a policy that is nowhere looser, or `allow_looser` true with a `reason`",
        examples=list(looser.examples) or None,
    )


def bundle_before(session: Session) -> bytes | Answer:
    """The bundle of the policy before the active one: of those that were published, without those that were left."""
    before = history_of(session)
    raw = session.bundle(before[-1]) if before else None
    if raw is None:
        return problem(
            "conflict",
            "there is no policy before the active one to go back to",
            field="path",
            expected="a service on which another was published before; else publish the bundle that is wanted",
        )
    return raw


def shown(turn: Turn) -> dict[str, Any]:
    """The active policy, as `GET /v1/policy` tells."""
    return described(turn.judge, turn.session.get("published_ms"), turn.session.get("previous"))


def described(judge: Judge, published_ms: str | None, previous: str | None) -> dict[str, Any]:
    """A policy, and what each field of a request must be."""
    policy = judge.policy
    return {
        "policy": policy.name,
        "version": policy.version,
        "snapshot": policy.snapshot,
        "params_hash": policy.params_hash,
        "proof_hash": judge.proof_hash,
        "published_ms": int(published_ms or 0),
        "previous": previous,
        "fields": [fields.described(one) for one in policy.fields],
    }
