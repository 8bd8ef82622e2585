"""Policies with one planted defect each, and their repaired twins, made from a seed.

In: a kind and a seed.  Out: a `Defect`: two texts that differ in one token, and what a verifier must
say of the first.  The base of each is a random partition of the requests into rules, so it has
neither overlaps nor gaps; the defect is planted at the border of two rules or in a rule beside them.

The same kind and seed always give the same texts; to read them, from the folder `tests`:
`python -m faulty.generate DIR`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path as FilePath
from random import Random
from typing import Final

from faulty.expectation import Expectation
from faulty.fields import Field, Number, Path, condition, fields, grow, leaves, number

HOLE: Final = "\0"
"""Stands in a text where the twins differ."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A faulty policy, its twin, and what must be found in the faulty one."""

    kind: str
    seed: int
    expected: Expectation
    faulty: str
    fixed: str

    @property
    def name(self) -> str:
        """Unique among the defects, usable as a file's name."""
        return f"{self.kind}_{self.seed:02d}"


@dataclass(frozen=True, slots=True)
class Planted:
    """A text with a hole, what fills it in the faulty policy and in its twin, and the finding."""

    expected: Expectation
    text: str
    bad: object
    good: object


def _rules(code: str, kind: str, *rules: str, by: Sequence[str] = ()) -> Expectation:
    return Expectation(code, kind, rules, tuple(by), None)


