"""Workload (a): eight rules over five integers and an enumeration, a drone's flight check.

About half of the requests meet a rule. The same rules stand by hand in `c/small.h` and in `limits.py`.
"""

from __future__ import annotations

import random

from benchmarks.model import Between, Choice, Equals, Field, Number, OneOf, Request, Rule, Workload

ZONES = ("urban", "rural", "airport", "forest")
FIELDS: tuple[Field, ...] = (
    Number("battery", 0, 100),
    Number("payload", 0, 25),
    Number("cpu_load", 0, 100),
    Number("wind", 0, 40),
    Number("altitude", 0, 120),
    Choice("zone", ZONES),
)


def small_workload() -> Workload:
    """The eight rules; the denies come first, so that the first match is the strictest."""
    rules = (
        Rule("weak_and_heavy", "deny", (Between("battery", 0, 29), Between("payload", 11, 25))),
        Rule(
            "too_high_at_airport", "deny", (Equals("zone", "airport"), Between("altitude", 31, 120))
        ),
        Rule("storm", "deny", (Between("wind", 37, 40),)),
        Rule("overheated", "deny", (Between("cpu_load", 95, 100), Between("battery", 0, 59))),
        Rule(
            "heavy_over_town",
            "deny",
            (Equals("zone", "urban"), Between("payload", 19, 25), Between("altitude", 61, 120)),
        ),
        Rule("high_wind", "require_human", (Between("wind", 29, 40), Between("altitude", 91, 120))),
        Rule("airport", "require_human", (Equals("zone", "airport"), Between("wind", 11, 40))),
        Rule(
            "low_flight",
            "require_human",
            (
                OneOf("zone", ("rural", "forest")),
                Between("altitude", 0, 19),
                Between("wind", 16, 40),
            ),
        ),
    )
    return Workload("drone_check", FIELDS, rules, "allow")


def small_requests(count: int, seed: int) -> list[Request]:
    """Requests drawn evenly from the whole input space."""
    rng = random.Random(seed)
    return [
        {
            "battery": rng.randint(0, 100),
            "payload": rng.randint(0, 25),
            "cpu_load": rng.randint(0, 100),
            "wind": rng.randint(0, 40),
            "altitude": rng.randint(0, 120),
            "zone": rng.choice(ZONES),
        }
        for _ in range(count)
    ]
