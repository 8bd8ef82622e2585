from __future__ import annotations

import json
from pathlib import Path

import pytest
from faulty.command import gov, verify, weighty

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
POLICIES = [*sorted((EXAMPLES / "stateless").glob("*.gov")), EXAMPLES / "loan_desk" / "policy.gov"]
IDS = [path.relative_to(EXAMPLES).as_posix() for path in POLICIES]


def test_the_examples_are_all_here() -> None:
    assert IDS == [
        "stateless/coding_agent.gov",
        "stateless/control_plane.gov",
        "stateless/drone_fleet.gov",
        "stateless/microgrid.gov",
        "loan_desk/policy.gov",
    ]


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_an_example_verifies_without_errors_and_warnings(policy: Path) -> None:
    code, report = verify(policy)
    assert weighty(report) == []
    assert (code, report["status"]) == (0, "proved")


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_the_tests_inside_an_example_pass(policy: Path) -> None:
    code, printed = gov("test", "--fail-on-empty", policy)
    assert code == 0, printed


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_the_tests_inside_an_example_reach_every_rule(policy: Path) -> None:
    code, printed = gov("test", "--coverage", "--format", "json", policy)
    assert code == 0, printed
    assert json.loads(printed)["coverage"]["rules"]["missing"] == []


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_an_example_is_in_the_one_layout(policy: Path) -> None:
    code, printed = gov("fmt", "--check", policy)
    assert code == 0, printed


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_the_bundle_of_an_example_passes_its_tests_too(policy: Path, tmp_path: Path) -> None:
    code, printed = gov("build", policy, "-o", tmp_path)
    assert code == 0, printed
    (bundle,) = tmp_path.glob("*.govb")
    code, printed = gov("test", bundle)
    assert code == 0, printed


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_a_second_solver_confirms_every_question_of_an_example_and_its_artefacts(
    policy: Path, tmp_path: Path
) -> None:
    code, printed = gov("build", policy, "-o", tmp_path)
    assert code == 0, printed
    (bundle,) = tmp_path.glob("*.govb")
    code, printed = gov("verify", "--cross-check", "--format", "json", bundle)
    assert code == 0, printed
    told = json.loads(printed)["cross_check"]
    assert told["questions"] == told["confirmed"] > 20, told


def imported(tmp_path: Path, *arguments: str | Path) -> Path:
    """The policy that `gov import` writes, checked to verify clean."""
    code, text = gov("import", *arguments)
    assert code == 0, text
    policy = tmp_path / "imported.gov"
    policy.write_text(text, encoding="utf-8")
    code, report = verify(policy)
    assert weighty(report) == []
    assert code == 0
    return policy


def decided(policy: Path, request: dict[str, object]) -> tuple[str, str]:
    """What the policy decides, and by which rule."""
    code, text = gov("decide", "--format", "json", "--input", json.dumps(request), policy)
    assert code == 0, text
    outcome = json.loads(text)
    return outcome["decision"], outcome["rule_id"]


SAFE: dict[str, object] = {
    "topic": "report.sales",
    "risk_tags": [],
    "requires": [],
    "secrets_present": False,
}
JOBS: list[tuple[dict[str, object], str, str]] = [
    ({}, "allow", "reports"),
    ({"secrets_present": True}, "deny", "no-secrets"),
    ({"topic": "job.run", "tenant": "initech"}, "deny", "frozen-tenants"),
    ({"topic": "infra.delete", "environment": "production"}, "require_human", "prod-delete"),
    ({"topic": "infra.delete", "environment": "staging"}, "deny", "default"),
    (
        {"topic": "db.drop", "risk_tags": ["destructive"], "mode": "apply"},
        "require_human",
        "destructive-without-dry-run",
    ),
    ({"topic": "db.drop", "risk_tags": ["destructive"], "mode": "plan"}, "deny", "default"),
    ({"risk_score": 0.8}, "allow", "reports"),
    ({"risk_score": 0.801}, "throttle", "risky-score"),
    (
        {
            "topic": "payment.refund",
            "actor_type": "agent",
            "requires": ["payments", "ledger"],
        },
        "limit",
        "robots-pay-little",
    ),
    ({"topic": "code.change", "capability": "code.edit"}, "limit", "code-changes"),
]


def test_a_safety_yaml_becomes_a_policy_that_decides_as_it_says(tmp_path: Path) -> None:
    policy = imported(tmp_path, "safety-yaml", EXAMPLES / "safety.yaml")
    for change, decision, rule in JOBS:
        assert decided(policy, {**SAFE, **change}) == (decision, rule), change


LOGIC = EXAMPLES / "jsonlogic"
ASKED = {
    "score": 640, "amount": 20_000, "income": 40_000, "open_debt": 0, "purpose": "car",
    "employer": "city", "marks": ["verified"], "resident": True,
}  # fmt: skip
PREAPPROVED = [
    ({}, "allow"),
    ({"score": 619}, "deny"),
    ({"amount": 999}, "deny"),
    ({"amount": 25_001}, "deny"),
    ({"purpose": "home"}, "deny"),
    ({"marks": []}, "deny"),
    ({"marks": ["verified", "frozen"]}, "deny"),
    ({"resident": False}, "allow"),
    ({"resident": False, "employer": "temporary work ltd"}, "deny"),
    ({"resident": False, "employer": None}, "deny"),
]
CEILINGS = [
    ({}, "allow"),
    ({"amount": 40_001}, "deny"),
    ({"purpose": "home", "amount": 160_000}, "allow"),
    ({"purpose": "home", "amount": 160_001}, "deny"),
    ({"purpose": "other", "score": 701}, "allow"),
    ({"purpose": "other"}, "deny"),
    ({"purpose": "other", "score": 701, "open_debt": 15_001}, "deny"),
    ({"purpose": "other", "score": 701, "open_debt": None}, "allow"),
]


@pytest.mark.parametrize(
    ("file", "cases"), [("preapproval.json", PREAPPROVED), ("ceiling.json", CEILINGS)]
)
def test_json_logic_becomes_a_policy_that_decides_as_it_says(
    file: str, cases: list[tuple[dict[str, object], str]], tmp_path: Path
) -> None:
    policy = imported(tmp_path, "jsonlogic", LOGIC / file, "--schema", LOGIC / "FIELDS.gov")
    for change, decision in cases:
        request = {name: v for name, v in {**ASKED, **change}.items() if v is not None}
        assert decided(policy, request)[0] == decision, change


def test_a_policy_that_asks_nobody_ignores_who_approved() -> None:
    policy = EXAMPLES / "faulty" / "property_combine" / "first_match_order.fixed.gov"
    request = '{"role": "guest", "network": "lab", "signal": 3}'
    code, text = gov(
        "decide", "--format", "json", "--runtime", '{"approved": ["lead"]}', "--input", request, policy
    )  # fmt: skip
    assert (code, json.loads(text)["rule_id"]) == (0, "guests")
