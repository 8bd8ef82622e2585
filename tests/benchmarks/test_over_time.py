from __future__ import annotations

import shutil

import pytest

pytest.importorskip("numpy")

from benchmarks import both_times, over_time, over_time_c
from benchmarks.measure import Row
from benchmarks.targets import TIME_GENERATED


@pytest.fixture(scope="module")
def case() -> over_time.Case:
    return over_time.Case(count=3_000, agents=20)


@pytest.mark.skipif(
    None in (shutil.which("gcc"), shutil.which("clang")), reason="gcc or clang is not installed"
)
def test_engine_generated_c_and_c_by_hand_name_the_rule_that_the_reference_step_names(
    case: over_time.Case,
) -> None:
    assert len(set(case.expected)) > over_time.RULES, "too few rules decide"
    rows = list(over_time_c.c_rows(case))
    assert {row.subject for row in rows} == {"govlang", "C by hand"}
    assert sum(row.form.startswith(TIME_GENERATED) for row in rows) == len(over_time_c.GENERATED_BY)


def test_the_policy_in_python_names_them_too(case: over_time.Case) -> None:
    assert min(row.value for row in over_time.python_rows(case)) > 0


def test_another_rule_anywhere_is_noticed(case: over_time.Case) -> None:
    wrong = [*case.expected[:-1], case.expected[-1] + 1]
    with pytest.raises(AssertionError, match=f"sample {len(wrong) - 1}"):
        over_time.same_rules(case.expected, wrong, "who")


def test_dogwood_permits_what_we_permit() -> None:
    pytest.importorskip("dogwood")
    rows: list[Row] = list(both_times.both_rows())
    assert len(rows) == 2
