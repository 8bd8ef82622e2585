"""`reserved(x)`: work in flight counts from the moment it is taken in until it has ended."""

from __future__ import annotations

import pytest
from tables import table_bytes

from govlang.cli.testing import run_histories
from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source

HEAD = """language 1
policy p version "1"
default allow
input {
  agent : key
  units : number in 0..100 step 0.5
  cost  : number in 1..9 EUR
}
"""

TOLD = {
    "the amount of a request counts once it has been allowed": """
rule full when reserved(units) + units > 10 deny
test "t" {
  request { agent "a", units 6, cost 1 EUR } expect allow
  request { agent "a", units 5, cost 1 EUR } expect deny
  request { agent "a", units 4, cost 1 EUR } expect allow
  request { agent "b", units 10, cost 1 EUR } expect allow
}""",
    "what is limited is in flight, what waits or is throttled is not": """
rule full when reserved(units) > 3 deny
rule wait when units == 1 require human from "boss"
rule slow when units == 2 throttle
rule less when units == 4 limit units to 3
test "t" {
  request { agent "a", units 1, cost 1 EUR } expect require human
  request { agent "a", units 2, cost 1 EUR } expect throttle
  request { agent "a", units 1, cost 1 EUR } expect require human
  request { agent "a", units 2, cost 1 EUR } expect throttle
  request { agent "a", units 4, cost 1 EUR } expect limit
  request { agent "a", units 0, cost 1 EUR } expect deny
}""",
    "what is settled or released is no longer in flight": """
rule full when reserved(units) > 3 deny
test "t" {
  request { agent "a", units 6, cost 1 EUR } expect allow
  event settled { agent "a", units 2 }
  request { agent "a", units 0, cost 1 EUR } expect deny
  event released { agent "a", units 1 }
  request { agent "a", units 0, cost 1 EUR } expect allow
}""",
    "no more ends than is in flight": """
rule full when reserved(units) > 3 deny
test "t" {
  event settled { agent "a", units 50 }
  request { agent "a", units 4, cost 1 EUR } expect allow
  request { agent "a", units 0, cost 1 EUR } expect deny
}""",
    "what was used counts in the window, not what was asked for": """
rule full when reserved(units) > 100 deny
rule used when sum(allowed.units) in 1 h by 5 min > 5 throttle
test "t" {
  request { agent "a", units 50, cost 1 EUR } expect allow
  at 1 s event settled { agent "a", units 5 }
  at 1 s request { agent "a", units 0, cost 1 EUR } expect allow
  at 2 s event settled { agent "a", units 0.5 }
  at 2 s request { agent "a", units 0, cost 1 EUR } expect throttle
}""",
    "an average is over what was used": """
rule full when reserved(units) > 100 deny
rule used when average(allowed.units) in 1 h by 5 min >= 4 throttle
test "t" {
  request { agent "a", units 50, cost 1 EUR } expect allow
  request { agent "a", units 50, cost 1 EUR } expect allow
  at 1 s event settled { agent "a", units 5 }
  at 1 s request { agent "a", units 0, cost 1 EUR } expect throttle
  at 1 s event settled { agent "a", units 2.5 }
  at 1 s request { agent "a", units 0, cost 1 EUR } expect allow
}""",
    "a job is not held against itself at dispatch, and is in flight once": """
rule full when reserved(units) + units > 10 deny
test "t" {
  event reserved { agent "a", units 8 }
  request { agent "a", units 8, cost 1 EUR } expect deny
  request { agent "a", units 8, cost 1 EUR } runtime { reserved_units 8 } expect allow
  request { agent "a", units 3, cost 1 EUR } expect deny
  request { agent "a", units 2, cost 1 EUR } expect allow
}""",
    "a job that is refused at dispatch stays reserved until it is released": """
rule full when reserved(units) + units > 10 deny
rule no when cost == 9 EUR deny
test "t" {
  event reserved { agent "a", units 8 }
  request { agent "a", units 8, cost 9 EUR } runtime { reserved_units 8 } expect deny by no
  request { agent "a", units 8, cost 1 EUR } expect deny by full
  event released { agent "a", units 8 }
  request { agent "a", units 8, cost 1 EUR } expect allow
}""",
    "two fields are reserved apart": """
rule full when reserved(units) > 10 deny
rule dear when reserved(cost) > 10 EUR throttle
test "t" {
  request { agent "a", units 2, cost 9 EUR } expect allow
  request { agent "a", units 2, cost 9 EUR } expect allow
  request { agent "a", units 2, cost 9 EUR } expect throttle
  event settled { agent "a", units 0, cost 8 EUR }
  request { agent "a", units 2, cost 9 EUR } expect allow
}""",
    "a window looks at what is in flight at every sample": """
rule long when (reserved(units) > 3) for 10 s deny
test "t" {
  request { agent "a", units 6, cost 1 EUR } expect allow
  at 9 s request { agent "a", units 0, cost 1 EUR } expect allow
  at 19 s event released { agent "a", units 6 }
  at 19 s request { agent "a", units 6, cost 1 EUR } expect allow
  at 30 s request { agent "a", units 0, cost 1 EUR } expect allow
  at 40 s request { agent "a", units 0, cost 1 EUR } expect deny
}""",
    "a machine steps when work ends": """
rule r when reserved(units) > 3 and m is b deny
machine m { start a
  a -> b on settled
  b -> a on released }
test "t" {
  request { agent "a", units 6, cost 1 EUR } expect allow
  event settled { agent "a", units 1 } expect m is b
  request { agent "a", units 6, cost 1 EUR } expect deny
  event released { agent "a", units 0 } expect m is a
}""",
}


