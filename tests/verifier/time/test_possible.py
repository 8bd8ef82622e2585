"""`always possible`: proved by continuations from every state, refuted by a history into a closed set."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.findings import Trace
from govlang.verifier.report import Report, verify

HEADER = """language 1
policy p version "1.0.0"
default deny
input {
  agent : key
  size  : number in 0..9
}
event ok
event bad
"""


PER_TOOL = """event down { tool : key }
event up { tool : key }
input { tool : key }
machine tooled per tool {
  start good
  good -> broken on down
  broken -> BEHIND on up
}
machine own {
  start calm
  calm -> hot on bad
  hot -> calm WHEN
}
"""
NAMED_TOOL = """input { tool : key }
rule a when tool == "x" or count(allowed per tool) in 1 s < 1 allow
"""
NAMED_TOOLS = """event down { tool : key }
event up { tool : key }
input { tool : key }
machine tooled per tool {
  start good
  good -> broken on down when tool == "x"
  broken -> good on up
}
rule a when tooled is good allow
"""
EQUAL = "input { owner : key }\nrule a when agent == owner and bad within 1 s allow\n"
ASSUMED = 'assume agent != "y"\nrule a when agent == "x" and bad within 1 s allow\n'
BREAKER = """machine breaker {
  start closed
  closed -> open when count(bad) since ok >= 3
  open -> half after 30 s
  half -> closed on ok
  half -> open on bad
}
"""
BACK = "prove back: always possible (decision is allow)\n"


def verified(source: str) -> Report:
    return verify(compile_source(Source("p.gov", HEADER + source)).policy)


def test_what_a_wait_brings_back_is_proved() -> None:
    report = verified(
        "machine m {\n  start up\n  up -> down when count(bad) since ok >= 3\n  down -> up after 30 s\n}\n"
        "rule a when m is up and size > 1 allow\n"
        "prove back: always possible (decision is allow)\n"
        "prove down: always possible (m is down)\n"
    )
    proofs = {p.property: p.method for p in report.proved if p.kind == "property"}
    assert set(proofs) == {"back", "down"}
    assert proofs["back"].endswith(" continuations cover every state")
    assert proofs["down"].endswith(" every state")  # how many it takes is a matter of the search


def test_a_machine_that_gets_stuck_is_shown_by_the_history_that_leads_there() -> None:
    report = verified(
        "machine m {\n  start up\n  up -> down when count(bad) in 1 min >= 3\n  down -> worse on bad\n"
        "  worse -> down on ok\n}\n"
        "rule a when m is up allow\nprove back: always possible (decision is allow)\n"
    )
    (found,) = [one for one in report.findings if one.code == "GOV306"]
    assert found.property == "back"
    assert isinstance(found.witness, Trace)
    assert [step.get("event") for step in found.witness.steps] == ["bad", "bad", "bad"]


def test_what_never_happens_is_refuted_without_a_machine_to_blame() -> None:
    report = verified(
        "rule a when size > 3 and bad within 1 min allow\n"
        "prove both: always possible (decision is throttle)\n"
    )
    (found,) = [one for one in report.findings if one.code == "GOV306"]
    assert isinstance(found.witness, Trace)
    assert len(found.witness.steps) == 1


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (EQUAL, "what `agent` equals"),
        (ASSUMED, "the text of `agent`"),
    ],
)
def test_what_is_beyond_the_method_is_undecided_and_says_what_to_do(source: str, why: str) -> None:
    report = verified(source + BACK)
    (found,) = [one for one in report.findings if one.property == "back"]
    assert found.code == "GOV309"
    assert why in found.help
    assert found.help.endswith("or let it stay open with `--allow-undecided back`")


@pytest.mark.parametrize(
    ("rules", "proves"),
    [
        ('rule a when agent == "x" allow\n', "breaker is closed"),
        ('rule a when agent == "x" or breaker is closed allow\n', "decision is allow"),
        ('rule a when agent == "x" allow\nrule b when agent != "x" and breaker is half allow\n', "decision is allow"),
        ('rule a when agent == "x" or agent == "y" or agent == "z" allow\n', "breaker is open"),
    ],
)  # fmt: skip
def test_what_rules_say_of_keys_by_name_does_not_keep_a_claim_open(rules: str, proves: str) -> None:
    report = verified(f"{BREAKER}{rules}prove back: always possible ({proves})\n")
    assert "back" in {one.property for one in report.proved}


@pytest.mark.parametrize(
    ("rules", "who"),
    [
        ('rule a when agent == "x" and bad within 1 s allow\n', False),
        ('rule a when agent != "x" and breaker is closed allow\n', True),
    ],
)
def test_what_fails_for_one_key_is_shown_by_a_request_of_that_key(rules: str, *, who: bool) -> None:
    """`who`: whether it fails for `x`, or for all others."""
    report = verified(BREAKER + rules + BACK)
    (found,) = [one for one in report.findings if one.property == "back"]
    assert found.code == "GOV306"
    assert isinstance(found.witness, Trace)
    assert (found.witness.steps[-1]["request"]["agent"] == "x") == who


@pytest.mark.parametrize("source", [NAMED_TOOL, NAMED_TOOLS])
def test_what_is_kept_by_a_field_that_is_named_is_proved_for_each_of_its_values(
    source: str,
) -> None:
    report = verified(source + BACK)
    assert "back" in {one.property for one in report.proved}


def test_a_way_of_many_samples_is_proved_from_its_end() -> None:
    report = verified(
        "machine a {\n  start up\n  up -> down on bad\n  down -> low on ok\n  low -> lower on bad\n"
        "  lower -> mid on ok\n  mid -> high on bad\n  high -> up on ok\n}\n"
        "rule r when a is up and size > 1 allow\nprove back: always possible (decision is allow)\n"
    )
    assert report.status == "proved", [one.message for one in report.findings]


TWO_SCOPES = (
    "shared event storm\nshared event calm\n"
    "machine m {\n  start up\n  up -> down when count(bad) since ok >= 2\n  down -> up after 30 s\n}\n"
)
FAR = "shared machine far {\n start a\n a -> b on storm\n b -> a on calm\n}\n"


def test_what_is_shared_and_what_a_key_keeps_are_proved_together() -> None:
    report = verified(
        TWO_SCOPES + "shared machine plant {\n  start runs\n  runs -> halted on storm\n"
        "  halted -> runs when calm within 5 s and not (storm within 10 s)\n}\n"
        "rule a when m is up and plant is runs and size > 1 allow\n"
        "prove back: always possible (decision is allow)\n"
        "prove halts: always possible (plant is halted and m is down)\n"
    )
    assert report.status == "proved", [one.message for one in report.findings]
    proofs = {p.property for p in report.proved if p.kind == "property"}
    assert {"back", "halts"} <= proofs


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("shared machine plant {\n start runs\n runs -> halted on storm\n halted -> worse on calm\n}\n", "storm"),
        ("machine own {\n start runs\n runs -> halted on bad\n halted -> worse on ok\n}\n" + FAR, "bad"),
    ],
)  # fmt: skip
def test_a_machine_that_gets_stuck_is_shown_beside_one_of_the_other_sort(
    source: str, last: str
) -> None:
    name = "plant" if "plant" in source else "own"
    report = verified(
        f"{TWO_SCOPES}{source}rule a when m is up and {name} is runs allow\n"
        "prove back: always possible (decision is allow)\n"
    )
    (found,) = [one for one in report.findings if one.code == "GOV306"]
    assert isinstance(found.witness, Trace)
    assert last in [step.get("event") for step in found.witness.steps]
    assert not [one for one in report.findings if one.code == "GOV309"]


def test_a_shared_machine_that_others_bring_back_is_no_trap() -> None:
    """Only an event of all opens the gate again: no sample of the key alone does."""
    report = verified(
        TWO_SCOPES
        + "shared machine gate {\n  start open\n  open -> shut on storm\n  shut -> open on calm\n}\n"
        "rule a when gate is open allow\nrule b when m is down throttle\n"
        "prove back: always possible (decision is allow)\n"
        "prove shut_again: always possible (gate is shut)\n"
    )
    assert not [one for one in report.findings if one.code in {"GOV306", "GOV309"}]


def test_a_pause_that_somebody_can_make_is_possible() -> None:
    report = verified(
        "rule a when gap > 1 s and bad within 1 min allow\n"
        "prove back: always possible (decision is allow)\n"
    )
    assert "back" in {p.property for p in report.proved}


def per_tool(behind: str, when: str) -> Report:
    """A machine of a tool and one of an agent, of which one may get stuck."""
    rules = "rule a when tooled is good and own is calm and size > 1 allow\n"
    text = PER_TOOL.replace("BEHIND", behind).replace("WHEN", when)
    return verified(
        f"{text}{rules}{BACK}prove none: always possible (tooled is broken and own is hot)\n"
    )


def test_what_is_kept_by_another_field_is_proved_for_each_of_its_values() -> None:
    report = per_tool("good", "after 30 s")
    assert {p.property for p in report.proved if p.kind == "property"} == {"back", "none"}
    report = verified(
        f"input {{ tool : key }}\nrule a when count(allowed per tool) in 1 min < 3 allow\n{BACK}"
    )
    assert "back" in {p.property for p in report.proved}


@pytest.mark.parametrize(
    ("behind", "when", "last"),
    [("worse", "after 30 s", "down"), ("good", "on ok when size > 9", "bad")],
)
def test_what_gets_stuck_for_one_value_of_another_field_is_shown(
    behind: str, when: str, last: str
) -> None:
    report = per_tool(behind, when)
    (found,) = [one for one in report.findings if one.property == "back"]
    assert found.code == "GOV306"
    assert isinstance(found.witness, Trace)
    assert last in [step.get("event") for step in found.witness.steps]


def test_a_state_that_takes_many_samples_of_several_kinds_is_proved_from_the_end() -> None:
    """Four samples, none of them the same, lead from the beginning to the first request that is allowed."""
    report = verified(
        "machine a {\n  start low\n  low -> mid on bad\n  mid -> high on ok\n  high -> low on bad\n}\n"
        "machine b {\n  start off\n  off -> slow on ok\n  slow -> fast after 1 s\n  fast -> off after 1 min\n}\n"
        f"rule r when a is high and b is fast and size > 1 allow\n{BACK}"
    )
    assert "back" in {p.property for p in report.proved}
