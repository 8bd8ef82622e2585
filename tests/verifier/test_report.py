"""The report: severities, acceptances, strictness, replay, JSON, determinism and scale."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ir_strategies import random_policy

from govlang.compiler import interpret, ir
from govlang.compiler.checked import Accept
from govlang.compiler.frontend import compile_source
from govlang.compiler.ir import Effect
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request
from govlang.dsl.source import Source
from govlang.verifier import vacuous
from govlang.verifier.findings import Finding, Status
from govlang.verifier.options import FINDINGS_A_RULE, Options
from govlang.verifier.report import verify


def number(name: str = "x", hi: int = 100) -> ir.Field:
    return ir.Field(name, ir.Kind.NUMBER, 0, hi, 1, 10)


def within(lo: int, hi: int, name: str = "x") -> ir.InRanges:
    return ir.InRanges(name, ((lo, hi),))


def policy(*rules: ir.Rule, **more: Any) -> ir.Policy:
    made = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (number(),), rules)
    return replace(made, **more)


GATED = """language 1
policy gated version "1"
default deny
{key}
rule asks when risky require human from "doctor"
prove gated: risky implies decision is at least require human
"""
OVER_TIME = "input { agent : key\n risky : bool }\nevent e\nrule late when e within 1 min deny"


def refuted(source: str) -> list[Finding]:
    found = verify(compile_source(Source("p.gov", source)).policy).findings
    return [one for one in found if one.code == "GOV306"]


@pytest.mark.parametrize("key", ["input { risky : bool }", OVER_TIME])
def test_a_claim_about_a_gate_that_approvals_break_is_told_how_to_say_it(key: str) -> None:
    source = GATED.format(key=key)
    (found,) = refuted(source)
    assert 'add `or approved contains "doctor"`' in found.help
    mended = source.replace("human\n", 'human or approved contains "doctor"\n')
    assert not refuted(mended)
    (found,) = refuted(source.replace("is at least require human", "is deny"))
    assert "approved" not in found.help, "nobody needs to have approved"


ALLOW = ir.Rule("low", within(0, 50), Effect.ALLOW)
DENY = ir.Rule("high", within(40, 100), Effect.DENY)
CLASH = policy(ALLOW, DENY)


def one(findings: tuple[Finding, ...], code: str) -> Finding:
    (found,) = (f for f in findings if f.code == code)
    return found


def test_a_conflict_is_an_error_with_a_request_in_the_unit_of_the_field() -> None:
    report = verify(CLASH)
    assert report.status is Status.REFUTED
    found = one(report.findings, "GOV301")
    assert found.rules == ("low", "high")
    assert found.witness is not None
    assert 4 <= found.witness.request["x"] <= 5
    assert (found.witness.decision, found.witness.rule_id) == ("deny", "high")


def test_a_stricter_rule_of_a_higher_tier_is_no_conflict_but_an_overlap() -> None:
    tiered = policy(replace(DENY, tier=0), replace(ALLOW, tier=1), tiers=("safety", "business"))
    assert not [f for f in verify(tiered).findings if f.code == "GOV301"]
    shown = one(verify(tiered, options=Options(overlaps=True)).findings, "GOV301")
    assert shown.severity == "note"
    assert "settled by their tiers" in shown.message


def unneeded(*accepts: Accept, own: ir.Policy = CLASH) -> list[str]:
    report = verify(own, accepts=accepts, options=Options(strict=True))
    found = [f for f in report.findings if f.code == "GOV311"]
    assert all((f.severity, f.accepted) == ("note", None) for f in found)
    return [f.message for f in found]


def test_what_no_finding_needs_is_a_note_even_if_strict() -> None:
    clash, idle = Accept("GOV301", "high", "x"), Accept("GOV302", "low", "x")
    assert unneeded(clash) == []
    assert unneeded(clash, idle) == [
        "`accept GOV302 on low` accepts nothing: there is no such finding"
    ]
    assert unneeded(Accept("GOV305", "default", "x"), own=policy(ALLOW)) == []
    whole = policy(replace(ALLOW, condition=within(0, 100)))
    assert len(unneeded(Accept("GOV305", "default", "x"), own=whole)) == 1
    assert unneeded(Accept("GOV302", "left out", "x")) == []


def test_one_row_that_needs_it_is_enough_for_a_table() -> None:
    header = 'language 1\npolicy p version "1"\ndefault allow\ninput { x : number in 0..9 }\n'
    table = "table t(x) -> decision {\n| x | decision |\n| < 5 | deny |\n| < 4 | deny |\n| _ | allow |\n}\n"
    checked = compile_source(Source("p.gov", f'{header}{table}accept GOV302 on t because "x"\n'))
    report = verify(checked.policy, accepts=checked.accepts)
    assert [f.code for f in report.findings if f.code in {"GOV302", "GOV311"}] == ["GOV302"]
    checked = compile_source(Source("p.gov", f'{header}{table}accept GOV306 on t because "x"\n'))
    found = one(verify(checked.policy, accepts=checked.accepts).findings, "GOV311")
    assert found.message.startswith("`accept GOV306 on t` accepts nothing")
    assert found.span is not None
    assert found.span.text == "t"


def test_what_stayed_open_is_not_called_unneeded() -> None:
    source = (
        'language 1\npolicy p version "1"\ndefault deny\n'
        "input {\n  a : number in 2..1_000_000\n  b : number in 2..1_000_000\n}\n"
        'rule hard when a * b == 998_244_353 allow\naccept GOV302 on hard because "x"\n'
    )
    checked = compile_source(Source("p.gov", source))
    report = verify(checked.policy, accepts=checked.accepts, options=Options(timeout_s=0.001))
    assert {f.code for f in report.findings if "hard" in f.names} >= {"GOV309"}
    assert [f for f in report.findings if f.code == "GOV311"] == []


def test_parts_of_a_condition_that_nobody_looked_at_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [
        ir.conjunction([within(10 * i, 10 * i + 5), within(10 * i, 10 * i + 5, "y")])
        for i in range(3)
    ]
    many = policy(replace(ALLOW, condition=ir.disjunction(parts)), fields=(number(), number("y")))
    monkeypatch.setattr(vacuous, "PARTS_MAX", 10)  # one, three of its parts, and two of each
    assert not [f for f in verify(many).findings if f.code == "GOV312"]
    monkeypatch.setattr(vacuous, "PARTS_MAX", 9)
    found = one(verify(many, options=Options(strict=True)).findings, "GOV312")
    assert (found.severity, found.rules) == ("note", ("low",))
    assert found.message == "of the condition of `low` only 9 parts were looked at"

    monkeypatch.setattr(vacuous, "STEPS_MAX", 18)  # six tests, so three parts of them
    found = one(verify(many).findings, "GOV312")
    assert found.message == "of the condition of `low` only 3 parts were looked at"


def test_a_conjunction_too_long_to_hold_its_tests_against_each_other_is_asked_part_by_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tests = [within(i, 10) for i in (1, 3, 2)]
    long = policy(replace(ALLOW, condition=ir.And(tuple(tests))), fields=(number(),))
    whole = [f.message for f in verify(long).findings if f.code == "GOV304"]
    monkeypatch.setattr(vacuous, "TESTS_MAX", 2)
    assert [f.message for f in verify(long).findings if f.code == "GOV304"] == whole
    assert len(whole) == 2
    monkeypatch.setattr(vacuous, "STEPS_MAX", 3)
    assert one(verify(long).findings, "GOV312").message.endswith("only 1 part was looked at")


def test_what_the_source_accepts_is_a_recorded_warning() -> None:
    report = verify(CLASH, accepts=(Accept("GOV301", "high", "known"),))
    found = one(report.findings, "GOV301")
    assert (found.severity, found.accepted) == ("warning", "known")
    assert report.status is Status.PROVED
    strict = verify(
        CLASH, accepts=(Accept("GOV301", "high", "known"),), options=Options(strict=True)
    )
    assert one(strict.findings, "GOV301").severity == "warning"


@pytest.mark.parametrize("word", ["conflict", "GOV301", "CONFLICT"])
def test_a_kind_can_be_accepted_on_the_command_line(word: str) -> None:
    found = one(verify(CLASH, options=Options(accept_kinds=(word,))).findings, "GOV301")
    assert found.severity == "warning"


def test_an_acceptance_of_another_rule_changes_nothing() -> None:
    report = verify(CLASH, accepts=(Accept("GOV301", "other", "x"), Accept("GOV302", "low", "x")))
    assert one(report.findings, "GOV301").severity == "error"


def test_strict_makes_warnings_errors() -> None:
    always = policy(replace(ALLOW, condition=within(0, 100)))
    assert one(verify(always).findings, "GOV304").severity == "warning"
    report = verify(always, options=Options(strict=True))
    assert one(report.findings, "GOV304").severity == "error"
    assert report.status is Status.REFUTED


@dataclass(frozen=True)
class Answer:
    decision: str
    rule_id: str


def test_every_witness_is_asked_of_the_compiled_table() -> None:
    asked = []

    def table(request: Any, runtime: Any, params: Any) -> Answer:
        asked.append((request, runtime, params))
        sample = read_sample(CLASH, request, runtime)
        assert isinstance(sample, Request)
        outcome = interpret.decide(CLASH, params, sample.values)
        return Answer(outcome.decision.word, outcome.rule_id)

    assert verify(CLASH, replay=table).status is Status.REFUTED
    assert asked


def test_a_table_that_disagrees_makes_a_finding_undecided_not_a_false_alarm() -> None:
    report = verify(policy(ALLOW, DENY), replay=lambda *_: Answer("allow", "low"))
    assert not [f for f in report.findings if f.code == "GOV301"]
    found = next(f for f in report.findings if f.code == "GOV309" and f.kind == "conflict")
    assert found.witness is None
    assert "compiled table" in found.help


def test_a_question_that_is_not_answered_in_time_is_undecided() -> None:
    a, b, c = (ir.FieldValue(n) for n in "abc")
    fields = tuple(replace(number(n, 10**5), lo=2) for n in "abc")
    cube = ir.Arith(ir.ArithOp.MUL, ir.Arith(ir.ArithOp.MUL, a, b), c)
    hard = ir.Compare(ir.CompareOp.EQ, cube, ir.IntConst(999_983 * 999_979))
    report = verify(
        policy(ir.Rule("hard", hard, Effect.ALLOW), fields=fields), options=Options(timeout_s=0.05)
    )
    assert report.status is Status.UNDECIDED
    assert {f.code for f in report.findings if f.severity == "error"} == {"GOV309"}


def test_assumptions_that_exclude_every_request_are_an_error() -> None:
    nobody = ir.Assumption("x < 0", ir.FALSE)
    report = verify(policy(ALLOW, assumptions=(nobody,)))
    assert [f.severity for f in report.findings] == ["error"]


def test_guards_are_listed_as_proved() -> None:
    never = ir.Rule(
        "idle", ir.conjunction([within(0, 3), within(5, 9)]), Effect.DENY, -1, ir.RuleKind.GUARD
    )
    idle = ir.Rule("spare", within(90, 100), Effect.DENY, -1, ir.RuleKind.GUARD)
    needed = ir.Rule("needed", within(0, 1), Effect.DENY, -1, ir.RuleKind.GUARD)
    report = verify(policy(never, idle, needed, ALLOW))
    assert {p.property: p.method for p in report.proved if p.kind == "invariant"} == {
        "idle": "its guard can never fire",
        "spare": "its guard is never needed: the rules deny wherever it fires",
        "needed": "by its guard, which can fire",
    }
    assert not [f for f in report.findings if set(f.rules) & {"idle", "spare", "needed"}]


def test_a_proof_whose_premise_never_holds_is_a_warning() -> None:
    deny = ir.DecisionIn(frozenset({Effect.DENY}))
    empty = ir.Property("p", ir.disjunction([ir.negation(within(101, 200)), deny]))
    full = ir.Property("q", ir.disjunction([ir.negation(within(90, 100)), deny]))
    report = verify(policy(ALLOW, properties=(empty, full)))
    assert [p.property for p in report.proved if p.kind == "property"] == ["p", "q"]
    found = [f for f in report.findings if f.code == "GOV304"]
    assert [(f.property, f.severity) for f in found] == [("p", "warning")]


def test_a_dead_rule_names_the_smallest_set_that_covers_it() -> None:
    left = ir.Rule("left", within(0, 30), Effect.DENY)
    right = ir.Rule("right", within(31, 60), Effect.DENY)
    wide = ir.Rule("wide", within(20, 50), Effect.DENY)
    dead = ir.Rule("dead", within(10, 55), Effect.DENY)
    report = verify(policy(left, wide, right, dead))
    found = one(report.findings, "GOV302")
    assert found.rules == ("dead",)
    assert found.detail == {"covered_by": ["left", "right"]}


def test_equal_twins_are_one_finding() -> None:
    first = ir.Rule("first", within(0, 5), Effect.LIMIT, limits=(CAP,))
    strict = ir.Rule(
        "strict", within(0, 9), Effect.LIMIT, limits=(replace(CAP, hi=ir.IntConst(1)),)
    )
    allow = ir.Rule("all", ir.TRUE, Effect.ALLOW)
    report = verify(policy(strict, allow, first, replace(first, id="second")))
    assert [f.rules[0] for f in report.findings if f.code == "GOV302"] == ["second", "first"]
    bare = ir.Rule("a", within(0, 5), Effect.DENY)
    twins = verify(policy(bare, replace(bare, id="b")))
    assert [f.rules for f in twins.findings if f.code == "GOV302"] == [("b",)]


CAP = ir.Limit("x", ir.IntConst(0), ir.IntConst(7))


def test_findings_of_one_rule_are_capped_with_a_count() -> None:
    denies = [ir.Rule(f"d{i}", within(i, i + 200), Effect.DENY) for i in range(150)]
    wide = policy(ir.Rule("all", within(0, 390), Effect.ALLOW), *denies, fields=(number(hi=400),))
    found = [f for f in verify(wide).findings if f.code == "GOV301"]
    assert len(found) == FINDINGS_A_RULE + 1
    assert any("50 more rules" in f.message for f in found)


@pytest.mark.parametrize("seed", range(8))
def test_a_report_is_the_same_twice_and_is_json(seed: int) -> None:
    some = random_policy(random.Random(seed))
    first, second = (verify(some).to_json() for _ in range(2))
    for report in (first, second):
        report["ms"] = 0
        for proof in report["proved"]:
            proof["ms"] = 0
    assert first == second
    assert json.loads(json.dumps(first)) == first


def many_rules(count: int, rng: random.Random) -> ir.Policy:
    """Two equality columns and a range, one rule in ten not box-shaped; no two rules meet."""
    side = int((count / 4) ** 0.5) + 1
    agents = ir.Field(
        "agent", ir.Kind.ENUM, 0, side - 1, members=tuple(f"a{i}" for i in range(side))
    )
    tools = ir.Field("tool", ir.Kind.ENUM, 0, side - 1, members=tuple(f"t{i}" for i in range(side)))
    fields = (agents, tools, number("x", 1000), number("y", 1000), number("z", 1000))
    rules = []
    for i in range(count):
        cell, part = divmod(i, 4)
        parts: list[ir.BoolExpr] = [
            within(cell // side, cell // side, "agent"),
            within(cell % side, cell % side, "tool"),
            within(250 * part, 250 * part + rng.randint(50, 240)),
        ]
        if i % 10 == 0:
            total = ir.Arith(
                ir.ArithOp.ADD,
                ir.Arith(ir.ArithOp.ADD, ir.FieldValue("x"), ir.FieldValue("y")),
                ir.FieldValue("z"),
            )
            parts.append(ir.Compare(ir.CompareOp.LE, total, ir.IntConst(1500 + i % 7)))
        effect = Effect.ALLOW if part % 2 == 0 else Effect.DENY
        rules.append(ir.Rule(f"r{i}", ir.conjunction(parts), effect, remedy=REMEDY))
    prove = ir.Property(
        "cap", ir.disjunction([ir.DecisionIn(frozenset({Effect.DENY})), within(0, 740)])
    )
    return policy(*rules, fields=fields, properties=(prove,))


REMEDY = ir.Remedy("ask for less")


def test_a_thousand_rules_are_proved_without_asking_about_pairs_that_never_meet() -> None:
    report = verify(many_rules(1000, random.Random(1)))
    assert report.status is Status.PROVED
    assert [p.property for p in report.proved] == ["cap"]
    assert {f.code for f in report.findings} == {"GOV305"}


def test_one_conflict_among_a_thousand_rules_is_found() -> None:
    fine = many_rules(1000, random.Random(1))
    rules = list(fine.rules)
    odd = replace(rules[600], id="odd", effect=Effect.DENY)
    report = verify(replace(fine, rules=(*rules, odd)))
    assert [f.rules for f in report.findings if f.code == "GOV301"] == [("r600", "odd")]


def assuming_more_than(highest: int) -> ir.Policy:
    """`assume x > p` where x is at most 10 and p at most `highest`."""
    x = ir.Field("x", ir.Kind.NUMBER, 0, 10)
    p = ir.Param(ir.Field("p", ir.Kind.NUMBER, 0, highest), 3)
    above = ir.Compare(ir.CompareOp.LT, ir.ParamValue("p"), ir.FieldValue("x"))
    rule = ir.Rule("r", ir.InRanges("x", ((0, 5),)), ir.Effect.DENY)
    return ir.Policy(
        "q",
        "1",
        1,
        ir.Combine.STRICT,
        ir.Default.ALLOW,
        (x,),
        (rule,),
        params=(p,),
        assumptions=(ir.Assumption("x > p", above),),
    )


def test_parameters_that_leave_no_request_valid_are_found() -> None:
    messages = [f.message for f in verify(assuming_more_than(10)).findings]
    assert "with `p` = 10 no request satisfies what the policy assumes" in messages


def test_parameters_that_all_leave_some_request_valid_are_no_finding() -> None:
    found = verify(assuming_more_than(9)).findings
    assert [f.code for f in found] == ["GOV305"]


def test_an_assumption_about_parameters_alone_says_how_they_may_be_set() -> None:
    one = assuming_more_than(10)
    small = ir.Compare(ir.CompareOp.LT, ir.ParamValue("p"), ir.IntConst(10))
    meant = replace(one, assumptions=(*one.assumptions, ir.Assumption("p < 10", small)))
    assert [f.code for f in verify(meant).findings] == ["GOV305"]
