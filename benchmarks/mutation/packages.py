"""What is mutated, and the tests that may notice."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "mutation"
"""What a run keeps: which tests reach which lines, and what became of each mutant."""

TESTS = (
    "tests/dsl",
    "tests/compiler",
    "tests/verifier",
    "tests/examples",
    "tests/cli",
    "tests/faulty",
    "tests/agreement",
    "tests/test_codes.py",
)

CHECKER = {
    "dsl": "csv_table diagnostics limits source table_rows units",
    "compiler": "arguments check checked comparisons effects fields flow imports lets literals measure "
    "membership overrides refusal resolve testcases texts types values",
}
LOWERING = {
    "compiler": "automata boxes core desugar diagram entries frontend intervals lower nodes numbers plans "
    "residual terms text_classes",
}


def modules(package: str) -> list[Path]:
    """The files of a package, in order; their paths stand below the repository's root."""
    if package == "checker":
        return _listed(CHECKER)
    if package == "lowering":
        return sorted([*_listed(LOWERING), *_below("compiler/ir")])
    if package == "verifier":
        return sorted([*_below("verifier"), *_below("verifier/translation")])
    raise ValueError(f"no package `{package}`")


def _listed(names: dict[str, str]) -> list[Path]:
    return sorted(
        Path(folder, f"{name}.py") for folder, stems in names.items() for name in stems.split()
    )


def _below(folder: str) -> list[Path]:
    return [path.relative_to(ROOT) for path in (ROOT / folder).glob("*.py")]


PACKAGES = ("checker", "lowering", "verifier")
