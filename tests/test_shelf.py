"""What is on the shelf of a session is made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from shelf import SHELF, kept


def test_what_is_kept_is_made_once_for_each_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHELF, str(tmp_path))
    made: list[bytes] = []

    def make() -> bytes:
        made.append(b"bundle %d" % len(made))
        return made[-1]

    found = [kept("one", make), kept("one", make), kept("another", make)]
    assert found == [b"bundle 0", b"bundle 0", b"bundle 1"]


def test_without_a_session_all_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SHELF)
    made = iter((b"first", b"second"))
    assert [kept("one", lambda: next(made)) for _ in range(2)] == [b"first", b"second"]


def test_what_could_not_be_made_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHELF, str(tmp_path))

    def fail() -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        kept("one", fail)
    assert kept("one", lambda: b"made") == b"made"
