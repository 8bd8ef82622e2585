"""What a policy over time remembers: its cells, and what its tests see of them."""

from __future__ import annotations

from tables import table_bytes

from govlang.cli.testing import run_histories
from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

HEAD = 'language 1\npolicy p version "1"\n'


def remembered(body: str) -> ir.Time:
    time = compile_source(Source("p.gov", HEAD + body)).policy.time
    assert time is not None
    return time


def cells(body: str) -> dict[str, tuple[str, int, int]]:
    """Name to scope, greatest value and bytes."""
    return {c.name: (c.scope, c.field.hi, c.bytes) for c in remembered(body).cells}


def failures(body: str) -> list[str]:
    checked = compile_source(Source("p.gov", HEAD + body))
    return [
        one.message
        for result in run_histories(checked, table_bytes(checked.policy))
        for one in result.failures
    ]


def test_a_policy_over_single_requests_remembers_nothing() -> None:
    body = 'input { agent : key }\nrule r when agent == "a" deny\n'
    assert compile_source(Source("p.gov", HEAD + body)).policy.time is None


def test_an_age_stops_just_above_the_longest_window_that_reads_it() -> None:
    body = """input { agent : key }
event e
rule a when e within 10 s deny
rule b when e within 1 min deny
"""
    assert cells(body) == {"e.age": ("agent", 60_001, 2)}


def test_windows_of_ten_milliseconds_and_of_thirty_days_cost_the_same_cells() -> None:
    body = "longest window 30 d\ninput {{ agent : key }}\nevent e\nrule a when e within {} deny\n"
    short, long = cells(body.format("10 ms")), cells(body.format("30 d"))
    assert short.keys() == long.keys() == {"e.age"}
    assert (short["e.age"][2], long["e.age"][2]) == (1, 4)


def test_a_count_keeps_as_many_ages_as_it_is_compared_with() -> None:
    body = "input { agent : key }\nevent e\nrule a when count(e) in 1 min >= 3 deny\n"
    assert list(cells(body)) == ["e.age", "e.age.2", "e.age.3"]


def test_what_is_shared_is_kept_once_and_what_is_counted_by_a_field_by_that() -> None:
    body = """input {
  agent    : key
  resource : text
}
shared event storm
event deletion { resource : text }
rule a when storm within 1 min deny
rule b when count(deletion per resource) in 1 min >= 2 deny
"""
    assert {name: scope for name, (scope, _, _) in cells(body).items()} == {
        "storm.age": "",
        "deletion per resource.age": "resource",
        "deletion per resource.age.2": "resource",
    }


def test_two_agents_together_pass_no_limit_that_is_kept_by_the_resource() -> None:
    body = """input {
  agent    : key
  resource : text
}
default allow
event deletion { resource : text }
rule b when count(deletion per resource) in 1 min >= 2 deny
test "two agents" {
  at 0 s event deletion { agent "a", resource "db" }
  at 1 s event deletion { agent "b", resource "db" }
  at 2 s request { agent "c", resource "db" } expect deny by b
  at 2 s request { agent "c", resource "cache" } expect allow
  at 61 s request { agent "c", resource "db" } expect allow
}
"""
    assert failures(body) == []


def test_a_condition_on_the_request_is_held_between_requests() -> None:
    body = """input {
  agent : key
  load  : number in 0..100
}
default allow
event beat
rule hot when (load >= 90) for 10 s deny
test "a request starts it, an event does not end it, a cooler request does" {
  at 0 s  request { agent "a", load 95 } expect allow
  at 9 s  event beat { agent "a" }
  at 10 s request { agent "a", load 95 } expect deny by hot
  at 11 s request { agent "a", load 10 } expect allow
  at 12 s request { agent "a", load 95 } expect allow
}
"""
    assert failures(body) == []


def test_exactly_as_many_are_allowed_as_the_limit_says() -> None:
    asked = "\n".join(f'  at {n} ms request {{ agent "a" }} expect allow' for n in range(20))
    body = f"""input {{ agent : key }}
default allow
rule burst when count(allowed) in 1 min >= 20 throttle retry 1 s
test "twenty" {{
{asked}
  at 1 s request {{ agent "a" }} expect throttle by burst
  at 1 s request {{ agent "b" }} expect allow
  at 59999 ms request {{ agent "a" }} expect throttle by burst
  at 60001 ms request {{ agent "a" }} expect allow
}}
"""
    assert failures(body) == []


