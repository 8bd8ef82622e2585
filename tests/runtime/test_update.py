"""What another version of a policy takes over of the state, as docs/language.md says it."""

from __future__ import annotations

import pytest

from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.runtime.policy import Policy

OLD = """language 1
policy p version "1"
default allow
input { agent : key }
event bad
event reset

machine m {
  start ok
  ok   -> stop  when count(bad) in 1 min >= 2
  stop -> ok    after 5 min
}
rule stopped when m is stop deny
rule lately  when count(bad) in 10 min >= 3 throttle retry 1 s
"""


def policy(source: str) -> Policy:
    return Policy(compile_policy(compile_source(Source("p.gov", source)).policy).table)


def anew(source: str) -> set[str]:
    """The cells that start anew where the old policy becomes this one."""
    old, new = policy(OLD), policy(source)
    old.observe({"at_ms": 0, "event": "bad", "key": "a"})
    return set(new.restore(old.save(now_ms=0), downtime_ms=0, now_ms=0))


MACHINE = {"m", "m.age"}


@pytest.mark.parametrize(
    ("was", "becomes", "lost"),
    [
        ('version "1"', 'version "2"', set()),
        ("throttle retry 1 s", 'deny because "too often"', set()),
        ("rule stopped when m is stop deny", "", set()),
        ("event reset", "event other\nevent reset", set()),
        (">= 3", ">= 2", set()),
        (">= 3", ">= 4", {"bad.age.4"}),
        ("in 10 min", "in 5 min", {"bad.age", "bad.age.2", "bad.age.3"}),
        ("after 5 min", "after 6 min", MACHINE),
        ("after 5 min", "on reset", {"m"}),
        ("after 5 min", "after 5 min\n  stop -> ok on reset", MACHINE),
        ("in 1 min >= 2", "in 1 min >= 1", MACHINE),
        ("start ok\n", "start ok\n  ok -> gone on reset\n", MACHINE),
        ("machine m {", "machine n {", {"n", "n.age"}),
    ],
)
def test_a_cell_goes_on_exactly_where_its_definition_is_the_same(
    was: str, becomes: str, lost: set[str]
) -> None:
    assert was in OLD
    source = OLD.replace(was, becomes)
    if "machine n" in source:
        source = source.replace("m is stop", "n is stop")
    assert anew(source) == lost
