from __future__ import annotations

import random
from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

import pytest
import yaml
from odd_trees import exchanged

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.importers.safety_yaml import import_safety_yaml
from govlang.compiler.interpret import decide
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request
from govlang.dsl import ast
from govlang.dsl.diagnostics import GovError
from govlang.dsl.parser import parse
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source

WHOLE = """
default_decision: deny
rules:
  - id: probe-allow
    match: {topics: [job.default, "job.*.probe"], labels: {_internal: "true", env-name: prod}}
    decision: allow
    reason: Internal
  - id: tagged
    when: {topic: x.y, risk_tags: [write, delete], requires: [gpu], label_threshold: {amount: 300.5}}
    decision: allow_with_constraints
    constraints: {budgets: {max_runtime_ms: 30000}, sandbox: {network_allowlist: [a, b]}}
  - id: listed
    match: {tenants: [acme, beta], label_allowlist: {region: [eu, us]}, secrets_present: false}
    decision: require_approval
  - id: rest
    decision: deny
    remediations: [{id: ask, title: Ask first, replacement_topic: t.x, add_labels: {env-name: dev}}]
"""


def imported(text: str, default: ast.Effect | None = None) -> str:
    return print_policy(import_safety_yaml(Source("safety.yaml", text), "safety", default))


def rule(body: str) -> str:
    return f"rules:\n  - id: r\n    decision: deny\n    {body}\n"


def faults(text: str) -> list[tuple[str, str, int]]:
    with pytest.raises(GovError) as caught:
        imported(text)
    return [(d.code, d.message, d.span.line if d.span else 0) for d in caught.value.diagnostics]


def test_a_whole_file_becomes_a_policy_that_parses_back() -> None:
    text = imported(WHOLE)
    assert parse(Source("out.gov", text)) == import_safety_yaml(Source("s", WHOLE), "safety")
    for expected in (
        "combine first_match",
        "default deny",
        'topic == "job.default" or topic like "job.**.probe"',
        "has _internal",
        'env_name == "prod"',
        "risk_tags contains any {write, delete}",
        "requires contains all {gpu}",
        "amount > 300.5",
        'limit max_runtime_ms to 30000 and do set_network_allowlist(value = "[\\"a\\", \\"b\\"]")',
        'tenant in {"acme", "beta"}',
        'not region in {"eu", "us"}',
        "not secrets_present",
        "require human",
        'remedy "Ask first (ask)" with topic = "t.x", env_name = "dev"',
    ):
        assert expected in text, expected


def test_the_default_can_be_told() -> None:
    assert "default allow" in imported(rule(""), ast.Effect.ALLOW)
    assert "default allow" in imported("default_decision: allow\n" + rule(""))


def test_names_of_rules_are_kept_as_they_are() -> None:
    assert 'rule "a-b.c"' in imported("rules: [{id: a-b.c, decision: allow}]")


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("rules: [", "GOV603", "not YAML"),
        ("", "GOV603", "empty"),
        ("a: &x 1\nb: *x\n", "GOV603", "aliases"),
        ("rules: []\n", "GOV601", "no rules"),
        ("rules: [{id: r, id: s, decision: deny}]", "GOV603", "stands twice"),
        (rule("topics: [a]"), "GOV602", "`topics` does not belong here"),
        (rule("match: {constraints: {}}"), "GOV602", "`constraints` does not belong here"),
        (rule("mach: {}"), "GOV602", "unknown key `mach`"),
        (rule("constraints: {budgets: {max_retries: 1}}"), "GOV602", "`constraints` does not"),
        (rule("match: {topic: a}\n    when: {topic: b}"), "GOV602", "not both"),
        (rule("velocity: {max_requests: 3}"), "GOV601", "temporal"),
        (rule("match: {mcp: {allow_tools: [x]}}"), "GOV601", "`mcp`"),
        (rule("match: {topics: ['a.[bc]']}"), "GOV601", "the glob"),
        (rule("match: {labels: {a-b: x, a_b: y}}"), "GOV604", "the label `a_b`"),
        (rule("match: {labels: {topic: x}}"), "GOV604", "the topic"),
        (rule("match: {labels: {a.b: x}}"), "GOV601", "cannot be a field's name"),
        (rule("match: {labels: {a: x}, label_threshold: {a: 3}}"), "GOV604", "`a` is used as"),
        (rule("match: {label_threshold: {a: lots}}"), "GOV605", "no threshold"),
        (rule("match: [a]"), "GOV605", "keys and values"),
        ("rules: [{id: r, decision: alow}]", "GOV605", "unknown decision"),
        ("rules: [{decision: deny}]", "GOV605", "needs an `id`"),
        ("rules: [{id: r}]", "GOV605", "needs a `decision`"),
        ("rules: [{id: r, decision: allow_with_constraints}]", "GOV605", "needs `constraints`"),
        ("default_decision: alow\n" + rule(""), "GOV605", "must be allow or deny"),
        ("tenants: {t: {deny_topics: [a]}}\n" + rule(""), "GOV601", "`tenants`"),
        ("input_rules: [{id: x}]\n" + rule(""), "GOV601", "`input_rules`"),
        ("rules: [{id: r, decision: deny}, {id: r, decision: deny}]", "GOV604", "two rules"),
        (rule("remediations: [{id: a}, {id: b}]"), "GOV601", "second remediation"),
    ],
)
def test_what_cannot_be_carried_over_is_named_with_its_place(
    text: str, code: str, part: str
) -> None:
    found = faults(text)
    assert any(c == code and part in message for c, message, _ in found), found


