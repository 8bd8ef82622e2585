from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ledgers import chained, database, fill, put, sign

from govlang.runtime.evidence import auditor
from govlang.runtime.evidence.keys import read_public
from govlang.runtime.evidence.ledger import Ledger
from govlang.runtime.evidence.note import Signer
from govlang.runtime.evidence.source import open_source
from govlang.runtime.evidence.statement import open_envelope


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    jobs = (("run_1:a@1", "ALLOW"), ("run_1:a@1", None), ("run_2:b@1", "DENY"))
    bodies = [{"job_id": job, "decision": decision, "at_ms": 5} for job, decision in jobs]
    place.mkdir()
    put(place, *chained(bodies))
    return place


def test_a_ledger_is_signed_and_verified_with_the_key(
    gov, fits, ledger: Path, tmp_path: Path
) -> None:
    made = gov("evidence", "checkpoint", ledger, "--origin", "log")
    assert made.code == 0
    assert made.out.startswith("log\n3\n")
    assert made.out.encode() == (ledger / "checkpoint").read_bytes()
    (tmp_path / "kept").write_text(made.out)
    asked = ("--key", ledger / "ledger.pub", "--checkpoint", tmp_path / "kept", "--canonical")
    ran = gov("evidence", "verify", ledger, *asked, "--format", "json")
    assert ran.code == 0
    fits("evidence-verify", ran.json)
    assert (ran.json["covered"], ran.json["origin"]) == (3, "log")
    assert ran.json["signed_by"] == [str(read_public(ledger)[0].verifier)]
    bodies = [{"job_id": "other", "decision": "ALLOW"}] * 3
    put(ledger, *chained(bodies))
    ran = gov("evidence", "verify", ledger, *asked, "--format", "json")
    assert ran.code == 1
    fits("evidence-verify", ran.json)
    assert {fault["code"] for fault in ran.json["faults"]} == {"GOV661", "GOV666"}
    assert gov("evidence", "checkpoint", ledger).code == 2


def test_a_checkpoint_can_be_signed_with_a_key_of_one_s_own(
    gov, ledger: Path, tmp_path: Path
) -> None:
    pem = tmp_path / "key.pem"
    signer = Signer.new("mine")
    pem.write_bytes(signer.to_pem())
    assert gov("evidence", "checkpoint", ledger, "--key", pem).code == 2
    assert gov("evidence", "checkpoint", ledger, "--key", pem, "--origin", "mine").code == 0
    assert not (ledger / "ledger.key").exists()
    verified = gov("evidence", "verify", ledger, "--key", str(signer.verifier))
    assert verified.code == 0
    assert "signed  3 records, as `mine`" in verified.out


def test_a_rotation_keeps_the_old_key_s_trust(gov, ledger: Path) -> None:
    gov("evidence", "checkpoint", ledger, "--origin", "log")
    old = str(read_public(ledger)[0].verifier)
    assert gov("evidence", "checkpoint", ledger, "--rotate").out.count("— log ") == 2
    fill(ledger, 2)
    assert gov("evidence", "checkpoint", ledger).out.startswith("log\n5\n")
    assert gov("evidence", "verify", ledger, "--key", old).code == 0
    assert gov("evidence", "checkpoint", ledger, "--rotate", "--key", "x").code == 2


def test_of_a_service_the_newest_checkpoint_is_told(gov, ledger: Path, tmp_path: Path) -> None:
    place = database(tmp_path / "service", [*open_source(ledger).lines()])
    assert gov("evidence", "checkpoint", place).code == 2
    assert not (place / "ledger.key").exists()
    _, note = sign(place)
    assert gov("evidence", "checkpoint", place).out.encode() == note
    shown = gov("evidence", "show", place, "--run", "run_1", "--format", "json").lines
    assert [record["seq"] for record in shown] == [1, 2]


def test_the_key_of_a_service_that_runs_is_not_rotated(gov, ledger: Path, tmp_path: Path) -> None:
    place = database(tmp_path / "service", [*open_source(ledger).lines()])
    sign(place)
    keys = (place / "ledger.pub").read_bytes()
    with (place / "LOCK").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = gov("evidence", "checkpoint", place, "--rotate")
    assert ran.code == 2
    assert "GOV502" in ran.err
    assert (place / "ledger.pub").read_bytes() == keys
    assert gov("evidence", "checkpoint", place, "--rotate").code == 0
    shutil.copy(ledger / "LEDGER.head", place)
    assert gov("evidence", "verify", place, "--key", keys.decode().strip()).code == 0
    assert len(read_public(place)) == 2


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [((), [1, 3]), (("--job", "run_1:a@1"), [1, 2]), (("--run", "run_2"), [3])],
)
def test_records_are_exported_signed(
    gov, ledger: Path, tmp_path: Path, choice: tuple[str, ...], numbers: list[int]
) -> None:
    pem = tmp_path / "key.pem"
    signer = Signer.new("log")
    pem.write_bytes(signer.to_pem())
    ran = gov("evidence", "export", ledger, "--key", pem, "--origin", "log", *choice)
    assert ran.code == 0
    found = [open_envelope(line.encode(), signer.verifier) for line in ran.out.splitlines()]
    assert [statement["predicate"]["seq"] for statement in found] == numbers


