"""Overrides: downwards or sideways only, never in a circle, never unknown."""

from __future__ import annotations

import pytest
from front import FIELDS, check, codes, errors

FAULTS = [
    ("rule a deny overrides b", "GOV201", "b"),
    ("tiers x, y\ntier x { rule a deny }\ntier y { rule b deny overrides a }", "GOV220", "a"),
    ("tiers x\ntier x { rule a deny }\nrule b deny overrides a", "GOV220", "a"),
    ("invariant a: true\nrule b deny overrides a", "GOV220", "a"),
    ("combine first_match\nrule a deny\nrule b deny overrides a", "GOV222", "a"),
    ("rule a deny overrides a", "GOV221", "a"),
    ("rule a deny overrides b\nrule b deny overrides c\nrule c deny overrides a", "GOV221", "a"),
]


@pytest.mark.parametrize(("body", "code", "caret"), FAULTS, ids=[f[0] for f in FAULTS])
def test_an_override_that_is_not_allowed_is_refused(body: str, code: str, caret: str) -> None:
    found = errors(body)
    assert [(one.code, one.span.text) for one in found if one.span] == [(code, caret)]
    assert all(one.help for one in found)


def test_a_circle_is_named_from_end_to_end() -> None:
    found = errors("rule a deny overrides b\nrule b deny overrides c\nrule c deny overrides b")
    assert [one.message for one in found] == ["`overrides` goes round in a circle: `b` → `c` → `b`"]


def test_an_unknown_rule_is_refused_with_the_nearest() -> None:
    assert (
        errors("rule burst_a deny\nrule b deny overrides burst")[0].help
        == "did you mean `burst_a`?"
    )


def test_a_table_stands_for_all_its_rows() -> None:
    body = "table t(zone) -> decision {\n| zone | decision |\n| urban | deny |\n| _ | allow |\n}\n"
    rules = check(FIELDS + body + "rule r deny overrides t, r2\nrule r2 allow").policy.rules
    assert rules[2].overrides == ("t#1", "t#2", "r2")
    single = check(FIELDS + body + 'rule r deny overrides "t#2"').policy.rules
    assert single[2].overrides == ("t#2",)


def test_a_faulty_table_is_not_reported_again_by_what_overrides_it() -> None:
    body = "table t(zon) -> decision {\n| zon | decision |\n| urban | deny |\n}\nrule r deny overrides t"
    assert codes(FIELDS + body) == ["GOV201"]


def test_a_chain_of_thousands_is_neither_deep_nor_slow() -> None:
    chain = "".join(f"rule r{i} deny overrides r{i + 1}\n" for i in range(3000))
    assert codes(chain + "rule r3000 deny") == []
    assert codes(chain + "rule r3000 deny overrides r0") == ["GOV221"]


def test_thousands_of_unknown_names_are_reported_without_reading_all_names_for_each() -> None:
    body = "".join(f"rule r{i} deny overrides q{i}\n" for i in range(1500))
    assert len(errors(body)) == 1500


@pytest.mark.parametrize(("rules", "shown"), [(10, 11), (11, 12), (12, 12), (30, 12)])
def test_of_a_long_circle_ten_rules_and_the_last_are_named(rules: int, shown: int) -> None:
    body = "\n".join(f"rule r{i} deny overrides r{(i + 1) % rules}" for i in range(rules))
    (found,) = errors(body)
    names = found.message.partition(": ")[2].split(" → ")
    assert len(names) == shown
    assert names[:10] == [f"`r{i}`" for i in range(10)]
    assert names[-1].strip("`") == "r0"
    assert ("`…`" in names) == (rules > 10)
