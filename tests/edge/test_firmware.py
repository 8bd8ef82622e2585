from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tools import tool

from govlang.cli.compiled import HEADER, SOURCE, compile_edge
from govlang.compiler.frontend import compile_file
from govlang.compiler.interpret import decide, default_params

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "edge"
DRONE = compile_file(ROOT / "examples" / "stateless" / "drone_fleet.gov").policy
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
ASKED = re.compile(r"  asked (.*): (-?\d), decision (\d) by rule (\d+)")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the C of the drone policy."""
    folder = tmp_path_factory.mktemp("firmware")
    parts = compile_edge(DRONE, "sha256:" + "0" * 64)
    (folder / "drone_fleet.h").write_bytes(parts[HEADER])
    (folder / "drone_fleet.c").write_bytes(parts[SOURCE])
    return folder


def run(built: Path, compiler: str, *flags: str) -> str:
    program = built / f"firmware_{compiler}_{len(flags)}"
    sources = (FOLDER / "firmware.c", built / "drone_fleet.c")
    command = (tool(compiler), *STRICT, *flags, f"-I{built}", *sources, "-o", program)
    subprocess.run([str(part) for part in command], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_firmware_does_what_the_policy_asks_of_it(
    built: Path, compiler: str, golden: Callable[[str, str], None]
) -> None:
    golden("edge/firmware.txt", run(built, compiler))


def test_nothing_in_the_firmware_is_undefined(built: Path) -> None:
    checked = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    assert run(built, "gcc", *checked) == run(built, "gcc")


def test_the_firmware_hears_what_the_interpreter_says(built: Path) -> None:
    """Rule and decision of every question, and what the drone may not do after it."""
    heard = 0
    names = [rule.id for rule in DRONE.rules]
    for scene in re.split(r"^(?=\S)", run(built, "gcc"), flags=re.MULTILINE)[1:]:
        for variables, answer, decision, rule in ASKED.findall(scene):
            words = variables.split()
            values = dict(zip(words[::2], map(int, words[1::2]), strict=True))
            valid = all(one.is_text or one.lo <= values[one.name] <= one.hi for one in DRONE.fields)
            assert (answer == "0") == valid
            if valid:
                expected = decide(DRONE, default_params(DRONE), values | {"drone": "d7"})
                assert (int(decision), names[int(rule)]) == (expected.decision, expected.rule_id)
                isolated = {"do": "isolate"} in expected.obligations
                assert isolated == ("  isolate: " in scene)
            heard += 1
        permits = [int(decision) <= 1 for *_, decision, _ in ASKED.findall(scene)]
        assert permits[-1] or "  fly" not in scene
    assert heard == 18
