"""The sdist and the wheel: built, installed apart from the sources, and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.packaging

REQUEST = '{"drone": "d7", "battery": 18, "payload": 2, "zone": "urban", "cpu_load": 95}'
HOST = '{"restarted": false, "sensor_fault": false}'


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The folder with the sdist, and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, root, cwd=out)
    return out


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Path:
    """A fresh environment with the wheel in it; third-party packages come from ours."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False)
    fresh = home / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    target = run(
        fresh, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", cwd=home
    ).strip()
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", fresh)
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=home)
    ours = sysconfig.get_paths()["purelib"]
    (Path(target) / "third_party.pth").write_text(f"{ours}\n", encoding="utf-8")
    return fresh


def test_the_wheel_runs_on_every_python_from_3_11(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert "-cp311-abi3-" in wheel.name


def test_the_wheel_holds_what_is_loaded_at_run_time(built: Path, root: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(ZipFile(wheel).namelist())
    for needed in (
        "govlang/py.typed",
        "govlang/dsl/parser_tables.json",
        "govlang/native/_table.abi3.so",
        "govlang/native/_dict.abi3.so",
        "govlang/native/gov_table.h",
        "govlang/cli/html/page.css",
        "govlang/runtime/evidence/auditor.py",
        "govlang/cli/templates/policy.gov",
        "govlang/cli/templates/workflow.yml",
        "govlang/runtime/builtin/breaker-1.0.0.govb",
        "govlang/runtime/builtin/job-1.0.0.govb",
        "govlang/runtime/control/store/schema.sql",
        *(f"govlang/runtime/js/{path.name}" for path in (root / "runtime" / "js").iterdir()),
    ):
        assert needed in names, needed
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]


def test_the_sdist_holds_the_sources_of_the_extensions(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in (
        "src/govlang/native/gov_table.c",
        "src/govlang/native/gov_dict.c",
        "src/govlang/runtime/js/govlang.mjs",
        "LICENSE",
    ):
        assert needed in names, needed


def test_the_installed_wheel_builds_a_policy_and_decides(
    python: Path, root: Path, tmp_path: Path
) -> None:
    gov = python.parent / "gov"
    run(
        gov,
        "build",
        root / "examples" / "stateless" / "drone_fleet.gov",
        "-o",
        tmp_path,
        cwd=tmp_path,
    )
    (bundle,) = tmp_path.glob("*.govb")
    asked = ("--input", REQUEST, "--runtime", HOST, "--format", "json")
    outcome = json.loads(run(gov, "decide", bundle, *asked, cwd=tmp_path))
    assert (outcome["decision"], outcome["rule_id"]) == ("deny", "payload_cap")


def test_the_runtime_loads_neither_the_parser_nor_the_solver(python: Path, tmp_path: Path) -> None:
    script = (
        "import sys, govlang; from govlang import Policy; Policy\n"
        "assert 'site-packages' in govlang.__file__, govlang.__file__\n"
        "print(sorted({'lark', 'z3', 'govlang.dsl', 'govlang.compiler'} & set(sys.modules)))"
    )
    assert run(python, "-c", script, cwd=tmp_path).strip() == "[]"


def test_the_installed_wheel_serves(python: Path, root: Path, tmp_path: Path) -> None:
    gov = python.parent / "gov"
    source = root / "examples" / "stateless" / "control_plane.gov"
    run(gov, "build", source, "-o", tmp_path, cwd=tmp_path)
    (bundle,) = tmp_path.glob("*.govb")
    asked = [gov, "serve", bundle, "--dev", "--port", "0"]
    command = [str(part) for part in asked]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            line = next(line for line in serving.stdout if line.startswith("listening"))
            ready = line.split()[1] + "/readyz"
            with urllib.request.urlopen(ready, timeout=10) as answer:  # noqa: S310  # our own, on loopback
                assert json.load(answer)["status"] == "ready"
        finally:
            serving.terminate()
        assert serving.wait(30) == 0
