"""`gov token` asks for no token that is worth nothing, and says which fault is whose."""

from __future__ import annotations


def test_an_approver_of_nothing_is_not_made(gov) -> None:
    ended = gov(
        "token", "create", "--role", "approver", "--agent", "ada", "--url", "http://[::1]:1"
    )
    assert ended.code == 2
    assert "without `--approves ROLE`" in ended.err


def test_a_service_that_cannot_be_reached_is_said_in_words(gov) -> None:
    ended = gov("token", "list", "--url", "http://127.0.0.1:1")
    assert ended.code == 2
    assert ended.err.startswith("error[GOV690]: `http://127.0.0.1:1` cannot be reached: ")
    assert "ConnectError" not in ended.err
