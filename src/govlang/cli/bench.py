"""`gov bench FILE`: how long a decision takes on each backend, on generated requests."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import click

from govlang.cli.bench_over_time import Histories
from govlang.cli.compiled import compile_policy
from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.samples import reports, requests
from govlang.cli.subject import Subject, open_subject
from govlang.compiler import ir
from govlang.compiler.interpret import Value, default_params
from govlang.compiler.interpret import decide as interpret
from govlang.compiler.requests import write_request
from govlang.runtime.policy import Policy

ROUNDS: Final = 5
INTERPRETED: Final = 20_000
"""Rules times requests for the interpreter, which is slow on purpose."""


@click.command(name="bench")
@file_argument()
@click.option(
    "--requests",
    "count",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    metavar="N",
    help="how many requests",
)
@format_option()
@guarded
def command(file: Path, count: int, style: str) -> int:
    """Measure FILE, a policy or a bundle, on N random requests in a shuffled order."""
    report = measure(open_subject(file), count)
    click.echo(json_text(report)) if style == "json" else _show(report)
    return Exit.OK


@dataclass(frozen=True, slots=True)
class Workload:
    """A policy with requests in the form that each backend takes."""

    policy: ir.Policy
    decider: Policy
    values: list[dict[str, Value]]
    plain: list[tuple[dict[str, Any], dict[str, Any]]]
    texts: list[str]

    def by_interpreter(self) -> None:
        """The reference interpreter, on the first requests."""
        params = default_params(self.policy)
        for one in self.values[: self.interpreted]:
            interpret(self.policy, params, one)

    @property
    def interpreted(self) -> int:
        """How many requests the interpreter gets."""
        return min(len(self.values), max(10, INTERPRETED // max(1, len(self.policy.rules))))

    def by_dict(self) -> None:
        """A dict for the request and one for the host's part, fully checked."""
        for request, host in self.plain:
            self.decider.decide(request, now_ms=0, runtime=host)

    def by_json(self) -> None:
        """The request as JSON text."""
        for text, (_, host) in zip(self.texts, self.plain, strict=True):
            self.decider.decide_json(text, now_ms=0, runtime=host)

    def runs(self) -> Iterator[tuple[str, Callable[[], object], int]]:
        """Each backend, how it is run, and on how many requests."""
        yield "interpreter", self.by_interpreter, self.interpreted
        yield "dict", self.by_dict, len(self.plain)
        yield "json", self.by_json, len(self.texts)
        if (batch := _by_batch(self.decider, self.plain)) is not None:
            yield "columns", batch, len(self.plain)

    @property
    def decisions(self) -> dict[str, int]:
        """How often each decision comes out."""
        found = [self.decider.decide(r, now_ms=0, runtime=h).decision.value for r, h in self.plain]
        return {word: found.count(word) for word in sorted(set(found))}


def workload(subject: Subject, count: int) -> Workload | Histories:
    """So many requests of a policy; over time as many events and signals, too."""
    policy = subject.checked.policy
    table = subject.bundle.table if subject.bundle else compile_policy(policy).table
    values = list(requests(policy, count))
    written = [write_request(policy, one) for one in values]
    plain = [(_floats(request), _floats(host)) for request, host in written]
    if policy.time is not None:
        told = [_told(one) for one in reports(policy, policy.time, count)]
        return Histories(policy, policy.time, table, values, plain, told)
    texts = [json_text(request) for request, _ in plain]
    return Workload(policy, Policy(table), values, plain, texts)


def measure(subject: Subject, count: int) -> dict[str, Any]:
    """The median time that a decision takes on each backend, in ns."""
    load = workload(subject, count)
    rows = [_row(*one) for one in load.runs()]
    return {
        "file": str(subject.path),
        "policy": load.policy.name,
        "version": load.policy.version,
        "rules": len(load.policy.rules),
        "requests": count,
        "decisions": load.decisions,
        "backends": rows,
    }


def _by_batch(decider: Policy, plain: list[Any]) -> Callable[[], None] | None:
    """Whole Arrow columns, where Arrow and NumPy are installed."""
    try:
        import numpy as np
        import pyarrow as pa
    except ImportError:
        return None
    del np  # `decide_batch` needs it, nothing here does
    columns = _columns(pa, decider, [request for request, _ in plain])
    host = _columns(pa, decider, [host for _, host in plain])

    def by_batch() -> None:
        decider.decide_batch(columns, runtime=host, now_ms=0)

    return by_batch


def _columns(pa: Any, decider: Policy, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A column for each field that any row has."""
    present = {name for row in rows for name in row}
    fields = [field for field in decider.fields if field.name in present]
    return {f.name: pa.array([row.get(f.name) for row in rows], _arrow(pa, f.kind)) for f in fields}


def _arrow(pa: Any, kind: str) -> Any:
    match kind:
        case "bool":
            return pa.bool_()
        case "number":
            return pa.float64()
        case "time" | "duration":
            return pa.int64()
        case "set":
            return pa.list_(pa.string())
        case _:
            return pa.string()


def _row(name: str, run: Callable[[], object], count: int) -> dict[str, Any]:
    """The median of some rounds, the collector off; a round may tell the ns that count."""
    run()
    times = []
    gc.disable()
    try:
        for _ in range(ROUNDS):
            start = perf_counter_ns()
            told = run()
            times.append(told if isinstance(told, int) else perf_counter_ns() - start)
    finally:
        gc.enable()
    ns = sorted(times)[ROUNDS // 2] / count
    return {"backend": name, "ns": round(ns, 1), "per_second": round(1e9 / ns)}


def _told(one: dict[str, Any]) -> dict[str, Any]:
    """A report as a caller would have it."""
    return _floats(one | ({"fields": _floats(one["fields"])} if "fields" in one else {}))


def _floats(values: dict[str, Any]) -> dict[str, Any]:
    """Exact decimals as the binary floats that a caller would have."""
    return {k: float(v) if isinstance(v, Decimal) else v for k, v in values.items()}


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    shares = ", ".join(f"{count} {word}" for word, count in report["decisions"].items())
    click.echo(
        f"{report['policy']} {report['version']}: {report['rules']} rules, {report['requests']} requests ({shares})"
    )
    one = "sample" if any(row["backend"] == "commit" for row in report["backends"]) else "decision"
    table = Table("backend", f"ns a {one}", f"{one}s a second", box=None)
    for row in report["backends"]:
        table.add_row(row["backend"], f"{row['ns']:,.1f}", f"{row['per_second']:,}")
    Console().print(table)
