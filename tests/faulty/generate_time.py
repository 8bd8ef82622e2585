"""Policies over time with one planted fault each, and their sound originals, made from a seed.

In: a kind and a seed.  Out: a `Defect`: two texts that differ in one token, and what a verifier must say
of the first.  Each kind begins with a sound policy (its rules keep what it claims, its windows leave no
gap) and changes one thing in it: a window by a millisecond, an event, a bound by one, a state.
Windows last from 10 ms to 30 days.

The same kind and seed always give the same texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from faulty.expectation import Expectation
from faulty.fields import Field, condition, fields, leaves
from faulty.generate import HOLE, Defect, Planted, body, policy

WINDOWS: Final = (10, 250, 4_000, 90_000, 1_200_000, 21_600_000, 950_400_000, 2_592_000_000)
"""Windows in ms: from 10 ms to 30 days."""

CLAIM: Final = Expectation("GOV306", "property", (), (), "claim")
EVENTS: Final = ("alarm", "reset", "handover", "audit", "release", "fault", "pause", "signoff")
REFUSALS: Final = ("deny", 'deny because "Not now"')


@dataclass(frozen=True, slots=True)
class Declared:
    """A field that is no condition: a key, a text."""

    name: str
    type: str

    def declaration(self) -> str:
        """The field's line in `input { }`."""
        return f"{self.name} : {self.type}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a policy over time begins with: fields, a part of the requests, a window, two events."""

    over: tuple[Field | Declared, ...]
    home: str
    rest: tuple[str, ...]
    """Rules about the other requests."""
    ms: int
    event: str
    other: str


def scene(rng: Random, *more: Declared) -> Scene:
    """Fields with a key, rules about most requests, and a part of them that is left."""
    over = fields(rng, rng.randint(3, 5))
    paths = leaves(rng, over, rng.randint(2, 5))
    home = paths.pop(rng.randrange(len(paths)))
    event, other = rng.sample(EVENTS, 2)
    rest = body(rng, paths, REFUSALS, some=True)
    own = (Declared("agent", "key"), *more, *over)
    return Scene(own, condition(home), tuple(rest), rng.choice(WINDOWS), event, other)


def timed(kind: str, s: Scene, default: str, parts: Sequence[str], *, rest: bool = True) -> str:
    """A policy of the scene: its events are declared, and what else is needed stands in `parts`."""
    head = ["longest window 70 d", f"default {default}"]
    events = [f"event {s.event}", f"event {s.other}"]
    return policy(kind, s.over, head, [*events, *(s.rest if rest else ()), *parts])


def _rules(code: str, kind: str, *rules: str, by: Sequence[str] = ()) -> Expectation:
    return Expectation(code, kind, rules, tuple(by), None)


# --- windows ---------------------------------------------------------------------------------------


def narrowed_window(rng: Random, kind: str) -> Planted:
    """A rule that looks back a millisecond less than is claimed."""
    s = scene(rng)
    rule = f"rule recent\n  when {s.home} and {s.event} within {HOLE} ms\n  deny"
    claim = f"prove claim: {s.home} and {s.event} within {s.ms} ms implies decision is deny"
    return Planted(CLAIM, timed(kind, s, "allow", [rule, claim]), s.ms - 1, s.ms)


def dead_window(rng: Random, kind: str) -> Planted:
    """A rule that wants an event in a window and not in a longer one."""
    s = scene(rng)
    rule = (
        f"rule dead\n  when {s.home} and {s.event} within {s.ms} ms"
        f" and not ({s.event} within {HOLE} ms)\n  deny"
    )
    expected = _rules("GOV302", "unreachable", "dead")
    bad = s.ms + rng.randint(0, 1)
    return Planted(expected, timed(kind, s, "allow", [rule]), bad, s.ms - 1)


def covered_window(rng: Random, kind: str) -> Planted:
    """A rule whose window lies inside that of another one."""
    s = scene(rng)
    wide = f"rule wide\n  when {s.home} and {s.event} within {s.ms} ms\n  deny"
    narrow = (
        f'rule narrow\n  when {s.home} and {s.event} within {HOLE} ms\n  deny because "Not so soon"'
    )
    expected = _rules("GOV302", "unreachable", "narrow", by=["wide"])
    return Planted(expected, timed(kind, s, "allow", [wide, narrow]), s.ms, s.ms + 1)


