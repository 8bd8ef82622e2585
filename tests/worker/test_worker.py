from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import worker_plugins
from gateway_faults import Faults, FaultyAsyncTransport
from gateway_policy import asked
from structlog.testing import CapturingLogger

from govlang.client import AsyncGovClient, Submitted
from govlang.native.errors import CodedError
from govlang.runtime.worker.job import Ended, WorkerJob
from govlang.runtime.worker.loop import Worker, default_name
from govlang.runtime.worker.plugins import EntryPlugin
from govlang.runtime.worker.running import Terms


class Log(CapturingLogger):
    """What is logged, with what is bound to it."""

    def bind(self, **_: Any) -> Log:
        return self

    def events(self) -> list[str]:
        return [str(call.args[0]) for call in self.calls]


class Bench:
    """A worker that runs beside a test."""

    def __init__(self, gateway: Any, function: Callable[[WorkerJob], Any], **options: Any) -> None:
        worker_plugins.RAN.clear()
        self.gateway = gateway
        self.faults = Faults()
        self.log = Log()
        self.plugin = options.pop("plugin", None) or EntryPlugin(function)
        self.options = {"terms": Terms(notice_s=0.5), "grace_s": 2.0} | options
        self.worker: Worker

    def run(self, play: Callable[[Bench], Awaitable[None]]) -> None:
        async def both() -> None:
            transport = FaultyAsyncTransport(self.faults)
            async with AsyncGovClient(self.gateway.url, transport=transport) as client:
                self.worker = Worker(client, "ops", self.plugin, self.log, **self.options)
                task = asyncio.ensure_future(self.worker.run())
                try:
                    await asyncio.wait_for(play(self), 25)
                finally:
                    if not self.worker._closing.is_set():
                        self.worker.stop()
                    await asyncio.wait_for(task, 25)

        asyncio.run(both())

    def submit(self, topic: str = "infra.read", **options: Any) -> Submitted:
        fields = {"size": options.pop("size", 1)}
        return self.gateway.client.submit(asked(topic, **fields), pool="ops", **options)

    def state(self, job: Submitted) -> str:
        self.gateway.behind.reconcile()
        return self.gateway.behind.jobs[job.job_id].job["state"]

    def job(self, job: Submitted) -> dict[str, Any]:
        return self.gateway.behind.jobs[job.job_id].job

    async def until(self, job: Submitted, *states: str) -> None:
        await until(lambda: self.state(job) in states)

    async def idle(self) -> None:
        await until(lambda: not self.worker._tasks)

    async def said(self, event: str) -> None:
        await until(lambda: event in self.log.events())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # what is waited for happens behind HTTP
        await asyncio.sleep(0.01)


def runs(bench: Bench, *states: str, **options: Any) -> dict[str, Any]:
    """One job through a worker; the job as it ended."""
    job = bench.submit(**options)

    async def play(bench: Bench) -> None:
        await bench.until(job, *states)

    bench.run(play)
    return bench.job(job)


@pytest.mark.parametrize("name", ["double", "double_async"])
def test_a_job_runs_and_its_output_comes_back(gateway, name: str) -> None:
    bench = Bench(gateway, getattr(worker_plugins, name))
    ended = runs(bench, "succeeded", payload=21)
    assert ended["output"]["twice"] == 42
    assert [ended["job_id"]] == worker_plugins.RAN
    assert bench.log.events() == ["ready", "started", "ended", "stopped"]


def test_the_limits_of_the_policy_are_in_the_request(gateway) -> None:
    bench = Bench(gateway, worker_plugins.double)
    assert runs(bench, "succeeded", topic="infra.copy", size=40, payload=1)["output"]["size"] == 10


FAILURES = [
    ("fail", "ValueError: no \\u{7} good"),
    ("odd", "the output is no JSON: object is nothing that JSON has"),
    ("huge", "the output has 1048587 bytes of JSON, more than 1048576"),
]


@pytest.mark.parametrize(("name", "reason"), FAILURES)
def test_what_goes_wrong_is_a_failure_with_its_reason(gateway, name: str, reason: str) -> None:
    ended = runs(Bench(gateway, getattr(worker_plugins, name)), "failed", payload=1)
    assert ended["reason"] == reason


