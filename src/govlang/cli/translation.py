"""The proof that a table means its policy, joined with the verifier's report.

What always holds: a report whose status is `proved` after this was proved of the policy and of the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from govlang.cli.formats.findings import Finding, Report, error_of, joined_status
from govlang.compiler import ir
from govlang.verifier.translation.table import Refutation, TableProof, Verdict
from govlang.verifier.translation.table import prove_table as prove

if TYPE_CHECKING:
    from govlang.verifier.report import Options

KIND: Final = "translation"


def prove_table(
    report: Report, policy: ir.Policy, table: bytes, snapshot: str, options: Options
) -> Report:
    """The report with the proof of the table in it, or with the request on which the two differ.

    `snapshot` is the name of the policy's meaning, which the table must carry.
    """
    proof = prove(policy, table, snapshot=snapshot, timeout_s=options.timeout_s)
    return report | {
        "status": joined_status(report["status"], proof.verdict.value),
        "findings": report["findings"] + _findings(proof),
        "proved": report["proved"] + _proved(proof),
    }


def _proved(proof: TableProof) -> list[dict[str, Any]]:
    """One line for each kind of obligation that was proved."""
    share = round(proof.seconds * 1000 / max(1, len(proof.obligations)))
    return [
        {
            "property": f"table: {one.name}",
            "kind": KIND,
            "method": f"{one.method}, {one.count} parts",
            "ms": share,
        }
        for one in proof.obligations
        if one.verdict is Verdict.PROVED
    ]


def _findings(proof: TableProof) -> list[Finding]:
    found = [] if proof.refutation is None else [_refuted(proof.refutation)]
    for one in proof.obligations:
        if one.verdict is Verdict.UNDECIDED:
            why = "; ".join(one.failed[:3])
            message = f"undecided: the table's {one.name} may differ from the policy: {why}"
            help_line = "raise `--timeout`, or split the rules named here"
            found.append(error_of("GOV309", KIND, message, help_line))
    return found


def _refuted(refutation: Refutation) -> Finding:
    help_line = "this is a fault of the compiler, or the table was changed; report it"
    message = f"the table differs from the policy: {refutation.what}"
    finding = error_of("GOV307", KIND, message, help_line)
    if refutation.request is None:
        return finding
    step: dict[str, Any] = {
        "at_ms": 0,
        "request": refutation.request,
        "runtime": refutation.runtime,
    }
    if refutation.found is not None:
        step |= {"decision": refutation.found.decision.word, "rule_id": refutation.found.rule_id}
    return finding | {"witness": {"trace": [step], "params": refutation.params}}
