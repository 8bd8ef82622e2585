"""The verifier's entry point: everything that is proved or refuted of one policy.

In: a checked policy, the acceptances of its source, options and a way to ask the compiled table.
Out: a report.

What always holds: findings stand in a fixed order; every refutation was replayed on the interpreter
and, where `replay` (over time `rerun`) is given, on the compiled table; an open question is an undecided finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final

from govlang.compiler import ir
from govlang.compiler.checked import Accept
from govlang.compiler.core import core_json, snapshot
from govlang.verifier.acceptance import accepted, unknown_allowances, unneeded
from govlang.verifier.assumptions import assumptions_can_hold, find_dead_parameters
from govlang.verifier.conflicts import find_conflicts
from govlang.verifier.findings import (
    UNDECIDED,
    Finding,
    Proved,
    Report,
    Severity,
    status_of,
    undecided,
)
from govlang.verifier.gaps import find_gaps, find_policy_gap, find_table_gaps
from govlang.verifier.options import Context, Options, Progress, Replay, Rerun
from govlang.verifier.properties import find_refuted_properties, settle_guards
from govlang.verifier.smtlib import Watch
from govlang.verifier.solve import forget, solver_name
from govlang.verifier.time.bits import without_sets
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.divide import Part, divided, written_machines
from govlang.verifier.time.flat import flat, unsupported
from govlang.verifier.time.machines import find_idle_machines
from govlang.verifier.time.possible import find_impossible
from govlang.verifier.time.properties import find_refuted_claims
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
    rerun: Rerun | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Report:
    """Prove that a policy makes sense, or show requests or histories on which it does not."""
    start = perf_counter()
    forget()
    beyond = unsupported(policy)
    if beyond is not None:
        return _report(policy, (_unsettled(policy, beyond),), (), start)
    parts = divided(policy)
    judges = parts is None
    context = context_of(policy, options, replay, progress, watch, rerun=rerun, judges_rules=judges)
    if parts is not None:
        _judge_parts(context, policy, parts)
        context.findings += unneeded(policy, accepts, context.findings)
    elif assumptions_can_hold(context):
        find_dead_parameters(context)
        silent = find_unreachable(context)
        find_conflicts(context)
        find_vacuous(context, silent)
        find_gaps(context)
        if isinstance(context, TimeContext):
            context.tell("states", len(context.known.kept), len(context.known.kept))
            find_idle_machines(context, written_machines(context.remembering, context.time))
            find_refuted_claims(context)
            find_impossible(context)
        else:
            find_refuted_properties(context)
        settle_guards(context)
        context.findings += unneeded(policy, accepts, context.findings)
    context.findings += unknown_allowances(policy, options)
    findings = tuple(
        _strict(accepted(one, accepts, options), options) for one in _ordered(context.findings)
    )
    return _report(policy, findings, tuple(context.proved), start)


def _judge_parts(context: Context, policy: ir.Policy, parts: Sequence[Part]) -> None:
    """What does not depend on how rules meet is judged of the whole, the rest part by part."""
    if not assumptions_can_hold(context):
        return
    find_dead_parameters(context)
    find_policy_gap(context)
    assert isinstance(context, TimeContext)
    find_impossible(context)
    for place, part in enumerate(parts):
        context.tell("parts", place, len(parts))
        forget()
        own = context_of(
            part.policy, context.options, None, None, context.watch, policy, rerun=context.rerun
        )
        assert isinstance(own, TimeContext)
        silent = find_unreachable(own)
        find_conflicts(own)
        find_vacuous(own, silent)
        find_table_gaps(own)
        find_idle_machines(own, sorted(part.machines))
        find_refuted_claims(own)
        settle_guards(own)
        context.findings += own.findings
        known = set(context.proved)
        context.proved += [one for one in own.proved if one not in known]


def _report(
    policy: ir.Policy, findings: tuple[Finding, ...], proved: tuple[Proved, ...], start: float
) -> Report:
    return Report(
        policy.name,
        policy.version,
        snapshot(core_json(policy)),
        status_of(findings),
        findings,
        proved,
        solver_name(),
        int((perf_counter() - start) * 1000),
    )


def _unsettled(policy: ir.Policy, why: str) -> Finding:
    """Nothing is known of a policy."""
    whole = f"what `{policy.name}` does over time"
    return undecided(Finding(UNDECIDED, "property", Severity.ERROR, (), "", question=whole), why)


def context_of(
    policy: ir.Policy,
    options: Options,
    replay: Replay | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
    whole: ir.Policy | None = None,
    *,
    rerun: Rerun | None = None,
    judges_rules: bool = True,
) -> Context:
    """What the passes share: over requests, or over the states that histories lead to.

    `whole` is the policy over time of which this one is a part; its rules are judged there.
    """
    if policy.time is None:
        return Context(policy, options, replay, progress, watch)
    plain = without_sets(policy)
    return TimeContext(
        flat(plain),
        options,
        None,
        progress,
        watch,
        remembering=plain,
        given=whole or policy,
        rerun=rerun,
        judges_rules=judges_rules,
    )


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first, then by code and by place; findings of one place as they were found."""
    rank = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}

    def key(one: Finding) -> tuple[int, str, str, int]:
        place = (one.span.file, one.span.start) if one.span else ("", 0)
        return rank[one.severity], one.code, *place

    return sorted(findings, key=key)


def _strict(one: Finding, options: Options) -> Finding:
    """Under `--strict` a warning that nobody accepted is an error."""
    if options.strict and one.severity is Severity.WARNING and one.accepted is None:
        return replace(one, severity=Severity.ERROR)
    return one
