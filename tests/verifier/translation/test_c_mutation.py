"""Changed C text is refused, or what is read of it does what the compiled text does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from c_compiled import QUIET, SANITIZED, Compiled, Result
from c_demo import HEADER, SOURCE
from c_demo_rows import c_cells, documented_row, rows
from c_mutation import mutant
from c_policies import emitted
from edge_values import values
from ir_strategies import Shape, random_policy

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine import Function
from govlang.verifier.translation.machine_run import UndefinedError, run

Row = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Subject:
    """Two files, rows of members, and how these are named in the machine and its cells in C."""

    header: str
    source: str
    rows: Sequence[Row]
    documented: Callable[[Row], Row]
    cells: Callable[[Row], Row]

    def of_machine(self, decide: Function, row: Row) -> Result | None:
        """What the machine makes of a row; None where it is undefined."""
        try:
            given, cells = run(decide, self.documented(row))
        except UndefinedError:
            return None
        return Result(given, dict(self.cells(cells)))

    def hold(self, folder: Path, rng: random.Random, count: int) -> Counter[str]:
        """Makes so many changes, one in each source; holds those that are read against a compiler."""
        whole, seen = read_c(self.header, self.source).decide, Counter[str]()
        original = [self.of_machine(whole, row) for row in self.rows]
        for number in range(count):
            changed = mutant(rng, self.source)
            try:
                decide = read_c(self.header, changed).decide
            except ArtefactError:
                seen["refused"] += 1
                continue
            wanted = [self.of_machine(decide, row) for row in self.rows]
            seen["same" if wanted == original else "other"] += 1
            flags = ("-O1", *SANITIZED) if number % 2 else ("-O2",)
            compiled = Compiled(folder / str(number), self.header, changed, "gcc", *QUIET, *flags)
            found = compiled.run(self.rows)
            for row, one, other in zip(self.rows, wanted, found, strict=True):
                assert one is None or _same(one, other), (changed, row)
        return seen


def _same(wanted: Result, found: Result | None) -> bool:
    """Whether the compiled text stored the same; what the machine does not store the driver has as 0."""
    if found is None:
        return False
    return (
        wanted.given == found.given and dict.fromkeys(found.cells, 0) | wanted.cells == found.cells
    )


def demo(seed: int) -> Subject:
    return Subject(HEADER, SOURCE, [*rows(150, seed)], documented_row, c_cells)


def of_policy(seed: int) -> Subject:
    """The C of a random policy that has no texts, on values of its variables."""
    rng = random.Random(seed)
    one = emitted(random_policy(rng, Shape(4, 5, 2)))
    while one.scans:
        one = emitted(random_policy(rng, Shape(4, 5, 2)))
    members, cells = one.names.members, one.names.cells
    masks = {cell.name: cell.width for cell in one.program.cells if cell.mask and cell.width == 32}
    back = {member: name for name, member in members.items()}
    given = [
        {members[name]: value for name, value in row.items()}
        for _, row in zip(range(100), values(rng, one.program.variables), strict=False)
    ]
    return Subject(
        one.header,
        one.source,
        [{"unused": 0, **row} for row in given],
        lambda row: {back[name]: value for name, value in row.items() if name in back},
        lambda found: {
            cells[name]: value % 2 ** masks[name] if name in masks else value
            for name, value in found.items()
        },
    )


def test_changed_text_is_refused_or_read_as_it_is_compiled(tmp_path: Path) -> None:
    seen = demo(1).hold(tmp_path, random.Random(1), 60)
    assert seen["refused"] > 15
    assert seen["other"] > 8


def test_changed_text_of_policies_is_refused_or_read_as_it_is_compiled(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(5):
        seen += of_policy(seed).hold(tmp_path / str(seed), random.Random(seed), 8)
    assert min(seen["refused"], seen["other"]) > 5


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
def test_changed_text_is_refused_or_read_as_it_is_compiled_at_length(
    tmp_path: Path, seed: int
) -> None:
    demo(seed).hold(tmp_path, random.Random(seed), 200)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 112))
def test_changed_text_of_policies_is_refused_or_read_as_it_is_compiled_at_length(
    tmp_path: Path, seed: int
) -> None:
    of_policy(seed).hold(tmp_path, random.Random(seed), 40)
