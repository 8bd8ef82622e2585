"""`gov diff`, `gov verify --against` and `gov build --against` of policies over time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diff_pairs import LIMIT, PAIRS, RULE, WITHIN, Versions, _of

from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_file
from govlang.runtime.policy import Policy

LONG = ("--timeout", "100")
SAID = ("decision", "rule_id")


Pair = Callable[[Versions], tuple[Path, Path]]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Both versions on disk."""

    def write(versions: Versions) -> tuple[Path, Path]:
        paths = tmp_path / "old.gov", tmp_path / "new.gov"
        for path, source in zip(paths, (versions.old, versions.new), strict=True):
            path.write_text(source, encoding="utf-8")
        return paths

    return write


def replayed(gov, path: Path, witness: dict[str, Any], tmp_path: Path) -> list[tuple[str, str]]:
    """What `gov decide --trace` says of the requests of a witness."""
    trace = tmp_path / "trace.jsonl"
    plain = [{n: v for n, v in one.items() if n not in SAID} for one in witness["trace"]]
    trace.write_text("".join(json.dumps(one) + "\n" for one in plain), encoding="utf-8")
    ran = gov("decide", path, "--trace", trace, "--format", "json")
    assert ran.code == 0, ran.err
    return [(one["decision"], one["rule_id"]) for one in ran.lines]


@pytest.mark.parametrize("name", PAIRS)
def test_what_changed_is_shown_by_samples_that_both_tables_take(
    gov, fits, pair, tmp_path: Path, name: str
) -> None:
    versions = PAIRS[name]
    paths = pair(versions)
    ran = gov("diff", *paths, *LONG, "--format", "json")
    report = ran.json
    fits("diff", report)
    found = report["findings"]
    assert report["status"] == "proved", [(one["message"], one["help"]) for one in found]
    assert {one["detail"]["direction"] for one in found} == versions.directions
    assert tuple(report["declarations"]) == versions.declarations
    assert ran.code == int(bool(found or versions.declarations))
    assert report["looser"] == ("looser" in versions.directions)
    for one in found:
        witness = one["witness"]
        for path, own, which in ((paths[0], witness["old"], "old"), (paths[1], witness, "new")):
            told = [(s["decision"], s["rule_id"]) for s in own["trace"] if "request" in s]
            assert replayed(gov, path, own, tmp_path) == told
            told_last = one["detail"][which]["decision"], one["detail"][which]["rule_id"]
            assert told[-1] == told_last
        before, after = (
            [(s["decision"], s["rule_id"]) for s in own["trace"] if "request" in s][:-1]
            for own in (witness["old"], witness)
        )
        assert ("differed before" in one["message"]) or before == after


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("a window widened", [0, 300_001]),
        ("a window narrowed", [0, 300_000]),
        ("a limit raised", [0, 0, 0, 0]),
        ("a rule behind a state", [0, 0, 0, 30_000]),
    ],
)
def test_a_difference_is_shown_by_as_few_samples_as_there_can_be(
    gov, pair, name: str, times: list[int]
) -> None:
    report = gov("diff", *pair(PAIRS[name]), *LONG, "--format", "json").json
    shortest = min((one["witness"]["trace"] for one in report["findings"]), key=len)
    assert [step["at_ms"] for step in shortest] == times


def test_a_person_reads_what_it_was_before_beside_what_it_is(gov, pair) -> None:
    ran = gov("diff", *pair(PAIRS["a window widened"]))
    assert "note[GOV308]: deny by `default` became allow by `a`: looser\n" in ran.out
    assert (
        '  at 0 ms  the event `ok`  of {"agent": "a"}\n  at 300001 ms  on the request  {' in ran.out
    )
    assert "\n  the outcome is  allow by `a`\n  before it was   deny by `default`\n" in ran.out
    assert ran.out.endswith("changed  1 kind of requests, looser somewhere\n")


WAIT = "rule wait when bad within 1 min throttle retry {}\n"


def test_what_an_answer_asks_for_is_told_with_what_it_asked_for_before(gov, fits, pair) -> None:
    versions = _of(WAIT.format("30 s"), WAIT.format("1 min"), default="default allow")
    said = "throttle by `wait` stays: stricter (before: retry 30 s, now: retry 1 min)"
    assert f"note[GOV308]: {said}\n" in gov("diff", *pair(versions)).out
    report = gov("diff", *pair(versions), "--format", "json").json
    fits("diff", report)
    (found,) = report["findings"]
    assert found["message"] == said
    common = {"decision": "throttle", "rule_id": "wait", "reason": ""}
    assert found["detail"] == {
        "direction": "stricter",
        "old": common | {"obligations": [{"retry_ms": 30_000}]},
        "new": common | {"obligations": [{"retry_ms": 60_000}]},
    }


