"""`gov explain --core`: what the sugar stands for, as a policy that decides the same."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from time_histories import Told, history
from time_policies import write_remembering

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.imports import gather
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import State, Tick, step
from govlang.compiler.written_out import written_out
from govlang.dsl import ast
from govlang.dsl.parser import parse
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source
from govlang.native.request import InvalidFieldError

LIFE = re.compile(r"(?<!enters )\b(\w+)\.(issued|done|revoked|reinstated)\b")
SUGAR = ast.ContractDecl | ast.AutonomyDecl | ast.Invariant | ast.Table
DOCS = Path(__file__).resolve().parents[2] / "docs" / "language.md"
BLOCKS = [
    text
    for text in re.findall(r"```gov\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    if 'from "' not in text and "import" not in text
]


def core_of(text: str) -> str:
    return written_out(gather(Source("p.gov", text), None))


def declared(core: str) -> str:
    """The core with the events in the life of contracts under names that can be declared."""
    found = dict.fromkeys(f"{name}_{moment}" for name, moment in LIFE.findall(core))
    events = "".join(f"event {name}\n" for name in found)
    return LIFE.sub(r"\1_\2", core) + events


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: re.findall(r"policy (\w+)", text)[0])
def test_no_sugar_is_left_and_the_text_is_in_the_one_layout(text: str) -> None:
    core = core_of(text)
    tree = parse(Source("core.gov", core))
    members = (
        member
        for one in tree.declarations
        for member in (one.members if isinstance(one, ast.TierBlock) else (one,))
    )
    assert not any(isinstance(one, SUGAR) for one in members)
    assert print_policy(tree) == core


def test_what_one_declaration_stands_for_has_no_blank_lines_of_its_own() -> None:
    core = core_of(
        """language 1
policy p version "1"
default deny
input { agent : key
  action : one of read, write }

contract c for agent on action {
  may   read
  stop  after 1 h
}
"""
    )
    machine = core.partition("machine c {\n")[2].partition("}")[0]
    assert machine.count("->") > 3
    assert "\n\n" not in machine


class Side:
    """One of two policies with its state."""

    def __init__(self, text: str) -> None:
        self.policy = compile_source(Source("p.gov", text)).policy
        self.state = State()

    def take(self, told: Told, name: str | None) -> Any:
        """The outcome of a request; of a report nothing, or what was wrong with it."""
        if told.request is not None:
            approves = any(one.name == ir.APPROVED for one in self.policy.fields)
            runtime = {k: v for k, v in told.runtime.items() if k != "approved" or approves}
            sample: Any = read_sample(self.policy, told.request, runtime, told.at_ms)
        elif name is None:
            sample = Tick(told.at_ms, told.key)
        else:
            try:
                sample = read_report(self.policy, name, told.key, told.values, told.at_ms)
            except InvalidFieldError:
                return "unknown"
        self.state, outcome = step(self.policy, {"most": 2}, self.state, sample)
        if outcome is None:
            return None
        unique = self.policy.combine is ir.Combine.UNIQUE  # where a guard decides alone
        by = None if unique else outcome.rule_id
        return outcome.decision, by, outcome.matched, outcome.obligations


def agree(seed: str) -> int:
    """Run a random policy and its core side by side; how much sugar it had."""
    rng = Random(seed)
    written = write_remembering(rng)
    core = declared(core_of(written.text))
    one, other = Side(written.text), Side(core)
    for told in history(rng, written, 60):
        name = None if told.name is None else LIFE.sub(r"\1_\2", told.name)
        assert one.take(told, told.name) == other.take(told, name), (seed, told)
        for machine in ("job", "autonomy"):
            assert states(one, machine) == states(other, machine), (seed, told)
    return ("contract" in written.text) + ("autonomy" in written.text)


def states(side: Side, machine: str) -> list[tuple[Any, int | None]]:
    return [(at, one.cells.get(machine)) for at, one in sorted(side.state.instances.items())]


def test_the_core_decides_as_the_policy_does() -> None:
    assert sum(agree(f"core {n}") for n in range(120)) >= 30


@pytest.mark.long
def test_the_core_decides_as_the_policy_does_at_length() -> None:
    assert sum(agree(f"core at length {n}") for n in range(600)) >= 200


GUARDED = """language 1
policy p version "1"
tiers guards
default deny
input {
  agent : key
  what  : one of read, write
  file  : path optional
  ok    : bool from runtime
}
event bad
tier guards { rule r when what is read allow }
invariant careful: what is write implies ok
contract job for agent on what {
  may    read
  scope  has file and file under "src/"
  needs  ok
  stop   after 5 min, or 3 calls, or on job.done
  revoke on bad
}
autonomy for agent on what {
  low  may read
  high may write when count(job.done) in 1 h >= 2 and ok
  drop to low on bad
}
"""


def test_guards_stand_in_a_tier_of_their_own_name() -> None:
    core = core_of(GUARDED)
    assert "tiers guards1, guards\n" in core
    assert compile_source(Source("core.gov", declared(core))).policy.tiers == ("guards1", "guards")


def test_a_contract_is_a_machine_guards_and_proofs() -> None:
    core = " ".join(core_of(GUARDED).split())
    for part in (
        "// contract job; the host reports job.issued, job.done, job.revoked, job.reinstated",
        "active -> stopped after 5 min when not (bad or job.revoked)",
        "active -> stopped on job.done",
        "when count(allowed) since enters job.active >= 3 and not (bad or job.revoked)",
        'rule "job.outside" when not what in {read} deny because',
        'prove "job.revokes": bad or job.revoked implies job is revoked',
        "low -> high when count(job.done) in 1 h >= 2 and ok and not bad",
        'prove "autonomy.drops_to_low": bad implies autonomy in {low}',
        "rule careful when not (what is write implies ok) deny because",
    ):
        assert part in core, part


def test_what_sugar_promises_is_among_the_properties() -> None:
    policy = compile_source(Source("p.gov", GUARDED)).policy
    assert [one.name for one in policy.properties] == [
        "job.denies", "job.revokes", "autonomy.drops_to_low",
    ]  # fmt: skip


def test_a_drop_to_the_highest_level_promises_nothing() -> None:
    body = GUARDED.replace("drop to low on bad", "drop to high on bad")
    names = [one.name for one in compile_source(Source("p.gov", body)).policy.properties]
    assert names == ["job.denies", "job.revokes"]
