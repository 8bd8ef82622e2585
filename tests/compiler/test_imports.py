"""Imports and CSV files: taken in where they stand, once, from below the policy's directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from front import FIELDS, HEADER, check, codes, errors

from govlang.compiler.frontend import compile_file, compile_source
from govlang.compiler.imports import DEPTH_MAX, FILES_MAX
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source


def test_declarations_stand_where_the_import_stood() -> None:
    files = {
        "a.gov": "rule from_a deny",
        "d/b.gov": 'import "c.gov"\nrule from_b deny',
        "d/c.gov": "rule from_c allow",
    }
    checked = check('rule first deny\nimport "a.gov"\nimport "d/b.gov"\nrule last deny', files)
    assert [r.id for r in checked.policy.rules] == ["first", "from_a", "from_c", "from_b", "last"]
    assert [source.name for source in checked.sources] == ["p.gov", "a.gov", "d/b.gov", "d/c.gov"]


def test_a_whole_policy_can_be_imported_without_its_header() -> None:
    checked = check(
        'import "a.gov"', {"a.gov": HEADER.replace("policy p", "policy q") + "rule a deny"}
    )
    assert checked.policy.name == "p"
    assert len(checked.policy.rules) == 1


def test_a_file_that_two_import_is_taken_once() -> None:
    files = {"a.gov": 'import "c.gov"', "b.gov": 'import "./c.gov"', "c.gov": "rule c deny"}
    assert len(check('import "a.gov"\nimport "b.gov"', files).policy.rules) == 1


CYCLES = [
    ({"a.gov": 'import "a.gov"'}, "`a.gov` → `a.gov`"),
    (
        {"a.gov": 'import "d/b.gov"', "d/b.gov": 'import "../a.gov"'},
        "`a.gov` → `d/b.gov` → `a.gov`",
    ),
    ({"a.gov": 'import "p.gov"'}, "`p.gov` → `a.gov` → `p.gov`"),
]


@pytest.mark.parametrize(("files", "shown"), CYCLES)
def test_a_cycle_is_named(files: dict[str, str], shown: str) -> None:
    found = errors('import "a.gov"', files)
    assert [(one.code, one.message) for one in found] == [
        ("GOV226", f"a file imports itself: {shown}")
    ]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a.gov", "d/../../a.gov", "..", "a\\\\b.gov", "", "c:a.gov"]
)
def test_a_path_outside_the_directory_is_refused_without_reading_it(path: str) -> None:
    def read(name: str) -> bytes:
        raise AssertionError(name)

    for line in (f'import "{path}"', f'input {{ x : bool }}\ntable t(x) -> decision from "{path}"'):
        with pytest.raises(GovError) as caught:
            compile_source(Source("p.gov", HEADER + line), read)
        assert [one.code for one in caught.value.diagnostics] == ["GOV227"]


def test_faults_of_all_files_are_reported_at_once() -> None:
    files = {"a.gov": "rule a whne x deny", "b.gov": "rule b", "d.gov": b"rule \xff deny"}
    body = 'import "a.gov"\nimport "b.gov"\nimport "c.gov"\nimport "d.gov"'
    found = errors(body, files)
    assert {one.code for one in found} == {"GOV110", "GOV113", "GOV224", "GOV101"}
    assert {one.span.file for one in found if one.span} >= {"a.gov", "b.gov", "p.gov"}


def test_clashes_across_files_show_both_places() -> None:
    files = {"a.gov": "rule same deny\ndefault deny"}
    found = errors('default allow\nimport "a.gov"\nrule same deny', files)
    assert sorted(one.code for one in found) == ["GOV202", "GOV233"]
    places = {
        (one.span.file, note.span.file)
        for one in found
        for note in one.notes
        if one.span and note.span
    }
    assert places == {("p.gov", "a.gov"), ("a.gov", "p.gov")}


def test_a_policy_without_files_at_hand_says_so() -> None:
    with pytest.raises(GovError) as caught:
        compile_source(Source("<text>", HEADER + 'import "a.gov"'))
    assert "has no directory" in caught.value.diagnostics[0].message


def test_files_and_depth_are_limited() -> None:
    wide = "".join(f'import "f{i}.gov"\n' for i in range(FILES_MAX + 5))
    files = {f"f{i}.gov": f"rule r{i} deny" for i in range(FILES_MAX + 5)}
    assert set(codes(wide, files)) == {"GOV228"}
    deep = {f"f{i}.gov": f'import "f{i + 1}.gov"' for i in range(DEPTH_MAX + 5)}
    assert codes('import "f0.gov"', deep) == ["GOV228"]


def test_a_policy_on_disk_reads_what_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "t.csv").write_bytes(b"\xef\xbb\xbfzone,decision\r\nurban,deny\r\n")
    (tmp_path / "fields.gov").write_text(FIELDS)
    body = 'import "fields.gov"\ntable t(zone) -> decision from "rows/t.csv"'
    (tmp_path / "p.gov").write_text(HEADER + body)
    checked = compile_file(tmp_path / "p.gov")
    assert [rule.id for rule in checked.policy.rules] == ["t#1"]


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "GOV224"), (b"\xff", "GOV101"), (b"", "GOV102"), (b"x" * 5_000_000, "GOV103")],
)
def test_a_policy_that_cannot_be_read_is_a_coded_error(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    path = tmp_path / "p.gov"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GovError) as caught:
        compile_file(path)
    assert [one.code for one in caught.value.diagnostics] == [code]


def test_a_directory_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(GovError) as caught:
        compile_file(tmp_path)
    assert caught.value.diagnostics[0].code == "GOV224"


NO_REASON = OSError("the disk is gone")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FileNotFoundError(2, "No such file", "a.gov"), "No such file"),
        (NO_REASON, "the disk is gone"),
        (ValueError("embedded null byte"), "embedded null byte"),
    ],
)
def test_why_a_file_cannot_be_read_is_said(error: Exception, why: str) -> None:
    def read(_: str) -> bytes:
        raise error

    with pytest.raises(GovError) as caught:
        compile_source(Source("p.gov", HEADER + 'import "a.gov"'), read)
    assert [one.message for one in caught.value.diagnostics] == [f"`a.gov` cannot be read: {why}"]


def test_a_faulty_file_of_rows_is_reported_at_its_place() -> None:
    body = FIELDS + 'table t(zone) -> decision from "t.csv"'
    found = errors(body, {"t.csv": 'zone,decision\nurban,deny\n"rural,deny\n'})
    assert [(one.code, one.span.file, one.span.line) for one in found if one.span] == [
        ("GOV115", "t.csv", 3)
    ]
    (undecoded,) = errors(body, {"t.csv": b"\xff"})
    assert (undecoded.code, "`t.csv`" in undecoded.message) == ("GOV101", True)
