"""`benchmarks/mutation.md`: what became of the mutants, with every one that no test noticed."""

from __future__ import annotations

import platform
import tomllib
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from benchmarks.mutation.packages import ROOT

PAGE = ROOT / "benchmarks" / "mutation.md"
NOTES = ROOT / "benchmarks" / "mutation" / "notes.md"  # by hand: how the last sample was judged
EQUIVALENT = ROOT / "benchmarks" / "mutation" / "equivalent.toml"
GOAL = 0.9

Fates = dict[str, dict[str, Any]]

HEAD = """# Mutation score

Of each package a seeded sample of small changes (the kinds stand in [mutants.py](mutation/mutants.py), after those
of cosmic-ray and mutmut); a change is *killed* if a test fails, *timed out* if the tests no longer end. *Not
reached* is code that no test runs; it counts as survived. *Equivalent* changes alter nothing that can be
observed; they are listed below with the reason and leave the count. The score is (killed + timed out) of the rest.
Goal: 90 %. By hand: `make mutation`.
"""


def write(fates: dict[str, Fates], sizes: dict[str, int], seed: int) -> None:
    """Write the page; `sizes` counts all mutants of each package."""
    reasons = _reasons()
    rows = [_row(package, found, sizes[package], reasons) for package, found in fates.items()]
    parts = [
        HEAD,
        f"Seed {seed}; {_versions()}.\n",
        NOTES.read_text(encoding="utf-8"),
        "| package | mutants | sampled | killed | timed out | survived | not reached | equivalent | score | goal |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n" + "".join(rows),
    ]
    for package, found in fates.items():
        parts.append(_survivors(package, found.values(), reasons))
    PAGE.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _row(package: str, fates: Fates, size: int, reasons: dict[tuple[str, ...], str]) -> str:
    count = Counter(_fate(fate, reasons) for fate in fates.values())
    caught = count["killed"] + count["timed out"]
    score = caught / (len(fates) - count["equivalent"])
    cells = (package, size, len(fates), count["killed"], count["timed out"], count["survived"])
    more = (count["not reached"], count["equivalent"], f"{100 * score:.1f} %", _verdict(score))
    return f"| {' | '.join(map(str, (*cells, *more)))} |\n"


def _verdict(score: float) -> str:
    return "met" if score >= GOAL else "missed"


def _survivors(
    package: str, fates: Iterable[dict[str, Any]], reasons: dict[tuple[str, ...], str]
) -> str:
    """The mutants of a package that no test noticed: the equivalent ones last, with their reason."""
    kept = sorted((fate for fate in fates if _unnoticed(fate)), key=_place)
    alive = [fate for fate in kept if _key(fate) not in reasons]
    same = [fate for fate in kept if _key(fate) in reasons]
    text = f"## {package}\n"
    if alive:
        text += "\nNo test notices:\n\n" + "".join(f"- {_shown(fate)}\n" for fate in alive)
    if same:
        lines = (f"- {_shown(fate)}: {reasons[_key(fate)]}\n" for fate in same)
        text += "\nEquivalent:\n\n" + "".join(lines)
    return text


def _fate(fate: dict[str, Any], reasons: dict[tuple[str, ...], str]) -> str:
    return "equivalent" if _unnoticed(fate) and _key(fate) in reasons else str(fate["fate"])


def _unnoticed(fate: dict[str, Any]) -> bool:
    return fate["fate"] in {"survived", "not reached"}


def _place(fate: dict[str, Any]) -> tuple[str, int]:
    return fate["path"], fate["number"]


def _shown(fate: dict[str, Any]) -> str:
    """The place and what differs between the two lines, with some of what both have around it."""
    where = f"{fate['path']}, {fate['where'] or 'at its level'}"
    before, after = _apart(fate["before"], fate["after"])
    return f"{where}: `{before}` → `{after}`"


def _apart(before: str, after: str, around: int = 30) -> tuple[str, str]:
    """Two texts without most of what they have in common at both ends."""
    one, other = " ".join(before.split()), " ".join(after.split())
    least = min(len(one), len(other))
    head = next((i for i in range(least) if one[i] != other[i]), least)
    tail = next((i for i in range(least - head) if one[-1 - i] != other[-1 - i]), least - head)
    start = max(0, head - around)
    cut = max(0, tail - around)
    first = "…" if start else ""
    last = "…" if cut else ""
    ends = len(one) - cut, len(other) - cut
    return f"{first}{one[start : ends[0]]}{last}", f"{first}{other[start : ends[1]]}{last}"


def _key(fate: dict[str, Any]) -> tuple[str, ...]:
    return fate["path"], fate["where"], fate["before"], fate["after"]


def _reasons() -> dict[tuple[str, ...], str]:
    """Why mutants are equivalent, by place and change; line numbers move too easily."""
    with EQUIVALENT.open("rb") as file:
        return {_key(entry): entry["reason"] for entry in tomllib.load(file)["mutant"]}


def _versions() -> str:
    tools = ", ".join(f"{name} {version(name)}" for name in ("pytest", "hypothesis", "coverage"))
    return f"Python {platform.python_version()}, {tools}"
