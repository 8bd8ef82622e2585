"""What a sample can change about decisions: a policy's core in; the scopes of the cells through which it can, out.

The core (compiler/core.py) says in updates what each kind of sample does to each cell.  A sample matters if it changes
a cell on which it depends whether a request is denied, in another way than the very next request does by itself: that a
machine takes a step that is due is no news, as whoever asks takes it, too.

What always holds: a sample that is said to change nothing changes no decision to deny or from it, of any request that
comes behind it at the same time; and none of a request that shares no key with it in the scopes that are given.
Whatever is not understood matters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from govlang.native.layout import CLOSE, FIRST_KIND, REQUEST

Node = Mapping[str, Any]

SAMPLE: Final = "$sample"
MOVE: Final = 20
TAKE: Final = 0
_SETTLING: Final = frozenset({"strict", "most_restrictive"})
"""Where every rule counts: a rule that limits or throttles neither denies nor keeps another from it."""
_PERMITS_OR_DENIES: Final = frozenset({0, 3, 4})
"""The effects allow, require human, deny."""


class Influence:
    """What the samples of one policy can change."""

    def __init__(self, core: bytes) -> None:
        policy = json.loads(core)["policy"]
        time = policy["time"] or {"cells": [], "updates": [], "samples": []}
        cells = time["cells"]
        self._scopes: dict[str, str] = {one["field"]["name"]: one["scope"] for one in cells}
        self._initial = {one["field"]["name"]: one["initial"] for one in cells if one["brief"]}
        self._kinds = {one["name"]: n for n, one in enumerate(time["samples"], FIRST_KIND)}
        self._read = set(_asked(policy))
        self._updates = self._of_cells(
            [one for one in time["updates"] if one["stage"] < CLOSE], self._read
        )
        self._found: dict[str, frozenset[str]] = {}

    def _of_cells(self, updates: list[Any], read: set[str]) -> list[_Update]:
        """The updates of all cells on which it depends, however indirectly, whether a request is denied."""
        kept: list[_Update] = []
        known: set[str] = set()
        open_ = set(read)
        while open_:
            known |= open_
            more = [_Update(one) for one in updates if one["cell"] in open_]
            kept += more
            open_ = {name for one in more for name in one.reads} - known
        self._depends = known
        return kept

    @cached_property
    def of_time(self) -> frozenset[str]:
        """The scopes through which the passing of time can: `""` is what all share."""
        return frozenset(self._scopes[name] for name in self._depends if name in self._scopes)

    def of(self, name: str) -> frozenset[str]:
        """The scopes through which an event or a signal can; none: it changes nothing."""
        if name not in self._found:
            kind = self._kinds.get(name)
            whole = kind is None or any(
                one[:1] == "$" and one[1:] in _CLOCK for one in self._depends
            )
            self._found[name] = self._everything() if whole else self._reached(kind or 0)
        return self._found[name]

    def _everything(self) -> frozenset[str]:
        return self.of_time | {""}

    def _reached(self, kind: int) -> frozenset[str]:
        """The scopes of the cells that a kind of sample changes, and of those that follow them in the same sample."""
        moment = _Moment(kind, self._updates, self._initial)
        changed = {one.cell for one in self._updates if moment.changes(one, self._read)}
        while True:
            more = {
                one.cell
                for one in self._updates
                if one.cell not in changed and one.reads & changed and moment.can(one)
            }
            if not more:
                return frozenset(self._scopes[name] for name in changed)
            changed |= more


_CLOCK: Final = frozenset({"gap", "clock_fault"})
"""What a sample says of time: any sample changes it for the next."""


def _asked(policy: Node) -> Iterator[str]:
    """The names that are read when it is decided whether a request is denied."""
    rules = policy["rules"]
    every = policy["combine"] not in _SETTLING or any(one["overrides"] for one in rules)
    for one in rules:
        if every or one["effect"] in _PERMITS_OR_DENIES or one["limits"]:
            yield from _names(one["condition"])
            yield from _names(one["limits"])  # limits that do not meet deny
    for one in policy["assumptions"]:
        yield from _names(one["condition"])


def _names(node: Any) -> Iterator[str]:
    """The fields, cells and columns that an expression reads."""
    if isinstance(node, list):
        for one in node:
            yield from _names(one)
    elif isinstance(node, dict):
        if node.get("is") == "TextEqual":
            yield from (node["left"], node["right"])
        elif node.get("is") not in ("ParamValue", "DecisionIn") and "name" in node:
            yield node["name"]
        for one in node.values():
            yield from _names(one)


class _Update:
    """An update of the core, with what it reads."""

    def __init__(self, node: Node) -> None:
        self.cell: str = node["cell"]
        self.stage: int = node["stage"]
        self.condition: Any = node["condition"]
        self.value: Any = node["value"]
        self.reads: Final = frozenset(_names([self.condition, self.value]))

    @property
    def constant(self) -> int | None:
        """What the cell is set to, where that is always the same."""
        return int(self.value["value"]) if self.value["is"] == "IntConst" else None


class _Moment:
    """A kind of sample, and the request that comes right behind it."""

    def __init__(self, kind: int, updates: list[_Update], brief: Mapping[str, int]) -> None:
        self._kind = kind
        self._updates = updates
        self._brief = brief
        self._own: set[str] = {one.cell for one in updates if not self._is_alike(one)}
        """Cells that this kind of sample changes otherwise than a request does."""

    def _is_alike(self, one: _Update) -> bool:
        """Whether the sample does with a cell what the request does."""
        here = _simplified(one.condition, {SAMPLE: self._kind})
        there = _simplified(one.condition, {SAMPLE: REQUEST})
        return bool(here == there) and (here is False or not _of_sample(one.value))

    def can(self, one: _Update) -> bool:
        """Whether an update may happen at the sample."""
        return _simplified(one.condition, {SAMPLE: self._kind}) is not False

    def changes(self, one: _Update, asked: set[str]) -> bool:
        """Whether an update may leave another state for the request than there would be without the sample."""
        if not self.can(one) or (one.stage < TAKE and self._is_alike(one)):
            return False  # before the first stage panes are turned, which nothing turns twice
        return not (
            self._is_alike(one)
            and one.constant is not None
            and not any(name in self._own for name in one.reads)
            and not (one.cell in self._brief and one.cell in asked)
            and self._is_settled(one)
        )

    def _is_settled(self, one: _Update) -> bool:
        """Whether the request finds nothing more to do, where the sample has done this."""
        joint = [other for other in self._updates if other.stage == one.stage]
        done = {
            other.cell: other.constant
            for other in joint
            if other.condition == one.condition and other.constant is not None
        }
        behind = {
            SAMPLE: REQUEST,
            **{name: v for name, v in done.items() if name not in self._brief},
        }
        for other in joint:
            told = other.cell in done or (one.stage >= MOVE and bool(other.reads & done.keys()))
            if not told or _simplified(other.condition, behind) is False:
                continue
            if other.cell not in done or other.constant != done[other.cell]:
                return False
        return True


def _of_sample(value: Any) -> bool:
    return any(name.startswith("$") for name in _names(value))


def _simplified(node: Any, known: Mapping[str, int | None]) -> Any:
    """A condition with what is known put in: True, False, or what is left of it."""
    match node["is"]:
        case "BoolConst":
            return node["value"]
        case "DecisionIn":
            return False  # nothing is decided before the outcome
        case "InRanges" if (value := known.get(node["name"])) is not None:
            return any(int(lo) <= value <= int(hi) for lo, hi in node["ranges"])
        case "Not":
            inner = _simplified(node["operand"], known)
            return not inner if isinstance(inner, bool) else {"is": "Not", "operand": inner}
        case "And" | "Or" as word:
            parts = [_simplified(one, known) for one in node["operands"]]
            return _joined(word, parts)
        case _:
            return node


def _joined(word: str, parts: list[Any]) -> Any:
    ends, drops = word == "Or", word == "And"
    if any(one is ends for one in parts):
        return ends
    left = [one for one in parts if one is not drops]
    if not left:
        return drops
    return left[0] if len(left) == 1 else {"is": word, "operands": left}
