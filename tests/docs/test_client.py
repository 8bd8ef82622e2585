"""The pages about clients and workers are run as they stand, against a `gov serve` with their policy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import documents
import pytest
from documents import BLOCK, ROOT, broken_links, run_document
from real_gateway import real_gateway

POLICY = next(one["text"] for one in BLOCK.finditer((ROOT / "docs/client.md").read_text("utf-8")))
KINDS = {
    "docs/client.md": ["gov", "console", "python", "python", "python", "python"],
    "docs/worker.md": ["python", "python", "console"],
}


@pytest.mark.parametrize("page", KINDS)
def test_a_page_does_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "gateway"
    place.mkdir()
    (place / "ops.gov").write_text(POLICY)
    gov = Path(sys.executable).parent / "gov"
    words = [gov, "build", "ops.gov", "-o", "dist"]
    subprocess.run(words, cwd=place, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    with real_gateway(place / "dist" / "ops-1.0.0.govb", place / "data") as real:
        told = {"GOV_URL": real.url, "GOV_TOKEN": real.agent, "APPROVER_TOKEN": real.approver}
        for name, value in told.items():
            monkeypatch.setenv(name, value)
            monkeypatch.setitem(documents.ENVIRONMENT, name, value)
        assert run_document(page, tmp_path) == KINDS[page]


@pytest.mark.parametrize("page", KINDS)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    assert broken_links(page) == []
