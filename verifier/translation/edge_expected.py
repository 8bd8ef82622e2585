"""The outcome that the policy asks for, as cells, on given values: for requests that are tried.

In: a request as values, or variables as a host may set them.  Out: what is returned and every cell, by
the interpreter's own functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value, grant, joined_effect, standing
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import Grant, limits_meet
from govlang.verifier.translation.edge_interface import Interface, Variable
from govlang.verifier.translation.machine_run import signed, unsigned
from govlang.verifier.translation.outcome import taken_of

Answer = tuple[int, dict[str, int]]
"""What is returned, and the cells."""


def first_stray(interface: Interface, variables: Mapping[str, int]) -> int | None:
    """The number of the first variable that counts and lies outside its domain."""
    listed = interface.variables
    for number, one in enumerate(listed):
        counts = all(variables[listed[place].name] == 1 for place in one.present)
        if counts and not _is_inside(one, variables[one.name]):
            return number
    return None


def _is_inside(one: Variable, value: int) -> bool:
    if one.is_set:
        value = unsigned(value, one.width)
    if one.is_set:
        return one.column.lo <= value <= one.column.hi
    return any(lo <= value <= hi for lo, hi in one.domain)


def refused(policy: ir.Policy, interface: Interface, number: int) -> Answer:
    """The outcome of an invalid request."""
    return -1, neutral(interface) | {
        "out.rule": len(policy.rules) + 1,
        "out.invalid": number,
    }


def neutral(interface: Interface) -> dict[str, int]:
    """The outcome of a deny that asks for nothing."""
    cells = {cell.name: cell.neutral for cell in interface.cells}
    return cells | {"out.decision": int(Effect.DENY), "out.invalid": -1}


def expected_answer(
    policy: ir.Policy,
    interface: Interface,
    values: Mapping[str, Value],
    params: Mapping[str, int],
) -> Answer:
    """The outcome of a request whose every field is valid."""
    env = Environment(policy, params, values)
    for number, assumption in enumerate(policy.assumptions):
        if not env.holds(assumption.condition):
            return refused(policy, interface, len(interface.variables) + number)
    fired = tuple(rule for rule in policy.rules if env.holds(rule.condition))
    grants = tuple(grant(rule, env) for rule in standing(fired))
    return 0, _Outcome(policy, interface, env, grants).cells()


class _Outcome:
    def __init__(
        self,
        policy: ir.Policy,
        interface: Interface,
        env: Environment,
        grants: tuple[Grant, ...],
    ) -> None:
        self.policy = policy
        self.interface = interface
        self.env = env
        self.taken = taken_of(policy, grants)
        self.rules = [one.rule for one in self.taken]
        effect = joined_effect(policy, grants, self.taken)
        self.decider = next((one.rule for one in self.taken if one.effect is effect), None)
        self.effect = effect if limits_meet(policy, env, self.taken) else Effect.DENY

    def cells(self) -> dict[str, int]:
        """Every cell."""
        found = {cell.name: cell.neutral for cell in self.interface.cells}
        found["out.decision"] = int(self.effect)
        rules = self.policy.rules
        found["out.rule"] = len(rules) if self.decider is None else rules.index(self.decider)
        found["out.invalid"] = -1
        found.update(self._duties())
        if self.effect is not Effect.DENY:
            found.update(self._limits())
            found.update(self._times())
        return {cell.name: signed(found[cell.name], cell.width) for cell in self.interface.cells}

    def _duties(self) -> Iterator[tuple[str, int]]:
        asked = {do for rule in self.rules for do in rule.dos}
        yield from _words("out.dos", [do in asked for do in self.interface.duties])
        for one in self.interface.do_values:
            if self.interface.duties[one.number] in asked:
                yield one.cell, self.env.evaluate(one.expr)
        remedies = {rule.remedy for rule in self.rules}
        yield from _words("out.remedies", [one in remedies for one in self.interface.remedies])
        for one in self.interface.remedy_values:
            if self.interface.remedies[one.number] in remedies:
                yield one.cell, self.env.evaluate(one.expr)

    def _limits(self) -> Iterator[tuple[str, int]]:
        limits = [limit for rule in self.rules for limit in rule.limits]
        names = {limit.target for limit in limits}
        yield from _words("out.limited", [one.name in names for one in self.interface.targets])
        for one in self.interface.targets:
            own = [limit for limit in limits if limit.target == one.name]
            yield f"out.lo.{one.name}", max([one.lo, *(self.env.evaluate(x.lo) for x in own)])
            yield f"out.hi.{one.name}", min([one.hi, *(self.env.evaluate(x.hi) for x in own)])

    def _times(self) -> Iterator[tuple[str, int]]:
        retries = [rule.retry_ms for rule in self.rules if rule.retry_ms is not None]
        if retries:
            yield "out.retry", max(retries)
        if self.effect is Effect.REQUIRE_HUMAN:
            waiting = [g.rule for g in self.taken if g.effect is Effect.REQUIRE_HUMAN]
            named = {role for rule in waiting for role in rule.roles}
            roles = enumerate(self.policy.roles)
            yield "out.roles", sum(1 << bit for bit, role in roles if role in named)
            expiries = [rule.expires_ms for rule in waiting if rule.expires_ms is not None]
            if expiries:
                yield "out.expires", min(expiries)


def _words(name: str, bits: Sequence[bool]) -> Iterator[tuple[str, int]]:
    for at in range(0, len(bits), 32):
        word = sum(1 << i for i, bit in enumerate(bits[at : at + 32]) if bit)
        yield f"{name}.{at // 32}", word
