"""`Policy` with what it remembers: commits, questions, reports, saved states, a full store, threads."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import tables
from ir_requests import random_params
from time_ir_policies import KEY, SAMPLES, Histories, random_time_policy

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome
from govlang.compiler.monitors import Memory, Trigger
from govlang.compiler.monitors_panes import panes_of, summed
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


def aged(name: str, window_ms: int, kind: int) -> tuple[ir.Cell, ir.Update]:
    cell = ir.Cell(ir.cell_field(name, 0, window_ms + 1), KEY.name, window_ms + 1, window_ms + 1)
    happens = ir.InRanges(ir.SAMPLE, ((kind, kind),))
    return cell, ir.Update(ir.Stage.TAKE, name, happens, ir.IntConst(0))


def small(window_ms: int = 1_000, name: str = "p") -> ir.Policy:
    """Deny within `window_ms` of an `f`; throttle while signal `v` is not fresh; count what was allowed."""
    failed, fails = aged("f.age", window_ms, 3)
    fresh, comes = aged("v.age", 5_000, 7)
    count = ir.Cell(ir.cell_field("allowed", 0, 3), KEY.name, 0)
    allowed = ir.DecisionIn(frozenset((ir.Effect.ALLOW, ir.Effect.THROTTLE)))
    more = ir.Arith(
        ir.ArithOp.LEAST,
        ir.Arith(ir.ArithOp.ADD, ir.FieldValue("allowed"), ir.IntConst(1)),
        ir.IntConst(3),
    )
    time = ir.Time(
        (failed, fresh, count),
        (fails, comes, ir.Update(ir.Stage.CLOSE, "allowed", allowed, more)),
        tuple(replace(one, permit=None) for one in SAMPLES),
        KEY.name,
        window_ms,
    )
    rules = (
        ir.Rule("soon", ir.InRanges("f.age", ((0, window_ms),)), ir.Effect.DENY),
        ir.Rule("spent", ir.InRanges("allowed", ((3, 3),)), ir.Effect.DENY),
        ir.Rule("stale", ir.InRanges("v.age", ((5_001, 5_001),)), ir.Effect.THROTTLE),
    )
    return replace(tables.policy_of(KEY, rules=rules, time=time), name=name)


def load(policy: ir.Policy, capacity: int = 100) -> Policy:
    return Policy(tables.table_bytes(policy), capacity=capacity)


def asked(policy: Policy, who: str, now_ms: int) -> str:
    return str(policy.decide({"who": who}, now_ms=now_ms).rule_id)


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
        {"at_ms": 1},
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


# --- room ----------------------------------------------------------------------------------------


def test_a_full_store_denies_and_forgets_only_what_is_as_if_it_had_never_been() -> None:
    policy = load(small(), capacity=2)
    for who in "ab":
        policy.observe({"at_ms": 0, "event": "f", "key": who})
    full = policy.commit({"who": "c"}, now_ms=500)
    assert (full.decision.value, full.rule_id, full.matched) == ("deny", "state_full", ())
    assert full.reason
    assert asked(policy, "c", 500) == "state_full"
    before = policy.save(now_ms=0)
    with pytest.raises(TableError, match="GOV418"):
        policy.observe({"at_ms": 500, "event": "f", "key": "c"})
    assert policy.save(now_ms=0) == before
    assert asked(policy, "a", 500) == "soon"
    assert policy.commit({"who": "c"}, now_ms=1_001).rule_id == "stale", (
        "the age of `a` has run out"
    )
    assert policy.commit({"who": "d"}, now_ms=1_001).rule_id == "stale"
    assert policy.commit({"who": "e"}, now_ms=1_001).rule_id == "state_full", "both have counts"


def test_many_keys_come_and_go() -> None:
    policy = load(small(), capacity=50)
    for number in range(3_000):
        at = number * 30
        policy.observe({"at_ms": at, "event": "f", "key": f"k{number}"})
        assert asked(policy, f"k{number}", at) == "soon"
        assert asked(policy, f"k{max(0, number - 20)}", at) == "soon"
    assert sum(scope == 1 for scope, _, _ in policy._save()) == 50


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


def test_of_many_threads_exactly_as_many_are_allowed_as_the_policy_says() -> None:
    policy = load(small())
    found: list[str] = []

    def work() -> None:
        for number in range(300):
            outcome = policy.commit({"who": f"k{number % 30}"})
            found.append(outcome.decision.value)
            if number % 50 == 0:
                policy.save()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found.count("throttle") == 30 * 3
    assert found.count("deny") == len(found) - 30 * 3


def summing() -> ir.Policy:
    """Deny where the last 30 to 40 ms hold an `f`, counted in panes of 10 ms."""
    memory = Memory()
    happens = ir.InRanges(ir.SAMPLE, ((3, 3),))
    panes = panes_of("sum", 30, 10, under=False)
    total = summed(memory, panes, Trigger("f", ir.Stage.TAKE, happens), ir.IntConst(1), KEY.name)
    cells, updates = memory.finish()
    samples = tuple(replace(one, permit=None) for one in SAMPLES)
    time = ir.Time(cells, updates, samples, KEY.name, 1_000)
    some = ir.Compare(ir.CompareOp.LT, ir.IntConst(0), total)
    return tables.policy_of(KEY, rules=(ir.Rule("some", some, ir.Effect.DENY),), time=time)


def test_a_key_whose_panes_are_all_empty_is_forgotten_and_no_other() -> None:
    policy = load(summing(), capacity=1)
    for at in (0, 13, 26):
        policy.observe({"at_ms": at, "event": "f", "key": "a"})
    for at in (30, 60, 69):
        assert asked(policy, "b", at) == "state_full", at
    assert asked(policy, "b", 70) == "default", "the phase, 6 ms at 26 ms, has stopped at 50 ms"


def test_an_age_that_still_grows_is_not_forgotten_though_it_is_as_at_the_start() -> None:
    base = small()
    assert base.time is not None
    cell = ir.Cell(ir.cell_field("since", 0, 100), KEY.name, 0, 100)
    policy = load(
        replace(base, time=replace(base.time, cells=(*base.time.cells, cell))), capacity=1
    )
    policy.observe({"at_ms": 0, "tick": True, "key": "a"})
    for at in (0, 50, 5_000):
        assert asked(policy, "b", at) == "state_full"
