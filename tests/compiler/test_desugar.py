"""Tables, tiers and invariants written out as rules."""

from __future__ import annotations

import pytest
from front import FIELDS, check, codes, errors

from govlang.compiler import ir
from govlang.compiler.ir import And, BoolExpr, Has, InRanges, Not, SetTest, TextTest


def table(cells: str, column: str, extra: str = "") -> str:
    return (
        f"{FIELDS}{extra}\ntable t({column}) -> decision {{\n"
        f"| {column} | decision |\n| {cells} | deny |\n}}"
    )


def literal(field: str, *texts: str) -> TextTest:
    kind = ir.PatternKind.LITERAL
    return TextTest(field, tuple(ir.Pattern(kind, text) for text in texts))


CELLS: list[tuple[str, str, BoolExpr]] = [
    ("battery", "_", ir.TRUE),
    ("battery", "50 %", InRanges("battery", ((500, 500),))),
    ("battery", ">= 50 %", InRanges("battery", ((500, 1000),))),
    ("battery", "!= 0 %", InRanges("battery", ((1, 1000),))),
    (
        "battery",
        "10..20 %",
        And((InRanges("battery", ((100, 1000),)), InRanges("battery", ((0, 200),)))),
    ),
    ("battery", "{1 %, 2 %}", InRanges("battery", ((10, 10), (20, 20)))),
    ("battery", "not 50 %", Not(InRanges("battery", ((500, 500),)))),
    (
        "battery",
        ">= 10 % and < 20 %",
        And((InRanges("battery", ((100, 1000),)), InRanges("battery", ((0, 199),)))),
    ),
    ("zone", "urban", InRanges("zone", ((0, 0),))),
    ("zone", '"urban"', InRanges("zone", ((0, 0),))),
    ("zone", "{urban, rural}", InRanges("zone", ((0, 1),))),
    ("zone", "not urban", Not(InRanges("zone", ((0, 0),)))),
    ("ticket", "true", InRanges("ticket", ((1, 1),))),
    ("ticket", "false", InRanges("ticket", ((0, 0),))),
    ("labels", "pii", SetTest("labels", ir.SetOp.ALL, 4)),
    ("labels", "contains any {write, pii}", SetTest("labels", ir.SetOp.ANY, 5)),
    ("labels", "not pii", Not(SetTest("labels", ir.SetOp.ALL, 4))),
    ("topic", '"a.b"', literal("topic", "a.b")),
    ("topic", "ab", literal("topic", "ab")),
    ("topic", '{"a", b}', literal("topic", "a", "b")),
    ("topic", 'like "a.*"', TextTest("topic", (ir.Pattern(ir.PatternKind.GLOB, "a.*"),))),
    ("topic", '!= "a"', Not(literal("topic", "a"))),
    ("file", 'under "src/"', TextTest("file", (ir.Pattern(ir.PatternKind.UNDER, "src/"),))),
    ("cost", "> 3", And((Has("cost"), InRanges("cost", ((4, 9),))))),
    ("cost", "not 3", And((Has("cost"), Not(InRanges("cost", ((3, 3),)))))),
    ("cost", "_", ir.TRUE),
]


@pytest.mark.parametrize(("column", "cell", "wanted"), CELLS, ids=[f"{c} {t}" for c, t, _ in CELLS])
def test_a_cell_is_a_condition_on_its_column(column: str, cell: str, wanted: BoolExpr) -> None:
    assert check(table(cell, column)).policy.rules[0].condition == wanted


FAULTS = [
    ("battery", "50", "GOV206", "50"),
    ("battery", "urban", "GOV204", "urban"),
    ("battery", "20..10 %", "GOV207", "20..10 %"),
    ("battery", "5 kg", "GOV205", "5 kg"),
    ("zone", "urbn", "GOV212", "urbn"),
    ("zone", "== urban", "GOV214", "== urban"),
    ("labels", "{write}", "GOV223", "{write}"),
    ("risk", "0.25", "GOV208", "0.25"),
    ("file", '"/a"', "GOV215", '"/a"'),
]


@pytest.mark.parametrize(("column", "cell", "code", "caret"), FAULTS)
def test_a_cell_that_does_not_fit_its_column_is_refused_at_the_cell(
    column: str, cell: str, code: str, caret: str
) -> None:
    found = errors(table(cell, column))
    assert [(one.code, one.span.text) for one in found if one.span] == [(code, caret)]


