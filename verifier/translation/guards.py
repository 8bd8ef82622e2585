"""When a machine does something, in the words of the policy: which rules must have fired.

In: the paths on which an item is gathered.  Out: a condition over *rule atoms* `("rule", r)`, where
those paths together are proved to be the condition of rules of the policy, box by box or by the
solver; else the paths themselves, which is no fault: the solver has the last word.

What always holds: the condition found is the same as the paths, for every valid request; the same
boxes are found as the same rules, from whichever side they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from govlang.verifier.translation.boxes import (
    Box,
    TooManyBoxesError,
    boxes_of,
    covered,
    meet_boxes,
    short_first,
)
from govlang.verifier.translation.hulls import Hulls, members
from govlang.verifier.translation.paths import FREE, Path
from govlang.verifier.translation.reading import Canonical
from govlang.verifier.translation.tree import FALSE, TRUE, Domain, Tree

BoxKey = frozenset[tuple[Tree, tuple[tuple[int, int], ...]]]
Same = Callable[[Tree, Tree], bool]

_TRIES_MAX = 4
"""Rules that the solver is asked about for one condition."""

_PIECES_MAX = 64
"""Pieces that a box may fall into when it is held against others."""

_PRODUCT_MAX = 2_000
"""Pairs of boxes that are compared for one rule; beyond, the solver is asked."""


def key_of(box: Box) -> BoxKey:
    """The same for boxes that say the same."""
    return frozenset(box.items())


@dataclass(slots=True)
class Guards(Canonical):
    """The conditions of a policy's rules, and what is found to be made of them.

    `rules` are their conditions; `raw` columns are variables, of which `approved` may stand beside
    rules; `same` asks the solver whether two conditions are proved the same.
    """

    rules: Sequence[Tree] = ()
    raw: int = 0
    approved: int | None = None
    same: Same = lambda _a, _b: False
    names: dict[Tree, Tree] = field(default_factory=dict)
    atoms: list[Tree] = field(default_factory=list)
    boxes: list[list[Box] | None] = field(default_factory=list)
    hulls: Hulls = field(init=False)
    _owners: dict[BoxKey, list[int]] = field(default_factory=dict)
    _known: dict[Tree, int] = field(default_factory=dict)
    _settled: dict[Tree, bool] = field(default_factory=dict)
    _found: dict[frozenset[object], Tree] = field(default_factory=dict)
    _inside: dict[tuple[int, BoxKey], bool] = field(default_factory=dict)
    _next: int = 0

    def __post_init__(self) -> None:
        known: dict[object, int] = {}
        for number, condition in enumerate(self.rules):
            boxes = self._boxes_of(condition)
            self.boxes.append(boxes)
            for box in boxes or ():
                self._owners.setdefault(key_of(box), []).append(number)
            key = condition if boxes is None else frozenset(map(key_of, boxes))
            twin = known.setdefault(key, number)
            self.atoms.append(condition if condition in (TRUE, FALSE) else ("rule", twin))
            self._known.setdefault(condition, number)
        self.hulls = Hulls([own or () for own in self.boxes], self.words.domain)

    def _boxes_of(self, condition: Tree) -> list[Box] | None:
        try:
            return short_first(boxes_of(condition, self.words.domain))
        except TooManyBoxesError:
            return None

    # --- conditions ------------------------------------------------------------------------------

    def named(self, condition: Tree) -> Tree:
        """The condition, in the words of the policy if they are found."""
        path = FREE.narrowed(condition, self.words.domain)
        return FALSE if path is None else self.condition([path])

    def condition(self, paths: Sequence[Path]) -> Tree:
        """The condition that one of the paths is taken."""
        key = frozenset(path.key for path in paths)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._condition(paths)
        return found

    def is_raw(self, path: Path) -> bool:
        """Whether a path reads variables other than who has approved."""
        columns = any(column < self.raw for column in path.box)
        return columns or not all(map(self._is_settled, path.tests))

    def _condition(self, paths: Sequence[Path]) -> Tree:
        domain = self.words.domain
        groups: dict[Tree, list[Path]] = {}
        for path in paths:
            beside, own = self._parted(path)
            groups.setdefault(beside, []).append(own)
        parts = [
            beside
            if any(own.is_free for own in group)
            else domain.conj([beside, self._made(group)])
            for beside, group in groups.items()
        ]
        found = domain.disj(parts)
        return self.names.get(found, found)

    def _parted(self, path: Path) -> tuple[Tree, Path]:
        """What a path says beside the conditions of rules, and what may be such a condition."""
        domain = self.words.domain
        own = {column: spans for column, spans in path.box.items() if column < self.raw}
        beside = [domain.inside(c, spans) for c, spans in path.box.items() if c >= self.raw]
        tests: dict[Tree, None] = {}
        for test in path.tests:
            if test[0] != "rule" and self._is_settled(test):
                beside.append(test)
            else:
                tests[test] = None
        return domain.conj(beside), Path(own, tests)

    def _is_settled(self, tree: Tree) -> bool:
        """Whether a condition reads no variable but who has approved."""
        found = self._settled.get(tree)
        if found is None:
            match tree[0]:
                case "in" | "load" | "map" | "below":
                    found = tree[1] >= self.raw
                case "bit" | "any":
                    found = tree[1] == self.approved
                case "text" | "same":
                    found = False
                case "word":
                    found = all(self._is_settled(condition) for _, condition in tree[1])
                case "cases":
                    found = all(self._is_settled(condition) for condition, _ in tree[1])
                case _:
                    parts = (p for p in tree[1:] if isinstance(p, tuple) and p)
                    found = all(self._is_settled(part) for part in parts)
            self._settled[tree] = found
        return found

    # --- rules -----------------------------------------------------------------------------------

    def _made(self, paths: Sequence[Path]) -> Tree:
        """Paths that say nothing but what rules may say."""
        if len(paths) == 1:
            return self._one(paths)
        boxes = self._boxes_of_paths(paths)
        found = None if boxes is None else self._covered(boxes)
        if found is not None:
            return self._some(found)
        apart = [self._one([path]) for path in paths]
        rest = [path for path, tree in zip(paths, apart, strict=True) if tree[0] != "rule"]
        done = [tree for tree in apart if tree[0] == "rule"]
        return self.words.domain.disj([*done, *([self._one(rest)] if rest else [])])

    def _one(self, paths: Sequence[Path]) -> Tree:
        """Paths that may be one rule; or what a single path can be made of."""
        domain = self.words.domain
        tree = domain.disj([path.tree(domain) for path in paths])
        known = self._known.get(tree)
        if known is not None:
            self._next = known + 1
            return self.atoms[known]
        if any(test[0] == "rule" for path in paths for test in path.tests):
            return tree
        boxes = self._boxes_of_paths(paths)
        found = None if boxes is None else self._covered(boxes)
        return self._by_solver(tree, boxes) if found is None else self._some(found)

    def _some(self, rules: Sequence[int]) -> Tree:
        self._next = rules[-1] + 1
        return self.words.domain.disj([self.atoms[number] for number in rules])

    def _boxes_of_paths(self, paths: Sequence[Path]) -> list[Box] | None:
        found: list[Box] = []
        try:
            for path in paths:
                found += self._boxes_of_path(path)
        except TooManyBoxesError:
            return None
        return found

    def _boxes_of_path(self, path: Path) -> list[Box]:
        """The boxes of a path; those of a rule stand for its atom."""
        rules = [test for test in path.tests if test[0] == "rule"]
        if not rules:
            return list(path.boxes(self.words.domain))
        rest = Path(path.box, {t: None for t in path.tests if t[0] != "rule"})
        found = list(rest.boxes(self.words.domain))
        for atom in rules:
            own = self.boxes[atom[1]]
            if own is None:
                raise TooManyBoxesError
            found = [box for one in found for box in self._met(one, own)]
        return found

    def _met(self, box: Box, others: Sequence[Box]) -> list[Box]:
        """What a box shares with each of some others."""
        self.words.domain.deadline.raise_if_over()
        met = (meet_boxes(box, other) for other in others)
        return [one for one in met if one is not None]

    def _covered(self, boxes: Sequence[Box]) -> list[int] | None:
        """Rules that hold exactly where one of the boxes does; None if there are no such."""
        pieces = {key_of(box): box for box in short_first(boxes)}
        left = set(pieces)
        alone = self._alone(pieces)
        if alone is not None:
            return [alone]
        found = []
        owners = {number for key in pieces for number in self._owners.get(key, ())}
        for number in sorted(owners, key=lambda n: (-len(self.boxes[n] or ()), n)):
            own = set(map(key_of, self.boxes[number] or ()))
            if own <= pieces.keys() and own & left:
                found.append(number)
                left -= own
        if left:
            found += self._pieced(pieces, left)
        return sorted(found) if found and not left else None

    def _alone(self, pieces: dict[BoxKey, Box]) -> int | None:
        """The one rule that is made of all pieces."""
        if not 1 < len(pieces) <= _PIECES_MAX:
            return None
        one = min(pieces.values(), key=len)
        whole = (made for made in self._around(one, pieces) if len(made[1]) == len(pieces))
        return next((number for number, _ in whole), None)

    def _pieced(self, pieces: dict[BoxKey, Box], left: set[BoxKey]) -> list[int]:
        """Rules that are made of several pieces; what they account for is not left."""
        found = []
        while left:
            made = next(self._around(pieces[min(left, key=len)], pieces), None)
            if made is None:
                break
            found.append(made[0])
            left -= made[1]
        return found

    def _around(self, one: Box, pieces: dict[BoxKey, Box]) -> Iterator[tuple[int, set[BoxKey]]]:
        """The rules that are made of some of the pieces, a given one among them, and of which."""
        for number in self._next_first(self.hulls.covering(one)):
            made = self._of(number, one, pieces)
            if made is not None:
                yield number, made

    def _of(self, number: int, one: Box, pieces: dict[BoxKey, Box]) -> set[BoxKey] | None:
        """The pieces inside a rule, one of which is given, if they are all of it."""
        own, domain = self.boxes[number] or [], self.words.domain
        if len(own) * len(pieces) > _PRODUCT_MAX or not self._holds(number, key_of(one), one):
            return None
        inside = {key for key, box in pieces.items() if self._holds(number, key, box)}
        whole = [pieces[key] for key in inside]
        return inside if all(_covers(whole, box, domain) for box in own) else None

    def _holds(self, number: int, key: BoxKey, box: Box) -> bool:
        """Whether a box, given with its key, lies in those of a rule."""
        found = self._inside.get((number, key))
        if found is None:
            found = _covers(self.boxes[number] or (), box, self.words.domain)
            self._inside[number, key] = found
        return found

    def _next_first(self, rules: int) -> list[int]:
        """Rules of a mask, the one that is expected first."""
        return sorted(members(rules), key=lambda number: (number != self._next, number))

    def _sharing(self, boxes: Sequence[Box]) -> list[int]:
        """The rules that share something with one of the boxes, the one that is expected first."""
        found = 0
        for box in boxes:
            for number in members(self.hulls.sharing(box) & ~found):
                if any(meet_boxes(box, other) is not None for other in self.boxes[number] or ()):
                    found |= 1 << number
        return self._next_first(found)

    def _by_solver(self, tree: Tree, boxes: Sequence[Box] | None) -> Tree:
        """The same rule in other words."""
        every: Sequence[int] = range(len(self.rules))
        candidates = every if boxes is None else self._sharing(boxes)
        for number in [self._next, *candidates][:_TRIES_MAX]:
            if number < len(self.rules) and self.same(tree, self.rules[number]):
                self._next = number + 1
                return self.atoms[number]
        return tree


def _covers(others: Sequence[Box], box: Box, domain: Domain) -> bool:
    try:
        return covered(box, others, domain, _PIECES_MAX)
    except TooManyBoxesError:
        return False
