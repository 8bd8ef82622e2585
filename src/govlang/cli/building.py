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

from govlang.cli.compiled import HEADER, MODULE, SOURCE, Compiled, compile_policy
from govlang.cli.edge_building import check_emits, cost, edge_parts, with_edge
from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Report
from govlang.cli.merged import merged_source, read_program
from govlang.cli.settled import accepted_of, proofs_of
from govlang.cli.tiers import only_tier
from govlang.cli.translation import prove_table
from govlang.cli.verification import verified
from govlang.compiler.bundle import Contents, bundle_bytes, state
from govlang.compiler.checked import Checked
from govlang.compiler.imports import Program
from govlang.compiler.ir import Policy
from govlang.compiler.lower import lower_policy
from govlang.dsl.diagnostics import GovError
from govlang.native import layout
from govlang.native.errors import CodedError
from govlang.native.files import write_whole
from govlang.native.manifest import NoLooser

if TYPE_CHECKING:
    from govlang.verifier.report import Options

VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
"""A version that can stand in the name of a file, on any system."""


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
            artefact of a policy over time · GOV716 no board keeps what it remembers.
    """
    start = perf_counter()
    program = read_program(path)
    checked = lower_policy(program)
    policy = checked.policy if tier is None else only_tier(checked.policy, tier)
    stem = _stem(policy, tier)
    check_emits(policy, emits)
    whole = compile_policy(checked.policy)
    compiled = whole if tier is None else compile_policy(policy)
    report = verified(checked, options, compiled=whole)
    if tier is not None:
        report |= {"proved": _proved_of(replace(checked, policy=policy), options, compiled)}
    report, no_looser = _held_against(against, report, policy, compiled, options)
    report = prove_table(report, policy, compiled.table, compiled.snapshot, options)
    edge = edge_parts(policy, compiled, emits)
    report, edge = with_edge(report, policy, edge, compiled, options, emits)
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
        worst_case=cost(policy, compiled, edge),
        others=edge,
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
        "worst_case": cost(policy, compiled, edge).model_dump(),
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