def test_every_fault_is_reported_at_its_line() -> None:
    text = "rules:\n  - id: a\n    decison: deny\n  - id: b\n    decision: nope\n"
    assert [(c, line) for c, _, line in faults(text)] == [
        ("GOV605", 2),
        ("GOV602", 3),
        ("GOV605", 5),
    ]


def test_keys_that_say_nothing_are_no_fault() -> None:
    assert "rule r" in imported(
        "tenants: {default: {deny_topics: []}}\noutput_rules: []\n" + rule("")
    )


def test_a_document_nested_a_thousand_deep_is_a_coded_error() -> None:
    assert faults("rules: " + "[" * 3000 + "]" * 3000)[0][0] == "GOV603"


Rule = dict[str, Any]
Job = dict[str, Any]

TOPICS = ("job.a", "job.a.b", "job.b", "sys.x")
GLOBS = ("job.*", "*.b", "job.a", "sys.x", "j*b")
LABELS = ("env", "team-id")
WORDS = ("x", "y")
TAGS = ("write", "delete", "pii")
DECISIONS = ("allow", "deny", "require_approval", "throttle")


def random_rule(rng: random.Random, number: int) -> Rule:
    parts: dict[str, Any] = {
        "topics": rng.sample(GLOBS, rng.randint(1, 2)),
        "labels": {rng.choice(LABELS): rng.choice(WORDS)},
        "risk_tags": rng.sample(TAGS, rng.randint(1, 2)),
        "requires": rng.sample(("gpu", "net"), rng.randint(1, 2)),
        "tenants": rng.sample(WORDS, 1),
        "secrets_present": rng.random() < 0.5,
        "label_threshold": {"amount": rng.choice((0, 10.5, -3))},
        "label_allowlist": {"team-id": ["x"]},
    }
    chosen = rng.sample(list(parts), rng.randint(0, 3))
    match = {key: parts[key] for key in chosen}
    return {"id": f"r-{number}", "match": match, "decision": rng.choice(DECISIONS)}


def random_job(rng: random.Random) -> Job:
    job: Job = {
        "topic": rng.choice(TOPICS),
        "risk_tags": rng.sample(TAGS, rng.randint(0, 3)),
        "requires": rng.sample(("gpu", "net"), rng.randint(0, 2)),
        "secrets_present": rng.random() < 0.5,
    }
    for name in ("tenant", "env", "team_id"):
        if rng.random() < 0.6:
            job[name] = rng.choice(WORDS)
    if rng.random() < 0.6:
        job["amount"] = rng.choice((-5, 0, 10.5, 11))
    return job


def matches(match: dict[str, Any], job: Job) -> bool:
    """The format's own meaning: every key must match; a list matches by any of its items."""
    labels = {"env": job.get("env"), "team-id": job.get("team_id")}
    amount, team = job.get("amount"), job.get("team_id")
    tests: dict[str, Callable[[Any], bool]] = {
        "topics": lambda globs: any(fnmatchcase(job["topic"], glob) for glob in globs),
        "labels": lambda wanted: all(labels[key] == value for key, value in wanted.items()),
        "risk_tags": lambda tags: bool(set(tags) & set(job["risk_tags"])),
        "requires": lambda needs: set(needs) <= set(job["requires"]),
        "tenants": lambda tenants: job.get("tenant") in tenants,
        "secrets_present": lambda wanted: wanted is job["secrets_present"],
        "label_threshold": lambda bounds: amount is not None and amount > bounds["amount"],
        "label_allowlist": lambda lists: team is not None and team not in lists["team-id"],
    }
    return all(tests[key](value) for key, value in match.items())


def test_random_files_decide_as_their_own_format_says() -> None:
    words = {"require_approval": "require_human"}
    for seed in range(150):
        rng = random.Random(seed)
        rules = [random_rule(rng, i) for i in range(rng.randint(1, 6))]
        policy = compile_source(
            Source("out.gov", imported(yaml.safe_dump({"rules": rules})))
        ).policy
        known = {field.name for field in policy.fields}
        for _ in range(20):
            job = random_job(rng)
            first = next((r for r in rules if matches(r["match"], job)), None)
            expected = "deny" if first is None else words.get(first["decision"], first["decision"])
            sample = read_sample(
                policy, trimmed(policy, {k: v for k, v in job.items() if k in known})
            )
            assert isinstance(sample, Request), sample
            outcome = decide(policy, {}, sample.values)
            assert outcome.decision.word == expected, (rules, job)
            assert outcome.rule_id == ("default" if first is None else first["id"])


def trimmed(policy: ir.Policy, job: Job) -> Job:
    """The job with only those tags that some rule names: a set has no other members."""
    sets = {f.name: set(f.members) for f in policy.fields if f.kind is ir.Kind.SET}
    return {k: [t for t in v if t in sets[k]] if k in sets else v for k, v in job.items()}


def test_a_file_with_any_node_exchanged_is_refused_or_checks() -> None:
    carried = 0
    for tree in islice(exchanged(yaml.safe_load(WHOLE)), None, None, 3):
        try:
            text = imported(yaml.safe_dump(tree, allow_unicode=True))
        except GovError:
            continue
        compile_source(Source("out.gov", text))
        carried += 1
    assert carried > 50


def test_a_number_of_any_length_is_a_coded_fault() -> None:
    text = (
        "rules:\n  - {id: a, decision: allow_with_constraints, "
        f"constraints: {{budgets: {{max_retries: {'9' * 5000}}}}}}}\n"
    )
    with pytest.raises(GovError) as refused:
        import_safety_yaml(Source("s.yaml", text), "s")
    (fault,) = refused.value.diagnostics
    assert fault.code == "GOV605"
    assert len(fault.message) < 200
