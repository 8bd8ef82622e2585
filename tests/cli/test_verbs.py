from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from govlang.cli.baseline import without_known
from govlang.cli.formats.findings import error_of, fingerprint
from govlang.dsl.codes import CODES


def test_help_lists_and_explains_codes(gov, fits) -> None:
    assert len(gov("help").out.splitlines()) == len(CODES)
    ran = gov("help", "gov104", "--format", "json")
    fits("help", ran.json)
    assert gov("help", "104").out == gov("help", "GOV104").out
    assert gov("help", "GOV999").code == 2


def test_fmt_lays_out_once_and_for_all(gov, fits, policy: Path) -> None:
    policy.write_text(policy.read_text().replace("default deny", "default    deny"))
    ran = gov("fmt", "--check", "--format", "json", policy)
    assert ran.code == 1
    fits("fmt", ran.json)
    assert gov("fmt", policy).code == 0
    assert gov("fmt", "--check", policy).code == 0


def test_fmt_leaves_a_broken_file_as_it_is(gov, tmp_path: Path) -> None:
    path = tmp_path / "bad.gov"
    path.write_text("rule rule rule")
    assert gov("fmt", path).code == 2
    assert path.read_text() == "rule rule rule"
    assert [p.name for p in tmp_path.iterdir()] == ["bad.gov"]


def test_tests_run_on_the_compiled_table(gov, fits, policy: Path) -> None:
    ran = gov("test", "--coverage", "--format", "json", policy)
    assert ran.code == 0
    fits("test", ran.json)
    assert ran.json["coverage"]["rules"]["missing"] == [{"rule": "heavy_in_town"}]
    assert gov("test", "--threshold", "100", policy).code == 1


def test_a_failing_test_shows_what_was_decided(gov, fits, policy: Path) -> None:
    policy.write_text(policy.read_text().replace("expect allow by light", "expect deny"))
    ran = gov("test", "--format", "json", policy)
    assert ran.code == 1
    fits("test", ran.json)
    (finding,) = ran.json["findings"]
    assert "expected deny, found allow by `light`" in finding["message"]
    tree = ET.fromstring(gov("test", "--format", "junit", policy).out)
    assert tree[0].get("failures") == "1"


def test_a_file_that_cannot_be_used_has_no_tests_to_count(gov, policy: Path) -> None:
    policy.write_text("rule")
    ran = gov("test", policy)
    assert ran.code == 2
    assert f"unusable  {policy}: " in ran.out
    assert "tests" not in ran.out.splitlines()[-1]


def test_a_witness_is_decided_in_the_words_of_decide(gov, policy: Path) -> None:
    request = '{"agent": "a", "load": 3, "zone": "urban", "urgent": false}'
    test = '\ntest "gated" { request { agent "a", load 3 kg, zone urban, urgent false } expect allow }\n'
    policy.write_text(policy.read_text() + test)
    decided = gov("decide", policy, "--input", request).out.splitlines()[0].split("  ")[0]
    assert f"the outcome is  {decided} by `heavy_in_town`" in gov("test", policy).out


def test_a_policy_without_tests_fails_only_when_told(gov, policy: Path) -> None:
    policy.write_text(policy.read_text().partition("test ")[0])
    assert gov("test", policy).code == 0
    assert gov("test", "--fail-on-empty", policy).code == 1


def test_generated_tests_pass_and_close_the_gap(gov, policy: Path) -> None:
    ran = gov("test", "--generate", policy)
    assert ran.code == 0
    assert 'test "heavy_in_town fires"' in ran.out
    policy.write_text(policy.read_text() + "\n" + ran.out)
    assert gov("test", "--threshold", "100", policy).code == 0


def test_generated_tests_come_as_json_too(gov, fits, policy: Path, monkeypatch) -> None:
    plain = gov("test", "--generate", policy).out
    ran = gov("test", "--generate", "--format", "json", policy, policy)
    assert ran.code == 0
    for report in ran.lines:
        fits("generate", report)
        assert (report["status"], report["text"], report["findings"]) == ("generated", plain, [])
    monkeypatch.setattr("govlang.cli.generate.missing_tests.__defaults__", (1,))
    assert "only the first 1 of the missing tests" in gov("test", "--generate", policy).err
    (note,) = gov("test", "--generate", "--format", "json", policy).json["findings"]
    assert (note["code"], note["severity"]) == ("GOV714", "note")
    policy.write_text("rule")
    ran = gov("test", "--generate", "--format", "json", policy)
    assert ran.code == 2
    fits("generate", ran.json)
    assert gov("test", "--generate", policy).code == 2
    assert gov("test", "--generate", "--format", "sarif", policy).code == 2


