"""Everything that has happened, kept: the samples of a history, whose they are, when they came.

In: samples as hosts report them.  Out: for every instance (all together, a key, a value of a field) the
positions of its samples and their times.  Shares no code with the compiler.

Times are those that the instance has lived: where the clock goes back no time passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Instance = tuple[str, str]
"""The field whose value tells instances apart ("" for the one of all), and that value."""

ALL: Instance = ("", "")


@dataclass
class Sample:
    """A request (`given`), an event or a signal (`name`), or a tick (neither)."""

    at_ms: int
    name: str | None = None
    given: Mapping[str, Any] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    decision: str | None = None


@dataclass
class Life:
    """The samples of one instance: positions in the history, the time lived at each, the last clock."""

    positions: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    clock_ms: int = 0

    def before(self, position: int) -> int:
        """How many samples lie before a position."""
        count = len(self.positions)
        while count and self.positions[count - 1] >= position:
            count -= 1
        return count


class Past:
    """The samples that were taken, in order."""

    def __init__(self, key: str | None, fields: set[str]) -> None:
        self.key = key
        self.fields = fields
        self.samples: list[Sample] = []
        self.addresses: list[dict[str, Instance]] = []
        self.lives: dict[Instance, Life] = {}
        self.faults: list[bool] = []
        self.kept = fields | {key or ""}
        """The fields by which the policy keeps something; a condition that never changes keeps nothing."""
        self.gaps_ms: list[float] = []

    def instances(self, sample: Sample) -> dict[str, Instance]:
        """The instances of which a sample carries the key, by the fields that tell them apart."""
        found = {"": ALL}
        carried = dict(sample.given if sample.given is not None else sample.values)
        for name in self.fields - {self.key}:
            if isinstance(carried.get(name), str):
                found[name] = (name, carried[name])
        if self.key is not None:
            key = sample.key if sample.given is None else sample.given[self.key]
            if key is not None:
                found[self.key] = (self.key, key)
        return found

    def take(self, sample: Sample) -> int:
        """One more sample; its position."""
        found = self.instances(sample)
        known = {scope: self.lives[one] for scope, one in found.items() if one in self.lives}
        judged = [life for scope, life in known.items() if scope == "" or scope in self.kept]
        self.faults.append(any(sample.at_ms < life.clock_ms for life in judged))
        own = known.get(self.key or "")
        gone = float("inf") if own is None else max(0, sample.at_ms - own.clock_ms)
        self.gaps_ms.append(gone)
        for one in found.values():
            life = self.lives.setdefault(one, Life(clock_ms=sample.at_ms))
            passed = max(0, sample.at_ms - life.clock_ms)
            life.times.append((life.times[-1] if life.times else 0) + passed)
            life.positions.append(len(self.samples))
            life.clock_ms = sample.at_ms
        self.samples.append(sample)
        self.addresses.append(found)
        return len(self.samples) - 1

    def lived(self, instance: Instance, until: int) -> list[tuple[int, int]]:
        """Positions and times of an instance up to a position, that one included."""
        life = self.lives.get(instance)
        if life is None:
            return []
        count = life.before(until + 1)
        return list(zip(life.positions[:count], life.times[:count], strict=True))
