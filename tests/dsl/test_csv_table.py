from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.dsl import ast
from govlang.dsl.csv_table import read_rows
from govlang.dsl.diagnostics import GovError
from govlang.dsl.parser import parse
from govlang.dsl.source import Source

HEADER = 'language 1\npolicy p version "1"\n'


def table(text: str) -> ast.Table:
    (declaration,) = parse(Source("t.gov", HEADER + text)).declarations
    assert isinstance(declaration, ast.Table)
    return declaration


SPEEDS = table('table t(zone, battery) -> limit speed from "t.csv"')
CHECKS = table('table t(topic, region) -> decision, because from "t.csv"')


def rows(of: ast.Table, csv: str) -> tuple[ast.TableRow, ...]:
    return read_rows(of, Source("t.csv", csv))


def errors(of: ast.Table, csv: str) -> list[str]:
    with pytest.raises(GovError) as caught:
        rows(of, csv)
    return [f"{d.code} {d.span.line}:{d.span.column}" for d in caught.value.diagnostics if d.span]


def test_rows_are_those_of_the_same_table_in_the_policy() -> None:
    here = table(
        "table t(zone, battery) -> limit speed {\n| zone | battery | speed |\n"
        "| urban | >= 50 % | 12 m/s |\n| {a, b} | _ | 1..3 m/s |\n}"
    )
    csv = 'zone,battery,speed\r\nurban,>= 50 %,12 m/s\r\n"{a, b}",,1..3 m/s\r\n'
    assert rows(SPEEDS, csv) == here.rows


def test_reasons_are_plain_text_and_words_with_dots_need_no_quotes() -> None:
    csv = 'topic,region,decision,because\n"like ""infra.*""",us-east-1,deny,"no, ""never"""\n'
    (row,) = rows(CHECKS, csv)
    assert row.cells == (
        ast.CellLike(ast.String("infra.*")),
        ast.CellValue(ast.String("us-east-1")),
    )
    assert row.because == ast.String('no, "never"')


@pytest.mark.parametrize("word", ["limit", "deny", "contains", "like", "require", "throttle"])
def test_a_cell_may_be_a_member_of_any_name(word: str) -> None:
    (row,) = rows(SPEEDS, f"zone,battery,speed\n{word},_,3 m/s\n")
    assert row.cells[0] == ast.CellValue(ast.Name(word))


def test_a_cell_may_hold_a_whole_decision() -> None:
    csv = 'topic,region,decision,because\n_,_,"require human from ""a"", ""b"" expires 5 min",\n'
    (row,) = rows(CHECKS, csv)
    assert row.decision.effect is ast.Effect.REQUIRE_HUMAN
    assert row.because is None


def test_blank_lines_and_a_missing_last_line_end_are_no_rows() -> None:
    assert len(rows(SPEEDS, "zone,battery,speed\n\n,,\nurban,_,3 m/s\n\nrural,_,4 m/s")) == 2


def test_spans_lie_in_the_csv_file() -> None:
    (row,) = rows(SPEEDS, "zone,battery,speed\nurban, >= 50 %,12 m/s\n")
    assert row.cells[1].span.text.strip() == ">= 50 %"
    assert (row.cells[1].span.file, row.cells[1].span.line) == ("t.csv", 2)


@pytest.mark.parametrize(
    ("csv", "wanted"),
    [
        ("zone,speed\nurban,3 m/s\n", ["GOV115 1:1", "GOV114 2:1"]),
        ("zone;battery;speed\n", ["GOV115 1:1", "GOV115 1:1"]),
        ("zone,battery,speed\n", ["GOV115 1:1"]),
        ('zone,battery,speed\nurban,"_,3 m/s\n', ["GOV115 2:7"]),
        ('zone,battery,speed\nur"ban,_,3 m/s\n', ["GOV115 2:1"]),
        ("zone,battery,speed\nurban,>= kg,x y\na,b\n", ["GOV110 2:13", "GOV114 3:1"]),
        ("zone,battery,speed\nurban,_,throttle retry 3 s\n", ["GOV114 2:9"]),
        (",,\n", ["GOV115 1:1"]),
        ("", ["GOV115 1:1"]),
        (" \n\n", ["GOV115 1:1"]),
    ],
)
def test_what_is_wrong_is_reported_at_its_cell(csv: str, wanted: list[str]) -> None:
    assert errors(SPEEDS, csv) == wanted


@given(st.text(st.sampled_from('zonebatryspd,"\n\r;| _>=15%m/'), max_size=60))
def test_any_file_is_read_or_refused(csv: str) -> None:
    for text in (csv, "zone,battery,speed\n" + csv):
        try:
            rows(SPEEDS, text)
        except GovError:
            continue


def test_a_file_of_blanks_before_an_open_quote_is_refused_at_once() -> None:
    assert errors(SPEEDS, " " * 2**20 + '"x') == ["GOV115 1:1"]


def test_a_file_without_headings_is_told_which_to_begin_with() -> None:
    with pytest.raises(GovError) as refused:
        rows(SPEEDS, ",,\n")
    (fault,) = refused.value.diagnostics
    assert fault.help == "begin the file with the line `zone,battery,speed`"


@pytest.mark.parametrize(
    ("csv", "marked"),
    [
        ("zone,battery;speed\nurban,_,3 m/s\n", "zone,battery;speed"),
        ('zone,battery,speed\nurban,"_,3 m/s\n', '"'),
        ('zone,battery,speed\nur"ban,_,3 m/s\n', "u"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_what_is_wrong_with_a_file_is_marked_and_no_more(csv: str, marked: str) -> None:
    with pytest.raises(GovError) as refused:
        rows(SPEEDS, csv)
    (fault, *_) = refused.value.diagnostics
    assert fault.span is not None
    assert fault.span.text == marked
