"""What the host knows of an agent's request: values of fields `from runtime`, as its `context` gives them.

In: a context, an agent, a request.  Out: values by field, or the refusal of a host that does not say.

What always holds: a context that fails, or that gives anything but a mapping of names to values, gives nothing; what is
not known permits nothing.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from govlang.native.request import legible
from govlang.runtime.control.verdict import CheckUnavailableError
from govlang.runtime.policy import Policy

log: Final = logging.getLogger("govlang.control")

Context = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""What else the host knows of an agent's request: values of the policy's fields `from runtime`."""

OWN: Final = frozenset({"approved", "delegator", "origin", "depth"})
"""The fields `from runtime` that the service sets itself, beside those that begin with `reserved_`."""

QUOTED_MAX: Final = 60


def no_context(agent: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A host that knows nothing else."""
    del agent, request
    return {}


def of_host(context: Context, agent: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """What else the host knows.

    Raises:
        CheckUnavailableError: it fails, or gives no mapping of names to values.
    """
    try:
        found: Any = context(agent, request)
        unusable = _unusable(found)
        if unusable is None:
            return dict(found)
    except Exception as error:
        log.exception("the host's context failed")
        why = f"lacks what the host knows: its context failed ({type(error).__name__})"
        raise CheckUnavailableError(why) from None
    log.error("the host's context returned %s", unusable)
    raise CheckUnavailableError(f"lacks what the host knows: its context returned {unusable}")


def _unusable(found: object) -> str | None:
    """What a context returned that is no mapping of names to values; None: it is one."""
    if not isinstance(found, Mapping):
        if inspect.iscoroutine(found):
            found.close()
            return "a coroutine, it must be a plain function (`def`, not `async def`)"
        return f"`{type(found).__name__}`, not a mapping of fields to values"
    wrong = next((name for name in found if not isinstance(name, str)), None)
    if wrong is None:
        return None
    shown = legible(repr(wrong), QUOTED_MAX)
    return f"a mapping with the key `{shown}` ({type(wrong).__name__}), which is no name of a field"


def left_to_host(policy: Policy) -> tuple[str, ...]:
    """The fields `from runtime` that each request must have and only a context can give."""
    return tuple(
        one.name
        for one in policy.fields
        if one.origin == "runtime"
        and not one.optional
        and one.implied is None
        and one.name not in OWN
        and not one.name.startswith("reserved_")
    )


def warn_unset(policy: Policy, context: Context) -> None:
    """Say in the log which fields nobody sets, where the service was given no context."""
    names = left_to_host(policy)
    if names and context is no_context:
        listed = ", ".join(f"`{name}`" for name in names)
        log.warning(
            "nobody sets %s (`from runtime`, required): every request is refused until "
            "`gov serve --context MODULE:FUNCTION` gives it, or the field is `optional`",
            listed,
        )
