"""What a policy means, read off its syntax tree with rationals: no steps, no masks, no IR.

In: the tree of a policy (imports and CSV rows in place), a request as JSON has it, parameters.
Out: the outcome, or the assumption that is broken.  Shares no code with the compiler; reading an
absent field raises, so that a hole in the flow check shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from naive_reading import ORDER, Reading, ms, shape

from govlang.dsl import ast


@dataclass(frozen=True)
class Fired:
    """A rule as it is met: everything worked out."""

    id: str
    tier: int
    effect: str
    because: str
    obligations: tuple[dict[str, Any], ...]
    roles: tuple[str, ...]
    expires_ms: int | None
    overrides: tuple[str, ...]
    guard: bool = False


@dataclass(frozen=True)
class Outcome:
    decision: str
    rule_id: str
    matched: tuple[str, ...]
    obligations: tuple[dict[str, Any], ...]


class Naive:
    """One policy."""

    def __init__(self, policy: ast.Policy) -> None:
        self.declarations = policy.declarations
        self.fields: dict[str, ast.Field] = {}
        self.params: dict[str, ast.ParamDecl] = {}
        self.lets: dict[str, ast.Expr] = {}
        self.outputs: dict[str, ast.Field] = {}
        self.actions: dict[str, ast.ActionDecl] = {}
        self.tiers: list[str] = []
        self.combine, self.default = "strict", "deny"
        self.tables: dict[str, int] = {}
        for one in policy.declarations:
            self._take(one)

    def _take(self, one: ast.Declaration) -> None:
        match one:
            case ast.InputDecl(fields=fields):
                self.fields |= {f.name.text: f for f in fields}
            case ast.ParamDecl():
                self.params[one.name.text] = one
            case ast.LetDecl():
                self.lets[one.name.text] = one.value
            case ast.OutputDecl():
                self.outputs[one.field.name.text] = one.field
            case ast.ActionDecl():
                self.actions[one.name.text] = one
            case ast.TiersDecl():
                self.tiers = [n.text for n in one.names]
            case ast.CombineDecl():
                self.combine = one.combine.value
            case ast.DefaultDecl():
                self.default = one.effect.value if one.effect else "none"
            case ast.Table():
                self.tables[one.name.text] = len(one.rows)
            case ast.TierBlock():
                for member in one.members:
                    self._take(member)
            case _:
                pass

    def decide(self, given: Mapping[str, Any], params: Mapping[str, Any]) -> Outcome | None:
        """The outcome; None where an assumption is broken."""
        return self.outcome(Reading(self, given, params))

    def outcome(self, asked: Reading) -> Outcome | None:
        """The outcome of a reading; None where an assumption is broken."""
        for one in self.declarations:
            if isinstance(one, ast.AssumeDecl) and not asked.holds(one.condition):
                return None
        fired = [rule for rule in self._rules(asked) if rule is not None]
        fired.sort(key=lambda rule: rule.tier)
        return self._outcome(asked, fired)

    def proved(
        self, given: Mapping[str, Any], params: Mapping[str, Any], decision: str
    ) -> list[bool]:
        """The truth of every property."""
        asked = Reading(self, given, params, decision)
        return [asked.holds(one.claim) for one in self.declarations if isinstance(one, ast.Prove)]

    # --- rules ---

    def _rules(self, asked: Reading) -> Iterator[Fired | None]:
        for one in self.declarations:
            match one:
                case ast.Rule() | ast.Table():
                    yield from self._member(asked, one, len(self.tiers))
                case ast.TierBlock(condition=condition):
                    if condition is None or asked.holds(condition):
                        for member in one.members:
                            yield from self._member(asked, member, self.tiers.index(one.name.text))
                case ast.Invariant():
                    if not asked.holds(one.condition):
                        yield Fired(one.name.text, -1, "deny", "", (), (), None, (), guard=True)
                case _:
                    pass

    def _member(self, asked: Reading, one: ast.Rule | ast.Table, tier: int) -> Iterator[Fired]:
        if isinstance(one, ast.Rule):
            if one.condition is None or asked.holds(one.condition):
                yield self._fired(
                    asked, one.name.text, tier, one.decision, one.remedy, one.overrides
                )
            return
        for n, row in enumerate(one.rows, 1):
            cells = zip(one.columns, row.cells, strict=True)
            if all(asked.cell(column, cell) for column, cell in cells):
                yield self._fired(asked, f"{one.name.text}#{n}", tier, row.decision, None, ())

    def _fired(
        self,
        asked: Reading,
        name: str,
        tier: int,
        decision: ast.Decision,
        remedy: ast.Remedy | None,
        overrides: tuple[ast.Name, ...],
    ) -> Fired:
        roles: tuple[str, ...] = ()
        expires = None
        found: list[dict[str, Any]] = []
        for one in decision.obligations:
            match one:
                case ast.Require():
                    roles = tuple(dict.fromkeys(r.text for r in one.roles))
                    expires = ms(one.expires) if one.expires else None
                case ast.Retry():
                    found.append({"retry_ms": ms(one.after)})
                case ast.Do():
                    found.append(self._do(asked, one))
                case ast.Limit():
                    found.append(self._limit(asked, one))
        if decision.effect is ast.Effect.REQUIRE_HUMAN and not roles:
            roles = ("human",)
        if remedy is not None:
            values = {a.name.text: asked.argument(a, self.fields) for a in remedy.arguments}
            found.append({"remedy": remedy.text.value} | ({"with": values} if values else {}))
        targets = [t for o in overrides for t in self._targets(o.text)]
        effect = decision.effect.value
        return Fired(name, tier, effect, "", tuple(found), roles, expires, tuple(targets))

    def _targets(self, name: str) -> list[str]:
        if name in self.tables:
            return [f"{name}#{n}" for n in range(1, self.tables[name] + 1)]
        return [name]

    def _do(self, asked: Reading, do: ast.Do) -> dict[str, Any]:
        parameters = {p.name.text: p for p in self.actions[do.action.text].parameters}
        given = {a.name.text: asked.argument(a, parameters) for a in do.arguments}
        args = {name: given[name] for name in parameters}
        found: dict[str, Any] = {"do": do.action.text} | ({"args": args} if args else {})
        return found | ({"for_ms": ms(do.duration)} if do.duration else {})

    def _limit(self, asked: Reading, limit: ast.Limit) -> dict[str, Any]:
        target = self.outputs.get(limit.field.text) or self.fields[limit.field.text]
        lo, _, step, unit = shape(target.type)
        cap = floor(asked.number(limit.high).value / unit / step) * step
        low = lo if limit.low is None else ceil(asked.number(limit.low).value / unit / step) * step
        return {"limit": limit.field.text, "from": low, "to": cap}

    # --- combining ---

    def _outcome(self, asked: Reading, fired: list[Fired]) -> Outcome:
        standing = self._standing(fired)
        approved = asked.given.get("approved", ())
        effects = {
            rule.id: "allow"
            if rule.effect == "require_human" and set(rule.roles) <= set(approved)
            else rule.effect
            for rule in standing
        }
        taken = standing
        if self.combine == "first_match":
            taken = standing[:1]
        elif self.combine == "unique" and len(standing) > 1:
            taken = standing[:1] if standing[0].guard else []
        decision = self._decision(standing, taken, effects)
        rule_id = next((rule.id for rule in taken if effects[rule.id] == decision), "default")
        limits, empty = self._limits(taken)
        if empty:
            decision = "deny"
        obligations = self._obligations(taken, effects, decision, limits)
        return Outcome(decision, rule_id, tuple(rule.id for rule in fired), obligations)

    def _standing(self, fired: list[Fired]) -> list[Fired]:
        down: set[str] = set()
        rest = list(fired)
        stands: dict[str, bool] = {}
        while rest:
            waiting = {t for rule in rest for t in rule.overrides}
            free = next(rule for rule in rest if rule.id not in waiting)
            rest.remove(free)
            stands[free.id] = free.id not in down
            if stands[free.id]:
                down |= set(free.overrides)
        return [rule for rule in fired if stands[rule.id]]

    def _decision(self, standing: list[Fired], taken: list[Fired], effects: dict[str, str]) -> str:
        if standing and not taken:
            return "deny"
        base = "allow" if self.default == "allow" else "deny"
        if not taken:
            return base
        strictest = max((effects[rule.id] for rule in taken), key=ORDER.index)
        whole = self.combine in ("first_match", "unique")
        if whole or any(rule.effect in ("allow", "require_human") for rule in taken):
            return strictest
        return max(strictest, base, key=ORDER.index)

    def _limits(self, taken: list[Fired]) -> tuple[dict[str, tuple[Fraction, Fraction]], bool]:
        found: dict[str, tuple[Fraction, Fraction]] = {}
        for one in (o for rule in taken for o in rule.obligations if "limit" in o):
            target = self.outputs.get(one["limit"]) or self.fields[one["limit"]]
            lo, hi, _, _ = shape(target.type)
            lo, hi = found.get(one["limit"], (lo, hi))
            found[one["limit"]] = max(lo, one["from"]), min(hi, one["to"])
        return found, any(lo > hi for lo, hi in found.values())

    def _obligations(
        self,
        taken: list[Fired],
        effects: dict[str, str],
        decision: str,
        limits: dict[str, tuple[Fraction, Fraction]],
    ) -> tuple[dict[str, Any], ...]:
        written = [one for rule in taken for one in rule.obligations]
        kept = _dos([one for one in written if "do" in one])
        if decision != "deny":
            for name, (lo, hi) in limits.items():
                target = self.outputs.get(name) or self.fields[name]
                start = {} if lo == shape(target.type)[0] else {"from": lo}
                kept.append({"limit": name, **start, "to": hi})
            if decision == "require_human":
                waiting = [rule for rule in taken if effects[rule.id] == "require_human"]
                expires = [rule.expires_ms for rule in waiting if rule.expires_ms is not None]
                roles = {role for rule in waiting for role in rule.roles}
                kept.append({"require": roles} | ({"expires_ms": min(expires)} if expires else {}))
            retries = [one["retry_ms"] for one in written if "retry_ms" in one]
            kept += [{"retry_ms": max(retries)}] if retries else []
        kept += [one for one in written if "remedy" in one]
        return tuple(one for i, one in enumerate(kept) if one not in kept[:i])


def _dos(dos: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in dos:
        bare = {k: v for k, v in one.items() if k != "for_ms"}
        same = [o for o in dos if {k: v for k, v in o.items() if k != "for_ms"} == bare]
        if all("for_ms" in o for o in same):
            bare["for_ms"] = max(o["for_ms"] for o in same)
        if bare not in found:
            found.append(bare)
    return found
