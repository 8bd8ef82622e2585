"""`always possible`: proved by continuations from every state, refuted by a history into a closed set."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.findings import Trace
from govlang.verifier.report import Report, verify

HEADER = """language 1
policy p version "1.0.0"
default deny
input {
  agent : key
  size  : number in 0..9
}
event ok
event bad
"""


def verified(source: str) -> Report:
    return verify(compile_source(Source("p.gov", HEADER + source)).policy)


def test_what_a_wait_brings_back_is_proved() -> None:
    report = verified(
        "machine m {\n  start up\n  up -> down when count(bad) since ok >= 3\n  down -> up after 30 s\n}\n"
        "rule a when m is up and size > 1 allow\n"
        "prove back: always possible (decision is allow)\n"
        "prove down: always possible (m is down)\n"
    )
    proofs = {p.property: p.method for p in report.proved if p.kind == "property"}
    assert set(proofs) == {"back", "down"}
    assert all(method.endswith("cover every state") for method in proofs.values())


def test_a_machine_that_gets_stuck_is_shown_by_the_history_that_leads_there() -> None:
    report = verified(
        "machine m {\n  start up\n  up -> down when count(bad) in 1 min >= 3\n  down -> worse on bad\n"
        "  worse -> down on ok\n}\n"
        "rule a when m is up allow\nprove back: always possible (decision is allow)\n"
    )
    (found,) = [one for one in report.findings if one.code == "GOV306"]
    assert found.property == "back"
    assert isinstance(found.witness, Trace)
    assert [step.get("event") for step in found.witness.steps] == ["bad", "bad", "bad"]


def test_what_never_happens_is_refuted_without_a_machine_to_blame() -> None:
    report = verified(
        "rule a when size > 3 and bad within 1 min allow\n"
        "prove both: always possible (decision is throttle)\n"
    )
    (found,) = [one for one in report.findings if one.code == "GOV306"]
    assert isinstance(found.witness, Trace)
    assert len(found.witness.steps) == 1


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("rule a when gap > 1 s allow\n", "`gap`"),
        ('rule a when agent == "x" and bad within 1 s allow\n', "the text of `agent`"),
    ],
)
def test_what_is_beyond_the_method_is_undecided(source: str, why: str) -> None:
    report = verified(source + "prove back: always possible (decision is allow)\n")
    (found,) = [one for one in report.findings if one.property == "back"]
    assert found.code == "GOV309"
    assert why in found.help


def test_a_way_of_many_samples_is_proved_from_its_end() -> None:
    report = verified(
        "machine a {\n  start up\n  up -> down on bad\n  down -> low on ok\n  low -> lower on bad\n"
        "  lower -> mid on ok\n  mid -> high on bad\n  high -> up on ok\n}\n"
        "rule r when a is up and size > 1 allow\nprove back: always possible (decision is allow)\n"
    )
    assert report.status == "proved", [one.message for one in report.findings]
