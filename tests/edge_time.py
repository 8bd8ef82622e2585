"""A policy over time as the edge has it, for tests: samples as variables, states as variables, what a step says.

In: a policy of one key, samples of the reference step.  Out: what the reference step answers, in the words of
docs/edge.md, to be held against what a program, a module or C answers.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import time_histories
from edge_host import broken, encoded, expected, said
from ir_requests import random_params
from time_ir_policies import BOARDS, Histories, random_time_policy
from time_policies import write_remembering

from govlang.compiler import interface, ir
from govlang.compiler.edge_state import (
    NEVER,
    NOW,
    BoardError,
    BoardScope,
    board_scopes,
    sample_variable,
)
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import Outcome
from govlang.compiler.program import STATE_HOMES, Home, Variable
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import Instance, Report, Request, State, Tick, step
from govlang.compiler.table_time import WHOLE, change_points
from govlang.compiler.text_classes import TextClasses, classify_fields
from govlang.dsl.source import Source
from govlang.native.request import InvalidFieldError

WHO = "agent-7"
Sample = Request | Report | Tick
Variables = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step came to: its answer, what the outcome says, the whole state behind it."""

    answer: int
    said: tuple[Any, ...]
    state: dict[str, int]


REFUSED = (int(ir.Effect.DENY), "invalid_request", [])


@dataclass(slots=True)
class Board:
    """The reference step of one policy on one board."""

    policy: ir.Policy
    params: dict[str, int]
    who: str = WHO
    state: State = field(default_factory=State)
    variables: tuple[Variable, ...] = field(init=False)
    scopes: tuple[BoardScope, ...] = field(init=False)
    time: ir.Time = field(init=False)
    classes: Mapping[str, TextClasses] = field(init=False)

    def __post_init__(self) -> None:
        assert self.policy.time is not None
        self.time = self.policy.time
        self.scopes = board_scopes(self.time)
        self.classes = classify_fields(self.policy)
        self.variables = interface.variables(self.policy, self.classes)

    # --- variables -------------------------------------------------------------------------------

    def given(self, sample: Sample) -> dict[str, int]:
        """Every variable: those that the sample does not bring are unset."""
        found = {one.name: one.unset for one in self.variables}
        if isinstance(sample, Request):
            found |= encoded(self.policy, self.classes, sample.values, self.params)
        found |= {f"param.{name}": value for name, value in self.params.items()}
        found |= self.held() | {NOW: sample.at_ms}
        if isinstance(sample, Report):
            carried = {n: v for n, v in sample.values.items() if isinstance(v, int)}
            found |= {sample_variable(name): value for name, value in carried.items()}
        return found

    def kind(self, sample: Sample) -> int:
        match sample:
            case Request():
                return ir.REQUEST
            case Tick():
                return ir.TICK
            case Report(name=name):
                return self.time.kind_of(name)

    def held(self) -> dict[str, int]:
        """The state as variables."""
        found: dict[str, int] = {}
        for scope in self.scopes:
            instance = self.instance(scope)
            found[scope.at] = NEVER if instance is None else instance.at_ms
            for cell in scope.cells:
                value = cell.initial if instance is None else instance.cells[cell.name]
                found[scope.variable(cell)] = value
        return found

    def instance(self, scope: BoardScope) -> Instance | None:
        return self.state.instances.get(self.address(scope))

    def address(self, scope: BoardScope) -> tuple[str, str]:
        return scope.key, self.who if scope.key else ""

    def put(self, held: Mapping[str, int]) -> None:
        """The reference step goes on from a state of variables."""
        found = {}
        for scope in self.scopes:
            if held[scope.at] != NEVER:
                cells = {cell.name: held[scope.variable(cell)] for cell in scope.cells}
                found[self.address(scope)] = Instance(held[scope.at], cells)
        if self.time.key and len(self.scopes) == 1 and found:  # every sample addresses both
            found[ir.SHARED, ""] = Instance(held[self.scopes[0].at], {})
        self.state = State(found)

    # --- steps -----------------------------------------------------------------------------------

    def commit(self, sample: Sample) -> Taken:
        """The sample is taken in."""
        before = self.state
        self.state, outcome = step(self.policy, self.params, before, sample)
        return self._taken(sample, outcome, is_taken=self.state is not before)

    def ask(self, sample: Request) -> Taken:
        """The same without writing."""
        before = self.state
        after, outcome = step(self.policy, self.params, before, sample)
        return self._taken(sample, outcome, is_taken=after is not before)

    def _taken(self, sample: Sample, outcome: Outcome | None, *, is_taken: bool) -> Taken:
        if isinstance(sample, Request):
            assert outcome is not None
            return Taken(0 if is_taken else -1, expected(outcome), self.held())
        return Taken(0 if is_taken else -4, REFUSED, self.held())

    def told(self, cells: Mapping[str, int], sample: Sample) -> tuple[Any, ...]:
        """What cells of an outcome say."""
        values = sample.values if isinstance(sample, Request) else {}
        return said(self.policy, cells, values)


