"""What is read of emitted C does what the C does, compiled; names, constants and first values too."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from c_policies import Emitted, compiled, emitted
from edge_values import values
from ir_strategies import random_policy

from govlang.compiler import c_names as printed
from govlang.native.errors import ArtefactError
from govlang.verifier.translation import c_names
from govlang.verifier.translation.c_read import Documented, read_c
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_run import classify, run, signed

POLICIES, ROWS = 25, 60


@cache
def sample(seed: int) -> tuple[Emitted, Artefact]:
    one = emitted(random_policy(random.Random(seed)))
    return one, read(one)


def read(one: Emitted) -> Artefact:
    names = Documented(
        [variable.name for variable in one.program.variables],
        [cell.name for cell in one.program.cells],
        one.policy.name,
    )
    return read_c(one.header, one.source, names)


def agree(folder: Path, seeds: range, rows: int) -> Counter[int]:
    found = [emitted(random_policy(random.Random(seed)), f"p{seed}") for seed in seeds]
    library, seen = compiled(folder, found, "gcc"), Counter[int]()
    for number, one in enumerate(found):
        artefact, rng = read(one), random.Random(number)
        for _, given in zip(range(rows), values(rng, one.program.variables), strict=False):
            answer, cells = run(artefact.decide, given)
            wanted = library.decide(number, given)
            masks = {c.name for c in one.program.cells if c.mask}
            widths = artefact.cells
            shown = {n: v % 2 ** widths[n] if n in masks else v for n, v in cells.items()}
            assert (answer, shown) == wanted, (one.policy.name, given)
            seen[answer] += 1
    return seen


def test_random_policies_do_what_was_read(tmp_path: Path) -> None:
    seen = agree(tmp_path, range(POLICIES), ROWS)
    assert min(seen[0], seen[-1]) > POLICIES * ROWS // 20


def test_names_first_values_scans_and_refusals_are_those_of_the_policy() -> None:
    for seed in range(POLICIES):
        one, artefact = sample(seed)
        variables, cells = one.program.variables, one.program.cells
        assert {v.name: v.width for v in variables} == artefact.variables
        assert {v.name: signed(v.unset, v.width) for v in variables} == artefact.unset
        assert {c.name: c.width for c in cells} == artefact.cells
        refused = {c.name: signed(c.neutral, c.width) for c in cells}
        assert artefact.null == refused
        assert [*artefact.scans] == [scan.field.name for scan in one.scans]
        for scan, wanted in zip(artefact.scans.values(), one.scans, strict=True):
            assert (scan.max_bytes, scan.pairs) == (wanted.field.max_bytes, wanted.others)
            kept = [(a.symbol, a.next, a.classes, a.shift) for a in (scan.validity, *scan.columns)]
            given = (wanted.validity, *wanted.columns)
            assert kept == [(a.symbol, a.next, a.classes, a.shift) for a in given]
            assert (classify(scan, b"\xff") is None) or scan.max_bytes == 0


def test_names_are_guessed_where_nobody_gives_them() -> None:
    for seed in range(POLICIES):
        one, artefact = sample(seed)
        assert read_c(one.header, one.source) == artefact


def test_another_name_for_a_member_is_refused() -> None:
    one = emitted(random_policy(random.Random(3)))
    for variable in one.program.variables:
        member = one.names.members[variable.name]
        header = one.header.replace(f" {member};", f" {member}_2;")
        with pytest.raises(ArtefactError):
            read_c(header, one.source.replace(f"->{member};", f"->{member}_2;"), Documented(
                [v.name for v in one.program.variables], [c.name for c in one.program.cells]
            ))  # fmt: skip


def test_the_reader_reserves_the_words_that_the_emitter_does() -> None:
    words = {*printed._WORDS.split(), *printed._MACROS.split()}
    assert words == {*c_names._WORDS.split()}
    sized = ["uint8_t", "INT64_MAX", "int_fast16_t", "uint7_t", "UINT_LEAST32_WIDTH", "battery"]
    for name in (*words, *sized):
        assert printed.is_reserved(name) == c_names.is_reserved(name)
    for text in ("a b", "9", "_x", "", "Ä", "int", "has.x"):
        assert printed.Scope().fresh(text) == c_names.NameScope().would(text)
