"""Bundles of policies that remember: built with a proof, proved again, and run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shutil import copytree

import pytest
from over_time import POOL
from time_mutation import with_row

from govlang.cli.building import build, write
from govlang.native.container import pack
from govlang.native.layout import Section
from govlang.native.manifest import artefact, manifest_bytes
from govlang.native.table import Table
from govlang.runtime.bundle import Bundle, load_bundle
from govlang.verifier.report import Options

ASKED = '{"agent": "a", "tool": "rm", "load": 3}'
KEPT = [{"per": None, "bytes": 10}, {"per": "agent", "bytes": 35}, {"per": "tool", "bytes": 12}]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.gov"
    settled = POOL.replace("default deny", "combine most_restrictive\ndefault deny")
    path.write_text(settled, encoding="utf-8")
    return path


@pytest.fixture
def built(gov, pool: Path, tmp_path: Path) -> Path:
    ran = gov("build", pool, "-o", tmp_path / "dist")
    assert ran.code == 0, ran.out
    return tmp_path / "dist" / "pool-1.0.0.govb"


def test_a_bundle_holds_the_table_and_says_what_is_kept(gov, fits, pool: Path, built: Path) -> None:
    bundle = load_bundle(built)
    assert sorted(bundle.parts) == ["core.json", "manifest.json", "policy.gov", "table.bin"]
    plain = json.loads(bundle.parts["manifest.json"])
    fits("manifest", plain)
    assert (plain["state"], plain["state_bytes"]) == (KEPT, 57)
    proved = {one["property"] for one in plain["proofs"] if one["kind"] == "translation"}
    parts = ("memory", "updates", "ranges", "deadlines", "forgetting")
    assert proved >= {f"table: {part}" for part in parts}
    report = json.loads((built.parent / "pool-1.0.0.report.json").read_text("utf-8"))
    fits("build", report)
    assert report["state"] == KEPT
    again = gov("build", pool, "-o", built.parent)
    assert "10 bytes of state for all, 35 for each agent, 12 for each tool" in again.out
    assert "note[GOV716]: the bundle holds no C and no WebAssembly" in again.out
    assert "keeps state per `tool`, a board only that of one key" in again.out


def test_what_the_manifest_tells_of_the_state_is_what_the_table_keeps(built: Path) -> None:
    bundle = load_bundle(built)
    memory = Table(bundle.table).schema.memory
    assert memory is not None
    assert [(one.per or "", one.bytes) for one in bundle.manifest.state] == [
        (scope.name, scope.bytes) for scope in memory.scopes
    ]


def test_a_bundle_is_proved_again(gov, fits, built: Path) -> None:
    ran = gov("verify", "--no-cache", "--format", "json", built)
    assert ran.code == 0, ran.out
    fits("verify", ran.json)
    assert "table: updates" in {one["property"] for one in ran.json["proved"]}


def test_a_bundle_runs_as_its_source_does(gov, pool: Path, built: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    asked = json.loads(ASKED)
    steps = [
        *({"at_ms": i, "request": asked} for i in range(4)),
        {"at_ms": 20_000, "event": "restart", "key": {"agent": "a"}, "fields": {}},
        {"at_ms": 21_000, "request": asked},
    ]
    trace.write_text("\n".join(map(json.dumps, steps)), encoding="utf-8")
    ran = [gov("decide", one, "--trace", trace, "--format", "json") for one in (pool, built)]
    assert [one["rule_id"] for one in ran[1].lines] == ["ok", "ok", "ok", "many", "restarted"]
    assert ran[0].lines == ran[1].lines
    tested = gov("test", built, "--format", "json")
    assert [one["status"] for one in tested.json["tests"]] == ["passed"] * 2


def test_a_question_about_a_bundle_is_explained(gov, fits, built: Path) -> None:
    ran = gov("explain", built, "--input", ASKED, "--format", "json")
    assert ran.code == 0, ran.out
    fits("explain", ran.json)
    parts = {one["rule"]: one for one in ran.json["rules"]}
    assert parts["ok"]["status"] == "decides"
    (failed,) = parts["restarted"]["failed"]
    assert (failed["found"], failed["history"]) == ({}, ["never"])
    assert "not: restart within 5 s   (never)" in gov("explain", built, "--input", ASKED).out


@pytest.mark.parametrize("artefact_name", ["jsonlogic", "smt2"])
def test_what_there_is_not_over_time_is_refused_before_anything_is_proved(
    gov, pool: Path, tmp_path: Path, artefact_name: str
) -> None:
    ran = gov("build", pool, "-o", tmp_path / "out", "--emit", artefact_name)
    assert ran.code == 2
    assert "GOV715" in ran.err
    assert not (tmp_path / "out").exists()


# --- boards --------------------------------------------------------------------------------------


def without_tools(pool: str) -> str:
    """The same policy without what is kept by another field than its key."""
    return "\n".join(one for one in pool.splitlines() if "wiped" not in one)


@pytest.fixture(scope="module")
def board_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a policy that a board can keep, built once, with its single artefacts."""
    folder = tmp_path_factory.mktemp("board")
    path = folder / "board.gov"
    settled = POOL.replace("default deny", "combine most_restrictive\ndefault deny")
    path.write_text(without_tools(settled), encoding="utf-8")
    choices = {"tier": None, "key_pem": None, "against": None, "emits": ("c", "wasm")}
    built = build(path, Options(), **choices)
    write(built, folder / "out", ("c", "wasm"))
    return folder / "out"


