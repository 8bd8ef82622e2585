"""Our own rows: the table from C, and Python with dicts, JSON and columns in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from benchmarks.measure import Row, ns_per_call, seconds_of
from benchmarks.model import NO_RULE, Labels
from benchmarks.rows import OPTIMISE, Case, same_decisions, small_columns
from benchmarks.small import FIELDS, ZONES
from benchmarks.source import gov_source
from benchmarks.table import Table, driver
from benchmarks.targets import (
    ARROW,
    DICT,
    FROM_TEXT,
    JSON,
    LOAD,
    MANY_ROWS,
    NUMPY,
    STRUCT,
    TABLE_BYTES,
)
from govlang import Policy
from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

SUBJECT = "govlang"


def table_of(case: Case) -> bytes:
    """The compiled table of the workload's own .gov text."""
    checked = compile_source(Source(f"{case.label}.gov", gov_source(case.workload)))
    return compile_policy(checked.policy).table


def decision_rows(case: Case) -> Iterator[Row]:
    """Struct, text, dict, JSON and columns in; load time and size."""
    table = table_of(case)
    yield case.row(SUBJECT, TABLE_BYTES, len(table), "bytes")
    yield case.row(SUBJECT, LOAD, seconds_of(lambda: Policy(table), 5) * 1e3, "ms")
    for flags in OPTIMISE:
        yield from engine_rows(case, Table(driver(flags), table), flags)
    policy = Policy(table)
    names = {rule.name: at for at, rule in enumerate(case.workload.rules)} | {"default": NO_RULE}
    found = [names[policy.decide(request).rule_id] for request in case.requests]
    same_decisions(case, "govlang from dicts", found)
    yield case.row(SUBJECT, DICT, ns_per_call(policy.decide, case.python_requests, 1.5))
    texts = [json.dumps(request).encode() for request in case.python_requests]
    same_decisions(
        case,
        "govlang from JSON",
        [names[policy.decide_json(text).rule_id] for text in texts],
    )
    yield case.row(SUBJECT, JSON, ns_per_call(policy.decide_json, texts, 1.0))
    yield from batch_rows(case, policy)


def engine_rows(case: Case, table: Table, flags: str) -> Iterator[Row]:
    """The engine alone, timed inside C."""
    timed = table.struct_in(case.requests)
    same_decisions(case, "table, struct in", timed.decisions)
    yield case.row(SUBJECT, f"{STRUCT}, gcc {flags}", timed.ns)
    if case.label == "text":
        timed = table.from_text(case.requests)
        same_decisions(case, "table, from text", timed.decisions)
        yield case.row(SUBJECT, f"{FROM_TEXT}, gcc {flags}", timed.ns)


def batch_rows(case: Case, policy: Policy) -> Iterator[Row]:
    """The stream as Arrow columns."""
    columns = arrow_columns(case)
    same_decisions(case, "govlang from columns", policy.decide_batch(columns).rules.tolist())
    seconds = seconds_of(lambda: policy.decide_batch(columns), 7)
    yield case.row(
        SUBJECT,
        ARROW + ", 65 536 rows, members as texts",
        len(case.requests) / seconds / 1e6,
        "M decisions/s",
    )


def arrow_columns(case: Case) -> pa.Table:
    """The requests as an Arrow table, sets as lists of strings."""
    arrays: dict[str, Any] = {}
    for field in case.workload.fields:
        kind = pa.list_(pa.string()) if isinstance(field, Labels) else None
        arrays[field.name] = pa.array([request[field.name] for request in case.requests], type=kind)
    return pa.table(arrays)


def column_rows(case: Case) -> Iterator[Row]:
    """The eight rules on four million rows of six integer columns."""
    policy = Policy(table_of(case))
    columns = small_columns()
    zones = pa.DictionaryArray.from_arrays(pa.array(columns[5], pa.int64()), pa.array(ZONES))
    arrow = {
        field.name: pa.array(column) for field, column in zip(FIELDS, columns, strict=True)
    } | {"zone": zones}
    numpy = {field.name: column for field, column in zip(FIELDS, columns, strict=True)} | {
        "zone": (columns[5], ZONES)
    }
    for form, given in ((ARROW, pa.table(arrow)), (NUMPY, numpy)):
        policy.decide_batch(given)
        seconds = seconds_of(lambda given=given: policy.decide_batch(given), 7)  # type: ignore[misc]
        yield case.row(
            SUBJECT, f"{form}, {MANY_ROWS}", len(columns[0]) / seconds / 1e6, "M decisions/s"
        )
