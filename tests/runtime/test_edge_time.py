"""A policy over time as its module decides, in Python: the same as `Policy` says, and the state as bytes."""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any

import pytest
import tables
from edge_time import random_board, random_state
from edge_time_engines import Library, module_of, named
from over_time import POOL

from govlang.compiler.c_time import state_size
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.errors import TableError
from govlang.native.layout import NEVER, UNKNOWN
from govlang.runtime.edge import EdgePolicy
from govlang.runtime.edge_memory import places
from govlang.runtime.policy import Policy

BOARD = POOL.replace("deletion per tool", "deletion")
"""The policy without what a board has no place for."""


def both() -> tuple[EdgePolicy, Policy]:
    policy = compile_source(Source("p.gov", BOARD)).policy
    return EdgePolicy(module_of(named(policy, "pool"))), Policy(tables.table_bytes(policy))


def restore(one: EdgePolicy | Policy, blob: Any, **times: Any) -> None:
    """Restore a state of the key `a`; a table's state names its keys itself."""
    if isinstance(one, EdgePolicy):
        assert one.schema.time is not None
        times["key"] = None if one.schema.time.key is None else "a"
    one.restore(blob, **times)


STEPS = [
    {"event": "restart", "fields": {}},
    {"event": "deletion", "fields": {"tool": "rm"}},
    {"event": "freeze", "fields": {}},
    {"signal": "heat", "value": 150},
    {"signal": "heat", "value": 20},
    {"event": "dispatched", "fields": {}},
    {"event": "failure", "fields": {}},
    {"tick": True},
]


def test_a_module_answers_as_the_table_does() -> None:
    rng = random.Random(7)
    edge, table = both()
    at, met = 0, set[str]()
    for number in range(1_500):
        at += rng.choice((0, 1, 1, 1, 500, 2_000, 11_000, 70_000, -1 if at else 0))
        if rng.random() < 0.88:
            request = {
                "agent": "a",
                "tool": rng.choice(("rm", "ls")),
                "load": rng.choice((1, 1, 1, 101)),
            }
            for ask in ("decide", "commit"):
                found = getattr(edge, ask)(request, now_ms=at)
                wanted = getattr(table, ask)(request, now_ms=at)
                told = (wanted.decision, wanted.rule_id, wanted.reason, tuple(wanted.obligations))
                assert (found.decision, found.rule_id, found.reason, found.obligations) == told
                if ask == "commit":
                    assert found.next_deadline_ms == wanted.next_deadline_ms
            met.add(found.rule_id)
            continue
        step = dict(rng.choice(STEPS if number > 800 else STEPS[:5])) | {"at_ms": at}
        if step.get("event") != "freeze":
            step["key"] = {"agent": "a"}
        answers: list[object] = []
        for one in (edge, table):
            try:
                answers.append(one.observe(step))
            except TableError as error:
                answers.append((error.code, error.message))
        if step.get("event") == "freeze":  # a table tells of the keys that a sample addresses
            assert min(answers, key=_late) == answers[0]
        else:
            assert answers[0] == answers[1], step
    assert met >= {"ok", "frozen", "restarted", "many", "hot", "failing", "clock_fault"}


def _late(deadline: object) -> float:
    return deadline if isinstance(deadline, int) else float("inf")


def test_another_key_has_no_room() -> None:
    edge, _ = both()
    request = {"agent": "a", "tool": "rm", "load": 1}
    assert edge.decide(request, now_ms=0).rule_id == "ok"
    assert edge.commit(request | {"agent": "b"}, now_ms=0).rule_id == "ok"
    assert edge.commit(request, now_ms=0).rule_id == "state_full"
    with pytest.raises(TableError) as caught:
        edge.observe({"event": "restart", "key": "a", "at_ms": 0})
    assert caught.value.code == "GOV418"


@pytest.mark.parametrize(
    "step",
    [
        {"event": "nothing", "key": "a"},
        {"event": "restart"},
        {"event": "freeze", "key": "a"},
        {"signal": "heat", "value": 201, "key": "a"},
        {"signal": "heat", "key": "a"},
        {"event": "deletion", "key": "a", "fields": {}},
        {"event": "restart", "key": "a", "at_ms": 2**53},
        {"event": "restart", "key": {"tool": "a"}},
        {"event": "restart", "key": "x" * 257},
        {"event": "restart", "key": "\ud800"},
        {"tick": True, "key": "x" * 257},
        {},
        [],
        None,
    ],
)
def test_a_step_that_does_not_fit_is_refused(step: Any) -> None:
    edge, table = both()
    before = edge.save(now_ms=0)
    for one in (edge, table):
        with pytest.raises(TableError) as caught:
            one.observe(step)
        assert caught.value.code == "GOV415"
    assert edge.save(now_ms=0) == before


