"""The step over time means what the reference step means; run in plain Python, so every form of it is checked too."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from edge_time import REFUSED, Board, history, random_board, random_state, strayed
from program_run import run_sample

from govlang.compiler.program import Program
from govlang.compiler.program_tidy import tidied
from govlang.compiler.step import Request
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import classify_fields


def agree(seed: int, length: int, met: Counter[object]) -> None:
    rng = random.Random(seed)
    board = random_board(rng)
    program = build_program(board.policy, classify_fields(board.policy))
    for one in (program, tidied(program)):
        board.state = type(board.state)()
        hold(board, one, random.Random(seed), length, met)


def hold(
    board: Board, program: Program, rng: random.Random, length: int, met: Counter[object]
) -> None:
    for sample in history(board, rng, length):
        if rng.random() < 0.1:
            board.put(random_state(board, rng))
        given, kind, before = board.given(sample), board.kind(sample), board.held()
        if isinstance(sample, Request):
            wanted, done = board.ask(sample), run_sample(program, given, kind, keep=False)
            assert (done.answer, board.told(done.cells, sample)) == (wanted.answer, wanted.said)
            assert done.state == {}
        wanted, done = board.commit(sample), run_sample(program, given, kind)
        assert done.answer == wanted.answer, sample
        met.update((wanted.answer, wanted.said[1] if isinstance(sample, Request) else ""))
        assert board.told(done.cells, sample) == wanted.said, sample
        assert before | done.state == wanted.state, sample
        for stray, number, answer in strayed(board, rng, sample):
            done = run_sample(program, stray, kind)
            assert (done.answer, done.cells["out.invalid"], done.state) == (answer, number, {})
            assert board.told(done.cells, sample) == REFUSED


@pytest.mark.parametrize("batch", range(8))
def test_samples_are_taken_in_as_by_the_reference_step(batch: int) -> None:
    met: Counter[object] = Counter()
    for seed in range(batch * 15, (batch + 1) * 15):
        agree(seed, 40, met)
    assert min(met[one] for one in (0, -4, "clock_fault")) > 0, met


@pytest.mark.long
@pytest.mark.parametrize("batch", range(10))
def test_many_samples_are_taken_in_as_by_the_reference_step(batch: int) -> None:
    for seed in range(10_000 + batch * 20, 10_000 + (batch + 1) * 20):
        agree(seed, 150, Counter())
