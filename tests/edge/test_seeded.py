"""Seeded miscompilations: one thing of a bundle is changed, all hashes are right, and `gov verify` judges.

Each mutant is refused by a decoder, refuted by something that a real engine shows, or equal.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from bundle_engines import Original
from bundle_judgement import fate_of, original, seen
from bundle_mutation import KINDS, NoPlaceError, Parts, mutant
from source_strategies import write_policy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = (
    "stateless/drone_fleet",
    "stateless/microgrid",
    "stateless/coding_agent",
    "loan_desk/policy",
    "stateless/control_plane",
)
POLICIES = 6
"""Random policies beside an example, whose bundles are changed in one test."""

POLICIES_MAX = 40
"""More of them, where none of the first has a place for a change."""

UNDECIDED_MAX = 0.05
PARTS, LONG = 3, 30
"""In `make test` a third of the kinds a test, three of each; in the long test one of each kind a test."""


@dataclass
class Bundles:
    """An example and random policies, built when they are asked for."""

    seed: int
    folder: Path
    built: dict[int, Original] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Original:
        if number not in self.built:
            self.built[number] = original(self._source(number))
        return self.built[number]

    def _source(self, number: int) -> Path:
        if number == 0:
            return ROOT / f"examples/{EXAMPLES[self.seed % len(EXAMPLES)]}.gov"
        written = write_policy(random.Random(1000 * self.seed + number))
        folder = self.folder / str(number)
        folder.mkdir()
        for name, text in (written.files | {"policy.gov": written.text}).items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder / "policy.gov"

    def mutant(self, kind: str, rng: random.Random) -> tuple[int, Parts]:
        """A mutant of some bundle that has a place for it, and the number of that bundle."""
        first = rng.sample(range(POLICIES + 1), POLICIES + 1)
        for number in (*first, *range(POLICIES + 1, POLICIES_MAX)):
            with suppress(NoPlaceError):
                return number, mutant(self[number].parts, kind, rng)
        raise NoPlaceError


def judged(seed: int, kinds: Collection[str], each: int, folder: Path) -> Counter[str]:
    """What became of so many mutants of each kind; nothing may be wrong about it."""
    bundles, count, wrong = Bundles(seed, folder), Counter[str](), []
    for kind in kinds:
        for number in range(each):
            rng = random.Random(f"{kind} {seed} {number}")
            which, changed = bundles.mutant(kind, rng)
            fate, why = fate_of(bundles[which], changed, folder, rng)
            count[fate] += 1
            if why:
                wrong.append(f"{kind}, seed {seed}, policy {which}: {fate}: {why}")
    assert wrong == []
    assert count["undecided"] <= UNDECIDED_MAX * count.total()
    return count


@pytest.mark.parametrize("part", range(PARTS))
def test_a_seeded_miscompilation_is_refused_refuted_or_equal(part: int, tmp_path: Path) -> None:
    judged(part, [*KINDS][part::PARTS], 3, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 100 + LONG))
def test_many_seeded_miscompilations_are_refused_refuted_or_equal(
    seed: int, tmp_path: Path
) -> None:
    count = judged(seed, KINDS, 1, tmp_path)
    assert min(count["refused"], count["refuted"]) >= 5
    assert count["refuted"] >= 8


def test_every_kind_of_change_is_made_hundreds_of_times_in_all() -> None:
    artefacts = Counter(kind.split(":")[0] for kind in KINDS)
    assert {name: count * LONG for name, count in artefacts.items()} == {
        "wasm": 300,
        "C": 330,
        "table": 150,
        "manifest": 60,
    }


# --- the judge -----------------------------------------------------------------------------------


@cache
def drone() -> Original:
    return original(ROOT / "examples/stateless/drone_fleet.gov")


@pytest.mark.parametrize(
    "kind",
    [
        "wasm: branches swapped",
        "wasm: names of exports",
        "wasm: gov.schema",
        "C: branches swapped",
        "C: a statement dropped",
        "table: a word of the code",
        "table: a letter",
        "manifest: the schema",
    ],
)
def test_what_slipped_through_would_be_seen(kind: str) -> None:
    found = 0
    for seed in range(6):
        rng = random.Random(seed)
        parts = {**drone().parts, **mutant(drone().parts, kind, rng)}
        found += bool(shown(parts, rng))
    assert found >= 3


def shown(parts: Parts, rng: random.Random) -> str:
    try:
        return seen(drone(), parts, rng)
    except Exception as error:  # noqa: BLE001  # an engine that does not take a mutant shows it too
        return str(error)


def test_a_bundle_that_was_not_changed_is_equal(tmp_path: Path) -> None:
    assert fate_of(drone(), {}, tmp_path, random.Random(1)) == ("equal", "")