def test_a_column_that_is_unknown_or_stands_twice_is_reported_once_at_the_head() -> None:
    rows = "| zon | decision |\n" + "| urban | deny |\n" * 5
    assert codes(f"{FIELDS}table t(zon) -> decision {{\n{rows}}}") == ["GOV201"]
    rows = "| zone | zone | decision |\n| urban | urban | deny |\n"
    assert codes(f"{FIELDS}table t(zone, zone) -> decision {{\n{rows}}}") == ["GOV202"]


def test_rows_are_rules_named_by_their_number_with_the_reason_of_the_table() -> None:
    body = (
        'output speed : number in 0..20 m/s\ntable wind(zone) -> limit speed because "wind" {\n'
        "| zone | speed |\n| urban | 12 m/s |\n| rural | 3..15 m/s |\n| _ | 18 km/h |\n}"
    )
    rules = check(FIELDS + body).policy.rules
    assert [rule.id for rule in rules] == ["wind#1", "wind#2", "wind#3"]
    assert {rule.kind for rule in rules} == {ir.RuleKind.ROW}
    assert {rule.because for rule in rules} == {"wind"}
    assert [rule.limits[0] for rule in rules] == [
        ir.Limit("speed", ir.IntConst(0), ir.IntConst(12)),
        ir.Limit("speed", ir.IntConst(3), ir.IntConst(15)),
        ir.Limit("speed", ir.IntConst(0), ir.IntConst(5)),
    ]


def test_a_let_can_be_a_column() -> None:
    body = (
        "let heavy = payload > 5 kg\nlet twice = payload * 2\n"
        "table t(heavy, twice) -> decision {\n| heavy | twice | decision |\n| true | > 1 kg | deny |\n}"
    )
    assert codes(FIELDS + body) == []


def test_rows_from_a_csv_are_the_rows_of_the_table() -> None:
    csv = 'zone,battery,decision\r\nurban,>= 50 %,allow\r\n,"{1 %, 2 %}",deny\r\n'
    rules = check(
        FIELDS + 'table t(zone, battery) -> decision from "t.csv"', {"t.csv": csv}
    ).policy.rules
    assert [rule.effect for rule in rules] == [ir.Effect.ALLOW, ir.Effect.DENY]
    assert rules[1].condition == InRanges("battery", ((10, 10), (20, 20)))


def test_a_fault_in_a_csv_names_the_file_the_line_and_the_column() -> None:
    csv = "zone,battery,decision\nurban,>= 50 %,allow\nurbn,>= 5 kg,deny\n"
    found = errors(FIELDS + 'table t(zone, battery) -> decision from "d/t.csv"', {"d/t.csv": csv})
    places = [
        (one.code, one.span.file, one.span.line, one.span.column) for one in found if one.span
    ]
    assert places == [("GOV212", "d/t.csv", 3, 1), ("GOV205", "d/t.csv", 3, 6)]


def test_rules_stand_in_order_of_precedence() -> None:
    body = (
        "tiers high, low\nrule outside deny\ntier low { rule b deny rule c allow }\n"
        "invariant i: ticket\ntier high when ticket { rule a when payload > 1 kg deny }"
    )
    rules = check(FIELDS + body).policy.rules
    assert [(rule.id, rule.tier) for rule in rules] == [
        ("i", -1),
        ("a", 0),
        ("b", 1),
        ("c", 1),
        ("outside", 2),
    ]
    assert rules[1].condition == And(
        (InRanges("ticket", ((1, 1),)), InRanges("payload", ((101, 2500),)))
    )


def test_an_invariant_is_a_guard_that_denies_what_breaks_it() -> None:
    rule = check(FIELDS + "invariant calm: payload <= 5 kg").policy.rules[0]
    assert rule.kind is ir.RuleKind.GUARD
    assert rule.effect is ir.Effect.DENY
    assert rule.condition == Not(InRanges("payload", ((0, 500),)))
    assert codes(FIELDS + "invariant calm: decision is deny") == ["GOV217"]


def test_an_unknown_tier_is_refused_with_the_nearest() -> None:
    found = errors("tiers safety\ntier safty { rule a deny }")
    assert [(one.code, one.help) for one in found] == [("GOV218", "did you mean `safety`?")]
    found = errors("tier safety { rule a deny }")
    assert [(one.code, one.help) for one in found] == [("GOV218", "declare it: `tiers safety`")]
