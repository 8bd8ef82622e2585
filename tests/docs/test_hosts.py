"""The page about hosts does what it says, in all four of them."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import browser
from documents import ROOT, broken_links, run_document
from tools import tool

PAGE = "docs/hosts.md"
EXAMPLES = "examples/edge/README.md"


class Silent(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's word
        pass


def test_the_page_about_hosts_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "gcc"):
        tool(name)
    monkeypatch.chdir(tmp_path)
    kinds = run_document(PAGE, tmp_path)
    assert {"console", "python", "js", "html", "c"} <= set(kinds)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path))) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{serving.server_port}"
            assert_page(f"{address}/page.html", tmp_path)
            assert_page_over_time(f"{address}/mail.html", tmp_path)
        finally:
            serving.shutdown()
            thread.join()


def assert_page(address: str, place: Path) -> None:
    told = "document.getElementById('told')?.textContent"
    moved = "(() => { const one = document.getElementById('level'); one.value = %d; "
    moved += "one.dispatchEvent(new Event('input')); return document.getElementById('told').textContent; })()"
    with browser(place / "profile") as opened:
        opened.open(address, f"{told} === 'allow by default'")
        assert opened.value(moved % 80) == "limit by slow"
        assert opened.value(moved % 95) == "deny by full"
        assert [fault for fault in opened.faults if "favicon" not in fault] == []


def assert_page_over_time(address: str, place: Path) -> None:
    """What was sent counts, behind a reload too."""
    told = "document.getElementById('told')?.textContent"
    sent = "(() => { document.getElementById('send').click(); return document.getElementById('told').textContent; })()"
    with browser(place / "profile") as opened:
        opened.open(address, f"{told} === 'ready'")
        assert opened.value(sent) == "allow by default"
        opened.open(address, f"{told} === 'ready again'")
        assert opened.value(sent) == "allow by default"
        opened.open(address, f"{told} === 'ready again'")
        assert opened.value(sent) == "throttle by often"
        assert [fault for fault in opened.faults if "favicon" not in fault] == []


def test_the_page_about_the_examples_at_the_edge_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("gcc")
    examples = ROOT / "examples"
    shutil.copytree(examples / "edge", tmp_path / "edge")
    (tmp_path / "stateless").mkdir()
    shutil.copy(examples / "stateless" / "drone_fleet.gov", tmp_path / "stateless")
    monkeypatch.chdir(tmp_path / "edge")
    assert run_document(EXAMPLES, tmp_path / "edge") == ["console"]


@pytest.mark.parametrize("page", [PAGE, EXAMPLES])
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    assert broken_links(page) == []
