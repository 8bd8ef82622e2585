"""A sum by panes that errs on the unsafe side of its rule is a warning, on the safe side it is none."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

HEAD = """language 1
policy p version "1"
default deny
input {
  agent : key
  units : number in 0..100
  quiet : bool
}
event e { size : number in 0..10 kg }
"""
OVER = "sum(e.size) in 1 h by 5 min"
UNDER = f"{OVER}, under"

SAFE = (
    f"rule r when {OVER} > 3 kg deny",
    f"rule r when {OVER} >= 3 kg throttle",
    f"rule r when 3 kg < {OVER} limit units to 5",
    f"rule r when not ({OVER} <= 3 kg) require human",
    f"rule r when {UNDER} > 3 kg allow",
    f"rule r when {OVER} <= 3 kg allow",
    f"rule r when {UNDER} <= 3 kg deny",
    f"rule r when quiet implies {OVER} > 3 kg deny",
    f"rule r when {UNDER} > 3 kg implies quiet deny",
    f"rule r when ({OVER} > 3 kg) for 5 min deny",
    f"rule r when 20 kg - {OVER} < 3 kg deny",
    f"rule r when 2 * {OVER} + {OVER} / 2 > 3 kg deny",
    f"rule r when greatest({OVER}, 2 kg) > 3 kg deny",
    f"let used = {OVER} let high = used > 3 kg rule r when high deny",
    "rule r when count(e) in 1 h by 5 min >= 3 deny",
    "rule r when count(e) in 1 h >= 3 allow",
    "rule r when average(e.size) in 1 h by 5 min > 3 kg allow",
    "invariant i: count(e) in 1 h by 5 min < 3",
    "tiers a tier a when count(e) in 1 h by 5 min >= 3 { rule r deny }",
)
UNSAFE = (
    f"rule r when {UNDER} > 3 kg deny",
    f"rule r when not ({UNDER} <= 3 kg) require human",
    f"rule r when {OVER} > 3 kg allow",
    f"rule r when {UNDER} <= 3 kg allow",
    f"rule r when {OVER} <= 3 kg deny",
    f"rule r when {OVER} > 3 kg implies quiet deny",
    f"rule r when quiet implies {UNDER} > 3 kg deny",
    f"rule r when ({UNDER} > 3 kg) within 5 min deny",
    f"rule r when 20 kg - {UNDER} < 3 kg deny",
    f"rule r when 2 * ({UNDER}) > 3 kg deny",
    f"let used = {OVER} let high = used > 3 kg rule r when high allow",
    "rule r when count(e) in 1 h by 5 min >= 3 allow",
    "invariant i: count(e) in 1 h by 5 min >= 3",
    "tiers a tier a when count(e) in 1 h by 5 min >= 3 { rule r allow }",
)


def warnings(body: str) -> list[str]:
    return [one.code for one in compile_source(Source("p.gov", HEAD + body)).warnings]


@pytest.mark.parametrize("body", SAFE)
def test_a_sum_on_the_safe_side_is_fine(body: str) -> None:
    assert warnings(body) == []


@pytest.mark.parametrize("body", UNSAFE)
def test_a_sum_on_the_unsafe_side_is_a_warning(body: str) -> None:
    assert warnings(body) == ["GOV249"]


def test_the_message_says_how_far_off_it_can_be_and_what_to_write() -> None:
    (found,) = compile_source(Source("p.gov", f"{HEAD}rule r when {OVER} > 3 kg allow")).warnings
    assert (
        found.message == f"`{OVER}` reaches up to 5 min beyond its window, on which `r` then relies"
    )
    assert found.help == "write `by 5 min, under`: then the sum is never too large"


def test_a_sum_that_stands_once_is_told_once() -> None:
    lets = f"let high = {OVER} > 3 kg\n"
    assert warnings(f"{lets}rule a when high allow\nrule b when high and quiet allow\n") == [
        "GOV249"
    ]
