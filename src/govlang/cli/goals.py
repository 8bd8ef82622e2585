"""What generated tests are for: coverage in, goals out, each with the condition that a request must satisfy.

What always holds: a goal is reached exactly when the measure that it comes from counts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from govlang.cli.coverage import Coverage, Missing, Parted, Untaken, part_text
from govlang.compiler import ir

TEXT_MAX: Final = 60


class Kind(Enum):
    """The measure that a goal comes from."""

    FIRES = "rules"
    TAKEN = "transitions"
    DECIDES = "mcdc"
    IS = "conditions"


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that a test should reach."""

    kind: Kind
    what: Missing | Untaken

    @property
    def title(self) -> str:
        """What a test that reaches it is called."""
        if isinstance(self.what, Untaken):
            return f"{self.what.transition.machine.name} takes {shortened(self.what.text)}"
        one = self.what
        if one.part is None:
            return f"{one.rule} fires"
        value = str(one.polarity).lower()
        if self.kind is Kind.IS:
            return f"{one.rule} meets `{shortened(part_text(one.part))}` being {value}"
        return f"{one.rule} turns on `{shortened(part_text(one.part))}` being {value}"

    @property
    def rule(self) -> str | None:
        """The rule that it speaks of; None: a machine."""
        return None if isinstance(self.what, Untaken) else self.what.rule

    def is_reached(self, coverage: Coverage) -> bool:
        """Whether a coverage, of this rule or of this machine at least, counts it."""
        missing: list[Missing] | list[Untaken] = getattr(coverage, self.kind.value).missing
        return self.what not in missing

    def condition(self, policy: ir.Policy) -> ir.BoolExpr:
        """What a request must satisfy; TRUE for a transition, which any sample can take."""
        if isinstance(self.what, Untaken):
            return ir.TRUE
        rule, one = policy.rule(self.what.rule), self.what
        if one.part is None:
            return rule.condition
        value = one.part if one.polarity else ir.negation(one.part)
        return (
            value
            if self.kind is Kind.IS
            else ir.conjunction([value, _decides(Parted(policy, rule), one)])
        )


@dataclass(frozen=True, slots=True)
class Unreached:
    """A goal without a test; `impossible`: it is proved that nothing reaches it."""

    goal: Goal
    impossible: bool


def goals_of(coverage: Coverage) -> list[Goal]:
    """Everything that is missing, what many tests reach on their way last."""
    return [
        *(Goal(Kind.FIRES, one) for one in coverage.rules.missing),
        *(Goal(Kind.TAKEN, one) for one in coverage.transitions.missing),
        *(Goal(Kind.DECIDES, one) for one in coverage.mcdc.missing),
        *(Goal(Kind.IS, one) for one in coverage.conditions.missing),
    ]


def _decides(parted: Parted, one: Missing) -> ir.BoolExpr:
    """The other value of a part would turn the condition over."""
    on, off = (parted.with_constant(one.index, value) for value in (True, False))
    turns_off = ir.conjunction([on, ir.negation(off)])
    turns_on = ir.conjunction([ir.negation(on), off])
    return ir.disjunction([turns_off, turns_on])


def shortened(text: str) -> str:
    """A text that fits into a name."""
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
