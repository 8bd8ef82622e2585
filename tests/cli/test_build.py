from __future__ import annotations

import json
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govlang.compiler.bundle import Contents, bundle_bytes
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.container import pack, unpack
from govlang.native.manifest import manifest_bytes, read_manifest
from govlang.runtime.bundle import load_bundle
from govlang.runtime.policy import Policy
from govlang.verifier.translation import deadline

REQUEST = '{"agent": "a", "load": 1, "zone": "rural", "urgent": false}'


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    private, public = tmp_path / "key.pem", tmp_path / "key.pub.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


EVERYTHING = "table,c,wasm,jsonlogic,smt2,html"


def test_a_proved_policy_becomes_a_bundle_with_its_report(
    gov, fits, policy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = gov("build", policy, "-o", out, "--format", "json", "--emit", EVERYTHING)
    assert ran.code == 0, ran.out
    fits("build", ran.json)
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "tiny-1.0.0.govb",
        "tiny-1.0.0.html",
        "tiny-1.0.0.jsonlogic.json",
        "tiny-1.0.0.report.json",
        "tiny-1.0.0.smt2",
        "tiny-1.0.0.table.bin",
        "tiny-1.0.0.wasm",
        "tiny.c",
        "tiny.h",
    ]
    fits("build", json.loads((out / "tiny-1.0.0.report.json").read_text()))
    bundle = load_bundle(out / "tiny-1.0.0.govb")
    fits("manifest", json.loads(bundle.parts["manifest.json"]))
    assert (out / "tiny-1.0.0.table.bin").read_bytes() == bundle.table
    assert (out / "tiny-1.0.0.wasm").read_bytes() == bundle.parts["policy.wasm"]
    assert (out / "tiny.c").read_bytes() == bundle.parts["policy.c"]
    assert (out / "tiny.h").read_bytes() == bundle.parts["policy.h"]
    proved = {proof.property.split(":")[0] for proof in bundle.manifest.proofs}
    assert {"table", "WebAssembly", "C"} <= proved
    assert any(proof.kind == "translation" for proof in bundle.manifest.proofs)
    assert "|fires heavy_in_town|" in (out / "tiny-1.0.0.smt2").read_text()
    page = (out / "tiny-1.0.0.html").read_text()
    assert page.count("<svg") == 1
    assert "heavy_in_town" in page


def test_the_same_source_gives_the_same_bytes(gov, policy: Path, tmp_path: Path) -> None:
    bundles = []
    for folder in ("one", "two"):
        assert gov("build", policy, "-o", tmp_path / folder).code == 0
        bundles.append((tmp_path / folder / "tiny-1.0.0.govb").read_bytes())
    moved = tmp_path / "elsewhere" / "tiny.gov"
    moved.parent.mkdir()
    shutil.copy(policy, moved)
    assert gov("build", moved, "-o", tmp_path / "three").code == 0
    bundles.append((tmp_path / "three" / "tiny-1.0.0.govb").read_bytes())
    assert len(set(bundles)) == 1


def test_layout_and_comments_leave_the_snapshot_as_it_was(gov, policy: Path) -> None:
    before = gov("check", "--format", "json", policy).json["snapshot"]
    policy.write_text("// a comment\n" + policy.read_text().replace("\n  ", "\n      "))
    assert gov("check", "--format", "json", policy).json["snapshot"] == before


def test_nothing_is_written_where_something_is_an_error(gov, policy: Path, tmp_path: Path) -> None:
    policy.write_text(policy.read_text() + "\nrule a when load < 1 kg deny\n")
    out = tmp_path / "out"
    ran = gov("build", policy, "-o", out)
    assert ran.code == 1
    assert "GOV301" in ran.out
    assert not out.exists()
    policy.write_text("language 1")
    assert gov("build", policy, "-o", out).code == 2
    assert not out.exists()


