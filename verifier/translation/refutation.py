"""What refutes a table: a request or a sample that shows a fault, or what the table shows by itself.

In: everything that was not proved.  Out: a refutation, or none if no try shows a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from govlang.compiler import ir
from govlang.verifier.translation.deadline import OutOfTimeError
from govlang.verifier.translation.decode import Decoded
from govlang.verifier.translation.outcome import TableReader
from govlang.verifier.translation.proof import Refutation
from govlang.verifier.translation.records import Mismatch
from govlang.verifier.translation.search import Doubt, TableSearch
from govlang.verifier.translation.solve import Solver
from govlang.verifier.translation.time_moments import Moments
from govlang.verifier.translation.time_step import TimeReader
from govlang.verifier.translation.time_witness import TimeWitnesses
from govlang.verifier.translation.witness import Witnesses

DOUBTS_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Faults:
    """What was not proved: the first of it by name; `moments` None: the table has not even the policy's columns."""

    first: str
    doubts: Sequence[Doubt]
    mismatches: Sequence[Mismatch]
    moments: Moments | None


def find_refutation(policy: ir.Policy, decoded: Decoded, faults: Faults) -> Refutation | None:
    """What shows one of the faults."""
    reader = TableReader(decoded)
    if policy.time is None:
        tries: TableSearch[Any] = Witnesses(policy, reader)
        found = _by_request(tries, policy, decoded, faults)
    elif faults.moments is not None and faults.moments.memory is not None:
        tries = TimeWitnesses(policy, TimeReader(reader, faults.moments.memory))
        found = _by_sample(tries, faults)
    else:
        found = iter(())
    shown = next((tries.refuted(what, one) for what, one in found if one is not None), None)
    bare = next((one for one in faults.mismatches if one.bare), None)
    return Refutation(bare.what) if shown is None and bare is not None else shown


Attempts = Iterator[tuple[str, Any]]
"""What may be wrong, and what shows it, if the search finds something."""


def _by_sample(tries: TableSearch[Any], faults: Faults) -> Attempts:
    """Of a policy that remembers; a record that differs is shown by nothing better."""
    with suppress(OutOfTimeError):
        yield from _by_doubts(tries, faults)
    if not faults.mismatches:
        yield faults.first, tries.by_probing(())


def _by_doubts(tries: TableSearch[Any], faults: Faults) -> Attempts:
    for doubt in faults.doubts[:DOUBTS_MAX]:
        yield doubt.what, tries.by_claim(doubt.solver(), doubt.claims(), doubt.rule)


def _by_request(
    tries: TableSearch[Any], policy: ir.Policy, decoded: Decoded, faults: Faults
) -> Attempts:
    if not _can_be_asked(policy, decoded):
        return
    if faults.moments is not None:
        with suppress(OutOfTimeError):
            yield from _by_solver(tries, policy, faults, faults.moments.solver())
    yield faults.first, tries.by_probing(faults.mismatches)


def _by_solver(
    tries: TableSearch[Any], policy: ir.Policy, faults: Faults, solver: Solver
) -> Attempts:
    yield from _by_doubts(tries, faults)
    for mismatch in faults.mismatches[:DOUBTS_MAX]:
        for rule in _rules_of(policy, mismatch):
            fired = [rule] if mismatch.also is None else [rule, mismatch.also]
            claims = [tries.fires(solver, one) for one in fired]
            yield mismatch.what, tries.by_claim(solver, claims, rule)
    if faults.mismatches:
        yield faults.mismatches[0].what, tries.by_default(solver)


def _can_be_asked(policy: ir.Policy, decoded: Decoded) -> bool:
    """Whether requests make sense to the table: inputs, members and actions have own names."""
    table = decoded.policy
    lists = [tuple(one.name for one in named) for named in (table.fields, table.actions)]
    lists += [one.members for one in decoded.fields]
    distinct = all(len(names) == len(set(names)) for names in lists)
    return distinct and len(table.params) == len(policy.params)


def _rules_of(policy: ir.Policy, mismatch: Mismatch) -> list[int]:
    if mismatch.rule is not None:
        return [mismatch.rule]
    return [] if mismatch.field else list(range(len(policy.rules)))[:DOUBTS_MAX]
