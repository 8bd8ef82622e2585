"""Whatever the source, the front end gives a policy that holds together or coded errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from source_strategies import write_policy
from tree_mutation import collected, mutated

from govlang.compiler import interpret
from govlang.compiler.checked import Checked
from govlang.compiler.core import core_json
from govlang.compiler.frontend import compile_file, compile_source
from govlang.compiler.imports import Program, gather
from govlang.compiler.intervals import check_policy
from govlang.compiler.lower import lower_policy
from govlang.compiler.requests import read_sample
from govlang.compiler.step import initial_state, step
from govlang.dsl.codes import CODES
from govlang.dsl.diagnostics import Diagnostic, GovError, render_all
from govlang.dsl.parser import parse
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source

TOKEN = re.compile(r'\s+|[A-Za-z_]\w*|\d+(?:\.\d+)?|"[^"\n]*"|.', re.DOTALL)
ODD = [
    "0",
    "-1",
    "9" * 30,
    "0.00000001",
    "1e5",
    "5 kg",
    "{}",
    '""',
    "not",
    "approved",
    "weekday",
    "decision is deny",
]


def test_every_example_compiles(root: Path) -> None:
    found = [
        path for path in sorted((root / "examples").rglob("*.gov")) if path.name != "FIELDS.gov"
    ]
    assert found
    for path in found:
        check_policy(compile_file(path).policy)


def test_a_printed_policy_means_what_was_written() -> None:
    for seed in range(100):
        written = write_policy(Random(seed))
        source = Source("p.gov", written.text)
        printed = Source("p.gov", print_policy(parse(source)))
        cores = [core_json(compile_source(one, written.read).policy) for one in (source, printed)]
        assert cores[0] == cores[1]


def _sound(diagnostics: tuple[Diagnostic, ...]) -> None:
    assert diagnostics
    assert render_all(diagnostics)
    for one in diagnostics:
        assert one.code in CODES
        assert one.span is not None or one.code.startswith("GOV1")
        assert one.help or one.code.startswith("GOV1")
        assert "\n" not in one.message


def _holds_together(checked: Checked) -> None:
    check_policy(checked.policy)
    for test in checked.tests:
        for one in test.steps:
            sample = read_sample(checked.policy, one.request, one.runtime, one.at_ms)
            params = interpret.default_params(checked.policy)
            step(checked.policy, params, initial_state(checked.policy), sample)


def _tokens_changed(text: str, rng: Random) -> str:
    tokens = TOKEN.findall(text)
    for _ in range(rng.choice([1, 1, 2, 4])):
        i, j = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        match rng.randrange(5):
            case 0:
                tokens[i] = tokens[j]
            case 1:
                del tokens[i]
            case 2:
                tokens.insert(i, tokens[j])
            case 3:
                tokens[i] = rng.choice(ODD)
            case _:
                tokens[i], tokens[j] = tokens[j], tokens[i]
    return "".join(tokens)


def _texts(root: Path, count: int) -> Iterator[tuple[int, str]]:
    examples = [path.read_text() for path in sorted((root / "examples").glob("*.gov"))]
    for seed in range(count):
        rng = Random(seed)
        yield seed, write_policy(rng).text if seed % 3 else rng.choice(examples)


def test_a_mutated_source_gives_a_policy_or_coded_errors(root: Path) -> None:
    for seed, text in _texts(root, 300):
        try:
            _holds_together(compile_source(Source("p.gov", _tokens_changed(text, Random(seed)))))
        except GovError as error:
            _sound(error.diagnostics)


def _mutate_trees(seeds: range) -> int:
    fine = 0
    for seed in seeds:
        rng = Random(seed)
        written = write_policy(rng)
        program = gather(Source("p.gov", written.text), written.read)
        pool: dict[int, list[object]] = {}
        collected(program.declarations, pool)
        changed = mutated(program.declarations, rng, pool, rng.choice([0.003, 0.01, 0.03, 0.1]))
        try:
            _holds_together(lower_policy(Program(program.header, changed, program.sources)))
            fine += 1
        except GovError as error:
            _sound(error.diagnostics)
    return fine


def test_a_tree_with_parts_exchanged_gives_a_policy_or_coded_errors() -> None:
    assert 0 < _mutate_trees(range(400)) < 400


@pytest.mark.long
def test_many_trees_with_parts_exchanged_give_a_policy_or_coded_errors() -> None:
    assert _mutate_trees(range(1000, 9000))
