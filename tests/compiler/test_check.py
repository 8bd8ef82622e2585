"""Expressions: what is refused, with which code, place and way out."""

from __future__ import annotations

import pytest
from front import FIELDS, check, codes, condition, errors, faults

from govlang.compiler import ir
from govlang.dsl.diagnostics import render

REFUSED = [
    # expression, code, text under the caret, part of the message, part of the help
    ("paylod > 1 kg", "GOV201", "paylod", "there is no field", "did you mean `payload`?"),
    ("zone is urban or rural", "GOV201", "rural", "there is no field", "write `zone is rural`"),
    ("write", "GOV201", "write", "there is no field", "write `labels contains write`"),
    ("decision == deny", "GOV201", "decision", "there is no field", "write `decision is deny`"),
    ("payload > 5 kW", "GOV205", "payload > 5 kW", "a mass (`kg`) against a power", "in `kg`"),
    ("risk > 5 kg", "GOV205", "risk > 5 kg", "a plain number against a mass", "leave `kg` out"),
    ("payload > 5", "GOV206", "5", "has no unit", "write `5 kg`"),
    ("0 < battery", "GOV206", "0", "has no unit", "write `0 %`"),
    ("payload + battery > 1 kg", "GOV205", "payload + battery", "do not fit", "measures the same"),
    ("battery > 50 kgs", "GOV242", "50 kgs", "there is no unit `kgs`", "did you mean `kg`?"),
    ("risk == 0.25", "GOV208", "0.25", "never holds", "`0.2` and `0.3`"),
    ("0.25 != risk", "GOV208", "0.25", "always holds", "`0.2` and `0.3`"),
    ("payload in {1 kg, 0.005 kg}", "GOV208", "0.005 kg", "never holds", "`0 kg` and `0.01 kg`"),
    ("zone == urban", "GOV214", "zone == urban", "is an enumeration", "write `zone is urban`"),
    ("urban != zone", "GOV214", "urban != zone", "is an enumeration", "write `zone is not urban`"),
    ("zone is urbn", "GOV212", "urbn", "none of the members", "did you mean `urban`?"),
    ("zone in {urban, 3}", "GOV204", "3", "a number is no member", "`urban`"),
    ("labels contains any {writ}", "GOV212", "writ", "none of the labels", "`write`?"),
    ("labels is write", "GOV204", "labels is write", "is a set", "`labels contains …`"),
    ("labels == write", "GOV201", "write", "there is no field", ""),
    ("zone in {}", "GOV204", "{}", "nothing is in", "name a member"),
    ("labels", "GOV204", "labels", "is a set, must be a condition", "`labels contains …`"),
    ("zone", "GOV204", "zone", "is an enumeration", "`zone is urban`"),
    ("payload", "GOV204", "payload", "is a number in kg", "`payload > …`"),
    ("topic", "GOV204", "topic", "is a text", '`topic == "…"`'),
    ('"text"', "GOV204", '"text"', "is a text, must be a condition", ""),
    ("ticket == true", "GOV204", "ticket == true", "does not compare", "`ticket` or `not ticket`"),
    ("ticket > 3", "GOV204", "ticket > 3", "does not compare", "`ticket` or `not ticket`"),
    ("topic is main", "GOV204", "topic is main", "which `is` does not test", '`topic == "…"`'),
    ('topic < "a"', "GOV204", 'topic < "a"', "texts have no order", "`like`"),
    ("topic == topic", "GOV204", "topic == topic", "compared with itself", "two different"),
    ('branch == "12345678901"', "GOV215", '"12345678901"', "11 bytes", "`max 11`"),
    ('file == "/etc"', "GOV215", '"/etc"', "no valid path", "an empty segment"),
    ('file == "a/../b"', "GOV215", '"a/../b"', "no valid path", "the segment `..`"),
    ('file in {"a", "b\\\\c"}', "GOV215", '"b\\\\c"', "no valid path", "`/`"),
    ('file like "/etc/**"', "GOV215", '"/etc/**"', "no valid path", "relative"),
    ('file under "src"', "GOV216", '"src"', "ends in `/`", '`under "src/"`'),
    ('topic under "src/"', "GOV216", 'topic under "src/"', "is for paths", "`path`"),
    ('payload like "a"', "GOV204", 'payload like "a"', "a number in kg", "`payload >= …`"),
    ('agent like "a*"', "GOV204", 'agent like "a*"', "for equality only", "`agent in {…}`"),
    ("cost > 3", "GOV213", "cost", "may be absent", "`has cost and …`"),
    ("has payload", "GOV241", "has payload", "is not optional", "declare `payload` optional"),
    ("has cots", "GOV201", "cots", "there is no field `cots`", "`cost`?"),
    ("payload / 0 > 1 kg", "GOV211", "payload / 0", "divides by 0", "another constant"),
    ("payload / cargo > 1", "GOV211", "payload / cargo", "no constant", "multiply"),
    ("decision is deny", "GOV217", "decision is deny", "only `prove`", "rule fires"),
    ("since > 5 min", "GOV204", "since > 5 min", "against a duration", "subtract two times"),
    ("since + until > 5 min", "GOV204", "since + until", "points in time", "subtracted"),
    ("5 min - since > 5 min", "GOV204", "5 min - since", "points in time", "subtracted"),
    ("2 * since > until", "GOV204", "2 * since", "a point in time", "difference"),
    ("-since > until", "GOV204", "-since", "a point in time", "difference"),
    ("pause > 3", "GOV206", "3", "has no unit", "`3 ms`"),
    ("(if ticket then 1 kg else ticket) > 1 kg", "GOV204", "ticket", "must be a number", ""),
    ("if payload then ticket else ticket", "GOV204", "payload", "must be a condition", ""),
    ("ticket and payload", "GOV204", "payload", "must be a condition", ""),
    ("not payload", "GOV204", "payload", "must be a condition", ""),
    ("ticket + 1 > 2", "GOV204", "ticket", "a condition, must be a number", ""),
    (
        "payload * 99999999999999999 kg > 1 kg",
        "GOV210",
        "payload * 99999999999999999 kg",
        "64 bits",
        "",
    ),
    ("approved is atc", "GOV204", "approved is atc", "is a set", "`approved contains …`"),
]


