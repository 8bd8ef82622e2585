"""A job as a process: the job as JSON on its input, its output as JSON, its exit code.

In: a job.  Out: its end: exit code 0 is a success with the JSON that was printed (nothing printed: no output), 75
(EX_TEMPFAIL) says that nothing was done and asks for another try, any other code is a failure.

What always holds: no shell; the process leads a group of its own, and when the job ends, however it does, nothing of
that group is left; the worker's token is not in its environment.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final, cast

from govlang.client.wire import encode
from govlang.runtime.worker.job import OUTPUT_MAX, Ended, WorkerJob, failed, output_of

AGAIN: Final = 75
"""The exit code EX_TEMPFAIL of sysexits.h."""
ERRORS_KEPT: Final = 400
"""How many bytes of the end of stderr are reported of a failure."""
SECRETS: Final = ("GOV_TOKEN",)
LEASH: Final = ("setpriv", "--pdeathsig", "KILL", "--")
"""util-linux: the command dies with a worker that is killed, too; without it only a worker that ends stops it."""


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A command; `kill_s`: how long SIGTERM may take before SIGKILL."""

    words: tuple[str, ...]
    kill_s: float = 2.0
    is_asked: ClassVar[bool] = False

    async def run(self, job: WorkerJob) -> Ended:
        """Run the command on a job."""
        environment = {k: v for k, v in os.environ.items() if k not in SECRETS}
        loop = asyncio.get_running_loop()
        words = (*LEASH, *self.words) if shutil.which(LEASH[0]) else self.words
        environment["GOV_JOB_ID"] = job.job_id
        begun = asyncio.ensure_future(
            loop.subprocess_exec(_Talk, *words, env=environment, start_new_session=True)
        )
        try:
            transport, talk = await asyncio.shield(begun)
        except asyncio.CancelledError:  # it may run already, and nobody knows its number yet
            begun.add_done_callback(_put_down)
            await asyncio.wait({begun})
            raise
        pid = transport.get_pid()
        try:
            talk.say(encode(job.to_dict()))
            await talk.over.wait()
        except asyncio.CancelledError:
            await self._stop(pid, talk)
            raise
        finally:
            _signal(pid, signal.SIGKILL)  # whatever of the group is left
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(talk.silent.wait(), self.kill_s)
            transport.close()
        return talk.ended(transport.get_returncode())

    async def _stop(self, pid: int, talk: _Talk) -> None:
        _signal(pid, signal.SIGTERM)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(talk.over.wait(), self.kill_s)
        if not talk.over.is_set():
            _signal(pid, signal.SIGKILL)
            await talk.over.wait()

    async def close(self) -> None:
        """There is nothing to let go of."""


def _put_down(begun: asyncio.Future[tuple[asyncio.SubprocessTransport, _Talk]]) -> None:
    """End a process whose job was cancelled while it was begun; it has not been told what to do."""
    if begun.cancelled() or begun.exception() is not None:
        return
    transport, _ = begun.result()
    _signal(transport.get_pid(), signal.SIGKILL)
    transport.close()


def _signal(pid: int, which: signal.Signals) -> None:
    """Tell a whole group; one that has ended is no fault."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, which)


@dataclass(slots=True)
class _Talk(asyncio.SubprocessProtocol):
    """What is said to a process and what it says."""

    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.SubprocessTransport | None = None
    open_pipes: set[int] = field(default_factory=lambda: {1, 2})

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.SubprocessTransport", transport)

    def say(self, text: bytes) -> None:
        """The job, and no more."""
        assert self.transport is not None
        pipe = cast("asyncio.WriteTransport", self.transport.get_pipe_transport(0))
        pipe.write(text)
        pipe.close()

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        if fd == 2:
            self.errors = (self.errors + data)[-ERRORS_KEPT:]
        elif len(self.output) <= OUTPUT_MAX:
            self.output += data
            if len(self.output) > OUTPUT_MAX and self.transport is not None:
                _signal(self.transport.get_pid(), signal.SIGKILL)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del exc
        self.open_pipes.discard(fd)
        if not self.open_pipes:
            self.silent.set()

    def process_exited(self) -> None:
        self.over.set()

    def ended(self, code: int | None) -> Ended:
        """The end of a process that exited with a code (below 0: by a signal)."""
        if len(self.output) > OUTPUT_MAX:
            return failed(f"the output has more than {OUTPUT_MAX} bytes")
        if code == AGAIN:
            return Ended(outcome="again", error="the command asks for another try")
        if code != 0:
            said = self.errors.decode("utf-8", "replace").strip()
            return failed(f"exit code {code}" + (f": {said}" if said else ""))
        return output_of(bytes(self.output), "the command printed what is no JSON")
