from __future__ import annotations

import threading
from asyncio import CancelledError
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from govlang.compiler.frontend import compile_file
from govlang.native.errors import CodedError
from govlang.runtime.control.breaker import STATES, Breaker, BreakerOpenError, Call

SLOW = "count(slow).since.success.2147483647"
"""The cell of the calls that took too long."""


@dataclass
class Clock:
    now_ms: int = 1_000

    def __call__(self) -> int:
        return self.now_ms

    def wait(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def opened(breaker: Breaker, dependency: str = "db") -> None:
    for _ in range(3):
        breaker.admit(dependency).failed()


def refused(breaker: Breaker, dependency: str = "db") -> BreakerOpenError:
    with pytest.raises(BreakerOpenError) as error:
        breaker.admit(dependency)
    assert error.value.code == "GOV650"
    return error.value


def test_the_states_are_numbered_as_in_the_table(root: Path) -> None:
    time = compile_file(root / "examples/breaker.gov").policy.time
    assert time is not None
    assert time.cell("breaker").field.members == STATES


# --- closed, open, half-open ----------------------------------------------------------------------


def test_three_failures_in_a_row_open_it_for_half_a_minute(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    assert (breaker.state("db"), breaker.state("mail")) == ("open", "closed")
    assert refused(breaker).retry_s == 30
    clock.wait(29.999)
    error = refused(breaker)
    assert (error.retry_s, error.reason) == (1, "The last three calls failed")
    clock.wait(0.001)
    assert breaker.state("db") == "half_open"
    breaker.admit("db")


def test_a_success_between_failures_begins_the_count_anew(breaker: Breaker) -> None:
    for end in ("failed", "failed", "succeeded", "failed", "failed"):
        getattr(breaker.admit("db"), end)()
    assert breaker.state("db") == "closed"
    breaker.admit("db").abandoned()
    assert breaker.state("db") == "open"


@pytest.mark.parametrize("end", ["succeeded", "failed"])
@pytest.mark.parametrize(("took_s", "state"), [(2.0, "closed"), (2.001, "open")])
def test_a_call_that_took_too_long_is_a_failure_whatever_it_brought(
    breaker: Breaker, clock: Clock, end: str, took_s: float, state: str
) -> None:
    for _ in range(3):
        call = breaker.admit("db")
        clock.wait(took_s)
        if took_s > 2:
            getattr(call, end)()
        else:
            call.succeeded()
    assert breaker.state("db") == state


def test_three_probes_go_out_and_two_successes_close_it(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.wait(30)
    first, second, _ = (breaker.admit("db") for _ in range(3))
    assert refused(breaker).retry_s == 1
    first.succeeded()
    assert breaker.state("db") == "half_open"
    refused(breaker)
    second.succeeded()
    assert breaker.state("db") == "closed"


def test_a_probe_that_fails_opens_it_for_another_half_minute(
    breaker: Breaker, clock: Clock
) -> None:
    opened(breaker)
    clock.wait(30)
    breaker.admit("db").failed()
    clock.wait(29.9)
    refused(breaker)
    clock.wait(0.1)
    breaker.admit("db")


def test_probes_that_never_end_let_others_out_later(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.wait(30)
    for _ in range(3):
        breaker.admit("db")
    clock.wait(60)
    assert refused(breaker).retry_s == 30
    clock.wait(30)
    breaker.admit("db")


# --- late results ---------------------------------------------------------------------------------


def test_results_of_an_earlier_period_count_for_nothing(breaker: Breaker, clock: Clock) -> None:
    before = [breaker.admit("db") for _ in range(5)]
    opened(breaker)
    clock.wait(30)
    assert breaker.state("db") == "half_open"
    for call in before[:2]:
        call.succeeded()
    assert breaker.state("db") == "half_open"
    probe = breaker.admit("db")
    before[2].failed()
    assert breaker.state("db") == "half_open"
    probe.succeeded()
    breaker.admit("db").succeeded()
    for call in before[3:]:
        call.failed()
    breaker.admit("db").failed()
    assert breaker.state("db") == "closed"


def test_the_result_of_a_probe_whose_period_is_over_is_late(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.wait(30)
    probes = [breaker.admit("db") for _ in range(3)]
    clock.wait(60)
    probes[0].failed()  # the minute is over: it is open anew, since now
    assert breaker._policy.remembered(SLOW, "db") == 0
    clock.wait(30)
    assert breaker.state("db") == "half_open"
    probes[1].succeeded()
    probes[2].succeeded()
    assert breaker.state("db") == "half_open"


def test_the_result_of_a_third_probe_is_late_where_two_have_closed_it(
    breaker: Breaker, clock: Clock
) -> None:
    opened(breaker)
    clock.wait(30)
    *two, third = [breaker.admit("db") for _ in range(3)]
    for probe in two:
        probe.succeeded()
    third.failed()
    for _ in range(2):
        breaker.admit("db").failed()
    assert breaker.state("db") == "closed"


# --- by hand --------------------------------------------------------------------------------------


def test_forced_open_stays_open_until_it_is_released(breaker: Breaker, clock: Clock) -> None:
    call = breaker.admit("db")
    breaker.force_open("db")
    call.succeeded()
    for _ in range(3):
        clock.wait(3600)
        error = refused(breaker)
        assert (error.retry_s, error.reason) == (30, "The breaker is held open by hand")
        assert breaker.state("db") == "forced"
    breaker.release("db")
    assert breaker.state("db") == "open"
    clock.wait(30)
    breaker.admit("db")


def test_an_open_one_can_be_forced_at_the_moment_when_probes_are_due(
    breaker: Breaker, clock: Clock
) -> None:
    opened(breaker)
    clock.wait(30)
    breaker.force_open("db")
    assert breaker.state("db") == "forced"
    refused(breaker)


# --- the guard ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, CancelledError, KeyboardInterrupt])
def test_an_exception_inside_a_guard_is_a_failure_and_goes_on(
    breaker: Breaker, error: type[BaseException]
) -> None:
    for _ in range(3):
        with pytest.raises(error), breaker.guard("db"):
            raise error
    assert breaker.state("db") == "open"
    with pytest.raises(BreakerOpenError), breaker.guard("db"):
        pytest.fail("it was run")


def test_a_guard_is_a_success_unless_the_inside_knows_better(breaker: Breaker) -> None:
    for _ in range(3):
        with breaker.guard("db") as call:
            call.failed()
    assert breaker.state("db") == "open"
    for _ in range(3):
        with breaker.guard("mail"):
            pass
    assert breaker.state("mail") == "closed"


def test_a_call_ends_once(breaker: Breaker) -> None:
    call = breaker.admit("db")
    call.succeeded()
    for end in (call.succeeded, call.failed, call.abandoned):
        with pytest.raises(CodedError) as error:
            end()
        assert error.value.code == "GOV653"
    assert breaker.state("db") == "closed"


# --- names, room, the clock -----------------------------------------------------------------------


@pytest.mark.parametrize("use", ["admit", "force_open", "release", "state"])
def test_a_name_that_no_dependency_can_have_is_told(breaker: Breaker, use: str) -> None:
    with pytest.raises(CodedError) as error:
        getattr(breaker, use)("x" * 257)
    assert error.value.code == "GOV651"


@pytest.mark.parametrize("first", ["admit", "force_open"])
@pytest.mark.parametrize("use", ["admit", "force_open"])
def test_where_there_is_no_room_nothing_is_called_and_nothing_forgotten(
    first: str, use: str
) -> None:
    breaker = Breaker(capacity=1)
    getattr(breaker, first)("db")
    state = breaker.state("db")
    for _ in range(2):
        with pytest.raises(CodedError) as error:
            getattr(breaker, use)("mail")
        assert error.value.code == "GOV652"
    assert breaker.state("db") == state


def test_a_clock_that_goes_back_is_taken_to_stand_still(breaker: Breaker, clock: Clock) -> None:
    breaker.admit("db").succeeded()
    clock.wait(-0.5)
    opened(breaker)
    clock.wait(-0.4)
    assert refused(breaker).reason == "The last three calls failed"
    clock.wait(30.9)
    breaker.admit("db").succeeded()


# --- threads --------------------------------------------------------------------------------------


def test_fifty_threads_get_three_probes(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.wait(30)
    together = threading.Barrier(50)

    def ask(_: int) -> Call | None:
        together.wait()
        try:
            return breaker.admit("db")
        except BreakerOpenError:
            return None

    with ThreadPoolExecutor(50) as pool:
        calls = [call for call in pool.map(ask, range(50)) if call]
    assert len(calls) == 3


def test_no_lock_is_held_while_a_call_runs(breaker: Breaker) -> None:
    with breaker.guard("db"), ThreadPoolExecutor(1) as pool:
        pool.submit(breaker.admit, "db").result(timeout=10).succeeded()


def test_failures_of_many_threads_are_all_counted(breaker: Breaker) -> None:
    calls = [breaker.admit("db") for _ in range(50)]
    together = threading.Barrier(50)

    def fail(call: Call) -> None:
        together.wait()
        call.failed()

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(fail, calls))
    assert breaker.state("db") == "open"


# --- against a model that is as plain as can be ---------------------------------------------------


@dataclass
class Naive:
    """One breaker, as its description reads."""

    state: str = "closed"
    since_ms: int = 0
    failures: int = 0
    probes: int = 0
    successes: int = 0
    period: int = 0

    def move(self, state: str, now_ms: int) -> None:
        self.state, self.since_ms = state, now_ms
        self.probes = self.successes = 0
        self.period += 1

    def look(self, now_ms: int) -> None:
        waited = now_ms - self.since_ms
        if self.state == "open" and waited >= 30_000:
            self.move("half_open", now_ms)
        elif self.state == "half_open" and waited >= 60_000:
            self.move("open", now_ms)

    def admit(self, now_ms: int) -> bool:
        self.look(now_ms)
        if self.state in {"open", "forced"} or self.probes >= 3:
            return False
        self.probes += self.state == "half_open"
        return True

    def end(self, now_ms: int, began_ms: int, period: int, *, well: bool) -> None:
        self.look(now_ms)
        if period != self.period:
            return
        if well and now_ms - began_ms <= 2_000:
            self.failures = 0
            self.successes += 1
            if self.state == "half_open" and self.successes == 2:
                self.move("closed", now_ms)
            return
        self.failures += 1
        if self.state == "half_open" or self.failures >= 3:
            self.move("open", now_ms)


@dataclass
class Out:
    """A call that is out, in both worlds."""

    call: Call
    began_ms: int
    period: int
    name: str


class Agreement(RuleBasedStateMachine):
    """The breaker and the plain model, side by side."""

    clock = Clock()
    breaker = Breaker(clock, capacity=30_000)  # one for all runs; each calls others
    runs = count()

    @initialize()
    def begin(self) -> None:
        self.run = next(self.runs)
        self.naive = {self.named("db"): Naive(), self.named("mail"): Naive()}
        self.out: list[Out] = []

    def named(self, name: str) -> str:
        return f"{name}{self.run}"

    @rule(name=st.sampled_from(["db", "db", "mail"]), many=st.integers(1, 4))
    def calls(self, name: str, many: int) -> None:
        name = self.named(name)
        naive = self.naive[name]
        for _ in range(many):
            try:
                call = self.breaker.admit(name)
            except BreakerOpenError:
                assert not naive.admit(self.clock.now_ms)
            else:
                assert naive.admit(self.clock.now_ms)
                self.out.append(Out(call, self.clock.now_ms, naive.period, name))

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 50), well=st.booleans())
    def ends(self, which: int, well: bool) -> None:
        one = self.out.pop(which % len(self.out))
        (one.call.succeeded if well else one.call.failed)()
        self.naive[one.name].end(self.clock.now_ms, one.began_ms, one.period, well=well)

    @rule(name=st.sampled_from(["db", "mail"]))
    def recovers(self, name: str) -> None:
        self.calls(name, 3)
        self.all_end(well=False)
        self.clock.wait(30)
        self.calls(name, 3)

    @precondition(lambda self: self.out)
    @rule(well=st.booleans())
    def all_end(self, *, well: bool) -> None:
        while self.out:
            self.ends(0, well)

    @rule(seconds=st.sampled_from([0.5, 1.999, 2.001, 10, 29.999, 30, 59.999, 60, 90]))
    def waits(self, seconds: float) -> None:
        self.clock.wait(seconds)

    @rule(name=st.sampled_from(["db", "mail"]))
    def is_forced(self, name: str) -> None:
        name = self.named(name)
        self.breaker.force_open(name)
        if self.naive[name].state != "forced":
            self.naive[name].move("forced", self.clock.now_ms)

    @rule(name=st.sampled_from(["db", "mail"]))
    def is_released(self, name: str) -> None:
        name = self.named(name)
        self.breaker.release(name)
        if self.naive[name].state == "forced":
            self.naive[name].move("open", self.clock.now_ms)
        self.naive[name].look(self.clock.now_ms)

    @rule(name=st.sampled_from(["db", "mail"]))
    def they_agree(self, name: str) -> None:
        name = self.named(name)
        self.naive[name].look(self.clock.now_ms)
        assert self.breaker.state(name) == self.naive[name].state


def test_the_breaker_is_its_plain_model() -> None:
    short = settings(max_examples=300, stateful_step_count=25)
    run_state_machine_as_test(Agreement, settings=short)


@pytest.mark.long
def test_the_breaker_is_its_plain_model_in_ten_thousand_runs() -> None:
    run_state_machine_as_test(Agreement, settings=settings(max_examples=10_000))
