from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from c_compiled import COMPILERS, QUIET, SANITIZED, Compiled
from c_demo import HEADER, SOURCE
from c_demo_rows import c_cells, documented_row, rows
from c_programs import HEADER as RANDOM_HEADER
from c_programs import MEMBERS, Program

from govlang.native.errors import ArtefactError
from govlang.verifier.translation import machine
from govlang.verifier.translation.c_names import Documented
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine_run import UndefinedError, run


def test_the_interface_is_read_in_the_order_of_the_header() -> None:
    found = read_c(HEADER, SOURCE)
    assert list(found.variables.items()) == [
        ("battery", 32),
        ("has.zone", 32),
        ("zone", 64),
        ("tags", 32),
        ("approved", 64),
        ("param.heavy", 32),
    ]
    assert [*found.cells] == [
        "out.decision",
        "out.rule",
        "out.invalid",
        "out.limited.0",
        "out.limited.1",
        "out.lo.speed",
        "out.hi.speed",
        "out.roles",
    ]
    assert found.cells["out.limited.1"] == 32
    assert found.cells["out.roles"] == 64


def test_first_values_are_those_of_the_initialisers() -> None:
    assert read_c(HEADER, SOURCE).unset == {
        "battery": 101,
        "has.zone": 2,
        "zone": -1,
        "tags": -1,
        "approved": 0,
        "param.heavy": 25,
    }


def test_constants_are_those_of_enums_and_macros() -> None:
    assert read_c(HEADER, SOURCE).constants == {
        "DEMO_ALLOW": 0,
        "DEMO_LIMIT": 1,
        "DEMO_DENY": 4,
        "DEMO_RULE_HEAVY": 0,
        "DEMO_RULE_DEFAULT": 1,
        "DEMO_RULE_INVALID": 2,
        "DEMO_TAGS_RED": 1,
        "DEMO_TAGS_BLUE": 1 << 63,
    }


def test_a_null_pointer_leaves_deny_in_every_cell() -> None:
    null = read_c(HEADER, SOURCE).null
    assert null["out.decision"] == 4
    assert null["out.rule"] == 2
    assert null["out.hi.speed"] == 100
    assert len(null) == 8


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("flags", [("-O2",), ("-O1", *SANITIZED)], ids=["fast", "sanitized"])
def test_what_is_read_does_what_the_compiled_text_does(
    tmp_path: Path, compiler: str, flags: tuple[str, ...]
) -> None:
    decide = read_c(HEADER, SOURCE).decide
    given = [*rows(2000)]
    compiled = Compiled(tmp_path, HEADER, SOURCE, compiler, *flags).run(given)
    kinds = set()
    for row, found in zip(given, compiled, strict=True):
        value, cells = run(decide, documented_row(row))
        assert found is not None
        assert found.given == value
        assert found.cells == c_cells(cells)
        kinds.add((value, cells["out.decision"]))
    assert kinds == {(0, 0), (0, 1), (-1, 4)}


def test_documented_names_decide_what_a_member_is() -> None:
    names = Documented(
        ["battery", "has_zone", "zone", "tags", "approved", "param.heavy"],
        [
            *("out.decision", "out.rule", "out.invalid", "out.limited.0", "out.limited.1"),
            *("out.lo.speed", "out.hi.speed", "out.roles"),
        ],
    )
    assert "has_zone" in read_c(HEADER, SOURCE, names).variables
    swapped = Documented(["has_zone", "battery", *names.variables[2:]], names.cells)
    with pytest.raises(ArtefactError) as caught:
        read_c(HEADER, SOURCE, swapped)
    assert caught.value.at == "header line 24"


def test_statements_know_their_lines() -> None:
    first = read_c(HEADER, SOURCE).decide.body[0]
    assert isinstance(first, machine.Set)
    assert first.at == f"line {SOURCE[: SOURCE.index('int32_t battery =')].count(chr(10)) + 1}"


def test_bytes_are_read_as_utf_8() -> None:
    assert read_c(HEADER.encode(), SOURCE.encode()) == read_c(HEADER, SOURCE)
    with pytest.raises(ArtefactError, match=r"header line 2: text that is not UTF-8"):
        read_c(b"/* */\n/* \xff */", SOURCE)


def test_an_overflow_in_the_text_is_undefined_in_the_machine() -> None:
    source = SOURCE.replace("zone % 7, 4)", "zone, 4)")
    row = {**documented_row(next(rows(1))), "battery": 3, "has.zone": 1, "tags": 0}
    with pytest.raises(UndefinedError):
        run(read_c(HEADER, source).decide, {**row, "zone": -(2**63)})


def test_an_argument_is_evaluated_even_if_nothing_reads_it() -> None:
    """The second argument of `either` is read only if the first one is 0."""
    put = "(battery != 7) && either(1, 100 / battery)"
    source = SOURCE.replace(
        "either((tags & DEMO_TAGS_RED) != 0u, battery < params->param_heavy)", put
    )
    assert source != SOURCE
    decide = read_c(HEADER, source).decide
    row = {**documented_row(next(rows(1))), "has.zone": 0, "tags": 0}
    assert run(decide, {**row, "battery": 3})[0] == 0
    assert run(decide, {**row, "battery": 7})[0] == 0
    with pytest.raises(UndefinedError):
        run(decide, {**row, "battery": 0})


def of_program(seed: int, count: int) -> tuple[str, list[dict[str, int]]]:
    rng = random.Random(seed)
    source = Program(rng).source()
    near = (0, 1, 2, 7, 31, 255, 999, 65535, 10**6)
    given = []
    for _ in range(count):
        row = {name: rng.choice((*near, rng.randint(0, 1000))) for name in MEMBERS}
        given.append({n: -v if n[0] == "i" and rng.random() < 0.3 else v for n, v in row.items()})
    return source, given


def hold_programs(folder: Path, seeds: range, count: int) -> Counter[str]:
    """Random programs: what is read of each does what it does compiled; undefined is undefined."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        source, given = of_program(seed, count)
        decide = read_c(RANDOM_HEADER, source).decide
        flags = ("-O2",) if seed % 2 else ("-O1", *SANITIZED)
        compiled = Compiled(folder / str(seed), RANDOM_HEADER, source, "gcc", *QUIET, *flags)
        for row, found in zip(given, compiled.run(given), strict=True):
            try:
                value, cells = run(decide, row)
            except UndefinedError:
                seen["undefined"] += 1
                continue
            assert found is not None, (source, row)
            shown = {
                name.removeprefix("out."): cell % 2**32 if name == "out.out_u32" else cell
                for name, cell in cells.items()
            }
            assert (value, shown) == (found.given, found.cells), (source, row)
            seen["defined"] += 1
    return seen


def test_random_programs_do_what_was_read(tmp_path: Path) -> None:
    seen = hold_programs(tmp_path, range(16), 12)
    assert seen["defined"] > 120


@pytest.mark.long
@pytest.mark.parametrize("start", range(100, 700, 150))
def test_random_programs_do_what_was_read_at_length(tmp_path: Path, start: int) -> None:
    hold_programs(tmp_path, range(start, start + 150), 40)
