"""Loading a table: names that a host or a reader asks for are one thing each, or the table is refused."""

from __future__ import annotations

import struct
from time import process_time

import pytest
import tables
from ir_strategies import approved_field

from govlang.compiler import ir
from govlang.native import layout
from govlang.native.errors import TableError
from govlang.native.layout import NONE, RECORDS, Section
from govlang.native.table import Table


def number(name: str) -> ir.Field:
    return ir.Field(name, ir.Kind.NUMBER, 0, 9)


POLICY = tables.policy_of(
    number("x"),
    ir.Field("color", ir.Kind.ENUM, 0, 2, members=("red", "green", "blue")),
    ir.Field("labels", ir.Kind.SET, 0, 7, members=("a", "b", "c")),
    approved_field(("boss", "owner")),
    outputs=(number("pace"), number("depth")),
    params=(ir.Param(number("cap"), 1), ir.Param(number("floor"), 1)),
    actions=(
        ir.Action("ring", (number("first"), number("second"))),
        ir.Action("wait", (number("first"),)),
    ),
    rules=(
        ir.Rule("r0", ir.InRanges("x", ((0, 3),)), ir.Effect.DENY),
        ir.Rule("r1", ir.InRanges("x", ((4, 5),)), ir.Effect.REQUIRE_HUMAN, roles=("boss",)),
    ),
)
"""The inputs are fields 0 to 3, the outputs 4 and 5, the parameters 6 and 7, the arguments 8 to 10."""

DATA = tables.table_bytes(POLICY)


def value(section: Section, name: str, index: int) -> int:
    return int(RECORDS[section].unpack(parts()[section], index * RECORDS[section].size)[name])


def parts() -> dict[Section, bytes]:
    return {one: layout.section_bytes(DATA, one) for one in Section}


def with_value(section: Section, name: str, index: int, new: int, form: str = "I") -> bytes:
    """The table with another value in one record."""
    sections, record = parts(), RECORDS[section]
    at = index * record.size + record.offsets()[name]
    old = sections[section]
    packed = struct.pack("<" + form, new)
    sections[section] = old[:at] + packed + old[at + len(packed) :]
    return layout.assemble(sections)


def why_not(data: bytes) -> str:
    with pytest.raises(TableError) as caught:
        Table(data)
    assert caught.value.code == "GOV410"
    return caught.value.message


def test_arguments_of_two_actions_may_have_one_name() -> None:
    Table(DATA)


@pytest.mark.parametrize(
    ("section", "name", "one", "other", "why"),
    [
        pytest.param(Section.FIELDS, "name", 1, 0, "two fields", id="inputs"),
        pytest.param(Section.FIELDS, "name", 5, 4, "two fields", id="outputs"),
        pytest.param(Section.FIELDS, "name", 4, 0, "two fields", id="targets"),
        pytest.param(Section.FIELDS, "name", 7, 6, "two fields", id="parameters"),
        pytest.param(Section.FIELDS, "name", 6, 5, "two fields", id="output and parameter"),
        pytest.param(Section.FIELDS, "name", 9, 8, "two arguments of an action", id="arguments"),
        pytest.param(Section.MEMBERS, "string", 2, 0, "two members of a field", id="enumeration"),
        pytest.param(Section.MEMBERS, "string", 5, 4, "two members of a field", id="set"),
        pytest.param(Section.MEMBERS, "string", 7, 6, "two members of a field", id="roles"),
        pytest.param(Section.ACTIONS, "name", 1, 0, "two actions", id="actions"),
        pytest.param(Section.RULES, "id", 1, 0, "two rules", id="rules"),
    ],
)
def test_two_of_one_name_are_refused(
    section: Section, name: str, one: int, other: int, why: str
) -> None:
    changed = with_value(section, name, one, value(section, name, other))
    assert f"{why} have one name" in why_not(changed)


@pytest.mark.parametrize("strings", [2, 3, 5, 64, 1000])
def test_a_string_that_is_stored_twice_is_refused(strings: int) -> None:
    """Two names would be the same under different numbers, wherever the two stand."""
    sections = parts()
    spans = [
        RECORDS[Section.STRINGS].unpack(sections[Section.STRINGS], at)
        for at in range(0, len(sections[Section.STRINGS]), 8)
    ]
    end = len(sections[Section.BYTES])
    texts = [f"more {i}".encode() for i in range(strings)]

    def table(more: list[bytes]) -> bytes:
        at, found = end, list(spans)
        for text in more:
            found.append({"offset": at, "length": len(text)})
            at += len(text)
        packed = b"".join(RECORDS[Section.STRINGS].pack(**span) for span in found)
        body = sections[Section.BYTES] + b"".join(more)
        return layout.assemble(sections | {Section.STRINGS: packed, Section.BYTES: body})

    Table(table(texts))
    assert "a string is stored twice" in why_not(table([*texts, texts[0]]))
    assert "a string is stored twice" in why_not(table([*texts, texts[-1]]))
    assert "a string is stored twice" in why_not(table([*texts[1:], b"boss", texts[0]]))


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (2, "the approved roles are not the field `approved`"),
        (0, "the approved roles are no set"),
    ],
)
def test_the_approved_roles_are_those_of_the_field_of_that_name(column: int, why: str) -> None:
    assert why in why_not(with_value(Section.POLICY, "approved", 0, column))


def test_the_approved_roles_are_named_wherever_the_field_is() -> None:
    data = tables.table_bytes(tables.policy_of(approved_field(("boss",))))
    sections = {one: layout.section_bytes(data, one) for one in Section}
    policy = RECORDS[Section.POLICY].unpack(sections[Section.POLICY])
    sections[Section.POLICY] = RECORDS[Section.POLICY].pack(**{**policy, "approved": NONE})
    assert "the approved roles are not the field `approved`" in why_not(layout.assemble(sections))


def test_the_field_approved_is_a_set_from_the_runtime() -> None:
    why = "the field `approved` is no set from runtime"
    name = value(Section.FIELDS, "name", 3)
    assert why in why_not(with_value(Section.FIELDS, "origin", 3, 0, "B"))
    sections = parts()
    fields = bytearray(sections[Section.FIELDS])
    record = RECORDS[Section.FIELDS]
    place = record.offsets()["name"]
    struct.pack_into("<I", fields, place, name)
    struct.pack_into("<I", fields, 3 * record.size + place, value(Section.FIELDS, "name", 0))
    assert why in why_not(layout.assemble(sections | {Section.FIELDS: bytes(fields)}))


def test_names_are_checked_quickly_however_many_there_are() -> None:
    """65 536 members and 10 000 rules: the check sorts, it does not compare each with each."""
    members = tuple(f"m{i}" for i in range(65_536))
    rules = tuple(
        ir.Rule(f"r{i}", ir.InRanges("m", ((i, i),)), ir.Effect.DENY) for i in range(10_000)
    )
    field = ir.Field("m", ir.Kind.ENUM, 0, len(members) - 1, members=members)
    data = tables.table_bytes(tables.policy_of(field, rules=rules))
    start = process_time()
    Table(data)
    assert process_time() - start < 2