def test_a_bundle_works_wherever_a_source_does(gov, policy: Path, tmp_path: Path) -> None:
    assert gov("build", policy, "-o", tmp_path).code == 0
    bundle = tmp_path / "tiny-1.0.0.govb"
    assert gov("check", bundle).code == 0
    assert gov("verify", bundle).code == 0
    assert gov("test", bundle).code == 0
    assert gov("decide", bundle, "--input", REQUEST, "--format", "json").json["rule_id"] == "light"
    assert gov("explain", bundle, "--input", REQUEST).code == 0
    assert gov("diff", policy, bundle).code == 0
    assert Policy.load(bundle, params={"cap": 2}).decide(json.loads(REQUEST)).rule_id == "light"


def test_imports_and_csv_rows_are_merged_into_the_bundle(gov, root: Path, tmp_path: Path) -> None:
    source = root / "examples/loan_desk/policy.gov"
    assert gov("build", source, "-o", tmp_path, "--emit", "html").code == 0
    (page,) = tmp_path.glob("*.html")
    assert "require human from &quot;underwriter&quot;" in page.read_text()
    (bundle,) = tmp_path.glob("*.govb")
    assert ".csv" not in load_bundle(bundle).source
    assert gov("verify", bundle).code == 0


def test_the_page_explains_every_name_that_its_rules_use(gov, root: Path, tmp_path: Path) -> None:
    source = root / "examples/stateless/control_plane.gov"
    assert gov("build", source, "-o", tmp_path, "--emit", "html").code == 0
    (page,) = (path.read_text() for path in tmp_path.glob("*.html"))
    assert "let deletes_production = " in page
    assert "usually 100000" in page


