"""The way by which a machine comes to a place: what must hold for it to be taken.

In: conditions, one at a time, as control splits.  Out: paths: a box over the columns and tests beside
it, all of which hold.  What always holds: a path is exact; conditions are narrowed only by what the
path implies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from govlang.verifier.translation.boxes import Box, boxes_of, meet_boxes
from govlang.verifier.translation.spans import Span
from govlang.verifier.translation.tree import FALSE, TRUE, Domain, Spans, Tree, meet

Key = tuple[frozenset[tuple[int, Spans]], frozenset[Tree]]


class Path:
    """A box (what each column must be) and tests; all of it holds where the path is taken."""

    __slots__ = ("_key", "_simple", "box", "tests")

    def __init__(self, box: Mapping[int, Spans], tests: Mapping[Tree, None]) -> None:
        self.box = box
        self.tests = tests
        self._key: Key | None = None
        self._simple: dict[Tree, Tree] = {}

    @property
    def key(self) -> Key:
        """The same for paths that say the same in the same words."""
        if self._key is None:
            self._key = frozenset(self.box.items()), frozenset(self.tests)
        return self._key

    @property
    def is_free(self) -> bool:
        """Whether nothing must hold."""
        return not self.box and not self.tests

    def narrowed(self, condition: Tree, domain: Domain) -> Path | None:
        """The path on which a condition holds too; None if there is none."""
        box, tests = dict(self.box), dict(self.tests)
        for part in condition[1:] if condition[0] == "and" else (condition,):
            if part == FALSE or domain.neg(part) in tests:
                return None
            if part[0] == "in":
                known = box.get(part[1])
                both = part[2] if known is None else meet(known, part[2])
                if not both:
                    return None
                box[part[1]] = both
            elif part != TRUE:
                tests[part] = None
        return Path(box, tests)

    def simplified(self, condition: Tree, domain: Domain) -> Tree:
        """A condition that is the same wherever the path is taken."""
        if self.is_free:
            return condition
        match condition[0]:
            case "in":
                known = self.box.get(condition[1])
                if known is None:
                    return condition
                both = meet(known, condition[2])
                return FALSE if not both else TRUE if both == known else condition
            case "and" | "or":
                found = self._simple.get(condition)
                if found is None:
                    found = self._simple[condition] = self._all_simplified(condition, domain)
                return found
            case _:
                return self._tested(condition, domain)

    def _all_simplified(self, condition: Tree, domain: Domain) -> Tree:
        parts = [self.simplified(part, domain) for part in condition[1:]]
        if all(a is b for a, b in zip(parts, condition[1:], strict=True)):
            return self._tested(condition, domain)
        return domain.conj(parts) if condition[0] == "and" else domain.disj(parts)

    def _tested(self, condition: Tree, domain: Domain) -> Tree:
        if condition in self.tests:
            return TRUE
        return FALSE if domain.neg(condition) in self.tests else condition

    def near(self, tree: Tree, span: Span) -> Span:
        """The least and largest value of a column, or of its distance from a constant, on this path."""
        if tree[0] == "load" and tree[1] in self.box:
            spans = self.box[tree[1]]
            return spans[0][0], spans[-1][1]
        if tree[0] in ("+", "-") and tree[2][0] == "const":
            by = tree[2][1] if tree[0] == "+" else -tree[2][1]
            lo, hi = self.near(tree[1], (span[0] - by, span[1] - by))
            return lo + by, hi + by
        return span

    def beyond(self, base: Path) -> Path:
        """What must hold for this path where the other one is known to be taken."""
        if base.is_free:
            return self
        box = {c: s for c, s in self.box.items() if base.box.get(c) != s}
        return Path(box, {t: None for t in self.tests if t not in base.tests})

    def implies(self, other: Path) -> bool:
        """Whether the other path is taken wherever this one is, as far as their words tell."""
        if other.is_free:
            return True
        boxes = (
            self.box.get(c) is not None and meet(self.box[c], s) == self.box[c]
            for c, s in other.box.items()
        )
        return all(test in self.tests for test in other.tests) and all(boxes)

    def excludes(self, other: Path, domain: Domain) -> bool:
        """Whether the other path is never taken where this one is, as far as their words tell."""
        domain.deadline.raise_if_over()
        boxes = (s for c, s in self.box.items() if c in other.box and not meet(s, other.box[c]))
        if next(boxes, None) is not None:
            return True
        return any(self.simplified(test, domain) == FALSE for test in other.tests)

    def within(self, tree: Tree, domain: Domain) -> Tree:
        """What a condition says where this path is taken."""
        path = self.narrowed(self.simplified(tree, domain), domain)
        return FALSE if path is None else path.beyond(self).tree(domain)

    def tree(self, domain: Domain) -> Tree:
        """The condition that the path is taken."""
        parts = [domain.inside(column, spans) for column, spans in self.box.items()]
        return domain.conj([*parts, *self.tests])

    def boxes(self, domain: Domain) -> Iterator[Box]:
        """Boxes whose union is the path.

        Raises:
            TooManyBoxesError: there would be too many.
        """
        own: Box = {("in", column): spans for column, spans in self.box.items()}
        if not self.tests:
            yield own
            return
        for box in boxes_of(domain.conj(list(self.tests)), domain):
            both = meet_boxes(own, box)
            if both is not None:
                yield both


FREE: Final = Path({}, {})
"""The path on which nothing need hold."""
