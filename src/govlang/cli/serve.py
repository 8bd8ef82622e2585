"""`gov serve BUNDLE`: the control plane, with nothing else to install or start."""

from __future__ import annotations

import asyncio
import gc
import importlib
import ipaddress
import os
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from govlang.cli.guard import Exit, guarded
from govlang.cli.offer import adopt, offer
from govlang.native.errors import CodedError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from govlang.runtime.control.service import Service
    from govlang.runtime.control.settings import Settings

PORT: Final = 8420
DATA: Final = Path("gov-data")
COLLECT: Final = (20_000, 20, 100)
"""When the collector looks: of what a request leaves behind next to nothing is a cycle (`gc.set_threshold`)."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the command line asks for."""

    bundle: bytes | None
    host: str
    port: int
    data: Path | None
    dev: bool
    params: dict[str, str]
    context: str | None
    allow_looser: str | None
    plugin: str | None
    rebuild_state: bool


@click.command(name="serve")
@click.argument("bundle", required=False, type=click.Path(path_type=Path), metavar="[BUNDLE]")
@click.option("--host", default="127.0.0.1", show_default=True, help="the address to listen at")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65_535))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help=f"where jobs and evidence are kept  [default: {DATA}; with --dev a directory that goes away]",
)
@click.option("--dev", is_flag=True, help="on loopback, without tokens, with a worker of its own")
@click.option(
    "--plugin", help="with --dev: what the worker runs, as `exec:./work.sh`", metavar="SPEC"
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="N=V",
    help="a parameter of the policy; kept, and one that is set otherwise later is published with it",
)
@click.option(
    "--context",
    metavar="MODULE:FUNCTION",
    help="what else the host knows: called with agent and request, gives the fields `from runtime`",
)
@click.option(
    "--allow-looser",
    metavar="REASON",
    help="take BUNDLE and parameters though they may be looser than what is active, and record why",
)
@click.option(
    "--rebuild-state",
    is_flag=True,
    help="drop the saved state, and make what the policy remembers again from the ledger",
)
@guarded
def command(
    bundle: Path | None, params: tuple[str, ...], allow_looser: str | None, **options: Any
) -> int:
    """Run the control plane: gates, approvals, workers, evidence.

    The settings come from the environment (docs/operations.md lists them).  A data directory remembers its policy:
    BUNDLE
    is needed at its first start, and to publish another.
    """
    sys.path.insert(
        0, str(Path.cwd())
    )  # as `gov worker` does: `--context` and `--plugin` may stand here
    raw = _read(bundle) if bundle is not None else None
    given = dict(_parameter(one) for one in params)
    import uvloop

    uvloop.run(serve(Serving(raw, params=given, allow_looser=allow_looser, **options)))
    return Exit.OK


def _read(path: Path) -> bytes:
    from govlang.native.container import BUNDLE_BYTES_MAX
    from govlang.native.files import read_at_most
    from govlang.runtime.opening import refuse_source

    raw = read_at_most(path, BUNDLE_BYTES_MAX)
    refuse_source(path, raw, "`gov serve` takes", "`gov serve {}`")
    return raw


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"`--param {text}`: write `NAME=VALUE`")
    return name, value


async def serve(asked: Serving) -> None:
    """Serve until a signal ends it.

    Raises:
        CodedError: settings, data directory or bundle cannot be used.
    """
    from govlang.runtime.control.settings import read_settings
    from govlang.runtime.http.logs import bridge, service_log

    settings = read_settings(os.environ)
    _check_place(asked)
    log = service_log(settings.log_level.value, settings.log_format.value)
    bridge(log, settings.log_level.value)
    await _check_plugin(asked)
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in _bound(asked.host, asked.port)]
        folder = asked.data or (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gov-dev-")))
            if asked.dev
            else DATA
        )
        await _serve(asked, settings, folder, log, sockets)


def _bound(host: str, port: int) -> list[socket.socket]:
    """Sockets that hold the address and do not listen yet.

    Taken before the data directory is opened: a first start that could not listen would use up the first operator's
    token unseen.

    Raises:
        CodedError: GOV617, the address cannot be had.
    """
    taken: list[socket.socket] = []
    try:
        for family, kind, proto, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            one = socket.socket(family, kind, proto)
            taken.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            given = port or (taken[0].getsockname()[1] if taken[1:] else 0)
            one.bind((address[0], given, *address[2:]))
    except (OSError, UnicodeError) as error:
        for one in taken:
            one.close()
        raise _unheard(host, port, error) from None
    return taken


def _unheard(host: str, port: int, error: Exception) -> CodedError:
    why = getattr(error, "strerror", None) or str(error)
    return CodedError(
        "GOV617",
        f"`{host}:{port}` cannot be listened at: {why[0].lower()}{why[1:]}",
        "give another `--port`, or end what listens there",
    )


