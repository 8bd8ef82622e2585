from __future__ import annotations

import shutil

import pytest
from benchmarks.by_hand import python_indexed, python_small
from benchmarks.generate import KINDS
from benchmarks.model import first_match
from benchmarks.small import small_requests, small_workload


def test_the_eight_rules_by_hand_in_python_mean_the_same() -> None:
    rules = small_workload().rules
    for request in small_requests(1_000, seed=4):
        assert python_small(request) == first_match(rules, request)


@pytest.mark.parametrize("kind", KINDS)
def test_the_limits_on_generated_rules_mean_the_same(kind: str) -> None:
    pytest.importorskip("numpy")
    from benchmarks.rows import generated_case, same_decisions

    case = generated_case(60, kind, 400)
    decide = python_indexed(case.workload)
    same_decisions(case, "Python by hand", [decide(request) for request in case.requests])


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_the_limits_in_c_mean_the_same(kind: str) -> None:
    pytest.importorskip("numpy")
    from benchmarks.limits import CIndex, library
    from benchmarks.rows import generated_case, same_decisions

    case = generated_case(60, kind, 400)
    index = CIndex(library("-O2"), case.workload)
    same_decisions(case, "C index", index.struct_in(case.requests).decisions)
    if kind == "text":
        same_decisions(case, "C index from text", index.text_in(case.requests).decisions)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("form", ["branchy", "branchless"])
def test_the_eight_rules_by_hand_in_c_mean_the_same(form: str) -> None:
    pytest.importorskip("numpy")
    from benchmarks.limits import c_small, library
    from benchmarks.rows import same_decisions, small_case

    case = small_case(400)
    same_decisions(case, form, c_small(library("-O2"), form, case.requests).decisions)
