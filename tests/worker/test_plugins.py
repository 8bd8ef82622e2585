from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import httpx
import pytest
import worker_plugins

from govlang.native.errors import CodedError
from govlang.runtime.control.breaker import Breaker
from govlang.runtime.worker.exec_plugin import LEASH, ExecPlugin
from govlang.runtime.worker.http_plugin import HttpPlugin
from govlang.runtime.worker.job import OUTPUT_MAX, Ended, WorkerJob
from govlang.runtime.worker.plugins import EntryPlugin, Plugin, load_plugin

PYTHON = sys.executable


def job(payload: Any = None) -> WorkerJob:
    return WorkerJob("r:s@1", "a1", {"size": 1}, payload, (), {"speed": {"to": 2}}, ("a0",))


def run(plugin: Plugin, payload: Any = None) -> Ended:
    async def work() -> Ended:
        try:
            return await plugin.run(job(payload))
        finally:
            await plugin.close()

    return asyncio.run(work())


def script(text: str) -> ExecPlugin:
    return ExecPlugin((PYTHON, "-c", text), kill_s=0.5)


# --- specs ----------------------------------------------------------------------------------------


def test_a_spec_names_a_plugin(monkeypatch) -> None:
    found = load_plugin("entry:worker_plugins:double")
    assert isinstance(found, EntryPlugin)
    assert found.function is worker_plugins.double
    point = EntryPoint("doubler", "worker_plugins:double", "govlang.worker")
    points = {"govlang.worker": [point]}  # and pydantic looks for plugins of its own
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points.get(group, []))
    assert load_plugin("entry:doubler") == found
    plugin = load_plugin(f"exec:{PYTHON} -c 'print(1)'")
    assert isinstance(plugin, ExecPlugin)
    assert plugin.words == (PYTHON, "-c", "print(1)")
    for spec in ("http:http://127.0.0.1:1/x", "http://127.0.0.1:1/x", "https://host/x"):
        read = load_plugin(spec)
        assert isinstance(read, HttpPlugin)
        assert read.url.endswith("/x")
        asyncio.run(read.close())


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "entry",
        "entry:",
        "entry:no_such_module:f",
        "entry:worker_plugins:no_such",
        "entry:worker_plugins:RAN",
        "entry:nobody-registered-this",
        "exec:no-such-command-anywhere",
        "exec:'unclosed",
        "http:nonsense",
        "http:ftp://host",
        "http:http://name:password@host",
        "shell:rm",
    ],
)
def test_a_plugin_that_cannot_be_used_is_refused_before_any_job(spec: str) -> None:
    with pytest.raises(CodedError) as refused:
        load_plugin(spec)
    assert refused.value.code == "GOV681"
    assert "password" not in refused.value.message or "URL holds no" in refused.value.message


# --- commands -------------------------------------------------------------------------------------

ENDS = [
    ("import sys, json; print(json.load(sys.stdin)['payload'])", Ended(4)),
    ("pass", Ended()),
    ("print('[1, 2]')", Ended([1, 2])),
    ("print('no json')", Ended(None, "failed", "the command printed what is no JSON")),
    ("print('NaN')", Ended(None, "failed", "the command printed what is no JSON")),
    ("raise SystemExit(75)", Ended(None, "again", "the command asks for another try")),
    ("import sys; sys.exit('sorry')", Ended(None, "failed", "exit code 1: sorry")),
    ("raise SystemExit(3)", Ended(None, "failed", "exit code 3")),
    ("import os; os.kill(os.getpid(), 9)", Ended(None, "failed", "exit code -9")),
    (
        "import os\nos.close(0)\nprint(1)",
        Ended(1),
    ),
    (
        f"print('1' * {OUTPUT_MAX + 1}, flush=True); import time; time.sleep(30)",
        Ended(None, "failed", f"the output has more than {OUTPUT_MAX} bytes"),
    ),
]


