"""The runbook and the page about the control plane do what they say; their tables are those of the program."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT, broken_links, port, run_document
from tools import tool

from govlang.dsl.codes import CODES
from govlang.runtime.control.settings import Settings, variable
from govlang.runtime.http.metrics import Metrics

PAGES = ("docs/operations.md", "docs/control-plane.md")
RUNBOOK = (ROOT / PAGES[0]).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("curl")
    monkeypatch.chdir(tmp_path)
    with port(tmp_path):
        assert run_document(page, tmp_path).count("console") >= 4


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    assert broken_links(page) == []


def shown(value: Any) -> str:
    match value:
        case None | ():
            return ""
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def test_the_settings_of_the_runbook_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|(.*?)\| (.*?) \|.*\|$", RUNBOOK, re.MULTILINE)
    told = {name: (default.strip(), must) for name, default, must in rows}
    assert told == {
        variable(name): (shown(one.default), one.description)
        for name, one in Settings.model_fields.items()
    }


def test_the_metrics_of_the_runbook_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (`gov_.*?) \|", RUNBOOK, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told == {one.name for one in Metrics()._registry.collect()}


def test_every_refusal_of_a_start_has_a_way_back() -> None:
    told = set(re.findall(r"^\| (GOV6\d\d) \|", RUNBOOK, re.MULTILINE))
    assert told >= {f"GOV{number}" for number in range(620, 629)}
    assert told <= CODES.keys()
