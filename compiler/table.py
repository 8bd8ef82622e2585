"""table.bin: a policy and its decision structure in the bytes that the engine decides with.

In: a policy, its diagram, the classes of its texts, the name of its meaning.  Out: the bytes of
`native/gov_table.h`; `verifier/translation` proves them equal to the policy without this file.

What always holds: the same policy gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from govlang.compiler import ir
from govlang.compiler.nodes import Diagram
from govlang.compiler.residual import Programs
from govlang.compiler.table_nodes import BlockBits, node_words
from govlang.compiler.table_schema import (
    Schema,
    Strings,
    lay_out_columns,
    schema_fields,
    used_axes,
)
from govlang.compiler.table_time import decision_column, memory_sections
from govlang.compiler.text_classes import TextClasses
from govlang.native.layout import NONE, RECORDS, ArgKind, Effect, RuleKind, Section, assemble

Row = dict[str, int]


def emit_table(
    policy: ir.Policy, diagram: Diagram, classes: Mapping[str, TextClasses], snapshot: str
) -> bytes:
    """The table of a policy.

    Raises:
        TableTooLargeError: the policy passes a limit of the format.
    """
    axes = [axis for entry in diagram.entries for axis in entry.box]
    axes += [axis for entry in diagram.entries for axis, _ in entry.beside]
    columns = lay_out_columns(policy, used_axes(axes, _programmed(policy, diagram), classes))
    schema = Schema(policy, classes, columns, Strings(), schema_fields(policy))
    fields = {one.name: one for one in (*policy.fields, *policy.columns)}
    programs = Programs(columns.index, columns.params, fields, classes, decision_column(columns))
    head = schema.sections(snapshot)
    rules = _Rules(schema, programs)
    rows = rules.sections()
    nodes = node_words(diagram, columns.index, programs, _bits(policy, diagram))
    rows[Section.ENTRIES] = [
        {"rule": e.rule, "effect": Effect[e.effect.name]} for e in diagram.entries
    ]
    if policy.time is not None:
        rows |= memory_sections(schema, policy.time, programs)
    packed = {
        section: b"".join(RECORDS[section].pack(**row) for row in found)
        for section, found in rows.items()
    }
    packed |= {
        section: b"".join(RECORDS[section].format.pack(*row) for row in found)
        for section, found in programs.sections().items()
    }
    packed[Section.NODES] = struct.pack(f"<{len(nodes)}Q", *nodes)
    return assemble(head | packed | schema.strings.sections())


def _programmed(policy: ir.Policy, diagram: Diagram) -> Iterator[ir.BoolExpr]:
    """The conditions that become programs, or parts of them."""
    yield from (assumption.condition for assumption in policy.assumptions)
    for entry in diagram.entries:
        yield from entry.residual
    for update in policy.time.updates if policy.time else ():
        yield update.condition
        yield from (p.condition for p in ir.int_parts(update.value) if isinstance(p, ir.Choose))
    for rule in policy.rules:
        for expr in ir.rule_expressions(rule):
            yield from (p.condition for p in ir.int_parts(expr) if isinstance(p, ir.Choose))


def _bits(policy: ir.Policy, diagram: Diagram) -> BlockBits:
    permitting = (ir.Effect.ALLOW, ir.Effect.REQUIRE_HUMAN)
    alone = {number for number, rule in enumerate(policy.rules) if _is_alone(policy, rule)}
    entries = list(enumerate(diagram.entries))
    return BlockBits(
        frozenset(i for i, e in entries if e.effect in permitting),
        frozenset(i for i, e in entries if e.rule in alone),
        frozenset(i for i, e in entries if policy.rules[e.rule].limits),
    )


def _is_alone(policy: ir.Policy, rule: ir.Rule) -> bool:
    """Whether a rule by itself may change what stands, or limit something to nothing."""
    targets = [limit.target for limit in rule.limits]
    raised = any(limit.lo != ir.IntConst(policy.target(limit.target).lo) for limit in rule.limits)
    return bool(rule.overrides) or raised or len(set(targets)) < len(targets)


@dataclass(slots=True)
class _Rules:
    """The records of rules and of what they point to, filled in order."""

    schema: Schema
    programs: Programs
    limits: list[Row] = field(default_factory=list)
    dos: list[Row] = field(default_factory=list)
    args: list[Row] = field(default_factory=list)
    remedies: list[Row] = field(default_factory=list)
    overrides: list[Row] = field(default_factory=list)

    def sections(self) -> dict[Section, list[Row]]:
        """Every section of rules."""
        policy, number = self.schema.policy, self.schema.strings.number
        self.number = {rule.id: i for i, rule in enumerate(policy.rules)}
        assumptions = [
            {"text": number(a.text), "program": self.programs.condition(a.condition)}
            for a in policy.assumptions
        ]
        rules = [self._rule(rule) for rule in policy.rules]
        for row, rule in zip(rules, policy.rules, strict=True):
            row["remedy"] = NONE if rule.remedy is None else self._remedy(rule.remedy)
        return {
            Section.ASSUMPTIONS: assumptions,
            Section.RULES: rules,
            Section.LIMITS: self.limits,
            Section.DOS: self.dos,
            Section.ARGS: self.args,
            Section.REMEDIES: self.remedies,
            Section.OVERRIDES: self.overrides,
            Section.ORDER: [{"rule": number} for number in self._order()],
        }

    number: dict[str, int] = field(default_factory=dict)

    def _rule(self, rule: ir.Rule) -> Row:
        number = self.schema.strings.number
        roles = sum(1 << self.schema.policy.roles.index(role) for role in set(rule.roles))
        human = rule.effect is ir.Effect.REQUIRE_HUMAN
        return {
            "id": number(rule.id),
            "because": number(rule.because),
            "effect": Effect[rule.effect.name],
            "kind": RuleKind[rule.kind.name],
            "remedy": NONE,
            **_listed("limit", "limits", self.limits, map(self._limit, rule.limits)),
            **_listed("do", "dos", self.dos, map(self._do, rule.dos)),
            **_listed(
                "override",
                "overrides",
                self.overrides,
                ({"rule": self.number[name]} for name in rule.overrides),
            ),
            "roles": roles if human else 0,
            "expires_ms": -1 if rule.expires_ms is None else rule.expires_ms,
            "retry_ms": -1 if rule.retry_ms is None else rule.retry_ms,
        }

    def _limit(self, limit: ir.Limit) -> Row:
        return {
            "target": self.schema.target(limit.target),
            "lo": self.programs.integer(limit.lo),
            "hi": self.programs.integer(limit.hi),
        }

    def _do(self, do: ir.Do) -> Row:
        actions = self.schema.policy.actions
        action = next(i for i, one in enumerate(actions) if one.name == do.action)
        first = self.schema.first_argument + sum(len(a.parameters) for a in actions[:action])
        rows = (self._arg(first + i, value) for i, value in enumerate(do.args))
        return {
            "action": action,
            **_listed("arg", "args", self.args, rows),
            "for_ms": -1 if do.for_ms is None else do.for_ms,
        }

    def _remedy(self, remedy: ir.Remedy) -> int:
        rows = (self._arg(self.schema.input(name), value) for name, value in remedy.values)
        row = {"text": self.schema.strings.number(remedy.text)}
        self.remedies.append(row | _listed("arg", "args", self.args, rows))
        return len(self.remedies) - 1

    def _arg(self, number: int, value: ir.ArgValue) -> Row:
        match value:
            case ir.TextConst(text=text):
                kind, found = ArgKind.STRING, self.schema.strings.number(text)
            case ir.TextField(name=name):
                kind, found = ArgKind.FIELD, self.schema.input(name)
            case _:
                kind, found = ArgKind.PROGRAM, self.programs.integer(value)
        return {"field": number, "kind": kind, "value": found}

    def _order(self) -> list[int]:
        """Rules that override or are overridden; whoever overrides stands first."""
        above: dict[int, set[int]] = {}
        for number, rule in enumerate(self.schema.policy.rules):
            for name in rule.overrides:
                above.setdefault(self.number[name], set()).add(number)
        return list(TopologicalSorter({k: sorted(v) for k, v in above.items()}).static_order())


def _listed(one: str, many: str, section: list[Row], rows: Iterable[Row]) -> Row:
    """Append rows to their section; where they stand."""
    first = len(section)
    section += rows
    count = len(section) - first
    return {f"first_{one}": first if count else 0, many: count}