def test_what_was_used_is_reported(gateway) -> None:
    runs(Bench(gateway, worker_plugins.spend), "succeeded")
    (kept,) = gateway.behind.jobs.values()
    assert kept.result["used"] == {"tokens": 7}
    assert kept.result["fields"] == {"size": 2}


def test_a_job_that_asks_for_another_try_gets_one(gateway) -> None:
    ended = runs(Bench(gateway, worker_plugins.again_once), "succeeded")
    assert ended["output"] == "now"
    assert [ended["job_id"]] * 2 == worker_plugins.RAN


def test_an_action_that_nobody_promised_is_a_failure_and_nothing_runs(gateway) -> None:
    bench = Bench(gateway, worker_plugins.double)
    ended = runs(bench, "failed", topic="infra.audit", payload=1)
    assert "`notify`" in ended["reason"]
    assert worker_plugins.RAN == []


def test_an_action_that_was_promised_is_the_plugins_to_do(gateway) -> None:
    seen = []
    bench = Bench(
        gateway,
        lambda job: seen.append(job.obligations),
        terms=Terms(frozenset(["notify"])),
    )
    runs(bench, "succeeded", topic="infra.audit")
    assert seen == [({"do": "notify", "args": {"team": "sre"}, "for_ms": 600_000},)]


def test_as_many_jobs_run_at_a_time_as_there_is_room_for(gateway) -> None:
    bench = Bench(gateway, worker_plugins.patient, concurrency=3)
    jobs = [bench.submit() for _ in range(5)]

    async def play(bench: Bench) -> None:
        await until(lambda: len(worker_plugins.RAN) >= 3)
        await asyncio.sleep(0.2)
        assert sorted(map(bench.state, jobs)) == ["running"] * 3 + ["scheduled"] * 2

    bench.run(play)


# --- the start ------------------------------------------------------------------------------------


def test_nothing_runs_before_its_start_was_acknowledged(gateway) -> None:
    bench = Bench(gateway, worker_plugins.double)
    job = bench.submit(payload=1)
    bench.faults.lose("/heartbeat", times=999)

    async def play(bench: Bench) -> None:
        await until(lambda: len(bench.faults.paths("/heartbeat")) >= 2)
        assert worker_plugins.RAN == []
        bench.faults.planned.clear()
        await bench.until(job, "succeeded")

    bench.run(play)
    assert [job.job_id] == worker_plugins.RAN


def test_a_start_whose_answer_is_lost_runs_once(gateway) -> None:
    bench = Bench(gateway, worker_plugins.double)
    bench.faults.lose_answer("/heartbeat")
    runs(bench, "succeeded", payload=1)
    assert len(worker_plugins.RAN) == 1


REFUSED_STARTS = [
    (409, {"code": "lease_lost", "detail": "gone"}),
    (404, {"code": "not_found", "detail": "gone"}),
    (200, {"state": "cancelled", "cancel": True, "lease_s": 30}),
    (200, {"state": "dispatched", "cancel": False, "lease_s": 30}),
    (200, {"state": "running", "cancel": False, "lease_s": 0}),
]


@pytest.mark.parametrize(("status", "body"), REFUSED_STARTS)
def test_a_start_that_is_refused_runs_nothing(gateway, status: int, body) -> None:
    bench = Bench(gateway, worker_plugins.double)
    bench.submit(payload=1)
    bench.faults.answer("/heartbeat", status, body)

    async def play(bench: Bench) -> None:
        await bench.said("not_started")
        await asyncio.sleep(0.1)

    bench.run(play)
    assert worker_plugins.RAN == []


def test_a_lease_that_ran_out_while_it_was_started_runs_nothing(hasty) -> None:
    bench = Bench(hasty, worker_plugins.double)
    bench.submit(payload=1)
    bench.faults.lose_answer("/heartbeat", times=999)

    async def play(bench: Bench) -> None:
        await bench.said("not_started")

    bench.run(play)
    assert worker_plugins.RAN == []