@pytest.mark.parametrize("times", [
    {"downtime_ms": -1}, {"downtime_ms": 1.5}, {"downtime_ms": True}, {"downtime_ms": "1"},
    {"downtime_ms": 2**53}, {"now_ms": 0.5}, {"now_ms": "0"}, {"now_ms": -(2**53)},
])  # fmt: skip
def test_a_state_is_not_taken_with_what_is_no_time(times: dict[str, Any]) -> None:
    edge, table = both()
    for one in (edge, table):
        blob = one.save(now_ms=0)
        with pytest.raises(TableError) as caught:
            restore(one, blob, **({"downtime_ms": 0, "now_ms": 0} | times))
        assert caught.value.code == "GOV419"
        assert next(iter(times)) in caught.value.message
        assert one.save(now_ms=0) == blob
    if "now_ms" in times:
        with pytest.raises(TableError, match="now_ms"):
            edge.save(now_ms=times["now_ms"])


@pytest.mark.parametrize("blob", [None, "govboard", 5, []])
def test_what_is_no_bytes_is_no_state(blob: Any) -> None:
    for one in both():
        with pytest.raises(TableError) as caught:
            restore(one, blob, downtime_ms=0, now_ms=0)
        assert caught.value.code == "GOV419"


def test_what_was_saved_is_gone_on_from() -> None:
    edge, _ = both()
    request = {"agent": "a", "tool": "rm", "load": 1}
    edge.observe({"event": "restart", "key": "a", "at_ms": 1_000})
    blob = edge.save(now_ms=2_000)
    for downtime, rule in ((1_000, "restarted"), (60_000, "ok"), (None, "clock_fault")):
        again, _ = both()
        restore(again, blob, downtime_ms=downtime, now_ms=100)
        assert again.decide(request, now_ms=101).rule_id == rule


def revoked() -> bytes:
    """The state of the agent `a`, whose restart is remembered."""
    edge, _ = both()
    edge.observe({"event": "restart", "key": "a", "at_ms": 1_000})
    return edge.save(now_ms=1_000)


def test_a_restored_state_is_that_of_the_key_that_is_named() -> None:
    edge, _ = both()
    edge.restore(revoked(), key="a", downtime_ms=0, now_ms=1_000)
    request = {"agent": "a", "tool": "rm", "load": 1}
    assert edge.commit(request | {"agent": "zed"}, now_ms=1_001).rule_id == "state_full"
    with pytest.raises(TableError, match="GOV418"):
        edge.observe({"event": "restart", "key": "zed", "at_ms": 1_001})
    assert edge.commit(request, now_ms=1_001).rule_id == "restarted"


def test_a_module_of_another_key_takes_no_state() -> None:
    blob = revoked()
    loaded = EdgePolicy(
        module_of(named(compile_source(Source("p.gov", BOARD)).policy, "p")), key="b"
    )
    met, _ = both()
    met.commit({"agent": "b", "tool": "rm", "load": 1}, now_ms=0)
    taken, _ = both()
    taken.restore(met.save(now_ms=0), key="b", downtime_ms=0, now_ms=0)
    for edge in (loaded, met, taken):
        before = edge.save(now_ms=0)
        with pytest.raises(TableError, match="GOV418: the saved state is about a key"):
            edge.restore(blob, key="a", downtime_ms=0, now_ms=1_000)
        assert edge.save(now_ms=0) == before
        edge.restore(before, key="b", downtime_ms=0, now_ms=0)


@pytest.mark.parametrize(("key", "why"), [
    (None, "do not say whose it is, give the `agent`"), (5, "must be a text"), ({"agent": "a"}, "must be a text"),
    ("\ud800", "the key `agent`"), ("x" * 257, "the key `agent`"),
])  # fmt: skip
def test_a_state_of_nobody_is_not_taken(key: Any, why: str) -> None:
    edge, _ = both()
    before = edge.save(now_ms=0)
    with pytest.raises(TableError, match=f"GOV419: .*{why}"):
        edge.restore(revoked(), key=key, downtime_ms=0, now_ms=1_000)
    assert edge.save(now_ms=0) == before
    request = {"agent": "zed", "tool": "rm", "load": 1}
    assert edge.commit(request, now_ms=1_001).rule_id == "ok", "it is still nobody's"


