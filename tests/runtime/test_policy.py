"""`Policy`: loading, deciding, and everything that a caller can get wrong."""

from __future__ import annotations

import json
import math
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables

import govlang
from govlang.compiler import ir
from govlang.compiler.ir import Effect, Field, Kind, Origin, Rule
from govlang.native.errors import CodedError, TableError
from govlang.runtime.decision import Decision, Outcome
from govlang.runtime.json_request import JsonError
from govlang.runtime.policy import Policy

BATTERY = Field("battery", Kind.NUMBER, 0, 1000, 1, 10, "%")
ZONE = Field("zone", Kind.ENUM, 0, 2, members=("urban", "rural", "airport"))
NOTE = Field("note", Kind.TEXT, max_bytes=20, optional=True)
TICKET = Field("ticket", Kind.BOOL, 0, 1, origin=Origin.RUNTIME)
APPROVED = Field("approved", Kind.SET, 0, 1, members=("atc",), origin=Origin.RUNTIME, implied=0)
SPEED = Field("speed", Kind.NUMBER, 0, 200, 1, 10, "m/s")
CAP = ir.Param(Field("cap", Kind.NUMBER, 10, 50, 1, 10, "m/s"), 20)

RULES = (
    Rule(
        "airport",
        ir.InRanges("zone", ((2, 2),)),
        Effect.REQUIRE_HUMAN,
        roles=("atc",),
        expires_ms=900_000,
        because="a person must agree",
    ),
    Rule(
        "low",
        ir.InRanges("battery", ((0, 199),)),
        Effect.LIMIT,
        limits=(ir.Limit("speed", ir.IntConst(0), ir.ParamValue("cap")),),
        dos=(ir.Do("tell", (ir.TextField("note"),), 60_000),),
    ),
    Rule(
        "slow",
        ir.InRanges("battery", ((0, 99),)),
        Effect.LIMIT,
        limits=(ir.Limit("speed", ir.IntConst(15), ir.IntConst(200)),),
        remedy=ir.Remedy("charge first", (("zone", ir.IntConst(1)),)),
    ),
)
POLICY = tables.policy_of(
    BATTERY,
    ZONE,
    NOTE,
    TICKET,
    APPROVED,
    rules=RULES,
    outputs=(SPEED,),
    actions=(ir.Action("tell", (Field("what", Kind.TEXT, max_bytes=99),)),),
    params=(CAP,),
    assumptions=(
        ir.Assumption(
            "ticket or zone is urban",
            ir.Or((ir.InRanges("ticket", ((1, 1),)), ir.InRanges("zone", ((0, 0),)))),
        ),
    ),
)
DATA = tables.table_bytes(POLICY)
HOST = {"ticket": True}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.load(DATA)


def invalid(outcome: Outcome) -> str:
    assert (outcome.decision, outcome.rule_id) == (Decision.DENY, "invalid_request")
    assert (outcome.obligations, outcome.matched) == ((), ())
    return outcome.reason


def test_the_names_of_the_package_are_the_runtime_s() -> None:
    assert govlang.Policy is Policy
    assert govlang.Outcome is Outcome
    with pytest.raises(AttributeError):
        govlang.nothing  # noqa: B018  # the access is the test


def test_a_decision_comes_with_everything(policy: Policy) -> None:
    outcome = policy.decide({"battery": 12.5, "zone": "urban", "note": "hi"}, runtime=HOST)
    assert outcome.decision is Decision.LIMIT
    assert (outcome.rule_id, outcome.reason, outcome.matched) == ("low", "", ("low",))
    assert outcome.obligations == (
        {"do": "tell", "args": {"what": "hi"}, "for_ms": 60_000},
        {"limit": "speed", "to": 2},
    )
    assert outcome.policy_snapshot == tables.SNAPSHOT
    assert outcome.params_hash == policy.params_hash
    assert repr(outcome) == "Outcome(limit by 'low')"


def test_the_json_form_has_the_contract_s_names(policy: Policy) -> None:
    outcome = policy.decide({"battery": 5, "zone": "airport"}, runtime=HOST)
    assert json.loads(json.dumps(outcome.to_dict())) == {
        "decision": "require_human",
        "rule_id": "airport",
        "reason": "a person must agree",
        "obligations": [
            {"do": "tell", "args": {"what": ""}, "for_ms": 60_000},
            {"limit": "speed", "from": 1.5, "to": 2},
            {"require": ["atc"], "expires_ms": 900_000},
            {"remedy": "charge first", "with": {"zone": "rural"}},
        ],
        "matched": ["airport", "low", "slow"],
        "policy_snapshot": tables.SNAPSHOT,
        "params_hash": policy.params_hash,
    }


