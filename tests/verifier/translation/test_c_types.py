"""The reader's integers against C99 written down once more (c_expressions.py), and against compilers."""

from __future__ import annotations

import random
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from c_compiled import COMPILERS, SANITIZED
from c_expressions import (
    TYPES,
    Maker,
    Meaning,
    Node,
    NoValueError,
    converted,
    text_of,
    values,
    variables,
)
from pycparser import c_parser

from govlang.native.errors import ArtefactError
from govlang.verifier.translation import c_values, machine
from govlang.verifier.translation.c_parse import PRELUDE
from govlang.verifier.translation.c_types import OddError, Value, convert, unknown
from govlang.verifier.translation.machine_run import UndefinedError, run, signed

EXPRESSIONS, ROWS = 1200, 10
LONG_EXPRESSIONS, LONG_ROWS = 6_000, 20


@dataclass(frozen=True, slots=True)
class Members:
    """Expressions that read members of the request and nothing else."""

    def name(self, name: str) -> None:  # noqa: ARG002  # the form of `Meaning`
        return None

    def null(self, name: str) -> None:  # noqa: ARG002
        return None

    def member(self, pointer: str, name: str) -> Value:  # noqa: ARG002
        type_ = c_values.TYPES[variables()[name]]
        return unknown(type_, machine.Cell(type_.width, name))

    def call(self, name: str, arguments: Sequence[Any]) -> Value:  # noqa: ARG002
        raise OddError(f"a call of `{name}`")

    def lazy(self) -> Members:
        return self


def read(node: Node, kind: str) -> Value:
    """An expression as the reader has it, in the type that takes it."""
    parser = c_parser.CParser()
    tree = parser.parse(f"{PRELUDE}int x = {text_of(node)};").ext[-1].init
    return convert(c_values.evaluate(tree, Members()), c_values.TYPES[kind])


def machine_value(value: Value, cells: Mapping[str, int]) -> int | None:
    """What the machine makes of it; None where it is undefined."""
    end = (machine.Store("e", value.expr), machine.Return(machine.Const(32, 0)))
    patterns = {name: signed(cell, 64) for name, cell in cells.items()}
    patterns = {
        name: signed(cell, int(variables()[name][-4:-2])) for name, cell in patterns.items()
    }
    try:
        stored = run(machine.Function({}, {}, end), patterns)[1]["e"]
    except UndefinedError:
        return None
    return stored if value.type.signed else stored % (1 << value.type.width)


def c_value(node: Node, kind: str, cells: Mapping[str, int], int_bits: int) -> int | str:
    """What C says of it: a value, or why there is none."""
    meaning = Meaning(int_bits, cells)
    try:
        return converted(meaning.value(node)[1], meaning.type(kind))
    except NoValueError as error:
        return str(error)


def sample(count: int, seed: int) -> Iterator[tuple[Node, str]]:
    rng = random.Random(seed)
    for number in range(count):
        maker = Maker(rng, careful=number % 3 != 0)
        yield maker.expression(rng.randint(1, 4)), rng.choice(TYPES)


def hold_against_c(count: int, rows: int, seed: int) -> Counter[str]:
    """Reads expressions and holds each against the other account of C99, on some values."""
    seen: Counter[str] = Counter()
    rng = random.Random(seed)
    for node, kind in sample(count, seed):
        try:
            value = read(node, kind)
        except (ArtefactError, OddError):
            seen["refused"] += 1
            continue
        seen["read"] += 1
        for cells in (values(rng) for _ in range(rows)):
            found, wanted = machine_value(value, cells), c_value(node, kind, cells, 32)
            if isinstance(wanted, str):
                assert found is None, (text_of(node), kind, cells)
                assert not value.total, (text_of(node), kind, cells)
                seen[wanted] += 1
                continue
            assert found == wanted, (text_of(node), kind, cells)
            assert c_value(node, kind, cells, 64) == wanted, (text_of(node), kind, cells)
            assert value.lo <= wanted <= value.hi, (text_of(node), kind, cells)
            seen["a value"] += 1
    return seen


