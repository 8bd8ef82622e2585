from __future__ import annotations

from govlang.dsl.diagnostics import (
    Diagnostic,
    Diagnostics,
    GovError,
    Note,
    Severity,
    did_you_mean,
    in_order,
    render,
    window,
)
from govlang.dsl.source import Source

SOURCE = Source("p.gov", "one\n\tél two\r\nthree")


def at(start: int, end: int, **more: object) -> Diagnostic:
    span = SOURCE.span(start, end)
    return Diagnostic("GOV110", Severity.ERROR, "wrong", span, **more)  # type: ignore[arg-type]


def test_a_rendering_has_place_line_caret_notes_and_help() -> None:
    shown = render(at(8, 11, help="mend it", notes=(Note("first here", SOURCE.span(0, 3)),)))
    assert shown.splitlines() == [
        "error[GOV110]: wrong",
        " --> p.gov:2:5",
        "  |",
        "2 |  él two",
        "  |     ^^^",
        "  note: first here",
        " --> p.gov:1:1",
        "  |",
        "1 | one",
        "  | ^^^",
        "  help: mend it",
    ]


def test_a_span_over_several_lines_is_marked_on_its_first() -> None:
    assert render(at(8, 18)).splitlines()[-1] == "  |     ^^^"


def test_an_empty_span_at_the_end_has_a_caret() -> None:
    assert render(at(18, 18)).splitlines()[-1] == "  |      ^"


def test_only_the_part_of_a_long_line_around_the_caret_is_shown() -> None:
    source = Source("p.gov", "x" * 5000 + "y" + "z" * 5000)
    lines = render(Diagnostic("GOV110", Severity.ERROR, "m", source.span(5000, 5001))).splitlines()
    assert max(map(len, lines)) < 140
    assert lines[-2][lines[-1].index("^")] == "y"


def test_control_characters_do_not_reach_the_terminal() -> None:
    source = Source("p.gov", "a\x1b[31mb")
    assert "\x1b" not in render(Diagnostic("GOV105", Severity.ERROR, "m", source.span(1, 2)))


def test_errors_are_raised_together_and_in_order() -> None:
    found = Diagnostics()
    found.warning("GOV304", "only a warning")
    found.raise_errors()
    found.error("GOV110", "second", SOURCE.span(8, 9))
    found.error("GOV110", "first", SOURCE.span(0, 1))
    try:
        found.raise_errors()
    except GovError as error:
        raised = [d.message for d in error.diagnostics]
    assert raised == ["only a warning", "first", "second"]
    assert [d.message for d in in_order(found)] == raised


def test_near_words_are_suggested_and_far_ones_not() -> None:
    assert did_you_mean("prodution", ["staging", "production"]) == "did you mean `production`?"
    assert did_you_mean("zzz", ["staging", "production"]) is None


def test_among_very_many_names_one_slip_is_seen_through() -> None:
    names = [f"field_number_{i}" for i in range(1000)]
    for slip in ("field_nubmer_7", "field_number7", "field_nnumber_7", "fielt_number_7"):
        assert did_you_mean(slip, names) == "did you mean `field_number_7`?"
    assert did_you_mean("feild_nubmer_7", names) is None


def test_spans_know_their_place() -> None:
    span = SOURCE.span(8, 18)
    assert (span.line, span.column, span.end_line, span.end_column) == (2, 5, 3, 6)
    assert span.text == "two\r\nthree"
    assert SOURCE.span(0, 1).to(span).text == SOURCE.text[:18]
    assert repr(span) == "p.gov:2:5"
    assert SOURCE.line_text(9) == ""


def test_the_mark_ends_with_what_is_shown_of_a_long_line() -> None:
    line = "".join(chr(97 + at % 26) for at in range(1000))
    assert window(line, 500, 900) == (f"…{line[440:560]}…", 61, 60)
    assert window(line, 500, 7) == (f"…{line[440:560]}…", 61, 7)
    assert window(line, 10, 900) == (f"{line[:120]}…", 10, 110)
    assert window(line, 990, 10) == (f"…{line[930:]}", 61, 10)


def test_a_line_as_long_as_the_window_is_shown_whole() -> None:
    line = "x" * 120
    assert window(line, 100, 20) == (line, 100, 20)
    assert window(line, 100, 0) == (line, 100, 1)
    assert window(line + "y", 100, 21) == (f"…{'x' * 80}y", 61, 21)


def test_the_latest_finding_can_be_replaced() -> None:
    found = Diagnostics()
    for message in ("first", "second", "third"):
        found.error("GOV110", message, SOURCE.span(0, 1))
    found.replace_last(at(0, 1))
    assert [one.message for one in found] == ["first", "second", "wrong"]
    assert found.last() == at(0, 1)
