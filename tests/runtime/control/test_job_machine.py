from __future__ import annotations

from itertools import count, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govlang.native.errors import CodedError
from govlang.runtime.control.job_machine import Gate, IllegalMoveError, JobMachine, JobState, Move

LETS_GO = "allow limit fail_open undo"
TABLE = [  # the design's table: the move, from where, to where, the gates that it may have
    ("admit", "pending", "scheduled", LETS_GO),
    ("hold", "pending scheduled retrying", "approval_required", "human"),
    ("approve", "approval_required", "scheduled", "approved"),
    ("postpone", "scheduled retrying", "retrying", "throttle unavailable"),
    ("dispatch", "scheduled retrying", "dispatched", LETS_GO),
    ("refuse", "approval_required scheduled retrying", "denied", "deny rejected"),
    ("start", "dispatched", "running", "none"),
    ("lose", "dispatched", "retrying", "none"),
    ("again", "running", "retrying", "none"),
    ("succeed", "running", "succeeded", "none"),
    ("fail", "running", "failed", "none"),
    ("time_out", "approval_required scheduled retrying dispatched running", "timed_out", "none"),
    (
        "cancel",
        "pending approval_required scheduled retrying dispatched running",
        "cancelled",
        "none",
    ),
    (
        "quarantine",
        "pending approval_required scheduled retrying dispatched running",
        "quarantined",
        "none",
    ),
]
LEGAL = {
    (JobState(source), Move(move), Gate(gate)): JobState(target)
    for move, sources, target, gates in TABLE
    for source in sources.split()
    for gate in gates.split()
}

ADMIT, HOLD = (Move.ADMIT, Gate.ALLOW), (Move.HOLD, Gate.HUMAN)
DISPATCH, START = (Move.DISPATCH, Gate.LIMIT), (Move.START, Gate.NONE)
RUN = (ADMIT, DISPATCH, START)
WAYS = {
    JobState.PENDING: (),
    JobState.APPROVAL_REQUIRED: (HOLD,),
    JobState.SCHEDULED: (ADMIT,),
    JobState.DISPATCHED: (ADMIT, DISPATCH),
    JobState.RUNNING: RUN,
    JobState.RETRYING: (ADMIT, (Move.POSTPONE, Gate.THROTTLE)),
    JobState.SUCCEEDED: (*RUN, (Move.SUCCEED, Gate.NONE)),
    JobState.FAILED: (*RUN, (Move.FAIL, Gate.NONE)),
    JobState.CANCELLED: ((Move.CANCEL, Gate.NONE),),
    JobState.TIMED_OUT: (ADMIT, (Move.TIME_OUT, Gate.NONE)),
    JobState.DENIED: (HOLD, (Move.REFUSE, Gate.REJECTED)),
    JobState.QUARANTINED: (*RUN, (Move.QUARANTINE, Gate.NONE)),
}


@pytest.fixture(scope="module")
def machine() -> JobMachine:
    return JobMachine(capacity=10_000)


@pytest.fixture(scope="module")
def large() -> JobMachine:
    return JobMachine(capacity=100_000)


def brought(machine: JobMachine, job_id: str, state: JobState) -> str:
    assert machine.follow(job_id, [(*one, 0) for one in WAYS[state]]) is state
    return job_id


@pytest.mark.parametrize("state", JobState)
def test_exactly_the_moves_of_the_table_are_made(machine: JobMachine, state: JobState) -> None:
    for move, gate in product(Move, Gate):
        job_id = brought(machine, f"{state}-{move}-{gate}", state)
        target = LEGAL.get((state, move, gate))
        if target is None:
            with pytest.raises(IllegalMoveError) as error:
                machine.move(job_id, move, gate, now_ms=1)
            assert (error.value.code, error.value.state) == ("GOV640", state)
        else:
            assert machine.move(job_id, move, gate, now_ms=1) is target
        assert machine.state(job_id) is (target or state)


@pytest.mark.parametrize("state", JobState)
def test_an_illegal_move_changes_not_one_byte(state: JobState) -> None:
    machine = JobMachine(capacity=2)
    brought(machine, "j", state)
    before = machine._policy.save(now_ms=0)
    for move, gate in product(Move, Gate):
        for job_id in ("j",) if (state, move, gate) not in LEGAL else ():
            with pytest.raises(IllegalMoveError):
                machine.move(job_id, move, gate, now_ms=7)
    assert machine._policy.save(now_ms=0) == before


def test_an_end_has_no_move_and_every_other_state_has_one() -> None:
    assert {state for state in JobState if not state.is_over} == {source for source, _, _ in LEGAL}


# --- against a transcription of its own -----------------------------------------------------------