@pytest.mark.parametrize(
    ("text", "code", "caret", "message", "help_"), REFUSED, ids=[r[0] for r in REFUSED]
)
def test_a_fault_has_a_code_a_place_and_a_way_out(
    text: str, code: str, caret: str, message: str, help_: str
) -> None:
    found = faults(text)
    assert [one.code for one in found] == [code], [render(one) for one in found]
    assert found[0].span is not None
    assert found[0].span.text == caret
    assert message in found[0].message
    assert found[0].help
    assert help_ in found[0].help


def test_all_faults_of_an_expression_are_reported_at_once() -> None:
    found = faults("paylod > 1 kg and (zone is urbn or cost > 3) and payload > 5 kW")
    assert [one.code for one in found] == ["GOV201", "GOV212", "GOV205"]


def test_faults_of_all_rules_are_reported_in_the_order_of_the_source() -> None:
    body = FIELDS + "".join(f"rule r{i} when nothing{i} deny\n" for i in range(5))
    found = errors(body)
    assert [one.span.text for one in found if one.span] == [f"nothing{i}" for i in range(5)]


def test_what_is_built_on_a_faulty_declaration_is_not_reported_again() -> None:
    body = "input { a : number in 5..1 }\nlet b = a + 1\nrule r when b > 3 limit a to 4"
    assert codes(body) == ["GOV207"]


