"""Any peer behind a Python dictionary on the equality columns: one small engine a cell, compiled when first met."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.index import PLANS, CellIndex
from benchmarks.model import Equals, Request, Rule, StartsWith, Workload
from benchmarks.peers import Engine, Peer


@dataclass(slots=True)
class Shards:
    """The engines by cell; `positions` maps a shard's rule back to the workload's."""

    peer: Peer
    workload: Workload
    engines: dict[tuple[str, ...], tuple[Engine, tuple[int, ...]]] = field(default_factory=dict)

    def engine(self, key: tuple[str, ...]) -> tuple[Engine, tuple[int, ...]]:
        """The engine of the cell, built once."""
        if key not in self.engines:
            self.engines[key] = self._build(key)
        return self.engines[key]

    def _build(self, key: tuple[str, ...]) -> tuple[Engine, tuple[int, ...]]:
        names = dict(zip(PLANS[self.workload.name].keys, key, strict=True))
        kept = tuple(i for i, rule in enumerate(self.workload.rules) if belongs(rule, names))
        rules = tuple(without_keys(self.workload.rules[i], names) for i in kept)
        part = Workload(self.workload.name, self.workload.fields, rules, self.workload.default)
        return self.peer.build(part), kept


def belongs(rule: Rule, names: dict[str, str]) -> bool:
    """Whether the rule can fire in the cell."""
    for part in rule.conditions:
        match part:
            case Equals(name, value) if name in names and value != names[name]:
                return False
            case StartsWith(name, prefix) if name in names and not names[name].startswith(
                prefix + "."
            ):
                return False
            case _:
                pass
    return True


def without_keys(rule: Rule, names: dict[str, str]) -> Rule:
    """The rule without what the dictionary has answered."""
    rest = tuple(
        p for p in rule.conditions if not (isinstance(p, Equals | StartsWith) and p.field in names)
    )
    return Rule(rule.name, rule.effect, rest, rule.tier)


def build(peer: Peer, workload: Workload, sample: list[Request]) -> Engine:
    """The peer behind the dictionary; the cells of `sample` are compiled now, outside the clock."""
    index, shards = CellIndex(workload), Shards(peer, workload)
    engines = {key: shards.engine(key) for key in {index.key_of(request) for request in sample}}
    keyed = {key: (engine.decide, positions) for key, (engine, positions) in engines.items()}

    def prepare(request: Request) -> tuple[Request, object]:
        return request, engines[index.key_of(request)][0].prepare(request)

    def decide(prepared: tuple[Request, object]) -> int:
        request, own = prepared
        run, positions = keyed[index.key_of(request)]
        at = run(own)
        return positions[at] if at >= 0 else at

    return Engine(prepare, decide)