@pytest.fixture
def board(board_folder: Path, tmp_path: Path) -> Path:
    """A copy of that bundle."""
    return Path(copytree(board_folder, tmp_path / "board")) / "pool-1.0.0.govb"


def test_the_build_tells_what_a_board_has_to_do(gov, pool: Path) -> None:
    path = pool.with_name("board.gov")
    path.write_text(without_tools(pool.read_text("utf-8")), encoding="utf-8")
    ran = gov("build", path, "-o", pool.parent / "out")
    assert ran.code == 0, ran.out
    assert "the bundle holds no" not in ran.out
    assert re.search(r"\(\d+ instructions of WebAssembly, \d+ operations of C\)", ran.out)


def test_a_board_gets_a_module_and_c_that_are_proved(gov, fits, board: Path) -> None:
    bundle = load_bundle(board)
    edge = {"pool-1.0.0.wasm": "policy.wasm", "pool.c": "policy.c", "pool.h": "policy.h"}
    known = ["core.json", "manifest.json", "policy.gov", "table.bin"]
    assert sorted(bundle.parts) == sorted([*known, *edge.values()])
    for file, part in edge.items():
        assert (board.parent / file).read_bytes() == bundle.parts[part]
    plain = json.loads(bundle.parts["manifest.json"])
    fits("manifest", plain)
    assert plain["state_bytes"] > 0
    assert min(plain["worst_case"][word] for word in ("instructions", "operations")) > 0
    ran = gov("verify", "--no-cache", "--format", "json", board)
    assert ran.code == 0, ran.out
    proved = {one["property"] for one in ran.json["proved"]}
    named = ("refusals", "ranges", "defined", "outcome", "state", "state_ok", "next_deadline")
    assert proved >= {f"{what}: {one}" for what in ("WebAssembly", "C") for one in named}
    assert "C: constants" in proved


def test_a_module_that_forgets_is_refuted_with_a_state_and_a_sample(gov, board: Path) -> None:
    """The way of the restart is made one of the failure, in a bundle whose hashes are right."""
    bundle = load_bundle(board)
    module = bundle.parts["policy.wasm"]
    first = b"\x41\x02\x41\x01\x10\x00\x0b"
    assert module.count(first) == 1
    changed = module.replace(first, b"\x41\x03\x41\x01\x10\x00\x0b")
    board.write_bytes(with_parts(bundle, {"policy.wasm": changed}))
    ran = gov("verify", "--no-cache", board)
    assert ran.code == 2
    assert "GOV416" in ran.out + ran.err


def test_a_module_of_another_policy_is_refuted(gov, pool: Path, board: Path) -> None:
    """A module in which a restart counts for six seconds: its name is right, its step is not."""
    other = board.parent / "other.gov"
    lines = [one for one in pool.read_text("utf-8").splitlines() if "wiped" not in one]
    other.write_text("\n".join(lines).replace("restart within 5 s", "restart within 6 s"), "utf-8")
    folder = board.parent / "other"
    text = other.read_text("utf-8")
    other.write_text(text.partition('test "a restart')[0], "utf-8")
    assert gov("build", other, "-o", folder, "--emit", "wasm").code == 0
    module = load_bundle(folder / "pool-1.0.0.govb").parts["policy.wasm"]
    ours, theirs = (load_bundle(one).snapshot for one in (board, folder / "pool-1.0.0.govb"))
    named = module.replace(theirs.encode(), ours.encode())
    board.write_bytes(with_parts(load_bundle(board), {"policy.wasm": named}))
    ran = gov("verify", "--no-cache", "--format", "json", board)
    assert ran.code == 1, ran.out
    (finding,) = (one for one in ran.json["findings"] if one["code"] == "GOV307")
    assert "the WebAssembly differs from the policy" in finding["message"]


