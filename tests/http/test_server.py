from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable

from asgi_call import call
from fake_service import FakeService, bearer, fake_app

from govlang.runtime.http.server import DrainingServer, server


async def send(port: int, method: str, path: str, plain: object = None) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"" if plain is None else json.dumps(plain).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        "host: x",
        "connection: close",
        f"content-length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in bearer("every").items()]
    lines += ["content-type: application/json", "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    try:
        answer = await reader.read()
    finally:
        writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), rest


async def seen(what: Callable[[], bool]) -> None:
    while not what():  # noqa: ASYNC110  # uvicorn has a flag, no event
        await asyncio.sleep(0.005)


async def begun(made: DrainingServer) -> int:
    """The port, as soon as the server listens."""
    await seen(lambda: made.started)
    return int(made.servers[0].sockets[0].getsockname()[1])


async def until(service: FakeService, name: str) -> None:
    await seen(lambda: any(one[0] == name for one in service.calls))


def test_readiness_goes_first_and_whoever_waits_is_released() -> None:
    async def run() -> None:
        service = FakeService()
        made = server(fake_app(service), "127.0.0.1", 0, drain_s=0.3)
        serving = asyncio.create_task(made.serve())
        port = await begun(made)
        assert (await send(port, "GET", "/readyz"))[0] == 200
        waits = {"worker": "w", "wait_s": 30}
        polling = asyncio.create_task(send(port, "POST", "/v1/pools/idle/lease", waits))
        await until(service, "wait")
        os.kill(os.getpid(), signal.SIGTERM)
        assert await polling == (200, b'{"jobs":[]}')
        status, body = await send(port, "GET", "/readyz")
        assert (status, json.loads(body)["code"]) == (503, "not_ready")
        assert (await send(port, "GET", "/healthz"))[0] == 200
        assert (await send(port, "POST", "/v1/policy/evaluate", {"request": {}}))[0] == 200
        await serving
        assert not made.force_exit

    asyncio.run(asyncio.wait_for(run(), 20))


def test_what_is_in_flight_is_finished() -> None:
    class Slow(FakeService):
        async def evaluate(self, caller, body, *, record):  # noqa: ANN202  # as its parent
            self.note(None, "begun")
            await asyncio.sleep(0.4)
            return await super().evaluate(caller, body, record=record)

    async def run() -> None:
        service = Slow()
        made = server(fake_app(service), "127.0.0.1", 0, drain_s=0.0)
        serving = asyncio.create_task(made.serve())
        port = await begun(made)
        asking = asyncio.create_task(send(port, "POST", "/v1/policy/evaluate", {"request": {}}))
        await until(service, "begun")
        made.drain()
        assert (await asking)[0] == 200
        await serving

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_worker_that_leaves_while_it_waits_gets_no_job() -> None:
    async def run() -> None:
        service = FakeService()
        made = server(fake_app(service), "127.0.0.1", 0, drain_s=0.0)
        serving = asyncio.create_task(made.serve())
        port = await begun(made)
        polling = asyncio.create_task(
            send(port, "POST", "/v1/pools/idle/lease", {"worker": "w", "wait_s": 30})
        )
        await until(service, "wait")
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await until(service, "cancelled")
        made.drain()
        await serving

    asyncio.run(asyncio.wait_for(run(), 20))


def test_the_server_says_nothing_of_itself_and_keeps_no_forged_address() -> None:
    made = server(fake_app(), "127.0.0.1", 0)
    assert made.config.proxy_headers is False
    assert made.config.server_header is False
    assert made.config.access_log is False


def test_a_stop_before_a_poll_is_seen_by_readiness() -> None:
    service = FakeService()
    app = fake_app(service)
    assert call(app, "GET", "/readyz").status == 200
    app.state.stop.begin()
    reply = call(app, "GET", "/readyz")
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "not_ready", "1")
    assert service.released.is_set()


def test_a_socket_that_listens_already_is_taken() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            made = server(fake_app(), "127.0.0.1", 0, drain_s=0.0)
            serving = asyncio.create_task(made.serve([listening]))
            await seen(lambda: made.started)
            assert (await send(listening.getsockname()[1], "GET", "/healthz"))[0] == 200
            made.drain()
            await serving

    asyncio.run(asyncio.wait_for(run(), 20))
