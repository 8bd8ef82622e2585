"""`gov serve` that cannot begin says why in one error, and leaves nothing begun behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

BUNDLE = Path(__file__).parents[2] / "runtime" / "builtin" / "job-1.0.0.govb"


def refused(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A start that must be refused."""
    command = [sys.executable, "-m", "govlang.cli", "serve", str(BUNDLE), *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("more", [(), ("--dev",)])
def test_an_address_in_use_is_refused_before_the_first_token_is_used_up(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = refused(tmp_path, "--data", "data", "--port", port, *more)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error[GOV617]: `127.0.0.1:{port}` cannot be listened at: addr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.invalid", "a" * 64])
def test_an_address_of_another_machine_is_refused(tmp_path: Path, host: str) -> None:
    ended = refused(tmp_path, "--data", "data", "--port", "0", "--host", host)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error[GOV617]: `{host}:0` cannot be listened at: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plugin", ["bogus:cat", "exec:no-such-command", "entry:no_such:f"])
def test_a_plugin_that_cannot_be_used_is_refused_before_anything_is_begun(
    tmp_path: Path, plugin: str
) -> None:
    ended = refused(tmp_path, "--dev", "--data", "data", "--port", "0", "--plugin", plugin)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error[GOV681]: ")
    assert not list(tmp_path.iterdir())
