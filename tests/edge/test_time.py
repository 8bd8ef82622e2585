"""The release gate of the edge over time: one sample, every engine, the same answer, outcome and state.

Reference step, program, module in wasmtime and in Node, C of gcc and of clang; and the same next deadline, which is
also that of the table's engine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from edge_time import (
    REFUSED,
    Board,
    Sample,
    deadline_of,
    history,
    random_board,
    random_state,
    strayed,
    written_board,
)
from edge_time_engines import (
    NEXT_DEADLINE,
    STATE_OK,
    Case,
    Found,
    Library,
    in_node,
    in_wasmtime,
    named,
    which_of,
)
from time_engine import Engine

from govlang.compiler import ir, steps_rules
from govlang.compiler.step import Request

OPTIMISED = {"gcc": "-O2", "clang": "-O1"}


class Trial:
    """A policy, what it is asked, and what is to be answered."""

    def __init__(
        self, label: str, board: Board, samples: Iterable[Sample], rng: random.Random
    ) -> None:
        self.label = label
        self.board = board
        self.one = named(self.board.policy, label)
        self.cases: list[Case] = []
        self.wanted: list[tuple[object, ...]] = []
        self.samples: list[Sample] = []
        for sample in samples:
            if rng.random() < 0.1:
                self.board.put(random_state(self.board, rng))
            self.sample(self.board, sample, rng)

    def sample(self, board: Board, sample: Sample, rng: random.Random) -> None:
        given, kind, held = board.given(sample), board.kind(sample), board.held()
        for stray, number, answer in strayed(board, rng, sample):
            kept = {name: stray[name] for name in held}
            self.add(sample, Case(which_of(kind), stray), answer, REFUSED, number, kept, -7)
            if answer == -3:
                self.add(sample, Case(STATE_OK, stray), answer, None, None, kept, -7)
                self.add(sample, Case(NEXT_DEADLINE, stray), answer, None, None, kept, -7)
        if isinstance(sample, Request):
            asked = board.ask(sample)
            self.add(
                sample,
                Case(which_of(kind, keep=False), given),
                asked.answer,
                asked.said,
                None,
                held,
                -7,
            )
        taken = board.commit(sample)
        self.add(
            sample, Case(which_of(kind), given), taken.answer, taken.said, None, taken.state, -7
        )
        after = given | taken.state
        self.add(sample, Case(STATE_OK, after), 0, None, None, taken.state, -7)
        until = deadline_of(board, after)
        self.add(sample, Case(NEXT_DEADLINE, after), 0, None, None, taken.state, until)

    def add(self, sample: Sample, case: Case, *wanted: object) -> None:
        self.samples.append(sample)
        self.cases.append(case)
        self.wanted.append(wanted)

    def differences(self, engine: str, found: list[Found]) -> list[str]:
        """In words, where an engine says something else."""
        assert len(found) == len(self.cases)
        zipped = zip(self.samples, self.cases, self.wanted, found, strict=True)
        return [
            f"{self.label}: {engine}: {difference} for {case} by {sample}"
            for sample, case, wanted, one in zipped
            if (difference := self.difference(engine, sample, case, wanted, one))
        ]

    def difference(
        self, engine: str, sample: Sample, case: Case, wanted: tuple[object, ...], one: Found
    ) -> str:
        answer, said, number, state, until = wanted
        if one.answer != answer:
            return f"answer {one.answer}, not {answer}"
        in_c = engine in OPTIMISED
        if said is not None and not (
            in_c and case.which > 1
        ):  # C has no outcome for what nobody asks
            told = self.board.told(one.cells, sample)
            if told != said:
                return f"outcome {told}, not {said}"
            if number is not None and one.cells["out.invalid"] != number:
                return f"culprit {one.cells['out.invalid']}, not {number}"
        if one.state != state:
            return f"state {one.state}, not {state}"
        return "" if one.deadline == until else f"deadline {one.deadline}, not {until}"


def of_ir(seed: int, length: int) -> Trial:
    rng = random.Random(seed)
    board = random_board(rng)
    return Trial(str(seed), board, history(board, rng, length), rng)


def of_source(seed: int, length: int) -> Trial:
    rng = random.Random(f"written {seed}")
    return Trial(f"w{seed}", *written_board(rng, length), rng)


def differences(
    make: Callable[[int, int], Trial], seeds: range, length: int, folder: Path
) -> list[str]:
    trials = [make(seed, length) for seed in seeds]
    found = [
        text
        for one in trials
        for text in one.differences("wasmtime", in_wasmtime(one.one, one.cases))
    ]
    for one, answers in zip(trials, in_node([(o.one, o.cases) for o in trials]), strict=True):
        found += one.differences("Node", answers)
    for compiler, flag in OPTIMISED.items():
        library = Library(folder, [one.one for one in trials], compiler, flag)
        for number, one in enumerate(trials):
            found += one.differences(compiler, library.take(number, one.cases))
    return found


@pytest.mark.parametrize("batch", range(6))
def test_every_engine_takes_samples_in_as_the_reference_step(batch: int, tmp_path: Path) -> None:
    assert differences(of_ir, range(batch * 10, (batch + 1) * 10), 30, tmp_path)[:3] == []


@pytest.mark.parametrize("batch", range(4))
def test_written_policies_agree_on_every_engine(batch: int, tmp_path: Path) -> None:
    assert differences(of_source, range(batch * 6, (batch + 1) * 6), 40, tmp_path)[:3] == []


@pytest.mark.parametrize("batch", range(2))
def test_rules_that_are_told_apart_agree_on_every_engine(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_rules, "FEW", 0)
    seeds = range(1000 + batch * 8, 1000 + (batch + 1) * 8)
    assert differences(of_ir, seeds, 25, tmp_path)[:3] == []


@pytest.mark.parametrize("seed", range(40))
def test_the_deadline_is_that_of_the_table(seed: int) -> None:
    rng = random.Random(f"deadline {seed}")
    board = random_board(rng)
    engine = Engine(board.policy, board.params)
    for sample in history(board, rng, 40):
        board.commit(sample)
        engine.take(sample)
        if isinstance(sample, Request):
            found = deadline_of(board, board.given(sample))
            assert engine.deadline(sample) == (None if found == ir.INT64_MAX else found)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(12))
def test_every_engine_takes_many_samples_in_as_the_reference_step(
    batch: int, tmp_path: Path
) -> None:
    start = 20_000 + batch * 20
    make = of_source if batch % 3 == 0 else of_ir
    assert differences(make, range(start, start + 20), 80, tmp_path)[:3] == []
