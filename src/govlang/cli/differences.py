"""What a policy and an artefact of it decide on one request, in words.

In: what is to be decided and what the artefact decides.  Out: a sentence that names both decisions with
their rules, or, where these are the same, what else of the outcome is other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from govlang.cli.formats.exact_json import json_text
from govlang.compiler import interpret, ir
from govlang.compiler.interpret import DEFAULT_RULE, INVALID_REQUEST
from govlang.compiler.obligations import argument
from govlang.verifier.translation.edge_interface import Interface, edge_interface

Answer = tuple[int, dict[str, int]]
"""What a step returns, and the cells of its outcome by their names in docs/edge.md."""

_UNDEFINED: Final = "what happens at "
"""How a doubt begins that names a place where the target leaves the result undefined."""


def table_difference(expected: interpret.Outcome, found: interpret.Outcome | None) -> str:
    """What the policy decides and what its table decides; None where it gives nothing of the policy."""
    if found is None:
        return f"the policy decides {_of(expected)}, the table comes to no outcome"
    ours, theirs = _of(expected), _of(found)
    if ours != theirs:
        return _two(ours, "table", theirs)
    for what in ("obligations", "reason", "matched"):
        one, other = getattr(expected, what), getattr(found, what)
        if one != other:
            return f"both decide {ours}, but not with the same {_PARTS[what]}"
    return f"both decide {ours}, but not in the same way"


_PARTS: Final = {
    "obligations": "obligations",
    "reason": "reason",
    "matched": "rules that fired",
}


def edge_difference(
    policy: ir.Policy,
    variables: Sequence[str],
    what: str,
    doubt: str,
    expected: Answer,
    found: Answer | None,
) -> str:
    """What the policy decides and what its C or WebAssembly (`what`) does.

    `variables` are those of the artefact in their order; `doubt` is what made the proof look there;
    `found` is None where the artefact comes to no outcome.
    """
    named = _Named(policy, variables)
    ours = named.decided(expected[1])
    if found is None:
        place = f"; {doubt} is undefined" if doubt.startswith(_UNDEFINED) else ""
        return f"the policy decides {ours}, the {what} comes to no outcome{place}"
    theirs = named.decided(found[1])
    if ours != theirs:
        return _two(ours, what, theirs)
    for cell, value in expected[1].items():
        if found[1].get(cell) != value:
            one, other = (named.told(cell, number) for number in (value, found[1].get(cell, 0)))
            about = named.about(cell)
            return f"both decide {ours}, but {about} is {one} by the policy, {other} by the {what}"
    return f"both decide {ours}, but the {what} returns {found[0]}, must return {expected[0]}"


def _of(outcome: interpret.Outcome) -> str:
    return _decided(outcome.decision.word, outcome.rule_id)


def _decided(decision: str, rule: str) -> str:
    return f"{decision.replace('_', ' ')} by `{rule}`"


def _two(ours: str, what: str, theirs: str) -> str:
    return f"the policy decides {ours}, the {what} {theirs}"


class _Named:
    """The cells of an outcome in words of the policy."""

    def __init__(self, policy: ir.Policy, variables: Sequence[str]) -> None:
        self.policy = policy
        self.interface: Interface = edge_interface(policy, {}, {})
        self.checked = (
            *(f"`{name}`" for name in variables),
            *(f"the assumption `{one.text}`" for one in policy.assumptions),
        )
        self.rules = (*(rule.id for rule in policy.rules), DEFAULT_RULE, INVALID_REQUEST)
        self.effects = [effect.word for effect in ir.Effect]

    def decided(self, cells: dict[str, int]) -> str:
        """The decision and the rule; for an invalid request also what is wrong with it."""
        decision, rule = cells["out.decision"], cells["out.rule"]
        told = _decided(
            _nth(self.effects, decision, "decision number"), _nth(self.rules, rule, "rule number")
        )
        invalid = cells["out.invalid"]
        if _nth(self.rules, rule, "") != INVALID_REQUEST or invalid < 0:
            return told
        return f"{told} because of {_nth(self.checked, invalid, 'variable number')}"

    def about(self, cell: str) -> str:
        """What a cell says."""
        match cell.split("."):
            case ["out", "lo" | "hi" as end, name]:
                return f"the {'least' if end == 'lo' else 'greatest'} `{name}`"
            case ["out", "do", number, name]:
                return f"`{name}` of `{self.interface.duties[int(number)].action}`"
            case ["out", "remedy", number, name]:
                return f'`{name}` of the remedy "{self.interface.remedies[int(number)].text}"'
            case _:
                return _ABOUT[_word_of(cell)[0]]

    def told(self, cell: str, value: int) -> str:
        """The value of a cell."""
        match cell.split("."):
            case ["out", "lo" | "hi", name]:
                return _in_unit(self.policy.target(name), value)
            case ["out", "do", number, name]:
                do = self.interface.duties[int(number)]
                action = next(one for one in self.policy.actions if one.name == do.action)
                return _in_unit(next(p for p in action.parameters if p.name == name), value)
            case ["out", "remedy", _, name]:
                return _in_unit(self.policy.field(name), value)
            case ["out", "expires" | "retry"]:
                return f"{value} ms" if value >= 0 else "not set"
            case ["out", "invalid"]:
                return _nth(self.checked, value, "variable number") if value >= 0 else "nothing"
            case _:
                return self._mask(*_word_of(cell), value)

    def _mask(self, name: str, word: int, value: int) -> str:
        """The names of the bits that are set."""
        names: Sequence[str] = {
            "out.limited": [one.name for one in self.interface.targets],
            "out.dos": [one.action for one in self.interface.duties],
            "out.remedies": [one.text for one in self.interface.remedies],
            "out.roles": self.policy.roles,
        }[name]
        bits = [bit for bit in range(64 if name == "out.roles" else 32) if value >> bit & 1]
        return ", ".join(f"`{_nth(names, 32 * word + bit, 'bit')}`" for bit in bits) or "nothing"


_ABOUT: Final = {
    "out.invalid": "what is wrong with the request",
    "out.limited": "what is limited",
    "out.dos": "what is to be done",
    "out.roles": "who must approve",
    "out.expires": "the time for an approval",
    "out.retry": "the time until it is worth asking again",
    "out.remedies": "what is named as a way out",
}


def _word_of(cell: str) -> tuple[str, int]:
    """The name of a mask and the number of its word."""
    match = re.fullmatch(r"(out\.\w+)\.(\d+)", cell)
    return (match[1], int(match[2])) if match else (cell, 0)


def _nth(names: Sequence[str], number: int, otherwise: str) -> str:
    return names[number] if 0 <= number < len(names) else f"{otherwise} {number}"


def _in_unit(field: ir.Field, value: int) -> str:
    """A value of a field as people write it; the plain number where the field has no such value."""
    if field.kind is ir.Kind.ENUM and not 0 <= value < len(field.members):
        return str(value)
    found = json_text(argument(value, field))
    return f"{found} {field.unit}" if field.unit else found
