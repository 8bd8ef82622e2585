"""What the source or the command line accepts: findings in, recorded warnings out.

In: findings, the `accept` declarations of the source, options.  Out: the same findings, those that are accepted as
recorded warnings; and a note for each `accept` that no finding needs.  An open question is accepted of a property
that is named, and of nothing else: what a bundle decides by never rests on it.

What always holds: an `accept` is called unneeded only where its question was asked and settled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from govlang.compiler import ir
from govlang.compiler.checked import Accept
from govlang.dsl.diagnostics import did_you_mean
from govlang.verifier.findings import (
    KIND_OF_CODE,
    UNDECIDED,
    UNNEEDED,
    Finding,
    Severity,
)
from govlang.verifier.options import FINDINGS_A_RULE, Options


def accepted(one: Finding, accepts: Sequence[Accept], options: Options) -> Finding:
    """A finding that the source or the command line accepts is a recorded warning."""
    if one.code == UNDECIDED and one.kind == "property" and one.property in options.allow_undecided:
        return replace(one, severity=Severity.WARNING, accepted="allowed to stay undecided")
    because = next((a.because for a in accepts if a.code == one.code and a.rule in one.names), None)
    kinds = {kind.upper() for kind in options.accept_kinds}
    if because is None and {one.code, KIND_OF_CODE.get(one.code, "").upper()} & kinds:
        because = "accepted on the command line"
    if because is None or one.code == UNDECIDED:
        return one
    return replace(one, severity=min(one.severity, Severity.WARNING, key=_weight), accepted=because)


def _weight(severity: Severity) -> int:
    return {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}[severity]


def unneeded(
    policy: ir.Policy, accepts: Sequence[Accept], findings: Sequence[Finding]
) -> Iterator[Finding]:
    """A note for each name of an `accept` on which there is no finding of its code."""
    there = {rule.id for rule in policy.rules} | {one.name for one in policy.properties}
    for named in _by_name(accepts):
        rows = {one.rule for one in named}
        if rows & (there | {"default"}) and not _needed(named[0].code, rows, findings):
            yield _note(named[0], tuple(sorted(rows)))


def unknown_allowances(policy: ir.Policy, options: Options) -> Iterator[Finding]:
    """A note for each name that may stay undecided and is no property of the policy."""
    names = [one.name for one in policy.properties]
    for name in options.allow_undecided:
        if name not in names:
            yield Finding(
                UNNEEDED,
                "vacuous",
                Severity.NOTE,
                (),
                f"`{name}` may stay undecided, and is no property of this policy",
                did_you_mean(name, names) or "name a `prove` of this policy, or leave it out",
            )


def _by_name(accepts: Sequence[Accept]) -> list[list[Accept]]:
    """The acceptances of one name together: those of a table's name are one a row."""
    found: dict[object, list[Accept]] = {}
    for one in accepts:
        place = one.rule if one.span is None else (one.span.file, one.span.start)
        found.setdefault((one.code, place), []).append(one)
    return list(found.values())


def _needed(code: str, rows: set[str], findings: Sequence[Finding]) -> bool:
    """Whether there is such a finding on one of the rows, or there may be one that is not listed."""
    if sum(one.code == code for one in findings) >= FINDINGS_A_RULE:
        return True
    return any(one.code in {code, UNDECIDED} and rows & set(one.names) for one in findings)


def _note(accept: Accept, rows: tuple[str, ...]) -> Finding:
    name = accept.span.text.strip('"') if accept.span and accept.span.text else rows[0]
    return Finding(
        UNNEEDED,
        "vacuous",
        Severity.NOTE,
        rows,
        f"`accept {accept.code} on {name}` accepts nothing: there is no such finding",
        "remove it, lest it hide a later one",
        span=accept.span,
    )
