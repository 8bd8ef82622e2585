from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest
from c_compiled import COMPILERS, FLAGS
from c_text_demo import ARRAYS, HEADER, NAME, SOURCE

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_names import Documented
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine_run import classify

NAMES = Documented(["class.name.0", "same.name.other"], ["out.decision", "out.rule", "out.invalid"])


def refused(header: str, source: str) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        read_c(header, source)
    assert caught.value.code == "GOV416"
    return caught.value


def test_a_scan_is_read_with_its_automata_and_pairs() -> None:
    found = read_c(HEADER, SOURCE, NAMES)
    assert found == read_c(HEADER, SOURCE)
    assert [*found.variables] == [*NAMES.variables]
    assert [*found.scans] == ["name", "other"]
    name, other = found.scans.values()
    assert (name.field, name.max_bytes, name.pairs) == ("name", 6, ("other",))
    assert (other.field, other.max_bytes, other.pairs) == ("other", 8, ("name",))
    assert (len(name.columns), len(other.columns)) == (1, 0)
    assert name.validity == other.validity
    assert (name.columns[0].shift, name.columns[0].states) == (3, 3)
    assert name.columns[0].classes == (2, 0, 1)
    assert len(name.columns[0].next) == 3 * 8 + 256


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "two.h"
int main(void)
{
    two_request_t request = TWO_REQUEST_UNSET;
    int32_t head[2];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        uint8_t *text = malloc((size_t)head[1] + (head[1] == 0));
        if (head[1] > 0 && fread(text, (size_t)head[1], 1, stdin) != 1) { return 1; }
        int32_t given = head[0]
            ? two_classify_other(&request, text, (uint32_t)head[1])
            : two_classify_name(&request, text, (uint32_t)head[1]);
        free(text);
        printf("%d %d %d %d %d\\n", (int)given, (int)request.class_name_0,
            (int)request.same_name_other, (int)request.name_length, (int)request.other_length);
    }
    return two_classify_name(NULL, NULL, 0) + two_classify_other(&request, NULL, 0) + 4;
}
"""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_what_is_read_takes_texts_as_the_compiled_text_does(tmp_path: Path, compiler: str) -> None:
    scans = read_c(HEADER, SOURCE).scans
    (tmp_path / "two.h").write_text(HEADER)
    (tmp_path / "two.c").write_text(SOURCE)
    (tmp_path / "main.c").write_text(PROGRAM)
    flags = (*FLAGS, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    subprocess.run([compiler, *flags, "two.c", "main.c", "-o", "main"], cwd=tmp_path, check=True)
    rng = random.Random(5)
    texts = [
        (rng.random() < 0.5, bytes(rng.choice(b"ab\xc3") for _ in range(rng.choice((0, 1, 2, 6, 7, 8, 9)))))
        for _ in range(400)
    ]  # fmt: skip
    data = b"".join(
        int(which).to_bytes(4, "little") + len(text).to_bytes(4, "little") + text
        for which, text in texts
    )
    done = subprocess.run([tmp_path / "main"], input=data, capture_output=True, check=True)
    kept: dict[str, bytes | None] = {"name": None, "other": None}
    for (which, text), line in zip(texts, done.stdout.split(b"\n"), strict=False):
        field = "other" if which else "name"
        classes = classify(scans[field], text)
        given, column, same, *lengths = map(int, line.split())
        kept[field] = None if classes is None else text
        assert given == (-1 if classes is None else 0)
        if not which:
            assert column == (3 if classes is None else classes[0])
        both = None not in kept.values()
        assert same == (int(kept["name"] == kept["other"]) if both and classes is not None else 2)
        assert lengths == [-1 if one is None else len(one) for one in kept.values()]


# --- what is not the scan --------------------------------------------------------------------------

_WORD = re.compile(r"[A-Za-z_]\w*|\d\w*|->|<<|>=|==|&&|\S")


def edits(text: str) -> list[tuple[int, int, str]]:
    """One change for every word of a text: another name, another number, another sign, or none."""
    others = {
        "<": "<=",
        ">=": ">",
        "==": "!=",
        "&&": "||",
        "|": "&",
        "^": "|",
        "+": "-",
        "<<": ">>",
    }
    found = []
    for match in _WORD.finditer(text):
        word = match[0]
        if word[0].isdigit():
            number = re.sub(r"\d+", lambda digits: str(int(digits[0]) + 1), word)
            found += [(*match.span(), number), (*match.span(), f"{word}u")]
        elif word[0].isalpha():
            found.append((*match.span(), f"{word}x"))
        else:
            found.append((*match.span(), others.get(word, "")))
    return found


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
def test_every_other_word_in_the_function_is_refused(every: int) -> None:
    """But for the size of the longest text, which is part of what is read."""
    start = SOURCE.index(NAME)
    kept = []
    for first, last, word in edits(NAME)[::every]:
        changed = SOURCE[: start + first] + word + SOURCE[start + last :]
        try:
            found = read_c(HEADER, changed)
        except ArtefactError:
            continue
        kept.append((NAME[first:last], word))
        assert found.scans["name"].max_bytes == 7
    assert kept in ([("6u", "7u")], [] if every > 1 else None)


def test_every_statement_is_needed_in_its_place() -> None:
    lines = NAME.split("\n")
    for number, line in enumerate(lines):
        if line.rstrip().endswith(";"):
            without = [*lines[:number], *lines[number + 1 :]]
            twice = [*lines[:number], line, *lines[number:]]
            changed = "\n".join(without if number % 2 else twice)
            refused(HEADER, SOURCE.replace(NAME, changed))


EDITS = {
    ("length > 6u", "length > 9u"): "do not fit where they are kept",
    ("uint8_t other_bytes[8]", "uint8_t other_bytes[5]"): "do not fit where they are kept",
    ("class_name_0 = 3", "class_name_0 = 2"): "is unset to something else",
    ("{ 3, 2,", "{ 4, 2,"): "is unset to something else",
    ("v >= 2u", "v >= 1u"): "have not the size",
    ("v >= 2u", "v >= 2"): "another type or value",
    ("v << 2", "v << 3"): "have not the size",
    ("v << 2", "v << 33"): "of a size that none has",
    ("uint32_t s0 = 0u;", "uint32_t d0 = 0u;"): "stands where",
    ("int32_t name_length;", "uint32_t name_length;"): "no members for a text",
    ("int32_t two_classify_name(", "int64_t two_classify_name("): "not declared as documented",
    ("const uint8_t *text", "uint8_t *text"): "not declared as documented",
    ("[256] = {\n", "[257] = {\n"): "has not all of its 257 cells",
    ("[256] = {\n", "[256] = {\n-"): "more than arrays",
    ("[256] = {\n", "[256] = {\n256, "): "no number of 8 bits",
    ("static const uint8_t valid_symbol", "static uint8_t valid_symbol"): "more than arrays",
    ("static const uint8_t valid_symbol", "const uint8_t valid_symbol"): "more than arrays",
    ("static const uint8_t valid_symbol", "static const uint16_t valid_symbol"): "of 8 bits",
    ("static const uint16_t valid_next", "static const uint16_t first_next"): "declared twice",
    ("static const uint16_t valid_next", "static const uint16_t two_decide"): "means something",
    ("static const uint16_t valid_next", "static const uint16_t other_next"): "no array",
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_scan_whose_parts_do_not_fit_is_refused(edit: tuple[str, str]) -> None:
    assert edit[0] in HEADER + SOURCE
    error = refused(HEADER.replace(*edit), SOURCE.replace(*edit, 1))
    assert re.search(EDITS[edit], error.why), error.why


@pytest.mark.parametrize("local", ["valid_next", "two_decide", "request", "d0"])
def test_a_local_hides_nothing(local: str) -> None:
    refused(HEADER, SOURCE.replace(NAME, re.sub(r"\bs0\b", local, NAME)))


def test_arrays_stand_outside_functions() -> None:
    inside = NAME.replace("{\n    uint32_t i", "{\n" + ARRAYS + "    uint32_t i")
    error = refused(HEADER, SOURCE.replace(ARRAYS, "").replace(NAME, inside))
    assert error.why == "an array inside a function"
