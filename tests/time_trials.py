"""Random policies over time as terms, and the values that real samples give to their variables.

In: a seed.  Out: a `Trial`: a policy, its terms, its samples as the reference step takes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import z3
from time_histories import Told, history
from time_policies import Remembering, write_remembering

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import Request, Tick, Watched
from govlang.dsl.source import Source
from govlang.native.request import InvalidFieldError
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder
from govlang.verifier.solve import forget
from govlang.verifier.time.bits import without_sets
from govlang.verifier.time.flat import flat, with_update_texts
from govlang.verifier.time.moment import Moment
from govlang.verifier.time.traces import Sample


@dataclass
class Met:
    """How many terms were compared, and what kinds of samples and policies were met."""

    cells: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)


Values = Sequence[tuple[Any, Any]]
"""Variables of terms, each with its value."""


class Trial:
    """A policy, its terms, and what was done on the reference step."""

    def __init__(self, seed: str, met: Met) -> None:
        forget()
        self.rng = Random(seed)
        self.written: Remembering = write_remembering(self.rng)
        given = compile_source(Source("p.gov", self.written.text)).policy
        self.policy = without_sets(given)
        assert self.policy.time is not None
        self.time = self.policy.time
        self.params = {"most": self.rng.randint(0, 4)}
        self.columns = Columns(with_update_texts(flat(self.policy), self.time))
        self.met = met
        met.operators.update(set(self.written.probes.values()))

    def samples(self, count: int) -> list[Sample]:
        """Random samples that can be read."""
        found = (self._sample(told) for told in history(self.rng, self.written, count))
        return [one for one in found if one is not None]

    def _sample(self, told: Told) -> Sample | None:
        if told.request is not None:
            approves = any(one.name == ir.APPROVED for one in self.policy.fields)
            runtime = {k: v for k, v in told.runtime.items() if k != "approved" or approves}
            read = read_sample(self.policy, told.request, runtime, told.at_ms)
            return read if isinstance(read, Request) else None
        if told.name is None:
            return Tick(told.at_ms, told.key)
        try:
            return read_report(self.policy, told.name, told.key, told.values, told.at_ms)
        except InvalidFieldError:
            return None

    # --- values for variables --------------------------------------------------------------------

    def row(self, encoder: Encoder, watched: Watched) -> list[tuple[Any, Any]]:
        """The columns of a sample, the cells as the rules see them."""
        row = self.columns.row(Point(watched.seen, self.params))
        return [
            (v, z3.BoolVal(bool(n)) if z3.is_bool(v) else z3.IntVal(n))
            for v, n in zip(encoder.variables, row, strict=True)
        ]

    def param(self, name: str) -> Any:
        """The variable of a parameter."""
        return Encoder(self.columns).variables[self.columns.param[name]]

    def keyed(self, moment: Moment, sample: Sample) -> tuple[Any, Any]:
        return moment.keyed, z3.BoolVal(isinstance(sample, Tick) and sample.key is not None)

    def compare(
        self, laws: Sequence[Any], told: Sequence[tuple[Any, int]], values: Values, said: Any
    ) -> None:
        """All laws are true with these values, and all terms are what they were told to be."""
        terms = [*laws, *(term for term, _ in told)]
        sorts = [term.sort() for term in terms]
        row = z3.Function(f"row{len(terms)}", *sorts, z3.BoolSort())
        found = z3.simplify(z3.substitute(row(*terms), *values)).children()
        for term, value in zip(laws, found, strict=False):
            assert z3.is_true(value), (term, value, said)
        for (term, wanted), value in zip(told, found[len(laws) :], strict=True):
            assert int(str(value)) == wanted, (term, value, wanted, said)
        self.met.cells += len(told)


def told(terms: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[tuple[Any, int]]:
    """The terms of the cells of which the reference step speaks, with what it says."""
    return [(term, wanted[name]) for name, term in terms.items() if name in wanted]


def kind_of(time: ir.Time, sample: Sample) -> str:
    if isinstance(sample, Request | Tick):
        return type(sample).__name__
    return time.sample(sample.name).kind.value
