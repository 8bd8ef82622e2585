"""The page about the breaker does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import broken_links, run_document

PAGE = "docs/breaker.md"


def test_the_page_about_the_breaker_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_document(PAGE, tmp_path) == ["python"]
    assert broken_links(PAGE) == []