def test_an_approved_role_lets_it_through(policy: Policy) -> None:
    request = {"battery": 90, "zone": "airport"}
    assert policy.decide(request, runtime=HOST | {"approved": ["atc"]}).decision == "allow"
    assert policy.decide(request, runtime=HOST | {"approved": ["cook"]}).rule_id == "airport"


def test_limits_that_do_not_meet_deny() -> None:
    tight = Policy.load(DATA, params={"cap": 1})
    outcome = tight.decide({"battery": 5, "zone": "urban"}, runtime=HOST)
    assert (outcome.decision, outcome.rule_id) == (Decision.DENY, "low")
    assert [one.get("remedy", one.get("do")) for one in outcome.obligations] == [
        "tell",
        "charge first",
    ]


def test_a_question_and_a_commit_are_the_same_without_time(policy: Policy) -> None:
    request = {"battery": 50, "zone": "urban"}
    assert policy.decide(request, runtime=HOST, now_ms=5) == policy.commit(request, runtime=HOST)
    assert policy.decide(request, runtime=HOST) != policy.decide({}, runtime=HOST)
    assert policy.decide(request, runtime=HOST) != "allow"
    assert len({policy.decide(request, runtime=HOST), policy.commit(request, runtime=HOST)}) == 1


@pytest.mark.parametrize(
    ("request_", "runtime", "why"),
    [
        ({"zone": "urban"}, HOST, "`battery` is missing"),
        ({"battery": 1, "zone": "urban"}, None, "`ticket` is missing"),
        ({"battery": 1, "zone": "sea"}, HOST, "`zone` must be one of urban, rural, airport"),
        ({"battery": 1, "zone": "urban", "x": 1}, HOST, "`x` is not a field of this policy"),
        ({"battery": 1, "zone": "urban", "ticket": True}, HOST, "`ticket` is set by the host"),
        ({"battery": 1, "zone": "urban"}, HOST | {"y": 1}, "`y` is not a runtime field"),
        ({"battery": math.nan, "zone": "urban"}, HOST, "`battery` must be a finite number"),
        ({"battery": math.inf, "zone": "urban"}, HOST, "`battery` must be a finite number"),
        ({"battery": 10**400, "zone": "urban"}, HOST, "`battery`"),
        ({"battery": 0.05, "zone": "urban"}, HOST, "must be a multiple of 0.1"),
        ({"battery": Decimal("1e400"), "zone": "urban"}, HOST, "`battery`"),
        ({"battery": 100.1, "zone": "urban"}, HOST, "must be in 0..100 %"),
        ({"battery": None, "zone": "urban"}, HOST, "not null"),
        ({"battery": True, "zone": "urban"}, HOST, "not true"),
        ({"battery": "1", "zone": "urban"}, HOST, "must be a number"),
        ({"battery": 1, "zone": 2}, HOST, "must be one of"),
        ({"battery": 1, "zone": "urban", "note": "a" * 21}, HOST, "`note` is 21 bytes long"),
        ({"battery": 1, "zone": "urban", "note": "\ud800"}, HOST, "`note` is not valid UTF-8"),
        (
            {"battery": 1, "zone": "rural"},
            {"ticket": False},
            "breaks the assumption `ticket or zone",
        ),
        ([], HOST, "the request must be an object"),
        (None, HOST, "the request must be an object"),
        ({"battery": 1, "zone": "urban"}, [], "the host's part must be an object"),
    ],
)
def test_what_cannot_be_read_is_denied_and_named(
    policy: Policy, request_: Any, runtime: Any, why: str
) -> None:
    assert why in invalid(policy.decide(request_, runtime=runtime))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (r'{"battery": 1, "zone": "\ud800"}', r"not the text `\u{d800}`"),
        (r'{"battery": 1, "zone": "\u001b[31m\u0007"}', r"not the text `\u{1b}[31m\u{7}`"),
        (r'{"battery": 1, "zone": "\u202eurban"}', r"not the text `\u{202e}urban`"),
        (r'{"battery": 1, "zone": "urban", "\ud800": 1}', r"`\u{d800}` is not a field"),
        (r'{"\ud800": 1, "\ud800": 1}', r"`\u{d800}` is given twice"),
        ('{"battery": 1, "zone": "' + "a" * 9999 + '"}', "not a longer text"),
        ('{"battery": 1, "zone": "urban", "' + "a" * 9999 + '": 1}', "a…` is not a field"),
        ('{"battery": ' + "9" * 9999 + ', "zone": "urban"}', "at most 400 digits, not one of more"),
        ('{"battery": 0.' + "3" * 99 + ', "zone": "urban"}', "is a number of more than 40 digits"),
    ],
)
def test_a_reason_is_short_and_shows_nothing_that_acts_or_is_no_text(
    policy: Policy, text: str, why: str
) -> None:
    reason = invalid(policy.decide_json(text, runtime=HOST))
    assert why in reason
    assert reason.isprintable()
    assert len(reason.encode()) < 1000


