"""A route as data: what it takes, who may call it, what it may answer.

Routing, checks and the OpenAPI document are all made from these, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from govlang.runtime.control.answer import PROBLEMS, Answer
from govlang.runtime.control.tokens import Caller, Role
from govlang.runtime.http.service import Service


class Load(StrEnum):
    """The classes of routes that are limited apart from each other."""

    OPEN = "open"
    SUBMIT = "submit"
    EVALUATE = "evaluate"
    WORK = "work"
    READ = "read"
    OPERATE = "operate"


class Ask(NamedTuple):
    """A request that was read and checked; a tuple, which is made four times as fast as a frozen dataclass."""

    caller: Caller
    path: Mapping[str, str]
    query: dict[str, Any]
    body: dict[str, Any]
    raw: bytes = b""
    key: str = ""


Act = Callable[[Service, Ask], "Answer | Awaitable[Answer]"]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    `problems` are those of the service; those of the checks are added by `codes`.
    `only_operator` names a member of the body that nobody else may give; `waits`: it may take a while, so a client that
    leaves is noticed; `in_thread`: it reads much, beside the event loop.
    """

    method: str
    path: str
    name: str
    does: str
    roles: frozenset[Role]
    load: Load
    act: Act
    status: int
    answer: type[BaseModel] | None
    problems: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    takes_bytes: bool = False
    takes_key: bool = False
    waits: bool = False
    only_operator: str | None = None
    in_thread: bool = False

    @property
    def has_body(self) -> bool:
        """Whether it reads a body."""
        return self.body is not None or self.takes_bytes

    def codes(self) -> tuple[str, ...]:
        """Every problem that it may answer, by status and then as in the table."""
        found = {*self.problems, *OF_HTTP, "internal_error"}
        if self.roles:
            found |= {"unauthenticated", "forbidden", "rate_limited", "invalid_body"}
            found |= {"storage_unavailable", "shutting_down"}
        if "{" in self.path:
            found.add("not_found")
        if self.has_body:
            found |= {"body_timeout", "payload_too_large", "unsupported_media_type"}
        if self.body is not None:
            found.add("malformed_json")
        if self.takes_key:
            found.add("idempotency_key_missing")
        return tuple(sorted(found, key=lambda code: (PROBLEMS[code].status, ORDER[code])))


OF_HTTP: Final = ("malformed_http", "head_timeout", "head_too_large")
"""What is answered before it is known which route is asked."""

ORDER: Final = {code: index for index, code in enumerate(PROBLEMS)}
EVERYBODY: Final = frozenset(Role)
NOBODY: Final[frozenset[Role]] = frozenset()
