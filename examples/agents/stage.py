"""The stage: a real `gov serve` with tokens and a real `gov worker`, as child processes on this machine's loopback.

In: a folder and a bundle.  Out: clients that hold the token of each who takes part.  Both processes are ended, whatever
happens.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from govlang.client import GovClient, Patience

HERE: Final = Path(__file__).resolve().parent
GOV: Final = (sys.executable, "-m", "govlang.cli")
LEASE_S: Final = "4"
"""A worker hears after a third of it that its work was called off; 30 s where nobody watches a terminal."""
TTL_S: Final = 3600
STOP_S: Final = 20

WHO: Final = {
    "planner": {"roles": ["agent", "approver"], "approves": ["sre-oncall"]},
    "ops": {"roles": ["agent", "worker"], "pools": ["ops"]},
    "oncall": {"roles": ["approver"], "approves": ["sre-oncall"]},
    "scanner": {"roles": ["worker"], "events": ["secret_detected"]},
    "auditor": {"roles": ["auditor"]},
}
"""Who takes part. The planner may even approve for `sre-oncall`: not what it asked for itself. The scanner reports
the one event that its token lists, and leases from no pool: it names none."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Clients, and the data directory."""

    data: Path
    planner: GovClient
    ops: GovClient
    oncall: GovClient
    scanner: GovClient
    auditor: GovClient
    operator: GovClient


@contextmanager
def set_up(folder: Path, bundle: Path) -> Iterator[Stage]:
    """A service over `folder` with a worker of the pool `ops`; both have ended behind it."""
    data = folder / "data"
    with ExitStack() as stack:
        url, first_token = stack.enter_context(service(bundle, data, folder / "serve.log"))
        operator = stack.enter_context(client(url, first_token))
        tokens = {
            name: operator.create_token(ttl_s=TTL_S, agent=name, **given).token
            for name, given in WHO.items()
        }
        clients = {name: stack.enter_context(client(url, text)) for name, text in tokens.items()}
        stack.enter_context(worker(url, tokens["ops"], folder / "worker.log"))
        yield Stage(data, operator=operator, **clients)


def client(url: str, token: str) -> GovClient:
    """A client that does not try again what was refused: the story is told as it comes."""
    return GovClient(url, token, patience=Patience(tries=1))


@contextmanager
def service(bundle: Path, data: Path, log: Path) -> Iterator[tuple[str, str]]:
    """`gov serve`; where it listens, and the operator's token, which it prints once."""
    words = ("serve", str(bundle), "--port", "0", "--data", str(data))
    with running(words, log, {"GOV_LEASE_S": LEASE_S}) as process:
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            found = re.search(r"listening\s+(\S+)[\s\S]*^token\s+(\S+)", said, re.MULTILINE)
            if found:
                break
        else:
            raise SystemExit(f"the service did not start:\n{said}{log.read_text('utf-8')}")
        yield found[1], found[2]


@contextmanager
def worker(url: str, token: str, log: Path) -> Iterator[None]:
    """`gov worker` with the tools of the ops agent; its token comes from the environment."""
    words = ("worker", "--url", url, "--pool", "ops", "--plugin", "entry:tools:run")
    more = {"GOV_TOKEN": token, "GATEWAY_URL": url}
    with running((*words, "--concurrency", "4", "--name", "w1", "--grace", "1"), log, more):
        yield


@contextmanager
def running(
    words: tuple[str, ...], log: Path, more: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A command as a child process, ended by SIGTERM, and by SIGKILL if that is not enough."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GOV_", "POLICY_CHECK_"))}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            (*GOV, *words),
            cwd=HERE,
            env={**kept, **more},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
