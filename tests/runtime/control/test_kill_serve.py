"""Kill -9 of a real `gov serve` under load: whoever asks again with the same key has one job, and none runs twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from control_plane import EFFECTS, bundle_of

from govlang.runtime.evidence.audit import audit

ENVIRONMENT = {
    "GOV_LEASE_S": "1",
    "GOV_CHECKPOINT_RECORDS": "20",
    "GOV_CHECKPOINT_S": "0.2",
    "GOV_STATE_RECORDS": "50",
    "GOV_LOG_LEVEL": "error",
}


class Served:
    """One `gov serve` after another over the same folder."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.folder = folder
        self.bundle = bundle
        self.started: Counter[str] = Counter()
        self.jobs: dict[str, str] = {}

    async def begin(self) -> tuple[asyncio.subprocess.Process, str]:
        command = ("serve", str(self.bundle), "--dev", "--data", str(self.folder), "--port", "0")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "govlang.cli", *command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,  # its worker goes with it
        )
        assert process.stdout is not None
        told = b""
        while b"listening" not in (line := await process.stdout.readline()):
            told += line
            assert line, told.decode()
        return process, line.split()[1].decode()

    async def life(self, keys: list[str], after_s: float | None) -> None:
        """Serve, ask under load, and kill it after some time; None: let everything be answered, and stop it."""
        process, url = await self.begin()
        async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
            load = asyncio.gather(*(self._submit(client, key) for key in keys), self._work(client))
            if after_s is None:
                await load
                process.send_signal(signal.SIGTERM)
                await process.communicate()
                return
            await asyncio.sleep(after_s)
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
            await asyncio.gather(load, return_exceptions=True)

    async def _submit(self, client: httpx.AsyncClient, key: str) -> None:
        request = {"agent": "a1", "topic": "allow.x", "amount": 1}
        body = {"request": request, "payload": None, "pool": "p", "run_id": key, "step": "s"}
        answer = await client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 202, answer.text
        job_id = answer.json()["job_id"]
        assert self.jobs.setdefault(key, job_id) == job_id, "the same key, the same job"

    async def _work(self, client: httpx.AsyncClient) -> None:
        """Lease, begin, tell; until nothing has come for a while."""
        while True:
            body = {"worker": "w", "max": 5, "wait_s": 1, "actions": []}
            found = await self._post(client, "/v1/pools/p/lease", body)
            if not found["jobs"]:
                return
            for job in found["jobs"]:
                lease = f"/v1/leases/{job['lease_id']}"
                answer = await client.post(f"{lease}/heartbeat", json={"started": True})
                if answer.status_code == 200 and answer.json()["state"] == "running":
                    self.started[job["job_id"]] += 1
                    await client.post(f"{lease}/result", json={"outcome": "succeeded"})

    async def _post(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
        answer = await client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


def killed(folder: Path, kills: int, seed: int) -> None:
    """Kill it so often, then let it end in peace; hold what it leaves."""
    bundle = folder / "effects.govb"
    bundle.write_bytes(bundle_of(EFFECTS))
    served = Served(folder / "data", bundle)
    dice = random.Random(seed)
    keys: list[str] = []

    async def lives() -> None:
        for number in range(kills):
            keys.extend(f"k{number}-{i}" for i in range(8))
            await served.life(keys[-24:], dice.uniform(0.02, 0.4))
        await served.life(keys, None)

    asyncio.run(lives())
    with closing(sqlite3.connect(folder / "data" / "gov.db")) as database:
        found = database.execute(
            "SELECT run_id, count(*) FROM jobs WHERE pool = 'p' GROUP BY run_id"
        )
        assert dict(found) == dict.fromkeys(keys, 1), "exactly one job a key"
    assert max(served.started.values(), default=0) == 1, "none runs twice"
    assert set(served.jobs) == set(keys)
    report = audit(folder / "data", exact=True)
    assert report.intact, report.faults


def test_three_kills_of_a_server_lose_nothing(tmp_path: Path) -> None:
    killed(tmp_path, 3, 0)


@pytest.mark.long
@pytest.mark.parametrize("part", range(5))
def test_fifty_kills_of_a_server_lose_nothing(tmp_path: Path, part: int) -> None:
    killed(tmp_path, 10, 1 + part)
