"""The policies that the service runs on: committed as bundles, which are what their sources build to."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty.command import gov

from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_file
from govlang.runtime.bundle import load_bundle
from govlang.runtime.control.job_machine import JobState

ROOT = Path(__file__).resolve().parents[3]
BUILTIN = ROOT / "runtime/builtin"
SOURCES = {
    "job-1.0.0.govb": BUILTIN / "job.gov",
    "outage-1.0.0.govb": BUILTIN / "outage.gov",
    "incident-1.0.0.govb": BUILTIN / "incident.gov",
    "breaker-1.0.0.govb": ROOT / "examples/breaker.gov",
}
AGREED = (
    "nothing_is_dispatched_without_a_gate",
    "what_waits_for_a_person_waits",
    "only_what_was_dispatched_runs",
    "succeeded_is_final",
    "an_illegal_move_changes_nothing",
    "every_job_can_end",
)


def test_every_bundle_has_its_source() -> None:
    assert {path.name for path in BUILTIN.glob("*.govb")} == SOURCES.keys()


@pytest.mark.parametrize("name", SOURCES)
def test_a_bundle_holds_the_core_and_the_table_of_its_source(name: str) -> None:
    bundle, compiled = (
        load_bundle(BUILTIN / name),
        compile_policy(compile_file(SOURCES[name]).policy),
    )
    assert bundle.core == compiled.core
    assert bundle.table == compiled.table


@pytest.mark.parametrize("name", SOURCES)
def test_everything_that_a_bundle_claims_is_proved(name: str) -> None:
    manifest = load_bundle(BUILTIN / name).manifest
    assert {proof.verdict for proof in manifest.proofs} == {"proved"}
    assert manifest.accepted == []


@pytest.mark.long
@pytest.mark.parametrize("name", SOURCES)
def test_a_bundle_is_built_again_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    code, printed = gov("build", "--strict", "-o", tmp_path, SOURCES[name])
    assert code == 0, printed
    assert (tmp_path / name).read_bytes() == (BUILTIN / name).read_bytes()


def test_what_was_agreed_of_jobs_is_among_what_is_proved() -> None:
    proved = {proof.property for proof in load_bundle(BUILTIN / "job-1.0.0.govb").manifest.proofs}
    assert set(AGREED) <= proved


def test_the_states_of_jobs_are_numbered_as_in_the_table() -> None:
    time = compile_file(BUILTIN / "job.gov").policy.time
    assert time is not None
    assert time.cell("state").field.members == tuple(JobState)


def test_the_tests_in_the_policy_of_jobs_take_every_transition() -> None:
    code, printed = gov("test", "--coverage", "--fail-on-empty", BUILTIN / "job.gov")
    assert code == 0, printed
    assert "transitions 34 of 34, 100.0 %" in printed


@pytest.mark.parametrize("source", sorted(BUILTIN.glob("*.gov")), ids=lambda path: path.stem)
def test_a_policy_of_the_service_is_in_the_one_layout(source: Path) -> None:
    code, printed = gov("fmt", "--check", source)
    assert code == 0, printed
