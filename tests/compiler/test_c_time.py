"""The C of a policy over time: the text of docs/edge.md, null pointers, what a header tells."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from c_policies import emitted
from edge_time import random_board, written_board
from edge_time_engines import named
from ir_strategies import small_policy

from govlang.compiler import ir
from govlang.compiler.edge_state import BoardError, state_bytes, state_definition
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import classify_fields

PAGE = (Path(__file__).parents[2] / "docs" / "edge.md").read_text("utf-8")
COMES = ir.InRanges(ir.SAMPLE, ((2, 2),))
VALUE = ir.Field("$v", ir.Kind.NUMBER, 0, 9, origin=ir.Origin.SAMPLE)
AGE = ir.Cell(ir.cell_field("a", 0, 600_001), ir.SHARED, 600_001, 600_001)
LEVEL = ir.Cell(ir.cell_field("b", -3, 100), ir.SHARED, 0)


def over(*cells: ir.Cell, key: str | None = None) -> ir.Policy:
    """A policy with these cells, of which the first starts anew at each sample of a signal."""
    updates = (ir.Update(ir.Stage.TAKE, cells[0].name, COMES, ir.IntConst(0)),)
    samples = (ir.SampleType("v", ir.SampleKind.SIGNAL, fields=(VALUE,)),)
    base = replace(small_policy(random.Random(1)), name="P", rules=(), assumptions=())
    field = ir.Field("who", ir.Kind.KEY, max_bytes=32)
    time = ir.Time(cells, updates, samples, key, 2**40)
    return replace(base, fields=(*base.fields, field), time=time)


def test_save_and_restore_are_the_text_of_the_page() -> None:
    policy = over(AGE, LEVEL)
    block = re.search(r"\n    static void P_put\(.*?(?=\n\S|\Z)", PAGE, re.DOTALL)
    assert block is not None
    shown = block[0].replace("0x9d983cb41bfdaf0a", f"0x{state_definition(policy)}")
    source = emitted(policy).source
    assert _words(shown) == _words(source[source.index("static void P_put(") :])


def _words(text: str) -> str:
    return " ".join(text.split())


def test_what_is_kept_by_another_field_is_refused() -> None:
    policy = over(AGE, replace(LEVEL, scope="other"), key="who")
    with pytest.raises(BoardError, match=r"`other`.*`b`") as caught:
        build_program(policy, classify_fields(policy))
    assert caught.value.code == "GOV716"


def test_a_struct_has_the_bytes_that_its_comment_says() -> None:
    for seed in range(20):
        board = random_board(random.Random(seed))
        one = named(board.policy, str(seed))
        said = [int(n) for n in re.findall(r"^/\* (\d+) bytes: ", one.header, re.MULTILINE)]
        assert said == [scope.bytes for scope in board.scopes]
        assert sum(said) == state_bytes(board.policy)


@pytest.mark.parametrize("seed", range(6))
def test_equal_policies_give_equal_text(seed: int) -> None:
    first, second = (named(random_board(random.Random(seed)).policy, "x") for _ in range(2))
    assert (first.header, first.source) == (second.header, second.source)


@pytest.mark.parametrize("seed", range(6))
def test_what_a_condition_calls_is_declared_before_it(seed: int) -> None:
    source = emitted(written_board(random.Random(seed), 0)[0].policy).source
    body = source[source.index("_step(int32_t kind") :]
    for name in {*re.findall(r"\bvalue_\d+\b", body)}:
        first = re.search(rf"\b{name}\b", body)
        assert first is not None
        assert re.search(r"const int(32|64)_t $", body[: first.start()]), name