@pytest.mark.parametrize(("text", "ended"), ENDS)
def test_a_command_ends_as_its_exit_code_says(text: str, ended: Ended) -> None:
    assert run(script(text), 4) == ended


def test_a_command_gets_the_whole_job_and_no_token(monkeypatch) -> None:
    monkeypatch.setenv("GOV_TOKEN", "gov_s3cret")
    text = "import sys, os, json; print(json.dumps([json.load(sys.stdin), dict(os.environ)]))"
    got, environment = run(script(text), {"n": "ü" * 100_000}).output
    assert got == job({"n": "ü" * 100_000}).to_dict() | {"obligations": [], "delegation": ["a0"]}
    assert environment["GOV_JOB_ID"] == "r:s@1"
    assert "gov_s3cret" not in json.dumps(environment)


def test_no_shell_reads_the_words(tmp_path: Path) -> None:
    plugin = load_plugin(f"exec:echo '\"$HOME;' touch '{tmp_path}/made\"'")
    assert run(plugin).output == f"$HOME; touch {tmp_path}/made"
    assert list(tmp_path.iterdir()) == []


def alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended and that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def soon(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


CHILD = """
import os, subprocess, sys, time, signal
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + ".part", "w").write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""
STUBBORN = CHILD + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n"
ENDLESS = CHILD + "time.sleep(60)\n"


@pytest.mark.parametrize("text", [STUBBORN, ENDLESS])
def test_a_command_that_is_cancelled_leaves_nothing_behind(text: str, tmp_path: Path) -> None:
    told = tmp_path / "pids"
    plugin = ExecPlugin((PYTHON, "-c", text, str(told)), kill_s=0.3)

    async def work() -> None:
        task = asyncio.ensure_future(plugin.run(job()))
        await asyncio.to_thread(soon, told.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    pids = [int(word) for word in told.read_text().split()]
    assert soon(lambda: not any(map(alive, pids)))


def test_a_command_whose_job_is_cancelled_while_it_is_begun_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process runs before anybody knows its number: it would do its work, and nobody could stop it."""

    async def work() -> int | None:
        loop = asyncio.get_running_loop()
        begun, known = asyncio.Event(), asyncio.Event()
        transports: list[asyncio.SubprocessTransport] = []
        begin = loop.subprocess_exec

        async def slow(*words: Any, **more: Any) -> Any:
            made = await begin(*words, **more)
            transports.append(made[0])
            begun.set()
            await known.wait()
            return made

        monkeypatch.setattr(loop, "subprocess_exec", slow)
        task = asyncio.ensure_future(script("import time; time.sleep(600)").run(job()))
        await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        known.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        while transports[0].get_returncode() is None:  # noqa: ASYNC110  # a process has no event
            await asyncio.sleep(0.01)
        return transports[0].get_returncode()

    assert asyncio.run(asyncio.wait_for(work(), 20)) == -signal.SIGKILL


def test_what_a_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "pids"
    begun = time.monotonic()
    ended = run(ExecPlugin((PYTHON, "-c", CHILD + "print(7)\n", str(told)), kill_s=1.0))
    assert ended == Ended(7)
    assert time.monotonic() - begun < 10
    assert soon(lambda: not alive(int(told.read_text().split()[1])))


KILLED = """
import asyncio, sys
from govlang.runtime.worker.exec_plugin import ExecPlugin
from govlang.runtime.worker.job import WorkerJob

async def work():
    job = WorkerJob("r:s@1", "a1", {}, None, (), {}, ())
    await ExecPlugin((sys.executable, "-c", sys.argv[1], sys.argv[2])).run(job)

asyncio.run(work())
"""
ALONE = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()}\\n'); time.sleep(60)"


@pytest.mark.skipif(shutil.which(LEASH[0]) is None, reason="util-linux is missing")
def test_a_command_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    worker = subprocess.Popen([PYTHON, "-c", KILLED, ALONE, str(told)])
    assert soon(lambda: told.exists() and told.read_text().endswith("\n"))
    worker.kill()
    worker.wait()
    assert soon(lambda: not alive(int(told.read_text())))


