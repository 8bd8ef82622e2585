"""Requests beside one on which a rule fires: each test of the rule is shown to matter, and each was reached."""

from __future__ import annotations

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import Environment
from govlang.dsl.source import Source
from govlang.verifier.options import Options
from govlang.verifier.report import context_of, verify

POLICY = """language 1
policy p version "1"
default allow
input {
  agent : key
  tool  : one of search, deploy, erase
  cost  : number in 0..9
}
event failure
event success
rule tired when tool is deploy and cost > 4 and failure within 1 min and not (success within 5 s) deny
"""


def compiled(text: str) -> ir.Policy:
    return compile_source(Source("p.gov", text)).policy


def test_each_test_of_a_rule_fails_alone_on_some_request_beside_it() -> None:
    context = context_of(compiled(POLICY), Options())
    condition = context.policy.rules[0].condition
    assert isinstance(condition, ir.And)
    beside = list(context.explorer.beside(0))
    alone = {failing(env, condition.operands) for env in beside}
    assert {(k,) for k in range(len(condition.operands))} <= alone


def failing(env: Environment, tests: tuple[ir.BoolExpr, ...]) -> tuple[int, ...]:
    return tuple(k for k, one in enumerate(tests) if not env.holds(one))


def test_a_test_that_never_matters_is_still_found() -> None:
    again = POLICY.replace("failure within 1 min", "failure within 1 min and failure within 2 min")
    found = [one for one in verify(compiled(again)).findings if one.code == "GOV304"]
    assert [one.message for one in found] == ["`failure within 2 min` is always true in `tired`"]