def test_samples_that_the_older_version_does_not_take_are_shown_as_it_takes_them(gov, pair) -> None:
    ran = gov("diff", *pair(PAIRS["an event added"]))
    assert '  at 0 ms  the event `zap`  of {"agent": "a"}\n  at 0 ms  on the request  {' in ran.out
    assert (
        "  the outcome is  deny by `z`\n"
        "  which the older version takes as\n"
        '  at 0 ms  a tick  of {"agent": "a"}\n'
    ) in ran.out


def test_two_keys_are_needed_where_state_is_kept_by_another_field(gov, pair) -> None:
    report = gov("diff", *pair(PAIRS["what two keys do together"]), "--format", "json").json
    traces = [
        one["witness"]["trace"]
        for one in report["findings"]
        if one["detail"]["direction"] == "stricter"
    ]
    for trace in traces:
        agents = {step["key"]["agent"] for step in trace if "key" in step}
        resources = {step["fields"]["resource"] for step in trace if "fields" in step}
        assert len(agents | {trace[-1]["request"]["agent"]}) >= 2
        assert resources == {trace[-1]["request"]["resource"]}


@pytest.mark.parametrize("style", ["sarif", "junit", "github"])
def test_other_formats_carry_the_samples(gov, pair, style: str) -> None:
    ran = gov("diff", *pair(PAIRS["a window widened"]), "--format", style)
    assert ran.code == 1
    assert "GOV308" in ran.out
    assert "300001" in ran.out


# --- what an update forgets ----------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_the_cells_that_are_said_to_start_anew_are_those_that_restore_returns(
    gov, pair, name: str
) -> None:
    paths = pair(PAIRS[name])
    told = gov("diff", *paths, *LONG, "--format", "json").json["anew"]
    tables = (compile_policy(compile_file(path).policy).table for path in paths)
    old, new = (Policy(table) for table in tables)
    restored = new.restore(old.save(now_ms=0), downtime_ms=0, now_ms=0)
    assert tuple(one["cell"] for one in told) == restored


def test_a_machine_that_is_renamed_changes_nothing_and_its_state_is_forgotten(gov, pair) -> None:
    ran = gov("diff", *pair(PAIRS["a machine renamed"]))
    assert ran.code == 0
    said = "machine `fuse`, `fuse.age` (nothing of this name was kept)"
    assert f"  on update these start anew: {said}\nsame  no outcome changed\n" in ran.out


def test_of_many_cells_that_start_anew_people_read_some_and_machines_all(gov, pair) -> None:
    count = RULE + "rule b when count(bad) in {} >= 20 deny overrides a\n"
    paths = pair(_of(count.format("1 min"), count.format("2 min")))
    told = gov("diff", *paths, "--format", "json").json["anew"]
    assert {(one["kind"], one["why"]) for one in told} == {("cell", "its definition changed")}
    assert len(told) == 20
    assert ", `bad.age.10` and 10 more (its definition changed)\n" in gov("diff", *paths).out


def test_the_state_of_another_policy_is_none(gov, pair) -> None:
    old, new = pair(PAIRS["a limit raised"])
    new.write_text(new.read_text("utf-8").replace("policy p ", "policy q "), "utf-8")
    told = gov("diff", old, new, "--format", "json").json["anew"]
    assert len(told) == 7
    assert {one["why"] for one in told} == {"the state of `p` is that of another policy"}


# --- what is held against an older version -------------------------------------------------------


def against(gov, pair, name: str) -> Any:
    old, new = pair(PAIRS[name])
    asked = ("--no-looser", "--no-cache", "--format", "json", *LONG)
    return gov("verify", new, "--accept", "gap,unreachable,vacuous", "--against", old, *asked)


def test_that_nothing_is_looser_is_proved_by_induction(gov, fits, pair) -> None:
    ran = against(gov, pair, "a limit lowered")
    assert ran.code == 0, ran.out
    fits("verify", ran.json)
    proofs = [one for one in ran.json["proved"] if one["kind"] == "diff"]
    assert [one["property"] for one in proofs] == ["no_looser"]
    assert proofs[0]["method"].startswith("induction, against sha256:")
    stricter = [one for one in ran.json["findings"] if one["code"] == "GOV308"]
    assert {one["severity"] for one in stricter} == {"note"}


def test_what_is_looser_is_an_error(gov, pair) -> None:
    ran = against(gov, pair, "a limit raised")
    assert ran.code == 1
    looser = [one for one in ran.json["findings"] if one["code"] == "GOV308"]
    assert {one["severity"] for one in looser} == {"error"}
    assert not [one for one in ran.json["proved"] if one["kind"] == "diff"]


