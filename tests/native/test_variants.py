"""A `require human` rule has entries for before and after its roles approved: what decides where a table mixes them.

No policy means such a table; the loader cannot tell, so both roads of the engine must say the same.
"""

from __future__ import annotations

import struct

import pytest
import tables
from ir_strategies import approved_field

from govlang.compiler import ir
from govlang.native import layout
from govlang.native.errors import TableError
from govlang.native.layout import RECORDS, Effect, Section
from govlang.native.table import Table
from govlang.native.words import block_word, pair_words

ASKING, APPROVED = 0, 1
"""The two entries, as `combine` ranks them: the stricter one first."""


def sections_of(combine: ir.Combine) -> dict[Section, bytes]:
    rule = ir.Rule(
        "r", ir.InRanges("x", ((0, 0),)), ir.Effect.REQUIRE_HUMAN, roles=("boss", "owner")
    )
    policy = tables.policy_of(
        ir.Field("x", ir.Kind.NUMBER, 0, 9),
        approved_field(("boss", "owner")),
        rules=(rule,),
        combine=combine,
        default=ir.Default.DENY,
    )
    data = tables.table_bytes(policy)
    return {one: layout.section_bytes(data, one) for one in Section}


def entry(effect: Effect) -> bytes:
    return RECORDS[Section.ENTRIES].pack(rule=0, effect=effect)


def always(combine: ir.Combine, entries: tuple[int, ...]) -> Table:
    """A table in which these entries fire for every request."""
    sections = sections_of(combine)
    assert sections[Section.ENTRIES] == entry(Effect.REQUIRE_HUMAN) + entry(Effect.ALLOW)
    head = block_word(len(entries), 0, 0, 0)
    permits = (1 << len(entries)) - 1
    words = [head, permits, 0, 0, *pair_words(list(entries))]
    sections[Section.NODES] = struct.pack(f"<{len(words)}Q", *words)
    return Table(layout.assemble(sections))


@pytest.mark.parametrize("combine", list(ir.Combine))
@pytest.mark.parametrize("approved", range(4))
@pytest.mark.parametrize(
    ("entries", "effect"),
    [
        ((ASKING,), Effect.REQUIRE_HUMAN),
        ((APPROVED,), Effect.ALLOW),
        ((ASKING, APPROVED), Effect.REQUIRE_HUMAN),
    ],
)
def test_the_strictest_fired_entry_decides_on_both_roads(
    combine: ir.Combine, approved: int, entries: tuple[int, ...], effect: Effect
) -> None:
    table = always(combine, entries)
    short, long = table.decide([0, approved]), table.collect([0, approved]).decision
    assert (short.effect, short.rule) == (effect, 0)
    assert (long.effect, long.rule) == (effect, 0)


@pytest.mark.parametrize("combine", list(ir.Combine))
def test_entries_of_a_rule_stand_strictest_first(combine: ir.Combine) -> None:
    sections = sections_of(combine)
    sections[Section.ENTRIES] = entry(Effect.ALLOW) + entry(Effect.REQUIRE_HUMAN)
    with pytest.raises(TableError, match="the entries are not sorted"):
        Table(layout.assemble(sections))
