"""The release gate of the edge: one policy, every engine, the same answer to the same requests.

Interpreter, table, module in wasmtime and in Node, C of gcc and of clang; and what was built is proved.
Sizes: in `make test` at most 12 rules, but for one policy in 15, which has up to 120 with conditions
that are less deep; in the long test what `ir_strategies.py` makes, up to 150 rules of any depth, and ten
million requests by `make agreement-long`.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from edge_trials import Trial, differences, trial, unproved
from host_cases import CROWD, NAMESAKES
from ir_strategies import Shape, random_policy, random_shape

from govlang.compiler import ir, steps_rules
from govlang.compiler.frontend import compile_file

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [
    *sorted((ROOT / "examples/stateless").glob("*.gov")),
    ROOT / "examples/loan_desk/policy.gov",
]
FAULTY = sorted(
    path for path in (ROOT / "examples/faulty").rglob("*.gov") if path.suffixes == [".gov"]
)
"""Without their mended twins, which differ in a number or a word."""

POLICIES, CHUNK, REQUESTS = 150, 10, 30
MANY = os.environ.get("GOVLANG_AGREEMENT") == "long"
LONG_POLICIES, LONG_CHUNK, LONG_REQUESTS = 2000, 10 if MANY else 50, 5000 if MANY else 60
APART, LONG_APART = 40, 250
"""Policies whose rules are told apart by switches even where so few are tested one by one."""


def shape(rng: random.Random) -> Shape:
    """Few rules of any depth, or now and then many that are quick to compile and to prove."""
    if rng.randrange(15):
        return Shape(rng.randint(1, 9), rng.randint(1, 12), rng.randint(1, 4))
    return Shape(rng.randint(1, 9), rng.choice((20, 40, 70, 120)), rng.randint(1, 2))


def trials(
    seeds: range, requests: int, shaped: Callable[[random.Random], Shape] = shape
) -> list[Trial]:
    found = []
    for seed in seeds:
        rng = random.Random(seed)
        found.append(trial(str(seed), random_policy(rng, shaped(rng)), rng, requests))
    return found


def chunks(start: int, count: int, chunk: int) -> list[range]:
    return [range(at, min(at + chunk, start + count)) for at in range(start, start + count, chunk)]


def hold(found: list[Trial], folder: Path) -> None:
    assert differences(found, folder) == []
    assert [text for one in found for text in unproved(one)] == []


@pytest.mark.parametrize("seeds", chunks(0, POLICIES, CHUNK), ids=str)
def test_random_policies_agree_everywhere_and_are_proved(seeds: range, tmp_path: Path) -> None:
    hold(trials(seeds, REQUESTS), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seeds", chunks(1_000_000, LONG_POLICIES, LONG_CHUNK), ids=str)
def test_many_random_policies_agree_everywhere_and_are_proved(seeds: range, tmp_path: Path) -> None:
    hold(trials(seeds, LONG_REQUESTS, random_shape), tmp_path)


@pytest.mark.parametrize("seeds", chunks(1000, APART, CHUNK), ids=str)
def test_rules_that_are_told_apart_agree_everywhere_and_are_proved(
    seeds: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_rules, "FEW", 0)
    hold(trials(seeds, REQUESTS), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seeds", chunks(2_000_000, LONG_APART, LONG_CHUNK), ids=str)
def test_many_rules_that_are_told_apart_agree_everywhere_and_are_proved(
    seeds: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_rules, "FEW", 0)
    hold(trials(seeds, LONG_REQUESTS), tmp_path)


# --- examples ------------------------------------------------------------------------------------


def hold_named(policies: Mapping[str, ir.Policy], requests: int, folder: Path) -> None:
    hold([trial(n, one, random.Random(n), requests) for n, one in policies.items()], folder)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_examples_agree_everywhere_and_are_proved(path: Path, tmp_path: Path) -> None:
    hold_named({path.stem: compile_file(path).policy}, 150, tmp_path)


def test_odd_names_and_large_masks_agree_everywhere_and_are_proved(tmp_path: Path) -> None:
    hold_named({policy.name: policy for policy in (NAMESAKES, CROWD)}, 150, tmp_path)


@pytest.mark.parametrize("part", range(4))
def test_faulty_examples_agree_everywhere_and_are_proved(part: int, tmp_path: Path) -> None:
    """A policy with a fault decides all the same."""
    paths = FAULTY[part::4]
    found = {f"{path.parent.name}.{path.stem}": compile_file(path).policy for path in paths}
    hold_named(found, 20, tmp_path)


# --- what is asked -------------------------------------------------------------------------------

REASONS = (
    "is missing",
    "is not a field of this policy",
    "is set by the host",
    "must be",
    "breaks the assumption",
)


def test_every_outcome_and_every_way_to_be_invalid_is_asked_for() -> None:
    seen: Counter[str] = Counter()
    for one in trials(range(60), 20):
        for case in one.cases:
            invalid = case.expected.rule_id == "invalid_request"
            seen["invalid" if invalid else case.expected.decision.word] += 1
            seen.update(f"reason: {text}" for text in REASONS if text in case.expected.reason)
            absent = {f.name for f in one.policy.fields if f.optional} - {
                *case.request,
                *case.runtime,
            }
            seen["absent"] += bool(absent) and not invalid
        seen["stray"] += len(one.strays)
        seen["other parameters"] += any(
            p.default != one.params[p.field.name] for p in one.policy.params
        )
    effects = [effect.word for effect in ir.Effect]
    outcomes = {name: seen[name] for name in ("invalid", *effects)}
    assert max(outcomes.values()) < 0.6 * sum(outcomes.values()), outcomes
    assert min(seen[name] for name in (*outcomes, "absent", "stray", "other parameters")) >= 10, (
        seen
    )
    assert [text for text in REASONS if seen[f"reason: {text}"] < 3] == [], seen