def test_a_policy_without_a_key_takes_a_state_without_one() -> None:
    source = """\
language 1
policy p version "1.0.0"
default allow
input { load : number in 0..9 }
event restart
rule restarted when restart within 1 s deny
"""
    edge = EdgePolicy(module_of(named(compile_source(Source("p.gov", source)).policy, "p")))
    edge.observe({"event": "restart", "at_ms": 0})
    blob = edge.save(now_ms=0)
    with pytest.raises(TableError, match=r"GOV419: .*the policy has no key"):
        edge.restore(blob, key="a", downtime_ms=0, now_ms=0)
    edge.restore(blob, downtime_ms=0, now_ms=0)
    assert edge.decide({"load": 1}, now_ms=1).rule_id == "restarted"


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    edge, _ = both()
    edge.observe({"event": "restart", "key": "a", "at_ms": 1_000})
    blob = edge.save(now_ms=2_000)
    minor = {8 * 10 + bit for bit in range(16)}
    flipped = [
        bytes(b ^ (1 << bit % 8 if at == bit // 8 else 0) for at, b in enumerate(blob))
        for bit in range(8 * len(blob))
        if bit not in minor
    ]
    for broken in (*flipped, *(blob[:n] for n in range(len(blob))), blob + b"\0"):
        with pytest.raises(TableError) as caught:
            restore(edge, broken, downtime_ms=0, now_ms=0)
        assert caught.value.code == "GOV419"
    assert edge.save(now_ms=2_000) == blob


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_writes_and_reads_the_same_bytes(compiler: str, tmp_path: Path) -> None:
    boards = [random_board(random.Random(seed)) for seed in range(30)]
    emits = [named(board.policy, str(number)) for number, board in enumerate(boards)]
    library = Library(tmp_path, emits, compiler, "-O1")
    for number, (board, one) in enumerate(zip(boards, emits, strict=True)):
        rng = random.Random(number)
        edge = EdgePolicy(module_of(one))
        time = edge.schema.time
        assert time is not None
        assert len(edge.save(now_ms=0)) == state_size(one.program)
        for _ in range(6):
            state, now, downtime = (
                random_state(board, rng),
                rng.randint(-(10**6), 10**13),
                rng.choice((None, 0, 9_999)),
            )
            for name, value in state.items():
                edge._engine.write(name, value)
            blob = edge.save(now_ms=5)
            assert library.save(number, state, 5) == (0, blob)
            found = library.restore(number, blob, now, -1 if downtime is None else downtime)
            restore(edge, blob, downtime_ms=downtime, now_ms=now)
            assert found == (
                0,
                {place.name: edge._engine.read(place.name) for place in places(time)},
            )
            _refuse(library, number, edge, blob, rng)


def _refuse(
    library: Library, number: int, edge: EdgePolicy, blob: bytes, rng: random.Random
) -> None:
    """Bytes with values outside their domains, and a right sum: both refuse the same ones."""
    time = edge.schema.time
    assert time is not None
    for _ in range(20):
        broken = bytearray(blob)
        at = rng.randrange(24, len(blob))
        broken[at] = rng.randrange(256)
        broken[12:16] = zlib.crc32(broken[16:]).to_bytes(4, "little")
        answer, state = library.restore(number, bytes(broken), 10**9, 3)
        try:
            restore(edge, bytes(broken), downtime_ms=3, now_ms=10**9)
        except TableError:
            assert answer == -3
        else:
            assert (answer, state) == (0, {p.name: edge._engine.read(p.name) for p in places(time)})
    for broken in (blob[:-1], blob + b"\0", b"x" + blob[1:]):
        answer, state = library.restore(number, broken, 0, 0)
        assert answer == -3
        assert {state[f"clock.{scope}"] for scope in time.scopes} == {NEVER}, "nothing is written"


def test_times_that_nobody_knows_stay_so() -> None:
    edge, _ = both()
    edge._engine.write("clock.state", UNKNOWN)
    blob = edge.save(now_ms=0)
    restore(edge, blob, downtime_ms=5, now_ms=10)
    assert edge._engine.read("clock.state") == UNKNOWN
    assert edge._engine.read("clock.shared") == NEVER
