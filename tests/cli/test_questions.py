"""Every question to the solver, written and asked again: all stages, nobody's mixed with another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import z3

from govlang.cli.questions import Questions, cross_checked, folders
from govlang.verifier import smtlib
from govlang.verifier.smtlib import SecondAnswer, ask, question_file, second_answer, total

ODD = "(declare-fun a () Int)\n(assert (and (> a 1) (< a 3)))\n(check-sat)\n"
NEVER = "(declare-fun a () Int)\n(assert (and (> a 1) (< a 2)))\n(check-sat)\n"
HARD = """(declare-fun a () Int)(declare-fun b () Int)(declare-fun c () Int)
(assert (and (> a 1) (> b 1) (> c 2) (= (* a b c) 982451653)))
(check-sat)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stages(folder: Path) -> set[str]:
    return {name.rsplit("-", 3)[1] for name in names(folder)}


def test_every_stage_of_a_verification_is_written_and_confirmed(
    gov, fits, policy: Path, tmp_path: Path
) -> None:
    assert gov("build", policy, "-o", tmp_path / "out").code == 0
    bundle = tmp_path / "out" / "tiny-1.0.0.govb"
    older = tmp_path / "older.gov"
    older.write_text(policy.read_text().replace("load > 2 kg", "load > 3 kg"))
    asked = tmp_path / "asked"
    ran = gov(
        "verify", "--format", "json", "--smt2", asked, "--cross-check", "--against", older, bundle
    )
    assert ran.code == 0, ran.out
    fits("verify", ran.json)
    told = ran.json["cross_check"]
    written = names(asked / bundle.name)
    assert told["questions"] == told["confirmed"] == len(written) > 0
    assert (told["contradicted"], told["unanswered"]) == (0, 0)
    assert {"verify", "diff"} <= stages(asked / bundle.name)
    assert all(name.startswith("tiny-") for name in written)


def test_a_written_question_can_be_asked_of_any_solver(gov, policy: Path, tmp_path: Path) -> None:
    assert gov("verify", "--smt2", tmp_path / "asked", policy).code == 0
    paths = sorted((tmp_path / "asked" / policy.name).iterdir())
    assert paths
    for path in paths:
        solver = z3.Solver()
        solver.from_file(str(path))
        verdict = path.stem.rpartition("-")[2]
        assert str(solver.check()) == verdict
        assert f"(set-info :status {verdict})" in path.read_text()
        assert "(set-logic ALL)" in path.read_text()


