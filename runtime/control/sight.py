"""Who sees what: whether a caller may look at something, and the answer where it may not.

What always holds: what is not there and what the caller may not see are answered alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control.answer import Answer, problem

if TYPE_CHECKING:
    from govlang.runtime.control.tokens import Caller

NAMED: Final = {
    "job": "job_id",
    "dead letter": "job_id",
    "run": "run_id",
    "approval": "approval_id",
    "token": "token_id",
}
"""What the path calls the things that may not be found."""


def not_found(what: str, name: str) -> Answer:
    """There is no such thing, or none that the caller may see."""
    return problem(
        "not_found",
        f"there is no {what} `{name}`",
        field=NAMED[what],
        expected=f"a {what} that there is, and that the caller may see",
    )


def sees(caller: Caller, agents: set[str] | frozenset[str]) -> bool:
    """Whether a caller may look at what belongs to some agents."""
    return caller.subject in agents or bool(
        {"operator", "auditor"} & {str(r) for r in caller.roles}
    )
