"""A language for the policies that say what agents may do, its verifier, compiler and runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from govlang.runtime.decision import Decision, Outcome
    from govlang.runtime.policy import Policy

__version__ = "0.1.0"

__all__ = ["Decision", "Outcome", "Policy", "__version__"]

_HOMES = {"Decision": "decision", "Outcome": "decision", "Policy": "policy"}


def __getattr__(name: str) -> Any:
    """Load the runtime when one of its names is wanted: `gov check` starts without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"govlang.runtime.{_HOMES[name]}"), name)