ENDS = {"cancel": "cancelled", "quarantine": "quarantined"}
ONWARD: dict[str, dict[str, str]] = {
    "pending": {"admit": "scheduled", "hold": "approval_required", **ENDS},
    "approval_required": {
        "approve": "scheduled", "refuse": "denied", "time_out": "timed_out", **ENDS,
    },
    "scheduled": {
        "hold": "approval_required", "postpone": "retrying", "dispatch": "dispatched",
        "refuse": "denied", "time_out": "timed_out", **ENDS,
    },
    "retrying": {
        "hold": "approval_required", "postpone": "retrying", "dispatch": "dispatched",
        "refuse": "denied", "time_out": "timed_out", **ENDS,
    },
    "dispatched": {"start": "running", "lose": "retrying", "time_out": "timed_out", **ENDS},
    "running": {
        "again": "retrying", "succeed": "succeeded", "fail": "failed", "time_out": "timed_out", **ENDS,
    },
}  # fmt: skip
ASKED: dict[str, set[str]] = {
    "admit": {"allow", "limit", "fail_open", "undo"},
    "dispatch": {"allow", "limit", "fail_open", "undo"},
    "hold": {"human"},
    "approve": {"approved"},
    "postpone": {"throttle", "unavailable"},
    "refuse": {"deny", "rejected"},
}

JOBS = st.sampled_from("abc")
FITTING = st.sampled_from(
    [(move, Gate(gate)) for move in Move for gate in sorted(ASKED.get(move, {"none"}))]
)
ANY = st.tuples(st.sampled_from(Move), st.sampled_from(Gate))
WALKS = st.lists(
    st.tuples(JOBS, st.one_of(FITTING, FITTING, ANY), st.integers(0, 10**13)), max_size=30
)
walks = count()
Walk = list[tuple[str, tuple[Move, Gate], int]]


@settings(max_examples=300)
@given(walk=WALKS)
def test_it_agrees_with_a_dict_on_every_walk_and_a_restart_changes_nothing(
    machine: JobMachine, walk: Walk
) -> None:
    check_walk(machine, walk)


@pytest.mark.long
@settings(max_examples=10_000)
@given(walk=WALKS)
def test_it_agrees_with_a_dict_on_ten_thousand_walks(large: JobMachine, walk: Walk) -> None:
    check_walk(large, walk)


def check_walk(machine: JobMachine, walk: Walk) -> None:
    turn = next(walks)
    states = dict.fromkeys("abc", "pending")
    written: dict[str, list[tuple[Move, Gate, int]]] = {name: [] for name in states}
    for name, (move, gate), at_ms in walk:
        target = ONWARD.get(states[name], {}).get(move)
        if target is None or gate not in ASKED.get(move, {"none"}):
            with pytest.raises(IllegalMoveError):
                machine.move(f"{name}{turn}", move, gate, now_ms=at_ms)
        else:
            states[name] = target
            written[name].append((move, gate, at_ms))
            assert machine.move(f"{name}{turn}", move, gate, now_ms=at_ms) == target
        assert {one: machine.state(f"{one}{turn}") for one in states} == states
    for name, moves in written.items():
        assert machine.follow(f"{name}{turn} again", moves) == states[name]


# --- ids, room, time ------------------------------------------------------------------------------


def test_a_job_that_never_moved_is_pending(machine: JobMachine) -> None:
    assert machine.state("nobody") is JobState.PENDING


def test_a_clock_that_goes_back_stops_no_job() -> None:
    machine = JobMachine(capacity=2)
    machine.move("j", Move.ADMIT, Gate.ALLOW, now_ms=10**12)
    machine.move("k", Move.ADMIT, Gate.ALLOW, now_ms=5)
    assert machine.move("j", Move.DISPATCH, Gate.ALLOW, now_ms=-3) is JobState.DISPATCHED


@pytest.mark.parametrize(("job_id", "now_ms"), [("x" * 257, 0), ("j", 2**63)])
def test_a_move_that_cannot_be_read_is_told(machine: JobMachine, job_id: str, now_ms: int) -> None:
    with pytest.raises(CodedError) as error:
        machine.move(job_id, Move.ADMIT, Gate.ALLOW, now_ms=now_ms)
    assert error.value.code == "GOV641"


def test_the_longest_id_that_a_run_and_a_step_can_make_fits(machine: JobMachine) -> None:
    job_id = f"{'r' * 100}:{'s' * 100}@{10**9}"
    assert machine.move(job_id, Move.ADMIT, Gate.ALLOW, now_ms=0) is JobState.SCHEDULED


def test_where_there_is_no_room_no_job_is_forgotten_but_one_that_has_ended() -> None:
    machine = JobMachine(capacity=2)
    machine.move("a", Move.ADMIT, Gate.ALLOW, now_ms=0)
    machine.move("b", Move.CANCEL, now_ms=0)
    with pytest.raises(CodedError) as error:
        machine.move("c", Move.ADMIT, Gate.ALLOW, now_ms=0)
    assert error.value.code == "GOV642"
    with pytest.raises(CodedError) as error:
        machine.forget("a")
    assert error.value.code == "GOV643"
    machine.forget("b")
    machine.forget("c")
    assert machine.move("c", Move.ADMIT, Gate.ALLOW, now_ms=0) is JobState.SCHEDULED
    assert machine.state("a") is JobState.SCHEDULED