def overlap(rng: Random, kind: str) -> Planted:
    """An allow and a deny whose windows share a millisecond."""
    s = scene(rng)
    allow = f"rule grant\n  when {s.home} and {s.event} within {s.ms} ms\n  allow"
    deny = (
        f"rule refuse\n  when {s.home} and {s.event} within {2 * s.ms} ms"
        f" and not ({s.event} within {HOLE} ms)\n  deny"
    )
    expected = _rules("GOV301", "conflict", "grant", "refuse")
    return Planted(expected, timed(kind, s, "deny", [allow, deny]), s.ms - 1, s.ms)


def gap_between(rng: Random, kind: str) -> Planted:
    """Two windows with a millisecond between them, where every request must be covered."""
    s = scene(rng)
    young = f"rule young\n  when {s.event} within {s.ms} ms\n  deny"
    old = f"rule old\n  when elapsed({s.event}) > {HOLE} ms\n  allow"
    expected = _rules("GOV305", "gap")
    text = timed(kind, s, "none", [young, old], rest=False)
    return Planted(expected, text, s.ms + 1, s.ms)


def long_ago(rng: Random, kind: str) -> Planted:
    """A grant that begins a millisecond before what is claimed."""
    s = scene(rng)
    rule = (
        f"rule grant\n  when {s.home} and {s.event} between {HOLE} and {2 * s.ms} ms ago\n  allow"
    )
    claim = f"prove claim: decision is allow implies {s.event} between {s.ms} and {2 * s.ms} ms ago"
    text = timed(kind, s, "deny", [rule, claim], rest=False)
    return Planted(CLAIM, text, s.ms - 1, s.ms)


def held_too_short(rng: Random, kind: str) -> Planted:
    """A grant for what was held a millisecond less than is claimed."""
    s = scene(rng)
    level = rng.randint(2, 8)
    signal = "signal level : number in 0..10 = 0"
    rule = f"rule grant\n  when {s.home} and (level < {level}) for {HOLE} ms\n  allow"
    claim = f"prove claim: decision is allow implies (level < {level}) for {s.ms} ms"
    text = timed(kind, s, "deny", [signal, rule, claim], rest=False)
    return Planted(CLAIM, text, s.ms - 1, s.ms)


def blind(rng: Random, kind: str) -> Planted:
    """A sensor that counts as alive a millisecond longer than is claimed."""
    s = scene(rng)
    signal = "signal level : number in 0..10"
    rule = f"rule unseen\n  when {s.home} and stale(level, {HOLE} ms)\n  deny"
    claim = f"prove claim: {s.home} and stale(level, {s.ms} ms) implies decision is deny"
    return Planted(CLAIM, timed(kind, s, "allow", [signal, rule, claim]), s.ms + 1, s.ms)


# --- counts ----------------------------------------------------------------------------------------


def one_too_many(rng: Random, kind: str) -> Planted:
    """A limit that lets one more through than is claimed."""
    s = scene(rng)
    most = rng.randint(1, 6)
    rule = f"rule pace\n  when {s.home} and count(allowed) in {s.ms} ms >= {HOLE}\n  deny"
    claim = (
        f"prove claim: {s.home} and count(allowed) in {s.ms} ms >= {most} implies decision is deny"
    )
    return Planted(CLAIM, timed(kind, s, "allow", [rule, claim]), most + 1, most)


def shorter_limit(rng: Random, kind: str) -> Planted:
    """A limit over a millisecond less than is claimed."""
    s = scene(rng)
    most = rng.randint(2, 5)
    rule = f"rule pace\n  when {s.home} and count({s.event}) in {HOLE} ms >= {most}\n  throttle"
    claim = (
        f"prove claim: {s.home} and count({s.event}) in {s.ms} ms >= {most}"
        f" implies decision is at least throttle"
    )
    return Planted(CLAIM, timed(kind, s, "allow", [rule, claim]), s.ms - 1, s.ms)


def mixed_keys(rng: Random, kind: str) -> Planted:
    """What several agents do together is counted by who does it."""
    s = scene(rng, Declared("crew", "text"), Declared("asset", "text"))
    most = rng.randint(2, 4)
    event = "event removal { crew : text  asset : text }"
    rule = f"rule careful\n  when {s.home} and count(removal per {HOLE}) in {s.ms} ms >= {most}\n  deny"
    claim = (
        f"prove claim: {s.home} and count(removal per asset) in {s.ms} ms >= {most}"
        f" implies decision is deny"
    )
    return Planted(CLAIM, timed(kind, s, "allow", [event, rule, claim]), "crew", "asset")


