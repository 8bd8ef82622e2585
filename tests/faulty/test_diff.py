from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from faulty.command import decide, gov
from faulty.expectation import pairs
from faulty.meaning import EFFECTS, Meaning, meaning
from faulty.meaning import decide as decided
from faulty.samples import Sampler

from govlang.dsl import parser
from govlang.dsl.source import Source

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "faulty"
BOTH_WAYS = [pair for a, b in pairs(FOLDER) for pair in ((a, b), (b, a))]
IDS = [f"{old.parent.name}/{old.stem}" for old, _ in BOTH_WAYS]
REQUESTS = 100


def read(path: Path) -> tuple[Any, Meaning]:
    tree = parser.parse(Source(path.name, path.read_text(encoding="utf-8")))
    return tree, meaning(tree)


def seen(old: Path, new: Path) -> tuple[bool, bool]:
    """Whether some sampled request is decided differently, and whether some is decided looser."""
    if "limits" in old.parent.name:
        return False, False  # the second reading does not look at the ranges of limits
    tree, before = read(old)
    _, after = read(new)
    sampler = Sampler(tree, before, seed=len(old.name))
    requests = [sampler.request(sampler.params()) for _ in range(REQUESTS)]
    ranks = [
        tuple(EFFECTS.index(decided(version, values).decision) for version in (before, after))
        for values in requests
    ]
    return any(a != b for a, b in ranks), any(b < a for a, b in ranks)


@pytest.mark.parametrize(("old", "new"), BOTH_WAYS, ids=IDS)
def test_what_a_token_changes_is_found_and_shown(old: Path, new: Path) -> None:
    code, printed = gov("diff", "--format", "json", old, new)
    report = json.loads(printed)
    findings = report["findings"]
    assert all(f["code"] == "GOV308" for f in findings)
    assert code == bool(findings or report["declarations"])
    if not same_params(old, new):
        return
    for finding in findings:
        (step,) = finding["witness"]["trace"]
        outcome = decide(new, step, finding["witness"]["params"])
        assert (outcome["decision"], outcome["rule_id"]) == (step["decision"], step["rule_id"])
    changed, looser = seen(old, new)
    assert findings or not changed
    assert not looser or any(f["detail"]["direction"] == "looser" for f in findings)


def same_params(old: Path, new: Path) -> bool:
    """Whether both versions can be deployed with the same parameters."""
    (_, a), (_, b) = read(old), read(new)
    return {n: p.type for n, p in a.params.items()} == {n: p.type for n, p in b.params.items()}
