"""Which of many unions of boxes may have to do with a box, without looking at each.

In: for each union its boxes.  Out: bit masks of unions, bit n for the n-th.  A union is seen through its
shadow: for each key that all of its boxes restrict, what one of them allows.
What always holds: a union that shares something with a box, or covers it, is in the mask that is asked
for; of those that are in it, some do not.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import xor

from govlang.verifier.translation.boxes import Box, everything
from govlang.verifier.translation.tree import Domain, Spans, Tree, unite

_Steps = tuple[tuple[int, ...], tuple[int, ...]]
"""Values in their order, and the masks before the first, behind the first, and so on."""


@dataclass(frozen=True, slots=True)
class _Key:
    """The unions by what they allow for one key.

    `begun`: those of which some value lies at or below a place; `ended`: those of which none lies behind
    it; `there`: those that allow it; `free`: those of which some box does not restrict the key.
    """

    begun: _Steps
    ended: _Steps
    there: _Steps
    bound: int
    free: int

    def sharing(self, spans: Spans) -> int:
        """The unions with a value at or above the least one, and one at or below the largest."""
        begun = _up_to(self.begun, spans[-1][1])
        return begun & ~_below(self.ended, spans[0][0]) | self.free

    def covering(self, spans: Spans) -> int:
        """The unions that allow both ends of every span."""
        found = self.bound
        for lo, hi in spans:
            found &= _up_to(self.there, lo) & _up_to(self.there, hi)
        return found | self.free


class Hulls:
    """The unions by their shadows; one without boxes is in no mask."""

    def __init__(self, unions: Sequence[Sequence[Box]], domain: Domain) -> None:
        self.domain = domain
        self.every = sum(1 << number for number, boxes in enumerate(unions) if boxes)
        shadows: dict[Tree, dict[int, Spans]] = {}
        for number, boxes in enumerate(unions):
            for key, spans in _shadow(boxes).items():
                shadows.setdefault(key, {})[number] = spans
        self.keys = {key: _key(own, self.every) for key, own in shadows.items()}

    def sharing(self, box: Box) -> int:
        """The unions that may share something with a box."""
        found = self.every
        for key, spans in box.items():
            if key in self.keys:
                found &= self.keys[key].sharing(spans)
        return found

    def covering(self, box: Box) -> int:
        """The unions that may cover a box."""
        found = self.every
        for key, known in self.keys.items():
            spans = box.get(key)
            found &= known.covering(everything(key, self.domain) if spans is None else spans)
            if not found:
                break
        return found


def members(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, the least one first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _shadow(boxes: Sequence[Box]) -> dict[Tree, Spans]:
    """For each key that all boxes restrict, the values that one of them allows."""
    if not boxes:
        return {}
    keys = [key for key in boxes[0] if all(key in box for box in boxes)]
    return {key: unite((), tuple(one for box in boxes for one in box[key])) for key in keys}


def _key(own: Mapping[int, Spans], every: int) -> _Key:
    bound = sum(1 << number for number in own)
    begun = [(spans[0][0], number) for number, spans in own.items()]
    ended = [(spans[-1][1], number) for number, spans in own.items()]
    turns = [
        turn
        for number, spans in own.items()
        for lo, hi in spans
        for turn in ((lo, number), (hi + 1, number))
    ]
    return _Key(_steps(begun), _steps(ended), _steps(turns), bound, every & ~bound)


def _steps(turns: Iterable[tuple[int, int]]) -> _Steps:
    """Masks of which a bit turns at a value."""
    own: dict[int, int] = {}
    for value, number in sorted(turns):
        own[value] = own.get(value, 0) ^ 1 << number
    return tuple(own), tuple(accumulate(own.values(), xor, initial=0))


def _up_to(steps: _Steps, value: int) -> int:
    """The mask behind all turns at or below a value."""
    return steps[1][bisect_right(steps[0], value)]


def _below(steps: _Steps, value: int) -> int:
    """The mask behind all turns below a value."""
    return steps[1][bisect_left(steps[0], value)]