OVERLAP: Final = _rules("GOV301", "conflict", "below", "above")
ODD: Final = _rules("GOV304", "vacuous", "odd")
NEVER: Final = _rules("GOV302", "unreachable", "odd")
GAP: Final = _rules("GOV305", "gap")
CLAIM: Final = Expectation("GOV306", "property", (), (), "claim")


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy while it is made: `pivot` is the number field whose border is moved."""

    over: tuple[Field, ...]
    pivot: Number
    border: Decimal
    others: tuple[Path, ...]
    home: Path

    def near(self, operator: str, value: object) -> str:
        """The home path, cut by the pivot."""
        return condition((*self.home, self.pivot.part(operator, str(value))))


def draft(rng: Random, rules: int) -> Draft:
    """Fields, a partition into about `rules` paths, and one of them to be cut by the pivot."""
    over = fields(rng, rng.randint(4, 6))
    pivot = number(rng, "level")
    paths = leaves(rng, over, rules)
    home = paths.pop(rng.randrange(len(paths)))
    return Draft((*over, pivot), pivot, pivot.threshold(rng), tuple(paths), home)


DENYING: Final = (
    "deny",
    'require human from "lead"',
    'deny because "No"',
    'require human from "ops"',
)
PERMITTING: Final = ("allow", 'allow because "Yes"')


def body(rng: Random, paths: Sequence[Path], effects: Sequence[str], *, some: bool) -> list[str]:
    """A rule a path; when `some`, about a fifth of the paths are left to the default."""
    kept = [p for p in paths if p and not (some and rng.random() < 0.2)]
    return [
        f"rule part_{n}\n  when {condition(path)}\n  {rng.choice(effects)}"
        for n, path in enumerate(kept, 1)
    ]


def policy(kind: str, over: Sequence[Field], head: Sequence[str], rules: Sequence[str]) -> str:
    """A whole policy; `head` holds `default` and what else stands before the rules."""
    lines = "\n".join(f"  {field.declaration()}" for field in over)
    top = f'language 1\npolicy {kind} version "1.0.0"\n'
    return f"{top}{_lines(head)}\ninput {{\n{lines}\n}}\n\n{_lines(rules)}"


def _lines(parts: Sequence[str]) -> str:
    return "".join(f"{part}\n" for part in parts)


def _mixed(rng: Random, rules: list[str], planted: Sequence[str]) -> list[str]:
    """The planted rules, their order kept, strewn among the others."""
    places = sorted(rng.randint(0, len(rules)) for _ in planted)
    mixed = list(rules)
    for offset, (place, rule) in enumerate(zip(places, planted, strict=True)):
        mixed.insert(place + offset, rule)
    return mixed


def conflict(rng: Random, kind: str) -> Planted:
    """An allow and a stricter rule that share the border, `<` or `<=` in one of them."""
    d = draft(rng, rng.randint(3, 7))
    operator, other = rng.choice(((">", "<="), (">=", "<")))
    low = f"rule below\n  when {d.near(other, d.border)}\n  {rng.choice(PERMITTING)}"
    high = f"rule above\n  when {d.near(operator, HOLE)}\n  {rng.choice(DENYING)}"
    rules = _mixed(rng, body(rng, d.others, (*DENYING, *PERMITTING), some=True), (low, high))
    text = policy(kind, d.over, ["default deny"], rules)
    moved = d.border - rng.choice((1, 1, 3)) * d.pivot.step
    return Planted(OVERLAP, text, moved, d.border)


def unique_outcomes(rng: Random, kind: str) -> Planted:
    """Two rules under `combine unique` that share the border, whatever they say."""
    d = draft(rng, rng.randint(3, 7))
    effects = (*DENYING, *PERMITTING)
    low = f"rule below\n  when {d.near(HOLE, d.border)}\n  {rng.choice(effects)}"
    high = f"rule above\n  when {d.near('>=', d.border)}\n  {rng.choice(effects)}"
    rules = _mixed(rng, body(rng, d.others, effects, some=True), (low, high))
    text = policy(kind, d.over, ["combine unique", "default deny"], rules)
    return Planted(OVERLAP, text, "<=", "<")


def param_range(rng: Random, kind: str) -> Planted:
    """An allow up to a parameter whose range passes what another rule denies."""
    d = draft(rng, rng.randint(3, 6))
    low = f"rule below\n  when {d.near('<=', 'cap').replace(f'cap{d.pivot.suffix()}', 'cap')}\n  allow"
    high = f"rule above\n  when {d.near('>', d.border)}\n  {rng.choice(DENYING)}"
    bottom = d.border - 4 * d.pivot.step
    param = (
        f"param cap : number in {bottom}..{HOLE}{d.pivot.suffix()} step {d.pivot.step}"
        f" = {bottom}{d.pivot.suffix()}"
    )
    rules = _mixed(rng, body(rng, d.others, (*DENYING, *PERMITTING), some=True), (low, high))
    text = policy(kind, d.over, ["default deny", param], rules)
    return Planted(OVERLAP, text, d.border + d.pivot.step, d.border)


def limits(rng: Random, kind: str) -> Planted:
    """Two ranges of one output that miss each other by a step where both rules fire."""
    d = draft(rng, rng.randint(2, 5))
    out = number(rng, "rate")
    meet = out.threshold(rng)
    low = max(out.low, 0)
    first = f"rule below\n  when {condition(d.home)}\n  limit rate to {low}..{meet}{out.suffix()}"
    second = (
        f"rule above\n  when {d.pivot.name} >= {d.border}{d.pivot.suffix()}\n"
        f"  limit rate to {HOLE}..{out.high}{out.suffix()}"
    )
    rules = _mixed(rng, body(rng, d.others, DENYING, some=True), (first, second))
    head = ["combine most_restrictive", "default allow", f"output {out.declaration()}"]
    return Planted(OVERLAP, policy(kind, d.over, head, rules), meet + out.step, meet)


def action_arguments(rng: Random, kind: str) -> Planted:
    """One action with two values of its argument at the border of two rules."""
    d = draft(rng, rng.randint(2, 6))
    one, two = rng.sample(range(1, 9), 2)
    effect = rng.choice(("deny", "throttle retry 1 min"))
    low = f"rule below\n  when {d.near(HOLE, d.border)}\n  {effect} and do turn(to = {one})"
    high = f"rule above\n  when {d.near('>=', d.border)}\n  deny and do turn(to = {two})"
    rules = _mixed(rng, body(rng, d.others, DENYING, some=True), (low, high))
    head = ["default allow", "action turn { to : number in 0..9 }"]
    return Planted(OVERLAP, policy(kind, d.over, head, rules), "<=", "<")


def _cover(rng: Random, d: Draft, count: int) -> list[Path]:
    """What lies above the border, cut into `count` paths or more."""
    paths = [(*d.home, d.pivot.part(">", str(d.border)))]
    while len(paths) < count and len(paths[0]) < len(d.over):
        paths += grow(rng, paths.pop(0), d.over)
    return paths


def unreachable(rng: Random, kind: str) -> Planted:
    """A deny that other denies cover together: one below the border and one or more above it."""
    d = draft(rng, rng.randint(2, 5))
    covers = _cover(rng, d, rng.randint(1, 4))
    names = [f"cover_{n}" for n in range(1, len(covers) + 1)]
    first = f"rule below\n  when {d.near('<=', HOLE)}\n  deny"
    above = [f"rule {n}\n  when {condition(p)}\n  deny" for n, p in zip(names, covers, strict=True)]
    start = max(d.pivot.low, 0) + d.pivot.step
    dead = f'rule dead\n  when {d.near(">=", start)}\n  deny because "Never said"'
    rules = _mixed(rng, body(rng, d.others, DENYING, some=True), (first, *above, dead))
    text = policy(kind, d.over, ["default allow"], rules)
    shrunk = d.border - rng.randint(1, 5) * d.pivot.step
    return Planted(
        _rules("GOV302", "unreachable", "dead", by=("below", *names)),
        text,
        d.border,
        shrunk,
    )


def table_shadow(rng: Random, kind: str) -> Planted:
    """A row under `first_match` that the rows above it cover."""
    d = draft(rng, rng.randint(2, 4))
    rows = [(*d.home, d.pivot.part("<=", HOLE)), *_cover(rng, d, rng.randint(1, 3))]
    dead = (*d.home, d.pivot.part(">=", str(max(d.pivot.low, 0) + d.pivot.step)))
    effects = [rng.choice((*DENYING[:2], "allow")) for _ in (*rows, dead)]
    lines = [
        _row(d.over, path, effect) for path, effect in zip((*rows, dead), effects, strict=True)
    ]
    heads = [field.name for field in d.over]
    table = "\n".join(
        [
            f"table list({', '.join(heads)}) -> decision {{",
            f"  | {' | '.join((*heads, 'decision'))} |",
            *lines,
            "}",
        ]
    )
    text = policy(kind, d.over, ["combine first_match", "default deny"], [table])
    names = [f"list#{n}" for n in range(1, len(rows) + 1)]
    expected = _rules("GOV302", "unreachable", f"list#{len(rows) + 1}", by=names)
    shrunk = d.border - rng.randint(1, 5) * d.pivot.step
    return Planted(expected, text, d.border, shrunk)


def _row(over: Sequence[Field], path: Path, effect: str) -> str:
    cells = {part.field: part.cell for part in path}
    return f"  | {' | '.join((*(cells.get(field.name, '_') for field in over), effect))} |"


def gap(rng: Random, kind: str) -> Planted:
    """A border that belongs to neither side, under `default none`."""
    d = draft(rng, rng.randint(3, 7))
    effects = (*DENYING, *PERMITTING)
    low = f"rule below\n  when {d.near('<=', HOLE)}\n  {rng.choice(effects)}"
    high = f"rule above\n  when {d.near('>', d.border)}\n  {rng.choice(effects)}"
    rules = _mixed(rng, body(rng, d.others, effects, some=False), (low, high))
    moved = d.border - rng.choice((1, 1, 2)) * d.pivot.step
    return Planted(GAP, policy(kind, d.over, ["default none"], rules), moved, d.border)


def gap_unique(rng: Random, kind: str) -> Planted:
    """The same under `combine unique`, by an operator."""
    d = draft(rng, rng.randint(3, 6))
    effects = (*DENYING, *PERMITTING)
    low = f"rule below\n  when {d.near('<', d.border)}\n  {rng.choice(effects)}"
    high = f"rule above\n  when {d.near(HOLE, d.border)}\n  {rng.choice(effects)}"
    rules = _mixed(rng, body(rng, d.others, effects, some=False), (low, high))
    return Planted(GAP, policy(kind, d.over, ["combine unique", "default none"], rules), ">", ">=")


def property_border(rng: Random, kind: str) -> Planted:
    """A rule that begins a step later than the property that speaks of it."""
    d = draft(rng, rng.randint(2, 6))
    high = f"rule above\n  when {d.near('>=', HOLE)}\n  deny"
    low = f"rule below\n  when {d.near('<', d.border - 2 * d.pivot.step)}\n  {rng.choice(DENYING)}"
    prove = f"prove claim: {d.near('>=', d.border)} implies decision is deny"
    rules = _mixed(rng, body(rng, d.others, DENYING, some=True), (low, high))
    moved = d.border + rng.randint(1, 2) * d.pivot.step
    return Planted(CLAIM, policy(kind, d.over, ["default allow"], [*rules, prove]), moved, d.border)


def property_role(rng: Random, kind: str) -> Planted:
    """A property that trusts the approval of the wrong role."""
    d = draft(rng, rng.randint(2, 6))
    asked, other = rng.sample(("sre", "legal", "finance", "owner"), 2)
    minutes = rng.randint(1, 50)
    effect = f'require human from "{asked}" expires {minutes} min'
    high = f"rule above\n  when {d.near('>', d.border)}\n  {effect}"
    low = f'rule below\n  when {d.near("<=", d.border)}\n  require human from "{other}"'
    prove = (
        f"prove claim: {d.near('>', d.border)} implies"
        f" decision is at least require human or approved contains {HOLE}"
    )
    rules = _mixed(rng, body(rng, d.others, (*PERMITTING, "deny"), some=True), (low, high))
    return Planted(
        CLAIM, policy(kind, d.over, ["default deny"], [*rules, prove]), f'"{other}"', f'"{asked}"'
    )


def _pair(rng: Random, d: Draft) -> tuple[tuple[Field, ...], Number, Number]:
    """Two more numbers on one grid, as fields of the policy."""
    unit = rng.choice(("", "kg", "kW"))
    one, two = number(rng, "first", unit), number(rng, "second", unit)
    return (*d.over, one, two), one, two


def never(rng: Random, kind: str) -> Planted:
    """A sum compared with what it never passes."""
    d = draft(rng, rng.randint(2, 6))
    over, one, two = _pair(rng, d)
    weight = rng.randint(1, 3)
    top = weight * one.high + two.high
    extra = (
        f"rule odd\n  when {weight} * first + second > {HOLE}{one.suffix()}\n  throttle retry 1 h"
    )
    rules = _mixed(rng, body(rng, d.others, DENYING, some=True), (extra,))
    return Planted(
        NEVER, policy(kind, over, ["default allow"], rules), top, top - rng.randint(5, 20)
    )


def always(rng: Random, kind: str) -> Planted:
    """A difference compared with what it always reaches."""
    d = draft(rng, rng.randint(2, 6))
    over, one, two = _pair(rng, d)
    most = two.high - one.low
    extra = f"rule odd\n  when second - first <= {HOLE}{one.suffix()}\n  throttle retry 1 h"
    rules = _mixed(rng, body(rng, d.others, DENYING, some=True), (extra,))
    return Planted(
        ODD, policy(kind, over, ["default allow"], rules), most, most - rng.randint(5, 20)
    )


def vacuous_override(rng: Random, kind: str) -> Planted:
    """An `overrides` between rules that never fire together."""
    d = draft(rng, rng.randint(2, 6))
    high = f"rule above\n  when {d.near('>', d.border)}\n  {rng.choice(DENYING)}"
    low = f"rule below\n  when {d.near('<=', HOLE)}\n  allow overrides above"
    rules = _mixed(rng, body(rng, d.others, (*DENYING, *PERMITTING), some=True), (high, low))
    moved = d.border + rng.randint(1, 6) * d.pivot.step
    return Planted(
        _rules("GOV304", "vacuous", "below"),
        policy(kind, d.over, ["default deny"], rules),
        d.border,
        moved,
    )


Maker = Callable[[Random, str], Planted]
MAKERS: Final[tuple[Maker, ...]] = (
    conflict, unique_outcomes, param_range, limits, action_arguments, unreachable, table_shadow,
    gap, gap_unique, property_border, property_role, never, always, vacuous_override,
)  # fmt: skip
"""One a kind; each returns what it planted."""

SEEDS: Final = range(6)


def make(maker: Maker, seed: int) -> Defect:
    """The defect of that kind and seed."""
    kind = maker.__name__
    planted = maker(Random(f"{kind} {seed}"), kind)
    assert planted.text.count(HOLE) == 1
    faulty, fixed = (planted.text.replace(HOLE, str(t)) for t in (planted.bad, planted.good))
    return Defect(kind, seed, planted.expected, faulty, fixed)


def defects(seeds: Sequence[int] = SEEDS) -> Iterator[Defect]:
    """Every kind with every seed: 84 with the usual seeds."""
    return (make(maker, seed) for maker in MAKERS for seed in seeds)


def main(folder: str) -> None:
    """Write every defect and its twin into the folder."""
    target = FilePath(folder)
    target.mkdir(parents=True, exist_ok=True)
    for defect in defects():
        (target / f"{defect.name}.gov").write_text(defect.faulty, encoding="utf-8")
        (target / f"{defect.name}.fixed.gov").write_text(defect.fixed, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