def test_a_signature_can_be_demanded(
    gov, policy: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    private, public = keys
    assert gov("build", policy, "-o", tmp_path / "signed", "--key", private).code == 0
    assert gov("build", policy, "-o", tmp_path / "bare").code == 0
    asked = ("--input", REQUEST, "--require-signature", public)
    assert gov("decide", tmp_path / "signed/tiny-1.0.0.govb", *asked).code == 0
    ran = gov("decide", tmp_path / "bare/tiny-1.0.0.govb", *asked)
    assert ran.code == 2
    assert "GOV405" in ran.err
    assert gov("decide", policy, *asked).code == 2, "a source has no signature"
    assert gov("build", policy, "-o", tmp_path, "--key", public).code == 2


def test_a_tier_can_be_built_alone(gov, policy: Path, tmp_path: Path) -> None:
    assert gov("build", policy, "-o", tmp_path, "--tier", "safety").code == 0
    bundle = tmp_path / "tiny-safety-1.0.0.govb"
    outcome = gov("decide", bundle, "--input", REQUEST, "--format", "json").json
    assert outcome["decision"] == "deny", "the rule that allows is not in this tier"
    assert gov("verify", bundle).code == 0
    assert gov("build", policy, "-o", tmp_path, "--tier", "safty").code == 2


def test_a_tier_carries_no_proof_that_needs_the_others(gov, policy: Path, tmp_path: Path) -> None:
    assert gov("build", policy, "-o", tmp_path, "--tier", "business").code == 0
    bundle = load_bundle(tmp_path / "tiny-business-1.0.0.govb")
    heavy = {"agent": "a", "load": 4, "zone": "urban", "urgent": False}
    assert Policy.load(tmp_path / "tiny-business-1.0.0.govb").decide(heavy).decision == "allow"
    assert "town_is_gated" not in {proof.property for proof in bundle.manifest.proofs}
    ran = gov("build", policy, "-o", tmp_path / "no", "--tier", "business", "--against", policy)
    assert ran.code == 1, "alone, this tier allows what the whole policy leaves to a person"
    assert "GOV308" in ran.out
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("version", ["../1.0.0", "/1.0.0", "1 0", ".hidden", "1\\0", "x" * 101])
def test_a_version_never_leads_out_of_the_folder(
    gov, policy: Path, tmp_path: Path, version: str
) -> None:
    quoted = version.replace("\\", "\\\\")
    policy.write_text(policy.read_text().replace('version "1.0.0"', f'version "{quoted}"'))
    ran = gov("build", policy, "-o", tmp_path / "out" / "in")
    assert ran.code == 2
    assert "GOV701" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_build_against_an_older_policy_records_that_nothing_is_looser(
    gov, policy: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.gov"
    old.write_text(policy.read_text())
    stricter = policy.read_text() + "\nrule never when urgent and load > 9 kg deny\n"
    policy.write_text(stricter.replace("when load <= cap", "when load <= cap and load <= 8 kg"))
    ran = gov("build", policy, "-o", tmp_path, "--against", old)
    assert ran.code == 0, ran.out
    manifest = load_bundle(tmp_path / "tiny-1.0.0.govb").manifest
    assert manifest.no_looser is not None
    assert manifest.no_looser.against == gov("check", "--format", "json", old).json["snapshot"]
    ran = gov("build", old, "-o", tmp_path / "looser", "--against", policy)
    assert ran.code == 1
    assert "GOV308" in ran.out
    assert not (tmp_path / "looser").exists()


def test_a_bundle_whose_sources_mean_something_else_is_refused(
    gov, policy: Path, tmp_path: Path
) -> None:
    assert gov("build", policy, "-o", tmp_path).code == 0
    path = tmp_path / "tiny-1.0.0.govb"
    parts = unpack(path.read_bytes())
    other = parts["policy.gov"].replace(b"zone is urban", b"zone is rural")
    manifest = read_manifest(parts["manifest.json"])
    artefacts = dict(manifest.artefacts)
    from govlang.native.manifest import artefact

    artefacts["policy.gov"] = artefact(other)
    forged = manifest_bytes(manifest.model_copy(update={"artefacts": artefacts}))
    path.write_bytes(pack(parts | {"policy.gov": other, "manifest.json": forged}))
    ran = gov("verify", path)
    assert ran.code == 2
    assert "GOV404" in ran.out + ran.err


def test_a_table_that_differs_from_its_policy_is_refuted_by_a_request(
    gov, fits, policy: Path, tmp_path: Path
) -> None:
    assert gov("build", policy, "-o", tmp_path).code == 0
    path = tmp_path / "tiny-1.0.0.govb"
    bundle = load_bundle(path)
    from govlang.cli.compiled import compile_policy

    changed = compile_source(
        Source("x", bundle.source.replace("load > 2 kg", "load > 3 kg"))
    ).policy
    honest = compile_source(Source("x", bundle.source)).policy
    table = compile_policy(changed).table.replace(
        compile_policy(changed).snapshot.encode(), bundle.snapshot.encode()
    )
    from govlang.native.layout import checked

    forged = bundle_bytes(
        Contents(honest, bundle.core, bundle.source.encode(), checked(table), "1.0")
    )
    path.write_bytes(forged)
    ran = gov("verify", "--format", "json", path)
    assert ran.code == 1, ran.out
    fits("verify", ran.json)
    finding = next(f for f in ran.json["findings"] if f["code"] == "GOV307")
    assert finding["witness"]["trace"][0]["request"]["zone"] == "urban"


def test_a_folder_that_cannot_be_written_is_a_coded_error(gov, policy: Path) -> None:
    assert gov("build", policy, "-o", "/dev/null/x").code == 2
    assert gov("build", policy, "-o", policy.parent, "--emit", "rust").code == 2


def test_what_is_undecided_for_the_edge_is_left_out_unless_it_was_asked_for(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from govlang.cli import building, edge_building
    from govlang.verifier.report import Options

    def undecided(report: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        return report | {"status": "undecided"}

    monkeypatch.setattr(edge_building, "prove_edge", undecided)
    choices = {"tier": None, "key_pem": None, "against": None}
    built = building.build(policy, Options(), **choices)
    assert built.report["verification"]["status"] == "proved"
    assert set(unpack(built.bundle)).isdisjoint({"policy.wasm", "policy.c", "policy.h"})
    warned = [f for f in built.report["verification"]["findings"] if f["code"] == "GOV309"]
    assert [(one["severity"], one["message"].partition(":")[0]) for one in warned] == [
        ("warning", "the bundle holds no WebAssembly"),
        ("warning", "the bundle holds no C"),
    ]
    asked = building.build(policy, Options(), **choices, emits=("wasm",))
    assert asked.report["verification"]["status"] == "undecided"
    assert asked.bundle == b""


def test_what_is_proved_for_the_edge_stays_where_the_other_is_undecided(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from govlang.cli import building, edge_building
    from govlang.verifier.report import Options

    def only_module(
        report: dict[str, Any], _: object, parts: Any, *__: object, **___: object
    ) -> Any:
        return report if "policy.wasm" in parts else report | {"status": "undecided"}

    monkeypatch.setattr(edge_building, "prove_edge", only_module)
    choices = {"tier": None, "key_pem": None, "against": None}
    built = building.build(policy, Options(), **choices, emits=("wasm",))
    assert {"policy.wasm"} == {"policy.wasm", "policy.c", "policy.h"} & set(unpack(built.bundle))
    worst = built.report["worst_case"]
    assert worst["instructions"] > 0
    assert worst["operations"] is None


def test_a_build_whose_proof_takes_too_long_ends_undecided(
    gov, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "LIMIT_S", 0.0)
    monkeypatch.setattr(deadline, "QUESTIONS", 0)
    ran = gov("build", policy, "-o", tmp_path / "out")
    assert ran.code == 3, ran.out
    assert "GOV309" in ran.out + ran.err
    assert "undecided whether the table is the policy in its meaning: the proof takes longer" in (
        ran.out + ran.err
    )
    assert not (tmp_path / "out").exists()


def test_a_policy_too_large_for_code_says_what_its_bundle_lacks(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from govlang.cli import building, edge_building
    from govlang.verifier.report import Options

    monkeypatch.setattr(edge_building, "EDGE_RULES_MAX", 1)
    choices = {"tier": None, "key_pem": None, "against": None}
    built = building.build(policy, Options(), **choices)
    (note,) = (f for f in built.report["verification"]["findings"] if f["code"] == "GOV313")
    assert note["severity"] == "note"
    assert not {"policy.c", "policy.wasm"} & unpack(built.bundle).keys()
    asked = building.build(policy, Options(), **choices, emits=("c", "wasm"))
    assert {"policy.c", "policy.h", "policy.wasm"} <= unpack(asked.bundle).keys()
    assert all(f["code"] != "GOV313" for f in asked.report["verification"]["findings"])


def test_a_bundle_is_no_source_to_build(gov, policy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert gov("build", policy, "-o", out).code == 0
    ran = gov("build", out / "tiny-1.0.0.govb", "-o", tmp_path / "again")
    assert ran.code == 2
    assert "is a bundle, not a source" in ran.err


def test_an_artefact_that_cannot_be_written_is_named_with_the_way_to_the_others(
    gov, tmp_path: Path
) -> None:
    path, out = tmp_path / "p.gov", tmp_path / "out"
    path.write_text(
        'language 1\npolicy p version "1"\ndefault allow\ninput { x : number in 0..9 }\n'
        "output y : number in 0..9\nrule a when x > 3 limit y to 5\nrule b when x > 5 limit y to 2\n"
    )
    ran = gov("build", path, "-o", out, "--emit", "jsonlogic")
    assert ran.code == 2, ran.out
    assert "leave `jsonlogic` out of `--emit`" in ran.err
    assert not out.exists()
    assert gov("build", path, "-o", out, "--emit", "table").code == 0


@pytest.mark.parametrize("verb", ["decide", "explain", "bench", "verify"])
def test_a_bundle_that_does_not_add_up_is_named(gov, tmp_path: Path, verb: str) -> None:
    path = tmp_path / "cut.govb"
    path.write_bytes(b"PK")
    ran = gov(verb, path, *(("--input", "{}") if verb in {"decide", "explain"} else ()))
    assert ran.code == 2
    assert f"`{path}!archive`: is not a bundle" in ran.out + ran.err


def test_the_time_of_a_report_counts_the_proofs_of_the_artefacts(
    gov, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from govlang.cli import translation

    out = tmp_path / "out"
    assert gov("build", policy, "-o", out).code == 0
    now = count(step=100)  # 100 s from one look at the clock to the next
    monkeypatch.setattr(translation, "perf_counter", lambda: float(next(now)))
    ran = gov("verify", out / "tiny-1.0.0.govb", "--format", "json")
    assert 200_000 <= ran.json["ms"] < 300_000  # the table, then module and C


OPEN = """language 1
policy resting version "1.0.0"
default deny
input { agent : key }
input { owner : key }
event seen
rule rested when agent == owner and not (seen within 1 s) allow
prove runs: always possible (decision is allow)
prove refuses: decision in {allow, deny}
"""


def test_a_property_that_stays_undecided_fails_the_build_unless_it_is_named(
    gov, fits, tmp_path: Path
) -> None:
    path, out = tmp_path / "resting.gov", tmp_path / "out"
    path.write_text(OPEN, encoding="utf-8")
    for flags in ((), ("--allow-undecided", "refuses"), ("--accept", "property")):
        assert gov("build", path, "-o", out, *flags).code == 3
    assert not out.exists()
    ran = gov("build", path, "-o", out, "--allow-undecided", "runs", "--strict", "--format", "json")
    assert ran.code == 0, ran.out
    (found,) = [f for f in ran.json["verification"]["findings"] if f["code"] == "GOV309"]
    assert (found["severity"], found["accepted"]) == ("warning", "allowed to stay undecided")
    bundle = out / "resting-1.0.0.govb"
    manifest = json.loads(unpack(bundle.read_bytes())["manifest.json"])
    fits("manifest", manifest)
    verdicts = {one["property"]: one["verdict"] for one in manifest["proofs"]}
    assert (verdicts["runs"], verdicts["refuses"]) == ("undecided", "proved")
    (kept,) = manifest["accepted"]
    assert (kept["code"], kept["rules"]) == ("GOV309", ["runs"])
    assert Policy.load(bundle).name == "resting"
    assert gov("verify", bundle).code == 3, "the manifest's word is not taken"
    assert gov("verify", bundle, "--allow-undecided", "runs").code == 0
    assert gov("verify", path).code == 3, "and no cache holds it"


def test_a_name_that_may_stay_undecided_and_is_no_property_is_told_and_changes_nothing(
    gov, tmp_path: Path
) -> None:
    path = tmp_path / "resting.gov"
    path.write_text(OPEN, encoding="utf-8")
    asked = ("verify", path, "--strict", "--format", "json", "--allow-undecided")
    ran = gov(*asked, "runs,refusess")
    assert ran.code == gov(*asked, "runs").code == 0
    (found,) = [one for one in ran.json["findings"] if one["code"] == "GOV311"]
    assert (found["severity"], found["message"], found["help"]) == (
        "note",
        "`refusess` may stay undecided, and is no property of this policy",
        "did you mean `refuses`?",
    )
    built = gov("build", path, "-o", tmp_path / "out", "--allow-undecided", "runs,other")
    assert built.code == 0
    assert "note[GOV311]: `other` may stay undecided, and is no property" in built.out


def test_the_project_file_can_name_what_may_stay_undecided(
    gov, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resting.gov").write_text(OPEN, encoding="utf-8")
    Path("gov.toml").write_text('allow_undecided = ["runs"]\n', encoding="utf-8")
    assert gov("verify", "resting.gov").code == 0
