"""What a guarded function returns is there when the guard ends: no body runs after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gateway_policy import ops_policy

from govlang.client import guarded
from govlang.native.errors import CodedError

FIXED = {"agent": "a1", "environment": "staging"}


def later(kind: str, ran: list[str]) -> Any:
    """What has a body that runs only when somebody waits for it or asks for its next value."""

    async def coroutine() -> None:
        ran.append("ran")

    def generator() -> Any:
        ran.append("ran")
        yield 1

    async def several() -> Any:
        ran.append("ran")
        yield 1

    class Awaitable:
        def __await__(self) -> Any:
            ran.append("ran")
            yield

    made = {"coroutine": coroutine, "generator": generator, "async": several, "other": Awaitable}
    return made[kind]()


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", ["coroutine", "generator", "async", "other"])
def test_a_body_that_would_run_after_the_guard_has_ended_does_not_run(
    kind: str, *, is_async: bool
) -> None:
    ran: list[str] = []
    policy = ops_policy()

    @guarded("infra.read", policy=policy, fixed=FIXED | {"size": 1})
    def plain() -> Any:
        return later(kind, ran)

    @guarded("infra.read", policy=policy, fixed=FIXED | {"size": 1})
    async def asynchronous() -> Any:
        return later(kind, ran)

    with pytest.raises(CodedError, match="GOV684") as refused:
        asyncio.run(asynchronous()) if is_async else plain()
    assert "after the guard has ended" in refused.value.message
    assert ran == []


def test_a_task_that_a_guarded_function_begins_is_cancelled() -> None:
    ran: list[str] = []

    async def scenario() -> None:
        @guarded("infra.read", policy=ops_policy(), fixed=FIXED | {"size": 1})
        def begins() -> Any:
            return asyncio.ensure_future(later("coroutine", ran))

        with pytest.raises(CodedError, match="GOV684"):
            begins()
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert ran == []