@pytest.mark.parametrize(
    ("before", "behind", "code", "told"),
    [
        ("return pool_step(1, ", "return pool_step(0, ", 2, "GOV416"),
        ("while (bit < 8u)", "while (bit < 9u)", 2, "GOV416"),
        ("    return 0;\n}\n", "    return 1;\n}\n", 1, "answers 1, must answer 0"),
    ],
    ids=["another kind", "another checksum", "another answer"],
)
def test_c_that_was_changed_is_refused_or_refuted(
    gov, board: Path, before: str, behind: str, code: int, told: str
) -> None:
    """The bundle of somebody who holds the build: its hashes are right."""
    bundle = load_bundle(board)
    source = bundle.parts["policy.c"].decode()
    assert before in source
    changed = source.replace(before, behind, 1)
    board.write_bytes(with_parts(bundle, {"policy.c": changed.encode()}))
    ran = gov("verify", "--no-cache", board)
    assert ran.code == code, ran.out
    assert told in ran.out + ran.err
    if code == 2:
        assert re.search(r"policy\.c.*line \d+: this is not the documented", ran.out + ran.err)


@pytest.mark.parametrize(
    ("before", "behind", "told"),
    [
        ("take_restart_age != 5001", "take_restart_age != 5000", "`decide` leaves "),
        ("= INT64_C(5001);", "= INT64_C(5002);", "`next_deadline` leaves "),
        ("(state_restart_age > 5001)", "(state_restart_age > 5002)", "answers 0, must answer -3"),
    ],
    ids=["a rule", "a deadline", "a range"],
)
def test_c_that_differs_is_refuted_by_a_state_and_a_sample(
    gov, board: Path, before: str, behind: str, told: str
) -> None:
    bundle = load_bundle(board)
    source = bundle.parts["policy.c"].decode()
    assert before in source
    board.write_bytes(with_parts(bundle, {"policy.c": source.replace(before, behind).encode()}))
    ran = gov("verify", "--no-cache", "--format", "json", board)
    assert ran.code == 1, ran.out
    (finding,) = (one for one in ran.json["findings"] if one["code"] == "GOV307")
    assert "the C differs from the policy" in finding["message"]
    assert told in finding["message"]
    assert ", with clock.now" in finding["message"] or "state.restart.age = " in finding["message"]


@pytest.mark.parametrize("artefact_name", ["c", "wasm"])
def test_the_edge_is_refused_where_cells_are_kept_by_another_field(
    gov, pool: Path, tmp_path: Path, artefact_name: str
) -> None:
    ran = gov("build", pool, "-o", tmp_path / "out", "--emit", artefact_name)
    assert ran.code == 2
    assert "GOV716" in ran.err
    assert not (tmp_path / "out").exists()


def with_parts(bundle: Bundle, others: dict[str, bytes]) -> bytes:
    """A bundle with other parts, their hashes as they should be."""
    hashes = {name: artefact(part) for name, part in others.items()}
    known = {**bundle.manifest.artefacts, **hashes}
    manifest = bundle.manifest.model_copy(update={"artefacts": known})
    return pack({**bundle.parts, **others, "manifest.json": manifest_bytes(manifest)})


# --- forged --------------------------------------------------------------------------------------


def forged(bundle: Bundle, table: bytes) -> bytes:
    """A bundle with another table, its hash as it should be."""
    known = {**bundle.manifest.artefacts, "table.bin": artefact(table)}
    manifest = bundle.manifest.model_copy(update={"artefacts": known})
    parts = {**bundle.parts, "table.bin": table, "manifest.json": manifest_bytes(manifest)}
    return pack(parts)


def with_kind(table: bytes, cell: str, kind: int) -> bytes:
    """A table in which a cell is set at another kind of sample."""
    schema = Table(table).schema
    assert schema.memory is not None
    number = next(i for i, one in enumerate(schema.memory.cells) if one.name == cell)
    rows = schema.rows(Section.UPDATES)
    update = next(i for i, row in enumerate(rows) if row["cell"] == number)
    return with_row(table, Section.UPDATES, update, kind=kind)


def test_a_table_that_remembers_something_else_is_refuted_by_a_sample(
    gov, fits, built: Path
) -> None:
    bundle = load_bundle(built)
    built.write_bytes(forged(bundle, with_kind(bundle.table, "restart.age", 1)))
    ran = gov("verify", "--no-cache", "--format", "json", built)
    assert ran.code == 1, ran.out
    fits("verify", ran.json)
    (finding,) = (one for one in ran.json["findings"] if one["code"] == "GOV307")
    assert "the update of cell `restart.age`" in finding["message"]
    (step,) = finding["witness"]["trace"]
    assert {"event", "tick"} & {*step}
    assert finding["witness"]["state"]
    assert "remembered      agent=a: " in gov("verify", "--no-cache", built).out


def test_a_manifest_that_tells_another_state_is_refused(gov, built: Path) -> None:
    bundle = load_bundle(built)
    told = bundle.manifest.model_copy(update={"state_bytes": 56})
    built.write_bytes(pack({**bundle.parts, "manifest.json": manifest_bytes(told)}))
    ran = gov("verify", built)
    assert ran.code == 2
    assert "GOV404" in ran.out
    assert "tells another state" in ran.out
