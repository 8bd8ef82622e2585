"""Corners of time that whole histories meet seldom, each told as a test of a policy."""

from __future__ import annotations

import pytest
from tables import table_bytes

from govlang.cli.testing import run_histories
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

HEAD = """language 1
policy p version "1"
combine first_match
default allow
input {
  agent    : key
  resource : text
  risk     : number in 0..10
}
event f
event g
shared event alarm
signal v : number in 0..30
"""

TOLD = {
    "a change is seen inside a compound condition": """
rule r when (changed(v) and v_high) within 1 min deny
let v_high = has v and v > 3
test "t" {
  at 0 s signal v 5 { agent "a" }
  at 1 s request { agent "a", resource "x", risk 1 } expect allow
  at 2 s signal v 6 { agent "a" }
  at 3 s request { agent "a", resource "x", risk 1 } expect deny
}""",
    "a change of a field is seen at the request that brings it": """
rule r when changed(risk) deny
test "t" {
  at 0 s request { agent "a", resource "x", risk 1 } expect allow
  at 1 s request { agent "a", resource "x", risk 2 } expect deny
  at 2 s request { agent "a", resource "x", risk 2 } expect allow
}""",
    "that a bool is fresh is not that it held": """
signal lamp : bool = false
rule held when lamp within 1 min throttle
rule new  when fresh(lamp, 1 min) deny
test "t" {
  at 0 s signal lamp false { agent "a" }
  at 1 s request { agent "a", resource "x", risk 1 } expect deny by new
}""",
    "a signal has its initial value before its first sample": """
signal margin : number in 0..5 = 3
rule low when margin < 2 deny
test "t" {
  request { agent "a", resource "x", risk 1 } expect allow
  at 1 s signal margin 1 { agent "a" }
  at 2 s request { agent "a", resource "x", risk 1 } expect deny
}""",
    "a window of nothing is another than none": """
rule ever when (has v and v > 3) since f and risk > 3 deny
rule now  when (has v and v > 3) since (f within 0 s) throttle
test "t" {
  at 0 s signal v 5 { agent "a" }
  at 1 s event f { agent "a" }
  at 1 s request { agent "a", resource "x", risk 5 } expect deny by ever
  at 1 s request { agent "a", resource "x", risk 1 } expect throttle by now
  at 2 s request { agent "a", resource "x", risk 5 } expect deny by ever
  at 2 s request { agent "a", resource "x", risk 1 } expect allow
}""",
    "what breaks between two requests breaks `since allowed`": """
rule r when (has v and v > 3) since allowed deny
test "t" {
  at 0 s signal v 5 { agent "a" }
  at 1 s request { agent "a", resource "x", risk 1 } expect allow
  at 2 s signal v 0 { agent "a" }
  at 3 s signal v 5 { agent "a" }
  at 4 s request { agent "a", resource "x", risk 1 } expect allow
  at 5 s request { agent "a", resource "x", risk 1 } expect deny
}""",
    "who approved is kept between requests": """
rule r when (approved contains "boss") for 5 s deny
test "t" {
  at 0 s request { agent "a", resource "x", risk 1 } runtime { approved {"boss"} } expect allow
  at 3 s event f { agent "a" }
  at 6 s request { agent "a", resource "x", risk 1 } runtime { approved {"boss"} } expect deny
}""",
    "before the first request neither a test on it nor its contrary holds": """
rule r when (not (risk > 3 and f)) between 1 s and 1 min ago deny
test "t" {
  at 0 s event f { agent "a" }
  at 5 s request { agent "a", resource "x", risk 5 } expect allow
  at 7 s request { agent "a", resource "x", risk 5 } expect deny
}""",
    "the same words in two scopes are two memories": """
rule own when (risk > 3) within 1 min deny
shared machine heat { start cold cold -> hot when (risk > 3) within 1 min }
rule all when heat is hot throttle
test "t" {
  at 0 s request { agent "a", resource "x", risk 5 } expect deny by own
  at 1 s request { agent "b", resource "x", risk 1 } expect throttle by all
}""",
    "all see what a shared machine enters": """
shared machine heat { start cold cold -> hot on f }
rule r when enters heat.hot within 1 min deny
test "t" {
  at 0 s request { agent "b", resource "x", risk 1 } expect allow
  at 1 s event f { agent "a" }
  at 2 s request { agent "b", resource "x", risk 1 } expect deny
}""",
    "a property that reads the clock changes no decision": """
prove p: clock_fault implies decision is deny
rule r when f within 1 min throttle
test "t" {
  at 9 s request { agent "a", resource "x", risk 1 } expect allow
  at 9 s clock back 5 s
  at 10 s request { agent "a", resource "x", risk 1 } expect deny by clock_fault
}""",
    "a rule that reads the clock decides itself": """
rule r when clock_fault throttle
test "t" {
  at 9 s request { agent "a", resource "x", risk 1 } expect allow
  at 9 s clock back 5 s
  at 10 s request { agent "a", resource "x", risk 1 } expect throttle by r
}""",
}


def failures(body: str) -> list[str]:
    checked = compile_source(Source("p.gov", HEAD + body))
    return [
        one.message
        for result in run_histories(checked, table_bytes(checked.policy))
        for one in result.failures
    ]


@pytest.mark.parametrize("claim", TOLD)
def test_a_corner_of_time(claim: str) -> None:
    assert failures(TOLD[claim]) == []


def test_a_drop_never_raises() -> None:
    body = """language 1
policy p version "1"
input { agent : key action : one of look, touch, break }
event slip
autonomy for agent on action {
  low may look
  mid may touch when count(slip) in 1 min >= 9
  top may break
  drop to mid on slip
}
test "t" {
  at 0 s event slip { agent "a" }  expect autonomy is low
  at 1 s request { agent "a", action touch } expect deny
}
"""
    checked = compile_source(Source("p.gov", body))
    assert [
        one.message
        for r in run_histories(checked, table_bytes(checked.policy))
        for one in r.failures
    ] == []