# --- random ones -----------------------------------------------------------------------------------


def random_board(rng: random.Random) -> Board:
    """A policy that a board can have, with parameters."""
    policy = random_time_policy(rng, rng.choice(BOARDS))
    return Board(policy, random_params(rng, policy))


def history(board: Board, rng: random.Random, length: int) -> Iterator[Sample]:
    """Samples of one key."""
    yield from Histories(board.policy, rng, (board.who,)).history(length)


def written_board(rng: random.Random, length: int) -> tuple[Board, list[Sample]]:
    """A policy that a board can have, as a person would write it, with samples of one key."""
    while True:
        written = write_remembering(rng)
        policy = compile_source(Source("p.gov", written.text)).policy
        assert policy.time is not None
        try:
            board = Board(policy, {"most": rng.randint(0, 4)}, "a1")
        except BoardError:
            continue
        return board, list(_told(board, time_histories.history(rng, written, length)))


def _told(board: Board, history: Iterable[time_histories.Told]) -> Iterator[Sample]:
    key = board.who if board.time.key else None
    for told in history:
        if told.request is not None:
            named = {one.name for one in board.policy.fields}
            runtime = {name: value for name, value in told.runtime.items() if name in named}
            request = told.request | ({"agent": key} if key else {})
            read = read_sample(board.policy, request, runtime, told.at_ms)
            if isinstance(read, Request):
                yield read
        elif told.name is None:
            yield Tick(told.at_ms, key)
        else:
            shared = board.time.key is None or told.name in ("alarm", "margin")
            values, own = told.values, None if shared else key
            with contextlib.suppress(InvalidFieldError):
                yield read_report(board.policy, told.name, own, values, told.at_ms)


def random_state(board: Board, rng: random.Random) -> dict[str, int]:
    """Any state in which every variable is inside its domain."""
    found: dict[str, int] = {}
    for scope in board.scopes:
        now = rng.choice((0, rng.randint(-100, 100_000), 1_700_000_000_000))
        found[scope.at] = rng.choice((NEVER, now, now, now, ir.INT64_MAX))
        for cell in scope.cells:
            ends = (cell.field.lo, cell.field.hi, cell.initial)
            value = rng.choice((*ends, rng.randint(cell.field.lo, cell.field.hi)))
            found[scope.variable(cell)] = cell.initial if found[scope.at] == NEVER else value
    return found


def strayed(
    board: Board, rng: random.Random, sample: Sample
) -> Iterator[tuple[dict[str, int], int, int]]:
    """Variables of which one is outside its domain: them, its number, the answer."""
    whole = board.given(sample)
    for number, one in enumerate(board.variables):
        if not _counts(board, one, sample) or rng.random() < 0.7:
            continue
        outside = broken(rng, one)
        if (
            outside is not None
            and outside not in one.beside
            and not (one.bytes and _is_wide(one, outside))
        ):
            yield whole | {one.name: outside}, number, -3 if one.home in STATE_HOMES else -1


def _counts(board: Board, one: Variable, sample: Sample) -> bool:
    match one.home:
        case Home.REQUEST:
            present = not one.has or isinstance(sample, Request)
            return one.param or (isinstance(sample, Request) and present and not one.has)
        case Home.SAMPLE:
            own = board.time.sample(sample.name).fields if isinstance(sample, Report) else ()
            return one.name in {sample_variable(field.name) for field in own}
        case _:
            return True


def _is_wide(one: Variable, value: int) -> bool:
    """Whether C's member of a cell cannot hold a value."""
    bits = one.width if 8 * one.bytes == one.width else 8 * one.bytes
    low = -(1 << bits - 1) if one.lo < 0 or bits == one.width else 0
    return not low <= value < low + (1 << bits)


# --- deadlines -------------------------------------------------------------------------------------


def deadline_of(board: Board, variables: Variables) -> int:
    """The next deadline as docs/edge.md has it."""
    points, now = change_points(board.policy, board.time), variables[NOW]
    ahead: list[int] = []
    for scope in board.scopes:
        at = variables[scope.at]
        if at == NEVER:
            continue
        since = max(0, now - at)
        for cell in scope.cells:
            value = variables[scope.variable(cell)]
            if cell.cap is not None and value >= 0:
                grown = min(cell.cap, value + since)
                ahead += _ahead(points.get(cell.name, set()), cell.cap, grown)
        if scope is board.scopes[-1]:
            ahead += _ahead(points.get(ir.GAP, set()), ir.GAP_MAX, since)
    return now + min(ahead) if ahead else ir.INT64_MAX


def _ahead(points: set[int], cap: int, value: int) -> list[int]:
    if WHOLE in points:
        return [1] if value < cap else []
    return [p - value for p in points if value < p <= cap and p >= 1]