def test_what_is_undecided_is_not_taken_for_proved(gov, pair) -> None:
    """The older version goes on to count what the newer denied, in panes: no fact at hand says what comes of that."""
    panes = LIMIT.replace("1 min", "1 min by 20 s")
    old, new = pair(_of(panes.format("allowed", 4), panes.format("allowed", 3)))
    asked = ("--against", old, "--no-looser", "--timeout", "3", "--accept", "gap,unreachable")
    ran = gov("verify", new, *asked, "--format", "json")
    assert ran.code == 3
    directions = [one["detail"]["direction"] for one in ran.json["findings"] if "detail" in one]
    assert "looser" not in directions
    assert "stricter" in directions
    assert [one["code"] for one in ran.json["findings"] if one["severity"] == "error"] == ["GOV309"]
    assert not [one for one in ran.json["proved"] if one["kind"] == "diff"]
    assert gov("diff", old, new, "--timeout", "3").code == 1


@pytest.mark.parametrize(("name", "claims"), [("a limit lowered", True), ("a limit raised", False)])
def test_a_bundle_says_that_nothing_is_looser_only_if_that_is_proved(
    gov, pair, tmp_path: Path, name: str, claims: bool
) -> None:
    old, new = pair(PAIRS[name])
    asked = ("--against", old, "--accept", "gap,unreachable,vacuous", *LONG)
    ran = gov("build", new, "-o", tmp_path / "out", *asked)
    assert ran.code == (0 if claims else 1), ran.out
    built = tmp_path / "out" / "p-1.0.0.govb"
    assert built.exists() == claims
    if claims:
        assert '"no_looser":{"against":"sha256:' in built.read_bytes().decode("latin-1")


def test_a_bundle_is_compared_by_its_own_table(gov, pair, tmp_path: Path) -> None:
    old, new = pair(PAIRS["a limit raised"])
    assert gov("build", old, "-o", tmp_path / "out", "--accept", "gap").code == 0
    ran = gov("diff", tmp_path / "out" / "p-1.0.0.govb", new, "--format", "json")
    assert ran.code == 1
    assert {one["detail"]["direction"] for one in ran.json["findings"]} == {"looser"}


# --- what cannot be compared ---------------------------------------------------------------------


def test_versions_that_keep_state_by_other_keys_are_not_compared(gov, pair) -> None:
    old, new = pair(_of(WITHIN.format("5 min"), WITHIN.format("5 min")))
    text = new.read_text("utf-8").replace("agent    : key", "agent    : text\n  team : key")
    new.write_text(text, encoding="utf-8")
    ran = gov("diff", old, new)
    assert ran.code == 1
    assert "cannot be compared" in ran.out
    assert "looser somewhere" in ran.out


def test_a_signal_is_no_event(gov, pair) -> None:
    versions = _of(RULE, RULE + "rule b when fresh(load, 1 s) and load > 3 deny overrides a\n")
    old, new = pair(versions)
    lines = new.read_text("utf-8").replace("event ok\n", "signal ok : bool\n")
    used = "rule c when ok within 1 s and size > 8 deny overrides a\n"
    old.write_text(old.read_text("utf-8") + used, encoding="utf-8")
    asked = "rule c when fresh(ok, 1 s) and ok and size > 8 deny overrides a\n"
    new.write_text(lines + asked, encoding="utf-8")
    ran = gov("diff", old, new)
    assert ran.code == 1
    assert "`ok` is an event in one version only" in ran.out


def test_an_event_that_must_come_after_others_than_before_is_told_and_counts_as_looser(
    gov, pair
) -> None:
    versions = _of(WITHIN.format("5 min"), WITHIN.format("5 min"))
    old, new = pair(versions)
    new.write_text(versions.new.replace("event ok\n", "event ok after dispatched\n"), "utf-8")
    ran = gov("diff", old, new, "--no-looser")
    assert ran.code == 1
    assert "`ok` must come after other events than before" in ran.out
    assert "looser somewhere" in ran.out


def test_state_of_another_field_of_which_one_version_takes_more_samples_counts_as_looser(
    gov, pair
) -> None:
    """There a clock can go back for one of them only, which no history of the pair shows."""
    kept = RULE + "rule b when count(deletion per resource) in 10 min >= 2 deny overrides a\n"
    versions = _of(kept, kept)
    old, new = pair(versions)
    new.write_text(versions.new.replace("0..9", "0..10"), "utf-8")
    ran = gov("diff", old, new, "--no-looser", "--format", "json")
    told = [one for one in ran.json["findings"] if "what is kept per `resource`" in one["message"]]
    assert [(one["severity"], one["detail"]["direction"]) for one in told] == [("error", "unknown")]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_is_told_what_takes_long(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from govlang.cli.verification import said_meanwhile

    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal, raising=False)
    with said_meanwhile("comparing with p 1.0.0"):
        told = capsys.readouterr().err
    assert told == ("\r\033[Kcomparing with p 1.0.0 …" if is_terminal else "")
    assert capsys.readouterr().err == ("\r\033[K" if is_terminal else "")
