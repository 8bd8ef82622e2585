"""A sample changes nothing of what it is said not to change: random policies over time, on the reference step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from control_life import BUDGET
from crew import POLICY as CREW
from time_histories import KEYS, Told, history, request, sample
from time_policies import write_remembering

from govlang.compiler import ir
from govlang.compiler.core import core_json
from govlang.compiler.frontend import compile_source
from govlang.compiler.ir import Effect
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import State, Tick, step
from govlang.dsl.source import Source
from govlang.native.request import InvalidFieldError
from govlang.runtime.control.influence import Influence

SAMPLES = 25
TRIED = 8
ASKED = 10


class Trial:
    """A random policy, and what has happened to it."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.written = write_remembering(self.rng)
        self.policy = compile_source(Source("p.gov", self.written.text)).policy
        self.influence = Influence(core_json(self.policy))
        self.params = {"most": self.rng.randint(0, 4)}
        self.state, self.at_ms = State(), 0
        for told in history(self.rng, self.written, SAMPLES):
            self.at_ms = max(self.at_ms, told.at_ms)
            self.state = self.after(self.state, told)

    def after(self, state: State, told: Told) -> State:
        """The state behind a sample of now; as it was, where the policy does not take it."""
        taken: Any = Tick(self.at_ms, told.key)
        try:
            if told.request is not None:
                taken = read_sample(self.policy, told.request, self.runtime(told), self.at_ms)
            elif told.name is not None:
                taken = read_report(self.policy, told.name, told.key, told.values, self.at_ms)
        except InvalidFieldError:
            return state
        return step(self.policy, self.params, state, taken)[0]

    def runtime(self, told: Told) -> dict[str, Any]:
        known = {f.name for f in self.policy.fields}
        return {name: value for name, value in told.runtime.items() if name in known}

    def denies(self, state: State, told: Told, at_ms: int) -> bool:
        assert told.request is not None
        asked = read_sample(self.policy, told.request, self.runtime(told), at_ms)
        _, outcome = step(self.policy, self.params, state, asked)
        return outcome is not None and outcome.decision is Effect.DENY

    def requests(self) -> list[Told]:
        keys = KEYS if self.written.keyed else (None,)
        return [request(self.rng, self.at_ms, self.rng.choice(keys)) for _ in range(ASKED)]

    def is_reached(self, scopes: frozenset[str], told: Told, asked: Told) -> bool:
        """Whether a request has part in what an event changes."""
        assert asked.request is not None
        own = told.key is not None and asked.request["agent"] == told.key
        there = told.values.get("resource") == asked.request["resource"]
        return "" in scopes or ("agent" in scopes and own) or ("resource" in scopes and there)


def tried(seed: int) -> Counter[str]:
    """Take events and signals into the state of a random policy, and ask before and behind each."""
    one = Trial(seed)
    said: Counter[str] = Counter()
    for _ in range(TRIED):
        one.at_ms += one.rng.choice((0, 0, 1, 3, 13))
        told = sample(
            one.rng, one.written, one.at_ms, one.rng.choice(KEYS) if one.written.keyed else None
        )
        if told.name is None:
            one.state = one.after(one.state, told)
            continue
        scopes = one.influence.of(told.name)
        behind = one.after(one.state, told)
        for asked in one.requests():
            before = one.denies(one.state, asked, one.at_ms)
            changes = before is not one.denies(behind, asked, one.at_ms)
            reached = one.is_reached(scopes, told, asked)
            assert reached or not changes, (told, asked, scopes, one.written.text)
            said["reached" if reached else "not reached"] += 1
            said["changed"] += changes
            if not one.influence.of_time:
                later = one.denies(one.state, asked, one.at_ms + one.rng.choice((1, 7, 5000)))
                assert later is before, (asked, one.written.text)
        one.state = behind
    return said


def test_a_sample_changes_no_decision_that_it_is_said_not_to() -> None:
    said: Counter[str] = sum((tried(seed) for seed in range(60)), Counter())
    assert min(said["reached"], said["not reached"]) > 500, said
    assert said["changed"] > 10, said


@pytest.mark.long
def test_nor_does_one_of_two_thousand_policies() -> None:
    said: Counter[str] = sum((tried(seed) for seed in range(1000, 3000)), Counter())
    assert min(said["reached"], said["not reached"]) > 10_000, said
    assert said["changed"] > 300, said


def influence(source: str) -> Influence:
    return Influence(core_json(compile_source(Source("p.gov", source)).policy))


