"""The policy that runs: a bundle in, and only if it adds up it takes the place of the one before.

What always holds: `policy` is a whole policy at every moment, for every thread; a bundle that is refused changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from govlang.runtime.bundle import Bundle
from govlang.runtime.policy import Policy


class PolicySlot:
    """Holds the running policy of a service."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._lock = Lock()

    @property
    def policy(self) -> Policy:
        """The policy to decide with; take it once for each request."""
        return self._policy

    def load(
        self,
        source: str | Path | bytes | Bundle,
        *,
        params: Mapping[str, Any] | None = None,
        public_key: bytes | None = None,
    ) -> Policy:
        """Put the policy of a bundle in place; the one that it replaces.

        Raises:
            CodedError: the bundle or its parameters do not add up; the policy before goes on.
        """
        loaded = Policy.load(source, params=params, public_key=public_key)
        with self._lock:
            before, self._policy = self._policy, loaded
        return before
