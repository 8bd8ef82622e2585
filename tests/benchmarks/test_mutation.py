from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest
from benchmarks.mutation import page
from benchmarks.mutation.live import Program
from benchmarks.mutation.mutants import mutants, mutated
from benchmarks.mutation.packages import PACKAGES, ROOT, modules
from benchmarks.mutation.run import sample

KINDS = [
    ("x = a < b", ["x = a <= b", "x = a >= b"]),
    ("x = a == b", ["x = a != b"]),
    ("x = a is not b", ["x = a is b"]),
    ("x = a in b", ["x = a not in b"]),
    ("x = a and b", ["x = a or b"]),
    ("x = a + b", ["x = a - b"]),
    ("x = not a", ["x = a"]),
    ("x = -a", ["x = a"]),
    ("x = True", ["x = False"]),
    ("x = 7", ["x = 8", "x = 6"]),
    ("x = a if b else c", ["x = a if not b else c"]),
    ("x = [a for a in b if c(a)]", ["x = [a for a in b if not c(a)]"]),
    ("call(a)", ["pass"]),
    ("raise Bad(a)", ["pass"]),
    ("if a:\n    b = c", ["if not a:\n    b = c"]),
    ("for a in b:\n    c = a", ["for a in ():\n    c = a"]),
    ("while a:\n    break", ["while not a:\n    break", "while a:\n    continue"]),
    ("def f(a: int = 0):\n    return a", ["def f(a: int=1):", "def f(a: int=-1):"]),
    ("match a:\n    case 1:\n        b = c", ["case 2:", "case 0:"]),
]
LEFT_ALONE = [
    '"""A text."""',
    "import a",
    "x: a | b",
    "X = A | B",
    "assert a < b",
    "assert_never(a)",
    'raise AssertionError("never")',
    "@frozen(slots=True)\nclass A:\n    b: int",
    "x = zip(a, b, strict=True)",
    "if TYPE_CHECKING:\n    import a",
    'if __name__ == "__main__":\n    main()',
]


def changes(folder: Path, source: str) -> list[str]:
    """Every mutant of a source, as text."""
    (folder / "a.py").write_text(source)
    found = mutants(folder, Path("a.py"))
    return [ast.unparse(mutated(folder, mutant)[0]) for mutant in found]


@pytest.mark.parametrize(("source", "expected"), KINDS, ids=[source for source, _ in KINDS])
def test_each_kind_of_change_is_made(tmp_path: Path, source: str, expected: list[str]) -> None:
    found = changes(tmp_path, source)
    assert len(found) == len(expected)
    for text, part in zip(found, expected, strict=True):
        assert part in text


@pytest.mark.parametrize("source", LEFT_ALONE)
def test_what_no_test_could_tell_is_left_alone(tmp_path: Path, source: str) -> None:
    assert changes(tmp_path, source) == []


def test_a_mutant_differs_in_the_head_of_its_statement(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "def f(a):\n    for b in a:\n        if b > 1:\n            g(b)\n"
    )
    told = [mutated(tmp_path, mutant)[1:] for mutant in mutants(tmp_path, Path("a.py"))]
    assert ("for b in a:", "for b in ():") in told
    assert ("if b > 1:", "if b >= 1:") in told
    assert ("g(b)", "pass") in told


@pytest.mark.parametrize("package", PACKAGES)
def test_a_sample_is_the_same_for_the_same_seed_and_grows(package: str) -> None:
    small = sample(package, 1, 40)
    assert sample(package, 1, 60)[:40] == small
    assert sample(package, 2, 40) != small


def test_no_module_belongs_to_two_packages() -> None:
    found = [path for package in PACKAGES for path in modules(package)]
    assert len(found) == len(set(found))
    assert all((ROOT / path).is_file() for path in found)


def test_a_mutant_reaches_those_who_imported_the_function(tmp_path: Path) -> None:
    file = tmp_path / "counted.py"
    file.write_text(
        "from functools import lru_cache\n\n@lru_cache\ndef more(a):\n    return a + 1\n"
    )
    spec = importlib.util.spec_from_file_location("counted", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    imported = module.more
    program = Program(tmp_path)
    tree, before, after = mutated(tmp_path, mutants(tmp_path, Path("counted.py"))[0])
    assert (before, after) == ("return a + 1", "return a - 1")
    swaps = program.swaps(file, tree)
    assert swaps is not None
    program.put(swaps)
    assert imported(5) == 4


def test_a_function_that_is_not_there_is_not_swapped(tmp_path: Path) -> None:
    assert Program(tmp_path).swaps(tmp_path / "absent.py", ast.parse("a = 1")) is None


def fate(kind: str, after: str) -> dict[str, object]:
    return {
        "path": "a.py",
        "number": 1,
        "where": "f",
        "before": "a < b",
        "after": after,
        "fate": kind,
    }


def test_equivalent_mutants_leave_the_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reasons = tmp_path / "equivalent.toml"
    reasons.write_text(
        '[[mutant]]\npath = "a.py"\nwhere = "f"\nbefore = "a < b"\nafter = "a <= b"\nreason = "never equal"\n'
    )
    monkeypatch.setattr(page, "EQUIVALENT", reasons)
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    found = {
        "1": fate("killed", "a > b"),
        "2": fate("timed out", "a >= b"),
        "3": fate("survived", "a != b"),
        "4": fate("survived", "a <= b"),
        "5": fate("not reached", "a == b"),
    }
    page.write({"checker": found}, {"checker": 9}, 1)
    text = (tmp_path / "page.md").read_text()
    assert "| checker | 9 | 5 | 1 | 1 | 1 | 1 | 1 | 50.0 % | missed |" in text
    assert "`a < b` → `a <= b`: never equal" in text