OWN, NOBODY = frozenset({"agent"}), frozenset[str]()


@pytest.mark.parametrize(
    ("source", "event", "scopes"),
    [
        (CREW, "success", NOBODY),
        (CREW, "failure", NOBODY),
        (CREW, "scope_violation", OWN),
        (CREW, "task.issued", OWN),
        (BUDGET, "settled", NOBODY),
        (BUDGET, "alarm", OWN),
        (CREW, "unheard_of", OWN | {""}),
    ],
)
def test_the_events_that_a_contract_reads_matter_and_results_do_not(
    source: str, event: str, scopes: frozenset[str]
) -> None:
    assert influence(source).of(event) == scopes


def test_a_breaker_that_throttles_denies_nothing(root: Path) -> None:
    found = influence((root / "examples/agents/policy.gov").read_text("utf-8"))
    assert (found.of("failure"), found.of("secret_detected")) == (NOBODY, OWN)


def test_a_policy_that_denies_by_a_count_reads_what_it_counts() -> None:
    text = CREW + "rule often when count(failure) in 1 h >= 5 deny\n"
    assert (influence(text).of("failure"), influence(text).of("success")) == (OWN, NOBODY)


def test_a_rule_that_throttles_matters_where_it_may_come_before_one_that_denies() -> None:
    slow = CREW + "rule slow when failure within 1 h throttle retry 1 s\n"
    assert influence(slow).of("failure") == NOBODY
    first = slow.replace("default deny", "combine first_match\ndefault deny")
    assert influence(first).of("failure") == OWN


BASE = """language 1
policy base version "1.0.0"
longest window 1 h
default deny
combine most_restrictive

input {
  agent  : key
  topic  : text
  amount : number in 0..100
}
event e
event f
rule works when topic like "x.**" allow
"""

STEPS = """machine m {
  start off
  off -> mid on e
  mid -> end when not (e within 1 min) or e within 1 min
  end -> far when not (e within 1 min) or e within 1 min
}
"""


@pytest.mark.parametrize(
    ("rules", "matters"),
    [
        ("rule far when m is far deny\n" + STEPS, True),
        (
            "rule end when m is mid deny\n"
            + STEPS.replace("when not (e within 1 min) or e", "when f"),
            True,
        ),
        ("rule held when (amount > 50) within 10 min deny\n", True),
        (
            "rule large when m is on deny\nmachine m { start off off -> mid on e mid -> on when amount > 50 }\n",
            True,
        ),
        ("rule late when gap > 5 min deny\n", True),
        ("rule late when gap > 5 min throttle retry 1 s\n", False),
        ("rule once when e within 5 min deny\n", False),
        (
            "rule due when m is end deny\nmachine m { start off off -> end on e end -> off after 5 min }\n",
            False,
        ),
    ],
    ids=[
        "a chain",
        "its own event",
        "what was last asked",
        "a step by what was last asked",
        "a gap",
        "a gap that throttles",
        "another",
        "what is due",
    ],
)
def test_a_sample_that_moves_on_what_the_next_request_moves_matters(
    rules: str, *, matters: bool
) -> None:
    """What one sample more would do: a machine takes two steps, not one; what was asked is true once more."""
    assert bool(influence(BASE + rules).of("f")) is matters


def test_a_chain_of_steps_that_a_sample_moves_on_reaches_a_denial() -> None:
    """That it matters is no overcaution: behind the event that nothing names, the request is denied."""
    text = BASE + "rule far when m is far deny\n" + STEPS
    policy = compile_source(Source("p.gov", text)).policy
    request_ = read_sample(policy, {"agent": "a", "topic": "x.y", "amount": 1}, {}, 5)
    begun, _ = step(policy, {}, State(), read_report(policy, "e", "a", {}, 5))
    moved, _ = step(policy, {}, begun, read_report(policy, "f", "a", {}, 5))
    effects = [step(policy, {}, state, request_)[1].decision for state in (begun, moved)]  # type: ignore[union-attr]
    assert effects == [Effect.ALLOW, Effect.DENY]


def test_the_reader_of_cores_knows_every_word_of_the_ir() -> None:
    kinds = {
        "InRanges",
        "And",
        "Or",
        "Not",
        "BoolConst",
        "Compare",
        "SetTest",
        "TextTest",
        "TextEqual",
        "Has",
        "DecisionIn",
    }
    assert {one.__name__ for one in ir.BoolExpr.__args__} == kinds  # type: ignore[attr-defined]
