"""The policy of the control plane's model: its source, and what it says of a history, read off by hand.

In: everything that has happened to an agent, in order.  Out: what each rule says of a request now.  Nothing is carried
on from
sample to sample, and no code is shared with the compiler or the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

SOURCE: Final = """language 1
policy plane version "1.0.0"
combine most_restrictive
default deny

input {
  agent  : key
  topic  : text
  amount : number in 0..1000
  depth  : number in 0..20 from runtime
}

event success after dispatched
event failure after dispatched
event alarm
event granted

rule ordinary when topic in {"allow", "burst", "spend", "limit", "grant"} allow
rule limited  when topic == "limit" limit amount to 10
rule burst    when topic == "burst" and count(allowed) in 10 s >= 3 throttle retry 7 s
rule budget
  when topic == "spend" and sum(allowed.amount) in 1 min by 30 s + reserved(amount) + amount > 100
  throttle retry 5 s
rule probing
  when breaker is half_open and count(allowed) since enters breaker.half_open >= 2
  throttle retry 1 s
rule asks     when topic == "human" require human from "lead" expires 10 min
rule two      when topic == "both" require human from "lead", "owner" expires 10 min
rule alarmed  when topic == "allow" and alarm within 30 s require human from "owner" expires 10 min
rule expired  when topic == "grant" and grant is not given deny
rule tripped  when breaker is open deny
rule handed   when topic == "limit" and depth >= 2 deny

machine breaker {
  start closed
  closed    -> open      when count(failure) since success >= 3
  open      -> half_open after 30 s
  half_open -> closed    when count(success) since enters breaker.half_open >= 2
  half_open -> open      on failure
}

