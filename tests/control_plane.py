"""A control plane for tests: policies built once, a service over a folder, a clock that tests turn."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self
from unittest import mock

from shelf import kept

from govlang.cli import edge_building
from govlang.cli.building import build
from govlang.runtime.control.answer import Answer
from govlang.runtime.control.service import Parts, Service
from govlang.runtime.control.settings import Settings
from govlang.runtime.control.tokens import EVERY_ROLE, Caller, Role
from govlang.verifier.report import Options

ROOT = Path(__file__).resolve().parent.parent
START_MS = 1_800_000_000_000

EFFECTS = """language 1
policy effects version "1.0.0"
combine most_restrictive
default deny

input {
  agent  : key
  topic  : text
  amount : number in 0..1000 step 0.5
}
output pace : number in 0..10
action notify

rule allowed  when topic like "allow.**"    allow
rule limited  when topic like "limit.**"    limit amount to 10 and limit pace to 3
rule base     when topic like "limit.**" or topic like "throttle.**" allow
rule slowed   when topic like "throttle.**" throttle retry 7 s because "too fast"
rule asks     when topic like "human.**"    require human from "lead" expires 10 min because "a person looks"
rule two      when topic like "both.**"     require human from "lead", "owner" because "two look"
rule informs  when topic like "notify.**"   allow and do notify
rule refused  when topic like "deny.**"     deny because "never" remedy "ask for less" with amount = 1
"""


@cache
def bundle_of(source: str) -> bytes:
    """The bundle of a source."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "policy.gov"
            path.write_text(source, encoding="utf-8")
            return _bundle(path)

    return kept(f"bundle_of {source}", make)


@cache
def example(name: str) -> bytes:
    """The bundle of an example."""
    return kept(f"example {name}", lambda: _bundle(ROOT / "examples" / name))


def _bundle(path: Path) -> bytes:
    """A bundle as of a large policy: without C and WebAssembly, which the service does not read."""
    with mock.patch.object(edge_building, "EDGE_RULES_MAX", -1):
        built = build(path, Options(), tier=None, key_pem=None, against=None)
    assert built.bundle, built.report
    return built.bundle


@dataclass
class Clock:
    """A time that stands still until it is moved."""

    at_ms: int = START_MS

    def __call__(self) -> int:
        return self.at_ms

    def forward(self, seconds: float) -> None:
        self.at_ms += int(seconds * 1000)


def agent(name: str) -> Caller:
    return Caller(name, frozenset({Role.AGENT}), frozenset(), None, f"tok_{name}")


def approver(name: str, *roles: str) -> Caller:
    return Caller(name, frozenset({Role.APPROVER}), frozenset(roles), None, f"tok_{name}")


def worker(name: str = "w1") -> Caller:
    return Caller(name, frozenset({Role.WORKER}), frozenset(), None, f"tok_{name}")


OPERATOR = Caller("ops", frozenset({Role.OPERATOR}), frozenset(), None, "tok_ops")
AUDITOR = Caller("audit", frozenset({Role.AUDITOR}), frozenset(), None, "tok_audit")
ANYBODY = Caller("dev", EVERY_ROLE, None, None, "dev")


@dataclass
class Host:
    """What the host knows, while it answers."""

    known: Mapping[str, Any] = field(default_factory=dict)
    fails: bool = False

    def __call__(self, who: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        del who, request
        if self.fails:
            raise RuntimeError("the host's own fault")
        return self.known


@dataclass
class Plane:
    """A service in a folder, with everything that a test turns."""

    folder: Path
    bundle: bytes
    settings: dict[str, Any] | Settings = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    parts: dict[str, Any] = field(default_factory=dict)
    drops_state: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    service: Service = field(init=False)
    keys: int = 0

    async def __aenter__(self) -> Self:
        parts = Parts(clock=self.clock, **self.parts)
        given = self.settings
        settings = given if isinstance(given, Settings) else Settings(**given)
        self.service = Service(
            self.folder,
            settings,
            self.bundle,
            self.params,
            parts,
            drops_state=self.drops_state,
        )
        await self.service.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.service.stop()

    async def submit(
        self, who: str, topic: str, amount: float = 1, key: str | None = None, **more: Any
    ) -> Answer:
        self.keys += 1
        request = {"agent": who, "topic": topic, "amount": amount}
        body = {"request": request, "payload": None, "pool": "p", **more}
        return await self.service.submit(agent(who), body, key or f"k{self.keys}")

    async def lease(
        self, most: int = 1, *actions: str, who: str = "w1", pool: str = "p"
    ) -> list[dict[str, Any]]:
        body = {"worker": who, "max": most, "wait_s": 0, "actions": list(actions)}
        answer = await self.service.lease(worker(who), pool, body)
        assert answer.status == 200, answer
        assert isinstance(answer.body, dict)
        found: list[dict[str, Any]] = answer.body["jobs"]
        return found

    async def begin(self, job: dict[str, Any], who: str = "w1") -> Answer:
        return await self.service.heartbeat(worker(who), job["lease_id"], {"started": True})

    async def end(
        self, job: dict[str, Any], outcome: str = "succeeded", who: str = "w1", **more: Any
    ) -> Answer:
        return await self.service.result(worker(who), job["lease_id"], {"outcome": outcome, **more})

    async def reconcile(self) -> None:
        """One round of the reconciler, now."""
        from govlang.runtime.control.reconciler import reconcile

        await self.service.carry_out(reconcile)

    def state(self, job_id: str) -> str:
        found = self.service.rows.job(job_id)
        assert found is not None
        return found.state.value

    def events(self, run_id: str | None = None) -> list[str]:
        """What the ledger tells, in order."""
        import json

        lines = self.service.rows.lines(1)
        records = [json.loads(one) for one in lines]
        return [
            r["run_timeline_event"]
            for r in records
            if run_id is None or r["job_id"].startswith(run_id)
        ]


def run(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run a scenario to its end."""
    return asyncio.run(scenario())  # type: ignore[arg-type]


@contextmanager
def folder() -> Iterator[Path]:
    """A data directory that goes away."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)
