"""The format in Python is the format in C."""

from __future__ import annotations

from enum import IntEnum

import pytest

from govlang.native import layout, words
from govlang.native._table import ffi, lib
from govlang.native.layout import RECORDS, Record, Section

STRUCTS = {
    Section.POLICY: "gov_policy",
    Section.COLUMNS: "gov_column",
    Section.FIELDS: "gov_field",
    Section.PARAMS: "gov_param",
    Section.ACTIONS: "gov_action",
    Section.STRINGS: "gov_string",
    Section.CLASSIFIERS: "gov_classifier",
    Section.ASSUMPTIONS: "gov_assumption",
    Section.PROGRAMS: "gov_program",
    Section.RULES: "gov_rule",
    Section.LIMITS: "gov_limit",
    Section.DOS: "gov_do",
    Section.ARGS: "gov_arg",
    Section.REMEDIES: "gov_remedy",
    Section.ENTRIES: "gov_entry",
    Section.MEMORY: "gov_memory",
    Section.SCOPES: "gov_scope",
    Section.CELLS: "gov_cell",
    Section.SAMPLES: "gov_sample_type",
    Section.UPDATES: "gov_update",
}
NUMBERS = {
    Section.BYTES: 1,
    Section.MEMBERS: 4,
    Section.STATES: 2,
    Section.CODE: 8,
    Section.OVERRIDES: 4,
    Section.ORDER: 4,
    Section.NODES: 8,
    Section.POINTS: 8,
}
ENUMS: dict[str, type[IntEnum]] = {
    "GOV_": Section,
    "GOV_COLUMN_": layout.ColumnKind,
    "GOV_OP_": words.Op,
    "GOV_ARG_": layout.ArgKind,
    "GOV_SAYS_": layout.Says,
}
NAMED = {
    "GOV_": (layout.Effect, layout.FieldKind, layout.Rounding, words.Node, words.Lookup),
    "GOV_FROM_": (layout.Origin,),
    "GOV_DEFAULT_": (layout.Fallback,),
}


def test_the_sections_are_the_same() -> None:
    assert len(Section) == lib.GOV_SECTIONS
    assert {**STRUCTS, **NUMBERS}.keys() == set(Section)


@pytest.mark.parametrize(("section", "struct"), STRUCTS.items())
def test_a_record_has_the_size_and_the_places_of_its_struct(section: Section, struct: str) -> None:
    record: Record = RECORDS[section]
    assert record.size == ffi.sizeof(struct)
    assert record.size % 8 == 0
    places = dict(record.offsets())
    fields = {name: part.offset for name, part in ffi.typeof(struct).fields}
    reserved = {name for name in fields if name.startswith("reserved")}
    assert places == {name: at for name, at in fields.items() if name not in reserved}


@pytest.mark.parametrize(("section", "size"), NUMBERS.items())
def test_a_plain_section_has_numbers_of_its_size(section: Section, size: int) -> None:
    assert RECORDS[section].size == size


def test_the_header_has_the_size_of_its_struct() -> None:
    assert lib.GOV_PLAIN_SECTIONS == layout.PLAIN_SECTIONS
    plain = ffi.sizeof("gov_header") - ffi.sizeof("gov_span") * (
        len(Section) - layout.PLAIN_SECTIONS
    )
    assert plain == layout.HEADER_SIZE
    assert ffi.offsetof("gov_header", "sections") == layout.HEADER.size
    assert ffi.offsetof("gov_header", "size") == layout.CHECKED_FROM


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [*ENUMS.items(), *((prefix, one) for prefix, kinds in NAMED.items() for one in kinds)],
)
def test_an_enumeration_has_the_numbers_of_the_header(prefix: str, kind: type[IntEnum]) -> None:
    for member in kind:
        assert getattr(lib, prefix + member.name) == member.value, member


SINGLE = (
    "VERSION_MAJOR", "VERSION_MINOR", "NONE", "COLUMNS_MAX", "BLOCK_MAX",
    "DEPTH_MAX", "STACK_MAX", "STEPS_MAX", "HASH_BITS_MAX", "PROBES_MAX",
    "DFA_STATES_MAX", "LIMITS_MAX", "TEXT_MAX", "TIME_MAX", "STATE_HEAD",
    "STAGE_MIN", "CLOSE", "REQUEST", "TICK", "FIRST_KIND",
)  # fmt: skip
KINDS = (
    layout.Combine, layout.Flag, layout.RuleKind, layout.MemoryFlag, layout.CellFlag, layout.SampleFlag,
)  # fmt: skip
CONSTANTS = [
    *((f"GOV_{name}", getattr(layout, name)) for name in SINGLE),
    *((f"GOV_{one.name}", one) for kind in KINDS for one in kind),
    ("GOV_OP_LAST", max(words.Op)),
]


@pytest.mark.parametrize(("name", "value"), CONSTANTS)
def test_a_constant_is_the_header_s(name: str, value: int) -> None:
    assert getattr(lib, name) == value


def test_words_are_taken_apart_as_they_are_put_together() -> None:
    assert words.instruction(words.Op.MEMBER, 3, 2) == 14 | 3 << 16 | 2 << 32
    assert words.node_word(words.Node.HASH, 5, 9, bits=4) == 2 | 4 << 8 | 5 << 16 | 9 << 32
    assert words.block_word(64, 3, 2, 77) == 4 | 64 << 8 | 3 << 16 | 2 << 24 | 77 << 32
    assert words.pair_words([1, 2, 3]) == [1 | 2 << 32, 3]
    assert words.signed(2**64 - 1) == -1
    assert layout.padded(17) == 24


def test_a_record_wants_every_name() -> None:
    with pytest.raises(ValueError, match="expected"):
        RECORDS[Section.STRINGS].pack(offset=1)
