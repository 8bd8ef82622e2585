"""What an allowed call must keep to: limits on its values, and actions that the host carries out.

In: the obligations of an outcome (`{"limit": …, "from"?: …, "to": …}`, `{"do": …, "args"?: …, "for_ms"?: …}`).
Out: values inside their limits, the actions that are to be done.

What always holds: an obligation of an unknown kind, a limit on what nobody holds, an action that nobody can carry out:
each is `Denied`, before anything was done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from govlang.client.errors import Denied

Obligation = Mapping[str, Any]
Action = Callable[[Mapping[str, Any], int | None], object]
"""Carries out a `do`: its arguments by name, and for how many ms it holds (None: the policy does not say)."""

_TOLD: Final = frozenset(("remedy", "require", "retry_ms"))
"""Obligations that ask nothing of who runs what was allowed: a hint, who had to approve, when to ask again."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a limit leaves, ends included; None: no limit on that side."""

    low: int | float | Decimal | None = None
    high: int | float | Decimal | None = None


@dataclass(frozen=True, slots=True)
class Duties:
    """The obligations of one outcome."""

    limits: Mapping[str, Range]
    actions: tuple[Obligation, ...]


def read_duties(obligations: Iterable[Obligation]) -> Duties:
    """The obligations of an outcome that allows.

    Raises:
        Denied: one is of a kind that is not known, or is not written as it should be.
    """
    limits: dict[str, Range] = {}
    actions: list[Obligation] = []
    for one in obligations:
        match dict(one):
            case {"limit": str(name), **rest} if name not in limits and set(rest) <= {"from", "to"}:
                limits[name] = Range(_number(rest.get("from")), _number(rest.get("to")))
            case {"do": str()}:
                actions.append(one)
            case other if not _TOLD & set(other):
                raise impossible(f"nobody here knows the obligation {sorted(other)}")
    return Duties(limits, tuple(actions))


def _number(end: object) -> int | float | Decimal | None:
    if end is None or (isinstance(end, int | float | Decimal) and not isinstance(end, bool)):
        return end
    raise impossible("a limit is a number")


def impossible(why: str) -> Denied:
    """The refusal of what is allowed only on a condition that is not kept here."""
    return Denied("obligation_not_kept", 0, why)


def check_duties(duties: Duties, kept: Collection[str], actions: Collection[str]) -> None:
    """Demand that each limit is on one of `kept` and each action one of `actions`.

    Raises:
        Denied: one is not.
    """
    for name in duties.limits:
        if name not in kept:
            raise impossible(f"the policy limits `{name}`, and nothing here keeps to a limit of it")
    for one in duties.actions:
        if one["do"] not in actions:
            raise impossible(f"the policy asks for `{one['do']}`, which nobody here carries out")


def carry_out(duties: Duties, actions: Mapping[str, Action]) -> None:
    """Do every action.

    Raises:
        Denied: one failed.
    """
    for one in duties.actions:
        try:
            actions[one["do"]](one.get("args", {}), one.get("for_ms"))
        except Exception as error:
            why = f"`{one['do']}`, which the policy asks for, failed: {type(error).__name__}"
            raise impossible(why) from error


def within(value: Any, to: Range) -> Any:
    """The nearest value inside a limit, of the type of `value`.

    Raises:
        Denied: `value` is no number, or the limit leaves none of its type.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise impossible(f"a limit needs a number, not {type(value).__name__}")
    if not math.isfinite(value):
        raise impossible("a limit needs a finite number")
    for end in (to.low, to.high):
        if end is not None and (
            isinstance(end, bool) or not isinstance(end, int | float | Decimal)
        ):
            raise impossible("a limit is a number")
    if to.low is not None and to.high is not None and to.low > to.high:
        raise impossible("the limits leave no value")
    if to.high is not None and Fraction(value) > Fraction(to.high):
        return _end(to.high, value, math.floor, to)
    if to.low is not None and Fraction(value) < Fraction(to.low):
        return _end(to.low, value, math.ceil, to)
    return value


def _end(
    end: float | Decimal, like: Any, whole: Callable[[Any], int], to: Range
) -> int | float | Decimal:
    if isinstance(like, float):
        return float(end)
    if isinstance(like, Decimal):
        return end if isinstance(end, Decimal) else Decimal(str(end))
    found = whole(end)
    if (to.low is not None and found < to.low) or (to.high is not None and found > to.high):
        raise impossible("the limits leave no whole number")
    return found
