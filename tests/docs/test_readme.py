"""The README and the pages about the command and its files do what they say (see `documents.py`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import broken_links, port, run_document
from tools import tool

PAGES = ("README.md", "docs/commands.md", "docs/evidence.md", "docs/formats.md", "docs/python.md")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_does_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "README.md":
        tool("gcc")
        tool("curl")
    monkeypatch.chdir(tmp_path)
    with port(tmp_path):
        kinds = run_document(name, tmp_path)
    assert kinds.count("console") >= (1 if name == "docs/python.md" else 2)
    assert ("python" in kinds) == (name not in {"docs/commands.md", "docs/evidence.md"})


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_to_a_file(name: str) -> None:
    assert broken_links(name) == []
