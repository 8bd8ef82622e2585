"""The cache of verified policies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from govlang.cli import verification


def test_the_reports_that_were_read_last_are_kept(
    gov, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GOV_CACHE_DIR", str(folder))
    monkeypatch.setattr(verification, "KEPT_MAX", 3)
    text = policy.read_text("utf-8")
    names = []
    for number in range(4):
        changed = tmp_path / f"p{number}.gov"
        changed.write_text(f"{text}\n// {number}\n", "utf-8")
        assert gov("verify", changed).code == 0
        (new,) = {path.name for path in folder.iterdir()} - set(names)
        os.utime(folder / new, (number, number))
        names.append(new)
        if number == 2:
            assert gov("verify", tmp_path / "p0.gov").code == 0  # read again, so it stays
    assert {path.name for path in folder.iterdir()} == {names[0], names[2], names[3]}
