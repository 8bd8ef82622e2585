"""Requests found without the solver: corners of boxes, moved away from the boxes of neighbours.

In: a judge and boxes.  Out: requests that lie in a box, tried in an order that people find simple.

What always holds: a request that comes out was judged by the interpreter; none coming out proves
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value
from govlang.compiler.ir import Ranges
from govlang.verifier import ranges
from govlang.verifier.columns import BIT, Point
from govlang.verifier.judge import Judge, Judged
from govlang.verifier.letters import is_valid
from govlang.verifier.shapes import Box, contains, intersection

TRIES_MAX: Final = 24
OTHERS_MAX: Final = 100  # rules that are compared before one is cut away
CLASSES_MAX: Final = 64  # classes of a text that are tried for one box


class Explorer:
    """Finds requests in boxes."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.columns = judge.columns
        self._plain = [f for f in judge.policy.fields if not f.is_text]
        self._texts = [f for f in judge.policy.fields if f.is_text]

    def environments(self, rule: int | None = None) -> Iterator[Environment]:
        """Valid requests that are at hand; those first that say most of a rule."""
        del rule
        yield from ()

    def beside(self, rule: int) -> Iterator[Environment]:
        """Valid requests that differ from such on which a rule fires by one thing, as far as some are at hand."""
        del rule
        yield from ()

    # --- one request in a box ----------------------------------------------------------------------

    def point(self, box: Box) -> Point | None:
        """The simplest request in a box; None if none is at hand."""
        columns = self.columns
        values: dict[str, Value] = {}
        for field in self._plain:
            value = self._value(field, box)
            if value is not None:
                values[field.name] = value
        for field in self._texts:
            if not self._present(field.name, box):
                continue
            text = self._text(field, box, values)
            if text is None:
                return None
            values[field.name] = text
        params = {
            name: nearest(box.get(number, columns.domain(number)), columns.params[name])
            for name, number in columns.param.items()
        }
        return Point(values, params)

    def _present(self, name: str, box: Box) -> bool:
        number = self.columns.has.get(name)
        return number is None or ranges.holds(box.get(number, BIT), 1)

    def _value(self, field: ir.Field, box: Box) -> int | None:
        columns = self.columns
        if not self._present(field.name, box):
            return None
        if field.kind is ir.Kind.SET:
            bits = enumerate(columns.members[field.name])
            return sum(1 << i for i, n in bits if not ranges.holds(box.get(n, BIT), 0))
        number = columns.value[field.name]
        return nearest(box.get(number, columns.domain(number)), 0)

    def _text(self, field: ir.Field, box: Box, values: dict[str, Value]) -> str | None:
        same: list[str] = []
        other: list[str] = []
        for (left, right), number in self.columns.equal.items():
            if field.name in (left, right) and number in box:
                partner = right if field.name == left else left
                if partner in values or not self._present(partner, box):
                    known = str(values.get(partner, ""))
                    (same if box[number] == ((1, 1),) else other).append(known)
        for text in [t.encode() for t in same] or self._texts_in(field, box):
            if self._text_fits(field, text, box) and text.decode() not in other:
                return text.decode()
        return None

    def _text_fits(self, field: ir.Field, text: bytes, box: Box) -> bool:
        numbers = self.columns.classes[field.name]
        found = self.columns.texts.class_of(field.name, text)
        return is_valid(field, text) and all(
            n not in box or ranges.holds(box[n], c) for n, c in zip(numbers, found, strict=True)
        )

    def _texts_in(self, field: ir.Field, box: Box) -> Iterator[bytes]:
        """Texts of the narrowest class column that the box speaks of."""
        texts = self.columns.texts
        numbers = self.columns.classes[field.name]
        asked = [(ranges.size(box[n]), i, box[n]) for i, n in enumerate(numbers) if n in box]
        if not asked:
            yield from texts.plain_texts(field.name)
            return
        _, index, allowed = min(asked)
        own = texts.column(field.name, index)
        classes = (c for lo, hi in allowed for c in range(lo, hi + 1))
        for number, _ in zip(classes, range(CLASSES_MAX), strict=False):
            found = own.of(field, number)
            yield from sorted(found, key=lambda t: t == b"")

    # --- a request for a rule ----------------------------------------------------------------------

    def search(
        self,
        rule: int,
        shows: Callable[[Judged], bool],
        partners: Iterable[int] = (),
        before: Callable[[int], bool] = lambda _: True,
    ) -> Judged | None:
        """A request on which a rule fires and `shows` holds.

        Where it does not hold, another rule that fires there is cut away from the box: of those that
        are likely to stand in the way, the one that leaves least.
        """
        judge = self.judge
        kept = set(partners)
        stack = list(self._starts(rule, kept))[::-1]
        for _ in range(TRIES_MAX):
            if not stack:
                return None
            box = stack.pop()
            point = self.point(box)
            judged = None if point is None else judge.judge(point)
            if judged is None or rule not in judged.fired:
                continue
            if shows(judged):
                return judged
            others = [j for j in judged.fired if j != rule and j not in kept]
            stack.extend(self._less(box, judged, [j for j in others if before(j)] or others))
        return None

    def _less(self, box: Box, judged: Judged, others: Sequence[int]) -> list[Box]:
        """What is left of a box without the rule that leaves least, but something."""
        best: tuple[int, list[Box]] | None = None
        for other in others[:OTHERS_MAX]:
            parts = list(self._apart(box, judged, other))
            left = sum(ranges.size(allowed) for part in parts for allowed in part.values())
            if parts and (best is None or left < best[0]):
                best = left, parts
        return best[1] if best else []

    def _starts(self, rule: int, partners: set[int]) -> Iterator[Box]:
        shapes = self.judge.shapes
        for term in shapes[rule]:
            if not partners:
                yield term.box
            for partner in sorted(partners):
                for own in shapes[partner]:
                    box = intersection(term.box, own.box)
                    if box is not None:
                        yield box

    def _apart(self, box: Box, judged: Judged, other: int) -> Iterator[Box]:
        """Parts of a box outside the term of another rule that the request lies in."""
        for term in self.judge.shapes[other]:
            if not contains(term.box, judged.row):
                continue
            for column, allowed in term.box.items():
                left = ranges.minus(box.get(column, self.columns.domain(column)), allowed)
                if left:
                    yield {**box, column: left}
            return

    def outside(self, rule: int) -> Iterator[Box]:
        """Boxes just outside the first term of a rule."""
        for term in self.judge.shapes[rule][:1]:
            for column, allowed in term.box.items():
                left = ranges.minus(self.columns.domain(column), allowed)
                if left:
                    yield {**term.box, column: left}

    # --- simpler requests --------------------------------------------------------------------------

    def simplified(self, point: Point, shows: Callable[[Point], bool]) -> Point:
        """The same finding with plainer values, where there are any."""
        for field in self.judge.policy.fields:
            for value in self._plainer(field, point.values.get(field.name)):
                values = {n: v for n, v in point.values.items() if n != field.name}
                simpler = Point(
                    values if value is None else values | {field.name: value}, point.params
                )
                if shows(simpler):
                    point = simpler
                    break
        for name, value in self.columns.params.items():
            simpler = Point(point.values, {**point.params, name: value})
            if value != point.params[name] and shows(simpler):
                point = simpler
        return point

    def _plainer(self, field: ir.Field, value: Value | None) -> Iterator[Value | None]:
        if value is None:
            return
        if field.optional:
            yield None
        if field.is_text:
            plain = next(iter(self.columns.texts.plain_texts(field.name)), b"a").decode()
            if plain != value:
                yield plain
            for text in self.columns.texts.short(field.name):
                if len(text) < len(str(value).encode()):
                    yield text.decode()
        elif field.kind is ir.Kind.SET:
            yield 0
            yield from (1 << i for i in range(len(field.members)) if int(value) >> i & 1)
        else:
            for plainer in (nearest(((field.lo, field.hi),), 0), field.lo):
                if plainer != value:
                    yield plainer


def nearest(allowed: Ranges, wanted: int) -> int:
    """The value of a set that is nearest to one wanted, the lower of two."""
    found = allowed[0][0]
    for lo, hi in allowed:
        near = min(max(wanted, lo), hi)
        if abs(near - wanted) < abs(found - wanted):
            found = near
    return found