def test_files_of_one_name_do_not_mix_their_questions(gov, policy: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / policy.name
    other.parent.mkdir()
    other.write_text(policy.read_text() + "\nrule twice when load <= cap allow\n")
    asked = tmp_path / "asked"
    assert gov("verify", "--jobs", "2", "--smt2", asked, policy, other).code != 2
    assert names(asked) == [policy.name, f"{policy.name}-2"]
    first, second = (names(asked / name) for name in names(asked))
    assert first != second
    for path, together in ((policy, first), (other, second)):
        own = tmp_path / f"own-{path.parent.name}"
        assert gov("verify", "--smt2", own, path).code != 2
        assert names(own / path.name) == together


def test_names_of_folders_are_never_given_twice() -> None:
    paths = [Path("a.gov"), Path("b/a.gov"), Path("a.gov-2"), Path("c/a.gov"), Path("a.gov")]
    found = folders(Path("x"), paths)
    assert len(set(found)) == len(paths)
    assert found[0] == Path("x/a.gov")


def test_questions_of_an_earlier_run_are_removed_and_other_files_are_not(tmp_path: Path) -> None:
    old = tmp_path / "tiny-verify-00009-unsat.smt2"
    mine = tmp_path / "tiny-notes.smt2"
    for path in (old, mine):
        path.write_text("")
    Questions("tiny", tmp_path, cross_check=False, timeout_s=1).stage("table")(ODD, "sat")
    assert names(tmp_path) == ["tiny-notes.smt2", "tiny-table-00001-sat.smt2"]


# --- the second solver ---------------------------------------------------------------------------


def test_the_second_solver_answers_or_says_why_not() -> None:
    assert second_answer(ODD, 5) == SecondAnswer("sat")
    assert second_answer(NEVER, 5) == SecondAnswer("unsat")
    assert second_answer(HARD, 0.05) == SecondAnswer(
        "unknown", "cvc5 reached the time limit of 0.05 s"
    )
    odd = second_answer("(assert (foo))(check-sat)", 5)
    assert odd.verdict == "unknown"
    assert odd.why.startswith("cvc5 does not read it: ")


def test_a_file_whose_verdict_is_wrong_is_noticed_by_the_solver_that_reads_it() -> None:
    text = f"(set-info :status unknown)\n{ODD}"
    right = question_file(text, "sat", "policy p").partition("(set-logic ALL)\n")[2]
    wrong = question_file(text, "unsat", "policy p").partition("(set-logic ALL)\n")[2]
    assert second_answer(right, 5) == SecondAnswer("sat")
    assert "Expected result unsat but got sat" in second_answer(wrong, 5).why


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_sum_of_any_number_of_parts_is_read_by_another_solver(count: int) -> None:
    told: list[str] = []
    solver = z3.Solver()
    solver.add(total([z3.Int(f"n{i}") for i in range(count)]) > 7)
    ask(solver, [], lambda text, _: told.append(text))
    assert [second_answer(text, 5).verdict for text in told] == ["sat" if count else "unsat"]


def report(status: str = "proved") -> dict[str, Any]:
    return {"status": status, "findings": []}


def test_solvers_that_contradict_each_other_are_an_error_and_undecided_at_best() -> None:
    questions = Questions("p", None, cross_check=True, timeout_s=5)
    questions.stage("table")(ODD, "sat")
    questions.stage("table")(ODD, "unsat")
    joined = questions.joined(report())
    assert joined["status"] == "undecided"
    (finding,) = joined["findings"]
    assert finding["code"] == "GOV310"
    assert "question table-00002: z3 says unsat, cvc5 sat" in finding["message"]
    assert joined["cross_check"]["confirmed"] == 1
    assert questions.joined(report("refuted"))["status"] == "refuted"


def test_a_question_that_the_second_solver_leaves_open_is_named_and_changes_nothing() -> None:
    questions = Questions("p", None, cross_check=True, timeout_s=0.05)
    questions.stage("verify")(HARD, "unsat")
    questions.stage("verify")(HARD, "unknown")
    joined = questions.joined(report())
    assert (joined["status"], joined["findings"]) == ("proved", [])
    told = joined["cross_check"]
    assert told["without_answer"] == [
        "verify-00001: cvc5 reached the time limit of 0.05 s",
        "verify-00002: z3 gave up",
    ]
    assert cross_checked(told) == (
        f"cvc5 {told['version']} confirmed 0 of 2 questions, "
        "2 without an answer (verify-00001: cvc5 reached the time limit of 0.05 s)"
    )


def test_a_contradiction_makes_gov_verify_exit_3_whatever_the_baseline(
    gov, fits, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always(text: str, timeout_s: float) -> SecondAnswer:
        return SecondAnswer("sat")

    monkeypatch.setattr("govlang.cli.questions.second_answer", always)
    ran = gov("verify", "--format", "json", "--cross-check", policy)
    assert (ran.code, ran.json["status"]) == (3, "undecided")
    fits("verify", ran.json)
    assert "GOV310" in {finding["code"] for finding in ran.json["findings"]}
    assert "confirmed" in gov("verify", "--cross-check", policy).out
    baseline = policy.parent / "baseline.json"
    baseline.write_text(json.dumps(ran.json))
    assert gov("verify", "--cross-check", "--baseline", baseline, policy).code == 3


# --- nothing else asks ---------------------------------------------------------------------------


def test_every_question_goes_through_the_one_place_that_tells(root: Path) -> None:
    """`nearest.py` optimises for `gov explain`: nothing is proved there."""
    asking = {
        path.relative_to(root / "verifier").as_posix()
        for path in (root / "verifier").rglob("*.py")
        if ".check(" in path.read_text()
    }
    by_session = {"assumptions.py", "solve.py"}
    assert asking == {"smtlib.py", "nearest.py"} | by_session
    for name in by_session:
        text = (root / "verifier" / name).read_text()
        assert text.count(".check(") == text.count("session.check(") + text.count("self.check(")


def test_the_watch_is_told_what_was_asked_and_answered() -> None:
    told: list[tuple[str, str]] = []

    def watch(text: str, verdict: str) -> None:
        told.append((text, verdict))

    solver, number = z3.Solver(), z3.Int("n")
    solver.add(number > 0)
    solver.push()
    assert ask(solver, [number < 0], watch) == z3.unsat
    assert ask(solver, [], watch) == z3.sat
    assert ask(solver, [], None) == z3.sat
    assert [verdict for _, verdict in told] == ["unsat", "sat"]
    assert [second_answer(text, 5).verdict for text, _ in told] == ["unsat", "sat"]
    assert smtlib.second_version()
