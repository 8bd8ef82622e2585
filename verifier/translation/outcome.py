"""What a table decides, by its documented step rule: slow, for witnesses only.

In: a decoded table, a request, parameters.  Out: the outcome, to be held against the interpreter's.
Obligations and the joining of effects are the interpreter's own; entries, programs, automata and
records are the table's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.interpret import (
    DEFAULT_RULE,
    Environment,
    Outcome,
    Value,
    invalid_outcome,
    joined_effect,
    standing,
)
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import Grant, collect_obligations, limits_meet
from govlang.compiler.requests import read_sample
from govlang.compiler.step import InvalidRequest, Request, initial_state, step
from govlang.native.layout import ColumnKind
from govlang.native.words import MASK64, Lookup, Op, signed
from govlang.verifier.translation.code import run_program, set_passes
from govlang.verifier.translation.decode import Column, Decoded, program_number
from govlang.verifier.translation.regions import Block, Index, read_nodes
from govlang.verifier.translation.tree import Spans

_SET_OPS: Final = {Lookup.SET_ANY: Op.ANY, Lookup.SET_ALL: Op.ALL, Lookup.SET_WITHIN: Op.WITHIN}


class NoOutcomeError(ValueError):
    """The table gives something that has no name: a host would see an error."""


class TableReader:
    """A decoded table with its nodes read once."""

    def __init__(self, decoded: Decoded) -> None:
        self.decoded = decoded
        self.policy = decoded.policy
        self.nodes = dict(read_nodes(decoded.nodes))
        self.automata = {one.column: one for one in decoded.automata}
        self.asking = self._with_roles()
        self.alone, self.paired = self._marked("alone"), self._marked("paired")

    def decide(
        self, request: Mapping[str, Any], runtime: Mapping[str, Any], params: Sequence[int]
    ) -> Outcome:
        """The outcome for a request in its JSON form; parameters in order of declaration."""
        sample = read_sample(self.policy, request, runtime)
        if isinstance(sample, InvalidRequest):
            return invalid_outcome(sample.field, sample.why)
        assert isinstance(sample, Request)
        env = self.environment(sample.values, params)
        return self.broken(env) or self.combined(env)

    def environment(self, values: Mapping[str, Value], params: Sequence[int]) -> TableEnvironment:
        """What programs read: the words of a request; those that no request fills are at their lowest."""
        env = TableEnvironment(self.policy, {}, values)
        env.words = self.words(env, params)
        env.programs = self.decoded.programs
        return env

    def broken(self, env: TableEnvironment) -> Outcome | None:
        """The outcome of a request that breaks an assumption."""
        programs = zip(self.policy.assumptions, self.decoded.assumption_programs, strict=True)
        for assumption, program in programs:
            if run_program(self.decoded.programs[program], env.words) == 0:
                return invalid_outcome(None, f"breaks the assumption `{assumption.text}`")
        return None

    def _with_roles(self) -> ir.Policy:
        """The policy with its roles in the column that the table has for them."""
        owner, rows = self.decoded.approved_column, self.decoded.field_rows
        fields = list(self.policy.fields)
        for number, one in enumerate(fields):
            is_owner = owner is not None and rows[number]["column"] == owner
            if is_owner:
                fields[number] = replace(one, name=ir.APPROVED)
            elif one.name == ir.APPROVED:
                fields[number] = replace(one, name=f"other {ir.APPROVED}")
        return replace(self.policy, fields=tuple(fields))

    def _marked(self, mask: str) -> frozenset[int]:
        """The entries that a mask of their block marks."""
        blocks = [node for node in self.nodes.values() if isinstance(node, Block)]
        return frozenset(
            entry
            for block in blocks
            for bit, entry in enumerate(block.entries)
            if getattr(block, mask) >> bit & 1
        )

    def words(self, env: Environment, params: Sequence[int]) -> list[int]:
        """The words of a request."""
        return [
            self._word(number, column, env, params)
            for number, column in enumerate(self.decoded.columns)
        ]

    def _word(self, number: int, column: Column, env: Environment, params: Sequence[int]) -> int:
        if column.kind is ColumnKind.PARAM:
            return params[column.source]
        if column.kind in (ColumnKind.CELL, ColumnKind.SAMPLE, ColumnKind.CARRIED):
            return column.lo
        one = self.policy.fields[column.source]
        match column.kind:
            case ColumnKind.RANGE | ColumnKind.SET:
                return signed(env.number(one.name) & MASK64)
            case ColumnKind.HAS:
                return int(env.values.get(one.name) is not None)
            case ColumnKind.EQUAL:
                return int(env.text(one.name) == env.text(self.policy.fields[column.other].name))
            case _:
                return self.automata[number].class_of(env.text(one.name).encode())

    def fired(self, words: list[int]) -> set[int]:
        """The entries that fire."""
        found: set[int] = set()
        pending = [0] if self.nodes else []
        while pending:
            node = self.nodes[pending.pop()]
            if isinstance(node, Block):
                found.update(
                    entry for bit, entry in enumerate(node.entries) if self._bit(node, bit, words)
                )
                following = [node.next]
            else:
                following = [_child(node, words[node.column]), node.rest]
            pending += [number for number in following if number]
        return found

    def _bit(self, block: Block, bit: int, words: list[int]) -> bool:
        for column, spans in block.columns:
            own = spans[bit]
            if own is not None and not _holds(own, words[column]):
                return False
        for kind, column, members, keep in block.sets:
            passes = set_passes(_SET_OPS[kind], words[column] & MASK64, members)
            if not keep >> bit & 1 and not passes:
                return False
        program = block.residuals.get(bit)
        return program is None or run_program(self.decoded.programs[program], words) != 0

    def combined(self, env: TableEnvironment) -> Outcome:
        """The long road for every part but a decision that the best entry settles by itself."""
        words, entries = env.words, self.fired(env.words)
        numbers = sorted({self.decoded.entries[entry].rule for entry in entries})
        fired = tuple(self.policy.rules[number] for number in numbers)
        waits = {
            rule.id: self._waits(number, words) for number, rule in zip(numbers, fired, strict=True)
        }
        grants = tuple(_grant(rule, waits=waits[rule.id]) for rule in standing(fired))
        taken = taken_of(self.policy, grants)
        self._check_members(env, taken)
        effect, decider = self._settled(entries) or self._joined(
            env, self._with_effects(grants, entries)
        )
        return Outcome(
            effect,
            decider.id if decider else DEFAULT_RULE,
            decider.because if decider else "",
            collect_obligations(self.asking, env, taken, effect),
            tuple(rule.id for rule in fired),
        )

    def _with_effects(self, grants: tuple[Grant, ...], entries: set[int]) -> tuple[Grant, ...]:
        """The grants with the effects of the entries, which decide; roles are for obligations."""
        effects: dict[str, Effect] = {}
        for entry in sorted(entries, reverse=True):
            one = self.decoded.entries[entry]
            effects[self.policy.rules[one.rule].id] = one.effect
        return tuple(replace(grant, effect=effects[grant.rule.id]) for grant in grants)

    def _waits(self, number: int, words: Sequence[int]) -> bool:
        """Whether some role that a rule asks for has not approved."""
        column = self.decoded.approved_column
        approved = 0 if column is None else words[column]
        return self.decoded.role_masks[number] & ~approved != 0

    def _joined(self, env: Environment, grants: tuple[Grant, ...]) -> tuple[Effect, ir.Rule | None]:
        taken = taken_of(self.policy, grants)
        effect = joined_effect(self.policy, grants, taken)
        decider = next((g.rule for g in taken if g.effect is effect), None)
        return effect if limits_meet(self.policy, env, taken) else Effect.DENY, decider

    def _settled(self, entries: set[int]) -> tuple[Effect, ir.Rule | None] | None:
        """The outcome of the best fired entry; None where rules override or limits may not meet."""
        joined = self.policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
        if entries & self.alone or (joined and len(entries & self.paired) > 1):
            return None
        fallback = Effect.ALLOW if self.policy.default is ir.Default.ALLOW else Effect.DENY
        if not entries:
            return fallback, None
        best = self.decoded.entries[min(entries)]
        rule = self.policy.rules[best.rule]
        single = len({self.decoded.entries[entry].rule for entry in entries}) == 1
        if (
            self.policy.combine is ir.Combine.UNIQUE
            and not single
            and rule.kind is not ir.RuleKind.GUARD
        ):
            return Effect.DENY, None
        permitting = (Effect.ALLOW, Effect.REQUIRE_HUMAN)
        permits = any(self.decoded.entries[entry].effect in permitting for entry in entries)
        if not joined or permits or best.effect >= fallback:
            return best.effect, rule
        return fallback, None

    def _check_members(self, env: Environment, taken: tuple[Grant, ...]) -> None:
        """Every member of an enumeration that a rule gives has a name."""
        parameters = {action.name: action.parameters for action in self.policy.actions}
        for rule in (grant.rule for grant in taken):
            given = [
                pair
                for do in rule.dos
                for pair in zip(parameters[do.action], do.args, strict=False)
            ]
            if rule.remedy is not None:
                given += [(self.asking.field(name), value) for name, value in rule.remedy.values]
            for one, value in given:
                if one.kind is not ir.Kind.ENUM or isinstance(value, ir.TextConst | ir.TextField):
                    continue
                if not 0 <= env.evaluate(value) < len(one.members):
                    raise NoOutcomeError


class TableEnvironment(Environment):
    """An environment in which the table's programs stand for expressions."""

    words: list[int]
    programs: tuple[tuple[int, ...], ...]

    def evaluate(self, expr: ir.IntExpr) -> int:
        number = program_number(expr)
        assert number is not None
        return run_program(self.programs[number], self.words)


