"""A refusal on its way out: raised where the fault is seen, sent where the request began."""

from __future__ import annotations

from typing import Unpack

from govlang.runtime.control.answer import Answer, Members, problem


class RefusedError(Exception):
    """The request is refused; `answer` says with what."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


def refused(code: str, detail: str, **members: Unpack[Members]) -> RefusedError:
    """The exception of a problem; raise it."""
    return RefusedError(problem(code, detail, **members))