def test_a_new_project_checks_verifies_and_passes(gov, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "my policy"
    made = gov("new", folder)
    assert made.code == 0
    assert f"next   cd {shlex.quote(str(folder))} && gov verify" in made.out
    monkeypatch.chdir(folder)
    assert gov("check").code == 0
    assert gov("fmt", "--check", "policy.gov", "tests.gov").code == 0
    ran = gov("verify", "--format", "json")
    assert (ran.code, ran.json["status"]) == (0, "proved"), ran.out
    assert ran.json["findings"] == []
    assert gov("build", "-o", "dist").code == 0
    assert gov("test", "--fail-on-empty", "--threshold", "100").code == 0
    assert gov("new", folder).code == 2
    (folder / "gov.toml").write_text('files = ["policy.gov", "tests.gov"]')
    assert "`gov.toml` names 2 files" in gov("build", "-o", "dist").err


def test_verify_reports_as_published(gov, fits, policy: Path) -> None:
    ran = gov("verify", "--format", "json", policy)
    assert ran.code == 0, ran.out
    fits("verify", ran.json)
    again = gov("verify", "--format", "json", policy)
    assert again.json == ran.json, "the second report comes from the cache"


def test_several_files_can_be_verified_side_by_side(gov, policy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gov"
    other.write_text(policy.read_text().replace("policy tiny", "policy other"))
    ran = gov("verify", "--jobs", "2", "--format", "json", policy, other, tmp_path / "none.gov")
    assert [line["policy"] for line in ran.lines] == ["tiny", "other", None]
    assert ran.code == 2


def test_a_conflict_is_shown_with_a_request(gov, fits, policy: Path) -> None:
    policy.write_text(
        policy.read_text()
        + "\nrule never when load < 1 kg deny\nrule ever when load < 2 kg allow\n"
    )
    ran = gov("verify", "--format", "json", policy)
    assert ran.code == 1
    fits("verify", ran.json)
    conflict = next(f for f in ran.json["findings"] if f["code"] == "GOV301")
    assert conflict["witness"]["trace"][0]["request"]["load"] < 1
    assert gov("verify", "--accept", "conflict", policy).code == 0
    baseline = policy.parent / "baseline.json"
    baseline.write_text(ran.out)
    assert gov("verify", "--baseline", baseline, policy).code == 0
    for style in ("sarif", "junit", "github", "text"):
        assert "GOV301" in gov("verify", "--format", style, policy).out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--accept", "nonsense"),
        ("--accept", "GOV309"),
        ("--no-looser",),
        ("--baseline", "/no/such"),
        ("--timeout", "0"),
        ("--against", "/no/such"),
    ],
)
def test_options_that_cannot_be_used_are_exit_2(gov, policy: Path, arguments) -> None:
    assert gov("verify", policy, *arguments).code == 2


def test_what_cannot_be_accepted_is_answered_with_each_kind_once_and_its_codes(
    gov, policy: Path
) -> None:
    ran = gov("verify", str(policy), "--accept", "GOV309")
    assert ran.code == 2
    assert "[GOV708]: there is no kind or code `GOV309` to accept" in ran.err
    assert "`--allow-undecided NAME`" in ran.err
    assert "conflict (GOV301, GOV315), unreachable (GOV302, GOV314)" in ran.err
    for kind in ("GAP", "gov314", "conflict", "GOV308"):
        assert "GOV708" not in gov("verify", str(policy), "--accept", kind).err
    assert "GOV708" in gov("verify", str(policy), "--accept", "GOV307").err, "no one accepts that"


def test_several_kinds_can_be_accepted_with_blanks_between_them(gov, policy: Path) -> None:
    assert gov("verify", policy, "--accept", "gap, GOV303").code == 0


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '{"findings": [[1]]}',
        '{"findings": ["x"]}',
        '{"findings": [{"code": "G", "span": 1}]}',
    ],
)
def test_a_baseline_that_is_no_report_is_refused(gov, policy: Path, text: str) -> None:
    baseline = policy.parent / "baseline.json"
    baseline.write_text(text)
    ran = gov("verify", "--baseline", baseline, policy)
    assert ran.code == 2
    assert "GOV703" in ran.err


