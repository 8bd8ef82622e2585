"""A policy that remembers on the C engine, with instances that the caller owns, as a host in C has them.

In: a policy, its parameters, samples as the reference step takes them.  Out: outcomes in the reference's
words, and the cells of every instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import stepping
import tables

from govlang.compiler import ir
from govlang.compiler.step import Report, Request, State, Tick
from govlang.native.layout import NEVER, NONE, STATE_HEAD, ColumnKind, Section
from govlang.native.memory import Memory
from govlang.native.table import Table
from govlang.runtime.policy import Policy

INVALID = 0xFFFFFFFE
NAMES = {0xFFFFFFFF: "default", INVALID: "invalid_request", 0xFFFFFFFD: "clock_fault"}


@dataclass(slots=True)
class Engine:
    """Every instance that a sample has addressed."""

    policy: ir.Policy
    params: Mapping[str, int]
    data: bytes | None = None
    table: Table = field(init=False)
    states: dict[tuple[str, str], bytearray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.table = Table(tables.table_bytes(self.policy) if self.data is None else self.data)
        self.table.bind([self.params[p.field.name] for p in self.policy.params])

    def take(self, sample: Request | Report | Tick, *, keep: bool = True) -> tuple[str, str] | None:
        """The decision and the rule, if it was a request."""
        memory, time = self.table.schema.memory, self.policy.time
        assert memory is not None
        assert time is not None
        words, keys, kind = self.table.empty_words(), {"": ""}, ir.TICK
        match sample:
            case Request(values=values):
                kind = ir.REQUEST
                self.fill(words, values)
                keys |= {s.name: values.get(s.name) for s in memory.scopes[1:]}
            case Report(name=name, values=values, key=key):
                kind = time.kind_of(name)
                one = memory.samples[kind - ir.FIRST_KIND]
                carried = {
                    f.name: values[f"${name}.{f.name}" if f"${name}" not in values else f"${name}"]
                    for f in one.fields
                }
                for own in one.fields:
                    if own.column is not None:
                        words[own.column] = carried[own.name]
                keys |= {n: v for n, v in carried.items() if isinstance(v, str)}
                keys |= {memory.key_name: key}
            case Tick(key=key):
                keys |= {memory.key_name: key}
        states = [self.state(number, keys.get(s.name)) for number, s in enumerate(memory.scopes)]
        taken = stepping.take(self.table, kind, sample.at_ms, words, states, keep=keep)
        assert taken.code >= 0
        refused = kind == ir.REQUEST and taken.decision.rule == INVALID
        if keep and taken.code == 0 and not refused:
            for number, scope in enumerate(memory.scopes):
                if states[number] is not None:
                    self.states[scope.name, keys[scope.name]] = states[number]
        if kind != ir.REQUEST:
            return None
        rule = taken.decision.rule
        name = NAMES.get(rule) or self.policy.rules[rule].id
        return ir.Effect(taken.decision.effect).word, name

    def put(self, state: State) -> None:
        """Go on from a state of the reference."""
        memory = self.table.schema.memory
        assert memory is not None
        for (scope, key), one in state.instances.items():
            number = next(i for i, own in enumerate(memory.scopes) if own.name == scope)
            held = stepping.start(self.table, number)
            held[:8] = one.at_ms.to_bytes(8, "little", signed=True)
            for cell in (memory.cells[i] for i in memory.scopes[number].cells):
                if cell.bytes:
                    written = one.cells[cell.name].to_bytes(
                        cell.bytes, "little", signed=cell.lo < 0
                    )
                    held[cell.offset : cell.offset + cell.bytes] = written
            self.states[scope, key] = held

    def deadline(self, request: Request) -> int | None:
        """When something can change for a request without a sample."""
        assert self.table.schema.memory is not None
        keys = [request.values.get(s.name, "") for s in self.table.schema.memory.scopes]
        states = [self.state(number, str(key)) for number, key in enumerate(keys)]
        return stepping.deadline(self.table, states, request.at_ms)

    def state(self, scope: int, key: str | None) -> bytearray | None:
        """A copy of an instance, or a new one."""
        assert self.table.schema.memory is not None
        if key is None:
            return None
        found = self.states.get((self.table.schema.memory.scopes[scope].name, key))
        return bytearray(found) if found is not None else stepping.start(self.table, scope)

    def fill(self, words: list[int], values: Mapping[str, int | str]) -> None:
        """The words of a request."""
        inputs = self.table.schema.inputs
        for one in inputs:
            value = values.get(one.name)
            if value is None:
                if one.implied is not None and one.column is not None:
                    words[one.column] = one.implied
                continue
            if one.has_column is not None:
                words[one.has_column] = 1
            if isinstance(value, str):
                rows = self.table.schema.rows(Section.CLASSIFIERS)
                for number in one.classifiers:
                    words[rows[number]["column"]] = self.table.classify(number, value.encode())
            else:
                assert one.column is not None
                words[one.column] = value if value < 2**63 else value - 2**64
        for column, row in enumerate(self.table.schema.rows(Section.COLUMNS)):
            if row["kind"] == ColumnKind.EQUAL and row["other"] != NONE:
                pair = [values.get(inputs[row[end]].name) or "" for end in ("source", "other")]
                words[column] = int(pair[0] == pair[1])

    def cells(self) -> dict[tuple[str, str], tuple[int, dict[str, int]]]:
        """The time and the cells of every instance."""
        memory = self.table.schema.memory
        assert memory is not None
        return {
            (scope, key): read_instance(memory, scope, state)
            for (scope, key), state in self.states.items()
        }


def read_instance(
    memory: Memory, scope: str, state: bytes | bytearray
) -> tuple[int, dict[str, int]]:
    """The time and the cells of an instance."""
    cells = {
        c.name: int.from_bytes(state[c.offset : c.offset + c.bytes], "little", signed=c.lo < 0)
        for c in memory.cells
        if memory.scopes[c.scope].name == scope and c.bytes
    }
    return int.from_bytes(state[:STATE_HEAD], "little", signed=True), cells


def kept_cells(policy: Policy) -> dict[tuple[str, str], tuple[int, dict[str, int]]]:
    """The same of every instance of a policy's store that has had a sample."""
    assert policy.memory is not None
    found = {}
    for number, key, state in policy._save():
        scope = policy.memory.scopes[number].name
        at, cells = read_instance(policy.memory, scope, state)
        if at != NEVER:
            found[scope, key.decode()] = at, cells
    return found
