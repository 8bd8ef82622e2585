"""The exported expression decides what the interpreter decides, in doubles, as JSON engines compute."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from ir_strategies import random_params, random_policy, random_request

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import decide
from govlang.compiler.jsonlogic import export_jsonlogic
from govlang.compiler.requests import write_request
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source


def evaluate(logic: Any, data: dict[str, Any]) -> Any:
    """JSON-Logic as jsonlogic.com has it, for the operators that the export writes."""
    if not isinstance(logic, dict):
        return logic
    ((op, args),) = logic.items()
    args = args if isinstance(args, list) else [args]
    match op:
        case "var":
            found = data.get(args[0])
            return (
                found if found is not None else evaluate(args[1], data) if len(args) > 1 else None
            )
        case "if":
            for at in range(0, len(args) - 1, 2):
                if evaluate(args[at], data):
                    return evaluate(args[at + 1], data)
            return evaluate(args[-1], data)
        case "and":
            return all(evaluate(arg, data) for arg in args)
        case "or":
            return any(evaluate(arg, data) for arg in args)
    return apply(op, [evaluate(arg, data) for arg in args])


def apply(op: str, args: list[Any]) -> Any:
    match op:
        case "!":
            return not args[0]
        case "===":
            return args[0] == args[1] and isinstance(args[0], bool) == isinstance(args[1], bool)
        case "!==":
            return args[0] != args[1]
        case "<=":
            return all(a <= b for a, b in pairwise(args))
        case "<":
            return args[0] < args[1]
        case ">=":
            return args[0] >= args[1]
        case "in":
            return args[0] in args[1]
        case "substr":
            return args[0][args[1] :] if len(args) == 2 else args[0][args[1] : args[1] + args[2]]
        case "+":
            return sum(args)
        case "-":
            return -args[0] if len(args) == 1 else args[0] - args[1]
        case "*":
            return args[0] * args[1]
        case "/":
            return args[0] / args[1]
        case "%":
            return abs(args[0]) % args[1] * (1 if args[0] >= 0 else -1)
        case "min":
            return min(args)
        case "max":
            return max(args)
    raise AssertionError(op)


def doubles(value: Any) -> Any:
    """What a JSON parser makes of it: every number a double."""
    match value:
        case bool():
            return value
        case int() | Decimal():
            return float(value)
        case dict():
            return {k: doubles(v) for k, v in value.items()}
        case list() | tuple():
            return [doubles(v) for v in value]
        case _:
            return value


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


def doubles_in_logic(logic: Any) -> Any:
    """Constants as doubles, but the positions of `substr` and the names of `var` as they are."""
    if isinstance(logic, dict):
        return {
            op: args if op == "substr" else doubles_in_logic(args) for op, args in logic.items()
        }
    if isinstance(logic, list):
        return [doubles_in_logic(one) for one in logic]
    return doubles(logic)


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
