"""Each code that the sources name has a page, and no page is empty."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from govlang.dsl.codes import CODES, Page

FOLDERS = ("dsl", "compiler", "verifier", "runtime", "native", "src/govlang/cli")
CODE = re.compile(r"\bGOV[1-7]\d\d\b")


def used(root: Path) -> dict[str, set[str]]:
    """Code to the files that name it."""
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            for code in CODE.findall(path.read_text("utf-8")):
                found.setdefault(code, set()).add(str(path.relative_to(root)))
    return found


def test_every_code_in_the_sources_has_a_page(root: Path) -> None:
    assert {code: files for code, files in used(root).items() if code not in CODES} == {}


@pytest.mark.parametrize(("code", "page"), CODES.items())
def test_every_page_says_what_is_wrong_and_how_to_mend_it(code: str, page: Page) -> None:
    assert CODE.fullmatch(code)
    assert all((page.title, page.explanation, page.example, page.way_out))
    assert not (page.title[0].isupper() and page.title[1:2].islower())
    assert not page.title.endswith(".")
    assert page.explanation.endswith((".", "."))
    assert page.way_out.endswith((".", "`"))
