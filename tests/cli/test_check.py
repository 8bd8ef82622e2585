from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest


def test_a_usable_policy_exits_0(gov, fits, policy: Path) -> None:
    ran = gov("check", "--format", "json", policy)
    assert ran.code == 0
    fits("check", ran.json)
    assert (ran.json["policy"], ran.json["status"]) == ("tiny", "usable")


def test_every_fault_is_reported_at_once_with_place_and_help(gov, fits, tmp_path: Path) -> None:
    path = tmp_path / "bad.gov"
    text = 'language 1\npolicy p version "1"\ninput { x : number in 0..5 kg }\n'
    path.write_text(text + "rule a when y > 3 kg deny\nrule b when x > 3 deny\n")
    ran = gov("check", "--format", "json", path)
    assert ran.code == 2
    fits("check", ran.json)
    assert len(ran.json["findings"]) == 2
    assert {f["span"]["line"] for f in ran.json["findings"]} == {4, 5}
    text_ran = gov("check", path)
    assert "^" in text_ran.out
    assert "help:" in text_ran.out


def test_several_files_are_several_policies(gov, policy: Path, tmp_path: Path) -> None:
    ran = gov("check", "--format", "json", policy, tmp_path / "none.gov", policy)
    assert [line["status"] for line in ran.lines] == ["usable", "unusable", "usable"]
    assert ran.code == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "GOV102"),
        (b"\xff\xfe", "GOV101"),
        (b"// " + b"x" * 10_000_000, "GOV103"),
        (b'language 1\npolicy p version "1"\nrule a when ' + b"(" * 1000 + b"true", "GOV104"),
        (b"language 7", "GOV"),
    ],
)
def test_bad_files_are_coded_errors(gov, tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "bad.gov"
    path.write_bytes(content)
    ran = gov("check", "--format", "json", path)
    assert ran.code == 2
    assert any(f["code"].startswith(code) for f in ran.json["findings"])


def test_a_folder_is_a_coded_error(gov, tmp_path: Path) -> None:
    assert gov("check", tmp_path).code == 2


def test_sarif_has_rules_places_and_fingerprints(gov, tmp_path: Path) -> None:
    path = tmp_path / "bad.gov"
    path.write_text('language 1\npolicy p version "1"\nrule a when y > 3 deny\n')
    log = gov("check", "--format", "sarif", path).json
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][0]["id"] == result["ruleId"]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 3
    before = result["partialFingerprints"]
    path.write_text('\n\nlanguage 1\npolicy p version "1"\nrule a when y > 3 deny\n')
    after = gov("check", "--format", "sarif", path).json["runs"][0]["results"][0]
    assert after["partialFingerprints"] == before


def test_junit_is_xml_with_a_failure(gov, policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.gov"
    path.write_text('language 1\npolicy p version "1"\nrule a when y > "\x07" deny\n')
    tree = ET.fromstring(gov("check", "--format", "junit", path, policy).out)
    assert [suite.get("failures") != "0" for suite in tree] == [True, False]


def test_github_annotations_stand_on_one_line_each(gov, tmp_path: Path) -> None:
    path = tmp_path / "bad.gov"
    path.write_text('language 1\npolicy p version "1"\nrule a when y > 3 deny\n')
    (line,) = gov("check", "--format", "github", path).out.splitlines()
    assert line.startswith("::error title=GOV")
    assert "line=3" in line


def test_check_loads_neither_the_solver_nor_the_table(policy: Path) -> None:
    script = (
        "import sys\nfrom govlang.cli.app import run\n"
        f"assert run(['check', {str(policy)!r}]) == 0\n"
        "heavy = {'z3', 'lark', 'rich', 'pydantic', 'networkx', 'cffi', 'yaml', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_wrong_command_line_is_exit_2(gov) -> None:
    assert gov("chekc").code == 2
    assert "did you mean `check`" in gov("chekc").err
    assert gov("check", "--nope").code == 2
    assert gov("check").code == 2


@pytest.mark.parametrize(
    "line",
    [
        'files = "tiny.gov"',
        "files = [3]",
        'strict = "false"',
        'accept = "gap"',
        "accept = [301]",
        'timeout_s = "10"',
        "timeout_s = true",
        "timeout_s = nan",
        "timeout_s = 0",
    ],
)
def test_a_value_of_the_wrong_type_in_the_project_file_is_refused(
    gov, policy: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(policy.parent)
    (policy.parent / "gov.toml").write_text(line + "\n")
    ran = gov("verify")
    assert ran.code == 2
    assert f"`{line.split(maxsplit=1)[0]}` in `gov.toml` must be" in ran.err


def test_the_project_file_names_the_files(
    gov, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(policy.parent)
    (policy.parent / "gov.toml").write_text('files = ["tiny.gov"]\n')
    assert json.loads(gov("check", "--format", "json").out)["policy"] == "tiny"
    (policy.parent / "gov.toml").write_text('flies = ["tiny.gov"]\n')
    assert "GOV704" in gov("check").err


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_on_a_terminal_follows_no_color(policy: Path, no_color: str, coloured: bool) -> None:
    main = [sys.executable, "-c", "from govlang.cli import main; main()"]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm"}
    for verb in (["check"], ["verify"]):
        ran = subprocess.run([*main, *verb, policy], stdout=theirs, env=environment, check=False)
        assert ran.returncode == 0
        assert (b"\x1b[" in os.read(ours, 65536)) is coloured
    os.close(ours)
    os.close(theirs)


def test_a_place_in_sarif_is_a_uri(gov, policy: Path) -> None:
    odd = policy.with_name("a b#c%41.gov")
    odd.write_text("rule")
    result = gov("check", "--format", "sarif", odd).json["runs"][0]["results"][0]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.endswith("a%20b%23c%2541.gov")
