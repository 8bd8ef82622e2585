"""Files that never end, streams that are not there, and files that are not plain ones."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ENDLESS = "/dev/zero"
READERS = [
    ("fmt", ENDLESS),
    ("check", ENDLESS),
    ("import", "csv", ENDLESS),
    ("import", "safety-yaml", ENDLESS),
    ("import", "jsonlogic", ENDLESS, "--schema", ENDLESS),
    ("verify", "POLICY", "--baseline", ENDLESS),
    ("build", "POLICY", "-o", "out", "--key", ENDLESS),
    ("decide", "POLICY", "--input", f"@{ENDLESS}"),
    ("decide", "POLICY", "--trace", ENDLESS),
    ("decide", "POLICY", "--input", "{}", "--require-signature", ENDLESS),
]


@pytest.mark.skipif(not Path(ENDLESS).exists(), reason="needs a device that never ends")
@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_an_endless_file_is_refused_in_little_memory(
    policy: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    given = [str(policy) if word == "POLICY" else word for word in arguments]
    command = [sys.executable, "-c", "from govlang.cli import main; main()", *given]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30)),
    )
    assert ran.returncode == 2
    said = ran.stdout + ran.stderr
    assert "error[GOV" in said
    assert "GOV702" not in said  # not by running out of memory
    assert "Traceback" not in said


def test_standard_input_that_is_closed_is_empty(gov, policy: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    ran = gov("decide", policy, "--input", "-")
    assert ran.code == 2
    assert "GOV413" in ran.err


def test_laying_out_keeps_links_and_modes(gov, policy: Path, tmp_path: Path) -> None:
    policy.write_text(policy.read_text(encoding="utf-8").replace(" : ", ":"), encoding="utf-8")
    policy.chmod(0o600)
    link = tmp_path / "link.gov"
    link.symlink_to(policy.name)
    assert gov("fmt", link).code == 0
    assert link.is_symlink()
    assert policy.stat().st_mode & 0o777 == 0o600
    assert gov("fmt", "--check", policy).code == 0


def test_a_project_file_that_is_too_long_is_refused(gov, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gov.toml").write_text("# long\n" * 200_000, encoding="utf-8")
    ran = gov("check")
    assert ran.code == 2
    assert "GOV704" in ran.err
