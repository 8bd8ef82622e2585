"""The proofs that the artefacts mean their policy, joined with the verifier's report.

What always holds: a report whose status is `proved` after this was proved of the policy and of every
artefact that was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from govlang.cli.formats.findings import Finding, Report, error_of, joined_status
from govlang.compiler import ir
from govlang.verifier.translation.proof import (
    ArtefactProof,
    EdgeRefutation,
    Obligation,
    Refutation,
    TableProof,
    Verdict,
)
from govlang.verifier.translation.table import prove_table as prove

if TYPE_CHECKING:
    from govlang.verifier.report import Options
    from govlang.verifier.smtlib import Watch

KIND: Final = "translation"


def prove_table(
    report: Report,
    policy: ir.Policy,
    table: bytes,
    snapshot: str,
    options: Options,
    watch: Watch | None = None,
) -> Report:
    """The report with the proof of the table in it, or with the request on which the two differ.

    `snapshot` is the name of the policy's meaning, which the table must carry; `watch` is told every question.
    """
    start = perf_counter()
    proof = prove(policy, table, snapshot=snapshot, timeout_s=options.timeout_s, watch=watch)
    finding = None if proof.refutation is None else _refuted_table(proof.refutation)
    return _later(_joined(report, "table", proof, finding), start)


def prove_edge(
    report: Report,
    policy: ir.Policy,
    parts: Mapping[str, bytes],
    snapshot: str,
    options: Options,
    watch: Callable[[str], Watch | None] = lambda _: None,
) -> Report:
    """The report with the proofs of the module and of the C file among the parts of a bundle.

    `watch` gives, for the name of an artefact, what is told every question.

    Raises:
        ArtefactError: GOV416 a part is not of the documented form.
    """
    from govlang.cli.compiled import HEADER, MODULE, SOURCE
    from govlang.cli.engines import c_engine, wasm_engine
    from govlang.verifier.translation.edge import read_c_of
    from govlang.verifier.translation.machine_proof import prove_artefact
    from govlang.verifier.translation.wasm_read import read_wasm

    start = perf_counter()
    decoded = []
    if MODULE in parts:
        module = read_wasm(parts[MODULE])
        decoded.append(("WebAssembly", module, wasm_engine(parts[MODULE], module)))
    if SOURCE in parts:
        header, source = (parts.get(part, b"").decode() for part in (HEADER, SOURCE))
        file = read_c_of(policy, header, source)
        decoded.append(("C", file, c_engine(policy.name, header, source, file)))
    for what, artefact, engine in decoded:
        proof = prove_artefact(
            policy,
            artefact,
            what=what,
            snapshot=snapshot,
            timeout_s=options.timeout_s,
            run=engine,
            watch=watch(what.lower()),
        )
        finding = None if proof.refutation is None else _refuted_artefact(what, proof.refutation)
        report = _joined(report, what, proof, finding)
    return _later(report, start)


def _later(report: Report, start: float) -> Report:
    """The report with the time since `start` in it: its `ms` count whatever its proofs took."""
    return report | {"ms": report["ms"] + round((perf_counter() - start) * 1000)}


def _joined(
    report: Report, what: str, proof: TableProof | ArtefactProof, refuted: Finding | None
) -> Report:
    undecided = [
        _undecided(what, one) for one in proof.obligations if one.verdict is Verdict.UNDECIDED
    ]
    return report | {
        "status": joined_status(report["status"], proof.verdict.value),
        "findings": report["findings"] + ([] if refuted is None else [refuted]) + undecided,
        "proved": report["proved"] + _proved(what, proof),
    }


def _proved(what: str, proof: TableProof | ArtefactProof) -> list[dict[str, Any]]:
    """One line for each kind of obligation that was proved."""
    share = round(proof.seconds * 1000 / max(1, len(proof.obligations)))
    return [
        {
            "property": f"{what}: {one.name}",
            "kind": KIND,
            "method": f"{one.method}, {one.count} parts",
            "ms": share,
        }
        for one in proof.obligations
        if one.verdict is Verdict.PROVED
    ]


def _undecided(what: str, one: Obligation) -> Finding:
    why = "; ".join(one.failed[:3])
    message = f"undecided: the {what}'s {one.name} may differ from the policy: {why}"
    help_line = "raise `--timeout`, or split the rules named here"
    return error_of("GOV309", KIND, message, help_line)


def _refuted(what: str, told: str) -> Finding:
    help_line = "this is a fault of the compiler, or the artefact was changed; report it"
    return error_of("GOV307", KIND, f"the {what} differs from the policy: {told}", help_line)


def _refuted_table(refutation: Refutation) -> Finding:
    finding = _refuted("table", refutation.what)
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


def _refuted_artefact(what: str, refutation: EdgeRefutation) -> Finding:
    """Variables that no request gives (a host may still set them) are told in the message."""
    told = refutation.what
    if refutation.request is None and refutation.variables is not None:
        given = ", ".join(f"{name} = {value}" for name, value in refutation.variables.items())
        told = f"{told}, with {given}"
    finding = _refuted(what, told)
    if refutation.request is None:
        return finding
    step = {"at_ms": 0, "request": refutation.request, "runtime": refutation.runtime}
    return finding | {"witness": {"trace": [step], "params": refutation.params}}
