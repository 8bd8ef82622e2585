"""Who may tell the policy what happens: a caller and the name of an event or signal in, why it may not out.

An event can give authority as well as take it: a contract is issued by one, a level of autonomy is earned by twenty of
them.  Which one does what a name does not say.  So what always holds: contracts are issued, revoked and reinstated by
operators only; a worker tells what its token lists, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.tokens import Role

if TYPE_CHECKING:
    from govlang.runtime.control.tokens import Caller

BY_HAND: Final = (".issued", ".revoked", ".reinstated")
"""How the events of a contract end that an operator sends (language: `contract`); no event that is declared does."""


def is_by_hand(name: str) -> bool:
    """Whether only an operator tells an event, whatever a token lists."""
    return name.endswith(BY_HAND)


def may_not_tell(caller: Caller, name: str) -> Answer | None:
    """The refusal of a caller that may not tell an event or a signal of the policy; None: it may."""
    if Role.OPERATOR in caller.roles:
        return None
    if is_by_hand(name):
        return problem(
            "forbidden",
            f"`{name}` gives or takes authority by hand: only an operator tells it",
            field="event",
            expected="a token of the role operator",
        )
    if name in caller.events:
        return None
    return problem(
        "forbidden",
        f"the token does not list `{name}`",
        field="event",
        expected="a token whose `events` name it, or one of the role operator",
    )
