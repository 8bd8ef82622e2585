"""The exported expression decides what the interpreter decides, in doubles, as JSON engines compute."""

from __future__ import annotations

import json
import random

import pytest
from ir_strategies import random_params, random_policy, random_request
from json_logic import doubles, doubles_in_logic, evaluate

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import decide
from govlang.compiler.jsonlogic import export_jsonlogic
from govlang.compiler.requests import write_request
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source


def agrees(policy: ir.Policy, seed: int) -> bool:
    """Whether the policy could be exported; then 30 requests are decided alike."""
    rng = random.Random(seed)
    params = random_params(rng, policy)
    try:
        logic = export_jsonlogic(policy, params, decisions_only=True)
    except GovError as error:
        return only_refused(error)
    for _ in range(30):
        values = random_request(rng, policy)
        request, runtime = write_request(policy, values)
        data = doubles({**request, **runtime})
        found = evaluate(doubles_in_logic(logic), data)
        assert found == decide(policy, params, values).decision.word, (logic, data)
    return True


def only_refused(error: GovError) -> bool:
    assert {d.code for d in error.diagnostics} == {"GOV610"}
    return False


def test_random_policies_decide_alike_or_are_refused() -> None:
    exported = sum(agrees(random_policy(random.Random(seed)), seed) for seed in range(400))
    assert exported >= 30, "the export must not refuse nearly everything"


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ('topic like "a.*.b"', "the glob"),
        ("load + 0.1 kg > 3 kg", "fractions"),
    ],
)
def test_what_cannot_be_said_is_refused(rule: str, part: str) -> None:
    text = (
        'language 1\npolicy p version "1"\ndefault deny\n'
        "input { topic : text\n load : number in 0..9 kg step 0.1 }\n"
    )
    policy = compile_source(Source("p.gov", f"{text}rule r when {rule} allow\n")).policy
    with pytest.raises(GovError) as caught:
        export_jsonlogic(policy, {})
    assert part in caught.value.diagnostics[0].message


def test_obligations_are_refused_unless_told() -> None:
    text = 'language 1\npolicy p version "1"\ndefault deny\ninput { x : bool }\n'
    policy = compile_source(
        Source("p.gov", f'{text}rule r when x require human from "boss"\n')
    ).policy
    with pytest.raises(GovError, match="obligations"):
        export_jsonlogic(policy, {})
    logic = export_jsonlogic(policy, {}, decisions_only=True)
    assert evaluate(logic, {"x": True}) == "require_human"
    assert evaluate(logic, {"x": True, "approved": ["boss"]}) == "allow"
    assert evaluate(logic, {"x": False}) == "deny"
    assert json.dumps(logic)


def test_what_would_be_written_out_without_end_is_refused() -> None:
    head = 'language 1\npolicy p version "1"\ninput { x : number in 0..1_000_000 }\n'
    halves = "rule r when x " + "/ 2 " * 40 + "> x allow"
    chained = "\n".join(
        f"rule r{i} when x > {i} deny" + (f" overrides r{i - 1}, r{i - 2}" if i > 1 else "")
        for i in range(60)
    )
    for rules in (halves, chained):
        policy = compile_source(Source("p.gov", head + rules)).policy
        with pytest.raises(GovError, match="more than 1000000 parts"):
            export_jsonlogic(policy, {})
