"""A record is a frozen dataclass with slots to everyone who asks."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, field, fields, is_dataclass, replace
from typing import ClassVar

import pytest

from govlang.dsl import ast
from govlang.dsl.record import record
from govlang.dsl.source import Source, Span


@record
class Point:
    """Two numbers and where they stand."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 0
    place: str = field(default="", compare=False, repr=False)

    @property
    def sum(self) -> int:
        return self.x + self.y


@record
class Nothing:
    """A record without fields."""


@record
class Other:
    """As `Point`, but none."""

    x: int
    y: int = 0


@record
class Positive:
    """A number above 0."""

    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError(f"{self.number} is not positive")


@record
class Many:
    """A list of its own."""

    things: list[int] = field(default_factory=list)


def test_what_is_not_compared_takes_no_part_in_equality_and_hash() -> None:
    assert Point(1, 2, "here") == Point(1, 2, "there")
    assert hash(Point(1, 2, "here")) == hash(Point(1, 2, "there"))
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != Other(1, 2)
    assert Point(1, 2) != (1, 2)
    assert len({Point(1), Point(1, 0, "there"), Point(2), Other(1)}) == 3
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())


def test_it_shows_what_it_says() -> None:
    assert repr(Point(1, 2, "here")) == "Point(x=1, y=2)"
    assert repr(Nothing()) == "Nothing()"
    assert (Point(1, 2).sum, Point.kind) == (3, "point")


def test_it_never_changes() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot change field 'x'"):
        point.x = 2  # type: ignore[misc]  # what is refused
    with pytest.raises(FrozenInstanceError):
        del point.x  # type: ignore[misc]  # what is refused
    with pytest.raises(FrozenInstanceError):
        point.z = 2  # type: ignore[attr-defined]  # what is refused
    assert not hasattr(point, "__dict__")


def test_it_is_a_dataclass_to_those_who_ask() -> None:
    assert is_dataclass(Point)
    assert [one.name for one in fields(Point)] == ["x", "y", "place"]
    changed = replace(Point(1, 2, "here"), y=3)
    assert (changed, changed.place) == (Point(1, 3), "here")
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_it_takes_what_a_dataclass_takes() -> None:
    assert Point(y=2, x=1) == Point(1, 2)
    for given, named in (((), {}), ((1, 2, "", 4), {}), ((1,), {"z": 2}), ((1,), {"x": 1})):
        with pytest.raises(TypeError):
            Point(*given, **named)


def test_it_can_check_itself() -> None:
    assert Positive(1).number == 1
    with pytest.raises(ValueError, match="0 is not positive"):
        Positive(0)
    with pytest.raises(ValueError, match="0 is not positive"):
        replace(Positive(1), number=0)


def test_a_default_that_is_made_is_made_for_each() -> None:
    first, second = Many(), Many()
    assert first == second == Many(things=[])
    assert first.things is not second.things


def test_it_can_be_pickled_with_what_is_not_compared() -> None:
    point = pickle.loads(pickle.dumps(Point(1, 2, "here")))  # noqa: S301  # our own bytes
    assert (point, point.place) == (Point(1, 2), "here")


def test_nodes_of_the_tree_are_equal_wherever_they_stand() -> None:
    source = Source("p.gov", "a a")
    assert ast.Name("a", Span(source, 0, 1)) == ast.Name("a", Span(source, 2, 3))
