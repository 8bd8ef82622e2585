"""`Policy` with what it remembers: commits, questions, reports, saved states, a full store, threads."""

from __future__ import annotations

import random
import sys
import threading
from collections import UserDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import tables
from ir_requests import random_params
from small_memory import asked, load, small
from time_ir_policies import KEY, Histories, random_time_policy

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome
from govlang.compiler.obligations import argument
from govlang.compiler.requests import write_request
from govlang.compiler.step import Report, Request, Sample, Tick, initial_state, step
from govlang.native.errors import TableError
from govlang.runtime.policy import Policy


def written(sample: Sample, policy: ir.Policy) -> dict[str, Any]:
    """A sample that is no request, as a step of a trace."""
    assert policy.time is not None
    match sample:
        case Tick(at_ms=at, key=key):
            return {"at_ms": at, "tick": True} | ({} if key is None else {"key": key})
        case Report(name=name, values=values, at_ms=at, key=key):
            own = policy.time.sample(name)
            fields = {
                f.name.rpartition(".")[2].removeprefix("$"): argument(values[f.name], f)
                for f in own.fields
            }
            found = {"at_ms": at} | ({} if key is None else {"key": {KEY.name: key}})
            if own.kind is ir.SampleKind.SIGNAL:
                return found | {"signal": name, "value": fields[name]}
            return found | {"event": name, "fields": fields}
        case _:
            raise AssertionError


def seen(outcome: Any) -> tuple[Any, ...]:
    word = outcome.decision.word if isinstance(outcome, Outcome) else outcome.decision.value
    return word, outcome.rule_id, outcome.reason, outcome.obligations, outcome.matched


def observed(loaded: Policy, step_: dict[str, Any]) -> bool:
    """Whether a step is taken in; the other way is that nothing called for it."""
    try:
        loaded.observe(step_)
    except TableError as error:
        return error.code != "GOV417"
    return True


@pytest.mark.parametrize("seed", range(60))
def test_a_policy_commits_as_the_reference_step_says(seed: int) -> None:
    rng = random.Random(seed)
    policy = random_time_policy(rng)
    params = random_params(rng, policy)
    loaded, state = tables.load(policy, params), initial_state(policy)
    for number, sample in enumerate(Histories(policy, rng).history(50)):
        if number == 25:
            other = tables.load(policy, params)
            assert other.restore(loaded.save(now_ms=0), downtime_ms=0, now_ms=0) == ()
            loaded = other
        after, expected = step(policy, params, state, sample)
        if isinstance(sample, Request):
            request, runtime = write_request(policy, sample.values)
            asked = {"now_ms": sample.at_ms, "runtime": runtime}
            assert expected is not None
            assert seen(loaded.decide(request, **asked)) == seen(expected), (number, sample)
            assert seen(loaded.commit(request, **asked)) == seen(expected), (number, sample)
        else:
            assert observed(loaded, written(sample, policy)) is (after is not state)
        state = after


# --- a small policy ------------------------------------------------------------------------------


@pytest.fixture
def policy() -> Policy:
    return load(small())


def test_a_question_writes_nothing_and_a_commit_does(policy: Policy) -> None:
    for _ in range(9):
        assert asked(policy, "a", 5) == "stale"
    assert [policy.commit({"who": "a"}, now_ms=5).rule_id for _ in range(4)] == ["stale"] * 3 + [
        "spent"
    ]
    assert asked(policy, "b", 5) == "stale"


def test_a_step_says_when_something_can_change_without_one(policy: Policy) -> None:
    assert policy.observe({"at_ms": 10, "event": "f", "key": "a"}) == 10 + 1_001
    assert asked(policy, "a", 1_010) == "soon"
    assert asked(policy, "a", 1_011) == "stale"
    assert policy.observe({"at_ms": 2_000, "signal": "v", "value": 3, "key": "a"}) == 2_000 + 5_001
    assert policy.commit({"who": "a"}, now_ms=3_000).next_deadline_ms == 7_001
    assert policy.decide({"who": "a"}, now_ms=3_000).next_deadline_ms is None, "of a question"
    assert policy.commit({"who": "a"}, now_ms=8_000).next_deadline_ms is None


