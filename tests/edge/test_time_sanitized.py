"""The C of policies over time with every check that clang has, on any bits: nothing in it is undefined.

A program of its own takes the calls from a file, so that the checks see all of it: samples with a state of any
bits, saved states that are cut, grown or changed (each in a block of memory of its very length), null pointers.
What it answers is held against plain C of another compiler and against the domains of the state.
"""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from c_policies import STRICT, Emitted
from edge_time import Board, history, random_board
from edge_time_engines import (
    COMMIT,
    DECIDE,
    NEXT_DEADLINE,
    STATE_OK,
    TICK,
    named,
    state_variables,
    which_of,
    write_driver,
)
from tools import tool

from govlang.compiler import ir
from govlang.compiler.c_time import Objects, heads, state_size
from govlang.compiler.program import Variable

CHECKED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g")
TAKE, SAVE, RESTORE, NULL = range(4)
MAIN = r"""
#include <stdio.h>
#include <stdlib.h>

static int64_t number(void)
{
    int64_t found = 0;
    if (fread(&found, sizeof found, 1u, stdin) != 1u) { exit(3); }
    return found;
}

/* As many numbers as the first one says, in a block of that very length. */
static int64_t *numbers(void)
{
    const size_t count = (size_t)number();
    int64_t *const found = malloc(count * sizeof *found + (count == 0u ? 1u : 0u));
    if (found == NULL || fread(found, sizeof *found, count, stdin) != count) { exit(3); }
    return found;
}

static void tell(const void *from, size_t size) { (void)fwrite(from, 1u, size, stdout); }

int main(void)
{
    int64_t calls = number();
    for (; calls > 0; calls--) {
        const int64_t op = number(), which = number(), first = number(), second = number(), told = number();
        const size_t count = (size_t)told;
        int64_t *const in = numbers();
        int64_t *const out = calloc(count + 1u, sizeof *out);
        if (out == NULL) { exit(3); }
        if (op == 0) { out[0] = takes[which]((int32_t)first, in, out + 1); }
        if (op == 1) {
            uint8_t *const bytes = calloc(count, 1u);
            if (bytes == NULL) { exit(3); }
            out[0] = saves[which](in, first, bytes);
            tell(out, sizeof *out);
            tell(bytes, count);
            free(bytes);
        }
        if (op == 2) {
            const size_t length = (size_t)in[0];
            uint8_t *const bytes = malloc(length + (length == 0u ? 1u : 0u));
            if (bytes == NULL) { exit(3); }
            for (size_t i = 0u; i < length; i++) { bytes[i] = (uint8_t)in[i + 1u]; }
            out[0] = restores[which](bytes, (uint32_t)length, first, second, out + 1);
            free(bytes);
        }
        if (op == 3) { out[0] = nulls[which]((int32_t)first, (int32_t)second); }
        if (op != 1) { tell(out, (count + 1u) * sizeof *out); }
        free(in);
        free(out);
    }
    return 0;
}
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the program; of `save` it tells bytes, of all others the answer and so many numbers behind it."""

    op: int
    policy: int
    first: int
    second: int
    told: int
    given: tuple[int, ...]

    @property
    def size(self) -> int:
        return 8 + self.told * (1 if self.op == SAVE else 8)

    def packed(self) -> bytes:
        head = (self.op, self.policy, self.first, self.second, self.told, len(self.given))
        return b"".join(struct.pack("<q", signed(one, 64)) for one in (*head, *self.given))


def signed(value: int, width: int) -> int:
    low = value % (1 << width)
    return low - (low >> width - 1 << width)


