"""The interface that the proof derives is the one that emitters print."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from ir_strategies import random_policy
from wasm_policies import Module

from govlang.compiler import interface as emitted
from govlang.verifier.translation.edge_interface import interface_mismatches
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_proof import artefact_interface
from govlang.verifier.translation.wasm_read import read_wasm


def artefact(seed: int) -> tuple[Module, Artefact]:
    module = Module(random_policy(random.Random(seed)))
    return module, read_wasm(module.data)


@pytest.mark.parametrize("seed", range(40))
def test_variables_and_cells_are_those_of_the_emitters(seed: int) -> None:
    module, read = artefact(seed)
    found = artefact_interface(module.policy, read)
    assert list(interface_mismatches(found, read)) == []
    ours = [(v.name, v.width, v.unset, v.is_set, v.present) for v in found.variables]
    theirs = emitted.variables(module.policy, module.classes)
    assert ours == [(v.name, v.width, v.unset, v.mask, v.has) for v in theirs]
    assert [v.absent for v in found.variables if v.present] == [v.absent for v in theirs if v.has]
    cells = [(c.name, c.width, c.neutral) for c in found.cells if c.name != "out.rule"]
    others = [(c.name, c.width, c.neutral) for c in emitted.cells(module.policy)]
    assert cells == [cell for cell in others if cell[0] != "out.rule"]


def test_every_difference_of_an_interface_is_named() -> None:
    module, read = artefact(6)
    found = artefact_interface(module.policy, read)
    name, width = next(iter(read.variables.items()))
    rest = {n: w for n, w in read.variables.items() if n != name}
    cells = dict(reversed(read.cells.items()))
    changed = {
        "missing": replace(read, variables=rest),
        "one too many": replace(read, variables={**read.variables, "more": 32}),
        "the variables stand in another order": replace(read, variables={**rest, name: width}),
        f"has {96 - width} bits, must have {width}": replace(
            read, variables={**read.variables, name: 96 - width}
        ),
        "before it is set": replace(read, unset={**read.unset, name: 12345}),
        "the cells stand in another order": replace(read, cells=cells),
    }
    for what, other in changed.items():
        assert any(what in one for one in interface_mismatches(found, other)), what
