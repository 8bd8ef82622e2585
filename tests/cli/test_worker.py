from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from gateway_policy import asked
from gateways import gateway, hasty, served_routes

__all__ = ["gateway", "hasty", "served_routes"]

PLUGIN = """
import time

def slow(job):
    time.sleep(job.payload)
    return "slept"
"""


def start(url: str, place: Path, *more: str) -> subprocess.Popen[str]:
    (place / "mine.py").write_text(PLUGIN)
    words = ["--url", url, "--pool", "ops", "--plugin", "entry:mine:slow", "--grace", "5", *more]
    return subprocess.Popen(
        [str(Path(sys.executable).parent / "gov"), "worker", *words],
        cwd=place,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(gateway: Any, job_id: str, state: str) -> None:
    until = time.monotonic() + 20
    while gateway.client.job(job_id).state != state:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_worker_runs_jobs_until_it_is_told_to_stop(gateway, tmp_path: Path) -> None:
    made = [gateway.client.submit(asked("infra.read"), pool="ops", payload=n) for n in (0, 1)]
    token = gateway.client.create_token(["worker"], ttl_s=60).token
    (tmp_path / "token").write_text(f"{token}\n")
    running = start(gateway.url, tmp_path, "--token-file", str(tmp_path / "token"))
    wait_for(gateway, made[0].job_id, "succeeded")
    wait_for(gateway, made[1].job_id, "running")
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 0, said
    assert gateway.client.job(made[1].job_id).output == "slept"
    events = [json.loads(line) for line in said.splitlines()]
    assert [one["event"] for one in events[:3]] == ["ready", "started", "ended"]
    assert events[-1]["event"] == "stopped"
    assert {"job_id", "agent", "level", "timestamp", "component"} <= set(events[1])
    assert token not in said


def test_a_gateway_that_refuses_the_token_ends_it(gateway, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("gov_unknown")
    running = start(gateway.url, tmp_path, "--token-file", str(tmp_path / "token"))
    _, said = running.communicate(timeout=20)
    assert running.returncode == 2
    assert "GOV683" in said
    assert "gov_unknown" not in said
    assert '"ready"' not in said


USELESS = [
    ("GOV680", ["--plugin", "exec:cat", "--url", "http://127.0.0.1:1", "--token-file", "empty"]),
    ("GOV680", ["--plugin", "exec:cat", "--url", "http://127.0.0.1:1", "--token-file", "two"]),
    ("GOV701", ["--plugin", "exec:cat", "--url", "http://127.0.0.1:1", "--token-file", "none"]),
    ("GOV681", ["--plugin", "cat", "--url", "http://127.0.0.1:1"]),
    ("GOV682", ["--plugin", "exec:cat", "--url", "127.0.0.1:1"]),
]


@pytest.mark.parametrize(("code", "words"), USELESS)
def test_what_cannot_be_used_is_said_at_once(gov, tmp_path: Path, monkeypatch, code, words) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("gov_a\ngov_b\n")
    ran = gov("worker", "--pool", "ops", *words)
    assert (ran.code, code in ran.err) == (2, True), ran.err
    assert "gov_a" not in ran.err


def test_a_token_comes_from_the_environment_where_no_file_is_named(monkeypatch) -> None:
    from govlang.cli.worker import read_token

    monkeypatch.delenv("GOV_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("GOV_TOKEN", "gov_1_x\n")
    assert read_token(None) == "gov_1_x"
