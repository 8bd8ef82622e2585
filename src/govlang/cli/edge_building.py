"""The parts of a bundle for boards and browsers: which of them a policy gets, proved, and why one is left out.

What always holds: a part that goes into a bundle was proved to mean the policy; one that nobody asked for by name is
left out where it is undecided whether it does, with a finding that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from govlang.cli.compiled import (
    EDGE_RULES_MAX,
    HEADER,
    MODULE,
    SOURCE,
    Compiled,
    compile_edge,
    over_time,
)
from govlang.cli.formats.findings import Finding, Report, error_of
from govlang.cli.translation import KIND, prove_edge
from govlang.compiler.ir import SHARED, Policy, Time
from govlang.native.errors import CodedError
from govlang.native.manifest import Cost
from govlang.native.table import Table

if TYPE_CHECKING:
    from govlang.verifier.report import Options
    from govlang.verifier.translation.machine import Artefact

REQUESTS_ONLY: Final = ("jsonlogic", "smt2")
"""Artefacts of policies without rules over time."""

_LANGUAGES: Final = (("wasm", "WebAssembly", (MODULE,)), ("c", "C", (SOURCE, HEADER)))
"""What `--emit` calls an artefact, what people do, and its parts."""


def check_emits(policy: Policy, emits: tuple[str, ...]) -> None:
    """Whether a policy has the artefacts that are asked for.

    Raises:
        CodedError: GOV715 the policy has rules over time, which they cannot say yet · GOV716 no board can keep
            what it remembers.
    """
    if policy.time is None:
        return
    unable = [name for name in emits if name in REQUESTS_ONLY]
    if unable:
        raise over_time(policy, f"`--emit {unable[0]}`")
    fields = _elsewhere(policy.time)
    if fields and {"c", "wasm"} & set(emits):
        message = f"`{policy.name}` keeps state per {fields}, a board only that of one key"
        raise CodedError("GOV716", message, "decide this in the service (`gov build --emit table`)")


def edge_parts(policy: Policy, compiled: Compiled, emits: tuple[str, ...]) -> dict[str, bytes]:
    """The parts, if a board can keep what the policy remembers, and it is not too large or they are asked for."""
    small = len(policy.rules) <= EDGE_RULES_MAX
    wanted = {name for word, _, names in _LANGUAGES if small or word in emits for name in names}
    if not wanted or (policy.time is not None and _elsewhere(policy.time)):
        return {}
    parts = compile_edge(policy, compiled.snapshot)
    return {name: part for name, part in parts.items() if name in wanted}


def with_edge(
    report: Report,
    policy: Policy,
    edge: Mapping[str, bytes],
    compiled: Compiled,
    options: Options,
    emits: tuple[str, ...],
) -> tuple[Report, dict[str, bytes]]:
    """The report with the proofs for the edge; what nobody asked for is left out where it is undecided."""
    if not edge:
        return report | {"findings": [*report["findings"], _left_out(policy)]}, {}
    kept: dict[str, bytes] = {}
    for word, language, names in _LANGUAGES:
        own = {name: edge[name] for name in names if name in edge}
        if not own:
            continue
        proved = prove_edge(report, policy, own, compiled.snapshot, options, table=compiled.table)
        if word in emits or (report["status"], proved["status"]) != ("proved", "undecided"):
            report, kept = proved, kept | own
        else:
            found = [*report["findings"], _undecided(word, language)]
            report = report | {"findings": found, "ms": proved["ms"]}
    return report, kept


# --- why a part is left out ------------------------------------------------------------------------


def _undecided(word: str, language: str) -> Finding:
    message = f"the bundle holds no {language}: it is undecided whether it means the policy"
    help_line = f"name it with `--emit {word}` to see what is undecided, or raise `--timeout`"
    return error_of("GOV309", KIND, message, help_line) | {"severity": "warning"}


def _left_out(policy: Policy) -> Finding:
    """Why a bundle lacks C and WebAssembly; a large policy gets them only on demand."""
    fields = "" if policy.time is None else _elsewhere(policy.time)
    if fields:
        message = (
            f"the bundle holds no C and no WebAssembly: the policy keeps state per {fields}, a board "
            "only that of one key"
        )
        help_line = "decide with the table, or keep that state by the policy's key"
        return error_of("GOV716", KIND, message, help_line) | {"severity": "note"}
    message = (
        f"the bundle holds no C and no WebAssembly: {len(policy.rules)} rules are more than "
        f"{EDGE_RULES_MAX}"
    )
    help_line = "name them with `--emit c,wasm` if a board is to run this policy"
    return error_of("GOV313", KIND, message, help_line) | {"severity": "note"}


def _elsewhere(time: Time) -> str:
    """The fields of which a policy keeps cells each, beside its key; empty if there are none."""
    found = {cell.scope for cell in time.cells} - {SHARED, time.key or SHARED}
    return ", ".join(f"`{one}`" for one in sorted(found))


# --- the worst case --------------------------------------------------------------------------------


def cost(policy: Policy, compiled: Compiled, edge: Mapping[str, bytes]) -> Cost:
    """The worst case of one decision: steps of the table, instructions of the module, operations of the C."""
    structure = compiled.structure
    fixed = structure.worst_nodes + structure.worst_lookups
    engine = Table(compiled.table)
    if engine.schema.memory is not None:  # with the updates of a sample
        fixed = engine.steps
    found = Cost(steps=fixed, steps_per_byte=structure.text_columns)
    from govlang.verifier.translation.edge import read_c_of
    from govlang.verifier.translation.wasm_read import read_wasm

    if MODULE in edge:
        once, each = _bound(read_wasm(edge[MODULE]))
        found = found.model_copy(update={"instructions": once, "instructions_per_byte": each})
    if SOURCE in edge:
        once, each = _bound(read_c_of(policy, edge[HEADER], edge[SOURCE]))
        found = found.model_copy(update={"operations": once, "operations_per_byte": each})
    return found


def _bound(artefact: Artefact) -> tuple[int, int]:
    """The most that an artefact does for a decision with its texts, and more a byte of them."""
    scans = artefact.scans.values()
    once = artefact.steps + sum(scan.steps for scan in scans)
    return once, max((scan.steps_each for scan in scans), default=0)
