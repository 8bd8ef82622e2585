"""The real service against its own document: schemathesis makes requests, alone and one after another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
import schemathesis
from attack_client import Door
from control_plane import EFFECTS, Plane, bundle_of, folder
from http_samples import OPEN
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from govlang.runtime.http.openapi import document
from govlang.runtime.http.routes import ROUTES

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

T = TypeVar("T")
SPECIAL = {
    "publish",  # random bytes are no bundle
    "proof",  # of four parameters two belong together
    "submit",  # the policy says which fields there are: 422 is no fault of the document
    "evaluate",
    "event",
    "signal",
    "retry",  # of what there is not
    "checkpoint",
}
"""Operations where a document cannot say all that good data are."""


class Kept:
    """A service in a loop of its own thread, for callers that have none."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def wait(self, work: Awaitable[T]) -> T:
        async def whole() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(whole(), self.loop).result(60)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The application, in the service's loop, whatever loop asks."""
        asking = asyncio.get_running_loop()

        async def there(scope: Any) -> None:
            async def heard() -> Any:
                return await asyncio.wrap_future(
                    asyncio.run_coroutine_threadsafe(receive(), asking)
                )

            async def said(message: Any) -> None:
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(send(message), asking))

            await self.door.app(scope, heard, said)

        if scope["type"] == "http":
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(scope), self.loop))

    @contextmanager
    def open(self) -> Iterator[Door]:
        """The service, with a token of every role."""
        with folder() as place:
            limits = {"rate_per_s": 1_000_000, "rate_burst": 1_000_000}
            plane = Plane(place, bundle_of(EFFECTS), limits)
            self.wait(plane.__aenter__())
            self.door = Door(plane, **limits)
            roles = ("agent", "approver", "worker", "auditor", "operator")
            self.wait(self.door.token("every", *roles, agent="a1"))
            try:
                yield self.door
            finally:
                self.wait(plane.__aexit__())
                self.loop.call_soon_threadsafe(self.loop.stop)
                self.thread.join()
                self.loop.close()


KEPT = Kept()
SCHEMA = schemathesis.openapi.from_dict(document((*ROUTES, *OPEN)))
SCHEMA.app = KEPT.app


@pytest.fixture(scope="module", autouse=True)
def door() -> Iterator[Door]:
    with KEPT.open() as opened:
        yield opened


def signed(case: schemathesis.Case, door: Door) -> dict[str, str]:
    """The token of every role, as what the caller gives (so that it is tried without it, too).

    It stands in the case as well, which else is judged by the header that was made, invalid on purpose and replaced.
    """
    headers = {"Authorization": "Bearer " + door.tokens["every"]}
    case.headers.update(headers)
    return headers


def keeps_to_its_document(case: schemathesis.Case, door: Door) -> None:
    name = case.operation.definition.raw["operationId"]
    if name == "lease" and isinstance(case.body, dict):
        wait_s = case.body.get("wait_s")
        if isinstance(wait_s, float | int) and 0.01 < wait_s <= 30:
            case.body["wait_s"] = 0.01  # as good, and nobody waits
    excluded = [positive_data_acceptance] if name in SPECIAL else []
    case.call_and_validate(headers=signed(case, door), excluded_checks=excluded)


@SCHEMA.exclude(
    operation_id="explain"
).parametrize()  # each of its answers takes a process and seconds
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_service_keeps_to_its_document(case: schemathesis.Case, door: Door) -> None:
    keeps_to_its_document(case, door)


@pytest.mark.long
@SCHEMA.parametrize()
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_service_keeps_to_its_document_at_length(case: schemathesis.Case, door: Door) -> None:
    keeps_to_its_document(case, door)


@pytest.mark.long
def test_what_one_answer_names_the_next_request_may_use(door: Door) -> None:
    """Sequences along the links that schemathesis finds in the document: a job and its lease, an approval, a token."""

    class Workflow(SCHEMA.as_state_machine()):  # type: ignore[misc]  # made by schemathesis
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": signed(case, door)}

        def validate_response(self, response: Any, case: schemathesis.Case, **_: Any) -> None:
            case.validate_response(response, excluded_checks=[positive_data_acceptance])

    Workflow.run(
        settings=settings(
            max_examples=100,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
    )
