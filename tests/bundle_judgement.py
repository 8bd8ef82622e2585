"""What `gov verify` says of a changed bundle, and whether that is so on the real engines.

In: the bundle of a policy, and the parts that were changed.  Out: what became of it (refused, refuted,
equal, undecided), and what is wrong about that: a refutation that no engine shows, or a difference that
nobody found.

What always holds: a refutation counts only if the changed artefact answers otherwise than the one that
was built, on the request or the variables that it names, in wasmtime, compiled, or in the table's engine.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from decimal import Decimal
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, Final

import tables
from bundle_engines import Asked, Original, Parts
from bundle_mutation import with_parts
from edge_values import values
from host_cases import Case, cases_of, told
from ir_strategies import random_params
from table_mutation import refuted, seen_difference

from govlang.cli.app import run
from govlang.cli.building import build
from govlang.compiler import ir
from govlang.native.container import unpack
from govlang.native.errors import CodedError
from govlang.native.request import InvalidFieldError, read_request
from govlang.runtime.edge import EdgePolicy
from govlang.runtime.policy import Policy
from govlang.verifier.findings import KIND_OF_CODE, TRANSLATION
from govlang.verifier.report import Options
from govlang.verifier.translation.edge import read_c_of
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_run import classify
from govlang.verifier.translation.proof import Refutation
from govlang.verifier.translation.scan_proof import prove_scans
from govlang.verifier.translation.wasm_read import read_wasm

ACCEPTED: Final = tuple(kind for code, kind in KIND_OF_CODE.items() if code != TRANSLATION)
"""What a random policy may be accused of: only its artefacts are on trial."""

TIMEOUT_S: Final = 3
SAMPLED: Final = 60
PARTS_OF: Final = {
    "table": {"table.bin"},
    "WebAssembly": {"policy.wasm"},
    "C": {"policy.c", "policy.h"},
}


def original(path: Path) -> Original:
    """What `gov build` makes of a source."""
    options = Options(timeout_s=TIMEOUT_S, accept_kinds=ACCEPTED)
    built = build(path, options, tier=None, key_pem=None, against=None)
    assert built.bundle, built.report
    return Original(built.policy, unpack(built.bundle))


def verified(parts: Parts, folder: Path) -> dict[str, Any]:
    """The report of `gov verify` on a bundle of these parts."""
    path = folder / "changed.govb"
    path.write_bytes(with_parts(parts))
    options = ("--accept", ",".join(ACCEPTED), "--timeout", str(TIMEOUT_S), "--format", "json")
    printed = StringIO()
    with redirect_stdout(printed):
        run(["verify", str(path), *options])
    report: dict[str, Any] = json.loads(printed.getvalue(), parse_float=Decimal)
    return report


def fate_of(one: Original, changed: Parts, folder: Path, rng: random.Random) -> tuple[str, str]:
    """What became of a changed bundle, and what is wrong about that."""
    parts = {**one.parts, **changed}
    report = verified(parts, folder)
    errors = [finding for finding in report["findings"] if finding["severity"] == "error"]
    match report["status"]:
        case "unusable":
            codes = {finding["code"] for finding in errors}
            return "refused", "" if all(c.startswith("GOV4") for c in codes) else f"by {codes}"
        case "refuted":
            (finding,) = [finding for finding in errors if finding["code"] == TRANSLATION]
            return "refuted", _not_shown(one, parts, finding, rng)
        case "proved":
            return "equal", seen(one, parts, rng)
        case _:
            return "undecided", ""


# --- refutations ---------------------------------------------------------------------------------


def _not_shown(one: Original, parts: Parts, finding: dict[str, Any], rng: random.Random) -> str:
    """What is wrong with a refutation."""
    message = finding["message"]
    what = next(word for word in PARTS_OF if message.startswith(f"the {word} differs"))
    if all(parts[name] == one.parts[name] for name in PARTS_OF[what]):
        return f"the {what} was not changed: {message}"
    if what == "table":
        return _table_not_shown(one, parts["table.bin"], finding, rng)
    asked = _asked(one, finding)
    if asked is None:
        return _not_shown_by_itself(one, parts, what)
    before, after = (one.decided(some, what, [asked]) for some in (one.parts, parts))
    return "" if before != after else f"no difference: {message}"


def _asked(one: Original, finding: dict[str, Any]) -> Asked | None:
    """The request or the variables of a refutation; None if the artefact shows it by itself."""
    message, witness = finding["message"], finding.get("witness")
    if witness is not None:
        (step,) = witness["trace"]
        given = read_request(one.policy.fields, step["request"], step["runtime"])
        return one.asked(given, witness["params"])
    if ", with " not in message:
        return None
    told_of = re.findall(r"([^ ,]+) = (-?\d+)(?=, |$)", message.rpartition(", with ")[2])
    return Asked({name: int(value) for name, value in told_of})


def _table_not_shown(
    one: Original, table: bytes, finding: dict[str, Any], rng: random.Random
) -> str:
    try:
        Policy(table)
    except CodedError:
        return ""  # no engine takes it
    refutation, witness = Refutation(finding["message"]), finding.get("witness")
    if witness is not None:
        (step,) = witness["trace"]
        request, runtime, params = step["request"], step["runtime"], witness["params"]
        refutation = Refutation(finding["message"], request, runtime, params)
    return refuted(one.policy, one.parts["table.bin"], table, refutation, rng)[1]


def _not_shown_by_itself(one: Original, parts: Parts, what: str) -> str:
    """Something beside the step must be other; a scan must show it by a text, if one is known."""
    before, after = (_decoded(one.policy, some, what) for some in (one.parts, parts))
    if _beside_the_step(before) != _beside_the_step(after):
        return ""
    faults = [fault for fault in prove_scans(one.policy, after).faults if fault.texts]
    if not faults:
        return "" if before.scans != after.scans else "nothing is other by itself"
    texts = [text for fault in faults for text in fault.texts]
    if one.scanned(one.parts, what, texts) != one.scanned(parts, what, texts):
        return ""
    classes = [  # a class that is wrong is not returned by the scan
        [[classify(some.scans[f.field], t) for t in f.texts] for f in faults]
        for some in (before, after)
    ]
    return "" if classes[0] != classes[1] else f"no difference on {texts}"


def _beside_the_step(artefact: Artefact) -> list[Any]:
    """What a host sees of an artefact before it decides; the order of variables and cells counts."""
    named = (artefact.variables, artefact.unset, artefact.cells, artefact.constants, artefact.null)
    beside = (artefact.schema, artefact.unsigned, artefact.comments)
    return [*([*one.items()] for one in named), *beside]


def _decoded(policy: ir.Policy, parts: Parts, what: str) -> Artefact:
    if what == "WebAssembly":
        return read_wasm(parts["policy.wasm"])
    return read_c_of(policy, parts["policy.h"], parts["policy.c"])


# --- equal ---------------------------------------------------------------------------------------


def seen(one: Original, parts: Parts, rng: random.Random) -> str:
    """A difference that random requests and values show, or a manifest that tells another policy."""
    policy, params = one.policy, random_params(rng, one.policy)
    if parts["manifest.json"] != one.parts["manifest.json"]:
        return "the manifest was changed"
    if parts["table.bin"] != one.parts["table.bin"]:
        return seen_difference(policy, Policy(parts["table.bin"]), rng)
    cases = list(cases_of(policy, params, rng, SAMPLED))
    hosts = [
        EdgePolicy(some["policy.wasm"], tables.written_params(policy, params))
        for some in (one.parts, parts)
    ]
    for case in cases:
        before, after = (told(h.decide(case.request, runtime=case.runtime)) for h in hosts)
        if before != after:
            return f"a host of WebAssembly differs on {case} with {params}"
    asked = [Asked(row) for row in islice(values(rng, one.module.program.variables), SAMPLED)]
    asked += [one.asked(given, params) for given in _read(policy, cases)]
    for what in ("WebAssembly", "C"):
        answers = one.decided(one.parts, what, asked), one.decided(parts, what, asked)
        differing = [a for a, x, y in zip(asked, *answers, strict=True) if x != y]
        if differing:
            return f"the {what} differs on {differing[0]}"
    return ""


def _read(policy: ir.Policy, cases: list[Case]) -> Iterator[dict[str, int | str]]:
    """The requests that a host reads without fault."""
    for case in cases:
        with suppress(InvalidFieldError):
            yield read_request(policy.fields, case.request, case.runtime)
