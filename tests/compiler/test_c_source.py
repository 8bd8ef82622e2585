"""Emitted C decides as the interpreter does, under every compiler, without a warning."""

from __future__ import annotations

import ctypes
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_scale
import pytest
from c_policies import (
    COMPILERS,
    STRICT,
    CPolicies,
    Emitted,
    compiled,
    emitted,
    has_compiler,
    write_files,
)
from edge_host import broken, encoded, expected, neutral, said
from ir_strategies import Requests, random_params, random_policy
from tables import policy_of

from govlang.compiler import ir
from govlang.compiler.c_names import Scope, comment, is_reserved, legal
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import decide, default_params
from govlang.dsl.source import Source


def sample(seeds: range) -> list[Emitted]:
    return [emitted(random_policy(random.Random(seed)), f"p{seed}") for seed in seeds]


def texts_of(values: dict[str, int | str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in values.items() if isinstance(text, str)}


def agree(library: CPolicies, found: list[Emitted], requests: int) -> None:
    """Valid requests by classes and by texts, then one variable after another outside its domain."""
    for number, one in enumerate(found):
        rng = random.Random(number)
        params, source = random_params(rng, one.policy), Requests(one.policy)
        for _ in range(requests):
            values = source.request(rng)
            outcome = decide(one.policy, params, values)
            given = encoded(one.policy, one.classes, values, params)
            for texts in (None, texts_of(values)):
                answer, cells = library.decide(number, given, texts)
                assert said(one.policy, cells, values) == expected(outcome), (
                    one.policy.name,
                    values,
                )
                assert answer == (-1 if outcome.rule_id == "invalid_request" else 0)
        refuse(library, number, one, given, rng)


def refuse(
    library: CPolicies, number: int, one: Emitted, given: dict[str, int], rng: random.Random
) -> None:
    present = given | {v.name: 1 for v in one.program.variables if v.name.startswith("has.")}
    present |= {v.name: v.lo for v in one.program.variables if v.has}
    for index, variable in enumerate(one.program.variables):
        bad = broken(rng, variable)
        if bad is not None:
            answer, cells = library.decide(number, present | {variable.name: bad})
            assert (answer, cells["out.invalid"]) == (-1, index)
            assert (cells["out.decision"], cells["out.rule"]) == (4, len(one.policy.rules) + 1)
            assert all(
                cells[c.name] == c.neutral % 2**c.width if c.mask else cells[c.name] == c.neutral
                for c in one.program.cells
                if c.name in neutral(one.policy, cells)
            )


@pytest.mark.parametrize("compiler", COMPILERS)
def test_c_does_nothing_undefined_on_any_input(compiler: str, tmp_path: Path) -> None:
    """Out of bounds and overflow end the process of a sanitizer's run, which is apart from ours."""
    found = sample(range(200, 220))
    write_files(tmp_path, found)
    (tmp_path / "main.c").write_text(wild_program(found), encoding="utf-8")
    checks = ("-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-O1", "-g")
    command = [compiler, "-std=c99", *checks, "main.c", "-o", "wild"]
    if not has_compiler(compiler):
        pytest.skip(f"{compiler} is not installed")
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "wild"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def wild_program(found: list[Emitted]) -> str:
    """A program that fills requests, parameters and texts with any bytes, edges of types often."""
    lines = ['#include "driver.c"', "#include <stdio.h>", "static uint64_t seed = 1u;"]
    lines += ["static int64_t any(void) {", "    static const int64_t ends[8] ="]
    lines += ["        { 0, 1, -1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 100 };"]
    lines += ["    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);"]
    lines += ["    return (seed >> 60) < 8u ? ends[seed >> 60] : (int64_t)((seed >> 33) % 7u);"]
    lines += ["}", "int main(void) {", "    int64_t in[256], out[256]; uint8_t text[300];"]
    lines += ["    for (int round = 0; round < 2000; round++) {"]
    lines += ["        for (int i = 0; i < 256; i++) { in[i] = any(); }"]
    lines += [
        "        for (int i = 0; i < 300; i++) { text[i] = (uint8_t)((uint64_t)any() + 97u); }"
    ]
    for number, one in enumerate(found):
        for which in range(len(one.names.classify)):
            lines.append(f"        classify_{number}({which}, text, (uint32_t)any() % 301u);")
        lines.append(f"        decide_{number}(in, round & 1, out);")
    return "\n".join([*lines, "    }", "    return 0;", "}"]) + "\n"


BOARDS = {
    "arm-none-eabi-gcc": ("-mcpu=cortex-m3", "-mthumb", "-Os"),
    "clang": ("--target=armv7m-none-eabi", "-ffreestanding", "-Os"),
}


@pytest.mark.parametrize("compiler", BOARDS)
def test_c_compiles_for_boards_without_a_warning(compiler: str, tmp_path: Path) -> None:
    """There an `int32_t` is a `long`."""
    if not has_compiler(compiler):
        pytest.skip(f"{compiler} is not installed")
    write_files(tmp_path, sample(range(300, 350)))
    command = [compiler, *STRICT, *BOARDS[compiler], "-c", "driver.c", "-o", "driver.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_host_in_cplusplus_can_include_the_header(tmp_path: Path) -> None:
    if not has_compiler("g++"):
        pytest.skip("g++ is not installed")
    found = sample(range(350, 380))
    write_files(tmp_path, found)
    lines = [
        line
        for one in found
        for line in (
            f'#include "{one.names.policy}.h"',
            f"{one.names.of('request_t')} r_{one.names.policy} = {one.names.macro('REQUEST_UNSET')};",
        )
    ]
    (tmp_path / "host.cpp").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-c", "host.cpp", "-o", "host.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def policy_at(path: Path) -> ir.Policy:
    source = Source(str(path), path.read_text(encoding="utf-8"))
    return compile_source(source, lambda name: (path.parent / name).read_bytes()).policy


def test_the_drone_policy_reads_well(root: Path, golden: Callable[[str, str], None]) -> None:
    one = emitted(policy_at(root / "examples" / "stateless" / "drone_fleet.gov"))
    golden("compiler/drone_fleet.h", one.header)
    golden("compiler/drone_fleet.c", one.source)


# --- texts ---------------------------------------------------------------------------------------

PAIR = (
    ir.Field("a", ir.Kind.TEXT, max_bytes=8),
    ir.Field("b", ir.Kind.PATH, max_bytes=12),
)
SAME = ir.Rule("same", ir.TextEqual("a", "b"), ir.Effect.DENY)
LIKE = ir.Rule(
    "like",
    ir.TextTest("a", (ir.Pattern(ir.PatternKind.GLOB, "x*"),)),
    ir.Effect.THROTTLE,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> CPolicies:
    found = [emitted(policy_of(*PAIR, rules=(SAME, LIKE)))]
    return compiled(tmp_path_factory.mktemp("pair"), found, "gcc")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (b"one", b"one", 4),
        (b"one", b"two", 0),
        (b"", b"x", 0),
        (b"xyz", b"xyz0", 2),
        (b"12345678", b"123456789", 0),
    ],
)
def test_texts_are_classified_and_compared(
    pair: CPolicies, a: bytes, b: bytes, expected: int
) -> None:
    answer, cells = pair.decide(0, {"class.a.0": 0, "same.a.b": 0}, {"a": a, "b": b})
    assert (answer, cells["out.decision"]) == (0, expected)


@pytest.mark.parametrize(
    ("which", "text"),
    [
        (0, b"123456789"),
        (0, b"\xff"),
        (0, b"\xc3"),
        (0, b"\xed\xa0\x80"),
        (1, b"a//b"),
        (1, b".."),
        (1, b"a\\b"),
        (1, b"a/"),
    ],
)
def test_a_text_that_is_refused_leaves_an_invalid_request(
    pair: CPolicies, which: int, text: bytes
) -> None:
    good = {"a": b"same", "b": b"same"}
    for number, valid in enumerate(good.values()):
        assert pair.classify(0, number, valid) == 0
    assert pair.classify(0, which, text) == -1
    answer, cells = pair.decide(0, {"class.a.0": 0, "same.a.b": 0}, {})
    assert (answer, cells["out.decision"]) == (-1, 4)
    assert cells["out.invalid"] == (0 if which == 0 else 1)


def test_a_text_that_is_missing_leaves_an_invalid_request(pair: CPolicies) -> None:
    assert pair.classify(0, 0, None) == -2
    answer, cells = pair.decide(0, {"class.a.0": 0, "same.a.b": 0}, {"b": b"x"})
    assert (answer, cells["out.invalid"]) == (-1, 0)


# --- pointers ------------------------------------------------------------------------------------


def test_null_pointers_are_answered(tmp_path: Path) -> None:
    cap = ir.Param(ir.Field("cap", ir.Kind.NUMBER, 1, 5), 2)
    one = emitted(policy_of(ir.Field("n", ir.Kind.NUMBER, 0, 9), params=(cap,)))
    library = compiled(tmp_path, [one], "gcc").library
    outcome = (ctypes.c_int32 * 3)()
    request, params = (ctypes.c_int32 * 1)(1), (ctypes.c_int32 * 1)(2)
    assert library.p_decide(request, params, outcome) == 0
    assert library.p_decide(request, params, None) == -2
    for arguments in ((None, params), (request, None), (None, None)):
        assert library.p_commit(*arguments, outcome) == -2
        assert list(outcome) == [4, 1, -1]


# --- names ---------------------------------------------------------------------------------------


def test_odd_names_give_distinct_c_names(tmp_path: Path) -> None:
    names = (
        "int",
        "has_x",
        "request",
        "linux",
        "NULL",
        "outcome",
        "value",
        "class",
        "int32_t",
        "best",
    )
    fields = [ir.Field(name, ir.Kind.NUMBER, 0, 9) for name in names]
    fields.append(ir.Field("x", ir.Kind.ENUM, 0, 2, members=("A", "a", "ß"), optional=True))
    ids = ("a b", "a-b", "*/ evil", "??/", "A B", "ünï", "\n\\", "1", "ends\\")
    rules = tuple(
        ir.Rule(
            name, ir.InRanges("int", ((i, i),)), ir.Effect.DENY, because=f"{name} */ /* ??/\u202e"
        )
        for i, name in enumerate(ids)
    )
    one = emitted(policy_of(*fields, rules=rules), "odd")
    assert len(set(one.names.members.values())) == len(one.names.members)
    for compiler in COMPILERS:
        library = compiled(tmp_path, [one], compiler)
        given = dict.fromkeys(names, 3) | {"has.x": 0, "x": 0}
        assert library.decide(0, given)[1]["out.rule"] == 3
    constants = re.findall(r"^    (\w+) = \d+", one.header, re.MULTILINE)
    assert len(set(constants)) == len(constants)
    assert {"ODD_X_A", "ODD_X_A_2", "ODD_X__", "ODD_RULE_A_B", "ODD_RULE_A_B_2"} <= set(constants)


@pytest.mark.parametrize(
    ("text", "name"),
    [("a.b", "a_b"), ("Ü", "x_"), ("1st", "x1st"), ("", "x"), ("x#2", "x_2"), ("_X", "x_X")],
)
def test_signs_that_c_does_not_know_become_underscores(text: str, name: str) -> None:
    assert legal(text) == name


def test_a_reserved_or_taken_name_is_numbered() -> None:
    scope = Scope()
    found = [scope.fresh(text) for text in ("while", "x", "x", "x_2", "uint8_t", "__x", "linux")]
    assert found == ["while_2", "x", "x_2", "x_2_2", "uint8_t_2", "x__x", "linux_2"]
    assert Scope(scope).fresh("x") == "x_3"
    assert is_reserved("INT64_C")


@pytest.mark.parametrize(
    "text", ["*/", "/*", "/*/", "***/", "???", "??/", "a\nb", "x" * 999, "\u202e"]
)
def test_a_comment_cannot_be_ended_or_hidden(text: str) -> None:
    found = comment(text)
    assert not re.search(r"\*/|/\*|\?\?|[\x00-\x1f\u202e]", found)
    assert len(found) <= 400


# --- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [ir_scale.indexed_policy, ir_scale.overlapping_policy, ir_scale.stabbing_policy],
)
def test_large_policies_decide_as_the_interpreter_and_grow_with_their_rules(
    make: Any, tmp_path: Path
) -> None:
    small, large = emitted(make(200), "small"), emitted(make(1000), "large")
    assert len(large.source) <= 7 * len(small.source)
    agree(compiled(tmp_path, [large], "clang", ("-O0",)), [large], 100)


def test_a_policy_without_anything_is_still_a_file(tmp_path: Path) -> None:
    one = emitted(policy_of())
    answer, cells = compiled(tmp_path, [one], "gcc").decide(0, {})
    assert (answer, cells) == (0, {"out.decision": 0, "out.rule": 0, "out.invalid": -1})
    assert decide(one.policy, default_params(one.policy), {}).rule_id == "default"
