"""Plugins: what runs a job.

In: `entry:PACKAGE.MODULE:FUNCTION`, `entry:NAME` (of the entry points `govlang.worker`), `http:URL`, `exec:COMMAND …`.
Out: a `Plugin`.

What always holds: a plugin that cannot be loaded is refused before any job is leased; `run` returns or raises only when
nothing of the job runs any more.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import inspect
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol
from urllib.parse import urlsplit

from govlang.client.waiting import in_thread
from govlang.native.errors import CodedError
from govlang.runtime.worker.job import Again, Ended, WorkerJob, failed, told

GROUP: Final = "govlang.worker"
"""The entry points that `entry:NAME` looks among."""


class Plugin(Protocol):
    """What runs a job."""

    is_asked: ClassVar[bool]
    """Whether it looks at `cancelled` by itself and is given time to; others are stopped at once."""

    async def run(self, job: WorkerJob) -> Ended:
        """Run a job; cancelled, it stops whatever it started before it returns."""

    async def close(self) -> None:
        """Let go of what it holds."""


def load_plugin(spec: str) -> Plugin:
    """The plugin of a spec.

    Raises:
        CodedError: GOV681, it is none, or cannot be loaded.
    """
    kind, colon, rest = spec.partition(":")
    if not colon or not rest.strip():
        raise unusable(f"`{spec}` is no plugin")
    match kind:
        case "entry":
            return EntryPlugin(_function(rest))
        case "http" | "https":
            return _http(spec, rest)
        case "exec":
            return _exec(rest)
    raise unusable(f"`{kind}` is no kind of plugin")


def unusable(why: str) -> CodedError:
    """A plugin that cannot be used."""
    ways = "entry:PACKAGE.MODULE:FUNCTION, entry:NAME, http:URL or exec:COMMAND"
    return CodedError("GOV681", why, f"write {ways}")


# --- entry points ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EntryPlugin:
    """A Python function: `function(job: WorkerJob) -> any JSON` (or `Ended`), sync or async.

    A coroutine is cancelled if it does not stop by itself.  A thread cannot be: its slot stays taken until it ends.
    """

    function: Callable[[WorkerJob], Any]
    is_asked: ClassVar[bool] = True

    async def run(self, job: WorkerJob) -> Ended:
        """Call the function."""
        try:
            value = await self._value(job)
        except Again as error:
            return Ended(outcome="again", error=str(error) or None)
        except Exception as error:  # noqa: BLE001  # a job that raises has failed; the worker goes on
            return failed(told(error))
        return value if isinstance(value, Ended) else Ended(value)

    async def _value(self, job: WorkerJob) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(job)
        work = asyncio.ensure_future(in_thread(lambda: self.function(job), _nothing))
        try:
            value = await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait({work})
            raise
        return await value if inspect.isawaitable(value) else value

    async def close(self) -> None:
        """There is nothing to let go of."""


def _nothing() -> None:
    """What is abandoned of a thread's value: nothing, the job has ended without it."""


def _function(name: str) -> Callable[[WorkerJob], Any]:
    """The function of a name, imported."""
    try:
        found = _imported(name) if ":" in name else _registered(name)
    except CodedError:
        raise
    except Exception as error:
        raise unusable(f"`{name}` cannot be imported: {told(error)}") from error
    if not callable(found):
        raise unusable(f"`{name}` is no function")
    return found  # type: ignore[no-any-return]


def _imported(name: str) -> Any:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _registered(name: str) -> Any:
    for one in importlib.metadata.entry_points(group=GROUP):
        if one.name == name:
            return one.load()
    raise unusable(f"there is no entry point `{name}` in the group `{GROUP}`")


# --- others ---------------------------------------------------------------------------------------


def _http(spec: str, rest: str) -> Plugin:
    """The plugin of `http:URL`; `http://HOST/` and `https://HOST/` are taken as URLs themselves."""
    from govlang.runtime.worker.http_plugin import HttpPlugin

    url = spec if rest.startswith("//") else rest
    read = urlsplit(url)
    if read.scheme not in {"http", "https"} or not read.hostname:
        raise unusable(f"`{url}` is no URL")
    if read.username is not None or read.password is not None:
        raise unusable(
            "a plugin's URL holds no name and no password: it stands in the process list"
        )
    return HttpPlugin(url)


def _exec(rest: str) -> Plugin:
    """The plugin of `exec:COMMAND`: split as a shell splits words, and run without one."""
    from govlang.runtime.worker.exec_plugin import ExecPlugin

    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise unusable(f"the command cannot be split into words: {error}") from None
    if not words or shutil.which(words[0]) is None:
        raise unusable(f"there is no command `{words[0] if words else ''}`")
    return ExecPlugin(tuple(words))