def test_a_clock_that_goes_back_denies_once(policy: Policy) -> None:
    policy.commit({"who": "a"}, now_ms=1_000)
    back = policy.commit({"who": "a"}, now_ms=999)
    assert (back.decision.value, back.rule_id, back.reason) == (
        "deny",
        "clock_fault",
        "the clock went back",
    )
    assert (back.obligations, back.matched) == ((), ())
    assert policy.commit({"who": "a"}, now_ms=999).rule_id == "stale"


def test_the_clock_is_read_where_no_time_is_given(policy: Policy) -> None:
    policy.observe({"event": "f", "key": "a"})
    assert policy.commit({"who": "a"}).rule_id == "soon"
    assert asked(policy, "a", 2**50) == "stale"


@pytest.mark.parametrize("now", [1.5, "1", True, 2**53, -(2**53), 2**70])
def test_a_time_that_is_none_is_an_invalid_request(policy: Policy, now: Any) -> None:
    outcome = policy.commit({"who": "a"}, now_ms=now)
    assert outcome.rule_id == "invalid_request"
    assert "now_ms" in outcome.reason


@pytest.mark.parametrize(
    "bad",
    [
        {"at_ms": 1, "event": "unknown", "key": "a"},
        {"at_ms": 1, "event": "v", "key": "a"},
        {"at_ms": 1, "signal": "f", "value": 1, "key": "a"},
        {"at_ms": 1, "event": "f"},
        {"at_ms": 1, "event": "g", "key": "a"},
        {"at_ms": 1, "event": "f", "key": 7},
        {"at_ms": 1, "event": "f", "key": "x" * 33},
        {"at_ms": 1, "event": "f", "key": {"whom": "a"}},
        {"at_ms": 1, "event": "f", "key": "a", "fields": {"x": 1}},
        {"at_ms": 1, "event": "f", "key": "a", "fields": []},
        {"at_ms": 1, "event": "e", "key": "a", "fields": {"x": 10, "target": "b"}},
        {"at_ms": 1, "signal": "v", "value": 51, "key": "a"},
        {"at_ms": 1.0, "event": "f", "key": "a"},
        {"at_ms": 2**60, "event": "f", "key": "a"},
        {"at_ms": 1, "request": {"who": "a"}},
        {"at_ms": 1, "event": "f", "key": "a", "tick": True},
        {"at_ms": 1, "event": "f", "key": "a", "field": {}},
        {"at_ms": 1, "signal": "v", "key": "a"},
        {"at_ms": 1, "tick": True, "key": "a", "fields": {}},
        {"at_ms": 1},
        [1],
    ],
)
def test_a_step_that_does_not_fit_changes_nothing(policy: Policy, bad: dict[str, Any]) -> None:
    before = policy.save(now_ms=0)
    with pytest.raises(TableError, match="GOV415"):
        policy.observe(bad)
    assert policy.save(now_ms=0) == before


def test_an_invalid_request_changes_nothing(policy: Policy) -> None:
    before = policy.save(now_ms=0)
    assert policy.commit({"whom": "a"}, now_ms=5).rule_id == "invalid_request"
    assert policy.save(now_ms=0) == before


def test_rows_of_columns_have_no_history(policy: Policy) -> None:
    with pytest.raises(TableError, match="GOV412"):
        policy.decide_batch({"who": ["a"]})


# --- saved states --------------------------------------------------------------------------------


def used() -> Policy:
    policy = load(small())
    policy.observe({"at_ms": 1_000, "event": "f", "key": "a"})
    policy.observe({"at_ms": 1_000, "signal": "v", "value": 1, "key": "a"})
    policy.commit({"who": "b"}, now_ms=1_200)
    return policy


def test_a_state_goes_on_after_a_known_time() -> None:
    blob = used().save(now_ms=1_500)
    other = load(small())
    assert other.restore(blob, downtime_ms=400, now_ms=50) == ()
    assert asked(other, "a", 50 + 100) == "soon", "500 ms before, 400 ms down, 100 ms after"
    assert asked(other, "a", 50 + 101) == "default"
    assert asked(other, "a", 50 + 4_101) == "stale"


def test_after_an_unknown_time_the_next_sample_is_a_clock_fault_and_no_signal_is_fresh() -> None:
    other = load(small())
    assert other.restore(used().save(now_ms=1_500)) == ()
    assert other.commit({"who": "a"}, now_ms=2_000).rule_id == "clock_fault"
    assert asked(other, "a", 2_000 + 1_000) == "soon", "what is denied stays denied"
    assert asked(other, "a", 2_000 + 1_001) == "stale"


