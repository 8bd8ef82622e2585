"""What `verify` says of policies over time: findings with histories, and proofs over all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.findings import Finding, Trace
from govlang.verifier.report import Report, verify

HEADER = """language 1
policy p version "1.0.0"
{default}
input {{
  agent    : key
  resource : text
  size     : number in 0..9
}}
event restart
event ok
event bad
event deletion {{ resource : text }}
"""


def verified(source: str, default: str = "default deny") -> Report:
    return verify(compile_source(Source("p.gov", HEADER.format(default=default) + source)).policy)


def only(report: Report, code: str) -> Finding:
    found = [one for one in report.findings if one.code == code]
    assert len(found) == 1, [(one.code, one.message) for one in report.findings]
    return found[0]


def steps(finding: Finding) -> list[dict[str, Any]]:
    assert isinstance(finding.witness, Trace)
    trace: list[dict[str, Any]] = finding.witness.to_json()["trace"]
    return trace


def kinds(finding: Finding) -> list[str]:
    return [step.get("event") or step.get("signal") or "request" for step in steps(finding)]


def test_a_conflict_is_shown_by_the_two_samples_that_lead_to_it() -> None:
    report = verified(
        "rule a when restart within 5 min allow\n"
        'rule b when size > 5 require human from "x"\n'
        "rule c when size == 0 and not (restart within 5 min) allow\n"
    )
    found = only(report, "GOV301")
    assert found.rules == ("a", "b")
    assert kinds(found) == ["restart", "request"]
    event, request = steps(found)
    assert event["key"] == {"agent": request["request"]["agent"]}
    assert request["decision"] == "require_human"
    assert request["request"]["size"] > 5


def test_windows_that_contradict_are_found_dead() -> None:
    report = verified(
        "rule dead when restart within 1 h and not (restart within 2 h) allow\nrule a when size > 2 allow\n"
    )
    assert only(report, "GOV302").rules == ("dead",)


def test_a_count_and_a_longer_window_contradict_by_the_order_of_ages() -> None:
    report = verified(
        "rule dead when count(bad) in 1 h >= 3 and not (bad within 2 h) allow\nrule a when size > 2 allow\n"
    )
    assert only(report, "GOV302").rules == ("dead",)


def test_a_window_inside_that_of_another_rule_is_covered() -> None:
    report = verified(
        "rule wide when restart within 1 h allow\nrule narrow when restart within 1 min allow\n"
    )
    found = only(report, "GOV302")
    assert found.rules == ("narrow",)
    assert found.detail == {"covered_by": ["wide"]}


def test_a_property_off_by_one_at_the_closed_end_is_refuted_at_that_very_moment() -> None:
    report = verified(
        "rule a when restart within 1 min allow\n"
        "prove p: decision is allow implies count(restart) in 59999 ms >= 1\n"
    )
    found = only(report, "GOV306")
    assert [step["at_ms"] for step in steps(found)] == [0, 60_000]


def test_what_two_keys_do_together_needs_two_keys_in_the_history() -> None:
    report = verified(
        "rule a when count(deletion) in 10 min < 2 allow\n"
        "prove p: decision is allow implies count(deletion per resource) in 10 min < 2\n"
    )
    found = only(report, "GOV306")
    assert kinds(found) == ["deletion", "deletion", "request"]
    agents = {str(step["key"]["agent"]) for step in steps(found)[:2]}
    last = steps(found)[-1]["request"]
    assert {step["fields"]["resource"] for step in steps(found)[:2]} == {last["resource"]}
    assert agents != {last["agent"]}


def test_a_limit_on_what_was_allowed_is_proved_by_the_order_of_ages() -> None:
    report = verified(
        "rule a when size > 2 allow\n"
        'rule limit when count(allowed) in 1 min >= 20 throttle retry 30 s because "Slower"\n'
        "prove p: count(allowed) in 30 s >= 20 implies decision is at least throttle\n"
    )
    assert [one.property for one in report.proved if one.kind == "property"] == ["p"]
    assert report.status == "proved", [one.message for one in report.findings]


def test_a_limit_that_lets_one_too_many_through_is_refuted_by_as_many_samples() -> None:
    report = verified(
        "rule a when size > 2 allow\n"
        "rule limit when count(allowed) in 1 min >= 6 throttle retry 30 s\n"
        "prove p: count(allowed) in 1 min >= 5 implies decision is at least throttle\n"
    )
    found = only(report, "GOV306")
    assert kinds(found) == ["request"] * 6
    assert [step["decision"] for step in steps(found)] == ["allow"] * 6


@pytest.mark.parametrize(("window", "status"), [("30 d", "proved"), ("1 d", "refuted")])
def test_a_level_says_what_was_long_enough_ago(window: str, status: str) -> None:
    source = HEADER.format(default="longest window 30 d\ndefault deny") + (
        "machine level {\n  start low\n"
        f"  low -> high when count(ok) in 30 d >= 2 and not (bad within {window})\n"
        "  high -> low on bad\n}\n"
        "rule a when level is high allow\n"
        "prove earned: level is high implies not (bad within 30 d)\n"
    )
    report = verify(compile_source(Source("p.gov", source)).policy)
    assert report.status == status
    if status == "refuted":
        assert kinds(only(report, "GOV306"))[-1] in ("ok", "request")


def test_a_clock_that_goes_back_is_part_of_histories_where_a_rule_reads_it() -> None:
    report = verified(
        "rule a when size > 2 allow\nrule b when clock_fault deny\n"
        "prove p: decision is allow implies not clock_fault\nprove q: not clock_fault\n",
        default="combine most_restrictive\ndefault deny",
    )
    found = only(report, "GOV306")
    assert found.property == "q"
    times = [step["at_ms"] for step in steps(found)]
    assert times != sorted(times)
    assert min(times) == 0


def test_facts_about_cells_are_reported_as_proved() -> None:
    report = verified("rule a when count(ok) in 1 h >= 2 and ok within 1 min allow\n")
    facts = [one for one in report.proved if one.kind == "state"]
    assert "`ok.age` is no longer ago than `ok.age.2`" in {one.property for one in facts}
    assert {one.method for one in facts} == {"induction k=1"}


MACHINE = """machine m {{
  start calm
  calm -> worried on bad
  calm -> stuck when {condition}
  worried -> calm after 30 s
}}
rule a when m is calm allow
"""


def test_a_state_that_nothing_reaches_is_found() -> None:
    contradiction = "count(bad) in 1 min >= 2 and not (bad within 2 min)"
    report = verified(MACHINE.format(condition=contradiction))
    found = only(report, "GOV314")
    assert (found.rules, found.message) == (("m",), "`m` is never `stuck`")


def test_a_state_that_takes_a_long_history_is_no_finding() -> None:
    report = verified(
        "machine m {\n  start calm\n  calm -> stuck when count(ok) since restart >= 9\n"
        "  stuck -> calm on restart\n}\nrule a when m is calm allow\n"
    )
    assert not [one for one in report.findings if one.code in ("GOV314", "GOV309")]


def test_two_transitions_behind_a_long_history_are_found() -> None:
    found = only(verified(MACHINE.format(condition="count(ok) since restart >= 9")), "GOV315")
    assert len(steps(found)) == 11


def test_two_transitions_at_one_sample_are_shown_by_a_history() -> None:
    found = only(verified(MACHINE.format(condition="count(bad) in 1 min >= 2")), "GOV315")
    assert found.rules == ("m",)
    first, between, last = steps(found)
    assert (first["event"], last["event"]) == ("bad", "bad")
    times = [step["at_ms"] for step in (first, between, last)]
    assert times == [0, 30_000, 30_000]  # what comes between finds the machine calm again


def test_a_transition_behind_one_that_is_always_first_never_happens() -> None:
    report = verified(
        "machine m {\n  start a\n  a -> b on ok\n  b -> a after 10 s\n"
        "  b -> a when elapsed(ok) > 20 s\n}\nrule a when m is a allow\n"
    )
    assert only(report, "GOV314").message == "the transition `b -> a` of `m` never happens"


def test_what_is_beyond_the_encoding_is_undecided_as_a_whole() -> None:
    source = HEADER.format(default="default deny") + "rule a when bad within 1 min allow\n"
    policy = compile_source(Source("p.gov", source)).policy
    assumed = ir.Assumption("bad within 1 min", policy.rules[0].condition)
    report = verify(replace(policy, assumptions=(assumed,)))
    assert report.status == "undecided"
    (found,) = report.findings
    assert "the assumption" in found.help
    assert not report.proved


def labelled(source: str) -> Report:
    text = HEADER.format(default="default deny").replace(
        "  size     :", "  labels   : set of red, blue, green\n  size     :"
    )
    return verify(compile_source(Source("p.gov", text + source)).policy)


def test_a_set_that_is_kept_is_part_of_the_proof() -> None:
    report = labelled(
        "rule a when changed(labels) within 1 min allow\n"
        "prove p: decision is allow implies elapsed(bad) > 0 ms or changed(labels) within 2 min\n"
    )
    assert report.status == "proved", [one.message for one in report.findings]


def test_a_set_that_changes_is_shown_by_two_requests() -> None:
    report = labelled(
        "rule a when changed(labels) within 1 min allow\nprove p: not (changed(labels) within 2 min)\n"
    )
    first, second = steps(only(report, "GOV306"))
    assert sorted(first["request"]["labels"]) != sorted(second["request"]["labels"])


def test_a_property_of_every_sample_holds_where_the_clock_goes_back() -> None:
    report = verified(
        "shared signal level : number in 0..9\n"
        "rule a when fresh(level, 1 min) allow\nprove p: not clock_fault\n"
    )
    times = [step["at_ms"] for step in steps(only(report, "GOV306"))]
    assert times != sorted(times)


def test_a_property_of_the_decision_leaves_faults_of_the_clock_out() -> None:
    report = verified(
        "rule a when bad within 1 min allow\nrule b when not (bad within 1 min) allow\n"
        "prove p: decision is allow\n"
    )
    assert report.status == "proved"
    assert "p" in [one.property for one in report.proved]


def test_a_property_of_requests_alone_is_refuted_by_one_that_comes_late() -> None:
    report = verified(
        "rule a when allowed within 1 min or size == 3 allow\n"
        "prove p: size == 3 implies not (bad within 1 min)\n"
    )
    assert kinds(only(report, "GOV306")) == ["bad", "request"]


def test_a_guard_that_the_language_asks_for_is_no_finding() -> None:
    report = verified("signal level : number in 0..9\nrule a when has level and level > 3 allow\n")
    assert [one.code for one in report.findings] == ["GOV305"]


def test_what_an_operator_over_time_is_made_of_is_no_part_that_could_be_vacuous() -> None:
    report = verified(
        "param most : number in 1..3 = 2\n"
        "rule often when count(bad) in 1 min >= most deny\n"
        "rule late when ok between 0 and 1 min ago and size > 2 deny\n",
        default="default allow",
    )
    assert report.status == "proved", [one.message for one in report.findings]


def test_an_operator_that_is_always_true_is_shown_as_it_was_written() -> None:
    report = verified(
        "rule a when bad within 1 h deny\n"
        "rule b when not (bad within 1 h) and elapsed(bad) > 1 min and size > 2 deny\n",
        default="default allow",
    )
    assert only(report, "GOV304").message == "`elapsed(bad) > 1 min` is always true in `b`"


def test_counters_of_one_thing_that_start_anew_at_different_times_are_held_against_each_other() -> (
    None
):
    report = verified(
        "machine trial {\n  start off\n  off -> on on restart\n"
        "  on -> done when count(allowed) since enters trial.on >= 3\n  done -> off on ok\n}\n"
        "rule some when trial is on and count(allowed) since enters trial.on < 3 allow\n"
        "prove p: count(allowed) since restart >= 3 and trial is on implies decision is deny\n"
    )
    assert report.status == "proved", [one.message for one in report.findings]


def test_the_lowest_level_of_autonomy_is_no_vacuous_condition() -> None:
    text = HEADER.format(default="default deny").replace(
        "size     : number in 0..9", "act : one of a, b"
    )
    levels = "autonomy for agent on act {\n  low may a\n  high may b when ok within 1 h\n}\n"
    report = verify(compile_source(Source("p.gov", text + levels)).policy)
    assert report.status == "proved", [one.message for one in report.findings]


def test_what_must_guard_a_reading_is_not_vacuous() -> None:
    report = verified(
        "signal load : number in 0..100\n"
        "rule high when has load and load > 80 deny\n"
        "rule low when not (has load) or load <= 10 throttle retry 1 s\n"
        "rule mean when has load and ewma(load, 0.5) > 70 and size > 2 deny\n",
        default="default allow",
    )
    assert report.status == "proved", [one.message for one in report.findings]


def test_a_cover_that_follows_from_the_last_sample_is_named() -> None:
    report = verified(
        "signal load : number in 0..100 = 0\n"
        "rule lately when max(load) in 10 min >= 60 deny\n"
        "rule now when load >= 80 and size > 2 deny\n",
        default="default allow",
    )
    found = only(report, "GOV302")
    assert (found.rules, found.detail) == (("now",), {"covered_by": ["lately"]})


def test_a_sum_that_needs_several_samples_is_reached() -> None:
    report = verified(
        "event spent { x : number in 1..20 }\n"
        "rule over when sum(spent.x) in 1 h by 30 min > 110 deny\n",
        default="default allow",
    )
    assert report.status == "proved", [one.message for one in report.findings]


def test_two_sums_of_one_thing_are_held_against_each_other() -> None:
    report = verified(
        "rule over when sum(allowed.size) in 1 h by 15 min > 5 deny\n"
        "prove p: sum(allowed.size) in 1 h by 15 min, under > 5 implies decision is deny\n",
        default="default allow",
    )
    assert report.status == "proved", [one.message for one in report.findings]


def test_times_of_a_history_are_those_of_the_windows() -> None:
    report = verified(
        "machine m {\n  start off\n  off -> on on bad\n  on -> off when count(ok) since enters m.on >= 2\n}\n"
        "rule a when m is on and size > 1 allow\n"
        "prove p: enters m.off implies count(ok) in 20 h >= 2\n"
    )
    assert [step["at_ms"] for step in steps(only(report, "GOV306"))] == [0, 0, 72_000_001]


def test_the_clock_may_go_back_behind_the_first_sample_of_a_history() -> None:
    report = verified(
        "rule doubt when clock_fault within 30 s deny\n"
        "prove p: clock_fault within 1 min implies decision is deny\n",
        default="default allow",
    )
    times = [step["at_ms"] for step in steps(only(report, "GOV306"))]
    assert len(times) == 3
    assert times[1] < times[0]


def test_a_state_with_several_causes_is_known_to_have_had_one_of_them() -> None:
    report = verified(
        "machine m {\n  start calm\n  calm -> upset on bad\n  calm -> upset on restart\n"
        "  upset -> calm after 1 h\n}\n"
        "rule a when m is upset and size > 1 deny\n"
        "prove p: m is upset implies bad within 1 h or restart within 1 h\n",
        default="default allow",
    )
    assert report.status == "proved", [one.message for one in report.findings]
