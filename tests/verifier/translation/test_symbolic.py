"""A symbolic run says on every request what the machine does there."""

from __future__ import annotations

import random

import pytest
from machine_strategies import DOMAINS, SETS, VARIABLES, Maker, Values, random_values

from govlang.verifier.translation.gathered import Gathered
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.leaves import Leaf
from govlang.verifier.translation.machine_run import UndefinedError, run
from govlang.verifier.translation.paths import Path
from govlang.verifier.translation.reading import Plain, Reader
from govlang.verifier.translation.symbolic import Symbolic
from govlang.verifier.translation.tree import Domain, Spans, Tree
from govlang.verifier.translation.words import OddCodeError, Words

NAMES = list(VARIABLES)


def words() -> Words:
    spans: list[Spans | None] = [None if n in SETS else (DOMAINS[n],) for n in NAMES]
    members = [DOMAINS[n][1].bit_length() if n in SETS else 0 for n in NAMES]
    widths = {i: VARIABLES[n] for i, n in enumerate(NAMES) if n in SETS}
    return Words(Domain(spans, members), widths)


def variable(name: str, _path: Path) -> Tree:
    return ("load", NAMES.index(name))


def guards(own: Words) -> Guards:
    assert isinstance(own.domain.spans, list)
    assert isinstance(own.domain.members, list)
    return Guards(own, own.domain.spans, own.domain.members, raw=len(NAMES))


@pytest.mark.parametrize("tens", range(30))
def test_a_symbolic_run_agrees_with_runs_on_values(tens: int) -> None:
    assert sum(_agrees(10 * tens + one) for one in range(10)) >= 3


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_many_symbolic_runs_agree_with_runs_on_values(seed: int) -> None:
    for more in range(100):
        _agrees(seed * 100 + more)


def _agrees(seed: int) -> bool:
    """A random function on random values; False if the symbolic run does not follow it."""
    rng = random.Random(seed)
    function = Maker(rng).function()
    own = words()
    reader: Reader = guards(own) if seed % 2 else Plain(own)
    symbolic = Symbolic(own, variable, reader)
    try:
        symbolic.run(function)
        stored = [_stored(leaf, reader) for leaf in symbolic.leaves]
    except OddCodeError:
        return False
    for _ in range(40):
        cells = random_values(rng)
        values = _values([cells[name] for name in NAMES], reader)
        undefined = any(
            values.holds(one.condition) and _is_taken(values, one.path, one.given, own)
            for one in symbolic.undefined
        )
        try:
            expected = run(function, cells)
        except UndefinedError:
            assert undefined, cells
            continue
        assert not undefined, cells
        leaves = zip(symbolic.leaves, stored, strict=True)
        taken = [pair for pair in leaves if _is_taken(values, pair[0].path, pair[0].given, own)]
        assert len(taken) == 1
        leaf, trees = taken[0]
        found = {name: values.integer(tree) for name, tree in trees.items()}
        assert (values.integer(leaf.returned), found) == expected
    return True


def _values(columns: list[int], reader: Reader) -> Values:
    if isinstance(reader, Guards):
        return Values(columns, reader.firsts, reader.gathers)
    return Values(columns)


def _is_taken(values: Values, path: Path, given: tuple[Tree, ...], own: Words) -> bool:
    return all(values.holds(one) for one in (path.tree(own.domain), *given))


def _stored(leaf: Leaf, reader: Reader) -> dict[str, Tree]:
    return {
        name: reader.read(value, leaf.path) if isinstance(value, Gathered) else value
        for name, value in leaf.cells.items()
    }