def test_json_is_read_from_any_bytes(policy: Policy) -> None:
    text = b'{"battery": 100, "zone": "urban"}'
    for one in (text, bytearray(text), memoryview(text)):
        assert policy.decide_json(one, runtime=HOST).rule_id == "default"


def test_decimals_count_as_they_are_written(policy: Policy) -> None:
    text = '{"battery": 0.30000000000000000000, "zone": "urban"}'
    assert policy.decide_json(text, runtime=HOST).rule_id == "low"
    assert "multiple" in invalid(
        policy.decide_json(b'{"battery": 0.30000000000000000001, "zone": "urban"}', runtime=HOST)
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"battery": 1, "zone": "urban", "battery": 2}', "`battery` is given twice"),
        ('{"battery": NaN, "zone": "urban"}', "must be a finite number"),
        ('{"battery": -Infinity, "zone": "urban"}', "must be a finite number"),
        ('{"battery": 1e400, "zone": "urban"}', "`battery`"),
        ('{"battery": 1e99999999999999999999, "zone": "urban"}', "`battery`"),
        ('{"battery": ' + "9" * 5000 + ', "zone": "urban"}', "`battery`"),
        ("[1, 2]", "the request must be an object"),
        ("3", "the request must be an object"),
        ('{"battery": {"a": 1, "a": 2}, "zone": "urban"}', "`a` is given twice"),
    ],
)
def test_json_that_is_no_request_is_denied(policy: Policy, text: str, why: str) -> None:
    assert why in invalid(policy.decide_json(text, runtime=HOST))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1 column 1"),
        ("{", "line 1 column 2"),
        ('{"battery": 1} x', "extra data"),
        (b"\xff\xfe", "not valid UTF-8"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_a_coded_error(policy: Policy, text: str | bytes, why: str) -> None:
    with pytest.raises(JsonError, match="GOV413") as caught:
        policy.decide_json(text)
    assert why in caught.value.message
    assert isinstance(caught.value, ValueError)


def test_parameters_are_numbers_in_their_unit() -> None:
    assert Policy.load(DATA, params={"cap": 1.5}).params == {"cap": 15}
    assert Policy.load(DATA).params == {"cap": 20}
    assert Policy.load(DATA).params_hash == Policy.load(DATA, params={"cap": 2}).params_hash
    assert Policy.load(DATA).params_hash != Policy.load(DATA, params={"cap": 3}).params_hash


@pytest.mark.parametrize("params", [{"cap": 6}, {"cap": "2"}, {"cap": 0.05}, {"tip": 1}])
def test_parameters_that_do_not_fit_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(TableError, match="GOV411"):
        Policy.load(DATA, params=params)


def test_a_table_on_disk_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "table.bin"
    path.write_bytes(DATA)
    assert Policy.load(path).name == "p"
    assert Policy.load(str(path)).version == "1.0.0"


@pytest.mark.parametrize("data", [b"", b"govtable", b"PK\x03\x04", DATA[:-1], DATA[:500]])
def test_bytes_that_are_no_policy_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(CodedError, match="GOV4"):
        Policy.load(data)
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(CodedError, match="GOV4"):
        Policy.load(path)


def test_a_file_that_is_not_there_is_a_coded_error(tmp_path: Path) -> None:
    with pytest.raises(CodedError, match="GOV400"):
        Policy.load(tmp_path / "none.govb")


def test_only_ticks_are_observed(policy: Policy) -> None:
    policy.observe({"at_ms": 3, "tick": True})
    with pytest.raises(TableError, match="no event `restart`"):
        policy.observe({"at_ms": 3, "event": "restart", "fields": {}})
    with pytest.raises(TableError, match="GOV415"):
        policy.observe({"at_ms": 3})
    with pytest.raises(TableError, match=r"GOV415: `at` is no part of a step"):
        policy.observe({"at": 3, "tick": True})
    with pytest.raises(TableError, match="GOV415: `at_ms` must be"):
        policy.observe({"at_ms": "3", "tick": True})


def test_arguments_are_checked(policy: Policy) -> None:
    with pytest.raises(TypeError):
        policy.decide()
    with pytest.raises(TypeError):
        policy.decide({}, {})
    with pytest.raises(TypeError, match="unexpected"):
        policy.decide({}, when=3)


def test_other_mappings_are_read_like_dicts(policy: Policy) -> None:
    from collections import ChainMap

    request = ChainMap({"battery": 90}, {"zone": "urban"})
    assert policy.decide(request, runtime=ChainMap(HOST)).decision == "allow"


class Cruel(str):
    """A text whose comparison empties the request."""

    __slots__ = ("victim",)

    def __hash__(self) -> int:
        self.victim.clear()
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)


