"""What names of a policy over time mean to the naive evaluator, and where things happen.

In: the declarations and the past of machines.  Out: whose what an expression reads is, whether it is known
before machines step.  Shares no code with the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from naive_past import Instance, Past
from naive_reading import AbsentError, Names

from govlang.dsl import ast

Place = tuple[int, int]
"""A position and the place within that sample: event or signal, `enters`, built-in events."""

BUILT_IN = ("allowed", "dispatched", "reserved", "settled", "released")
CLOCK = ("gap", "clock_fault")


class NeverError(AbsentError):
    """A request was asked about before there was one."""


@dataclass
class Moves:
    """A machine of one instance: where it started, and the positions at which it stepped into a state."""

    start: str
    entries: list[tuple[int, str]] = field(default_factory=list)

    def state(self, until: int) -> str:
        """The state behind a position."""
        found = (state for position, state in reversed(self.entries) if position <= until)
        return next(found, self.start)


class Policy(Names, Protocol):
    """What names mean, and what has happened."""

    events: dict[str, ast.EventDecl]
    signals: dict[str, ast.SignalDecl]
    homes: dict[str, str]
    """Machines and the fields that tell their instances apart."""
    life: set[str]
    """The events in the life of contracts."""
    reserved: set[str]
    """The fields of which work in flight is summed."""
    past: Past
    truths: dict[tuple[int, Instance, int], bool]

    def moves(self, machine: str, instance: Instance) -> Moves:
        """The past of a machine."""


@dataclass(frozen=True)
class Trigger:
    """Something that holds at some positions of an instance; `late`: known once machines have stepped."""

    instance: Instance
    late: bool
    holds: Callable[[int], bool]


def plain(literal: Any) -> Any:
    """A literal as JSON has it."""
    return literal.text if isinstance(literal, ast.Name) else literal.value


def parts(expr: Any) -> Iterator[Any]:
    """The expressions directly inside one, whatever it is."""
    for name in getattr(expr, "__dataclass_fields__", ()):
        if name == "span":
            continue
        found = getattr(expr, name)
        for one in found if isinstance(found, tuple) else (found,):
            if hasattr(one, "__dataclass_fields__"):
                yield one


def homes(policy: Policy, expr: Any) -> set[str]:
    """Whose what an expression reads is; "?" for what the sample or its instance says."""
    match expr:
        case ast.Name(text=text) if text in policy.lets:
            return homes(policy, policy.lets[text])
        case ast.Name(text=text):
            return _home(policy, text)
        case ast.Reserved():
            return {policy.past.key or ""}
        case ast.Has(field=name):
            return _home(policy, name.text)
        case ast.EventRef(per=per) if per is not None:
            return {per.text}
        case ast.EventRef(name=name):
            return _home(policy, name.text)
        case ast.Enters(machine=machine):
            return _home(policy, machine.text)
        case ast.Is() | ast.In() | ast.Contains() | ast.Within():
            return homes(policy, expr.operand)
        case _:
            return {one for part in parts(expr) for one in homes(policy, part)}


def _home(policy: Policy, name: str) -> set[str]:
    if name in policy.params:
        return set()
    if name in policy.signals:
        return {"" if policy.signals[name].shared else policy.past.key or ""}
    if name in policy.homes:
        return {policy.homes[name]}
    if name in policy.events and policy.events[name].shared:
        return {""}
    return {"?"}


def is_late(policy: Policy, expr: Any) -> bool:
    """Whether an expression reads machines, which are known only once they have stepped."""
    match expr:
        case ast.Name(text=text) if text in policy.lets:
            return is_late(policy, policy.lets[text])
        case ast.Name(text=text):
            return text in policy.homes
        case ast.Enters():
            return True
        case ast.EventRef():
            return False
        case _:
            return any(is_late(policy, part) for part in parts(expr))
