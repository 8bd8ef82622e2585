"""The proofs that the artefacts mean their policy, joined with the verifier's report.

What always holds: a report whose status is `proved` after this was proved of the policy and of every
artefact that was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from govlang.cli.differences import edge_difference, table_difference
from govlang.cli.formats.findings import Finding, Report, error_of, joined_status
from govlang.compiler import ir
from govlang.native.errors import ArtefactError, BundleError, TableError
from govlang.native.table import Table
from govlang.verifier.translation.decode import Decoded
from govlang.verifier.translation.proof import (
    ArtefactProof,
    EdgeRefutation,
    Obligation,
    Refutation,
    TableProof,
    Verdict,
)
from govlang.verifier.translation.table import prove_table as prove
from govlang.verifier.translation.time_decode import read_memory

if TYPE_CHECKING:
    from govlang.verifier.report import Options
    from govlang.verifier.smtlib import Watch
    from govlang.verifier.translation.machine import Artefact
    from govlang.verifier.translation.machine_witness import Run
    from govlang.verifier.translation.time_machine_witness import TimedRun

KIND: Final = "translation"
TABLE: Final = "table.bin"


def check_table(table: bytes) -> None:
    """Whether an engine takes the table of a bundle; what follows may decide with it.

    Raises:
        BundleError: GOV410 none does.
    """
    try:
        Table(table)
    except TableError as error:
        raise BundleError(error.code, TABLE, error.message, error.help) from None


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

    Raises:
        TableError: GOV410 no engine takes the table.
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
    table: bytes = b"",
) -> Report:
    """The report with the proofs of the module and of the C file among the parts of a bundle.

    `table` tells the points of a policy over time; `watch` gives, for the name of an artefact, what is told
    every question.

    Raises:
        ArtefactError: GOV416 a part is not of the documented form.
    """
    from govlang.verifier.translation.machine_proof import prove_artefact

    start = perf_counter()
    memory = read_memory(Decoded(table)) if policy.time is not None and table else None
    for what, artefact, engine, taken in _decoded(policy, parts):
        proof = prove_artefact(
            policy,
            artefact,
            what=what,
            snapshot=snapshot,
            timeout_s=options.timeout_s,
            run=engine,
            watch=watch(what.lower()),
            memory=memory,
            taken=taken,
        )
        finding = None
        if proof.refutation is not None:
            finding = _refuted_artefact(policy, what, artefact, proof.refutation)
        report = _joined(report, what, proof, finding)
    return _later(report, start)


def _later(report: Report, start: float) -> Report:
    """The report with the time since `start` in it: its `ms` count whatever its proofs took."""
    return report | {"ms": report["ms"] + round((perf_counter() - start) * 1000)}


def _decoded(
    policy: ir.Policy, parts: Mapping[str, bytes]
) -> list[tuple[str, Artefact, Run | None, TimedRun | None]]:
    """The module and the C file among the parts, each with the engines that run it if there are any."""
    from govlang.cli.compiled import HEADER, MODULE, SOURCE
    from govlang.cli.engines import c_engine, wasm_engine
    from govlang.verifier.translation.edge import read_c_of
    from govlang.verifier.translation.wasm_read import read_wasm

    found: list[tuple[str, Artefact, Run | None, TimedRun | None]] = []
    if MODULE in parts:
        with _part(MODULE):
            module = read_wasm(parts[MODULE])
        run, take = wasm_engine(parts[MODULE], module) or (None, None)
        found.append(("WebAssembly", module, run, take))
    if SOURCE in parts:
        header, source = parts.get(HEADER, b""), parts[SOURCE]
        with _part(SOURCE, HEADER):
            file = read_c_of(policy, header, source)
        run, take = c_engine(policy.name, header.decode(), source.decode(), file)
        found.append(("C", file, run, take))
    return found


@contextmanager
def _part(name: str, header: str = "") -> Iterator[None]:
    """Names the part of the bundle in what is refused there; `header` where the place says so."""
    try:
        yield
    except ArtefactError as error:
        own = error.at.removeprefix(_HEADER)
        part = header if own != error.at else name
        raise ArtefactError(own, error.why, part) from None


_HEADER: Final = "header "
"""How places in a header begin."""


def _joined(
    report: Report, what: str, proof: TableProof | ArtefactProof, refuted: Finding | None
) -> Report:
    """The report with what came of the proof; what is refuted is not called undecided as well."""
    undecided = (one for one in proof.obligations if one.verdict is Verdict.UNDECIDED)
    found = [_undecided(what, one) for one in undecided] if refuted is None else [refuted]
    return report | {
        "status": joined_status(report["status"], proof.verdict.value),
        "findings": report["findings"] + found,
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
    message = f"undecided whether the {what} is the policy in its {one.name}: {why}"
    help_line = "raise `--timeout`, or split the rules named here"
    return error_of("GOV309", KIND, message, help_line)


def _refuted(what: str, told: str) -> Finding:
    help_line = "this is a fault of the compiler, or the artefact was changed; report it"
    return error_of("GOV307", KIND, f"the {what} differs from the policy: {told}", help_line)


def _refuted_table(refutation: Refutation) -> Finding:
    told = refutation.what
    if refutation.expected is not None and refutation.expected != refutation.found:
        told = table_difference(refutation.expected, refutation.found)
    finding = _refuted("table", told)
    if refutation.step is not None:
        witness = {"trace": [refutation.step], "params": refutation.params}
        return finding | {"witness": witness | {"state": refutation.before}}
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


def _refuted_artefact(
    policy: ir.Policy, what: str, artefact: Artefact, refutation: EdgeRefutation
) -> Finding:
    """Variables that no request gives (a host may still set them) are told in the message."""
    told = refutation.what
    if refutation.expected is not None and policy.time is None:
        variables = [*artefact.variables]
        told = edge_difference(policy, variables, what, told, refutation.expected, refutation.found)
    if refutation.request is None and refutation.variables is not None:
        given = ", ".join(f"{name} = {value}" for name, value in refutation.variables.items())
        told = f"{told}, with {given}"
    finding = _refuted(what, told)
    if refutation.request is None:
        return finding
    step = {"at_ms": 0, "request": refutation.request, "runtime": refutation.runtime}
    return finding | {"witness": {"trace": [step], "params": refutation.params}}
