"""From a solver's model to a request.

In: a model of `Encoder.validity`.  Out: a point with real texts, or a lemma that says why no texts
fit the model's classes and equalities.

What always holds: the lemma is true of every real request and false of the model it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Value
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.letters import is_valid
from govlang.verifier.texts import Choices


@dataclass(frozen=True, slots=True)
class Unrealisable:
    """No texts have the classes and equalities of a model."""

    lemma: Term


@dataclass(frozen=True, slots=True)
class Unsearched:
    """No texts were found, and not all were looked at: patterns split over several automata.

    `other` is false of the model; requests that it rules out may exist.
    """

    other: Term


Failure = Unrealisable | Unsearched


def realise(encoder: Encoder, model: Any, *, search: bool = True) -> Point | Failure:
    """The request and parameters of a model; without `search` of texts at hand only."""
    columns = encoder.columns
    values = dict(_plain_values(encoder, model))
    texts = _texts(encoder, model, search=search)
    if isinstance(texts, Unrealisable | Unsearched):
        return texts
    for name, text in texts.items():
        if _present(encoder, model, name):
            values[name] = text.decode()
    params = {name: _integer(encoder, model, number) for name, number in columns.param.items()}
    return Point(values, params)


def _integer(encoder: Encoder, model: Any, number: int) -> int:
    variable = encoder.variables[number]
    value = model.eval(variable)
    if z3.is_int_value(value):
        return int(value.as_long())
    return _simplest(encoder.columns.domain(number))


def _simplest(domain: ir.Ranges) -> int:
    """Zero where it is allowed, else the lowest value."""
    return 0 if any(lo <= 0 <= hi for lo, hi in domain) else domain[0][0]


def _holds(encoder: Encoder, model: Any, number: int) -> bool:
    return bool(z3.is_true(model.eval(encoder.variables[number], model_completion=True)))


def _present(encoder: Encoder, model: Any, name: str) -> bool:
    has = encoder.columns.has.get(name)
    return has is None or _holds(encoder, model, has)


def _plain_values(encoder: Encoder, model: Any) -> Iterator[tuple[str, Value]]:
    columns = encoder.columns
    for field in columns.policy.fields:
        if field.is_text or not _present(encoder, model, field.name):
            continue
        if field.kind is ir.Kind.SET:
            bits = enumerate(columns.members[field.name])
            yield field.name, sum(1 << i for i, n in bits if _holds(encoder, model, n))
        else:
            yield field.name, _integer(encoder, model, columns.value[field.name])


# --- texts -----------------------------------------------------------------------------------------


def _texts(encoder: Encoder, model: Any, *, search: bool) -> dict[str, bytes] | Failure:
    found: dict[str, bytes] = {}
    for group in _groups(encoder.columns):
        own = _group_texts(encoder, model, group, search=search)
        if isinstance(own, Unrealisable | Unsearched):
            return own
        found.update(own)
    return found


def _groups(columns: Columns) -> Iterator[tuple[str, ...]]:
    """Text fields that are compared with one another, directly or not."""
    seen: set[str] = set()
    for name in columns.classes:
        if name not in seen:
            partners = {n for pair in columns.equal if name in pair for n in pair} | {name}
            seen |= partners
            yield tuple(sorted(partners))


def _group_texts(
    encoder: Encoder, model: Any, group: Sequence[str], *, search: bool
) -> dict[str, bytes] | Failure:
    blocks = list(_blocks(encoder, model, group))
    choices = [_choices(encoder, model, block, search=search) for block in blocks]
    for block, own in zip(blocks, choices, strict=True):
        if not own.texts and own.enough:
            return Unrealisable(_lemma(encoder, model, block, group))
    chosen = _distinct([own.texts for own in choices])
    if chosen is None:
        if all(own.enough for own in choices):
            return Unrealisable(_lemma(encoder, model, group, group))
        return Unsearched(_other(encoder, model, group, group))
    return {name: t for block, t in zip(blocks, chosen, strict=True) for name in block}


def _blocks(encoder: Encoder, model: Any, group: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The fields of a group that hold the same text, together."""
    left = list(group)
    while left:
        first, *others = left
        same = [n for n in others if _holds(encoder, model, encoder.columns.equal[first, n])]
        yield (first, *same)
        left = [n for n in others if n not in same]


