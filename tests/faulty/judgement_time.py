"""Whether a verifier's report on a policy over time says what was planted in it, with a history that replays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from faulty.command import gov, verify, weighty
from faulty.expectation import Expectation


def assert_found_in_time(faulty: Path, expected: Expectation, folder: Path) -> None:
    """The report has the one finding, names what is at fault, and its history is what it claims."""
    code, report = verify(faulty)
    assert code == 1, report
    (finding,) = weighty(report)
    assert (finding["code"], finding["kind"]) == (expected.code, expected.kind)
    assert finding["property"] == expected.property
    assert set(finding["rules"]) >= set(expected.rules)
    assert {*(finding.get("detail") or {}).get("covered_by", ())} == set(expected.by)
    named = (*expected.rules, *expected.by, *([expected.property] if expected.property else []))
    assert all(f"`{name}`" in finding["message"] for name in named)
    if finding["witness"] is not None:
        _assert_replays(faulty, finding["witness"], expected, folder)
    else:
        assert finding["code"] == "GOV314"


def _assert_replays(
    faulty: Path, witness: dict[str, Any], expected: Expectation, folder: Path
) -> None:
    """`gov decide --trace` answers every request of the history as the witness says."""
    file, trace = folder / "trace.jsonl", witness["trace"]
    file.write_text("".join(json.dumps(step) + "\n" for step in trace), encoding="utf-8")
    params = [f"--param={name}={json.dumps(value)}" for name, value in witness["params"].items()]
    code, printed = gov("decide", "--format", "json", *params, "--trace", file, faulty)
    assert code == 0, printed
    outcomes = [json.loads(line) for line in printed.splitlines()]
    said = [step for step in trace if "request" in step]
    assert [(o["decision"], o["rule_id"]) for o in outcomes] == [
        (s["decision"], s["rule_id"]) for s in said
    ]
    if expected.code == "GOV301":
        assert set(outcomes[-1]["matched"]) >= set(expected.rules)
