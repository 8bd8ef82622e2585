"""What each operator keeps: every cell is told, with all who read it, and none that a machine or a signal owns."""

from __future__ import annotations

from random import Random

from time_policies import write_remembering

from govlang.compiler.checked import Checked
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

HEAD = """language 1
policy p version "1"
default allow
input {
  agent : key
  risk  : number in 0..100
}
event e { size : number in 0..10 }
event f after dispatched
shared event storm
signal v : number in 0..30
"""


def compiled(body: str) -> Checked:
    return compile_source(Source("p.gov", HEAD + body))


def told(body: str) -> dict[tuple[str, str], int]:
    return {(one.text, one.scope): one.bytes for one in compiled(body).uses}


def test_an_operator_keeps_what_the_manual_says() -> None:
    found = told(
        "rule a when e within 10 s or count(e) in 1 s >= 3 deny\n"
        "rule b when (risk > 3) for 1 d and storm within 1 s deny\n"
        "rule c when sum(e.size) in 1 min by 20 s > 3 deny\n"
        "rule d when f within 1 s and has v and v > 3 and m is b deny\n"
        "machine m { start a\n a -> b on e\n b -> a after 1 min }\n"
    )
    assert found == {
        ("machine m", "agent"): 1 + 2,
        ("signal v", "agent"): 1 + 1,
        ("e within 10 s", "agent"): 2,
        ("count(e) in 1 s >= 3", "agent"): 3 * 2,
        ("risk > 3 for 1 d", "agent"): 4 + 1,
        ("storm within 1 s", ""): 2,
        ("sum(e.size) in 1 min by 20 s", "agent"): 4 * 8 + 4 + 1,
        ("f within 1 s", "agent"): 2,
        ("dispatched without a result", "agent"): 4,
    }


def test_a_window_that_reads_a_shared_age_says_so() -> None:
    uses = compiled("rule a when e within 10 s deny\nrule b when e within 1 d deny\n").uses
    assert [(one.text, [cell.name for cell in one.cells]) for one in uses if "e w" in one.text] == [
        ("e within 10 s", ["e.age"]),
        ("e within 1 d", ["e.age"]),
    ]


def test_every_cell_that_takes_bytes_is_told() -> None:
    for seed in range(150):
        written = write_remembering(Random(f"uses {seed}"))
        checked = compile_source(Source("p.gov", written.text))
        assert checked.policy.time is not None
        named = {cell.name for one in checked.uses for cell in one.cells}
        assert named == {cell.name for cell in checked.policy.time.cells if cell.bytes}
        assert all(one.bytes > 0 for one in checked.uses)
        assert all(cell.scope == one.scope for one in checked.uses for cell in one.cells)