def test_values_types_and_bounds_are_those_of_c() -> None:
    seen = hold_against_c(EXPRESSIONS, ROWS, 1)
    assert seen["read"] > EXPRESSIONS // 3
    assert seen["refused"] > EXPRESSIONS // 20
    assert min(seen["a value"], seen["undefined"], seen["chosen"]) > EXPRESSIONS // 6


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
def test_values_types_and_bounds_are_those_of_c_at_length(seed: int) -> None:
    hold_against_c(LONG_EXPRESSIONS, LONG_ROWS, seed)


# --- compilers -------------------------------------------------------------------------------------

PROGRAM = """
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
typedef struct {{ {members} }} request_t;
{functions}
static int64_t (*const all[])(const request_t *) = {{ {names} }};
static sigjmp_buf back;
static void trapped(int number) {{ (void)number; siglongjmp(back, 1); }}
static void give(int64_t value) {{ fwrite(&value, sizeof value, 1, stdout); }}
int main(void)
{{
    static request_t request;
    signal(SIGILL, trapped);
    signal(SIGTRAP, trapped);
    signal(SIGFPE, trapped);
    while (fread(&request, sizeof request, 1, stdin) == 1) {{
        for (volatile int k = 0; k < {count}; k++) {{
            if (sigsetjmp(back, 1) != 0) {{ give(1); give(0); continue; }}
            const int64_t value = all[k](&request);
            give(0);
            give(value);
        }}
    }}
    return 0;
}}
"""


def compiled(
    folder: Path, expressions: Sequence[tuple[Node, str]], rows: Sequence[Mapping[str, int]],
    compiler: str, *flags: str,
) -> list[tuple[bool, int]]:  # fmt: skip
    """For each row and expression: whether it was stopped, and the value."""
    functions = "\n".join(
        f"static int64_t e{k}(const request_t *request)"
        f" {{ const {kind} value = {text_of(node)}; return (int64_t)value; }}"
        for k, (node, kind) in enumerate(expressions)
    )
    order = sorted(variables(), key=lambda name: variables()[name][-4:-2], reverse=True)
    names = ", ".join(f"e{k}" for k in range(len(expressions)))
    (folder / "all.c").write_text(
        PROGRAM.format(
            members=" ".join(f"{variables()[name]} {name};" for name in order),
            functions=functions,
            names=names,
            count=len(expressions),
        )
    )
    command = [compiler, "-std=gnu99", "-w", *flags, "all.c", "-o", "all"]
    subprocess.run(command, cwd=folder, check=True)
    formats = {"int32_t": "i", "uint32_t": "I", "int64_t": "q", "uint64_t": "Q"}
    form = "<" + "".join(formats[variables()[name]] for name in order)
    data = b"".join(struct.pack(form, *(row[name] for name in order)) for row in rows)
    done = subprocess.run([folder / "all"], input=data, capture_output=True, check=True)
    words = struct.unpack(f"<{len(done.stdout) // 8}q", done.stdout)
    return [(bool(a), b) for a, b in zip(words[::2], words[1::2], strict=True)]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("flags", [("-O2",), ("-O0", *SANITIZED)], ids=["fast", "sanitized"])
def test_compilers_agree_with_what_is_held_against_the_reader(
    tmp_path: Path, compiler: str, flags: tuple[str, ...]
) -> None:
    expressions, rng = [*sample(300, 7)], random.Random(7)
    rows = [values(rng) for _ in range(40)]
    found = iter(compiled(tmp_path, expressions, rows, compiler, *flags))
    seen: Counter[bool] = Counter()
    for cells in rows:
        for node, kind in expressions:
            stopped, value = next(found)
            wanted = c_value(node, kind, cells, 32)
            if isinstance(wanted, int):
                assert (stopped, value) == (False, signed(wanted, 64)), (text_of(node), kind, cells)
            elif wanted == "undefined":
                seen[stopped] += 1
    if len(flags) > 1:  # a sanitizer misses what the compiler folds before
        assert seen[True] > 20 * seen[False]