def test_another_version_takes_over_the_cells_that_mean_the_same() -> None:
    other = load(small(window_ms=2_000))
    for who in range(3):
        other.commit({"who": str(who)}, now_ms=0)
    assert other.restore(used().save(now_ms=1_500), downtime_ms=0, now_ms=1_500) == ("f.age",)
    assert asked(other, "a", 1_500) == "default", "the failure is forgotten, the signal is not"
    for _ in range(2):
        other.commit({"who": "b"}, now_ms=1_500)
    assert asked(other, "b", 1_500) == "spent", "one commit before, two after"


def test_a_state_of_another_policy_or_a_damaged_one_changes_nothing() -> None:
    blob = used().save(now_ms=1_500)
    other = load(small(name="q"))
    other.observe({"at_ms": 1_000, "event": "f", "key": "z"})
    before = other.save(now_ms=0)
    for bad in (blob, blob[:-1], b"", blob[:20], before + b"\0"):
        with pytest.raises(TableError, match="GOV419"):
            other.restore(bad, downtime_ms=0)
    assert other.save(now_ms=0) == before


def test_every_bit_and_every_byte_of_a_state_counts() -> None:
    blob = used().save(now_ms=1_500)
    other = load(small())
    other.observe({"at_ms": 1_000, "event": "f", "key": "z"})
    before = other.save(now_ms=0)
    flipped = (
        blob[:at] + bytes([blob[at] ^ 1 << bit]) + blob[at + 1 :]
        for at in range(len(blob))
        for bit in range(8)
    )
    cut = (blob[:size] for size in range(len(blob)))
    for bad in (*flipped, *cut, blob + b"\0", b"\0" + blob):
        with pytest.raises(TableError, match="GOV419"):
            other.restore(bad, downtime_ms=0)
    assert other.save(now_ms=0) == before
    assert other.restore(blob, downtime_ms=0) == ()


@pytest.mark.parametrize("given", [-1, 1.5, "1", True, 2**53])
def test_a_downtime_that_is_none_is_refused(given: Any) -> None:
    other = load(small())
    with pytest.raises(TableError, match=r"GOV419: .*downtime_ms"):
        other.restore(used().save(now_ms=1_500), downtime_ms=given)


def hostile(blob: bytes, rng: random.Random) -> Iterator[bytes]:
    """Changed bytes with the checksum that they should have."""
    from govlang.native.layout import checked

    for _ in range(2_000):
        at = rng.randrange(24, len(blob))
        yield checked(blob[:at] + bytes([rng.randrange(256)]) + blob[at + 1 :])


def test_a_state_that_somebody_has_made_does_no_harm() -> None:
    other, taken = load(small()), 0
    for bad in hostile(used().save(now_ms=1_500), random.Random(5)):
        with suppress(TableError):
            other.restore(bad, downtime_ms=0)
            taken += 1
        other.commit({"who": "a"}, now_ms=3_000)
    assert taken > 50


def test_a_state_with_more_keys_than_there_is_room_for_is_refused() -> None:
    small_one = load(small(), capacity=1)
    with pytest.raises(TableError, match="GOV419"):
        small_one.restore(used().save(now_ms=0), downtime_ms=0)


# --- threads -------------------------------------------------------------------------------------


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def by_eight(ask: Callable[[str], str], rounds: int) -> list[str]:
    """What eight threads are told about 30 keys."""
    found: list[str] = []

    def work() -> None:
        for number in range(rounds):
            found.append(ask(f"k{number % 30}"))  # noqa: PERF401  # as it comes

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


class Unlike(UserDict[str, str]):
    """A request that C leaves to Python."""


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kind", [dict, Unlike])
def test_of_many_threads_exactly_as_many_are_allowed_as_the_policy_says(
    kind: Callable[[dict[str, str]], Any],
) -> None:
    policy = load(small())

    def ask(who: str) -> str:
        if who == "k0":
            policy.save()
        return str(policy.commit(kind({"who": who})).decision.value)

    found = by_eight(ask, 300)
    assert found.count("throttle") == 30 * 3
    assert found.count("deny") == len(found) - 30 * 3


def test_a_decision_apart_from_its_commit_would_be_noticed() -> None:
    policy, together = load(small()), threading.Barrier(8)

    def ask(who: str) -> str:
        told = policy.decide({"who": who}).decision.value
        together.wait()
        policy.commit({"who": who})
        return str(told)

    assert by_eight(ask, 30).count("throttle") == 30 * 8
