"""The operator's token of a first start, which is shown once: a token that nobody saw is replaced, never lost.

In: a turn.  Out: the text of a token, or None.

What always holds: a data directory in which no token was ever shown gives one at its next start; the one that was made
before it and not shown is worth nothing from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control.operations import create_token, revoke_token

if TYPE_CHECKING:
    from govlang.runtime.control.turn import Turn

TTL_S: Final = 365 * 86_400
"""For how long it is good, in seconds."""
UNSHOWN: Final = "unshown_token"
"""The name under which the id of a token stands that nobody is known to have seen."""
WHO: Final = "the first start"


def first_token(turn: Turn) -> tuple[str, ...]:
    """The text of a new token, and the ids of those that changed; empty where one was shown, or made by somebody."""
    session = turn.session
    unshown = session.get(UNSHOWN)
    if unshown is None and session.tokens():
        return ()
    turn.has_written = True
    if unshown is not None:
        revoke_token(turn, unshown, WHO)
    made = create_token(turn, WHO, {"roles": ["operator"], "agent": "operator", "ttl_s": TTL_S})
    assert isinstance(made.body, dict)
    session.set(UNSHOWN, made.body["id"])
    return made.body["token"], made.body["id"], *([] if unshown is None else [unshown])


def shown(turn: Turn) -> None:
    """Its owner has seen it."""
    turn.has_written = True
    turn.session.set(UNSHOWN, None)
