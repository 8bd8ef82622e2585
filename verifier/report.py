"""The verifier's entry point: everything that is proved or refuted of one policy.

In: a checked policy, the acceptances of its source, options and a way to ask the compiled table.
Out: a report.

What always holds: findings stand in a fixed order; every refutation was replayed on the interpreter
and, where `replay` is given, on the compiled table; an open question is an undecided finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final

from govlang.compiler import ir
from govlang.compiler.checked import Accept
from govlang.compiler.core import core_json, snapshot
from govlang.verifier.assumptions import assumptions_can_hold, find_dead_parameters
from govlang.verifier.conflicts import find_conflicts
from govlang.verifier.findings import (
    KIND_OF_CODE,
    UNDECIDED,
    Finding,
    Report,
    Severity,
    status_of,
)
from govlang.verifier.gaps import find_gaps
from govlang.verifier.options import Context, Options, Progress, Replay
from govlang.verifier.properties import find_refuted_properties, settle_guards
from govlang.verifier.smtlib import Watch
from govlang.verifier.solve import forget, solver_name
from govlang.verifier.unreachable import find_unreachable
from govlang.verifier.vacuous import find_vacuous

__all__ = ["Options", "Report", "verify"]

NO_OPTIONS: Final = Options()


def verify(
    policy: ir.Policy,
    *,
    accepts: Sequence[Accept] = (),
    options: Options = NO_OPTIONS,
    replay: Replay | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Report:
    """Prove that a policy makes sense, or show requests on which it does not."""
    start = perf_counter()
    forget()
    context = Context(policy, options, replay, progress, watch)
    if assumptions_can_hold(context):
        find_dead_parameters(context)
        silent = find_unreachable(context)
        find_conflicts(context)
        find_vacuous(context, silent)
        find_gaps(context)
        find_refuted_properties(context)
        settle_guards(context)
    findings = tuple(
        _strict(_accepted(one, accepts, options), options) for one in _ordered(context.findings)
    )
    return Report(
        policy.name,
        policy.version,
        snapshot(core_json(policy)),
        status_of(findings),
        findings,
        tuple(context.proved),
        solver_name(),
        int((perf_counter() - start) * 1000),
    )


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first, then by code and by place; findings of one place as they were found."""
    rank = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}

    def key(one: Finding) -> tuple[int, str, str, int]:
        place = (one.span.file, one.span.start) if one.span else ("", 0)
        return rank[one.severity], one.code, *place

    return sorted(findings, key=key)


def _accepted(one: Finding, accepts: Sequence[Accept], options: Options) -> Finding:
    """A finding that the source or the command line accepts is a recorded warning."""
    because = next((a.because for a in accepts if a.code == one.code and a.rule in one.names), None)
    kinds = {kind.upper() for kind in options.accept_kinds}
    if because is None and {one.code, KIND_OF_CODE.get(one.code, "").upper()} & kinds:
        because = "accepted on the command line"
    if because is None or one.code == UNDECIDED:
        return one
    return replace(one, severity=min(one.severity, Severity.WARNING, key=_weight), accepted=because)


def _weight(severity: Severity) -> int:
    return {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}[severity]


def _strict(one: Finding, options: Options) -> Finding:
    """Under `--strict` a warning that nobody accepted is an error."""
    if options.strict and one.severity is Severity.WARNING and one.accepted is None:
        return replace(one, severity=Severity.ERROR)
    return one
