from __future__ import annotations

from benchmarks.measure import Row
from benchmarks.report import page
from benchmarks.targets import ALL_STAGES, DICT, STRUCT, verdicts

MET = (
    Row("drone_check", 8, "govlang", f"{STRUCT}, gcc -O2", 15.0, "ns"),
    Row("drone_check", 8, "C by hand", "branchy, struct in, gcc -O2", 10.0, "ns"),
    Row("drone_check", 8, "govlang", DICT, 380.0, "ns"),
)


def test_a_figure_below_its_limit_is_met() -> None:
    found = {verdict.what: verdict for verdict in verdicts(MET)}
    assert found["C table, struct in, 8 rules"].met is True
    assert found["the same beside branchy C"].measured == "1.50×"


def test_a_figure_above_its_limit_is_missed_and_says_by_how_much() -> None:
    rows = [Row("cells", 10_000, "govlang", DICT, 1_200.0, "ns")]
    found = {verdict.what: verdict for verdict in verdicts(rows)}
    verdict = found["Python, dict in, 10 000 rules"]
    assert verdict.met is False
    assert "missed by 1.50×" in verdict.measured


def test_a_figure_that_was_not_taken_is_not_met() -> None:
    assert {verdict.met for verdict in verdicts([])} == {None}


def test_growth_by_the_square_is_a_miss() -> None:
    rows = [
        Row("cells", 3_000, "govlang", ALL_STAGES, 1.0, "s"),
        Row("cells", 10_000, "govlang", ALL_STAGES, 100 / 9, "s"),
    ]
    found = {verdict.what: verdict for verdict in verdicts(rows)}
    growth = found["exponent of the time from 3 000 to 10 000 rules (cells); 2 is quadratic"]
    assert growth.measured == "2.00"
    assert growth.met is False


def test_the_page_shows_every_row_and_the_machine() -> None:
    text = page({"processor": "a processor"}, list(MET))
    assert "| processor | a processor |" in text
    for row in MET:
        assert row.form in text
