from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.board import image
from benchmarks.board.cases import Case
from benchmarks.board.cases_c import Member, Names, cases_c
from benchmarks.board.image import BoardError, Run, Source
from benchmarks.board.stack import StackError, worst_stack
from tools import tool

pytestmark = pytest.mark.edge

HEADER = """\
#include <stdint.h>
typedef struct { int32_t level; } tank_request_t;
typedef struct { int32_t decision; int64_t room; } tank_outcome_t;
#define TANK_REQUEST_UNSET { 101 }
int32_t tank_decide(const tank_request_t *request, tank_outcome_t *outcome);
"""
SOURCE = """\
#include "tank.h"
static __attribute__((noinline)) int32_t deep(int32_t level)
{
    volatile int32_t words[16];
    words[level & 15] = level;
    return words[level & 15];
}
int32_t tank_decide(const tank_request_t *request, tank_outcome_t *outcome)
{
    MORE
    outcome->decision = (request->level > 80) ? 4 : 0;
    outcome->room = INT64_C(100) - request->level;
    return ((request->level < 0) || (deep(request->level) > 100)) ? -1 : 0;
}
"""
NAMES = Names(
    "tank",
    (Member("level", "level", 32, mask=False),),
    (),
    (
        Member("out.decision", "decision", 32, mask=False),
        Member("out.room", "room", 64, mask=False),
    ),
    (),
)


def case(level: int, decision: int, room: int, result: int = 0) -> Case:
    return Case({"level": level}, {}, result, {"out.decision": decision, "out.room": room})


CASES = [case(0, 0, 100), case(80, 0, 20), case(81, 4, 19), case(200, 4, -100, -1)]


def run(place: Path, cases: list[Case], more: str = "") -> Run:
    for name in ("arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"):
        tool(name)
    source = Source("tank", SOURCE.replace("MORE", more), HEADER)
    built = image.build(source, cases_c(NAMES, cases), place)
    assert built.data_bytes == 0
    found = image.run(built.path)
    assert 48 <= max(found.stack) <= built.stack_bound < 200
    assert max(found.instructions) <= built.longest
    return found


def test_recorded_decisions_agree_and_counts_repeat(tmp_path: Path) -> None:
    first = run(tmp_path, CASES)
    assert first.different == ()
    assert len(first.instructions) == len(first.stack) == len(CASES)
    assert first == run(tmp_path, CASES)


def test_what_a_case_leaves_out_is_unset_on_the_board(tmp_path: Path) -> None:
    left_out = Case({}, {}, -1, {"out.decision": 4, "out.room": -1})
    assert run(tmp_path, [left_out]).different == ()


@pytest.mark.parametrize(
    "wrong", [case(80, 4, 20), case(80, 0, 21), case(80, 0, 20 + 2**32), case(80, 0, 20, -1)]
)
def test_a_decision_that_differs_in_anything_is_found(tmp_path: Path, wrong: Case) -> None:
    assert run(tmp_path, [CASES[0], wrong, CASES[2]]).different == (1,)


NOPS = r"nop\n", r"nop\n" * 38


def test_instructions_are_counted_one_by_one(tmp_path: Path) -> None:
    plain, more = (run(tmp_path, CASES, f'__asm__ volatile("{nops}");') for nops in NOPS)
    assert [b - a for a, b in zip(plain.instructions, more.instructions, strict=True)] == [37] * 4


def test_the_clock_counts_a_loop_whose_instructions_are_known(tmp_path: Path) -> None:
    known = 2 + 2 * 100_000 + 1
    assert abs(run(tmp_path, CASES[:1]).loop - known) < 40 + 10  # a tick, and the call


def test_a_fault_on_the_board_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="the board said `fault`"):
        run(tmp_path, CASES, "*(volatile int32_t *)0xfffffff0u = 1;")


def test_a_stack_without_a_bound_is_an_error(tmp_path: Path) -> None:
    graph = tmp_path / "x.ci"
    node = 'node: {{ title: "{0}" label: "{0}\\nx.c:1:1\\n{1}" }}\n'
    edge = 'edge: {{ sourcename: "{}" targetname: "{}" }}\n'
    graph.write_text(
        node.format("leaf", "8 bytes (static)")
        + node.format("grows", "8 bytes (dynamic)")
        + node.format("top", "16 bytes (static)")
        + node.format("again", "0 bytes (static)")
        + edge.format("top", "leaf")
        + edge.format("again", "again")
    )
    assert worst_stack([graph], "top") == 24
    for name, why in (("grows", "no known size"), ("memset", "no known size"), ("again", "itself")):
        with pytest.raises(StackError, match=why):
            worst_stack([graph], name)