def test_import_writes_what_checks(gov, tmp_path: Path) -> None:
    source = tmp_path / "safety.yaml"
    source.write_text("rules: [{id: a-b, match: {topics: ['x.*']}, decision: allow}]\n")
    ran = gov("import", "safety-yaml", source)
    assert ran.code == 0
    path = tmp_path / "out.gov"
    path.write_text(ran.out)
    assert gov("check", path).code == 0
    assert gov("fmt", "--check", path).code == 0
    source.write_text("rules: [{id: a, when: {nope: 1}, decision: allow}]\n")
    ran = gov("import", "safety-yaml", source)
    assert (ran.code, ran.out) == (2, "")
    assert "GOV602" in ran.err


def test_export_is_refused_where_it_would_lose_something(gov, policy: Path) -> None:
    ran = gov("export", "jsonlogic", policy)
    assert (ran.code, ran.out) == (2, "")
    ran = gov("export", "jsonlogic", policy, "--decisions-only")
    assert ran.code == 0
    assert "if" in json.loads(ran.out)


def test_a_fault_of_our_own_is_a_message(
    gov, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import govlang.cli.check

    def fail(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(govlang.cli.check, "check_file", fail)
    ran = gov("check", policy)
    assert ran.code == 2
    assert "GOV700" in ran.err


@pytest.mark.parametrize(
    ("library", "arguments"),
    [("z3", ("verify",)), ("z3", ("explain", "--core")), ("cvc5", ("verify", "--cross-check"))],
)
def test_a_library_that_is_missing_is_named_with_its_extra(
    gov, policy: Path, monkeypatch: pytest.MonkeyPatch, library: str, arguments
) -> None:
    for name in [
        n for n in sys.modules if n.startswith(("govlang.verifier", "govlang.cli", library))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    ran = gov(*arguments, policy)
    if "--core" in arguments:
        assert ran.code == 0, "what needs no solver runs without one"
    else:
        assert (ran.code, "GOV713" in ran.err) == (2, True), ran.err


HARD = """language 1
policy hard version "1"
default allow
input {
  a : number in 2..100000
  b : number in 2..100000
  c : number in 2..1000
}
prove never: a * b * c != 982451653 or a == b
"""


def test_what_the_solver_leaves_open_is_exit_3_and_is_never_cached(
    gov, fits, tmp_path: Path
) -> None:
    path = tmp_path / "hard.gov"
    path.write_text(HARD)
    for _ in range(2):
        ran = gov("verify", "--timeout", "0.01", "--format", "json", path)
        assert (ran.code, ran.json["status"]) == (3, "undecided"), ran.out
        fits("verify", ran.json)
    assert not list(tmp_path.rglob("cache/*.json"))
    bad = tmp_path / "bad.gov"
    bad.write_text("language")
    assert gov("verify", "--timeout", "0.01", path, bad).code == 2, "2 comes before 3"
    out = tmp_path / "out"
    assert gov("build", path, "-o", out, "--timeout", "0.01").code == 3
    assert not out.exists()


def test_a_verdict_that_nobody_reads_is_not_taken_for_a_good_one(policy: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    main = [sys.executable, "-c", "from govlang.cli import main; main()", "verify", str(policy)]
    ran = subprocess.run(main, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_a_cached_report_is_the_report_to_the_digit(
    gov, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOV_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "fine.gov"
    path.write_text(
        'language 1\npolicy fine version "1"\ndefault allow\n'
        "input { x : number in 0..1 step 0.000000000000000001 }\n"
        "prove none: x >= 0.123456789012345677 and x <= 0.123456789012345679 implies decision is deny\n"
    )
    first = gov("verify", "--format", "json", path).out
    assert "0.12345678901234567" in first
    assert gov("verify", "--format", "json", path).out == first
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text("[1")
    assert gov("verify", "--format", "json", path).code == 1, "a damaged cache is proved anew"


def test_a_user_without_a_home_has_no_cache(
    gov, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless(path: Path) -> Path:
        raise RuntimeError(path)

    monkeypatch.delenv("GOV_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert gov("verify", policy).code == 0


@pytest.mark.parametrize(
    ("code", "verdict"), [("GOV301", "proved"), ("GOV307", "refuted"), ("GOV309", "undecided")]
)
def test_a_baseline_makes_nothing_proved_that_was_left_open(code: str, verdict: str) -> None:
    finding = error_of(code, "property", "it", None)
    report = {"findings": [finding], "status": "refuted", "proved": []}
    assert without_known(report, frozenset({fingerprint(finding)}))["status"] == verdict
