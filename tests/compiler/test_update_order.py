"""Orders of updates that mean the same have one definition, and others another."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations, product

import pytest

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import Environment
from govlang.compiler.table_time import definition, updates_by_cell
from govlang.dsl.source import Source
from govlang.verifier.translation.time_definitions import definition_of

SOURCE = """language 1
policy p version "1"
default allow
input { agent : key }
event bad
event good
signal load : number in 0..9
machine m {
  start shut
  shut -> open when bad within 1 min
  shut -> half when good within 1 min
  open -> half after 30 s
  open -> shut after 40 s
  half -> open on bad
  half -> shut on good
  half -> half2 on good
}
rule stopped when m is open deny
"""


def defined(time: ir.Time, cell: ir.Cell) -> int:
    """The definition of a cell, from all updates of a policy."""
    return definition(time, cell, updates_by_cell(time).get(cell.name, []))


def machine(*lines: str) -> tuple[int, int]:
    """The definitions of the state and of the time in it, where the machine's lines come in another order."""
    own = [line for line in SOURCE.splitlines() if "->" in line]
    source = SOURCE
    if lines:
        moved = [next(line for line in own if line.strip().startswith(one)) for one in lines]
        rest = iter([*moved, *(line for line in own if line not in moved)])
        source = "\n".join(next(rest) if "->" in one else one for one in SOURCE.splitlines())
    policy = compile_source(Source("p.gov", source + "\n")).policy
    time = policy.time
    assert time is not None
    state, age = (defined(time, time.cell(name)) for name in ("m", "m.age"))
    return state, age


def test_transitions_that_never_compete_may_be_written_in_any_order() -> None:
    first = ("shut -> open", "shut -> half")
    assert machine(*first, "half -> open", "open -> shut") != machine()
    assert machine(*first, "half -> open", "open -> half") == machine()
    assert machine(*first, "half -> shut", "half -> open", "open -> half") == machine()


@pytest.mark.parametrize(
    "lines",
    [
        ("shut -> half", "shut -> open"),
        ("shut -> open", "shut -> half", "open -> shut", "open -> half"),
        ("shut -> open", "shut -> half", "half -> half2", "half -> shut"),
    ],
)
def test_of_transitions_that_compete_the_order_counts(lines: tuple[str, ...]) -> None:
    assert machine(*lines)[0] != machine()[0]


def test_the_time_in_a_state_starts_whichever_transition_is_taken() -> None:
    """Every transition sets it to 0, so their order says nothing, but the states are numbered as they are named."""
    assert machine("shut -> open", "shut -> half", "half -> half2") == machine(
        "shut -> open", "shut -> half", "open -> half", "half -> half2"
    )


# --- at random -------------------------------------------------------------------------------------

COLUMNS = ("a", "b")
TOP = 2


def policy(updates: list[ir.Update]) -> ir.Policy:
    cell = ir.Cell(ir.cell_field("c", 0, 9), ir.SHARED, 0)
    fields = tuple(ir.Field(name, ir.Kind.NUMBER, 0, TOP) for name in COLUMNS)
    time = ir.Time((cell,), tuple(updates), (), None, 0)
    combine, default = ir.Combine.STRICT, ir.Default.ALLOW
    return ir.Policy("p", "1", 1, combine, default, fields, (), time=time)


def random_update(rng: random.Random) -> ir.Update:
    def test() -> ir.BoolExpr:
        lo = rng.randint(0, TOP)
        return ir.InRanges(rng.choice(COLUMNS), ((lo, rng.randint(lo, TOP)),))

    parts = [test() for _ in range(rng.randint(1, 2))]
    condition = rng.choice((ir.conjunction, ir.disjunction))(parts)
    return ir.Update(rng.choice((1, 1, 2)), "c", condition, ir.IntConst(rng.randint(0, 2)))


def moves(one: ir.Policy) -> list[tuple[int | None, ...]]:
    """What every row does to the cell, stage by stage."""
    assert one.time is not None
    found = []
    for row in product(range(TOP + 1), repeat=len(COLUMNS)):
        env = Environment(one, {}, dict(zip(COLUMNS, row, strict=True)))
        taken = [
            [u.value for u in one.time.updates if u.stage == stage and env.holds(u.condition)]
            for stage in (1, 2)
        ]
        found.append(tuple(env.evaluate(v[0]) if v else None for v in taken))
    return found


def numbers(one: ir.Policy) -> tuple[int, int]:
    assert one.time is not None
    cell = one.time.cells[0]
    return defined(one.time, cell), definition_of(one.time, cell)


@pytest.mark.parametrize("seed", range(60))
def test_orders_of_one_definition_move_a_cell_alike_and_both_readings_agree(seed: int) -> None:
    rng = random.Random(seed)
    updates = [random_update(rng) for _ in range(4)]
    by_number: dict[int, list[tuple[int | None, ...]]] = {}
    for order in permutations(updates):
        one = policy(list(order))
        emitted, documented = numbers(one)
        assert emitted == documented
        known = by_number.setdefault(emitted, moves(one))
        assert known == moves(one)


@pytest.mark.parametrize("seed", range(60))
def test_two_neighbours_that_never_both_apply_may_change_places(seed: int) -> None:
    rng = random.Random(seed)
    updates = [random_update(rng) for _ in range(5)]
    place = rng.randrange(4)
    apart = [ir.InRanges("a", ((0, 0),)), ir.InRanges("a", ((1, TOP),))]
    for i, test in enumerate(apart):
        one = updates[place + i]
        updates[place + i] = replace(one, condition=ir.conjunction([one.condition, test]))
    other = [*updates]
    other[place : place + 2] = other[place : place + 2][::-1]
    assert numbers(policy(updates)) == numbers(policy(other))


def test_many_updates_are_put_in_order_at_once() -> None:
    many = [
        ir.Update(1, "c", ir.InRanges("a", ((i % 3, i % 3),)), ir.IntConst(i % 7))
        for i in range(400)
    ]
    assert len(set(numbers(policy(many)))) == 1
