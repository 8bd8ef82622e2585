"""Every code that the sources use has a page, and every page a use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from govlang.dsl.codes import CODES

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = (
    "dsl",
    "compiler",
    "verifier",
    "runtime",
    "native",
    "src/govlang/cli",
    "src/govlang/client",
)


def used_codes(root: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for path in (root / folder).rglob("*.py"):
            if not path.name.startswith("codes"):
                for code in re.findall(r"GOV\d{3}\b", path.read_text(encoding="utf-8")):
                    found.setdefault(code, set()).add(path.name)
    return found


def test_every_code_has_a_page(root: Path) -> None:
    missing = {code: names for code, names in used_codes(root).items() if code not in CODES}
    assert missing == {}


def test_every_page_belongs_to_a_code_that_is_used(root: Path) -> None:
    assert sorted(set(CODES) - set(used_codes(root))) == []


def test_every_page_says_everything() -> None:
    for code, page in CODES.items():
        assert page.title, code
        assert page.explanation, code
        assert page.example, code
        assert page.way_out, code
        assert not page.title.endswith("."), code
