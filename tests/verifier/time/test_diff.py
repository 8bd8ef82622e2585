"""Two versions over time held against both of them: the pair of their relations, verdicts, and what is shown."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import z3
from diff_pairs import HEADER, LIMIT, PAIRS, RULE
from time_ir_policies import Histories, random_time_policy

from govlang.cli.compiled import compile_policy
from govlang.cli.verification import rerun_on
from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import Outcome, default_params
from govlang.compiler.step import Report, Request, State, step
from govlang.dsl.source import Source
from govlang.verifier.columns import Columns
from govlang.verifier.diff import DiffReport, diff
from govlang.verifier.encode import Encoder
from govlang.verifier.findings import Status
from govlang.verifier.judge import same_outcome
from govlang.verifier.options import Options
from govlang.verifier.rewriting import Renamer
from govlang.verifier.solve import forget
from govlang.verifier.time.beside import Pair, side_by_side, time_of
from govlang.verifier.time.beside_run import Both, taken
from govlang.verifier.time.flat import flat, with_update_texts
from govlang.verifier.time.pattern import Pattern
from govlang.verifier.time.traces import run, samples_of
from govlang.verifier.time.unroll import History


def compiled(source: str) -> ir.Policy:
    return compile_source(Source("p.gov", source)).policy


def versions(name: str) -> tuple[ir.Policy, ir.Policy]:
    return compiled(PAIRS[name].old), compiled(PAIRS[name].new)


def compared(old: ir.Policy, new: ir.Policy, timeout_s: float = 30) -> DiffReport:
    tables = [compile_policy(one).table for one in (old, new)]
    return diff(
        old,
        new,
        options=Options(timeout_s=timeout_s),
        rerun_old=rerun_on(tables[0]),
        rerun_new=rerun_on(tables[1]),
    )


# --- cells that stand for both -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("a window widened", 0),
        ("a machine renamed", 0),
        ("a limit raised", 0),
        ("a longer window beside", 0),
        ("a transition dropped", 2),
        ("a state that is not left as soon", 2),
        ("a contract that one event more revokes", 2),
    ],
)
def test_what_both_define_alike_is_kept_once(name: str, apart: int) -> None:
    """A window or a limit changes no cell; a machine that moves otherwise is one of its own, with its age."""
    pair = side_by_side(*versions(name), agreeing=True)
    olds = {cell.name for cell in time_of(pair.policy).cells if cell.name.startswith("old ")}
    assert len(olds & {a for a, _ in pair.twins}) == apart
    assert apart > 0 or not olds


def test_what_counts_decisions_is_kept_once_only_up_to_the_first_that_differs() -> None:
    old = compiled(HEADER.format(default="default deny") + LIMIT.format("allowed", 2))
    new = compiled(
        HEADER.format(default="default deny") + LIMIT.format("allowed", 2).replace("> 2", "> 3")
    )
    agreeing, apart = (side_by_side(old, new, agreeing=one) for one in (True, False))
    assert agreeing.needs_agreement
    assert not agreeing.twins
    assert [a for a, _ in apart.twins] == ["old allowed.age", "old allowed.age.2"]
    rules = [one.policy.rules[1].condition for one in apart.versions]
    assert rules[0] != rules[1]
    assert apart.whose("old allowed.age") is apart.versions[0].policy
    assert apart.whose("allowed.age") is apart.versions[1].policy


def test_nothing_is_asked_where_rules_are_the_same_over_the_same_cells() -> None:
    asked: list[str] = []
    old, new = versions("a machine renamed")
    report = diff(old, new, watch=lambda question, _verdict: asked.append(question))
    assert not report.changed
    assert asked == []


# --- the pair, against both versions on their own ------------------------------------------------


@pytest.mark.parametrize("counts", [(1,), (1, 1), (1, 1, 1), (2, 1, 1)])
@pytest.mark.parametrize("name", PAIRS)
def test_the_cells_of_a_model_are_those_of_both_versions(
    name: str, counts: tuple[int, ...]
) -> None:
    forget()
    pair = side_by_side(*versions(name), agreeing=False)
    rng = random.Random(f"{name} {counts}")
    time = time_of(pair.policy)
    wide = flat(pair.policy)
    columns = Columns(with_update_texts(wide, time))
    faults = any(one.name == ir.CLOCK_FAULT for one in time.reads)
    pattern = Pattern(wide, time, columns, pair.whose)
    unrolled = History(wide, time, Encoder(columns), counts, back=faults, pattern=pattern)
    solver = z3.SimpleSolver()
    solver.add(*unrolled.laws, *unrolled.view())
    last = unrolled.moments[-1]
    for _ in range(6):
        cell = rng.choice([c for c in time.cells if not c.brief])
        moved = last.column(cell.name) != rng.choice([cell.initial, cell.field.lo, cell.field.hi])
        kinds = [one.kind == rng.randrange(ir.FIRST_KIND + len(time.samples))
                 for one in unrolled.moments[:-1]]  # fmt: skip
        asked = next(a for a in ([moved, *kinds], [moved], []) if solver.check(a) == z3.sat)
        assert solver.check(asked) == z3.sat
        model = solver.model()
        found = samples_of(unrolled, model)
        assert isinstance(found, tuple)
        reached = run(lambda *given: taken(pair, *given), found[1], found[0])
        assert reached is not None, found
        for name_, number in columns.value.items():
            if name_ in {c.name for c in time.cells} & set(reached.values):
                ours = model.eval(last.encoder.variables[number], model_completion=True).as_long()
                assert ours == reached.values[name_], (name_, found)


def test_a_request_that_one_version_refuses_is_to_it_a_tick() -> None:
    old, new = versions("a range widened")
    pair = side_by_side(old, new, agreeing=True)
    samples = (
        Report("bad", {}, 0, "a"),
        Request({"agent": "a", "resource": "x", "size": 10}, 60_000),
    )
    reached = run(lambda *given: taken(pair, *given), {}, samples)
    assert reached is not None
    assert isinstance(reached.after, Both)
    before, after = reached.after.said
    assert before is not None
    assert after is not None
    assert (before.rule_id, after.rule_id) == ("invalid_request", "b")
    ages = {
        one.cells["bad.age"]
        for s in reached.after.states
        for one in s.instances.values()
        if one.cells
    }
    assert ages == {60_000}


# --- what is shown ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a table that is wrong says."""

    decision: str
    rule_id: str


