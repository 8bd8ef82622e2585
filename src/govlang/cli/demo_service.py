"""The last part of `make demo`: the control plane in this process, three jobs, and what its ledger proves.

In: the bundle of the example for many agents.  Out: the decisions, their evidence and whether it verifies, on the
terminal.  Nothing listens and nothing stays behind.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from govlang.cli.decide import COLOURS
from govlang.runtime.control.answer import Answer
from govlang.runtime.control.service import Parts, Service
from govlang.runtime.control.settings import read_settings
from govlang.runtime.control.tokens import Caller, Role
from govlang.runtime.evidence.audit import audit

AGENT: Final = Caller("a1", frozenset({Role.AGENT}), frozenset(), None, "")
HOST: Final = {"breaker": "closed", "probes": 0, "last_minute": 0}
"""What the host knows and no request can say."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A job that is asked for, and what must come of it."""

    intent: str
    request: dict[str, Any]
    status: int
    comes: str


def _request(topic: str, environment: str, **more: Any) -> dict[str, Any]:
    plain = {"agent": "a1", "risk": 0.1, "tokens": 10, "labels": []}
    return {**plain, "topic": topic, "environment": environment, **more}


ASKED: Final = (
    Ask("read a volume", _request("infra.read", "dev"), 202, "scheduled"),
    Ask(
        "write to somebody unverified",
        _request("customer.notify", "production", recipient_scope="unverified"),
        403,
        "denied",
    ),
    Ask("delete in production", _request("infra.delete", "production"), 202, "approval_required"),
)


def show_service(console: Console, bundle: bytes) -> bool:
    """Submit the jobs, show what came of them; whether all of it is as it must be."""
    with tempfile.TemporaryDirectory(prefix="govlang-demo-") as folder:
        place = Path(folder)
        answers, lines = asyncio.run(_submitted(place, bundle))
        console.print(_table_of_answers(answers))
        console.print(_table_of_records(lines))
        found = audit(place)
    colour = "green" if found.intact else "red"
    word = "intact" if found.intact else "faulty"
    console.print(
        f"[{colour}]{word}[/]  {found.records} records, {found.covered} under a signed checkpoint, "
        f"head {found.head}",
        soft_wrap=True,
    )
    as_asked = all(
        _came(a) == (one.status, one.comes) for one, a in zip(ASKED, answers, strict=True)
    )
    return as_asked and found.intact and found.covered == found.records


async def _submitted(place: Path, bundle: bytes) -> tuple[list[Answer], list[bytes]]:
    """What the service answers, and its ledger."""
    service = Service(place, read_settings({}), bundle, parts=Parts(context=_host))
    await service.start()
    try:
        answers = [
            await service.submit(AGENT, {"request": one.request, "pool": "ops"}, one.intent)
            for one in ASKED
        ]
        return answers, list(service.rows.lines(1))
    finally:
        await service.stop()


def _host(agent: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    del agent, request
    return HOST


def _came(answer: Answer) -> tuple[int, str]:
    assert isinstance(answer.body, dict)
    return answer.status, str(answer.body.get("state", answer.body.get("code")))


def _table_of_answers(answers: list[Answer]) -> Table:
    table = Table("a1 asks to", "answer", "decision", "by", "because", box=None)
    for one, answer in zip(ASKED, answers, strict=True):
        assert isinstance(answer.body, dict)
        status, comes = _came(answer)
        decision = answer.body["decision"]
        word = decision["decision"]
        table.add_row(
            one.intent,
            f"{status} {comes}",
            f"[bold {COLOURS[word]}]{word.replace('_', ' ')}",
            escape(decision["rule_id"]),
            escape(decision["reason"]),
        )
    return table


def _table_of_records(lines: list[bytes]) -> Table:
    table = Table("seq", "evidence", "decision", "by", "hash of the record before", box=None)
    for line in lines:
        record = json.loads(line)
        named = [record["run_timeline_event"], record["decision"] or "", record["rule_id"] or ""]
        table.add_row(str(record["seq"]), *map(escape, named), record["prev"][:30] + "…")
    return table
