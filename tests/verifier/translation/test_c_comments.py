"""The comments of a header that tell units and scales: those that are built pass, every other one is named."""

from __future__ import annotations

import random
import re

import pytest
from c_policies import Emitted, emitted
from ir_strategies import random_policy

from govlang.compiler import c_names
from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_comments import comment, comment_mismatches
from govlang.verifier.translation.edge import read_c_of
from govlang.verifier.translation.machine_proof import artefact_interface

COMMENT = re.compile(
    r"^    (?:u?int\d+_t (\w+).*;|(RANDOM_VARIABLE_\w+) = \d+,?) (/\*.*\*/)$", re.MULTILINE
)


def mismatches(one: Emitted, header: str) -> list[str]:
    found = read_c_of(one.policy, header, one.source)
    return [*comment_mismatches(one.policy, artefact_interface(one.policy, found), found)]


@pytest.mark.parametrize("batch", range(4))
def test_the_comments_that_are_built_are_those_of_the_page(batch: int) -> None:
    for seed in range(batch * 20, batch * 20 + 20):
        one = emitted(random_policy(random.Random(seed)))
        assert mismatches(one, one.header) == []


@pytest.mark.parametrize("seed", range(6))
def test_another_comment_of_a_member_or_of_a_variable_is_named_with_its_line(seed: int) -> None:
    one = emitted(random_policy(random.Random(seed)))
    found = [*COMMENT.finditer(one.header)]
    assert len(found) >= 5
    for match in found:
        line = one.header.count("\n", 0, match.start()) + 1
        for other in (match[3].replace("/* ", "/* 1"), "", f"{match[3]} /* in km */", "// m"):
            header = one.header[: match.start(3)] + other + one.header[match.end(3) :]
            (told,) = mismatches(one, header)
            assert f" in header line {line} is `{other}`, must be `{match[3]}`" in told


def test_every_member_has_a_comment_that_is_read() -> None:
    one = emitted(random_policy(random.Random(3)))
    members = re.findall(r"^    u?int\d+_t \w+.*;.*$", one.header, re.MULTILINE)
    told = [match for match in COMMENT.finditer(one.header) if match[1]]
    assert len(members) == len(told) >= 5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("typedef struct {", "typedef struct { /* all in km */"),
        ("typedef struct {\n", "typedef struct {\n/* all in km\n * and h */\n"),
        ("} random_outcome_t;", "} random_outcome_t; // in km"),
    ],
)
def test_a_comment_in_a_struct_behind_no_member_is_refused(before: str, after: str) -> None:
    one = emitted(random_policy(random.Random(3)))
    assert before in one.header
    with pytest.raises(ArtefactError, match="a comment in a struct behind no member"):
        read_c_of(one.policy, one.header.replace(before, after, 1), one.source)


def test_a_heading_between_declarations_may_say_anything() -> None:
    one = emitted(random_policy(random.Random(3)))
    header = one.header.replace("typedef struct {", "/* what is asked */\ntypedef struct {")
    assert mismatches(one, header) == []


@pytest.mark.parametrize(
    "text", ["m/s", "*/ x", "/*/*/", "????=", "a\u202eb\x00", "é…" * 120, "*" * 200]
)
def test_a_text_is_made_safe_as_the_compiler_does(text: str) -> None:
    assert comment(text) == f"/* {c_names.comment(text)} */"