def _choices(encoder: Encoder, model: Any, block: Sequence[str], *, search: bool) -> Choices:
    """Texts that all fields of a block can hold."""
    columns = encoder.columns
    wanted = {name: _classes(encoder, model, name) for name in block}
    present = [name for name in block if _present(encoder, model, name)]
    if len(present) < len(block):
        every = [Choices((b"",), enough=True)]
    else:
        every = [columns.texts.choices(n, wanted[n], search=search) for n in block]
    fitting = tuple(
        t
        for t in dict.fromkeys(t for own in every for t in own.texts)
        if all(columns.texts.fits(n, t, wanted[n]) for n in block)
        and all(is_valid(columns.fields[n], t) for n in present)
    )
    return Choices(fitting, enough=all(own.enough for own in every))


def _classes(encoder: Encoder, model: Any, name: str) -> tuple[int | None, ...]:
    """The class in each column; any where the model does not say."""
    found: list[int | None] = []
    for number in encoder.columns.classes[name]:
        value = model.eval(encoder.variables[number])
        found.append(int(value.as_long()) if z3.is_int_value(value) else None)
    return tuple(found)


def _distinct(choices: Sequence[tuple[bytes, ...]]) -> tuple[bytes, ...] | None:
    """A different text for each block."""
    if not choices:
        return ()
    order = sorted(range(len(choices)), key=lambda i: len(choices[i]))
    chosen: dict[int, bytes] = {}

    def assign(place: int) -> bool:
        if place == len(order):
            return True
        for text in choices[order[place]]:
            if text not in chosen.values():
                chosen[order[place]] = text
                if assign(place + 1):
                    return True
                del chosen[order[place]]
        return False

    return tuple(chosen[i] for i in range(len(choices))) if assign(0) else None


def _lemma(encoder: Encoder, model: Any, names: Sequence[str], group: Sequence[str]) -> Term:
    """What no real request has: these classes, equalities and presences together."""
    single = _column_lemma(encoder, model, names)
    return _other(encoder, model, names, group) if single is None else single


def _other(encoder: Encoder, model: Any, names: Sequence[str], group: Sequence[str]) -> Term:
    """Not these classes, equalities and presences together."""
    columns, variables = encoder.columns, encoder.variables
    facts: list[Term] = []
    for name in names:
        for number, one in zip(columns.classes[name], _classes(encoder, model, name), strict=True):
            facts += [] if one is None else [variables[number] == one]
        if name in columns.has:
            has = variables[columns.has[name]]
            facts.append(has if _present(encoder, model, name) else z3.Not(has))
    for pair, number in columns.equal.items():
        if set(pair) <= set(names) and set(pair) <= set(group):
            same = variables[number]
            facts.append(same if _holds(encoder, model, number) else z3.Not(same))
    return z3.Not(z3.And(facts))


def _column_lemma(encoder: Encoder, model: Any, names: Sequence[str]) -> Term | None:
    """In a split field, what the class in each column says of the others."""
    found = [lemma for name in names for lemma in _column_lemmas(encoder, model, name)]
    return z3.And(found) if found else None


def _column_lemmas(encoder: Encoder, model: Any, name: str) -> Iterator[Term]:
    columns, variables = encoder.columns, encoder.variables
    numbers = columns.classes[name]
    wanted = _classes(encoder, model, name)
    if len(numbers) < 2 or not _present(encoder, model, name):
        return
    absent = [z3.Not(variables[columns.has[name]])] if name in columns.has else []
    for index, one in enumerate(wanted):
        known = None if one is None else columns.texts.companions(name, index, one)
        if known is not None and wanted not in known:
            here = [
                z3.And([variables[n] == c for n, c in zip(numbers, row, strict=True)])
                for row in sorted(known)
            ]
            yield z3.Or(variables[numbers[index]] != one, *absent, *here)