@pytest.mark.parametrize("claim", TOLD)
def test_work_in_flight(claim: str) -> None:
    checked = compile_source(Source("p.gov", HEAD + TOLD[claim]))
    results = list(run_histories(checked, table_bytes(checked.policy)))
    assert [one.message for result in results for one in result.failures] == []


def test_without_a_key_all_work_is_one() -> None:
    body = HEAD.replace("  agent : key\n", "") + (
        "rule full when reserved(units) + units > 10 deny\n"
        'test "t" {\n  request { units 6, cost 1 EUR } expect allow\n'
        "  request { units 6, cost 1 EUR } expect deny\n  event released { units 6 }\n"
        "  request { units 6, cost 1 EUR } expect allow\n}\n"
    )
    checked = compile_source(Source("p.gov", body))
    results = run_histories(checked, table_bytes(checked.policy))
    assert [one.failures for one in results] == [()]


def test_what_is_reserved_takes_one_cell_of_the_key_and_a_field_of_the_runtime() -> None:
    policy = compile_source(Source("p.gov", HEAD + "rule r when reserved(units) > 3 deny\n")).policy
    assert policy.time is not None
    assert [(c.name, c.scope) for c in policy.time.cells if c.bytes] == [
        ("reserved(units)", "agent")
    ]
    assert [one.name for one in policy.time.samples] == ["reserved", "settled", "released"]
    own = policy.field("reserved_units")
    assert (own.origin, own.optional, own.lo) == (ir.Origin.RUNTIME, True, 0)


def test_the_names_are_free_where_nothing_is_reserved() -> None:
    body = HEAD + (
        "event settled\nevent released\nlet reserved_units = units > 3\n"
        "rule r when settled within 5 s and released within 5 s and reserved_units deny\n"
    )
    assert compile_source(Source("p.gov", body)).policy.time is not None


def test_a_name_that_is_taken_is_said_at_the_place_that_takes_it() -> None:
    with pytest.raises(GovError) as caught:
        compile_source(
            Source("p.gov", HEAD + "event settled\nrule r when reserved(units) > 3 deny\n")
        )
    (found,) = caught.value.diagnostics
    assert found.message == "`settled` is declared, and built in where `reserved(units)` is read"
    assert found.help == "give the `settled` that is declared another name"
