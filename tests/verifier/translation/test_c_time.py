"""The proof of C over time: policies and examples are proved, no changed text slips, each refusal has its line."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import pytest
from c_mutation import constant, sign, without
from edge_time import written_board
from over_time import AT_ONCE, POOL
from time_c_mutation import Texts, fates, prove_c, texts
from time_ir_policies import BOARDS, random_time_policy
from time_machine_mutation import some_state

from govlang.compiler.frontend import compile_file, compile_source
from govlang.dsl.source import Source
from govlang.native.errors import ArtefactError
from govlang.verifier.translation import machine_run
from govlang.verifier.translation.edge import read_c_of
from govlang.verifier.translation.machine_proof import artefact_interface
from govlang.verifier.translation.proof import Verdict

PARTS = {
    *("interface", "constants", "refusals", "assumptions", "permits", "ranges", "defined"),
    *("outcome", "state", "state_ok", "next_deadline"),
}


@cache
def some_policy(seed: int) -> Texts:
    return texts(random_time_policy(random.Random(seed), BOARDS[seed % len(BOARDS)]))


@cache
def pool() -> Texts:
    """What an author wrote, without what is kept by another field than the key."""
    lines = [one for one in POOL.splitlines() if "wiped" not in one]
    return texts(compile_source(Source("pool.gov", "\n".join(lines))).policy)


def is_proved(one: Texts) -> list[str]:
    """What of the C of a policy is not proved."""
    proof = prove_c(one, one.read(), timeout_s=10)
    assert {part.name for part in proof.obligations} >= PARTS
    return [
        f"{part.name}: {part.failed[:3]}"
        for part in proof.obligations
        if part.verdict is not Verdict.PROVED
    ]


# --- what is proved ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 5, 10])
def test_c_over_time_is_proved(seed: int) -> None:
    assert is_proved(some_policy(seed)) == []


def test_c_of_what_an_author_wrote_is_proved() -> None:
    assert is_proved(pool()) == []


def test_c_of_ages_that_are_flags_is_proved_where_they_are_not_addressed() -> None:
    assert is_proved(texts(compile_source(Source("at_once.gov", AT_ONCE)).policy)) == []


ENDS = ((1, 255), (-128, 127), (-20, -5), (4500, 5500), (1, 1 << 40))


def held(lo: int, hi: int) -> Texts:
    """The C of a policy that keeps a reading between two ends."""
    text = f"""language 1