def lying(policy: ir.Policy, rule: str) -> Callable[..., Sequence[Any]]:
    """The table of a policy, but that it says `rule` decides whatever it is asked last."""
    honest = rerun_on(compile_policy(policy).table)

    def rerun(lines: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> Sequence[Any]:
        return [*honest(lines, params)[:-1], Answer("allow", rule)]

    return rerun


@pytest.mark.parametrize("which", ["rerun_old", "rerun_new"])
def test_a_table_that_says_otherwise_is_told_and_nothing_is_shown(which: str) -> None:
    old, new = versions("a window narrowed")
    wrong = lying(old if which == "rerun_old" else new, "nobody")
    report = diff(old, new, no_looser=True, **{which: wrong})
    assert [one.code for one in report.findings] == ["GOV309"]
    assert "the compiled table allow by `nobody`" in report.findings[0].help
    assert report.status is Status.UNDECIDED


def test_a_step_that_the_table_does_not_take_is_told() -> None:
    old, new = versions("a window narrowed")
    rules = RULE + "rule b when bad within 1 min deny overrides a\n"
    other = compiled(HEADER.format(default="default deny").replace("event ok\n", "") + rules)
    report = diff(old, new, rerun_new=rerun_on(compile_policy(other).table))
    assert [one.code for one in report.findings] == ["GOV309"]
    assert "the compiled table does not take a step" in report.findings[0].help


def test_it_is_said_where_decisions_differed_before() -> None:
    """What the newer version denies it does not count, so it lets more through later."""
    source = HEADER.format(default="default deny") + LIMIT.format("allowed", 2)
    old = compiled(source)
    new = compiled(source + "rule odd when size == 3 deny overrides a\n")
    told = {one.message for one in compared(old, new).findings if one.code == "GOV308"}
    assert "allow by `a` became deny by `odd`: stricter" in told
    assert (
        "throttle by `limit` became allow by `a`: looser, where decisions differed before" in told
    )


def test_parameters_are_compared_over_their_ranges_and_at_the_defaults_of_each() -> None:
    source = (
        HEADER.format(default="default deny")
        + "param most : number in 0..9 = 5\n"
        + "rule a when size <= most and ok within 1 min allow\n"
    )
    report = compared(compiled(source), compiled(source.replace("= 5", "= 6")))
    assert report.declarations == ("the default of `most` changed",)
    assert [one.message for one in report.findings] == [
        "with the defaults of each version: deny by `default` became allow by `a`: looser"
    ]


# --- random pairs ------------------------------------------------------------------------------


def meant_alike(rng: random.Random, policy: ir.Policy) -> ir.Policy:
    """The same policy in other words: its cells renamed, moved, and one kept twice."""
    time = time_of(policy)
    names = {cell.name: f"x{i}.{cell.name}" for i, cell in enumerate(time.cells)}
    renamer = Renamer.of(policy, names)
    cells = [replace(c, field=replace(c.field, name=names[c.name])) for c in time.cells]
    updates = list(map(renamer.update, time.updates))
    twice = rng.choice(cells)
    cells.append(replace(twice, field=replace(twice.field, name="again")))
    updates += [replace(u, cell="again") for u in updates if u.cell == twice.name]
    rng.shuffle(cells)
    samples = (replace(s, permit=s.permit and names[s.permit]) for s in time.samples)
    return replace(
        policy,
        rules=tuple(map(renamer.rule, policy.rules)),
        time=replace(time, cells=tuple(cells), updates=tuple(updates), samples=tuple(samples)),
    )


def changed(rng: random.Random, policy: ir.Policy) -> ir.Policy:
    """The policy with one thing changed: an update, a window that a rule or an update reads, or a rule."""
    time = time_of(policy)
    updates, rules = list(time.updates), list(policy.rules)
    permits = {one.permit for one in time.samples}
    free = [i for i, one in enumerate(updates) if one.cell not in permits]
    i, j = rng.choice(free), rng.randrange(len(rules))
    match rng.randrange(4):
        case 0:
            del updates[i]
        case 1:
            updates[i] = replace(updates[i], condition=moved(rng, policy, updates[i].condition))
        case 2:
            rules[j] = replace(rules[j], condition=moved(rng, policy, rules[j].condition))
        case _:
            rules[j] = replace(rules[j], condition=ir.negation(rules[j].condition))
    return replace(policy, rules=tuple(rules), time=replace(time, updates=tuple(updates)))


def moved(rng: random.Random, policy: ir.Policy, condition: ir.BoolExpr) -> ir.BoolExpr:
    """The condition with the end of a range of a cell moved by one, if it has one."""
    match condition:
        case ir.InRanges(name=name, ranges=((lo, hi),)):
            cell = next((c for c in time_of(policy).cells if c.name == name), None)
            top = hi + rng.choice((-1, 1))
            if cell is not None and lo <= top <= cell.field.hi:
                return replace(condition, ranges=((lo, top),))
            return condition
        case ir.Not(operand=operand):
            return ir.negation(moved(rng, policy, operand))
        case ir.And(operands=operands):
            return ir.conjunction([moved(rng, policy, one) for one in operands])
        case ir.Or(operands=operands):
            return ir.disjunction([moved(rng, policy, one) for one in operands])
        case _:
            return condition


def random_pair(rng: random.Random) -> tuple[ir.Policy, ir.Policy]:
    while True:
        policy = random_time_policy(rng)
        cells = time_of(policy).cells
        if policy.rules and 1 < len(cells) < 25:
            way = meant_alike if rng.random() < 0.3 else changed
            return policy, way(rng, policy)


def told_apart(rng: random.Random, old: ir.Policy, new: ir.Policy, histories: int) -> list[Outcome]:
    """Two outcomes of one moment of a random history that differ; nothing if none was met."""
    for _ in range(histories):
        states = [State(), State()]
        for sample in Histories(old, rng, keys=("a", "b")).history(40):
            found = [
                step(one, default_params(one), state, sample)
                for one, state in zip((old, new), states, strict=True)
            ]
            states = [state for state, _ in found]
            a, b = (outcome for _, outcome in found)
            if a is not None and b is not None and not same_outcome(a, b):
                return [a, b]
    return []


def judged(rng: random.Random) -> str:
    """What was said of a random pair, which is held against random histories and against itself."""
    old, new = random_pair(rng)
    report = compared(old, new, timeout_s=2)
    for one in report.findings:
        assert "disagree" not in one.help
        assert "the interpreter says" not in one.help
        assert "does not read back" not in one.help
        assert "does not take" not in one.help
    if not report.findings:
        assert told_apart(rng, old, new, 30) == []
        return "equal"
    return "differs" if any(one.code == "GOV308" for one in report.findings) else "undecided"


@pytest.mark.parametrize("seed", range(8))
def test_random_versions_that_are_said_to_be_equal_are_equal_on_random_histories(seed: int) -> None:
    judged(random.Random(f"pair {seed}"))


def test_other_words_for_the_same_are_found_equal_by_their_cells_alone() -> None:
    rng = random.Random(7)
    for _ in range(20):
        policy = random_time_policy(rng)
        if time_of(policy).cells:
            assert not diff(policy, meant_alike(rng, policy)).findings


def test_a_pair_is_the_same_whoever_asks() -> None:
    pairs: list[Pair] = [
        side_by_side(*versions("a contract that one event more revokes"), agreeing=False)
        for _ in range(2)
    ]
    assert pairs[0].policy == pairs[1].policy
