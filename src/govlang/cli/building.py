"""Builds a bundle: a source in, the bytes of the bundle and a report out; nothing is written here but by `write`.

What always holds: no bundle without a verdict `proved` and without a proof that every artefact in it means the
policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from govlang.cli.compiled import (
    EDGE_RULES_MAX,
    HEADER,
    MODULE,
    SOURCE,
    Compiled,
    compile_edge,
    compile_module,
    compile_policy,
    over_time,
)
from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Finding, Report, error_of
from govlang.cli.merged import merged_source, read_program
from govlang.cli.settled import accepted_of, proofs_of
from govlang.cli.tiers import only_tier
from govlang.cli.translation import KIND, prove_edge, prove_table
from govlang.cli.verification import verified
from govlang.compiler.bundle import Contents, bundle_bytes, state
from govlang.compiler.checked import Checked
from govlang.compiler.imports import Program
from govlang.compiler.ir import SHARED, Policy, Time
from govlang.compiler.lower import lower_policy
from govlang.dsl.diagnostics import GovError
from govlang.native import layout
from govlang.native.errors import CodedError
from govlang.native.files import write_whole
from govlang.native.manifest import Cost, NoLooser
from govlang.native.table import Table

if TYPE_CHECKING:
    from govlang.verifier.report import Options

VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
"""A version that can stand in the name of a file, on any system."""

REQUESTS_ONLY: Final = ("c", "jsonlogic", "smt2")
"""Artefacts of policies without rules over time."""


@dataclass(frozen=True, slots=True)
class Built:
    """What came out; `bundle` is empty unless the verification came out as proved."""

    checked: Checked
    program: Program
    policy: Policy
    compiled: Compiled
    edge: Mapping[str, bytes]
    bundle: bytes
    stem: str
    report: dict[str, Any]


def build(
    path: Path,
    options: Options,
    *,
    tier: str | None,
    key_pem: bytes | None,
    against: Path | None,
    emits: tuple[str, ...] = (),
) -> Built:
    """Check, verify, compile, prove; above 2 000 rules C and WebAssembly only where `emits` names them.

    Raises:
        GovError: the source cannot be used.
        CodedError: the key, the tier, the version or the older policy cannot be used; GOV715 there is no such
            artefact of a policy over time.
    """
    start = perf_counter()
    program = read_program(path)
    checked = lower_policy(program)
    policy = checked.policy if tier is None else only_tier(checked.policy, tier)
    stem = _stem(policy, tier)
    _check_emits(policy, emits)
    whole = compile_policy(checked.policy)
    compiled = whole if tier is None else compile_policy(policy)
    report = verified(checked, options, compiled=whole)
    if tier is not None:
        report |= {"proved": _proved_of(replace(checked, policy=policy), options, compiled)}
    report, no_looser = _held_against(against, report, policy, compiled, options)
    report = prove_table(report, policy, compiled.table, compiled.snapshot, options)
    edge = _edge(policy, compiled, emits)
    if not edge or policy.time is not None:
        report |= {"findings": [*report["findings"], _left_out(policy)]}
    report, edge = _with_edge(report, policy, edge, compiled, options, emits)
    bundle = b""
    if report["status"] == "proved":
        source = merged_source(program, checked.policy)
        contents = _contents(policy, compiled, edge, source, report, no_looser, tier)
        bundle = bundle_bytes(contents, key_pem)
    told = _told(policy, report, compiled, edge, bundle) | {
        "ms": round((perf_counter() - start) * 1000)
    }
    return Built(checked, program, policy, compiled, edge, bundle, stem, told)


def _held_against(
    older: Path | None, report: Report, policy: Policy, compiled: Compiled, options: Options
) -> tuple[Report, NoLooser | None]:
    """The report with what became looser since an older policy, and what may be claimed of that."""
    if older is None:
        return report, None
    from govlang.cli.comparison import claim, compared, with_difference
    from govlang.cli.subject import open_subject

    old = open_subject(older)
    difference = compared(old, policy, compiled.table, options, no_looser=True)
    return with_difference(report, difference), claim(difference)


def _with_edge(
    report: Report,
    policy: Policy,
    edge: dict[str, bytes],
    compiled: Compiled,
    options: Options,
    emits: tuple[str, ...],
) -> tuple[Report, dict[str, bytes]]:
    """The report with the proofs for the edge; what nobody asked for is left out where it is undecided."""
    proved = prove_edge(report, policy, edge, compiled.snapshot, options, table=compiled.table)
    asked = bool({"c", "wasm"} & set(emits))
    if asked or (report["status"], proved["status"]) != ("proved", "undecided"):
        return proved, edge
    message = (
        "the bundle holds no C and no WebAssembly: it is undecided whether they mean the policy"
    )
    help_line = "name them with `--emit c,wasm` to see what is undecided, or raise `--timeout`"
    left_out = error_of("GOV309", KIND, message, help_line) | {"severity": "warning"}
    return report | {"findings": [*report["findings"], left_out], "ms": proved["ms"]}, {}


def _check_emits(policy: Policy, emits: tuple[str, ...]) -> None:
    """Whether a policy has the artefacts that are asked for.

    Raises:
        CodedError: GOV715 the policy has rules over time, which they cannot say yet.
    """
    unable = [name for name in emits if name in REQUESTS_ONLY]
    if policy.time is not None and unable:
        raise over_time(policy, f"`--emit {unable[0]}`")


def _edge(policy: Policy, compiled: Compiled, emits: tuple[str, ...]) -> dict[str, bytes]:
    """The parts for boards and browsers, if the policy is not too large for them or they are asked for."""
    if policy.time is not None:
        return _timed_edge(policy, policy.time, compiled, emits)
    small = len(policy.rules) <= EDGE_RULES_MAX
    wanted = {MODULE: small or "wasm" in emits, SOURCE: small or "c" in emits}
    if not any(wanted.values()):
        return {}
    wanted[HEADER] = wanted[SOURCE]
    parts = compile_edge(policy, compiled.snapshot)
    return {name: part for name, part in parts.items() if wanted[name]}


def _timed_edge(
    policy: Policy, time: Time, compiled: Compiled, emits: tuple[str, ...]
) -> dict[str, bytes]:
    """The module of a policy over time, if a board can keep what it remembers.

    Raises:
        CodedError: GOV716 it is asked for, and no board can.
    """
    fields, asked = _elsewhere(time), "wasm" in emits
    if asked and fields:
        message = f"`{policy.name}` keeps state per {fields}, a board only that of one key"
        raise CodedError("GOV716", message, "decide this in the service (`gov build --emit table`)")
    if fields or (len(policy.rules) > EDGE_RULES_MAX and not asked):
        return {}
    return {MODULE: compile_module(policy, compiled.snapshot)}


def _elsewhere(time: Time) -> str:
    """The fields of which a policy keeps cells each, beside its key; empty if there are none."""
    found = {cell.scope for cell in time.cells} - {SHARED, time.key or SHARED}
    return ", ".join(f"`{one}`" for one in sorted(found))


def _left_out(policy: Policy) -> Finding:
    """Why a bundle lacks C or WebAssembly; a large policy gets them only on demand."""
    if policy.time is not None:
        return _left_out_over_time(policy, policy.time)
    return _too_large(policy)


def _too_large(policy: Policy) -> Finding:
    message = (
        f"the bundle holds no C and no WebAssembly: {len(policy.rules)} rules are more than "
        f"{EDGE_RULES_MAX}"
    )
    help_line = "name them with `--emit c,wasm` if a board is to run this policy"
    return error_of("GOV313", KIND, message, help_line) | {"severity": "note"}


def _left_out_over_time(policy: Policy, time: Time) -> Finding:
    fields = _elsewhere(time)
    if fields:
        message = (
            f"the bundle holds no C and no WebAssembly: the policy keeps state per {fields}, a board "
            "only that of one key"
        )
        help_line = "decide with the table, or keep that state by the policy's key"
        return error_of("GOV716", KIND, message, help_line) | {"severity": "note"}
    if len(policy.rules) > EDGE_RULES_MAX:
        return _too_large(policy)
    message = "the bundle holds no C: that of rules over time has no proof yet"
    help_line = "a board can run the module of the bundle"
    return error_of("GOV715", KIND, message, help_line) | {"severity": "note"}


def _stem(policy: Policy, tier: str | None) -> str:
    """The name of the files, before their endings.

    Raises:
        CodedError: GOV701 the version cannot be part of it.
    """
    version = policy.version
    if version and not VERSION.fullmatch(version):
        message = f"the version `{version[:40]}` cannot be part of a file's name"
        help_line = "use letters and digits, and `.`, `_`, `+`, `-` between them"
        raise CodedError("GOV701", message, help_line)
    return "-".join(part for part in (policy.name, tier, version) if part)


def _proved_of(tier: Checked, options: Options, compiled: Compiled) -> list[dict[str, Any]]:
    """What is proved of a tier alone; of the whole policy it may hold only by the other tiers.

    Findings are those of the whole policy: a tier is a part, and need not make sense by itself.
    """
    proved: list[dict[str, Any]] = verified(tier, options, compiled=compiled)["proved"]
    return proved


def _contents(
    policy: Policy,
    compiled: Compiled,
    edge: Mapping[str, bytes],
    source: bytes,
    report: Report,
    no_looser: NoLooser | None,
    tier: str | None,
) -> Contents:
    return Contents(
        policy=policy,
        core=compiled.core,
        source=source,
        table=compiled.table,
        table_version="{}.{}".format(*layout.version_of(compiled.table)),
        proofs=tuple(proofs_of(report)),
        accepted=tuple(accepted_of(report)),
        no_looser=no_looser,
        tier=tier,
        worst_case=cost(compiled, edge),
        others=edge,
    )


def cost(compiled: Compiled, edge: Mapping[str, bytes]) -> Cost:
    """The worst case of one decision: steps of the table, instructions of the module."""
    structure = compiled.structure
    fixed = structure.worst_nodes + structure.worst_lookups
    engine = Table(compiled.table)
    if engine.schema.memory is not None:  # with the updates of a sample
        fixed = engine.steps
    table = Cost(steps=fixed, steps_per_byte=structure.text_columns)
    if MODULE not in edge:
        return table
    from govlang.verifier.translation.wasm_read import read_wasm

    module = read_wasm(edge[MODULE])
    scans = module.scans.values()
    return table.model_copy(
        update={
            "instructions": module.steps + sum(scan.steps for scan in scans),
            "instructions_per_byte": max((scan.steps_each for scan in scans), default=0),
        }
    )


def _told(
    policy: Policy, report: Report, compiled: Compiled, edge: Mapping[str, bytes], bundle: bytes
) -> dict[str, Any]:
    """The report beside the bundle: what may differ from one build to the next stands here."""
    kept = state(policy)
    return {
        "policy": report["policy"],
        "version": report["version"],
        "snapshot": compiled.snapshot,
        "verification": report,
        "structure": asdict(compiled.structure),
        "worst_case": cost(compiled, edge).model_dump(),
        "state": [one.model_dump() for one in kept],
        "state_bytes": sum(one.bytes for one in kept),
        "bytes": {
            "core.json": len(compiled.core),
            "table.bin": len(compiled.table),
            **{name: len(part) for name, part in edge.items()},
            "bundle": len(bundle),
        },
    }


def write(built: Built, folder: Path, emits: tuple[str, ...]) -> list[Path]:
    """Write the bundle, its report and the single artefacts, each whole; their paths.

    Raises:
        GovError: an artefact cannot say what the policy says; then nothing is written.
        OSError: the folder cannot be written.
    """
    contents = {
        f"{built.stem}.govb": built.bundle,
        f"{built.stem}.report.json": json_text(built.report).encode() + b"\n",
    }
    for what in emits:
        contents |= _emit(built, what)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]


def _emit(built: Built, what: str) -> dict[str, bytes]:
    """The files of an artefact; a C file is named as it includes its header."""
    policy, stem = built.policy, built.stem
    match what:
        case "table":
            return {f"{stem}.table.bin": built.compiled.table}
        case "c":
            return {f"{policy.name}.h": built.edge[HEADER], f"{policy.name}.c": built.edge[SOURCE]}
        case "wasm":
            return {f"{stem}.wasm": built.edge[MODULE]}
        case "jsonlogic":
            return {f"{stem}.jsonlogic.json": _jsonlogic(policy)}
        case "smt2":
            from govlang.verifier.policy_smtlib import policy_smtlib

            return {f"{stem}.smt2": policy_smtlib(policy).encode()}
        case _:
            return {f"{stem}.html": _page(built)}


def _jsonlogic(policy: Policy) -> bytes:
    from govlang.compiler.interpret import default_params
    from govlang.compiler.jsonlogic import export_jsonlogic

    try:
        logic = export_jsonlogic(policy, default_params(policy), decisions_only=True)
    except GovError as error:
        way_out = "nothing was written; leave `jsonlogic` out of `--emit` to build the rest"
        raise GovError(
            replace(one, help=one.help or way_out) for one in error.diagnostics
        ) from None
    return json_text(logic).encode() + b"\n"


def _page(built: Built) -> bytes:
    from govlang.cli.html import html_page
    from govlang.cli.html.tables import definitions, policy_tables

    declared = built.program.declarations
    page = html_page(
        built.policy,
        built.compiled.snapshot,
        list(policy_tables(declared)),
        list(definitions(declared)),
        built.report["verification"],
    )
    return page.encode()