def test_a_command_leads_a_group_of_its_own() -> None:
    text = "import os; print(int(os.getpgrp() == os.getpid() == os.getsid(0)))"
    assert run(script(text)) == Ended(1)


# --- URLs -----------------------------------------------------------------------------------------


class Admission:
    """A breaker that writes down what it is told."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.told: list[str] = []
        self.is_open = is_open

    def admit(self, dependency: str) -> Admission:
        if self.is_open:
            raise CodedError("GOV650", "it is open")
        self.told.append(dependency)
        return self

    def succeeded(self) -> None:
        self.told.append("succeeded")

    def failed(self) -> None:
        self.told.append("failed")

    def abandoned(self) -> None:
        self.told.append("abandoned")


def posting(answer: Callable[[httpx.Request], Any], breaker: Any) -> HttpPlugin:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return HttpPlugin("http://dep:1/run", breaker, client)


def lost(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("lost")


def nobody(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody")


ANSWERS = [
    (lambda _: httpx.Response(200, json={"n": 1}), Ended({"n": 1}), "succeeded"),
    (lambda _: httpx.Response(204), Ended(), "succeeded"),
    (
        lambda _: httpx.Response(200, text="x"),
        Ended(None, "failed", "the answer is no JSON"),
        "succeeded",
    ),
    (lambda _: httpx.Response(404), Ended(None, "failed", "the answer is 404"), "succeeded"),
    (
        lambda _: httpx.Response(302, headers={"Location": "http://other/"}),
        Ended(None, "failed", "the answer is 302"),
        "succeeded",
    ),
    (lambda _: httpx.Response(500), Ended(None, "failed", "the answer is 500"), "failed"),
    (lost, Ended(None, "failed", "no answer: ReadError"), "failed"),
    (nobody, Ended(None, "again", "nobody listens at the URL"), "failed"),
    (
        lambda _: httpx.Response(200, content=b"1" * (OUTPUT_MAX + 1)),
        Ended(None, "failed", f"the answer has more than {OUTPUT_MAX} bytes"),
        "succeeded",
    ),
]


@pytest.mark.parametrize(("answer", "ended", "told"), ANSWERS)
def test_an_answer_ends_a_job(answer, ended: Ended, told: str) -> None:
    breaker = Admission()
    assert run(posting(answer, breaker)) == ended
    assert breaker.told == ["dep:1", told]


def test_an_open_breaker_sends_nothing_and_asks_for_another_try() -> None:
    seen: list[httpx.Request] = []
    ended = run(posting(seen.append, Admission(is_open=True)))
    assert (ended.outcome, seen) == ("again", [])


def test_after_three_failures_the_breaker_opens() -> None:
    seen: list[httpx.Request] = []

    def fail(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500)

    async def work() -> list[str]:
        plugin = posting(fail, Breaker())
        ended = [(await plugin.run(job())).outcome for _ in range(4)]
        await plugin.close()
        return ended

    assert asyncio.run(work()) == ["failed", "failed", "failed", "again"]
    assert len(seen) == 3


def test_a_job_is_posted_once_whole_and_under_its_name() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    run(posting(answer, Admission()), 7)
    (request,) = seen
    assert request.headers["Idempotency-Key"] == "r:s@1"
    assert json.loads(request.content)["payload"] == 7


def test_a_cancelled_post_is_abandoned() -> None:
    breaker = Admission()

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def work() -> None:
        plugin = HttpPlugin(
            "http://dep:1/run", breaker, httpx.AsyncClient(transport=httpx.MockTransport(never))
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(plugin.run(job()), 0.1)
        await plugin.close()

    asyncio.run(work())
    assert breaker.told == ["dep:1", "abandoned"]