def build(folder: Path, found: list[Emitted], compiler: str, *flags: str) -> Path:
    write_driver(folder, found)
    lists = {"takes": "take", "saves": "save", "restores": "restore", "nulls": "null"}
    arguments = {
        "takes": "int32_t, const int64_t *, int64_t *",
        "saves": "const int64_t *, int64_t, uint8_t *",
        "restores": "const uint8_t *, uint32_t, int64_t, int64_t, int64_t *",
        "nulls": "int32_t, int32_t",
    }
    tables = "\n".join(
        f"static int32_t (*const {name}[])({arguments[name]}) = {{ "
        + ", ".join(f"{word}_{number}" for number in range(len(found)))
        + " };"
        for name, word in lists.items()
    )
    (folder / "main.c").write_text(f'#include "driver.c"\n{tables}\n{MAIN}', encoding="utf-8")
    program = folder / f"program_{compiler}"
    command = [tool(compiler), *STRICT, *flags, "main.c", "-o", str(program)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return program


def run(program: Path, calls: list[Call]) -> list[bytes]:
    given = struct.pack("<q", len(calls)) + b"".join(one.packed() for one in calls)
    done = subprocess.run([str(program)], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[:4000]
    found, at = [], 0
    for one in calls:
        found.append(done.stdout[at : at + one.size])
        at += one.size
    assert at == len(done.stdout)
    return found


def answer(told: bytes) -> int:
    found: int = struct.unpack_from("<q", told)[0]
    return found


# --- calls -----------------------------------------------------------------------------------------


def member(one: Variable, value: int) -> int:
    """What C's member of a variable of the state holds, once a number of 64 bits was put into it."""
    bits = 8 * one.bytes if one.bytes else one.width
    return signed(value, bits) if one.lo < 0 or bits == one.width else value % (1 << bits)


def is_state(one: Emitted, values: Mapping[str, int]) -> bool:
    return all(
        v.lo <= member(v, values[v.name]) <= v.hi
        if not v.mask
        else values[v.name] % (1 << (8 * v.bytes or v.width)) & ~v.hi == 0
        for v in state_variables(one)
        if member(v, values[v.name]) not in v.beside
    )


def wild(rng: random.Random, one: Variable) -> int:
    ends = (-(2**63), 2**63 - 1, -1, 0, one.lo - 1, one.hi + 1, one.lo, one.hi)
    return rng.choice((rng.getrandbits(64), rng.getrandbits(31), *ends))


def takes(
    board: Board, one: Emitted, number: int, rng: random.Random, length: int
) -> Iterator[Call]:
    """Samples on the state that they lead to; with some bits of it, or of anything, flipped or drawn."""
    time = board.time
    told = len(one.program.cells) + len(state_variables(one)) + 1
    every = (DECIDE, COMMIT, TICK, STATE_OK, NEXT_DEADLINE, *range(3, 3 + len(time.samples)))
    for sample in history(board, rng, length):
        whole = board.given(sample)
        board.commit(sample)
        yield take(one, number, which_of(board.kind(sample)), whole, told)
        for _ in range(3):
            spoilt = dict(whole)
            for variable in rng.sample(one.program.variables, min(2, len(whole))):
                drawn = wild(rng, variable)
                flipped = whole[variable.name] ^ (1 << rng.randrange(variable.width))
                spoilt[variable.name] = rng.choice((drawn, flipped))
            yield take(one, number, rng.choice(every), spoilt, told)
        drawn = {v.name: wild(rng, v) for v in one.program.variables}
        yield take(one, number, rng.choice(every), drawn, told)


def take(one: Emitted, number: int, which: int, values: Mapping[str, int], told: int) -> Call:
    given = tuple(signed(values[v.name], 64) for v in one.program.variables)
    return Call(TAKE, number, which, 0, told, given)


def saves(board: Board, one: Emitted, number: int, rng: random.Random) -> Iterator[Call]:
    kept = state_variables(one)
    for _ in range(6):
        held = board.held()
        given = [held[v.name] if rng.random() < 0.8 else wild(rng, v) for v in kept]
        now = rng.choice((0, 10**9, ir.GAP_MAX, ir.GAP_MAX + 1, ir.INT64_MIN))
        numbers = tuple(signed(value, 64) for value in given)
        yield Call(SAVE, number, now, 0, state_size(one.program), numbers)


def restores(
    saved: bytes, one: Emitted, number: int, rng: random.Random, with_sum: bool
) -> Iterator[Call]:
    """Bytes that were saved: whole, cut, grown, and with any of them changed (and their sum made right)."""
    for _ in range(8):
        data = bytearray(saved)
        for _ in range(rng.choice((0, 1, 1, 8))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if with_sum:
            data[:12], data[16:24] = saved[:12], saved[16:24]
            data[12:16] = zlib.crc32(bytes(data[16:])).to_bytes(4, "little")
        size = rng.choice((len(data),) * 4 + (0, 1, 31, 32, len(data) - 1, len(data) + 1))
        data = (data + b"\0" * size)[:size]
        now = rng.choice((0, 10**9, ir.GAP_MAX, -ir.GAP_MAX, ir.INT64_MAX))
        downtime = rng.choice((-1, 0, 5_000, ir.GAP_MAX, -2, ir.INT64_MIN))
        yield Call(RESTORE, number, now, downtime, len(state_variables(one)), (size, *data))


def nulls(one: Emitted, number: int) -> Iterator[Call]:
    for which, (_, head) in enumerate(heads(Objects(one.program, one.names))):
        for at in range(head.count("*")):
            yield Call(NULL, number, which, at, 0, ())


# --- tests -----------------------------------------------------------------------------------------


def check(seeds: range, length: int, folder: Path) -> Counter[tuple[int, int]]:
    """Answers that were met, a call each."""
    boards = [random_board(random.Random(seed)) for seed in seeds]
    found = [named(board.policy, str(seed)) for board, seed in zip(boards, seeds, strict=True)]
    programs = [build(folder, found, "clang", *CHECKED), build(folder, found, "gcc", "-O2")]
    calls: list[Call] = []
    for number, (board, one) in enumerate(zip(boards, found, strict=True)):
        rng = random.Random(f"wild {seeds[number]}")
        calls += takes(board, one, number, rng, length)
        calls += saves(board, one, number, rng)
        calls += nulls(one, number)
    met = both(programs, found, calls)
    rng = random.Random(seeds.start)
    saved = run(programs[0], [one for one in calls if one.op == SAVE])
    back: list[Call] = []
    for call, told in zip((one for one in calls if one.op == SAVE), saved, strict=True):
        if answer(told) == 0:
            for with_sum in (False, True):
                back += restores(told[8:], found[call.policy], call.policy, rng, with_sum)
    return met + both(programs, found, back)


def both(programs: list[Path], found: list[Emitted], calls: list[Call]) -> Counter[tuple[int, int]]:
    checked, plain = (run(program, calls) for program in programs)
    met: Counter[tuple[int, int]] = Counter()
    for call, one, other in zip(calls, checked, plain, strict=True):
        assert one == other, call
        met[call.op, answer(one)] += 1
        if call.op == NULL:
            assert answer(one) == 0, call
        if call.op == TAKE:
            names = [v.name for v in found[call.policy].program.variables]
            is_one = is_state(found[call.policy], dict(zip(names, call.given, strict=True)))
            assert answer(one) == -1 or (answer(one) == -3) != is_one, call
    return met


def test_nothing_over_time_is_undefined_whatever_the_bits(tmp_path: Path) -> None:
    met = check(range(5), 20, tmp_path)
    wanted = {(TAKE, a) for a in (0, -1, -3)} | {(SAVE, a) for a in (0, -1, -3)}
    wanted |= {(RESTORE, a) for a in (0, -1, -3)} | {(NULL, 0)}
    assert wanted <= set(met), met


@pytest.mark.long
@pytest.mark.parametrize("batch", range(2))
def test_nothing_of_many_policies_over_time_is_undefined(batch: int, tmp_path: Path) -> None:
    start = 40_000 + batch * 6
    assert check(range(start, start + 6), 80, tmp_path)[TAKE, -3] > 0
