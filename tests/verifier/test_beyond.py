"""Changes that no request of a common space shows: none of them passes for `not looser`."""

from __future__ import annotations

import pytest
from front import check

from govlang.compiler import ir
from govlang.verifier import diff_search
from govlang.verifier.beyond import unseen_changes
from govlang.verifier.diff import diff


def policy(declared: str, rule: str = "rule r when b allow") -> ir.Policy:
    return check(f"{declared}\ndefault deny\n{rule}\n").policy


def fan(parameter: str, argument: str) -> ir.Policy:
    declared = f"input {{ b : bool }}\naction fan {{ level : {parameter} }}"
    return policy(declared, f"rule r when b allow and do fan(level = {argument})")


FIELD = "input {{ x : {} }}"
BELOW = "rule r when x < 5 allow"
TEXT = 'rule r when x like "**" allow'
SET_BY_HOST = "input { b : bool from runtime }"
MONDAY = "rule r when b and weekday is monday allow"


def zone(name: str, rule: str = MONDAY) -> ir.Policy:
    return policy(f'time zone "{name}"\ninput {{ b : bool }}', rule)


CHANGED = {
    "longer texts": (
        policy(FIELD.format("text max 10"), TEXT),
        policy(FIELD.format("text max 30"), TEXT),
        "texts of `x` of more than 10 bytes",
    ),
    "rounding": (
        policy(FIELD.format("number in 0..9"), BELOW),
        policy(FIELD.format("number in 0..9 rounded down"), BELOW),
        "numbers of `x` between two steps",
    ),
    "who sets a field": (policy(SET_BY_HOST), policy("input { b : bool }"), "set by the caller"),
    "the time zone": (zone("Europe/Berlin"), zone("UTC"), "`Europe/Berlin` became `UTC`"),
    "the step of an argument": (
        fan("number in 0..10 step 0.1", "0.5"),
        fan("number in 0..10", "5"),
        "the parameters of `fan`",
    ),
    "the members of an argument": (
        fan("one of low, high", "low"),
        fan("one of high, low", "high"),
        "the parameters of `fan`",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_is_not_compared_counts_as_looser(name: str) -> None:
    old, new, said = CHANGED[name]
    report = diff(old, new, no_looser=True)
    assert report.is_looser
    assert [f.severity for f in report.findings if said in f.message] == ["error"]


SAME = {
    "shorter texts": (
        policy(FIELD.format("text max 30"), TEXT),
        policy(FIELD.format("text max 10"), TEXT),
    ),
    "a field that only the host sets": (policy("input { b : bool }"), policy(SET_BY_HOST)),
    "a wider range of an argument": (
        fan("number in 0..10 step 0.1", "0.5"),
        fan("number in 0..20 step 0.1", "0.5"),
    ),
    "one more member of an argument": (
        fan("one of low, high", "low"),
        fan("one of low, high, full", "low"),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_what_cannot_be_looser_is_not_told(name: str) -> None:
    assert list(unseen_changes(*SAME[name])) == []


def test_a_shorter_text_is_told_where_something_had_to_be_done() -> None:
    actions = "action note\n"
    rule = 'rule r when x like "**" allow and do note'
    old, new = (policy(actions + FIELD.format(f"text max {n}"), rule) for n in (30, 10))
    assert list(unseen_changes(old, new)) == [
        "texts of `x` of more than 10 bytes are valid in one version only"
    ]


@pytest.mark.parametrize(("most", "open_"), [(3, True), (4, False)])
def test_a_list_that_is_full_is_no_proof_that_nothing_is_looser(
    monkeypatch: pytest.MonkeyPatch, most: int, open_: bool
) -> None:
    def rules(*effects: str) -> ir.Policy:
        lines = [f"rule r{i} when x == {i} {effect}" for i, effect in enumerate(effects)]
        return policy(FIELD.format("number in 0..9"), "\n".join(lines))

    monkeypatch.setattr(diff_search, "FINDINGS_A_KIND", most)
    old, new = rules("allow", "allow", "allow", "deny"), rules("deny", "deny", "deny", "allow")
    report = diff(old, new, no_looser=True)
    assert report.is_looser
    assert any(f.code == "GOV309" for f in report.findings) == open_