async def _serve(
    asked: Serving, settings: Settings, folder: Path, log: Any, sockets: list[socket.socket]
) -> None:
    from govlang.runtime.control.service import Parts, Service
    from govlang.runtime.http.app import build_app
    from govlang.runtime.http.metrics import Metrics
    from govlang.runtime.http.traces import traces

    metrics = Metrics()
    parts = Parts(context=_context(asked.context), meter=metrics)
    service = Service(
        folder, settings, asked.bundle, asked.params, parts, drops_state=asked.rebuild_state
    )
    try:
        offered = await offer(
            service, asked.bundle, asked.params, asked.allow_looser
        )  # before a start is recorded that does not come
        token = None if asked.dev else service.first_token()
    except BaseException:
        await service.let_go()
        raise
    await service.start()
    try:
        await adopt(service, offered)
        app = build_app(
            service,
            settings,
            service.book,
            metrics=metrics,
            log=log,
            traces=traces(),
            dev=asked.dev,
        )
        _draw(app, service)
        _keep()
        await _listen(app, service, asked, sockets, (folder, token))
    finally:
        await service.stop()


def _draw(app: Starlette, service: Service) -> None:
    """Make the document and its page now: a third of a second, for which later nobody should have to wait."""
    from govlang.runtime.http.app import STRANGER
    from govlang.runtime.http.route import Ask

    for route in app.state.routes:
        if route.name in ("openapi", "docs"):
            route.act(service, Ask(STRANGER, {}, {}, {}))


def _keep() -> None:
    """Spare the collector what the start has made: it stays, and to look through all of it took 40 ms each time, in
    which nobody was answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)


async def _listen(
    app: Starlette,
    service: Service,
    asked: Serving,
    sockets: list[socket.socket],
    told: tuple[Path, str | None],
) -> None:
    from govlang.runtime.http.server import server

    running = server(app, asked.host, asked.port, drain_s=0.0 if asked.dev else 1.0)
    serving = asyncio.ensure_future(running.serve(sockets))
    while not running.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    if serving.done():
        await _ended(serving, asked)
        return
    port = sockets[0].getsockname()[1]
    url = f"http://{asked.host}:{port}"
    _say(service, url, *told, asked)
    if told[1] is not None:
        await service.first_token_shown()
    helper = await _worker(asked, url)
    try:
        await serving
    finally:
        if helper is not None:
            await helper()


async def _ended(serving: asyncio.Future[None], asked: Serving) -> None:
    """A server that ended before it listened: at a signal, or because another took the address meanwhile."""
    try:
        await serving
    except OSError as error:
        raise _unheard(asked.host, asked.port, error) from None


async def _check_plugin(asked: Serving) -> None:
    """Refuse a plugin that cannot be used before anything is begun (GOV681)."""
    if asked.plugin:
        from govlang.runtime.worker.plugins import load_plugin

        await load_plugin(asked.plugin).close()


async def _worker(asked: Serving, url: str) -> Callable[[], Awaitable[None]] | None:
    """With --dev: a worker of the pool `default`; what ends it."""
    if not asked.dev:
        return None
    from govlang.cli.worker import dev_worker

    return await dev_worker(url, asked.plugin)


def _say(service: Service, url: str, folder: Path, token: str | None, asked: Serving) -> None:
    policy = service.judge.policy
    click.echo(f"policy     {policy.name} {policy.version}  {policy.snapshot}")
    click.echo(f"listening  {url}  (the interface: {url}/docs)")
    click.echo(
        f"data       {folder}" + ("  (goes away)" if asked.dev and asked.data is None else "")
    )
    if asked.dev:
        click.echo("dev        no tokens; whoever reaches it may do everything")
    if token is not None:
        click.echo(f"token      {token}\n           the operator's; it is shown this once")


def _check_place(asked: Serving) -> None:
    """Without tokens on loopback only; a plugin for the worker that --dev has."""
    if asked.dev and not _is_loopback(asked.host):
        raise CodedError(
            "GOV618",
            f"`--dev` asks nobody for a token, and `{asked.host}` can be reached from elsewhere",
            "leave `--host` out, or `--dev`",
        )
    if asked.plugin and not asked.dev:
        raise click.UsageError("`--plugin` is for the worker of `--dev`; start `gov worker` beside")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context(named: str | None) -> Callable[[str, Mapping[str, Any]], Mapping[str, Any]]:
    from govlang.runtime.control.hostvalues import no_context

    if named is None:
        return no_context
    module, colon, function = named.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), function)
    except Exception as error:  # noqa: BLE001  # whatever the module does when it is imported
        found, why = None, str(error) or type(error).__name__
    else:
        why = "it cannot be called"
    if not colon or not callable(found):
        help_line = "write `module:function`; modules are looked for in the working directory, too"
        raise CodedError("GOV619", f"`--context {named}`: {why}", help_line)
    return found  # type: ignore[no-any-return]
