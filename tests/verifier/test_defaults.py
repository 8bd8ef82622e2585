"""A deployment that sets no parameter gets what the defaults say, so they are compared, too."""

from __future__ import annotations

import pytest
from front import check

from govlang.cli.compiled import compile_policy
from govlang.cli.verification import replay_on
from govlang.compiler import interpret, ir
from govlang.verifier.defaults import at_defaults, defaults_differ
from govlang.verifier.diff import DiffReport, diff


def policy(default: str, step: str = "") -> ir.Policy:
    return check(
        f"param cap : number in 1..5 {step} = {default}\ninput {{ x : number in 0..10 }}\n"
        "output speed : number in 0..5\nassume x + cap > 2\ndefault allow\n"
        "rule r when x > cap deny\nrule s when x == 3 limit speed to cap\n"
    ).policy


def compared(old: ir.Policy, new: ir.Policy) -> DiffReport:
    tables = [replay_on(compile_policy(one).table) for one in (old, new)]
    return diff(old, new, no_looser=True, replay_old=tables[0], replay_new=tables[1])


@pytest.mark.parametrize(("before", "after", "looser"), [(2, 4, True), (4, 2, False)])
def test_another_default_is_compared_by_what_it_decides(
    before: int, after: int, looser: bool
) -> None:
    report = compared(policy(str(before)), policy(str(after)))
    found = [f for f in report.findings if f.detail and "decision" in f.detail["old"]]
    assert {f.code for f in report.findings} == {"GOV308"}
    assert any(f.detail["direction"] == "looser" for f in found if f.detail) is looser
    assert all(f.message.startswith("with the defaults of each version: ") for f in found)
    assert report.is_looser is looser


def test_the_same_default_in_other_steps_is_the_same() -> None:
    old, new = policy("2"), policy("2", "step 0.5")
    assert not defaults_differ(old, new)
    assert defaults_differ(policy("2"), policy("2.5", "step 0.5"))


@pytest.mark.parametrize("x", range(11))
def test_a_policy_at_its_defaults_decides_as_with_them(x: int) -> None:
    one = policy("3")
    fixed = interpret.decide(at_defaults(one), {}, {"x": x})
    assert fixed == interpret.decide(one, interpret.default_params(one), {"x": x})