def _holds(spans: Spans, word: int) -> bool:
    return any(lo <= word <= hi for lo, hi in spans)


def _child(node: Index, word: int) -> int:
    return next((child for child, spans in node.children if _holds(spans, word)), 0)


def _grant(rule: ir.Rule, *, waits: bool) -> Grant:
    human = rule.effect is Effect.REQUIRE_HUMAN
    approved = human and not waits
    permits = rule.effect in (Effect.ALLOW, Effect.REQUIRE_HUMAN)
    return Grant(rule, Effect.ALLOW if approved else rule.effect, approved, permits)


def taken_of(policy: ir.Policy, grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """The grants that `combine` looks at."""
    match policy.combine:
        case ir.Combine.STRICT | ir.Combine.MOST_RESTRICTIVE:
            return grants
        case ir.Combine.FIRST_MATCH:
            return grants[:1]
        case ir.Combine.UNIQUE:
            guarded = bool(grants) and grants[0].rule.kind is ir.RuleKind.GUARD
            return grants[:1] if len(grants) == 1 or guarded else ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A request in JSON form on which a policy and its table differ, and how.

    `found` is None where the table gives no outcome at all.
    """

    request: dict[str, Any]
    runtime: dict[str, Any]
    params: dict[str, int]
    expected: Outcome
    found: Outcome | None


def difference(
    policy: ir.Policy,
    table: TableReader,
    request: Mapping[str, Any],
    runtime: Mapping[str, Any],
    params: Mapping[str, int],
) -> Difference | None:
    """How the outcomes of a policy and its table differ for a request; None if they do not."""
    sample = read_sample(policy, request, runtime)
    _, expected = step(policy, params, initial_state(policy), sample)
    assert expected is not None
    found: Outcome | None
    try:
        found = table.decide(request, runtime, [params[p.field.name] for p in policy.params])
    except NoOutcomeError:
        found = None
    if found == expected:
        return None
    return Difference(dict(request), dict(runtime), dict(params), expected, found)
