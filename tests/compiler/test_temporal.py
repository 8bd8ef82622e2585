"""Messages of operators over time: what makes no sense is refused, with a code and a way out."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.diagnostics import Diagnostic, GovError
from govlang.dsl.source import Source

HEAD = """language 1
policy p version "1"
input {
  agent    : key
  resource : text
  risk     : number in 0..10
  load     : number in 0..10 optional
  mode     : one of low, high
}
event e { size : number in 0..5 resource : text }
event f
shared event alarm
signal v : number in 0..30 V step 0.01
signal huge : number in 0..9_000_000_000_000_000
shared signal margin : number in 0..2
machine m { start a a -> b on f b -> a after 1 s }
shared machine sm { start a a -> b on alarm }
machine pm per resource { start a a -> b on e }
"""

CONDITIONS = {
    # names
    "nosuch within 5 s": "GOV201",
    "count(nosuch) in 5 s >= 1": "GOV201",
    "enters nosuch.a within 5 s": "GOV201",
    "enters m.nosuch within 5 s": "GOV201",
    "m is nosuch": "GOV212",
    "sum(e.nosuch) in 1 h by 1 min >= 3": "GOV201",
    "previous(e.nosuch) > 3": "GOV201",
    "fresh(f, 5 s)": "GOV201",
    "max(v) in 5 s >= nosuch": "GOV201",
    # units
    "f within 5": "GOV206",
    "f within 5 kg": "GOV205",
    "f within 5 parsecs": "GOV242",
    "f within 0.5 ms": "GOV207",
    "max(v) in 5 s >= 3 kg": "GOV205",
    "sum(e.size) in 1 h by 1 min >= 3 kg": "GOV205",
    "average(e.size) in 1 h by 1 min >= 3 kg": "GOV205",
    "deviates(v, alpha 0.3, by 3, floor 0.05 kg)": "GOV205",
    "deviates(v, alpha 0.3, by 3 kg)": "GOV248",
    "gap > 5": "GOV206",
    # what may be absent is guarded inside
    "v > 3 V": "GOV213",
    "has v and (v > 3 V) for 5 s": "GOV213",
    "(load > 3) within 5 s": "GOV213",
    "ewma(v, 0.3) > 3 V": "GOV213",
    "ewma(e.size, 0.3) > 3": "GOV213",
    "previous(v) > 3 V": "GOV213",
    "previous(load) > 3": "GOV213",
    "previous(e.size) > 3": "GOV213",
    # whose state it is
    "count(f per nosuch) in 5 s >= 1": "GOV244",
    "count(f per resource) in 5 s >= 1": "GOV244",
    "count(f per mode) in 5 s >= 1": "GOV244",
    "count(f) since alarm >= 1": "GOV244",
    "count(f) since enters sm.b >= 1": "GOV244",
    "count(alarm) since f >= 1": "GOV244",
    "(has v and v > 3 V) since alarm": "GOV244",
    "alarm since f": "GOV244",
    "(alarm or f) within 5 s": "GOV244",
    "(changed(margin) and risk > 3) within 5 s": "GOV244",
    "(count(e per resource) in 5 s >= 2) within 5 s": "GOV244",
    "(pm is b) within 5 s": "GOV244",
    # what is not known yet
    "allowed": "GOV246",
    "allowed for 5 s": "GOV246",
    "allowed since f": "GOV246",
    "e per resource": "GOV246",
    "decision is deny within 5 s": "GOV217",
    "always possible (risk > 3)": "GOV217",
    # state without bound
    "f within 30 d": "GOV247",
    "fresh(risk, 30 d)": "GOV247",
    "elapsed(f) > 30 d": "GOV247",
    "f between 5 s and 1 s ago": "GOV247",
    "f between 23 h and 23 h ago": "GOV247",
    "count(f) in 5 s": "GOV247",
    "count(f) in 5 s >= 2.5": "GOV247",
    "count(f) in 5 s >= 5000": "GOV247",
    "count(f) in 5 s >= -1": "GOV247",
    "count(f) in 5 s >= risk": "GOV247",
    "sum(e.size) in 1 h >= 3": "GOV247",
    "sum(e.size) in 1 h by 2 h >= 3": "GOV247",
    "sum(e.size) in 1 h by 0 ms >= 3": "GOV247",
    "sum(e.size) in 24 h by 1 s >= 3": "GOV247",
    "average(e.size) in 1 h by 1 min": "GOV247",
    "max(v) in 5 s": "GOV247",
    "max(v) in 5 s == 3 V": "GOV247",
    "elapsed(f)": "GOV247",
    "elapsed(f) > 5": "GOV247",
    "elapsed(f) == 5 s": "GOV247",
    # what an operator cannot read
    "sum(e) in 1 h by 1 min >= 3": "GOV248",
    "sum(e.resource) in 1 h by 1 min >= 3": "GOV248",
    "sum(allowed.load) in 1 h by 1 min >= 3": "GOV248",
    "sum(dispatched.risk) in 1 h by 1 min >= 3": "GOV248",
    "average(e.size) in 1 h by 1 min >= risk": "GOV248",
    "has v and ewma(v, 2) > 3 V": "GOV248",
    "has v and ewma(v, 0) > 3 V": "GOV248",
    "has v and ewma(v, 0.123456789) > 3 V": "GOV248",
    "ewma(mode, 0.3) > 3": "GOV248",
    "deviates(v, alpha 0.3, by 0)": "GOV248",
    "deviates(v, alpha 0.3, by 3, after 2.5 samples)": "GOV248",
    "deviates(v, alpha 0.3, by 3, after 100000 samples)": "GOV248",
    'previous(resource) == "a"': "GOV248",
    "changed(resource) within 5 s": "GOV248",
    "reserved(nosuch) > 3": "GOV201",
    "reserved(load) > 3": "GOV248",
    "reserved(resource) > 3": "GOV248",
    "reserved(mode) > 3": "GOV248",
    "reserved(risk) > 3 and sum(allowed.risk per resource) in 1 h by 5 min > 3": "GOV244",
    "reserved(risk) > 3 kg": "GOV205",
    # what could leave 64 bits
    "has huge and ewma(huge, 0.123456) > 3": "GOV210",
    "deviates(huge, alpha 0.123456, by 3)": "GOV210",
    "deviates(v, alpha 0.3, by 0.123456789123456789)": "GOV210",
    "average(e.size) in 1 h by 1 min >= 10_000_000_000": "GOV210",
    "average(e.size) in 1 h by 1 min >= 0.123456789": "GOV210",
    "sum(e.size) in 1 h by 1 min * 100_000 >= 3": "GOV210",
}

DECLARATIONS = {
    "machine x { start a a -> b on enters m.b }": "GOV246",
    "machine x { start a a -> b on allowed }": "GOV246",
    "machine x { start a a -> b when enters m.b }": "GOV246",
    "machine x { start a a -> b on alarm }": "GOV244",
    "machine x { start a a -> b when alarm }": "GOV244",
    "machine x { start a a -> b when pm is b }": "GOV244",
    "machine x { start a a -> b on e per resource }": "GOV244",
    "machine x { start a a -> b on nosuch }": "GOV201",
    "machine x { start a a -> b after 30 d }": "GOV247",
    "machine x per nosuch { start a a -> b on e }": "GOV244",
    "machine x per resource { start a a -> b on f }": "GOV244",
    "machine x per resource { start a a -> b when has v and v > 3 V }": "GOV244",
    "shared machine x { start a a -> b when m is b }": "GOV244",
    "shared machine x { start a a -> b when gap > 5 s }": "GOV244",
    "machine x { start a a -> b when v > 3 V }": "GOV213",
    "event g after nosuch": "GOV201",
    "event g after allowed": "GOV201",
    "event g after alarm": "GOV244",
    "event g { x : number in 0..3 optional }": "GOV243",
    "signal s : text": "GOV243",
    "signal s : number in 0..3 = 5": "GOV209",
    "contract c for resource on mode { may low }": "GOV244",
    "contract c for agent on mode { may nosuch }": "GOV212",
    "contract c for agent on mode { may low needs risk }": "GOV204",
    "contract c for agent on mode { may low stop on nosuch }": "GOV201",
    "contract c for agent on mode { may low stop after 30 d }": "GOV247",
    "contract c for agent on mode { may low scope load > 3 }": "GOV213",
    "autonomy for resource on mode { a may low }": "GOV244",
    "autonomy for agent on mode { a may low b may high drop to c on f }": "GOV201",
    "autonomy for agent on mode { a may low b may high when load > 3 }": "GOV213",
    "longest window 5 kg": "GOV205",
    "assume f within 5 s": "GOV246",
    "assume m is a": "GOV246",
    "event settled rule r when reserved(risk) > 3 deny": "GOV203",
    "let released = risk > 3 rule r when reserved(risk) > 3 deny": "GOV203",
    "output reserved_risk : number in 0..3 rule r when reserved(risk) > 3 deny": "GOV203",
    "machine x per resource { start a a -> b when reserved(risk) > 3 }": "GOV244",
    "shared machine x { start a a -> b when reserved(risk) > 3 }": "GOV244",
    'test "t" { at 5 s event settled { agent "a", risk 3 } }': "GOV201",
    'test "t" { at 5 s event f }': "GOV237",
    'test "t" { at 5 s event e { agent "a" } }': "GOV237",
    'test "t" { at 5 s signal v 3 V { nosuch "a" } }': "GOV201",
    'test "t" { at 5 s signal v 300 V { agent "a" } }': "GOV209",
    'test "t" { at 5 s tick at 3 s tick }': "GOV237",
    'test "t" { at 5 s tick expect m is nosuch }': "GOV201",
}


def refused(body: str) -> list[Diagnostic]:
    with pytest.raises(GovError) as caught:
        compile_source(Source("p.gov", HEAD + body + "\n"))
    return [one for one in caught.value.diagnostics if one.severity.value == "error"]


@pytest.mark.parametrize(("condition", "code"), CONDITIONS.items())
def test_a_condition_that_makes_no_sense_is_refused(condition: str, code: str) -> None:
    found = refused(f"rule r when {condition} deny")
    assert [one.code for one in found] == [code]
    assert found[0].help


@pytest.mark.parametrize(("declaration", "code"), DECLARATIONS.items())
def test_a_declaration_that_makes_no_sense_is_refused(declaration: str, code: str) -> None:
    found = refused(declaration)
    assert [one.code for one in found] == [code]
    assert found[0].help


def test_an_optional_key_is_refused_where_state_is_kept() -> None:
    body = HEAD.replace("agent    : key", "agent : key optional")
    with pytest.raises(GovError) as caught:
        compile_source(Source("p.gov", body))
    assert [one.code for one in caught.value.diagnostics] == ["GOV244"]


def test_the_help_for_a_window_that_is_too_long_can_be_typed() -> None:
    (found,) = refused("rule r when elapsed(f) > 30 d deny")
    assert found.help == "write `longest window 30 d` at the top of the policy"


def test_the_help_for_a_field_of_an_event_can_be_typed() -> None:
    (found,) = refused("rule r when ewma(e.size, 0.3) > 3 deny")
    assert found.help == "guard it: `fresh(e.size, 1 min) and …`"
    compile_source(
        Source("p.gov", HEAD + "rule r when fresh(e.size, 1 min) and ewma(e.size, 0.3) > 3 deny\n")
    )


@pytest.mark.parametrize(
    "condition",
    [
        "f within 0 ms",
        "count(f) in 5 s >= 0",
        "elapsed(f) >= 0 s",
        "count(f per agent) in 5 s >= 1",
    ],
)
def test_ends_of_what_is_allowed_compile(condition: str) -> None:
    time = compile_source(Source("p.gov", f"{HEAD}rule r when {condition} deny\n")).policy.time
    assert time is not None