def test_a_faulty_declaration_is_still_suggested_and_its_members_are_not_missed() -> None:
    zone = "input { zone : one of urban, urban }\n"
    assert codes(zone + "rule r when zone == urban deny") == ["GOV235"]
    found = errors(zone + "rule r when zonne is urban deny")
    assert [one.help for one in found] == ["remove one", "did you mean `zone`?"]


def test_a_product_of_two_fields_is_noted_and_a_product_with_a_constant_is_not() -> None:
    noted = check(FIELDS + "rule r when payload * cargo > 2 kg * 1 kg deny")
    assert [(w.code, w.severity.value) for w in noted.warnings] == [("GOV230", "note")]
    assert not check(FIELDS + "rule r when payload * 3 > 2 kg deny").warnings


LOWERED = [
    ("battery < 30 %", ir.InRanges("battery", ((0, 299),))),
    ("30 % > battery", ir.InRanges("battery", ((0, 299),))),
    ("battery != 0 %", ir.InRanges("battery", ((1, 1000),))),
    ("battery == 200 %", ir.InRanges("battery", ())),
    ("battery < 200 %", ir.InRanges("battery", ((0, 1000),))),
    ("risk < 0.25", ir.InRanges("risk", ((0, 2),))),
    ("risk >= 0.25", ir.InRanges("risk", ((3, 10),))),
    ("payload > 1000 g", ir.InRanges("payload", ((101, 2500),))),
    ("wait >= 120 s", ir.InRanges("wait", ((2, 60),))),
    ("wait == 0.5 h", ir.InRanges("wait", ((30, 30),))),
    ("wait in {1 min, 120 s, 4 min}", ir.InRanges("wait", ((1, 2), (4, 4)))),
    ("zone is rural", ir.InRanges("zone", ((1, 1),))),
    ("zone is not rural", ir.InRanges("zone", ((0, 0), (2, 2)))),
    ('zone is "rural"', ir.InRanges("zone", ((1, 1),))),
    ("zone in {airport, urban}", ir.InRanges("zone", ((0, 0), (2, 2)))),
    ("ticket", ir.InRanges("ticket", ((1, 1),))),
    ("ticket is true", ir.InRanges("ticket", ((1, 1),))),
    ("ticket is false", ir.InRanges("ticket", ((0, 0),))),
    ("ticket is not true", ir.InRanges("ticket", ((0, 0),))),
    ("not ticket", ir.Not(ir.InRanges("ticket", ((1, 1),)))),
    ("labels contains pii", ir.SetTest("labels", ir.SetOp.ALL, 4)),
    ("labels contains any {write, pii}", ir.SetTest("labels", ir.SetOp.ANY, 5)),
    ("labels contains all {write, pii}", ir.SetTest("labels", ir.SetOp.ALL, 5)),
    ("labels within {write, pii}", ir.SetTest("labels", ir.SetOp.WITHIN, 5)),
    ("labels is empty", ir.SetTest("labels", ir.SetOp.WITHIN, 0)),
    ("labels is not empty", ir.Not(ir.SetTest("labels", ir.SetOp.WITHIN, 0))),
    ('approved contains "a"', ir.SetTest("approved", ir.SetOp.ALL, 1)),
    ("topic == branch", ir.TextEqual("branch", "topic")),
    ("pause > 1.5 s", ir.InRanges("pause", ((1501, 253_402_300_799_999),))),
    ("has cost", ir.Has("cost")),
    (
        "has cost implies cost > 3",
        ir.Or((ir.Not(ir.Has("cost")), ir.InRanges("cost", ((4, 9),)))),
    ),
    (
        "payload + cargo > 3 kg",
        ir.Compare(
            ir.CompareOp.LT,
            ir.IntConst(300),
            ir.Arith(
                ir.ArithOp.ADD,
                ir.FieldValue("payload"),
                ir.Arith(ir.ArithOp.MUL, ir.FieldValue("cargo"), ir.IntConst(50)),
            ),
        ),
    ),
    (
        "payload <= cargo",
        ir.Compare(
            ir.CompareOp.LE,
            ir.FieldValue("payload"),
            ir.Arith(ir.ArithOp.MUL, ir.FieldValue("cargo"), ir.IntConst(50)),
        ),
    ),
    (
        "payload / 3 < 1 kg",
        ir.Compare(ir.CompareOp.LT, ir.FloorDiv(ir.FieldValue("payload"), 3), ir.IntConst(100)),
    ),
    (
        "until - since >= 5 min",
        ir.Compare(
            ir.CompareOp.LE,
            ir.IntConst(300_000),
            ir.Arith(ir.ArithOp.SUB, ir.FieldValue("until"), ir.FieldValue("since")),
        ),
    ),
]


