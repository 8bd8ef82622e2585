"""The page about boards is run as it stands, in a folder with what `gov build` writes beside a policy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from benchmarks.board.policy import edge_policy
from documents import broken_links, run_document
from tools import tool

from govlang.compiler.frontend import compile_file

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/boards.md"


@pytest.mark.edge
def test_the_page_about_boards_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("arm-none-eabi-gcc")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "stateless" / "drone_fleet.gov", tmp_path)
    header, text = edge_policy(compile_file(tmp_path / "drone_fleet.gov").policy).c_files()
    (tmp_path / "drone_fleet.h").write_text(header, "utf-8")
    (tmp_path / "drone_fleet.c").write_text(text, "utf-8")
    kinds = run_document(PAGE, tmp_path)
    assert {kind: kinds.count(kind) for kind in kinds} == {"console": 2, "python": 1}


def test_every_link_of_the_page_leads_to_a_file() -> None:
    assert broken_links(PAGE) == []
