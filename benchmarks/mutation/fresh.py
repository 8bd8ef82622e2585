"""A plugin of pytest that imports one module mutated: `GOVLANG_MUTANT` is `path#number`."""

from __future__ import annotations

import os
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

import pytest

from benchmarks.mutation.mutants import Mutant, mutated
from benchmarks.mutation.packages import ROOT
from benchmarks.mutation.profile import no_shrinking

MUTANT = os.environ.get("GOVLANG_MUTANT", "")
_PATH, _, _NUMBER = MUTANT.partition("#")
_usual = SourceFileLoader.get_code


def _get_code(loader: SourceFileLoader, name: str) -> CodeType | None:
    """The code of a module; of the mutated one it is neither read from a cache nor kept in one."""
    if not MUTANT or Path(loader.path).resolve() != ROOT / _PATH:
        return _usual(loader, name)
    tree, _, _ = mutated(ROOT, Mutant(_PATH, int(_NUMBER), 0, 0, "", at_import=True))
    return compile(tree, loader.path, "exec")


SourceFileLoader.get_code = _get_code  # type: ignore[method-assign]


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Before a test is imported: its settings hold what the profile says then."""
    no_shrinking()