def test_an_event_that_nothing_permits_changes_nothing() -> None:
    body = """input { agent : key }
default allow
event failure after dispatched
rule r when count(failure) in 1 min >= 2 deny
test "one failure for one that was dispatched" {
  at 0 s event dispatched { agent "a" }
  at 1 s event failure { agent "a" }
  at 1 s event failure { agent "a" } expect refused
  at 2 s request { agent "a" } expect allow
  at 2 s event dispatched { agent "a" }
  at 3 s event failure { agent "a" }
  at 4 s request { agent "a" } expect deny by r
}
"""
    assert failures(body) == []


def test_faults_of_sensor_and_clock_are_steps() -> None:
    body = """input { drone : key }
default allow
signal voltage : number in 0..30 V step 0.1
rule blind when stale(voltage, 5 s) deny
rule low when has voltage and voltage < 11 V throttle retry 1 s
test "lost, stuck, put back" {
  at 0 s  signal voltage 12 V { drone "d" }
  at 1 s  lose voltage { drone "d" } for 10 s
  at 4 s  signal voltage 12 V { drone "d" }
  at 7 s  request { drone "d" } expect deny by blind
  at 12 s signal voltage 12 V { drone "d" }
  at 12 s stick voltage { drone "d" }
  at 13 s signal voltage 9 V { drone "d" }
  at 13 s request { drone "d" } expect allow
  at 14 s clock back 5 s
  at 15 s request { drone "d" } expect deny by clock_fault
}
"""
    assert failures(body) == []


def test_a_sensor_that_sticks_before_its_first_sample_sticks_at_that_one() -> None:
    body = """input { agent : key }
default allow
signal load : number in 0..100 % = 95 %
signal lost : number in 0..100 %
rule busy when load > 80 % throttle
rule mine when has lost and lost > 80 % deny
test "nothing to bring again, its value before the first sample is none" {
  at 0 s  stick load { agent "a" }
  at 1 s  request { agent "a" } expect throttle by busy
  at 2 s  signal load 10 % { agent "a" }
  at 3 s  signal load 90 % { agent "a" }
  at 3 s  request { agent "a" } expect allow
}
test "what was lost was no sample" {
  at 0 s  lose lost { agent "b" } for 2 s
  at 1 s  signal lost 90 % { agent "b" }
  at 1 s  signal load 10 % { agent "b" }
  at 2 s  stick lost { agent "b" }
  at 3 s  request { agent "b" } expect allow
  at 3 s  signal lost 20 % { agent "b" }
  at 4 s  signal lost 90 % { agent "b" }
  at 4 s  request { agent "b" } expect allow
}
"""
    assert failures(body) == []


def test_a_shared_sensor_has_its_fault_whoever_was_named_last() -> None:
    body = """input { agent : key }
default allow
shared signal load : number in 0..100 %
rule busy when has load and load > 80 % throttle
test "stuck" {
  at 0 s  signal load 90 %
  at 0 s  request { agent "a" } expect throttle by busy
  at 1 s  stick load for 5 s
  at 2 s  signal load 10 %
  at 3 s  request { agent "a" } expect throttle by busy
  at 6 s  signal load 10 %
  at 6 s  request { agent "a" } expect allow
}
test "lost" {
  at 0 s  request { agent "a" } expect allow
  at 1 s  lose load
  at 2 s  signal load 90 %
  at 3 s  request { agent "a" } expect allow
}
"""
    assert failures(body) == []


def test_a_machine_steps_once_a_sample_and_what_is_due_goes_first() -> None:
    body = """input { agent : key }
default allow
event go
machine m {
  start a
  a -> b on go
  a -> c after 10 s
  b -> c on go
}
test "one step" {
  at 0 s  event go { agent "x" } expect m is b
  at 1 s  event go { agent "y" } expect m is b
  at 1 s  event go { agent "x" } expect m is c
}
test "due" {
  at 0 s  request { agent "x" } expect allow expect m is a
  at 10 s event go { agent "x" } expect m is c
}
"""
    assert failures(body) == []


def test_a_test_says_what_a_machine_was_instead() -> None:
    body = """input { agent : key }
default allow
event go
machine m {
  start a
  a -> b on go
}
test "wrong" {
  at 0 s event go { agent "x" } expect m is a
}
"""
    assert failures(body) == ["`m` is b, expected a"]
