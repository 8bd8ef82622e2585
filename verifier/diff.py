"""The semantic difference of two versions of a policy.

In: OLD and NEW.  Out: every kind of request whose outcome changed (who decides what before and
after, and in which direction), each with a request that shows it.

What always holds: only places where a changed rule can fire are looked at, region by region; two
kinds differ in an effect, a deciding rule or the direction; every request was decided by both
interpreters, read from its JSON form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.core import core_json, snapshot
from govlang.verifier.beyond import unseen_changes
from govlang.verifier.defaults import at_defaults, defaults_differ
from govlang.verifier.diff_search import Search, change_finding, kind_of
from govlang.verifier.findings import DIFF, Finding, Severity, Status, status_of
from govlang.verifier.merge import CannotMergeError, merge
from govlang.verifier.options import Context, Options, Replay, Rerun
from govlang.verifier.smtlib import Watch
from govlang.verifier.solve import forget, solver_name
from govlang.verifier.time.beside import sample_changes, side_by_side
from govlang.verifier.time.beside_search import find_changes
from govlang.verifier.wording import reason_changes

__all__ = ["DiffReport", "diff"]

NO_OPTIONS: Final = Options()


@dataclass(frozen=True, slots=True)
class DiffReport:
    """What changed between two versions; `old` and `new` are their snapshots."""

    policy: str
    old: str
    new: str
    status: Status
    findings: tuple[Finding, ...]
    declarations: tuple[str, ...]
    method: str
    """How it was proved that there is nothing else."""
    solver: Mapping[str, str]
    ms: int

    @property
    def changed(self) -> bool:
        """Whether anything changed: an outcome or a declaration."""
        return bool(self.findings or self.declarations)

    @property
    def is_looser(self) -> bool:
        """Whether NEW is looser somewhere, or that is not known."""
        return any(_may_be_looser(one) for one in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report in the form of the other reports."""
        return {
            "policy": self.policy,
            "old": self.old,
            "new": self.new,
            "status": self.status.value,
            "findings": [finding.to_json() for finding in self.findings],
            "declarations": list(self.declarations),
            "solver": dict(self.solver),
            "ms": self.ms,
        }


def diff(
    old: ir.Policy,
    new: ir.Policy,
    *,
    options: Options = NO_OPTIONS,
    no_looser: bool = False,
    replay_old: Replay | None = None,
    replay_new: Replay | None = None,
    rerun_old: Rerun | None = None,
    rerun_new: Rerun | None = None,
    watch: Watch | None = None,
) -> DiffReport:
    """Every kind of request whose outcome changed; with `no_looser` looser ones are errors."""
    start = perf_counter()
    forget()
    replays, reruns = (replay_old, replay_new), (rerun_old, rerun_new)
    declarations: tuple[str, ...] = ()
    is_plain = old.time is None and new.time is None
    try:
        declarations, unseen = _declared(old, new, is_plain=is_plain)
        found = _found(
            lambda a, b: (
                _over_requests(a, b, options, replays, watch)
                if is_plain
                else find_changes(a, b, options, reruns, watch)
            ),
            old,
            new,
        )
        findings = (*map(_unseen, unseen), *found)
    except CannotMergeError as error:
        findings = (change_finding(str(error), (), None, Severity.ERROR),)
    if no_looser:
        findings = tuple(_accepted(_judged(one), options) for one in findings)
    return DiffReport(
        new.name,
        snapshot(core_json(old)),
        snapshot(core_json(new)),
        status_of(findings),
        findings,
        declarations,
        "z3, region by region" if is_plain else "induction",
        solver_name(),
        int((perf_counter() - start) * 1000),
    )


def _found(
    changes: Callable[[ir.Policy, ir.Policy], Iterable[Finding]], old: ir.Policy, new: ir.Policy
) -> Iterator[Finding]:
    """What changed where both versions have the same parameters, and where each has its defaults."""
    known = set()
    for one in changes(old, new):
        known.add(kind_of(one))
        yield one
    if defaults_differ(old, new):
        for one in changes(at_defaults(old), at_defaults(new)):
            if kind_of(one) not in known:
                yield replace(one, message=f"with the defaults of each version: {one.message}")


def _declared(
    old: ir.Policy, new: ir.Policy, *, is_plain: bool
) -> tuple[tuple[str, ...], Iterable[str]]:
    """What changed in the declarations, and those of the changes whose consequences are not compared.

    Raises:
        CannotMergeError: the versions cannot be put beside each other.
    """
    if is_plain:
        changes = (*merge(old, new).changes, *reason_changes(old, new))
        return changes, unseen_changes(old, new)
    pair = side_by_side(old, new, agreeing=True)
    changes = (*pair.merged.changes, *sample_changes(old, new), *reason_changes(old, new))
    return changes, (*unseen_changes(old, new), *pair.unseen)


def _over_requests(
    old: ir.Policy,
    new: ir.Policy,
    options: Options,
    replays: tuple[Replay | None, Replay | None],
    watch: Watch | None,
) -> Iterator[Finding]:
    """What changed between two versions over single requests."""
    merged = merge(old, new)
    context = Context(merged.space, options, watch=watch)
    return Search(old, new, merged, context, replays).findings()


def _unseen(what: str) -> Finding:
    """A change whose consequences are not compared: it counts as looser, since it may be."""
    helps = "see to it yourself that nothing more is let through, then `--accept diff`"
    message = f"{what}: what that changes is not compared"
    return Finding(DIFF, "diff", Severity.NOTE, (), message, helps, detail={"direction": "unknown"})


def _judged(one: Finding) -> Finding:
    return replace(one, severity=Severity.ERROR) if _may_be_looser(one) else one


def _may_be_looser(one: Finding) -> bool:
    return (one.detail or {}).get("direction") not in {"stricter", "other"}


def _accepted(one: Finding, options: Options) -> Finding:
    """What became looser, where the command line accepts that, is a recorded warning."""
    asked = {kind.upper() for kind in options.accept_kinds} & {DIFF, "DIFF"}
    known = one.code == DIFF and one.detail is not None and one.severity is Severity.ERROR
    if not (asked and known):
        return one
    return replace(one, severity=Severity.WARNING, accepted="accepted on the command line")
