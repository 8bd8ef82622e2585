"""A lookup is read for what its text says; another array or factor is another step, another form is refused."""

from __future__ import annotations

import re

import pytest
from c_policies import emitted
from machine_mutation import SNAPSHOT
from tables import policy_of

from govlang.compiler import ir
from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_policy import names_of
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine_proof import prove_artefact
from govlang.verifier.translation.proof import Verdict

RULES = 5
INDEX = "(((uint64_t)(found & (0u - found)) * UINT64_C(0x77cb531)) & UINT64_C(0xffffffff)) >> 27"
ARRAY = re.compile(r"_by_bit\[32\] = \{([0-9,\s]*)\};")


RISK = ir.Field("risk", ir.Kind.NUMBER, 0, 2**RULES - 1)


def where_bit(bit: int) -> ir.Rule:
    """A rule that fires where `risk` has a bit, so that each of them, and none, may be the first."""
    values = tuple((n, n) for n in range(2**RULES) if n >> bit & 1)
    return ir.Rule(f"r{bit}", ir.InRanges("risk", values), ir.Effect.DENY)


ONE = emitted(policy_of(RISK, rules=tuple(map(where_bit, range(RULES)))))


def verdict(source: str) -> Verdict:
    artefact = read_c(ONE.header, source, names_of(ONE.policy))
    proof = prove_artefact(ONE.policy, artefact, what="C", snapshot=SNAPSHOT, timeout_s=10)
    return proof.verdict


def with_cells(change: dict[int, int]) -> str:
    match = ARRAY.search(ONE.source)
    assert match is not None
    cells = [int(cell) for cell in match[1].replace(",", " ").split()]
    shown = ", ".join(str(change.get(place, cell)) for place, cell in enumerate(cells))
    return ONE.source[: match.start(1)] + shown + ONE.source[match.end(1) :]


def test_a_lookup_is_proved() -> None:
    assert verdict(ONE.source) is Verdict.PROVED


def test_a_cell_that_is_read_is_another_step_and_one_that_is_not_is_the_same() -> None:
    read = {(0x77CB531 << bit) % 2**32 >> 27 for bit in range(RULES + 1)}  # one is always set
    for place in range(32):
        wanted = Verdict.REFUTED if place in read else Verdict.PROVED
        assert verdict(with_cells({place: 250})) is wanted, place


def test_another_factor_is_another_step() -> None:
    assert verdict(ONE.source.replace("0x77cb531", "0x37cb531")) is Verdict.REFUTED


ODD = {
    ">> 26": "another place than that of a lowest bit",
    ">> INT32_C(27)": "another place than that of a lowest bit",
    "found & (0u - found)) * ": "another place|a cast|not the lowest bit",
    "UINT64_C(0xfffffffe)": "another place than that of a lowest bit",
    "(int64_t)(found": "another place than that of a lowest bit",
    "(found | (0u": "not the lowest bit",
    "(1u - found)": "not the lowest bit",
    "UINT64_C(125613361)": "a constant that is not written",
    "UINT32_C(0x77cb531)": "a constant that is not written",
}
PLACES = {
    ">> 26": ">> 27",
    ">> INT32_C(27)": ">> 27",
    "found & (0u - found)) * ": "(uint64_t)(found & (0u - found)) * ",
    "UINT64_C(0xfffffffe)": "UINT64_C(0xffffffff)",
    "(int64_t)(found": "(uint64_t)(found",
    "(found | (0u": "(found & (0u",
    "(1u - found)": "(0u - found)",
    "UINT64_C(125613361)": "UINT64_C(0x77cb531)",
    "UINT32_C(0x77cb531)": "UINT64_C(0x77cb531)",
}


@pytest.mark.parametrize("part", ODD)
def test_another_index_is_refused(part: str) -> None:
    before = PLACES[part]
    given = "(" + part if part.startswith("found &") else part
    assert INDEX.count(before) == 1
    with pytest.raises(ArtefactError, match=ODD[part]):
        verdict(ONE.source.replace(INDEX, INDEX.replace(before, given)))


def test_a_word_with_a_sign_another_size_and_an_array_that_is_none_are_refused() -> None:
    name = re.search(r"(\w+_by_bit)\[32\]", ONE.source)
    assert name is not None
    signed = ONE.source.replace("(uint32_t found)", "(int32_t found)").replace(
        "((uint32_t)found)", "(found)"
    )
    for source, why in (
        (signed, "may be negative|is no `uint32_t` here"),
        (with_cells({31: 0}).replace("_by_bit[32]", "_by_bit[33]"), "has not all of its 33 cells"),
        (ONE.source.replace(f"return {name[1]}[", "return missing["), "`missing` is no array here"),
    ):
        with pytest.raises(ArtefactError, match=why):
            verdict(source)
