"""Records have a length: whoever says much is refused, or kept as a hash, and costs nobody else anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from control_life import BUDGET
from control_plane import OPERATOR, Plane, agent, bundle_of

from govlang.runtime.control.office import Office

LONG = 40_000 * "x"
WIDE = 15_900 * "\N{GRINNING FACE}"


@pytest.fixture
def _never_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    def abandon(office: Office) -> None:
        del office
        raise AssertionError("the memory is made anew")

    monkeypatch.setattr(Office, "abandon", abandon)


@pytest.mark.usefixtures("_never_abandoned")
@pytest.mark.parametrize("text", [LONG, WIDE])
def test_a_question_that_is_too_long_for_a_record_is_refused(tmp_path: Path, text: str) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            asked = {"agent": "a1", "topic": text, "amount": 1, "note": "x"}
            answer = await one.service.evaluate(agent("a1"), {"request": asked}, record=True)
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["field"]) == (422, "request")
            assert "evaluated" not in one.events()

    asyncio.run(scenario())


@pytest.mark.usefixtures("_never_abandoned")
@pytest.mark.parametrize("text", [LONG, WIDE])
def test_a_phase_and_an_event_that_are_too_long_are_refused(tmp_path: Path, text: str) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            given = await one.submit("a1", "t", run_id="r")
            assert given.status == 422, "`note` is missing"
            body = {
                "request": {"agent": "a1", "topic": "t", "amount": 1, "note": "x"},
                "payload": None,
                "pool": "p",
                "run_id": "r",
            }
            assert (await one.service.submit(agent("a1"), body, "k")).status == 202
            phase = {"phase": "look", "evidence": {"seen": text}, "justification": "all"}
            assert (await one.service.phase(agent("a1"), "r", phase)).status == 422
            step = {"event": "alarm", "key": {"agent": "a1"}, "fields": {"level": text}}
            assert (await one.service.observe(OPERATOR, step)).status == 422

    asyncio.run(scenario())


@pytest.mark.usefixtures("_never_abandoned")
def test_the_longest_request_of_every_kind_fits_a_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            for n, text in enumerate(("x", "\\", "\t", "\N{GRINNING FACE}")):
                asked = {"agent": "a1", "topic": "", "amount": 1, "note": text * 4000}
                body = {"request": asked, "payload": None, "pool": "p"}
                asked["topic"] = "é" * 100
                answer = await one.service.submit(agent("a1"), body, f"k{n}")
                assert answer.status in (202, 422), answer

    asyncio.run(scenario())
