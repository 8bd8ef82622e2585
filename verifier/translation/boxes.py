"""Conditions as unions of boxes, and whether one union covers another.

In: trees.  Out: boxes: for each column, member or atom that is restricted, what it may be.  An atom
that is no statement about one column counts as a truth value of its own, so `covered` may say no
where the solver would say yes, but never the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from govlang.verifier.translation.tree import Domain, Spans, Tree, meet, minus

Box = dict[Tree, Spans]

BOXES_MAX: Final = 256
_PIECES_MAX: Final = 4096
_NO: Final[Spans] = ((0, 0),)
_YES: Final[Spans] = ((1, 1),)
_BOTH: Final[Spans] = ((0, 1),)


class TooManyBoxesError(Exception):
    """A union of boxes is too large to be compared box by box."""


def boxes_of(tree: Tree, domain: Domain) -> list[Box]:
    """The boxes whose union is a condition.

    Raises:
        TooManyBoxesError: there would be too many.
    """
    domain.deadline.raise_if_over()
    match tree[0]:
        case "true":
            return [{}]
        case "false":
            return []
        case "or":
            found = [box for part in tree[1:] for box in boxes_of(part, domain)]
        case "and":
            found = [{}]
            for part in tree[1:]:
                own = boxes_of(part, domain)
                met = (meet_boxes(a, b) for a in found for b in own)
                found = [box for box in met if box is not None]
                if len(found) > BOXES_MAX:
                    break
        case "in":
            return [{("in", tree[1]): tree[2]}]
        case "not":
            return [{tree[1]: _NO}]
        case _:
            return [{tree: _YES}]
    if len(found) > BOXES_MAX:
        raise TooManyBoxesError
    return found


def meet_boxes(a: Box, b: Box) -> Box | None:
    """The box of what is in both; None if nothing is."""
    if len(a) < len(b):
        a, b = b, a
    found = dict(a)
    for key, spans in b.items():
        known = found.get(key)
        both = spans if known is None else meet(known, spans)
        if not both:
            return None
        found[key] = both
    return found


def covered(box: Box, others: Sequence[Box], domain: Domain, pieces_max: int = _PIECES_MAX) -> bool:
    """Whether every point of a box lies in one of the others.

    Raises:
        TooManyBoxesError: the box falls into too many pieces.
    """
    pending = [box]
    for other in others:
        domain.deadline.raise_if_over()
        pieces: list[Box] = []
        for piece in pending:
            pieces += _outside(piece, other, domain)
        pending = pieces
        if not pending:
            return True
        if len(pending) > pieces_max:
            raise TooManyBoxesError
    return not pending


def _outside(box: Box, other: Box, domain: Domain) -> list[Box]:
    """The pieces of a box that lie outside another."""
    pieces: list[Box] = []
    inside = dict(box)
    for key, spans in other.items():
        own = inside.get(key) or everything(key, domain)
        if own == spans:
            continue
        common = meet(own, spans)
        if not common:
            return [box]
        rest = minus(own, spans)
        if rest:
            pieces.append({**inside, key: rest})
        inside[key] = common
    return pieces


def everything(key: Tree, domain: Domain) -> Spans:
    """What a key of a box can be where nothing restricts it."""
    if key[0] != "in":
        return _BOTH
    spans = domain.spans[key[1]]
    assert spans is not None
    return spans


def same_union(a: Sequence[Box], b: Sequence[Box], domain: Domain) -> bool:
    """Whether two unions of boxes hold the same points, as far as boxes can tell."""
    a, b = short_first(a), short_first(b)
    try:
        return _all_covered(a, b, domain) and _all_covered(b, a, domain)
    except TooManyBoxesError:
        return False


def short_first(boxes: Sequence[Box]) -> list[Box]:
    """The same boxes, short restrictions first: what lies apart is then seen soon."""
    return [dict(sorted(box.items(), key=lambda item: len(item[1]))) for box in boxes]


def _all_covered(boxes: Sequence[Box], others: Sequence[Box], domain: Domain) -> bool:
    known = {frozenset(box.items()) for box in others}
    return all(frozenset(box.items()) in known or covered(box, others, domain) for box in boxes)
