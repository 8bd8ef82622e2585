"""`gov worker`: runs the jobs of a pool until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from govlang.cli.guard import Exit, guarded
from govlang.native.errors import CodedError
from govlang.native.files import read_at_most

if TYPE_CHECKING:
    from govlang.runtime.worker.loop import Worker
    from govlang.runtime.worker.plugins import Plugin

TOKEN_MAX: Final = 4096
DEV_POOL: Final = "default"
"""The pool of the worker that `gov serve --dev` has."""


@click.command(name="worker")
@click.option("--url", required=True, metavar="URL", help="the gateway")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="the worker's token; without it GOV_TOKEN of the environment, if that is set",
)
@click.option("--pool", required=True, metavar="NAME", help="the pool whose jobs it runs")
@click.option(
    "--plugin",
    "spec",
    required=True,
    metavar="SPEC",
    help="entry:PACKAGE.MODULE:FUNCTION, entry:NAME, http:URL or exec:COMMAND",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=100),
    default=1,
    show_default=True,
    metavar="N",
    help="how many jobs at a time",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="NAME",
    help="a `do` that the plugin carries out; a job that asks for another one fails",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="how long a job may run; without it, as long as it lives",
)
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(min=0),
    default=25.0,
    show_default=True,
    metavar="S",
    help="how long running jobs may take after SIGTERM",
)
@click.option("--name", metavar="NAME", help="the worker's name in the records [HOST-PID]")
@guarded
def command(
    url: str,
    token_file: Path | None,
    pool: str,
    spec: str,
    concurrency: int,
    actions: tuple[str, ...],
    timeout_s: float | None,
    grace_s: float,
    name: str | None,
) -> int:
    """Run the jobs of a pool through a plugin, until SIGTERM or SIGINT."""
    from govlang.runtime.worker.loop import Worker, default_name
    from govlang.runtime.worker.plugins import load_plugin
    from govlang.runtime.worker.running import Terms

    token = read_token(token_file)
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does: the plugin may stand here
    plugin = load_plugin(spec)
    terms = Terms(frozenset(actions), timeout_s)

    def make(client: Any) -> Worker:
        return Worker(
            client, pool, plugin, _log(), concurrency, terms, grace_s, name or default_name()
        )

    asyncio.run(_work(url, token, plugin, make))
    return Exit.OK


def read_token(path: Path | None) -> str | None:
    """The token of a file, or of the environment; None: there is none.

    Raises:
        CodedError: GOV680, what is there is no token.
    """
    where = "`GOV_TOKEN`" if path is None else f"`{path}`"
    text = os.environ.get("GOV_TOKEN") if path is None else _read(path)
    if text is None:
        return None
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CodedError(
            "GOV680", f"{where} holds no token", "write the token, `gov_…`, and nothing else"
        )
    return token


def _read(path: Path) -> str:
    return read_at_most(path, TOKEN_MAX).decode("utf-8", "replace")


async def _work(url: str, token: str | None, plugin: Plugin, make: Any) -> None:
    from govlang.client.async_client import AsyncGovClient

    try:
        client = AsyncGovClient(url, token)
    except ValueError as error:
        await plugin.close()
        raise CodedError("GOV682", str(error), "write the URL that `gov serve` prints") from None
    async with client:
        worker: Worker = make(client)
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, worker.stop)
        await worker.run()


def _log() -> Any:
    """A JSON object a line, to stderr; what jobs hold and tokens are in none."""
    import structlog

    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        component="worker",
    )


async def dev_worker(url: str, spec: str | None) -> Callable[[], Awaitable[None]]:
    """A worker of the pool `default` beside a service of `--dev`; what ends it.

    Without a plugin it runs nothing: it answers each job with the payload that the job has.

    Raises:
        CodedError: GOV681, there is no such plugin.
    """
    from govlang.client.async_client import AsyncGovClient
    from govlang.runtime.worker.loop import Worker
    from govlang.runtime.worker.plugins import load_plugin

    plugin = load_plugin(spec or "entry:govlang.runtime.worker.echo:echo")
    client = AsyncGovClient(url, None)
    worker = Worker(client, DEV_POOL, plugin, _log())
    working = asyncio.ensure_future(worker.run())

    async def end() -> None:
        worker.stop()
        worker.stop()
        await asyncio.gather(working, return_exceptions=True)
        await plugin.close()
        await client.close()

    return end