machine grant {
  start none
  none  -> given on granted
  over  -> given on granted
  given -> over  after 2 min
}
"""

OTHER: Final = (
    SOURCE.replace('version "1.0.0"', 'version "2.0.0"')
    .replace(
        '== "human" require human from "lead"', '== "human" require human from "lead", "owner"'
    )
    .replace(
        "\nmachine breaker",
        'rule large when topic in {"limit", "allow", "grant"} and amount > 5 deny\n\nmachine breaker',
    )
)
"""Another policy with the same memory: it asks one person more, and takes small ones of some topics only."""

EFFECTS: Final = ("allow", "limit", "throttle", "human", "deny")


class Sample(NamedTuple):
    """Something that happened to an agent; `effect` of a request that was committed."""

    at_ms: int
    kind: str
    amount: int = 0
    effect: str = ""


class Said(NamedTuple):
    """What a policy says of a request."""

    effect: str
    rule: str
    roles: tuple[str, ...] = ()
    retry_s: int = 1

    @property
    def permits(self) -> bool:
        return self.effect in ("allow", "limit")


class Wish(NamedTuple):
    """A request, and what the service knows of it."""

    topic: str
    amount: int
    depth: int = 0
    approved: frozenset[str] = frozenset()
    reserved: int = 0
    """What this very job has reserved for the agent that is asked for."""


@dataclass
class Machines:
    """The states of both machines after the last sample, and where `half_open` was entered last."""

    breaker: str = "closed"
    breaker_ms: int = 0
    grant: str = "none"
    grant_ms: int = 0
    probing: int = -1

    @property
    def states(self) -> tuple[str, str]:
        return self.breaker, self.grant


def machines(samples: Sequence[Sample]) -> Machines:
    """Let the machines step at each sample."""
    found = Machines()
    failures = successes = 0
    for i, one in enumerate(samples):
        failures = 0 if one.kind == "success" else failures + (one.kind == "failure")
        successes += one.kind == "success"
        before = found.breaker
        if before == "closed" and failures >= 3:
            found.breaker = "open"
        elif before == "open" and one.at_ms - found.breaker_ms >= 30_000:
            found.breaker, found.probing, successes = "half_open", i, 0
        elif before == "half_open" and one.kind == "failure":
            found.breaker = "open"
        elif before == "half_open" and successes >= 2:
            found.breaker = "closed"
        if found.breaker != before:
            found.breaker_ms = one.at_ms
        if found.grant == "given" and one.at_ms - found.grant_ms >= 120_000:
            found.grant = "over"
        elif found.grant != "given" and one.kind == "granted":
            found.grant, found.grant_ms = "given", one.at_ms
    return found


def spent(samples: Sequence[Sample]) -> int:
    """What was settled in the last minute, in panes of 30 s from the first sample on, and anew after a silence."""
    start, now, panes = 0, 0, dict[int, int]()
    for one in samples:
        if one.at_ms - (start + (now - start) // 30_000 * 30_000) >= 4 * 30_000:
            start, panes = one.at_ms, {}
        now = one.at_ms
        if one.kind == "settled":
            number = (now - start) // 30_000
            panes[number] = panes.get(number, 0) + one.amount
    current = (now - start) // 30_000
    return sum(panes.get(current - i, 0) for i in range(3))


def in_flight(samples: Sequence[Sample]) -> int:
    """What is reserved."""
    signs = {"reserved": 1, "settled": -1, "released": -1}
    return sum(signs.get(one.kind, 0) * one.amount for one in samples)


def read(source: str, samples: Sequence[Sample], now_ms: int, wish: Wish) -> Said:
    """What the policy of a source says of a request at a time, after everything that has happened to its agent."""
    past = [*samples, Sample(now_ms, "request")]
    state = machines(past)
    allowed = [i for i, one in enumerate(samples) if one.effect in ("allow", "limit")]
    recent = [i for i in allowed if now_ms - samples[i].at_ms <= 10_000]
    probes = [i for i in allowed if i >= state.probing]
    others = in_flight(samples) - wish.reserved
    human = ("lead", "owner") if source == OTHER else ("lead",)
    known = ("allow", "burst", "spend", "limit", "grant")
    alarms = [one for one in samples if one.kind == "alarm" and now_ms - one.at_ms <= 30_000]
    topic = wish.topic
    rules: list[tuple[bool, Said]] = [
        (topic in known, Said("allow", "ordinary")),
        (topic == "limit", Said("limit", "limited")),
        (topic == "burst" and len(recent) >= 3, Said("throttle", "burst", (), 7)),
        (
            topic == "spend" and spent(past) + others + wish.amount > 100,
            Said("throttle", "budget", (), 5),
        ),
        (
            state.breaker == "half_open" and len(probes) >= 2,
            Said("throttle", "probing", (), 1),
        ),
        (topic == "human", Said("human", "asks", human)),
        (topic == "both", Said("human", "two", ("lead", "owner"))),
        (topic == "allow" and bool(alarms), Said("human", "alarmed", ("owner",))),
        (topic == "grant" and state.grant != "given", Said("deny", "expired")),
        (state.breaker == "open", Said("deny", "tripped")),
        (topic == "limit" and wish.depth >= 2, Said("deny", "handed")),
        (
            source == OTHER and topic in ("limit", "allow", "grant") and wish.amount > 5,
            Said("deny", "large"),
        ),
    ]
    return _joined([said for fires, said in rules if fires], wish.approved)


def _joined(fired: list[Said], approved: frozenset[str]) -> Said:
    """The strictest of the rules that fired; those that people approved allow; where none permits, the default."""
    standing = [
        Said("allow", one.rule) if one.effect == "human" and set(one.roles) <= approved else one
        for one in fired
    ]
    if not any(one.effect in ("allow", "human") for one in standing):
        standing.append(Said("deny", "default"))
    worst = max((EFFECTS.index(one.effect) for one in standing), default=4)
    chosen = next(one for one in standing if EFFECTS.index(one.effect) == worst)
    roles = dict.fromkeys(role for one in standing for role in one.roles)
    waits = [one.retry_s for one in standing if one.effect == "throttle"]
    return Said(chosen.effect, chosen.rule, tuple(roles), max(waits, default=1))
