"""The pages about clients and workers are run as they stand, against a gateway that serves their policy."""

from __future__ import annotations

from pathlib import Path

import documents
import pytest
from documents import BLOCK, ROOT, broken_links, run_document
from fake_gateway import FakeGateway
from fake_routes import Routes, serving
from gateway_policy import compiled

from govlang.runtime.policy import Policy

POLICY = next(one["text"] for one in BLOCK.finditer((ROOT / "docs/client.md").read_text("utf-8")))
KINDS = {
    "docs/client.md": ["gov", "console", "python", "python", "python", "python"],
    "docs/worker.md": ["python", "python", "console"],
}


@pytest.mark.parametrize("page", KINDS)
def test_a_page_does_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(Routes(FakeGateway(policy=Policy(compiled(POLICY))))) as url:
        monkeypatch.setenv("GOV_URL", url)
        monkeypatch.setitem(documents.ENVIRONMENT, "GOV_URL", url)
        assert run_document(page, tmp_path) == KINDS[page]


@pytest.mark.parametrize("page", KINDS)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    assert broken_links(page) == []