def overspent(rng: Random, kind: str) -> Planted:
    """A budget that is one higher than is claimed."""
    s = scene(rng)
    pane = rng.choice((s.ms // 2, s.ms))
    most = rng.randint(5, 30)
    event = "event spent { cost : number in 0..20 }"
    total = f"sum(spent.cost) in {s.ms} ms by {pane} ms"
    rule = f"rule over\n  when {s.home} and {total} > {HOLE}\n  deny"
    claim = f"prove claim: {s.home} and {total} > {most} implies decision is deny"
    return Planted(CLAIM, timed(kind, s, "allow", [event, rule, claim]), most + 1, most)


# --- events and machines ---------------------------------------------------------------------------


def swapped_event(rng: Random, kind: str) -> Planted:
    """A guard that looks for another event."""
    s = scene(rng)
    quiet = rng.choice(WINDOWS)
    rule = (
        f"rule grant\n  when {s.home} and {s.event} within {s.ms} ms"
        f" and not ({HOLE} within {quiet} ms)\n  allow"
    )
    claim = f"prove claim: decision is allow implies not ({s.other} within {quiet} ms)"
    text = timed(kind, s, "deny", ["event stranger", rule, claim], rest=False)
    return Planted(CLAIM, text, "stranger", s.other)


def early_transition(rng: Random, kind: str) -> Planted:
    """A machine that goes back a millisecond earlier than is claimed."""
    s = scene(rng)
    machine = (
        f"machine mood {{\n  start calm\n  calm -> upset on {s.event}\n"
        f"  upset -> calm after {HOLE} ms\n}}"
    )
    rule = f"rule wait\n  when {s.home} and mood is upset\n  deny"
    claim = f"prove claim: enters mood.calm implies elapsed(enters mood.upset) >= {s.ms} ms"
    return Planted(CLAIM, timed(kind, s, "allow", [machine, rule, claim]), s.ms - 1, s.ms)


def dead_end(rng: Random, kind: str) -> Planted:
    """A way back that leads to a state without one."""
    s = scene(rng)
    machine = (
        f"machine mood {{\n  start calm\n  calm -> upset on {s.event}\n  calm -> lost on {s.other}\n"
        f"  upset -> {HOLE} after {s.ms} ms\n  lost -> upset on {s.event}\n}}"
    )
    rule = f"rule wait\n  when {s.home} and mood is upset\n  deny"
    claim = "prove claim: always possible (mood is calm)"
    return Planted(CLAIM, timed(kind, s, "allow", [machine, rule, claim]), "lost", "calm")


def two_ways(rng: Random, kind: str) -> Planted:
    """A count that does not start anew where the machine comes from."""
    s = scene(rng)
    machine = (
        f"machine mood {{\n  start calm\n  calm -> upset on {s.event}\n"
        f"  calm -> lost when count({s.other}) since {HOLE} >= {rng.randint(2, 4)}\n"
        f"  upset -> calm after {s.ms} ms\n  lost -> calm after {s.ms} ms\n}}"
    )
    rule = f"rule wait\n  when {s.home} and mood is upset\n  deny"
    text = timed(kind, s, "allow", ["event stranger", machine, rule])
    return Planted(_rules("GOV315", "conflict", "mood"), text, "stranger", s.event)


def two_values(rng: Random, kind: str) -> Planted:
    """One action with two values in the last millisecond of a window."""
    s = scene(rng)
    action = "action turn { to : number in 0..9 }"
    left = f"rule left\n  when {s.home} and {s.event} within {s.ms} ms\n  deny and do turn(to = 1)"
    right = (
        f"rule right\n  when {s.home} and {s.other} within {rng.choice(WINDOWS)} ms"
        f" and not ({s.event} within {HOLE} ms)\n  deny and do turn(to = 2)"
    )
    expected = _rules("GOV301", "conflict", "left", "right")
    return Planted(expected, timed(kind, s, "allow", [action, left, right]), s.ms - 1, s.ms)


Maker = Callable[[Random, str], Planted]
MAKERS: Final[tuple[Maker, ...]] = (
    narrowed_window, dead_window, covered_window, overlap, gap_between, long_ago, held_too_short,
    blind, one_too_many, shorter_limit, mixed_keys, overspent, swapped_event, early_transition,
    dead_end, two_ways, two_values,
)  # fmt: skip
"""One a kind; each returns what it planted."""

SEEDS: Final = range(2)


def make(maker: Maker, seed: int) -> Defect:
    """The defect of that kind and seed."""
    kind = maker.__name__
    planted = maker(Random(f"time {kind} {seed}"), kind)
    assert planted.text.count(HOLE) == 1
    faulty, fixed = (planted.text.replace(HOLE, str(t)) for t in (planted.bad, planted.good))
    return Defect(kind, seed, planted.expected, faulty, fixed)


def defects(seeds: Sequence[int] = SEEDS) -> Iterator[Defect]:
    """Every kind with every seed."""
    return (make(maker, seed) for maker in MAKERS for seed in seeds)
