"""Loading a table: what does not add up is refused, and says why."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
import tables
from ir_strategies import random_policy
from small_memory import small

from govlang.compiler import ir
from govlang.native import layout
from govlang.native.errors import TableError
from govlang.native.layout import RECORDS, CellFlag, ColumnKind, Section, assemble, section_bytes
from govlang.native.table import Table
from govlang.native.words import (
    Lookup,
    Node,
    block_word,
    hash_slot,
    lookup_word,
    node_word,
    pair_words,
)

POLICY = random_policy(random.Random(11))
DATA = tables.table_bytes(POLICY)


def why_not(data: bytes) -> str:
    with pytest.raises(TableError) as caught:
        Table(data)
    assert caught.value.code == "GOV410"
    return caught.value.message


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """The same table with other bytes and the checksum they should have."""
    return layout.checked(data[:at] + new + data[at + len(new) :])


def place(section: Section, name: str, index: int = 0) -> int:
    """Where a value of a record stands in the file."""
    first, _ = layout.SPAN.unpack_from(DATA, layout.HEADER.size + layout.SPAN.size * section)
    record = RECORDS[section]
    return int(first) * layout.WORD + index * record.size + record.offsets()[name]


def test_a_whole_table_is_taken() -> None:
    table = Table(DATA)
    assert table.schema.name == POLICY.name
    assert table.schema.version == POLICY.version
    assert table.schema.snapshot == tables.SNAPSHOT
    assert [one.name for one in table.schema.inputs] == [one.name for one in POLICY.fields]
    assert table.steps >= 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "shorter than a header"),
        (DATA[:100], "shorter than a header"),
        (b"X" + DATA[1:], "no compiled table"),
        (changed(DATA, 8, struct.pack("<H", 2)), "another major version"),
        (DATA + b"\0" * 8, "another size"),
        (DATA[:-8], "another size"),
        (DATA[:-1] + bytes([DATA[-1] ^ 1]), "checksum"),
        (changed(DATA, 24, struct.pack("<I", 26)), "begins in the wrong place"),
        (changed(DATA, 24 + 8 * 21 + 4, struct.pack("<I", 2**31)), "ends outside the file"),
        (changed(DATA, 28, struct.pack("<I", 0)), "wrong place"),
    ],
)
def test_a_header_that_does_not_add_up_is_refused(data: bytes, why: str) -> None:
    assert why in why_not(data)


@pytest.mark.parametrize(
    ("section", "name", "form", "value", "why"),
    [
        (Section.POLICY, "combine", "B", 4, "no such combine"),
        (Section.POLICY, "fallback", "B", 3, "no such combine or default"),
        (Section.POLICY, "name", "I", 10**6, "no name"),
        (Section.POLICY, "inputs", "I", 2**32 - 1, "another number of fields"),
        (Section.POLICY, "request_columns", "I", 2**32 - 1, "another number of columns"),
        (Section.COLUMNS, "kind", "B", 9, "does not fit its field"),
        (Section.COLUMNS, "source", "I", 2**31, "does not fit its field"),
        (Section.FIELDS, "kind", "B", 77, ""),
        (Section.FIELDS, "step_den", "q", 0, "has no step"),
        (Section.FIELDS, "flags", "B", 255, "no such kind"),
        (Section.FIELDS, "first_member", "I", 2**31, "members are missing"),
        (Section.STRINGS, "length", "I", 2**31, "a string"),
        (Section.RULES, "effect", "B", 5, "a rule does not add up"),
        (Section.RULES, "id", "I", 2**32 - 1, "a rule does not add up"),
        (Section.RULES, "overrides", "I", 2**31, "a rule does not add up"),
        (Section.ENTRIES, "rule", "I", 2**31, "an entry does not add up"),
        (Section.NODES, "word", "Q", 0, "a node does not add up"),
        (Section.NODES, "word", "Q", 5, "a node does not add up"),
    ],
)
def test_a_value_that_does_not_add_up_is_refused(
    section: Section, name: str, form: str, value: int, why: str
) -> None:
    assert why in why_not(changed(DATA, place(section, name), struct.pack("<" + form, value)))


def test_a_string_that_is_not_utf8_is_refused() -> None:
    assert "UTF-8" in why_not(changed(DATA, place(Section.BYTES, "byte"), b"\xff"))


def test_the_checksum_is_the_one_of_zlib() -> None:
    (stored,) = struct.unpack_from("<I", DATA, 12)
    assert stored == zlib.crc32(DATA[16:])


def chain(words: list[int], entries: int) -> bytes:
    """A table of two rules over one number whose nodes are `words`."""
    rules = tuple(
        ir.Rule(f"r{i}", ir.InRanges("x", ((i, i),)), ir.Effect.DENY) for i in range(entries)
    )
    data = tables.table_bytes(tables.policy_of(ir.Field("x", ir.Kind.NUMBER, 0, 100), rules=rules))
    sections = {one: layout.section_bytes(data, one) for one in Section}
    sections[Section.NODES] = struct.pack(f"<{len(words)}Q", *words)
    return layout.assemble(sections)


def block(entries: list[int], following: int = 0, masks: tuple[int, ...] = ()) -> list[int]:
    """A block; the masks are those of `x` being 0, 1 and so on."""
    lookup = [lookup_word(Lookup.DENSE, 0, len(masks)), 0, *masks] if masks else []
    head = block_word(len(entries), bool(masks), 0, following)
    return [head, 0, 0, 0, *pair_words(entries), *lookup]


def switch(children: list[int], rest: int = 0) -> list[int]:
    head = node_word(Node.SWITCH, 0, rest)
    return [head, len(children), 0, *pair_words(children)]


def test_every_kind_of_node_is_walked() -> None:
    bits = 2
    at = {2: 2 + 2 * 4}
    slots = [[0, 0] for _ in range(4)]
    slots[hash_slot(1, bits)] = [1, at[2]]
    hashed = [node_word(Node.HASH, 0, at[2] + 5, bits), 1]
    hashed += [word for slot in slots for word in slot]
    tail = block([1])
    split = [node_word(Node.SPLIT, 0, 0), 1, 1, 0]
    split[3] = pair_words([at[2] + 5 + len(split), 0])[0]
    table = Table(chain([*hashed, *tail, *split, *block([0])], 2))
    by_value = [table.decide([x]) for x in (0, 1, 2)]
    assert [(one.effect, one.rule) for one in by_value] == [(4, 0), (4, 1), (0, 0xFFFFFFFF)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (switch([0, 0]), ""),
        ([*switch([4, 0]), *block([0])], None),
        ([*switch([3, 0]), *block([0])], "later node"),
        ([*switch([4, 0], rest=2), *block([0])], "later node"),
        ([*block([0], following=5), *block([1], following=5)], "later node"),
        (block([0, 0]), "a node does not add up"),
        (block([1, 0]), "a node does not add up"),
        (block([2]), "a node does not add up"),
        (block([0], masks=(1, 2)), "a node does not add up"),
        ([block_word(1, 1, 0, 0), 0, 0, 0, 0], "a node does not add up"),
        ([block_word(1, 0, 1, 0), 0, 0, 0, 0, 7 << 32], "a node does not add up"),
        ([node_word(Node.SPLIT, 0, 0), 2, 5, 5, 0, 0], "a node does not add up"),
        ([node_word(Node.SWITCH, 9, 0), 1, 0, 0], "a node does not add up"),
    ],
)
def test_nodes_that_do_not_add_up_are_refused(words: list[int], why: str | None) -> None:
    if why is None or why == "":
        Table(chain(words, 2))
    else:
        assert why in why_not(chain(words, 2))


def test_nodes_that_share_without_end_are_refused() -> None:
    """Each switch goes to the next one twice: 2**40 visits."""
    words: list[int] = []
    for i in range(40):
        following = 4 * (i + 1)
        words += switch([following], rest=following)
    assert why_not(chain([*words, *block([0])], 2)) in {
        "the compiled table cannot be used: a decision could take too many steps",
        "the compiled table cannot be used: the nodes are too deep",
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_word_is_refused_or_does_no_harm(seed: int) -> None:
    """Every change is refused, or the table still decides within its bounds."""
    rng = random.Random(seed)
    data = tables.table_bytes(random_policy(rng))
    for _ in range(300):
        at = rng.randrange(layout.HEADER_SIZE, len(data))
        try:
            table = Table(changed(data, at, bytes([rng.randrange(256)])))
        except TableError:
            continue
        words = [rng.randrange(-(2**63), 2**63) for _ in range(table.columns)]
        assert 0 <= table.decide(words).effect <= 4
        table.collect(table.empty_words())


def test_parameters_out_of_range_are_refused() -> None:
    param = ir.Param(ir.Field("cap", ir.Kind.NUMBER, 1, 5), 1)
    table = Table(tables.table_bytes(tables.policy_of(params=(param,))))
    with pytest.raises(TableError, match="GOV411"):
        table.bind([6])
    with pytest.raises(TableError, match="GOV411"):
        table.bind([])
    table.bind([5])


def test_words_must_be_as_many_as_columns() -> None:
    table = Table(DATA)
    with pytest.raises(ValueError, match="words"):
        table.decide([0] * (table.columns + 1))
    with pytest.raises(ValueError, match="words"):
        table.collect(b"\0" * 4)
    with pytest.raises(IndexError):
        table.run(10**6, table.empty_words())
    with pytest.raises(IndexError):
        table.classify(10**6, b"")


def test_a_cell_that_grows_to_less_than_its_least_value_is_refused() -> None:
    sections = {one: section_bytes(tables.table_bytes(small()), one) for one in Section}
    cells = rows_of(sections, Section.CELLS)
    columns = rows_of(sections, Section.COLUMNS)
    number = next(n for n, cell in enumerate(cells) if CellFlag.GROWS & cell["flags"])
    column = next(c for c in columns if c["kind"] == ColumnKind.CELL and c["source"] == number)
    column["lo"] = cells[number]["initial"] = column["hi"]
    assert Table(packed(sections, columns, cells)) is not None
    cells[number]["cap"] -= 1
    with pytest.raises(TableError, match="a cell grows out of its range"):
        Table(packed(sections, columns, cells))


def rows_of(sections: dict[Section, bytes], section: Section) -> list[dict[str, int]]:
    record, raw = RECORDS[section], sections[section]
    return [dict(record.unpack(raw, at)) for at in range(0, len(raw), record.size)]


def packed(
    sections: dict[Section, bytes], columns: list[dict[str, int]], cells: list[dict[str, int]]
) -> bytes:
    changed = {Section.COLUMNS: columns, Section.CELLS: cells}
    written = {
        one: b"".join(RECORDS[one].pack(**row) for row in rows) for one, rows in changed.items()
    }
    return assemble(sections | written)