@pytest.mark.parametrize(("text", "wanted"), LOWERED, ids=[text for text, _ in LOWERED])
def test_a_condition_is_lowered_to(text: str, wanted: ir.BoolExpr) -> None:
    assert condition(text) == wanted


def test_abs_is_the_greatest_of_a_number_and_its_negative() -> None:
    x = ir.FieldValue("payload")
    wanted = ir.Arith(ir.ArithOp.GREATEST, x, ir.Arith(ir.ArithOp.SUB, ir.IntConst(0), x))
    found = condition("abs(payload) > 1 kg")
    assert isinstance(found, ir.Compare)
    assert found.right == wanted


def test_an_atom_keeps_its_place() -> None:
    found = condition("ticket and battery < 200 %")
    assert isinstance(found, ir.And)
    spans = [atom.span for atom in ir.atoms(found)]
    assert [span.text for span in spans if span] == ["ticket", "battery < 200 %"]


def test_params_stand_in_conditions_and_let_names_expressions() -> None:
    extra = (
        "param cap : number in 1..5 kg = 1 kg\nparam on : bool = true\n"
        "param mode : one of a, b = b\nlet heavy = payload > cap and on and mode is b"
    )
    found = condition("heavy", extra)
    assert isinstance(found, ir.And)
    assert found.operands[1:] == (
        ir.Compare(ir.CompareOp.EQ, ir.ParamValue("on"), ir.IntConst(1)),
        ir.Compare(ir.CompareOp.EQ, ir.ParamValue("mode"), ir.IntConst(1)),
    )


def test_a_let_reads_where_it_is_used() -> None:
    extra = "let dear = cost > 3"
    assert not faults("has cost and dear", extra)
    found = faults("dear", extra)
    assert [(one.code, one.span.text) for one in found if one.span] == [("GOV213", "dear")]


def test_a_let_may_speak_of_the_decision_in_proofs_only() -> None:
    body = "let stopped = decision is deny\nprove p: stopped or ticket\n"
    assert not errors(FIELDS + body)
    found = errors(FIELDS + body + "rule r when stopped deny")
    assert [(one.code, one.span.text) for one in found if one.span] == [("GOV217", "stopped")]


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("abs(payload, cargo) > 1 kg", "write `abs(a)`"),
        ("least(payload) > 1 kg", "write `least(a, b)`"),
        ("greatest(payload) > 1 kg", "write `greatest(a, b)`"),
    ],
)
def test_a_call_with_another_number_of_arguments_shows_the_right_one(
    text: str, way_out: str
) -> None:
    assert [(one.code, one.help) for one in faults(text)] == [("GOV116", way_out)]


@pytest.mark.parametrize(
    "text",
    [
        "least(since, pause) > 1 h",
        "least(pause, since) > 1 h",
        "(if ticket then pause else since) > 1 h",
        "since > pause",
        "pause > since",
        "pause == until",
    ],
)
def test_a_point_in_time_is_no_duration(text: str) -> None:
    assert [one.code for one in faults(text)] == ["GOV204"]


def test_both_ways_of_a_choice_measure_the_same() -> None:
    assert [one.code for one in faults("(if ticket then payload else battery) > 1 kg")] == [
        "GOV205"
    ]
