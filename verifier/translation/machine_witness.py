"""A request that shows what is wrong with an artefact: tried, never just claimed.

In: what could not be proved.  Out: variables as a host sets them, at best those of a request, on which
the artefact and the interpreter come to different outcomes; or nothing, if no try shows one.

What always holds: the decoded machine was run on them, and the real engine where there is one; the
outcome of the interpreter, from the request, is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.interpret import Value
from govlang.compiler.requests import write_request
from govlang.native.layout import ColumnKind
from govlang.verifier.translation import machine_run
from govlang.verifier.translation.edge_expected import (
    Answer,
    expected_answer,
    first_stray,
    refused,
)
from govlang.verifier.translation.edge_interface import Interface, Variable
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_run import UndefinedError, signed
from govlang.verifier.translation.search import Search
from govlang.verifier.translation.solve import Candidate
from govlang.verifier.translation.spans import full

Run = Callable[[Mapping[str, int]], Answer | None]
"""The real engine on variables: what it returns and the cells; None where it gives no outcome."""

_SEED: Final = 20240229
_RANDOM: Final = 400
_STRAYS: Final = 24


@dataclass(frozen=True, slots=True)
class Difference:
    """Variables on which policy and artefact differ, with the request that they are, if they are one.

    `found` is None where the artefact gives no outcome at all.
    """

    variables: dict[str, int]
    expected: Answer
    found: Answer | None
    request: dict[str, Any] | None = None
    runtime: dict[str, Any] | None = None
    params: dict[str, int] | None = None


class MachineWitnesses(Search[Difference]):
    """Looks for variables that show a difference."""

    def __init__(
        self, policy: ir.Policy, interface: Interface, artefact: Artefact, run: Run | None
    ) -> None:
        super().__init__(policy)
        self.interface = interface
        self.artefact = artefact
        self.engine = run

    def try_values(self, candidate: Candidate) -> Difference | None:
        """Whether one request shows a difference."""
        variables = self.variables(candidate.values, candidate.params)
        if variables is None:
            return None
        expected = expected_answer(self.policy, self.interface, candidate.values, candidate.params)
        found = self._differing(variables, expected)
        if found is None:
            return None
        request, runtime = write_request(self.policy, candidate.values)
        params = dict(candidate.params)
        return Difference(variables, expected, found[0], request, runtime, params)

    def try_stray(self, variables: dict[str, int]) -> Difference | None:
        """Whether variables of which one is outside its domain show a difference."""
        number = first_stray(self.interface, variables)
        if number is None:
            return None
        expected = refused(self.policy, self.interface, number)
        found = self._differing(variables, expected)
        return None if found is None else Difference(variables, expected, found[0])

    def _differing(
        self, variables: dict[str, int], expected: Answer
    ) -> tuple[Answer | None] | None:
        """What the artefact says instead, in a tuple; None if it says the same."""
        found = self._decoded(variables)
        if found is not None and _same(found, expected):
            return None
        if self.engine is not None:
            found = self.engine(variables)
            if found is not None and _same(found, expected):
                return None
        return (found,)

    def _decoded(self, variables: Mapping[str, int]) -> Answer | None:
        try:
            return machine_run.run(self.artefact.decide, variables)
        except UndefinedError:
            return None

    # --- variables -------------------------------------------------------------------------------

    def variables(
        self, values: Mapping[str, Value], params: Mapping[str, int]
    ) -> dict[str, int] | None:
        """What a host sets for a request; None if the artefact refuses one of its texts."""
        found = {}
        for one in self.interface.variables:
            value = self._variable(one, values, params)
            if value is None:
                return None
            found[one.name] = signed(value, one.width)
        return found

    def _variable(
        self, one: Variable, values: Mapping[str, Value], params: Mapping[str, int]
    ) -> int | None:
        fields, column = self.policy.fields, one.column
        if column.kind is ColumnKind.PARAM:
            return params[self.policy.params[column.source].field.name]
        value = values.get(fields[column.source].name)
        match column.kind:
            case ColumnKind.HAS:
                return int(value is not None)
            case ColumnKind.EQUAL:
                other = values.get(fields[column.other].name)
                return one.unset if value is None or other is None else int(value == other)
            case ColumnKind.CLASS:
                if value is None:
                    return one.unset
                scan = self.artefact.scans[fields[column.source].name]
                classes = machine_run.classify(scan, str(value).encode())
                return None if classes is None else classes[column.other]
            case _:
                return one.unset if value is None else int(value)

    # --- by probing ------------------------------------------------------------------------------

    def by_probing(self) -> Difference | None:
        """Requests at random, then variables that stray from their domains."""
        rng = Random(_SEED)  # noqa: S311 - a search, not a secret
        found = self.first(self.random(rng) for _ in range(_RANDOM))
        if found is not None:
            return found
        numbers = range(len(self.interface.variables))
        return next((d for n in numbers if (d := self.by_straying(n)) is not None), None)

    def by_straying(self, number: int) -> Difference | None:
        """Variables of which the given one is the first outside its domain, in several ways."""
        rng = Random(_SEED + number)  # noqa: S311 - a search, not a secret
        for _ in range(_STRAYS):
            candidate = self.random(rng)
            base = self.variables(candidate.values, candidate.params)
            for variables in () if base is None else self._strays(rng, base, number):
                found = self.try_stray(variables)
                if found is not None:
                    return found
        return None

    def _strays(self, rng: Random, base: dict[str, int], number: int) -> Iterator[dict[str, int]]:
        listed = self.interface.variables
        one = listed[number]
        present = {listed[place].name: 1 for place in one.present}
        lo, hi = full(one.width)
        ends = (one.column.lo - 1, one.column.hi + 1, lo, hi, one.unset, rng.randint(lo, hi))
        for value in ends:
            strange = base | present | {one.name: signed(value, one.width)}
            yield strange
            others = {v.name: rng.choice((v.unset, full(v.width)[1])) for v in listed[number + 1 :]}
            yield strange | others


def _same(found: Answer, expected: Answer) -> bool:
    return found[0] == expected[0] and found[1] == expected[1]