def test_a_request_that_changes_while_it_is_read_does_no_harm(policy: Policy) -> None:
    for _ in range(200):
        zone = Cruel("ur" + "ban")
        request: dict[str, Any] = {"note": "n" * 7, "zone": zone, "battery": 3}
        zone.victim = request
        assert policy.decide(request, runtime=dict(HOST)).decision == "deny"


def test_an_outcome_outlives_its_policy() -> None:
    outcome = Policy.load(DATA).decide({"battery": 5, "zone": "urban"}, runtime=HOST)
    assert outcome.matched == ("low", "slow")


def test_threads_share_a_policy(policy: Policy) -> None:
    request = {"battery": 5, "zone": "airport"}
    expected = policy.decide(request, runtime=HOST).to_dict()
    found: list[dict[str, Any]] = []

    def ask() -> None:
        found.extend(policy.decide(request, runtime=HOST).to_dict() for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 800


def test_deciding_keeps_no_memory(policy: Policy) -> None:
    request = {"battery": 5, "zone": "airport", "note": "x"}
    counts = [sys.getrefcount(one) for one in ("airport", policy, request["note"])]
    for _ in range(1000):
        policy.decide(request, runtime=HOST)
        policy.decide({}, runtime=HOST)
    assert [sys.getrefcount(one) for one in ("airport", policy, request["note"])] == counts


def test_the_clock_s_fields_are_read_in_the_policy_s_zone() -> None:
    weekday = Field(
        "weekday",
        Kind.ENUM,
        0,
        6,
        members=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        origin=Origin.CLOCK,
    )
    minute = Field("minute_of_day", Kind.NUMBER, 0, 1439, origin=Origin.CLOCK)
    late = ir.And((ir.InRanges("weekday", ((4, 4),)), ir.InRanges("minute_of_day", ((90, 91),))))
    closed = tables.policy_of(
        weekday,
        minute,
        rules=(Rule("late", late, Effect.DENY),),
        time_zone="Europe/Berlin",
    )
    loaded = tables.load(closed)
    friday = 1_767_313_800_000  # 2026-01-02 01:30 in Berlin
    assert loaded.decide({}, now_ms=friday).rule_id == "late"
    assert loaded.decide({}, now_ms=friday + 120_000).rule_id == "default"
    assert (
        loaded.decide({}, now_ms=0, runtime={"weekday": "friday", "minute_of_day": 91}).rule_id
        == "late"
    )
    assert "set by the host" in invalid(loaded.decide({"weekday": "friday"}, now_ms=friday))
    for outcome in (loaded.decide({}), loaded.decide_json("{}"), loaded.decide({}, now_ms=10**20)):
        assert "no usable `now_ms`" in invalid(outcome), "no time is never taken for 1970"
    for wrong in ("x", [], 1.5, True, float("nan")):
        assert "whole number of milliseconds" in invalid(loaded.decide({}, now_ms=wrong))
    batch = loaded.decide_batch({}, runtime={"minute_of_day": np.zeros(1)})
    assert batch.to_arrow()["rule_id"].to_pylist() == ["invalid_request"]
