"""How much a question may cost: the work that the solver does in some seconds, counted by the solver itself.

In: the seconds of `--timeout`.  Out: solvers with that limit, and whether a search has used it up.

What always holds: how far a question gets depends on the question, not on how busy or fast the machine is; the
clock stops only what takes `BACKSTOP` times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import z3

from govlang.verifier.smtlib import Watch, ask

SEED: Final = 0

UNITS_A_SECOND: Final = 5_000_000
"""What Z3 counts (its `rlimit`) in a second of questions like ours: 3 to 8 million, measured."""

UNITS_MAX: Final = 4_000_000_000
"""The largest limit that Z3 takes, which keeps it in 32 bits."""

BACKSTOP: Final = 10
"""How many times its seconds a question may take by the clock."""


@dataclass
class Solvers:
    """Makes solvers, asks them, and counts what that costs."""

    timeout_s: float
    watch: Watch | None = None
    queries: int = 0
    spent: int = 0
    """Units of all questions so far, and of what was charged beside them."""
    _read: int = 0

    @property
    def units(self) -> int:
        """The limit of one question."""
        return max(1, min(UNITS_MAX, int(self.timeout_s * UNITS_A_SECOND)))

    def fresh(self, terms: Iterable[Any]) -> Any:
        """A new solver with these terms."""
        solver = z3.SimpleSolver()
        solver.set("timeout", self._clock_ms)
        solver.set("random_seed", SEED)
        solver.add(*terms)
        return solver

    @property
    def _clock_ms(self) -> int:
        return max(1, int(self.timeout_s * BACKSTOP * 1000))

    def ask(self, solver: Any, literals: Sequence[Any] = (), most: int | None = None) -> Any:
        """The verdict on one question, for at most the units that one may cost, or fewer."""
        self.queries += 1
        solver.set("rlimit", self.units if most is None else max(1, min(self.units, most)))
        verdict = ask(solver, literals, self.watch)
        self._count(solver)
        return verdict

    def why_open(self, solver: Any) -> str:
        """Why the last question to a solver has no answer."""
        reason = str(solver.reason_unknown())
        if reason in {"canceled", "timeout", "max. resource limit exceeded"}:
            return f"the solver reached its limit of {self.timeout_s:g} s of work"
        return f"the solver gave up: {reason}"

    def _count(self, solver: Any) -> None:
        found = solver.statistics()
        if "rlimit count" in found.keys():  # noqa: SIM118  # no mapping
            now = int(found.get_key_value("rlimit count"))
            self.spent += max(0, now - self._read)
            self._read = now

    def due(self, times: float = 1) -> Due:
        """When a search that begins now has cost as much as one question may, or some times that."""
        return Due(self, self.spent + int(times * self.units), self._until(times))

    def _until(self, times: float) -> float:
        return monotonic() + times * self.timeout_s * BACKSTOP


@dataclass(frozen=True)
class Due:
    """The end of a search."""

    solvers: Solvers
    units: int
    clock: float = field(compare=False)

    @property
    def left(self) -> int:
        """The units that are left; none if it is too late."""
        return 0 if monotonic() > self.clock else max(0, self.units - self.solvers.spent)
