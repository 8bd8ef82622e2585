"""A language for the policies that say what agents may do, its verifier, compiler and runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from govlang.native.errors import CodedError
    from govlang.runtime.decision import Decision, Outcome
    from govlang.runtime.edge import EdgeOutcome, EdgePolicy
    from govlang.runtime.policy import Policy

__version__ = "0.1.0"

__all__ = [
    "CodedError",
    "Decision",
    "EdgeOutcome",
    "EdgePolicy",
    "Outcome",
    "Policy",
    "__version__",
]

_HOMES = {
    "CodedError": "govlang.native.errors",
    "Decision": "govlang.runtime.decision",
    "EdgeOutcome": "govlang.runtime.edge",
    "EdgePolicy": "govlang.runtime.edge",
    "Outcome": "govlang.runtime.decision",
    "Policy": "govlang.runtime.policy",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for: `gov check` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
