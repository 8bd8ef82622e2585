"""A step of a trace: which of its kinds it is, and when it was.

In: steps as JSON has them (step.schema.json).  Out: their kind; the errors of what is none.

What always holds: a member that means nothing to a step of its kind is refused, never left out: a misspelt `at_ms`
would be a step of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from govlang.native.errors import TableError
from govlang.native.layout import TIME_MAX
from govlang.native.request import NAME_MAX, integer, legible

MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "request": ("at_ms", "request", "runtime", "decision", "rule_id"),
    "event": ("at_ms", "key", "event", "fields"),
    "signal": ("at_ms", "key", "signal", "value"),
    "tick": ("at_ms", "key", "tick"),
}
"""What a step of each kind may hold (step.schema.json); `decision` and `rule_id` tell what came of a request."""

_ALL: Final = tuple(dict.fromkeys(name for names in MEMBERS.values() for name in names))


def kind_of(step: Any) -> str:
    """The kind of a step, a member of `MEMBERS`.

    Raises:
        TableError: GOV415, it is of none or of several, or has a member that its kind has not.
    """
    if not isinstance(step, Mapping):
        raise unusable("the step must be an object")
    _refuse_strange(step, _ALL, "a step")
    kinds = [kind for kind in MEMBERS if kind in step]
    if len(kinds) != 1:
        found = " and ".join(f"`{kind}`" for kind in kinds) or "none of them"
        raise unusable(
            f"a step has one of `request`, `event`, `signal` and `tick`, this one {found}"
        )
    (kind,) = kinds
    _refuse_strange(step, MEMBERS[kind], f"a step with `{kind}`")
    if kind in {"event", "signal"} and not isinstance(step[kind], str):
        raise unusable(f"`{kind}` must be a name")
    if kind == "signal" and "value" not in step:
        raise unusable("a step with `signal` needs its `value`")
    if kind == "tick" and step["tick"] is not True:
        raise unusable("`tick` must be true")
    return kind


def _refuse_strange(step: Iterable[Any], known: Iterable[str], what: str) -> None:
    strange = next((str(name) for name in step if name not in known), None)
    if strange is not None:
        raise unusable(
            f"`{legible(strange, NAME_MAX)}` is no part of {what}", f"write {', '.join(known)}"
        )


def time_of(step: Mapping[str, Any]) -> int | None:
    """When a step was, in ms; None: now, it does not say.

    Raises:
        TableError: GOV415, `at_ms` is no time.
    """
    if "at_ms" not in step:
        return None
    at_ms = integer(step["at_ms"])
    if at_ms is None or abs(at_ms) > TIME_MAX:
        raise unusable("`at_ms` must be a whole number of milliseconds")
    return at_ms


def undeclared(kind: str, name: str) -> TableError:
    """A step of an event or a signal that the policy does not know."""
    return unusable(f"the policy declares no {kind} `{legible(name, NAME_MAX)}`")


def unusable(
    message: str,
    help_line: str = "write `event` with `fields`, `signal` with `value`, or `tick`",
) -> TableError:
    """A step that the policy cannot take in."""
    return TableError("GOV415", message, help=help_line)
