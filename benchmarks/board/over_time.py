"""The drone policy over time on the board: a recorded flight, its image, and what it takes.

In: `examples/drone_fleet.gov`.  Out: samples of one drone with their decisions as `cases.c` for
`examples/edge/board/over_time.c`, and the image that takes them in.

What always holds: decisions and states come from the reference step, never from what C is printed from.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.board import image
from benchmarks.board.cases import constants, outcome_cells, random_value, refusal
from benchmarks.board.cases_c import Member, constant
from benchmarks.board.image import Image, Source
from benchmarks.board.policy import EdgePolicy, edge_policy
from govlang.compiler import ir
from govlang.compiler.c_names import names_of
from govlang.compiler.edge_state import NEVER, NOW, SAVED_HEAD, UNKNOWN, board_scopes, is_freshness
from govlang.compiler.edge_state import state_bytes as bytes_of
from govlang.compiler.frontend import compile_file
from govlang.compiler.interpret import Value
from govlang.compiler.program import Home, Variable
from govlang.compiler.step import CLOCK_FAULT_RULE, Instance, Report, Request, State, watch

DRONE: Final = Path(__file__).resolve().parents[2] / "examples" / "drone_fleet.gov"
WHO: Final = "d7"
DRIVER: Final = "over_time.c"
KINDS: Final = {"restart": "TOLD_RESTART", "voltage": "TOLD_VOLTAGE"}
RESETS: Final = 40
"""One sample in so many comes after a reset."""


@dataclass(frozen=True, slots=True)
class Told:
    """A sample, how long the board was off before it (None: it was on), the outcome's cells, the state behind it.

    `restored` is the state that a reset before it came back with; empty where there was none.
    """

    sample: Request | Report
    downtime_ms: int | None
    restored: Mapping[str, int]
    cells: Mapping[str, int]
    state: Mapping[str, int]


def drone_over_time() -> EdgePolicy:
    """The policy, made ready for its artefacts."""
    return edge_policy(compile_file(DRONE).policy)


def flight(edge: EdgePolicy, count: int, seed: int) -> list[Told]:
    """Samples of one drone: a voltage each second or so, restarts, requests, silence, clocks that go back, resets."""
    rng = random.Random(seed)
    state, now, found = State(), 1_000, list[Told]()
    for number in range(count):
        downtime: int | None = None
        restored: Mapping[str, int] = {}
        last = now
        if number and rng.randrange(RESETS) == 0:
            now, downtime = rng.randrange(5_000), rng.choice((-1, 500, 8_000, 400_000))
            state = _restored(edge.policy, state, now - last, downtime)
            restored = _held(edge.policy, state)
        else:
            steps = (0, 1, 500, 1_000, 1_000, 1_000, 9_999, 10_001, 300_000, 300_001)
            now += rng.choice((*steps, -1)) if now else 0
        sample = _sample(edge.policy, rng, now)
        watched = watch(edge.policy, {}, state, sample)
        state = watched.after
        cells: Mapping[str, int] = {}
        if watched.outcome is not None:
            _, cells = outcome_cells(edge.policy, len(edge.program.variables), {}, watched.seen)
            if watched.outcome.rule_id == CLOCK_FAULT_RULE:
                fault = {"out.rule": len(edge.policy.rules) + 2}
                cells = refusal(edge.policy, -1) | fault
            assert cells["out.decision"] == watched.outcome.decision
        found.append(Told(sample, downtime, restored, cells, _held(edge.policy, state)))
    return found


def _sample(policy: ir.Policy, rng: random.Random, now: int) -> Request | Report:
    kind = rng.random()
    if kind < 0.5:
        steady = rng.choice((1198, 1200, 1202))
        volt = rng.choice((steady, steady, steady, steady, rng.randint(0, 3_000)))
        return Report("voltage", {"$voltage": volt}, now, WHO)
    if kind < 0.55:
        return Report("restart", {}, now, WHO)
    points = constants(policy)
    values: dict[str, Value] = {
        one.name: WHO if one.is_text else random_value(rng, one, points.get(one.name, ()))
        for one in policy.fields
    }
    return Request(values, now)


def _restored(policy: ir.Policy, state: State, later: int, downtime: int) -> State:
    """The state after a reset, as docs/edge.md says of `restore`; the clock of now is `later` than the old one."""
    assert policy.time is not None
    time, found = policy.time, {}
    for address, one in state.instances.items():
        cells = dict(one.cells)
        if downtime < 0:
            cells |= {
                c.name: c.cap for c in time.cells
                if c.name in cells and c.cap is not None and is_freshness(time, c)
            }  # fmt: skip
        at = UNKNOWN if downtime < 0 else one.at_ms + later - downtime
        found[address] = Instance(at, cells)
    return State(found)


def _held(policy: ir.Policy, state: State) -> dict[str, int]:
    assert policy.time is not None
    (scope,) = board_scopes(policy.time)
    one = state.instances.get((scope.key, WHO))
    found = {scope.at: one.at_ms if one else NEVER}
    for cell in scope.cells:
        found[scope.variable(cell)] = one.cells[cell.name] if one else cell.initial
    return found


# --- as C ------------------------------------------------------------------------------------------


def build(edge: EdgePolicy, flown: list[Told], place: Path) -> Image:
    """The policy, the flight and the board in one image, in a folder that is there."""
    header, text = edge.c_files()
    names = names_of(edge.program)
    ways = tuple(names.of(one) for one in ("commit", "event_restart", "signal_voltage", "tick"))
    source = Source(names.policy, text, header)
    return image.build(source, flight_c(edge, flown), place, ways=ways, more=(DRIVER,))


def state_bytes(edge: EdgePolicy) -> tuple[int, int]:
    """What the policy remembers, in bytes, and what of it is saved."""
    kept = bytes_of(edge.policy)
    return kept, kept + SAVED_HEAD


def flight_c(edge: EdgePolicy, flown: list[Told]) -> str:
    """The text of `cases.c`."""
    lines = ['#include "over_time.h"', '#include "replay.h"', "", "const struct told told[] = {"]
    lines += (f"    {{ {', '.join(_told(edge, one))} }}," for one in flown)
    lines += ["};", "", f"const uint32_t replay_count = {len(flown)}u;", ""]
    return "\n".join([*lines, *_compare(edge)]) + "\n"


def _told(edge: EdgePolicy, one: Told) -> Iterator[str]:
    names, sample = names_of(edge.program), one.sample
    kind = "TOLD_REQUEST" if isinstance(sample, Request) else KINDS[sample.name]
    yield f".kind = {kind}"
    yield f".now = INT64_C({sample.at_ms})"
    if one.downtime_ms is not None:
        yield f".is_after_reset = 1, .downtime = INT64_C({one.downtime_ms})"
    given = dict(one.state)
    given |= {f"sample.{n.removeprefix('$')}" if n.startswith("$") else n: v
              for n, v in sample.values.items() if isinstance(v, int)}  # fmt: skip
    homes = {Home.REQUEST: "request", Home.SAMPLE: "sample", Home.STATE: "state"}
    for home, struct in homes.items():
        written = [
            f".{names.members[v.name]} = {constant(given[v.name], _member(v))}"
            for v in edge.program.variables
            if v.home is home and v.name in given and v.name != NOW
        ]
        if written:
            yield f".{struct} = {{ {', '.join(written)} }}"
    if one.cells:
        cells = (
            f".{names.cells[c.name]} = "
            + constant(one.cells[c.name], Member(c.name, "", c.width, c.mask))
            for c in edge.program.cells
        )
        yield f".outcome = {{ {', '.join(cells)} }}"


def _member(one: Variable) -> Member:
    return Member(one.name, "", one.width, one.mask)


def _compare(edge: EdgePolicy) -> Iterator[str]:
    """`over_time_difference`: what differs from the recorded outcome (of a request) and state, from 2."""
    names = names_of(edge.program)
    yield "uint32_t told_difference(const struct told *one, const drone_fleet_outcome_t *outcome,"
    yield "                         const drone_fleet_state_t *state)\n{"
    kept = [v for v in edge.program.variables if v.home is Home.STATE]
    for number, v in enumerate(kept, 2):
        name = names.members[v.name]
        yield f"    if (state->{name} != one->state.{name}) {{ return {number}u; }}"
    yield "    if (one->kind != TOLD_REQUEST) { return 0u; }"
    for number, c in enumerate(edge.program.cells, 2 + len(kept)):
        name = names.cells[c.name]
        yield f"    if (outcome->{name} != one->outcome.{name}) {{ return {number}u; }}"
    yield "    return 0u;\n}"
