from __future__ import annotations

import shutil

import pytest
from benchmarks.generate import KINDS, generate_workload
from benchmarks.model import NO_RULE, Workload
from benchmarks.small import small_workload
from benchmarks.source import gov_source

workloads = pytest.mark.parametrize(
    "workload",
    [small_workload(), *(generate_workload(size, 1, kind) for kind in KINDS for size in (10, 40))],
    ids=lambda workload: f"{workload.name}-{len(workload.rules)}",
)


@workloads
def test_a_workload_verifies_without_an_error_or_a_warning(workload: Workload) -> None:
    pytest.importorskip("z3")
    from govlang.compiler.frontend import compile_source
    from govlang.dsl.source import Source
    from govlang.verifier.report import verify

    checked = compile_source(Source(f"{workload.name}.gov", gov_source(workload)))
    report = verify(checked.policy, accepts=checked.accepts)
    assert report.status == "proved"
    assert {finding.severity for finding in report.findings} <= {"note"}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("kind", [None, *KINDS])
def test_every_road_into_the_table_names_the_same_rule(kind: str | None) -> None:
    pytest.importorskip("numpy")
    pytest.importorskip("pyarrow")
    from benchmarks.ours import arrow_columns, table_of
    from benchmarks.rows import generated_case, same_decisions, small_case
    from benchmarks.table import Table, driver

    from govlang import Policy

    case = small_case(300) if kind is None else generated_case(60, kind, 300)
    data = table_of(case)
    policy, table = Policy(data), Table(driver("-O2"), data)
    names = {rule.name: at for at, rule in enumerate(case.workload.rules)} | {"default": NO_RULE}
    same_decisions(case, "struct in", table.struct_in(case.requests).decisions)
    same_decisions(case, "dict in", [names[policy.decide(r).rule_id] for r in case.requests])
    same_decisions(case, "columns in", policy.decide_batch(arrow_columns(case)).rules.tolist())
    if kind == "text":
        same_decisions(case, "from text", table.from_text(case.requests).decisions)