def test_a_job_that_has_run_is_not_run_again_whatever_is_leased(gateway) -> None:
    bench = Bench(gateway, worker_plugins.double)
    job = bench.submit(payload=1)

    async def play(bench: Bench) -> None:
        await bench.until(job, "succeeded")
        kept = gateway.behind.jobs[job.job_id]
        kept.job["state"], kept.lease = "scheduled", None
        await bench.said("leased_again")
        await asyncio.sleep(0.1)

    bench.run(play)
    assert [job.job_id] == worker_plugins.RAN


# --- while it runs --------------------------------------------------------------------------------


def test_heartbeats_keep_the_lease_of_a_long_job(hasty) -> None:
    bench = Bench(hasty, lambda _: time.sleep(1.5))
    assert runs(bench, "succeeded", "timed_out")["state"] == "succeeded"
    assert len(bench.faults.paths("/heartbeat")) >= 5


@pytest.mark.parametrize("name", ["patient", "patient_async", "deaf_async"])
def test_a_cancelled_job_stops(hasty, name: str) -> None:
    bench = Bench(hasty, getattr(worker_plugins, name))
    job = bench.submit()

    async def play(bench: Bench) -> None:
        await bench.until(job, "running")
        hasty.client.cancel(job.job_id, "enough")
        await bench.idle()

    begun = time.monotonic()
    bench.run(play)
    assert time.monotonic() - begun < 5
    assert bench.state(job) == "cancelled"
    assert [job.job_id] + ["cleaned"] * (name == "deaf_async") == worker_plugins.RAN


@pytest.mark.parametrize("how", ["refused", "unreachable"])
def test_a_job_whose_lease_is_lost_stops_and_reports_nothing(hasty, how: str) -> None:
    bench = Bench(hasty, worker_plugins.deaf_async)
    job = bench.submit()

    async def play(bench: Bench) -> None:
        await bench.until(job, "running")
        if how == "refused":
            bench.faults.answer("/heartbeat", 409, {"code": "lease_lost", "detail": "gone"})
        else:
            bench.faults.lose("/heartbeat", times=999)
        await bench.idle()

    begun = time.monotonic()
    bench.run(play)
    assert time.monotonic() - begun < 5
    assert [job.job_id, "cleaned"] == worker_plugins.RAN
    assert bench.faults.paths("/result") == []


def test_a_job_that_takes_too_long_is_stopped(gateway) -> None:
    terms = Terms(timeout_s=0.2, notice_s=0.2)
    ended = runs(Bench(gateway, worker_plugins.deaf_async, terms=terms), "failed")
    assert ended["reason"] == "the job's time was up"


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["lose", "lose_answer"])
def test_a_result_is_told_until_it_is_taken(gateway, what: str) -> None:
    bench = Bench(gateway, worker_plugins.double)
    getattr(bench.faults, what)("/result", times=2)
    runs(bench, "succeeded", payload=1)
    assert len(bench.faults.paths("/result")) <= 3
    assert len(worker_plugins.RAN) == 1


def test_an_output_that_the_gateway_refuses_is_a_failure(gateway) -> None:
    bench = Bench(gateway, worker_plugins.double)
    bench.faults.answer("/result", 422, {"code": "invalid_body", "detail": "too odd"})
    ended = runs(bench, "failed", payload=1)
    assert ended["reason"] == "the gateway refused the result: too odd"


def test_a_plugin_that_breaks_is_a_failure_of_its_job_alone(gateway) -> None:
    class Breaks(EntryPlugin):
        async def run(self, job: WorkerJob) -> Ended:
            if job.payload:
                raise RuntimeError("broken")
            return Ended("fine")

    bench = Bench(gateway, worker_plugins.double, plugin=Breaks(worker_plugins.double))
    first, second = bench.submit(payload=1), bench.submit(payload=0)

    async def play(bench: Bench) -> None:
        await bench.until(first, "failed")
        await bench.until(second, "succeeded")

    bench.run(play)
    assert bench.job(first)["reason"] == "the plugin failed: RuntimeError"


# --- stopping -------------------------------------------------------------------------------------


