"""A real `gov serve` in a process of its own, with tokens, for what must hold of clients and gateway together."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from govlang.client import GovClient

SAID = re.compile(r"(http://[\d.:]+).*(gov_\w+)\s", re.DOTALL)


@dataclass(frozen=True)
class Real:
    """A gateway, and the token of an agent `a1` that is a worker too, and of an approver."""

    url: str
    operator: str
    agent: str
    approver: str


@contextmanager
def real_gateway(bundle: Path, data: Path) -> Iterator[Real]:
    """The gateway, until the block ends."""
    gov = Path(sys.executable).parent / "gov"
    words = [str(gov), "serve", str(bundle), "--port", "0", "--data", str(data)]
    log = data.parent / "serve.log"
    with log.open("wb") as file:
        running = subprocess.Popen(words, stdout=file, stderr=file, cwd=data.parent)
    try:
        while not (found := SAID.search(log.read_text("utf-8"))):
            assert running.poll() is None, log.read_text("utf-8")
            time.sleep(0.02)
        url, operator = found[1], found[2]
        with GovClient(url, operator) as client:
            agent = client.create_token(["agent", "worker"], ttl_s=600, agent="a1", pools=["*"])
            approver = client.create_token(["approver"], ttl_s=600, agent="eve", approves=["sre"])
        yield Real(url, operator, agent.token, approver.token)
    finally:
        running.terminate()
        running.wait(timeout=20)
