"""A policy as one step: what C and WebAssembly are printed from (see program.py, docs/edge.md).

In: a policy and the classes of its texts.  Out: a `Program`.

The step reads and checks its variables, finds the rules that fire, lets each of them gather its rank
and its obligations, and makes the outcome of what was gathered.  What always holds: the program is as
long as the policy, up to a factor that does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from govlang.compiler import interface, ir
from govlang.compiler.program import Load, Program, Refuse, Slot, Statement, Variable
from govlang.compiler.program_walk import all_reads, all_writes
from govlang.compiler.steps_gather import Gathering, Slots
from govlang.compiler.steps_logic import NO, negation
from govlang.compiler.steps_outcome import Ending
from govlang.compiler.steps_rules import rules_of
from govlang.compiler.steps_settled import settled
from govlang.compiler.steps_terms import Reading
from govlang.compiler.steps_time import build_timed_program
from govlang.compiler.terms import Space
from govlang.compiler.text_classes import TextClasses


def build_program(policy: ir.Policy, classes: Mapping[str, TextClasses]) -> Program:
    """The step of a policy.

    Raises:
        BoardError: it remembers what a board has no place for.
    """
    if policy.time is not None:
        return build_timed_program(policy, policy.time, classes)
    variables = interface.variables(policy, classes)
    slots = Slots()
    read = {one.name: slots.variable(one) for one in variables}
    reading = Reading(Space(policy, classes), read)
    gathering = Gathering(policy, reading, slots)
    rules = rules_of(policy, classes, reading, slots, gathering)
    ending = Ending(policy, reading, slots, gathering)
    refused = ending.refused()
    found = (*gathering.starts(), *rules.statements(), *ending.statements())
    body = (
        *_read(variables, read),
        *_assumed(policy, reading, len(variables)),
        *settled(found, {gathering.best, *(slot for slot, _ in refused)}),
    )
    used = {*all_reads(body), *all_writes(body)}
    kept = tuple(slot for slot in slots.found.values() if slot in used)
    cells = tuple(gathering.cells.values())
    known = tuple(pair for pair in refused if pair[0] in used)
    return Program(policy, variables, cells, kept, body, known)


def _read(variables: tuple[Variable, ...], slots: Mapping[str, Slot]) -> Iterator[Statement]:
    for number, one in enumerate(variables):
        yield Load(slots[one.name], one, number)


def _assumed(policy: ir.Policy, reading: Reading, first: int) -> Iterator[Statement]:
    """A request that breaks an assumption is refused, by the first one."""
    for number, assumption in enumerate(policy.assumptions, first):
        broken = negation(reading.condition(assumption.condition, {}))
        if broken != NO:
            yield Refuse(broken, number)
