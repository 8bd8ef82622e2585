from __future__ import annotations

import pytest

pytest.importorskip("numpy")

from benchmarks import evidence
from benchmarks.targets import CHECKED, RECORDED, verdicts


def test_every_figure_of_the_ledger_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "SYNCED", 3)
    monkeypatch.setattr(
        evidence, "ns_per_call", lambda call, stream, _: float(bool(call(stream[0])))
    )
    rows = list(evidence.evidence_rows(300))
    assert {CHECKED, RECORDED, "auditor.py", "verify --canonical"} <= {row.form for row in rows}
    assert min(row.value for row in rows) > 0
    found = {verdict.what: verdict for verdict in verdicts(rows)}
    assert found["a record of evidence"].met is True
    assert found["`gov evidence verify`, a core"].met is not None


def test_the_records_are_of_a_size_that_occurs() -> None:
    (line,), _ = evidence.lines(1)
    assert 800 <= len(line) <= 1_200
