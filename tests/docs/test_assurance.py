"""The page about assurance does what it says; the files that it names exist, its counts are so."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from documents import ROOT, broken_links, run_document
from tools import tool

PAGE: Final = "docs/assurance.md"
TEXT: Final = (ROOT / PAGE).read_text("utf-8")
NAMED: Final = re.findall(r"`((?:[\w*-]+/)+[\w*-]+\.\w+)`", TEXT)
"""Files, and patterns of files, that the page names."""
ROW: Final = re.compile(r"^\| [^|]+ \| ([^|]*`[^|]*) \| ([\d ]+) \| [^|]+ \|$", re.MULTILINE)
STALE: Final = 0.05
"""How far a count of lines may be from the truth."""
SAMPLES: Final = {
    "tests/agreement/test_agreement.py": ("BATCHES", "POLICIES", "REQUESTS"),
    "tests/agreement/test_solver_agreement.py": ("BATCHES", "POLICIES", "REQUESTS"),
    "tests/edge/test_agreement.py": ("POLICIES", "REQUESTS"),
    "tests/verifier/translation/test_c_types.py": ("EXPRESSIONS", "ROWS"),
}
"""The constants whose product is what a row of the page says: so many policies × so many requests."""


def test_the_page_about_assurance_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gcc", "wasm-validate"):
        tool(name)
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "stateless" / "drone_fleet.gov", tmp_path)
    kinds = run_document(PAGE, tmp_path)
    assert {kind: kinds.count(kind) for kind in kinds} == {"console": 5, "python": 3}


def test_every_file_that_the_page_names_exists() -> None:
    assert len(NAMED) > 50
    assert [name for name in NAMED if not any(ROOT.glob(name))] == []
    assert broken_links(PAGE) == []


# --- the trusted base ----------------------------------------------------------------------------


def imported(path: Path) -> Iterator[Path]:
    """The files of the project that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = str(node.module)
        for name in (module, *(f"{module}.{alias.name}" for alias in node.names)):
            base = ROOT.joinpath(*name.split(".")[1:])
            found = (base.with_suffix(".py"), base / "__init__.py")
            yield from (p for p in found if name.startswith("govlang.") and p.is_file())


def reached(start: Path) -> set[Path]:
    """A file and all that it imports, and all that those import."""
    seen = {start}
    waiting = [start]
    for path in waiting:
        new = set(imported(path)) - seen
        seen |= new
        waiting += new
    return seen


def files_of(cell: str) -> set[Path]:
    """The files that a cell of the table names."""
    found = {path for name in re.findall(r"`([^`]+)`", cell) for path in ROOT.glob(name)}
    if "all that it imports" in cell:
        (start,) = found
        return reached(start)
    return found


def test_the_lines_of_the_trusted_base_are_counted() -> None:
    counted: set[Path] = set()
    wrong = []
    rows = ROW.findall(TEXT)
    assert len(rows) >= 10
    for cell, told in rows:
        files = files_of(cell) - counted
        counted |= files
        lines = sum(len(path.read_text("utf-8").splitlines()) for path in files)
        if abs(int(told.replace(" ", "")) - lines) > STALE * lines:
            wrong.append(f"{cell}: {lines} lines, not {told}")
    assert wrong == []


def test_no_file_that_proves_is_left_out_of_the_trusted_base() -> None:
    counted = set().union(*(files_of(cell) for cell, _ in ROW.findall(TEXT)))
    starts = ("verifier/report.py", "verifier/diff.py", "verifier/translation/table.py")
    proving = [ROOT / name for name in (*starts, "verifier/translation/machine_proof.py")]
    assert [path for start in proving for path in reached(start) - counted] == []


def test_the_samples_of_the_tests_are_as_large_as_the_page_says() -> None:
    for name, constants in SAMPLES.items():
        (row,) = (line for line in TEXT.splitlines() if f"`{name}`" in line)
        (told,) = re.findall(r"([\d ]+) (?:policies|expressions) × (\d+)", row)
        first, second = (int(number.replace(" ", "")) for number in told)
        found = 1
        for constant in constants:
            found *= constant_of(ROOT / name, constant)
        assert found == first * second, name


def constant_of(path: Path, name: str) -> int:
    """The value of a number at the top of a module."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            names = [target] if isinstance(target, ast.Name) else getattr(target, "elts", [])
            values = [value] if isinstance(target, ast.Name) else getattr(value, "elts", [])
            for one, held in zip(names, values, strict=True):
                if one.id == name:
                    return int(ast.literal_eval(held))
    raise AssertionError(f"{path} has no constant {name}")
