"""Where things happen and conditions hold: positions of an instance, and what is known at one of them.

In: the past, a position.  Out: triggers over positions, their ages.  Shares no code with the compiler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from naive_past import ALL, Instance, Past
from naive_places import BUILT_IN, Policy, Trigger, homes, is_late
from naive_reading import Reading

from govlang.dsl import ast


class Positions(Reading):
    """A policy at a position; `moving`: as machines see it, which have not stepped yet."""

    policy: Policy

    def __init__(
        self,
        policy: Policy,
        params: Mapping[str, Any],
        context: Instance,
        at: int,
        *,
        moving: bool = False,
    ) -> None:
        super().__init__(policy, policy.past.samples[at].given or {}, params)
        self.context = context
        self.at = at
        self.moving = moving

    @property
    def past(self) -> Past:
        return self.policy.past

    def moved(self, context: Instance, at: int) -> Self:
        """The policy at another position."""
        moving = self.moving and at == self.at
        return type(self)(self.policy, self.params, context, at, moving=moving)

    def instance(self, scope: str) -> Instance:
        """The instance of a scope that is meant here."""
        if scope == self.context[0]:
            return self.context
        return self.past.addresses[self.at][scope]

    # --- positions -------------------------------------------------------------------------------

    def _lived(self, instance: Instance, late: bool = False) -> list[tuple[int, int]]:  # noqa: FBT002
        """Positions and times of an instance that are known here."""
        return self.past.lived(instance, self.at - (late and self.moving))

    def _ages(self, instance: Instance, late: bool = False) -> Iterator[tuple[int, int]]:  # noqa: FBT002
        """Positions, the last one first, and how long ago they were."""
        lived = self.past.lived(instance, self.at)
        now = lived[-1][1]
        for j, time in reversed(lived):
            if not (late and self.moving and j == self.at):
                yield j, now - time

    def happens(self, what: ast.Occurrence | ast.Name) -> Trigger:
        """Where something happens."""
        match what:
            case ast.Enters(machine=machine, state=state):
                instance = self.instance(self.policy.homes[machine.text])
                entries = self.policy.moves(machine.text, instance).entries
                return Trigger(instance, True, lambda j: (j, state.text) in entries)
            case ast.Name(text=text):
                return self._event(text, None)
            case ast.EventRef(name=name, member=None, per=per):
                return self._event(name.text, per)
            case ast.EventRef(name=name, member=member, per=per):
                assert member is not None
                whole = f"{name.text}.{member.text}"
                return self._event(whole if whole in self.policy.life else name.text, per)

    def _event(self, name: str, per: ast.Name | None) -> Trigger:
        declared = self.policy.events.get(name)
        instance = self.context
        if per is not None:
            instance = self.instance(per.text)
        elif declared is not None and declared.shared:
            instance = ALL
        samples = self.past.samples
        if name == "allowed":
            return Trigger(
                instance, False, lambda j: j < self.at and samples[j].decision in ("allow", "limit")
            )
        return Trigger(instance, False, lambda j: samples[j].name == name)

    def place(self, what: ast.Occurrence | ast.Name) -> int:
        """Where in a sample something happens."""
        if isinstance(what, ast.Enters):
            return 1
        name = what if isinstance(what, ast.Name) else what.name
        return 2 if name.text == "allowed" else 0

    def trigger(self, operand: ast.Expr) -> Trigger:
        """Where an operand happens or holds."""
        if isinstance(operand, ast.Enters | ast.EventRef) or (
            isinstance(operand, ast.Name)
            and operand.text not in self.policy.lets
            and (operand.text in self.policy.events or operand.text in BUILT_IN)
        ):
            return self.happens(operand)
        shared = homes(self.policy, operand) == {""}
        instance = ALL if shared else self.context

        def held(j: int) -> bool:
            key = (id(operand), instance, j)
            if key not in self.policy.truths:
                self.policy.truths[key] = self.moved(instance, j).holds(operand)
            return self.policy.truths[key]

        return Trigger(instance, is_late(self.policy, operand), held)