policy held version "1.0.0"
default allow
input {{ feeder : key }}
signal reading : number in {lo}..{hi}
rule low when has reading and reading < {lo + 1} deny
"""
    return texts(compile_source(Source("held.gov", text)).policy)


@pytest.mark.parametrize(("lo", "hi"), ENDS)
def test_what_is_kept_may_begin_and_end_anywhere(lo: int, hi: int) -> None:
    assert is_proved(held(lo, hi)) == []


def test_restore_tests_the_lower_end_of_what_is_kept() -> None:
    one = held(4500, 5500)
    test = re.search(r"\(held_get\(bytes \+ \d+, 2u\) < UINT64_C\(4500\)\) \|\| ", one.source)
    assert test is not None
    with pytest.raises(ArtefactError, match="the documented text of save and restore"):
        read_c_of(one.policy, one.header, one.source.replace(test[0], ""))


@pytest.mark.parametrize("name", ["breaker", "control_plane", "drone_fleet", "microgrid"])
def test_c_of_examples_over_time_is_proved(root: Path, name: str) -> None:
    policy = compile_file(root / "examples" / f"{name}.gov").policy
    assert is_proved(texts(policy)) == []


@pytest.mark.long
def test_c_of_the_largest_example_over_time_is_proved(root: Path) -> None:
    policy = compile_file(root / "examples" / "coding_agent.gov").policy
    assert is_proved(texts(policy)) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_c_of_many_policies_over_time_is_proved(seed: int) -> None:
    assert is_proved(some_policy(seed)) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", [*range(6), 11, 16])
def test_c_of_written_policies_is_proved(seed: int) -> None:
    assert is_proved(texts(written_board(random.Random(seed), 0)[0].policy)) == []


# --- mutants -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2])
def test_no_mutant_of_c_over_time_slips(seed: int) -> None:
    found = fates(some_policy(seed), random.Random(seed), 10)
    assert found.wrong == []
    assert found.count["refused"] > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20, 23))
def test_no_mutant_of_much_c_over_time_slips(seed: int) -> None:
    found = fates(some_policy(seed), random.Random(seed), 30)
    assert found.wrong == []
    assert found.count["undecided"] <= 1


def test_no_change_of_save_and_restore_is_read() -> None:
    one, rng = pool(), random.Random(1)
    at = one.source.index("static void pool_put(")
    for number in range(15):
        change = (constant, sign, without)[number % 3]
        other = one.source[:at] + change(rng, one.source[at:])
        if re.sub(r"\s", "", other) == re.sub(r"\s", "", one.source):
            continue
        with pytest.raises(ArtefactError, match=r"line \d+"):
            read_c_of(one.policy, one.header, other)


# --- what is refused -----------------------------------------------------------------------------

KEPT = "const int32_t state_restart_age = state->restart_age;"
REFUSED = {
    "a kind of another sample": (
        "return pool_step(1, ",
        "return pool_step(2, ",
        "the documented way",
    ),
    "an answer of its own": (
        "    return pool_step(1,",
        "    now = 1;\n    return pool_step(1,",
        "way",
    ),
    "the state of nobody": ("shared, state, now, NULL);", "shared, NULL, now, NULL);", "way"),
    "a null pointer that is let through": (
        "if ((shared == NULL) || (state == NULL)) {\n        return -2;\n    }\n    return pool_step(1",
        "return pool_step(1",
        "the documented way into the step",
    ),
    "a cell in a wider local": (KEPT, KEPT.replace("int32_t", "int64_t"), "a local of its width"),
    "a cell in an expression": (KEPT, KEPT.replace(";", " + 1;"), "a local of its width"),
    "the next state that is read": (
        KEPT,
        KEPT.replace("= state->", "= next_state->"),
        "may be read",
    ),
    "a cell behind a store": (
        "    if (asked == 0) {",
        "    const int32_t late = state->restart_age;\n    if (asked == 0) {",
        "behind a store of the state",
    ),
    "the state itself that is written": ("next_state->at = now;", "state->at = now;", "assignment"),
    "a member that is none": (
        "state->restart_age;",
        "state->restart;",
        "no value that may be read",
    ),
    "a loop": ("    uint32_t permits", "    while (now < 3) { }\n    uint32_t permits", "While"),
    "a helper without use": (
        "static int32_t pool_step(",
        "static int32_t pool_more(int32_t a)\n{\n    return a;\n}\n\nstatic int32_t pool_step(",
        "nothing uses",
    ),
    "another definition": ("_put(bytes + 16, UINT64_C(0x", "_put(bytes + 16, UINT64_C(0x1", "save"),
    "another place among the bytes": ("_put(bytes + 24,", "_put(bytes + 32,", "save and restore"),
    "a checksum of less": ("uint32_t i = 16u;", "uint32_t i = 20u;", "save and restore"),
    "a range that is not looked at": (
        "    if (pool_get(bytes + 64, 2u) > UINT64_C(5001)) {\n        return -3;\n    }\n",
        "",
        "save and restore",
    ),
    "the end is missing": ("    state->at = state_at;", "/*", "a comment without an end"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_source_that_was_changed_is_refused_with_its_line(what: str) -> None:
    before, behind, why = REFUSED[what]
    one = pool()
    assert before in one.source
    with pytest.raises(ArtefactError, match=rf"^GOV416: .*line \d+.*{re.escape(why)}"):
        read_c_of(one.policy, one.header, one.source.replace(before, behind, 1))


HEADERS = {
    "a wider member": ("uint16_t restart_age;", "uint32_t restart_age;", "is no `uint16_t`"),
    "a member with a sign": ("uint8_t heat;", "int8_t heat;", "is no `uint8_t`"),
    "another member": (
        "uint16_t restart_age;",
        "uint16_t restarted;",
        "the state has no member for `restart.age`",
    ),
    "a start outside its type": ("    5001, \\", "    70000, \\", "does not fit its type"),
    "a start that is missing": ("POOL_STATE_START", "POOL_STATE_BEGIN", "initialises nothing"),
    "a function without its state": (
        "pool_tick(pool_shared_t *shared, pool_state_t *state, int64_t now)",
        "pool_tick(pool_shared_t *shared, int64_t now)",
        "not declared as documented",
    ),
    "a parameter that hides a type": (
        "pool_tick(pool_shared_t *shared,",
        "pool_tick(pool_shared_t *pool_state_t,",
        "a parameter whose name",
    ),
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_that_was_changed_is_refused_with_its_line(what: str) -> None:
    before, behind, why = HEADERS[what]
    one = pool()
    assert before in one.header
    with pytest.raises(ArtefactError, match=rf"header line \d+.*{re.escape(why)}"):
        read_c_of(one.policy, one.header.replace(before, behind, 1), one.source)


def test_the_c_of_another_policy_is_refused() -> None:
    with pytest.raises(ArtefactError, match="GOV416"):
        read_c_of(pool().policy, some_policy(2).header, some_policy(2).source)


TOLD = {
    "another start": ("    5001, \\", "    5000, \\", "`state.restart.age` holds 5000 before"),
    "another unit": (
        "/* 0..200 */",
        "/* 0..200 K */",
        "the comment of `POOL_VARIABLE_SAMPLE_HEAT`",
    ),
    "another number of a cell's member": (
        "_GATE_OPEN = 1",
        "_GATE_OPEN = 2",
        "POOL_STATE_GATE_OPEN",
    ),
    "fewer bytes to save": ("STATE_BYTES 7", "STATE_BYTES 6", "POOL_STATE_BYTES"),
}


@pytest.mark.parametrize("what", TOLD)
def test_a_header_that_tells_something_else_is_refuted(what: str) -> None:
    before, behind, told = TOLD[what]
    one = pool()
    assert before in one.header
    other = Texts(one.policy, one.header.replace(before, behind, 1), one.source, one.memory)
    proof = prove_c(other, other.read())
    assert proof.refutation is not None
    assert told in proof.refutation.what


# --- what C leaves undefined ----------------------------------------------------------------------

UNDEFINED = {
    "a request that is NULL": (
        "const int32_t load = (asked != 0) ? request->load : 0;",
        "const int32_t load = request->load;",
    ),
    "a state that is NULL": (
        "    if (next_state != NULL) {\n        next_shared",
        "    {\n        next_shared",
    ),
    "an outcome that is NULL": ("    if (asked == 0) {\n        return 0;\n    }\n", ""),
    "a sum that overflows": ("(state_restart_age + soon_state);", "(INT32_MAX + soon_state);"),
}


@pytest.mark.parametrize("what", UNDEFINED)
def test_what_c_leaves_undefined_is_refuted_by_the_program_that_stops(what: str) -> None:
    before, behind = UNDEFINED[what]
    one = pool()
    assert before in one.source
    other = Texts(one.policy, one.header, one.source.replace(before, behind, 1), one.memory)
    proof = prove_c(other, other.read())
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert proof.refutation.found is None
    assert "comes to nothing" in proof.refutation.what


def test_a_cast_that_cannot_hold_the_value_is_not_proved() -> None:
    one = pool()
    before, behind = "(uint8_t)take_heat;", "(uint8_t)(take_heat + 100);"
    other = Texts(one.policy, one.header, one.source.replace(before, behind, 1), one.memory)
    assert prove_c(other, other.read()).verdict is Verdict.REFUTED


# --- the bound ------------------------------------------------------------------------------------


def test_no_run_does_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    artefact, rng, done = pool().read(), random.Random(1), [0]
    assert artefact.time is not None
    for name in ("compare", "operate"):
        own = getattr(machine_run, name)

        def counted(*given: object, own: object = own) -> object:
            done[0] += 1
            return own(*given)  # type: ignore[operator]

        monkeypatch.setattr(machine_run, name, counted)
    interface, most = artefact_interface(pool().policy, artefact), 0
    step = artefact.decide
    for _ in range(200):
        done[0] = 0
        machine_run.run(step, some_state(interface, rng))
        most = max(most, done[0])
    assert artefact.steps / 4 < most <= artefact.steps
