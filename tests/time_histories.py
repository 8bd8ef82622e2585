"""Random histories for the policies of `time_policies`: what hosts report, good and bad.

In: a source of randomness.  Out: samples in order, as JSON has them: irregular and equal times, gaps longer
than every window, clocks that go back, keys never seen before, requests that are invalid, events that
nothing permits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from time_operators import MODES
from time_policies import ACTIONS, Remembering

KEYS = ("a1", "a2", "a3")
RESOURCES = ("db", "web")
EVENTS = ("e", "e", "e", "f", "f", "failed", "lost", "dispatched", "alarm")
LIFE = ("job.issued", "job.issued", "job.issued", "job.done", "job.revoked", "job.reinstated")
RESERVATIONS = ("reserved", "settled", "settled", "released")
STEPS = (0, 0, 0, 1, 1, 1, 2, 2, 3, 5, 8, 13)


@dataclass(frozen=True)
class Told:
    """A sample: a request with its runtime part, a report with its values, or (neither) a tick."""

    at_ms: int
    request: dict[str, Any] | None = None
    runtime: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    key: str | None = None


def halves(rng: Random, most: int) -> float | int:
    """A multiple of 0.5, often an end or in the middle."""
    steps = rng.choice([0, most, 2 * most, rng.randint(0, 2 * most)])
    return steps // 2 if steps % 2 == 0 else steps / 2


def history(rng: Random, policy: Remembering, count: int) -> list[Told]:
    """Samples in order; keys are few, so that each has a past, and one comes late."""
    at_ms = rng.choice([0, 1_000_000])
    found = []
    for number in range(count):
        roll = rng.random()
        at_ms += rng.choice(STEPS) if roll < 0.94 else rng.choice([30, 101, 3000])
        if roll > 0.98:
            at_ms = max(0, at_ms - rng.choice([1, 5, 3000]))
        known = KEYS if number > count // 2 else KEYS[:2]
        found.append(sample(rng, policy, at_ms, rng.choice(known) if policy.keyed else None))
    return found


def sample(rng: Random, policy: Remembering, at_ms: int, key: str | None) -> Told:
    """One sample of a key."""
    roll = rng.random()
    if roll < 0.45:
        told = request(rng, at_ms, key)
        if policy.reserves and rng.random() < 0.3:
            told.runtime["reserved_risk"] = halves(rng, 5)
        return told
    if roll < 0.5:
        return Told(at_ms, key=key if rng.random() < 0.7 else None)
    if roll < 0.72:
        return signal(rng, at_ms, key)
    own = EVENTS + (LIFE if "contract job" in policy.text else ())
    name = rng.choice(own + (RESERVATIONS if policy.reserves else ()))
    values: dict[str, Any] = {"risk": halves(rng, 5)} if name in RESERVATIONS else {}
    if name == "e":
        values = {"size": halves(rng, 10), "resource": rng.choice(RESOURCES)}
    return Told(at_ms, name=name, values=values, key=None if name == "alarm" else key)


def signal(rng: Random, at_ms: int, key: str | None) -> Told:
    """A sample of a signal."""
    name = rng.choice(("v", "v", "v", "lamp", "margin", "margin"))
    value = {"v": halves(rng, 15), "lamp": rng.random() < 0.5, "margin": halves(rng, 2)}[name]
    return Told(at_ms, name=name, values={name: value}, key=None if name == "margin" else key)


def request(rng: Random, at_ms: int, key: str | None) -> Told:
    """A request, now and then an invalid one."""
    asked: dict[str, Any] = {
        "resource": rng.choice(RESOURCES),
        "action": rng.choice(ACTIONS),
        "risk": halves(rng, 5),
        "mode": rng.choice(MODES),
    }
    if key is not None:
        asked["agent"] = key
    if rng.random() < 0.6:
        asked["load"] = halves(rng, 25)
    if rng.random() < 0.04:
        asked |= rng.choice([{"risk": 99}, {"risk": 0.3}, {"colour": "red"}, {"mode": "wild"}])
    runtime = {"flag": rng.random() < 0.5, "approved": ["boss"] if rng.random() < 0.4 else []}
    return Told(at_ms, asked, runtime)
