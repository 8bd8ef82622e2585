"""A policy as one step: what C and WebAssembly are printed from (see program.py, docs/edge.md).

In: a policy and the classes of its texts.  Out: a `Program`.

The step reads and checks its variables, finds the rules that fire, lets each of them gather its rank
and its obligations, and makes the outcome of what was gathered.  What always holds: the program is as
long as the policy, up to a factor that does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from govlang.compiler import interface, ir
from govlang.compiler.diagram import CODE, build_diagram
from govlang.compiler.program import Load, Program, Refuse, Slot, Statement, Variable
from govlang.compiler.program_walk import all_reads, all_writes
from govlang.compiler.steps_gather import Gathering, Slots
from govlang.compiler.steps_logic import NO, negation
from govlang.compiler.steps_outcome import Ending
from govlang.compiler.steps_rules import Few, Many
from govlang.compiler.steps_settled import settled
from govlang.compiler.steps_terms import Reading
from govlang.compiler.terms import Space
from govlang.compiler.text_classes import TextClasses

FEW: Final = 24
"""Rules that are tested one after another rather than told apart."""


def build_program(policy: ir.Policy, classes: Mapping[str, TextClasses]) -> Program:
    """The step of a policy."""
    variables = interface.variables(policy, classes)
    slots = Slots()
    read = {one.name: slots.variable(one) for one in variables}
    reading = Reading(Space(policy, classes), read)
    gathering = Gathering(policy, reading, slots)
    rules: Few | Many
    if len(policy.rules) <= FEW:
        rules = Few(policy, reading, slots, gathering)
    else:
        diagram = build_diagram(policy, classes, CODE)
        rules = Many(policy, reading, slots, gathering, diagram)
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
