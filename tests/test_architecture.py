"""The arrows of ARCHITECTURE.md, read from the imports themselves."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS = ("dsl", "compiler", "verifier", "native", "runtime")
ALLOWED = {
    "dsl": {"dsl"},
    "native": {"native"},
    "compiler": {"dsl", "native", "compiler"},
    "verifier": {"dsl", "native", "compiler", "verifier"},
    "runtime": {"native", "runtime"},
}
HEAVY = {
    "z3": {"verifier"},
    "cvc5": {"verifier"},
    "pycparser": {"verifier"},
    "lark": {"dsl"},
    "networkx": {"cli", "compiler"},
}


def sources(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*.py")) if "__pycache__" not in p.parts)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrow"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", PARTS)
def test_a_stage_imports_only_the_stages_before_it(root: Path, part: str) -> None:
    for path in sources(root / part):
        for name in imported(path):
            match = re.match(r"govlang\.(\w+)", name)
            if match and match.group(1) in (*PARTS, "cli"):
                assert match.group(1) in ALLOWED[part], f"{path} imports {name}"


def test_a_client_needs_httpx_and_nothing_of_the_service(root: Path) -> None:
    ours = re.compile(r"govlang\.(client|native)\b")
    for path in sources(root / "src/govlang/client"):
        for name in imported(path):
            assert not name.startswith("govlang.") or ours.match(name), f"{path} imports {name}"
            assert name.split(".")[0] not in {"starlette", "uvicorn", "structlog", "pydantic"}


def test_only_the_worker_is_a_client(root: Path) -> None:
    for path in sources(root / "runtime"):
        for name in imported(path):
            if path.parent != root / "runtime/worker":
                assert not name.startswith("govlang.client"), f"{path} imports {name}"


def test_nothing_imports_a_folder_by_its_bare_name(root: Path) -> None:
    for part in (*PARTS, "src"):
        for path in sources(root / part):
            for name in imported(path):
                assert name.split(".")[0] not in PARTS, f"{path} imports {name}"


@pytest.mark.parametrize(("library", "homes"), HEAVY.items())
def test_a_heavy_library_has_one_home(root: Path, library: str, homes: set[str]) -> None:
    folders = {**{p: root / p for p in PARTS}, "cli": root / "src/govlang/cli"}
    for part, folder in folders.items():
        for path in sources(folder):
            if part not in homes:
                assert library not in {n.split(".")[0] for n in imported(path)}, str(path)


MEANING = {"", "ir", "interpret", "obligations", "requests", "step", "text_match"}
"""What a validator may take from the compiler: the rules and what they mean, nothing that is printed from."""


def module_of(root: Path, name: str) -> Path | None:
    """The file of a module of the project."""
    base = root.joinpath(*name.split(".")[1:])
    found = (base.with_suffix(".py"), base / "__init__.py")
    return next((p for p in found if name.startswith("govlang.") and p.is_file()), None)


def test_the_translation_validators_reach_no_emitter(root: Path) -> None:
    waiting = list(sources(root / "verifier/translation"))
    seen = set(waiting)
    for path in waiting:
        for name in imported(path):
            match = re.match(r"govlang\.compiler\.?(\w*)", name)
            assert not match or match.group(1) in MEANING, f"{path} imports {name}"
            module = module_of(root, name)
            if module is not None and module not in seen:
                seen.add(module)
                waiting.append(module)
    assert root / "compiler/interpret.py" in seen


def test_the_package_is_made_of_relative_links(root: Path) -> None:
    for part in PARTS:
        link = root / "src/govlang" / part
        assert link.is_symlink()
        assert str(link.readlink()) == f"../../{part}"
