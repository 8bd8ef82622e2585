from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REQUEST: dict[str, Any] = {"agent": "a", "load": 6.5, "zone": "urban", "urgent": False}


def test_each_rule_says_its_part_and_what_would_be_allowed(gov, fits, policy: Path) -> None:
    ran = gov("explain", policy, "--input", json.dumps(REQUEST), "--format", "json")
    assert ran.code == 0
    fits("explain", ran.json)
    parts = {part["rule"]: part for part in ran.json["rules"]}
    assert parts["heavy_in_town"]["status"] == "decides"
    (failed,) = parts["light"]["failed"]
    assert failed == {"condition": "load <= cap", "found": {"load": 6.5}}
    nearest = ran.json["nearest"]
    assert nearest["status"] == "found"
    assert nearest["decision"] in {"allow", "limit"}
    decided = gov(
        "decide", policy, "--format", "json", "--input", json.dumps(nearest["request"]),
        "--runtime", json.dumps(nearest["runtime"]),
    )  # fmt: skip
    assert decided.json["decision"] == nearest["decision"]


def test_text_names_the_condition_that_failed(gov, policy: Path) -> None:
    out = gov("explain", policy, "--input", json.dumps(REQUEST)).out
    assert "not: load <= cap   (load is 6.5)" in out
    assert "would be allow" in out


def test_an_invalid_request_is_explained_by_its_reason(gov, fits, policy: Path) -> None:
    ran = gov("explain", policy, "--input", "{}", "--format", "json")
    fits("explain", ran.json)
    assert ran.json["outcome"]["rule_id"] == "invalid_request"
    assert ran.json["rules"] == []


def test_the_core_the_invariants_and_the_state_can_be_printed(gov, policy: Path) -> None:
    assert gov("explain", policy, "--invariants").out == "no invariants\n"
    policy.write_text(policy.read_text() + "\ninvariant calm: not (urgent and load > 9 kg)\n")
    core = gov("explain", policy, "--core", "--format", "json")
    assert core.json["policy"]["name"] == "tiny"
    assert "// invariant calm\ntier guards {" in gov("explain", policy, "--core").out
    assert "calm" in gov("explain", policy, "--invariants").out
    assert gov("explain", policy, "--state").out == "0 bytes of state\n"
    assert gov("explain", policy).code == 2


def test_diff_shows_what_changed(gov, fits, policy: Path) -> None:
    other = policy.parent / "other.gov"
    other.write_text(policy.read_text().replace("load > 2 kg", "load > 3 kg"))
    ran = gov("diff", policy, other, "--format", "json")
    assert ran.code == 1
    fits("diff", ran.json)
    assert ran.json["looser"] is True
    assert gov("diff", policy, policy).code == 0
    assert gov("diff", policy, policy.parent / "none.gov").code == 2
    for style in ("sarif", "junit", "github", "text"):
        assert "GOV308" in gov("diff", policy, other, "--format", style).out
    assert gov("verify", other, "--against", policy, "--no-looser").code == 1
    assert gov("verify", policy, "--against", policy, "--no-looser").code == 0


def test_diff_counts_one_kind_in_the_singular(gov, tmp_path: Path) -> None:
    for name, bound in (("old", 3), ("new", 4), ("none", 3)):
        (tmp_path / f"{name}.gov").write_text(
            'language 1\npolicy p version "1"\ninput { x : number in 0..9 }\ndefault allow\n'
            f"rule r when x > {bound} deny\n"
        )
    assert "changed  1 kind of requests, looser" in gov("diff", *_two(tmp_path, "old", "new")).out
    assert "same  no outcome changed" in gov("diff", *_two(tmp_path, "old", "none")).out


def _two(folder: Path, *names: str) -> list[Path]:
    return [folder / f"{name}.gov" for name in names]


def test_bench_measures_every_backend(gov, fits, policy: Path) -> None:
    ran = gov("bench", policy, "--requests", "200", "--format", "json")
    assert ran.code == 0
    fits("bench", ran.json)
    names = [row["backend"] for row in ran.json["backends"]]
    assert names == ["interpreter", "dict", "json", "columns"]
    assert "decisions a second" in gov("bench", policy, "--requests", "50").out


def test_places_are_paths_from_the_working_directory(gov, tmp_path: Path) -> None:
    head = 'language 1\npolicy p version "1"\nimport "part.gov"\ninput { x : number in 0..9 }\ndefault allow\n'
    for folder, bound in (("old", 3), ("new", 4)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.gov").write_text(head)
        (tmp_path / folder / "part.gov").write_text(f"rule r{bound} when x > {bound} deny\n")
    new, old = (tmp_path / folder / "p.gov" for folder in ("new", "old"))
    for ran in (
        gov("diff", old, new, "--format", "json"),
        gov("diff", new, old, "--format", "json"),
    ):
        files = {f["span"]["file"] for f in ran.json["findings"] if f["span"]}
        assert files
        assert all(Path(file).is_file() for file in files), files
    (tmp_path / "new" / "part.gov").write_text("rule r when y deny\n")
    ran = gov("check", new, "--format", "github")
    assert f"file={tmp_path / 'new' / 'part.gov'}," in ran.out
