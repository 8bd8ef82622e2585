"""Which of many unions of boxes may have to do with a box, without looking at each.

In: for each union its boxes.  Out: bit masks of unions, bit n for the n-th.  A union is seen through its
hull: for each key that all of its boxes restrict, the least and the largest value that one of them allows.
What always holds: a union that shares something with a box, or covers it, is in the mask that is asked
for; of those that are in it, some do not.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import or_

from govlang.verifier.translation.boxes import Box, everything
from govlang.verifier.translation.spans import Span
from govlang.verifier.translation.tree import Domain, Tree


@dataclass(frozen=True, slots=True)
class _Key:
    """The unions by what they allow for one key.

    `below[i]`: those whose least value is among the i first of `lows`; `above[i]`: those whose largest
    value is not among the i first of `highs`; `free`: those of which some box does not restrict the key.
    """

    lows: tuple[int, ...]
    below: tuple[int, ...]
    highs: tuple[int, ...]
    above: tuple[int, ...]
    free: int

    def among(self, lo: int, hi: int) -> int:
        """The unions whose least value is at most `lo`, and the largest at least `hi`."""
        own = self.below[bisect_right(self.lows, lo)] & self.above[bisect_left(self.highs, hi)]
        return own | self.free


class Hulls:
    """The unions by their hulls; one without boxes is in no mask."""

    def __init__(self, unions: Sequence[Sequence[Box]], domain: Domain) -> None:
        self.domain = domain
        self.every = sum(1 << number for number, boxes in enumerate(unions) if boxes)
        hulls: dict[Tree, dict[int, Span]] = {}
        for number, boxes in enumerate(unions):
            for key, span in _hull(boxes).items():
                hulls.setdefault(key, {})[number] = span
        self.keys = {key: _key(own, self.every) for key, own in hulls.items()}

    def sharing(self, box: Box) -> int:
        """The unions that may share something with a box."""
        found = self.every
        for key, spans in box.items():
            if key in self.keys:
                found &= self.keys[key].among(spans[-1][1], spans[0][0])
        return found

    def covering(self, box: Box) -> int:
        """The unions that may cover a box."""
        found = self.every
        for key, known in self.keys.items():
            spans = box.get(key)
            if spans is None:
                spans = everything(key, self.domain)
            found &= known.among(spans[0][0], spans[-1][1])
            if not found:
                break
        return found


def members(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, the least one first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _hull(boxes: Sequence[Box]) -> dict[Tree, Span]:
    """For each key that all boxes restrict, the least and the largest value."""
    if not boxes:
        return {}
    keys = [key for key in boxes[0] if all(key in box for box in boxes)]
    return {
        key: (min(box[key][0][0] for box in boxes), max(box[key][-1][1] for box in boxes))
        for key in keys
    }


def _key(own: dict[int, Span], every: int) -> _Key:
    lows, below = _counted([(lo, number) for number, (lo, _) in own.items()])
    turned, above = _counted([(-hi, number) for number, (_, hi) in own.items()])
    bound = below[-1]
    highs = tuple(-value for value in reversed(turned))
    return _Key(lows, below, highs, tuple(reversed(above)), every & ~bound)


def _counted(pairs: list[tuple[int, int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The values in their order, each once, and for each count of them a mask of the numbers so far."""
    own: dict[int, int] = {}
    for value, number in sorted(pairs):
        own[value] = own.get(value, 0) | 1 << number
    return tuple(own), tuple(accumulate(own.values(), or_, initial=0))
