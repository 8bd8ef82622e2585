"""The judge: deadlines of keys, one each, however many samples there were."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from control_life import BUDGET
from control_plane import OPERATOR, Plane, bundle_of

from govlang.runtime.control.reconciler import reconcile


async def alarm(one: Plane, agent: str) -> int:
    step = {"event": "alarm", "key": {"agent": agent}, "fields": {"level": 3}}
    return (await one.service.observe(OPERATOR, step)).status


def test_a_state_of_a_thousand_keys_with_deadlines_is_saved_and_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET), {"state_records": 900}) as one:
            names = [f"an-agent-{n}-" + 70 * "x" for n in range(1000)]
            told = await asyncio.gather(*(alarm(one, name) for name in names))
            assert set(told) == {202}
            kept = one.service.judge.deadlines.kept()
            assert len(kept) == 1000
        async with Plane(tmp_path, bundle_of(BUDGET), clock=one.clock) as again:
            assert again.service.judge.deadlines.kept() == kept

    asyncio.run(scenario())


def test_a_key_has_one_deadline_however_often_it_is_heard_of(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            for _ in range(50):
                one.clock.forward(0.1)
                await alarm(one, "a1")
            judge = one.service.judge
            assert [key for _, key in judge.deadlines.kept()] == ["a1"]

    asyncio.run(scenario())


def test_every_key_that_is_due_gets_one_tick(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            await asyncio.gather(*(alarm(one, f"a{n}") for n in range(150)))
            one.clock.forward(600)
            for _ in range(3):
                await one.service.carry_out(reconcile)
            records = [json.loads(line) for line in one.service.rows.lines(1)]
            ticked = [r["agent"] for r in records if r["run_timeline_event"] == "tick"]
            assert sorted(ticked) == sorted(f"a{n}" for n in range(150))

    asyncio.run(scenario())
