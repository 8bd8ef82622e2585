"""Scans of a policy as a decoder would find them in an artefact.

In: a policy.  Out: a `machine.Artefact` that has its scans and variables, and no step.
"""

from __future__ import annotations

from govlang.compiler import edge_automata, ir
from govlang.compiler.interface import variables
from govlang.compiler.text_classes import classify_fields
from govlang.verifier.translation.machine import Artefact, Automaton, Function, Scan


def artefact_of(policy: ir.Policy) -> Artefact:
    """The scans and the variables of a policy."""
    names = variables(policy, classify_fields(policy))
    return Artefact(
        {one.name: one.width for one in names},
        {one.name: one.unset for one in names},
        {},
        Function({}, {}, ()),
        scans_of(policy),
        {},
    )


def scans_of(policy: ir.Policy) -> dict[str, Scan]:
    """A scan of every text that a policy reads."""
    found = edge_automata.text_scans(policy, classify_fields(policy))
    return {
        one.field.name: Scan(
            one.field.name,
            one.field.max_bytes,
            _decoded(one.validity),
            tuple(map(_decoded, one.columns)),
            one.others,
        )
        for one in found
    }


def _decoded(one: edge_automata.Automaton) -> Automaton:
    return Automaton(one.symbol, one.next, one.classes, one.shift, one.states)
