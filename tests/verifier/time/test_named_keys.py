"""Policies whose rules name agents: every rule is settled, whichever agent it takes and however long the way."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.report import verify
from govlang.verifier.time.simulate import Simulation

NAMED = """language 1
policy named version "1.0.0"
default deny
tiers safety, business
input {{
  agent : key
  topic : text
}}
event success{after}
event failure{after}
machine breaker {{
  start closed
  closed -> open when count(failure) since success >= {count}
  open -> half_open after 30 s
  half_open -> closed on success
  half_open -> open on failure
}}
tier business {{
{rules}}}
tier safety {{
  rule open when breaker is open throttle retry 30 s
  rule probing
    when breaker is half_open and count(allowed) since enters breaker.half_open >= 1
    throttle retry 5 s
  rule burst when count(allowed) in 1 min >= {count} throttle retry 1 min
}}
prove recovers: always possible (breaker is closed)
"""
AGENTS = ("builder", "cleaner", "courier", "driver", "guard", "nurse", "painter", "smith")


def named(agents: int, count: int, after: str, topic: str = "") -> str:
    rules = "".join(
        f'  rule {one} when agent == "{one}"{topic.format(one)} allow\n' for one in AGENTS[:agents]
    )
    return NAMED.format(count=count, after=after, rules=rules)


@pytest.mark.parametrize(
    ("agents", "count", "after", "topic"),
    [
        (2, 1, "", ""),
        (2, 2, " after dispatched", ""),
        (2, 3, " after dispatched", ' and topic like "{}.**"'),
        (2, 5, " after dispatched", ' and topic like "{}.**"'),
        (8, 3, " after dispatched", ' and topic like "{}.**"'),
    ],
)
def test_rules_that_name_agents_are_settled_however_long_the_way(
    agents: int, count: int, after: str, topic: str
) -> None:
    report = verify(compile_source(Source("p.gov", named(agents, count, after, topic))).policy)
    assert report.status == "proved", [(one.message, one.help) for one in report.findings]


def test_what_random_histories_do_not_show_of_a_key_the_solver_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All random histories are of one agent that no rule names."""
    monkeypatch.setattr(Simulation, "_choose_key", lambda _: "a")
    report = verify(compile_source(Source("p.gov", named(2, 3, " after dispatched"))).policy)
    assert report.status == "proved", [(one.message, one.help) for one in report.findings]
