from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tools import PACKAGES, tool

ROOT = Path(__file__).resolve().parents[2]


def test_a_program_that_is_there_is_found() -> None:
    assert Path(tool("gcc")).is_file()


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="`wabt`"):
        tool("wasm-validate")


def test_in_ci_a_missing_program_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="`gcc-arm-none-eabi`"):
        tool("arm-none-eabi-gcc")


def test_the_script_installs_what_the_tests_call() -> None:
    script = (ROOT / ".ci" / "edge-packages").read_text("utf-8")
    needed = set(PACKAGES) - {"gcc", "arm-none-eabi-size"}  # the build's; comes with the compiler
    assert {name for name in needed if f"need {name}" not in script} == set()


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_where_nothing_can_be_installed_the_script_says_what_is_missing(
    tmp_path: Path, ci: str, code: int
) -> None:
    for name in ("bash", "id"):
        (tmp_path / name).symlink_to(tool_path(name))
    done = subprocess.run(
        [tmp_path / "bash", ROOT / ".ci" / "edge-packages"],
        env={"PATH": str(tmp_path), "CI": ci},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert "cannot be installed here: gcc-arm-none-eabi qemu-system-arm" in done.stderr


def tool_path(name: str) -> str:
    found = shutil.which(name)
    assert found
    return found
