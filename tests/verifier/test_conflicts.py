"""What becomes of conflicts beyond those that are listed: they never pass for none."""

from __future__ import annotations

import pytest
from front import check

from govlang.verifier import conflicts
from govlang.verifier.report import Options, Report, verify

HEAD = "input { x : number in 0..99 }\n"


def report(source: str, *, overlaps: bool = False) -> Report:
    checked = check(HEAD + source)
    return verify(checked.policy, accepts=checked.accepts, options=Options(overlaps=overlaps))


def open_conflicts(source: str) -> list[tuple[str, ...]]:
    return [f.rules for f in report(source).findings if (f.code, f.kind) == ("GOV309", "conflict")]


PAIRS = "".join(
    f"rule a{i} when x == {i} allow\n"
    f"rule d{i} when x == {i} or x == {50 + i} deny\n"
    f"rule b{i} when x == {50 + i} require human\n"
    for i in range(4)
)
ACCEPTED = "".join(f'accept GOV301 on a{i} because "known"\n' for i in range(3))


@pytest.mark.parametrize(("most", "left"), [(3, [("a3", "d3")]), (4, [])])
def test_a_full_list_of_accepted_conflicts_is_no_proof_that_there_are_no_more(
    monkeypatch: pytest.MonkeyPatch, most: int, left: list[tuple[str, ...]]
) -> None:
    monkeypatch.setattr(conflicts, "FINDINGS_A_KIND", most)
    assert open_conflicts("default deny\n" + PAIRS + ACCEPTED) == left


def test_overlaps_that_are_settled_are_no_errors_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conflicts, "FINDINGS_A_RULE", 2)
    allows = "".join(f"rule a{i} when x == {i} allow\n" for i in range(5))
    source = "combine most_restrictive\ndefault allow\nrule d when x < 90 and x > 1 deny\n" + allows
    found = report(source, overlaps=True).findings
    assert [f.severity for f in found if f.kind == "conflict"] == ["note", "note"]


@pytest.mark.parametrize(
    ("body", "settled"),
    [
        ("rule a when x < 9 allow\nrule d when x < 5 deny overrides a\n", "`overrides`"),
        ("rule d when x < 5 deny\nrule a when x < 9 allow overrides d\n", "`overrides`"),
        (
            "tiers one, two\ntier one { rule d when x < 5 deny }\ntier two { rule a when x < 9 allow }\n",
            "their tiers",
        ),
        (
            "combine most_restrictive\nrule a when x < 9 allow\nrule d when x < 5 deny\n",
            "`combine`",
        ),
    ],
)
def test_what_settles_an_overlap_is_named(body: str, settled: str) -> None:
    notes = [
        f for f in report("default deny\n" + body, overlaps=True).findings if f.kind == "conflict"
    ]
    assert [f.severity for f in notes] == ["note"]
    assert notes[0].message.endswith(f"settled by {settled}")
