"""The form of a step of a trace (contract: "A trace step") that is no request.

In: what a host reports.  Out: nothing if it is one event, one signal or one tick and says nothing else; else a
coded error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from govlang.native.errors import TableError
from govlang.native.request import legible

_SAYS: Final = {"event": {"fields"}, "signal": {"value"}, "tick": set[str]()}
"""What a step may say beside its time and its key."""

_A: Final = {"event": "an event", "signal": "a signal", "tick": "a tick"}


def check_step(step: Any) -> None:
    """Hold a step against the form of a trace: one thing that happens, and nothing that would be passed over.

    Raises:
        TableError: GOV415, it has another form.
    """
    if not isinstance(step, Mapping):
        raise unusable("a step of a trace must be an object")
    kinds = [kind for kind in _SAYS if kind in step]
    if len(kinds) == 1:
        others = step.keys() - {*kinds, *_SAYS[kinds[0]], "at_ms", "key"}
        if not others:
            return
        named = legible(", ".join(sorted(map(str, others))))
        raise unusable(f"`{named}` is no part of a step that is {_A[kinds[0]]}")
    names = legible(", ".join(map(str, step)))
    raise unusable(f"`{names}` is no step of a trace")


def unusable(message: str) -> TableError:
    """A step that the policy cannot take in."""
    return TableError(
        "GOV415",
        message,
        help="write `event` with `fields`, `signal` with `value`, or `tick`; requests go to `commit`",
    )
