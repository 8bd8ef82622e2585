"""The semantic difference against brute force, and what it says of changed declarations."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

import pytest
from enumeration import all_params, finite_policy
from front import check
from ir_strategies import all_requests

from govlang.compiler import interpret, ir
from govlang.compiler.ir import Effect
from govlang.verifier.changes import Change, change_of
from govlang.verifier.diff import DiffReport, diff
from govlang.verifier.diff_search import spans_of
from govlang.verifier.merge import merge
from govlang.verifier.options import Options


def mutated(rng: random.Random, policy: ir.Policy) -> ir.Policy:
    """The policy with one or two things changed."""
    for _ in range(rng.randint(1, 2)):
        policy = _mutated_once(rng, policy)
    return policy


def _mutated_once(rng: random.Random, policy: ir.Policy) -> ir.Policy:
    rules = list(policy.rules)
    if not rules or rng.random() < 0.15:
        if rng.random() < 0.5:
            return replace(policy, default=rng.choice(list(ir.Default)))
        some = (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE, policy.combine)
        return replace(policy, combine=rng.choice(some))
    i = rng.randrange(len(rules))
    rule = rules[i]
    match rng.randrange(7):
        case 0:
            if not any(rule.id in r.overrides for r in rules):
                del rules[i]
        case 1:
            rules[i] = replace(rule, condition=ir.negation(rule.condition))
        case 2:
            rules[i] = replace(rule, condition=ir.disjunction([rule.condition, rules[0].condition]))
        case 3 if rule.effect in (Effect.ALLOW, Effect.DENY) and not rule.limits:
            rules[i] = replace(rule, effect=rng.choice((Effect.ALLOW, Effect.DENY)))
        case 4 if rule.retry_ms is not None or rule.expires_ms is not None:
            rules[i] = replace(
                rule,
                retry_ms=rule.retry_ms and rule.retry_ms * rng.choice((1, 2)),
                expires_ms=None if rng.random() < 0.3 else rule.expires_ms and 2 * rule.expires_ms,
            )
        case 5 if len(rule.roles) > 1:
            rules[i] = replace(rule, roles=rule.roles[:-1])
        case 6 if rule.dos:
            rules[i] = replace(rule, dos=rule.dos[:-1])
        case _ if rule.limits and isinstance(rule.limits[0].hi, ir.IntConst):
            one = rule.limits[0]
            target = policy.target(one.target)
            hi = ir.IntConst(rng.randint(target.lo, target.hi))
            rules[i] = replace(rule, limits=(replace(one, hi=hi), *rule.limits[1:]))
        case _:
            pass
    return replace(policy, rules=tuple(rules))


def enumerated(old: ir.Policy, new: ir.Policy) -> set[Change]:
    spans = spans_of(merge(old, new).space)
    found = set()
    for values in all_requests(old):
        for params in all_params(old):
            a, b = (interpret.decide(p, params, values) for p in (old, new))
            if interpret.INVALID_REQUEST in (a.rule_id, b.rule_id) and a.rule_id == b.rule_id:
                continue
            change = change_of(a, b, spans)
            if change is not None:
                found.add(change)
    return found


def told(report: DiffReport) -> list[tuple[object, ...]]:
    return sorted(
        (
            d["old"]["decision"],
            d["old"]["rule_id"],
            d["new"]["decision"],
            d["new"]["rule_id"],
            d["direction"],
        )
        for d in (f.detail or {} for f in report.findings)
    )


def as_told(change: Change) -> tuple[object, ...]:
    (a, by_a), (b, by_b) = change.old, change.new
    return a.word, by_a, b.word, by_b, change.direction


@pytest.mark.parametrize("batch", range(8))
def test_every_kind_of_change_is_found_and_no_other(batch: int) -> None:
    rng = random.Random(f"diff {batch}")
    for _ in range(12):
        old = replace(finite_policy(rng), properties=())
        new = mutated(rng, old)
        report = diff(old, new)
        assert not [f for f in report.findings if f.code != "GOV308"]
        assert told(report) == sorted(as_told(c) for c in enumerated(old, new))


def number(name: str, lo: int, hi: int, step: tuple[int, int] = (1, 1)) -> ir.Field:
    return ir.Field(name, ir.Kind.NUMBER, lo, hi, *step, unit="kg")


def policy(fields: tuple[ir.Field, ...], *rules: ir.Rule, **more: object) -> ir.Policy:
    made = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, rules)
    return replace(made, **more)  # type: ignore[arg-type]


def test_a_policy_does_not_differ_from_itself() -> None:
    one = policy((number("x", 0, 9),), ir.Rule("a", ir.InRanges("x", ((0, 5),)), Effect.ALLOW))
    report = diff(one, one)
    assert not report.changed
    assert not report.is_looser


def test_a_wider_range_of_a_field_is_looser_where_it_is_allowed() -> None:
    rule = ir.Rule("a", ir.TRUE, Effect.ALLOW)
    report = diff(
        policy((number("x", 0, 9),), rule), policy((number("x", 0, 20),), rule), no_looser=True
    )
    assert told(report) == [("deny", "invalid_request", "allow", "a", "looser")]
    assert report.findings[0].severity == "error"
    assert report.findings[0].witness is not None
    assert report.findings[0].witness.request["x"] > 9
    assert report.declarations == ("the declaration of `x` changed",)


@pytest.mark.parametrize("kind", ["diff", "GOV308"])
def test_what_became_looser_can_be_accepted_and_is_still_looser(kind: str) -> None:
    old, new = (
        policy((number("x", 0, 9),), ir.Rule("a", ir.InRanges("x", ((0, hi),)), Effect.ALLOW))
        for hi in (5, 6)
    )
    report = diff(old, new, options=Options(accept_kinds=(kind,)), no_looser=True)
    assert [(f.severity, f.accepted) for f in report.findings] == [
        ("warning", "accepted on the command line")
    ]
    assert report.status == "proved"
    assert report.is_looser


def test_a_finer_step_is_compared_in_the_unit_not_in_steps() -> None:
    old = policy((number("x", 0, 9),), ir.Rule("a", ir.InRanges("x", ((0, 5),)), Effect.ALLOW))
    fine = (number("x", 0, 90, (1, 10)),)
    same = policy(fine, ir.Rule("a", ir.InRanges("x", ((0, 50),)), Effect.ALLOW))
    kinds = told(diff(old, same))
    assert ("allow", "a", "allow", "a", "other") not in kinds
    assert all(before == "deny" and by == "invalid_request" for before, by, *_ in kinds)


def test_members_are_compared_by_name_not_by_position() -> None:
    def enum(*members: str) -> ir.Field:
        return ir.Field("e", ir.Kind.ENUM, 0, len(members) - 1, members=members)

    old = policy((enum("a", "b"),), ir.Rule("r", ir.InRanges("e", ((0, 0),)), Effect.ALLOW))
    new = policy((enum("b", "a"),), ir.Rule("r", ir.InRanges("e", ((1, 1),)), Effect.ALLOW))
    assert told(diff(old, new)) == []


@pytest.mark.parametrize(("before", "after", "direction"), [(5, 0, "looser"), (0, 5, "stricter")])
def test_a_limit_begins_where_the_range_of_its_target_does(
    before: int, after: int, direction: str
) -> None:
    def limited(lo: int) -> ir.Policy:
        limit = ir.Limit("speed", ir.IntConst(lo), ir.IntConst(10))
        rule = ir.Rule("l", ir.InRanges("x", ((0, 3),)), Effect.LIMIT, limits=(limit,))
        more = {"outputs": (number("speed", lo, 20),), "default": ir.Default.ALLOW}
        return policy((number("x", 0, 9),), rule, **more)

    assert told(diff(limited(before), limited(after))) == [("limit", "l", "limit", "l", direction)]


SUGGESTED = {
    "a step": ("number in 0..9 step 0.1", "0.5", "number in 0..9 step 0.5", "2.5", "0.5"),
    "a member": ("one of u, v", "u", "one of v, u", "v", "u"),
    "a label": ("set of u, v", "{u}", "set of v, u", "{v}", "{u}"),
}


@pytest.mark.parametrize("name", SUGGESTED)
def test_what_a_remedy_suggests_is_compared_by_what_it_means(name: str) -> None:
    before, old, after, changed, same = SUGGESTED[name]

    def denied(declared: str, value: str) -> ir.Policy:
        fields = f"input {{ x : {declared}\n b : bool }}\ndefault allow\n"
        return check(f'{fields}rule r when b deny remedy "try" with x = {value}\n').policy

    other = ("deny", "r", "deny", "r", "other")
    assert other in told(diff(denied(before, old), denied(after, changed)))
    assert other not in told(diff(denied(before, old), denied(after, same)))


def test_a_field_that_is_no_longer_private_is_told() -> None:
    fields = number("x", 0, 9), replace(number("x", 0, 9), private=True)
    rule = ir.Rule("a", ir.InRanges("x", ((0, 5),)), Effect.ALLOW)
    report = diff(policy((fields[1],), rule), policy((fields[0],), rule))
    assert report.declarations == ("the declaration of `x` changed",)


def test_limits_of_an_input_and_of_an_output_of_one_name_are_not_compared() -> None:
    body = "default allow\nrule r when b limit v to {}\n"
    old = check("input { v : number in 0..20 step 0.5\n b : bool }\n" + body.format(0)).policy
    field = "input { b : bool }\noutput v : number in 0..20 step 0.1\n"
    report = diff(old, check(field + body.format("2.5")).policy, no_looser=True)
    assert report.is_looser
    assert report.status == "refuted"


HEAD: Final = """combine most_restrictive
default allow
action wipe
action tell { who : text }
input { x : number in 0..9 kg step 0.5 }
rule r when x > 5 kg """


def bodies(old: str, new: str) -> tuple[ir.Policy, ir.Policy]:
    before, after = (
        check(f"{HEAD}{body.replace(' do', ' and do')}\n").policy for body in (old, new)
    )
    return before, after


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("deny", "deny do wipe", "stays: stricter (obligation `wipe` is now given)"),
        ("deny do wipe", "deny", "stays: looser (obligation `wipe` is no longer given)"),
        (
            "deny do wipe for 1 min",
            "deny do wipe for 2 min",
            "stays: stricter (before: do wipe for 1 min, now: do wipe for 2 min)",
        ),
        (
            'deny do tell(who = "ops")',
            'deny do tell(who = "dev")',
            'stays: looser (before: do tell(who = "ops"), now: do tell(who = "dev"))',
        ),
        (
            "throttle retry 1 s",
            "throttle retry 2 min",
            "stays: stricter (before: retry 1 s, now: retry 2 min)",
        ),
        (
            "limit x to 3 kg",
            "limit x to 4.5 kg do wipe",
            (
                "stays: looser (obligation `wipe` is now given;"
                " before: limit x <= 3 kg, now: limit x <= 4.5 kg)"
            ),
        ),
        (
            "limit x to 3 kg",
            "limit x to 2.5 kg..3 kg",
            "stays: stricter (before: limit x <= 3 kg, now: limit x in 2.5..3 kg)",
        ),
        (
            'require human from "a" expires 1 min',
            'require human from "a", "b"',
            (
                'stays: looser (before: require human from "a", now: require human from "a", "b";'
                " before: expires 1 min, now: no expiry)"
            ),
        ),
        (
            "deny",
            'deny remedy "less" with x = 1 kg',
            'stays: other (before: no remedy, now: remedy "less" with x = 1)',
        ),
        (
            'deny because "no"',
            'deny because "never" remedy "less"',
            (
                'stays: other (before: no remedy, now: remedy "less";'
                ' before: reason "no", now: reason "never")'
            ),
        ),
    ],
)
def test_a_change_of_obligations_alone_says_what_was_and_what_is(
    old: str, new: str, said: str
) -> None:
    report = diff(*bodies(old, new))
    assert [f.message.partition("` ")[2] for f in report.findings if " stays" in f.message] == [
        said
    ]


def test_both_outcomes_stand_in_the_finding() -> None:
    (found,) = diff(*bodies('limit x to 3 kg because "heavy"', "limit x to 4.5 kg")).findings
    plain = found.to_json()["detail"]
    assert plain == {
        "direction": "looser",
        "old": {
            "decision": "limit",
            "rule_id": "r",
            "reason": "heavy",
            "obligations": [{"limit": "x", "to": 3}],
        },
        "new": {
            "decision": "limit",
            "rule_id": "r",
            "reason": "",
            "obligations": [{"limit": "x", "to": 4.5}],
        },
    }


def test_an_obligation_that_goes_with_another_effect_is_named_and_a_limit_is_not() -> None:
    report = diff(*bodies("deny do wipe", "limit x to 3 kg"))
    assert [one.message for one in report.findings] == [
        "deny by `r` became limit by `r`: looser (obligation `wipe` is no longer given)"
    ]


def test_another_rule_of_the_same_effect_gives_its_own_reason_and_limit() -> None:
    old, new = bodies('limit x to 3 kg because "heavy"', 'limit x to 3 kg because "heavy"')
    new = replace(new, rules=(replace(new.rules[0], id="s", because="loaded"),))
    assert [one.message for one in diff(old, new).findings] == [
        'limit by `r` became limit by `s`: other (before: reason "heavy", now: reason "loaded")'
    ]


def test_another_reason_alone_is_told_and_is_not_looser() -> None:
    report = diff(*bodies('deny because "no"', 'deny because "never"'), no_looser=True)
    assert report.findings == ()
    assert report.changed
    assert not report.is_looser
    assert report.declarations == ('the reason of `r` changed, before: "no", now: "never"',)