def test_running_jobs_end_within_the_grace(gateway) -> None:
    bench = Bench(gateway, worker_plugins.brief)
    job = bench.submit()
    later: list[Submitted] = []

    async def play(bench: Bench) -> None:
        await bench.until(job, "running")
        bench.worker.stop()
        later.append(bench.submit())

    bench.run(play)
    assert bench.job(job)["output"] == "ended"
    assert [bench.state(one) for one in later] == ["scheduled"]


@pytest.mark.parametrize("name", ["patient", "patient_async", "deaf_async"])
def test_what_does_not_end_within_the_grace_is_reported_failed(gateway, name: str) -> None:
    bench = Bench(gateway, getattr(worker_plugins, name), grace_s=0.2)
    job = bench.submit()

    async def play(bench: Bench) -> None:
        await bench.until(job, "running")

    begun = time.monotonic()
    bench.run(play)
    assert time.monotonic() - begun < 5
    assert (bench.state(job), bench.job(job)["reason"]) == ("failed", "the worker was stopped")


def test_told_twice_it_stops_without_grace(gateway) -> None:
    bench = Bench(gateway, worker_plugins.patient_async, grace_s=20.0)
    job = bench.submit()

    async def play(bench: Bench) -> None:
        await bench.until(job, "running")
        bench.worker.stop()
        bench.worker.stop()

    begun = time.monotonic()
    bench.run(play)
    assert time.monotonic() - begun < 5
    assert bench.state(job) == "failed"


# --- the gateway ----------------------------------------------------------------------------------


def test_a_gateway_that_is_away_is_waited_for(gateway) -> None:
    bench = Bench(gateway, worker_plugins.double)
    bench.faults.lose("/lease", times=2)
    bench.faults.answer("/lease", 503, {"code": "shutting_down"}, **{"Retry-After": "0"})
    assert runs(bench, "succeeded", payload=1)["state"] == "succeeded"
    assert bench.log.events()[:4] == ["not_leased"] * 3 + ["ready"], "not before it was taken"
    assert bench.log.events().count("ready") == 1


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_gateway_that_refuses_the_worker_ends_it(gateway, status: int) -> None:
    bench = Bench(gateway, worker_plugins.double)
    bench.faults.answer("/lease", status, {"code": "forbidden", "detail": "no"})

    async def play(bench: Bench) -> None:
        await asyncio.sleep(0.2)

    with pytest.raises(CodedError) as refused:
        bench.run(play)
    assert refused.value.code == "GOV683"
    assert "ready" not in bench.log.events()


def test_a_worker_is_ready_though_there_is_no_job(gateway) -> None:
    """The first lease does not wait for one."""
    bench = Bench(gateway, worker_plugins.double)

    async def play(bench: Bench) -> None:
        while "ready" not in bench.log.events():  # noqa: ASYNC110  # a log tells nobody
            await asyncio.sleep(0.01)

    bench.run(play)
    waits = [json.loads(one.content)["wait_s"] for one in bench.faults.seen]
    assert waits[0] == 0
    assert all(one > 0 for one in waits[1:])


def test_no_log_holds_what_a_job_holds(gateway) -> None:
    bench = Bench(gateway, worker_plugins.fail)
    runs(bench, "failed", payload="s3cret")
    said = repr(bench.log.calls)
    assert "s3cret" not in said
    assert "good" not in said
    assert "lease_" not in said


def test_the_name_of_a_worker_is_one_that_the_gateway_takes(monkeypatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "höst name/" + "x" * 200)
    name = default_name()
    assert len(name) <= 100
    assert name.replace("-", "").replace("_", "").isascii()
    assert "/" not in name
    assert " " not in name


def test_an_answer_without_a_lease_is_no_lease() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"jobs": [{"job_id": "j"}]}))

    async def ask() -> None:
        async with AsyncGovClient("http://gateway", transport=transport) as client:
            worker = Worker(client, "ops", EntryPlugin(worker_plugins.double), Log())
            task = asyncio.ensure_future(worker.run())
            await asyncio.sleep(0.2)
            worker.stop()
            await task

    worker_plugins.RAN.clear()
    asyncio.run(ask())
    assert worker_plugins.RAN == []
