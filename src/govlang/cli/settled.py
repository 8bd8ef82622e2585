"""What a manifest says of a verification: a report in, its proofs and what was accepted out.

What always holds: a property that was allowed to stay undecided stands under both, with why it has no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from govlang.cli.formats.findings import Finding, Report
from govlang.native.manifest import Accepted, Proof
from govlang.verifier.findings import UNDECIDED

STATE: Final = "state"
"""The kind of a fact about states that other proofs rest on."""


def proofs_of(report: Report) -> Iterator[Proof]:
    """What was proved, then the properties that were allowed to stay undecided.

    Facts about states come first, each once and in one order: a policy that is judged in parts proves some of them anew
    for each part that asks, and how many ask must not show in the bytes of a bundle.
    """
    facts = {(one["property"], one["method"]) for one in report["proved"] if one["kind"] == STATE}
    for named, method in sorted(facts):
        yield Proof(property=named, kind=STATE, method=method, verdict="proved")
    for one in report["proved"]:
        named, kind, method = one["property"], one["kind"], one["method"]
        if kind != STATE:
            yield Proof(property=named, kind=kind, method=method, verdict="proved")
    for one in report["findings"]:
        if one.get("accepted") and one["code"] == UNDECIDED:
            named, kind, why = one["property"], one["kind"], one["help"]
            yield Proof(property=named, kind=kind, method=why, verdict="undecided")


def accepted_of(report: Report) -> Iterator[Accepted]:
    """What somebody took responsibility for, each with the rules or the property that it speaks of."""
    for one in report["findings"]:
        if one.get("accepted"):
            yield Accepted(code=one["code"], rules=_named(one), because=one["accepted"])


def _named(finding: Finding) -> list[str]:
    return finding["rules"] or [name for name in [finding["property"]] if name]
