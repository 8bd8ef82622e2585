"""What of two versions is compared where little of them changed, and that nothing is lost by that."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from diff_pairs import HEADER
from time_ir_policies import random_time_policy

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.diff_search import differ_anywhere
from govlang.verifier.time.beside import side_by_side, time_of
from govlang.verifier.time.concern import concerned

RULES = (
    "rule small when size < 3 and bad within 1 min deny\n"
    "rule middle when size in {{3, 4}} and count(ok) in {window} >= 2 deny\n"
    "rule large when size > 4 and {large} throttle retry 1 s\n"
)
KEEPING = "count(bad) in 1 min >= 3"
COUNTING = "count(allowed) in 1 min >= 3"
ELSEWHERE = "count(deletion per resource) in 1 min >= 3"


def compiled(window: str, large: str = KEEPING) -> ir.Policy:
    head = HEADER.format(default="default allow").replace("signal load : number in 0..100\n", "")
    body = RULES.format(window=window, large=large).replace("in {3, 4}", ">= 3 and size <= 4")
    return compile_source(Source("p.gov", head + body)).policy


def compared(old: ir.Policy, new: ir.Policy) -> tuple[ir.Policy, ir.Policy]:
    return concerned(old, new, side_by_side(old, new, agreeing=True))


def test_rules_that_fire_on_other_requests_and_what_they_read_are_left_out() -> None:
    for one in compared(compiled("30 s"), compiled("60 s")):
        assert [rule.id for rule in one.rules] == ["middle"]
        assert {cell.name for cell in time_of(one).cells} == {"ok.age", "ok.age.2"}


def test_what_counts_decisions_elsewhere_is_left_out_too() -> None:
    for one in compared(compiled("30 s", COUNTING), compiled("60 s", COUNTING)):
        assert [rule.id for rule in one.rules] == ["middle"]


def test_what_counts_decisions_where_rules_changed_stays_whole() -> None:
    old, new = compiled("30 s", COUNTING), compiled("30 s", COUNTING.replace(">= 3", ">= 4"))
    assert compared(old, new) == (old, new)


def test_where_state_would_no_longer_be_kept_by_a_field_all_stays() -> None:
    """A clock that goes back for a resource denies the request, whatever the rule that counts by it says."""
    old, new = compiled("30 s", ELSEWHERE), compiled("60 s", ELSEWHERE)
    assert compared(old, new) == (old, new)


@pytest.mark.parametrize("seed", range(30))
def test_a_rule_that_is_kept_brings_what_it_overrides_and_reads(seed: int) -> None:
    rng = random.Random(seed)
    old = random_time_policy(rng)
    if not old.rules or old.time is None:
        return
    which = rng.randrange(len(old.rules))
    rules = list(old.rules)
    del rules[which]
    named = {name for rule in rules for name in rule.overrides}
    new = replace(old, rules=tuple(rules))
    pair = side_by_side(old, new, agreeing=True)
    if old.rules[which].id in named or differ_anywhere(pair.merged):
        return
    for one, whole in zip(concerned(old, new, pair), (old, new), strict=True):
        ids = {rule.id for rule in one.rules}
        cells = {cell.name for cell in time_of(one).cells}
        known = {cell.name for cell in time_of(whole).cells}
        read = {name for rule in one.rules for name in ir.fields_read(rule.condition)}
        read |= {n for u in time_of(one).updates for n in ir.fields_read(u.condition)}
        assert {name for rule in one.rules for name in rule.overrides} <= ids
        assert read & known <= cells
        assert {cell.scope for cell in time_of(one).cells} == {
            cell.scope for cell in time_of(whole).cells
        }
