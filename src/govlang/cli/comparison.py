"""Compares two policies for the command line: their reports joined, and what a manifest may claim of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from govlang.cli.compiled import compile_policy
from govlang.cli.formats.findings import Report, capped, joined_status
from govlang.cli.verification import replay_on, rerun_on, said_meanwhile
from govlang.compiler.transitions import machines
from govlang.native.manifest import NoLooser
from govlang.native.takeover import kept_cells, starting_anew
from govlang.runtime.policy import Policy
from govlang.verifier.diff import DiffReport, diff

if TYPE_CHECKING:
    from govlang.cli.subject import Subject
    from govlang.compiler import ir
    from govlang.verifier.report import Options
    from govlang.verifier.smtlib import Watch

NO_LOOSER = "no_looser"


def compared(
    old: Subject,
    new: ir.Policy,
    new_table: bytes,
    options: Options,
    *,
    no_looser: bool,
    watch: Watch | None = None,
    old_table: bytes | None = None,
) -> DiffReport:
    """The difference, each witness replayed on both tables (that of OLD is compiled where it is not given).

    `watch` is told every question.
    """
    before = old.checked.policy
    old_table = old_table or table_of(old)
    may_take_long = before.time is not None or new.time is not None
    with said_meanwhile(f"comparing with {before.name} {before.version}", shown=may_take_long):
        return diff(
            before,
            new,
            options=options,
            no_looser=no_looser,
            replay_old=replay_on(old_table),
            replay_new=replay_on(new_table),
            rerun_old=rerun_on(old_table),
            rerun_new=rerun_on(new_table),
            watch=watch,
        )


def anew(
    before: ir.Policy, new: ir.Policy, old_table: bytes, new_table: bytes
) -> list[dict[str, str]]:
    """The cells that start anew where NEW goes on from the state that OLD saved: `cell`, `kind` and `why`."""
    if new.time is None:
        return []
    saved, memory = (Policy(table, capacity=1).memory for table in (old_table, new_table))
    found = starting_anew(kept_cells(saved), memory)
    if before.name != new.name:
        why = f"the state of `{before.name}` is that of another policy"
        found = dict.fromkeys(kept_cells(memory), why)
    known = {one.name for one in machines(new.time)}
    return [
        {"cell": name, "kind": "machine" if name in known else "cell", "why": why}
        for name, why in found.items()
    ]


def table_of(subject: Subject) -> bytes:
    """The compiled table of a policy; that of a bundle is its own."""
    if subject.bundle:
        return subject.bundle.table
    return compile_policy(subject.checked.policy).table


def with_difference(report: Report, difference: DiffReport) -> Report:
    """A verifier's report with the findings of a comparison, and the proof if nothing is looser."""
    plain = difference.to_json()
    proved: list[dict[str, Any]] = []
    if not difference.is_looser and plain["status"] == "proved":
        method = f"{difference.method}, against {difference.old}"
        proved = [{"property": NO_LOOSER, "kind": "diff", "method": method, "ms": plain["ms"]}]
    return report | {
        "status": joined_status(report["status"], plain["status"]),
        "findings": report["findings"] + capped(plain["findings"]),
        "proved": report["proved"] + proved,
        "ms": report["ms"] + plain["ms"],
    }


def claim(difference: DiffReport) -> NoLooser | None:
    """What the manifest may say: that nothing is looser than in the older policy."""
    decided = difference.to_json()["status"] == "proved"
    if difference.is_looser or not decided:
        return None
    return NoLooser(against=difference.old, verdict="proved")