@pytest.mark.parametrize(
    "arguments",
    [
        ("--job", "none"),
        ("--job", "a", "--run", "b"),
        ("--key", "nothing.pem"),
        ("--origin", "other"),
    ],
)
def test_an_export_that_cannot_be_is_exit_2(gov, ledger: Path, arguments: tuple[str, ...]) -> None:
    assert gov("evidence", "export", ledger).code == 2
    sign(ledger)
    ran = gov("evidence", "export", ledger, *arguments)
    assert ran.code == 2
    assert "GOV700" not in ran.err
    assert not ran.out


def test_nothing_signed_though_a_key_is_there_is_said(gov, ledger: Path) -> None:
    sign(ledger)
    assert "unsigned" not in gov("evidence", "verify", ledger).out
    (ledger / "checkpoint").unlink()
    ran = gov("evidence", "verify", ledger)
    assert ran.code == 0
    assert "unsigned  a key is there (`ledger.pub`) and no checkpoint" in ran.out
    done = subprocess.run(
        [sys.executable, "-I", "-S", auditor.__file__, ledger],
        check=False,
        capture_output=True,
        text=True,
        env={},
    )
    assert "checked  nothing is signed, though a key is there" in done.stdout


def test_the_auditor_is_written_beside_an_export(gov, ledger: Path, tmp_path: Path) -> None:
    sign(ledger)
    assert gov("evidence", "export", ledger, "--auditor", tmp_path / "auditor.py").code == 0
    done = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "auditor.py", ledger],
        check=False,
        capture_output=True,
        env={},
    )
    assert done.returncode == 0


def test_private_values_are_forgotten(gov, fits, tmp_path: Path) -> None:
    with Ledger(tmp_path) as made:
        for at in (0, 86_400_000):
            made.append({"at_ms": at}, salt=b"s" * 16)
    ran = gov("evidence", "forget-private", tmp_path, "--before", "1970-01-02", "--format", "json")
    fits("evidence-forget", ran.json)
    none = {"jobs": 0, "answers": 0, "deferred": 0, "needed": 0}
    assert ran.json == {"ledger": str(tmp_path), "forgotten": 1, **none}
    assert len((tmp_path / "LEDGER.salts").read_bytes().splitlines()) == 1
    assert gov("evidence", "forget-private", tmp_path, "--before", "soon").code == 2
    later = gov("evidence", "forget-private", tmp_path, "--before", "9999-12-31")
    assert (later.code, later.out) == (2, "")
    assert later.err.startswith("error[GOV708]: `--before 9999-12-31` is in the future")
    assert len((tmp_path / "LEDGER.salts").read_bytes().splitlines()) == 1
    assert gov("evidence", "verify", tmp_path).code == 0


def test_only_the_last_records_are_shown(gov, ledger: Path) -> None:
    shown = gov("evidence", "show", ledger, "--last", "2", "--format", "json").lines
    assert [record["seq"] for record in shown] == [2, 3]
    assert gov("evidence", "show", ledger, "--last", "2").err == ""
    none = gov("evidence", "show", ledger, "--job", "nix", "--run", "run_x")
    assert none.code == 0
    assert none.err == f"note: no record of `{ledger}` is of the job `nix` in the run `run_x`\n"
    text = gov("evidence", "show", ledger).out
    assert "run_2:b@1" in text
    assert json.loads(gov("evidence", "verify", ledger, "--format", "json").out)["covered"] == 0


def test_what_is_shown_to_a_program_is_not_cut_to_a_terminal(gov, tmp_path: Path) -> None:
    job = "run_" + "a" * 90 + ":step@1"
    put(
        tmp_path,
        *chained([{"job_id": job, "decision": "ALLOW", "topic": "infra.read." + "x" * 60}]),
    )
    assert job in gov("evidence", "show", tmp_path).out.splitlines()[1]


def test_an_export_of_a_decision_keeps_to_its_schema(gov, fits, policy: Path, tmp_path) -> None:
    place = tmp_path / "decided"
    asked = (
        "--input",
        '{"agent": "a", "load": 1, "zone": "rural", "urgent": false}',
        "--evidence",
        place,
        "--job",
        "run_1:a@1",
    )
    assert gov("decide", policy, *asked).code == 0
    ring, _ = sign(place)
    ran = gov("evidence", "export", place)
    fits("evidence-statement", open_envelope(ran.out.encode(), ring.signer.verifier))
