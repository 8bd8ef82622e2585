"""A policy over time as a policy over single samples, whose columns hold the cells too.

In: a policy with `time`.  Out: the same rules over a wider row: the fields of a request, the cells as the
rules see them, and what the sample brings.

What always holds: the rules of the flat policy fire on a row exactly when those of the policy fire at a
sample with that request and those cells, by the same interpreter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from govlang.compiler import ir


def flat(policy: ir.Policy) -> ir.Policy:
    """The policy with its cells and the columns of its samples as fields."""
    fields = (*policy.fields, *(_plain(one) for one in policy.columns))
    return replace(policy, fields=fields, time=None)


def with_update_texts(policy: ir.Policy, time: ir.Time) -> ir.Policy:
    """A flat policy that names every pattern and equality of texts that updates ask for."""
    asked = tuple(
        ir.Property(f"$update {i}", atom) for i, atom in enumerate(dict.fromkeys(_texts(time)))
    )
    return replace(policy, properties=(*policy.properties, *asked))


def unsupported(policy: ir.Policy) -> str | None:
    """What of a policy over time cannot be put to the solver, in words; None if all can.

    The front end makes no such policy.
    """
    remembered = {column.name for column in policy.columns}
    for one in policy.assumptions:
        if ir.fields_read(one.condition) & remembered:
            return f"the assumption `{one.text}` reads what was before the request"
    return None


def _plain(column: ir.Field) -> ir.Field:
    return replace(column, origin=ir.Origin.RUNTIME, optional=False)


def _texts(time: ir.Time) -> Iterator[ir.BoolExpr]:
    for update in time.updates:
        for atom in ir.atoms(update.condition):
            if isinstance(atom, ir.TextTest | ir.TextEqual):
                yield atom
