"""What `gov verify` says of a bundle whose artefacts were cut, changed by hand, or made of another policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_mutation import with_parts

from govlang.native.container import unpack
from govlang.native.layout import checked
from govlang.native.manifest import read_manifest

Verify = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def parts(gov, policy: Path, tmp_path: Path) -> dict[str, bytes]:
    """The parts of the bundle that is built."""
    assert gov("build", policy, "-o", tmp_path / "one").code == 0
    return unpack((tmp_path / "one/tiny-1.0.0.govb").read_bytes())


@pytest.fixture
def verify(gov, fits, parts: dict[str, bytes], tmp_path: Path) -> Verify:
    """Verifies the bundle with other parts, hashed as if they had been built so."""

    def run(**changed: bytes) -> tuple[int, list[dict[str, Any]]]:
        path = tmp_path / "changed.govb"
        path.write_bytes(with_parts(parts | {n.replace("_", "."): c for n, c in changed.items()}))
        ran = gov("verify", path, "--format", "json")
        fits("verify", ran.json)
        told = [one for one in ran.json["findings"] if one["severity"] == "error"]
        return ran.code, told

    return run


def of_another(gov, policy: Path, folder: Path, old: str, new: str) -> dict[str, bytes]:
    """The parts of the bundle of a policy that reads otherwise."""
    other = folder / "other.gov"
    other.write_text(policy.read_text().replace(old, new))
    assert gov("build", other, "-o", folder / "two").code == 0
    return unpack((folder / "two/tiny-1.0.0.govb").read_bytes())


BOTH = "the policy decides (allow|require human) by `heavy_in_town`, the {} (allow|deny) by `(light|default)`"


def test_artefacts_of_another_policy_are_refuted_once_by_what_both_decide(
    gov, verify: Verify, parts: dict[str, bytes], policy: Path, tmp_path: Path
) -> None:
    """And what is refuted is not called undecided as well."""
    theirs = of_another(gov, policy, tmp_path, "load > 2 kg", "load > 3 kg")
    for what, changed in (
        ("table", {"table_bin": checked(renamed(theirs, parts, "table.bin"))}),
        ("WebAssembly", {"policy_wasm": renamed(theirs, parts, "policy.wasm")}),
        ("C", {"policy_c": theirs["policy.c"], "policy_h": theirs["policy.h"]}),
    ):
        code, (finding,) = verify(**changed)
        assert (code, finding["code"]) == (1, "GOV307")
        told = f"the {what} differs from the policy: {BOTH.format(what)}"
        assert re.fullmatch(told, finding["message"]), finding["message"]
        (step,) = finding["witness"]["trace"]
        assert step["request"]["zone"] == "urban"


def test_variables_that_no_request_gives_are_told_with_the_answers(
    verify: Verify, parts: dict[str, bytes]
) -> None:
    source = parts["policy.c"].replace(b"(zone > 1)", b"(zone > 2)")
    code, (finding,) = verify(policy_c=source)
    assert (code, finding["code"], finding["witness"]) == (1, "GOV307", None)
    both = "the policy decides deny by `invalid_request` because of `zone`, the C "
    assert both in finding["message"]
    assert ", zone = 2, " in finding["message"]


def test_a_schema_that_differs_is_told_in_one_sentence(
    verify: Verify, parts: dict[str, bytes]
) -> None:
    """Of two equally long names, so that the section keeps its length."""
    changed = parts["policy.wasm"].replace(b'"urban"', b'"areal"')
    code, (finding,) = verify(policy_wasm=changed)
    assert (code, finding["code"]) == (1, "GOV307")
    told = 'part 0 of `members` of field `zone` is "areal", must be "urban"'
    assert finding["message"] == f"the WebAssembly differs from the policy: {told}"


def test_another_unit_or_step_in_the_header_is_refuted_with_its_line(
    verify: Verify, parts: dict[str, bytes]
) -> None:
    header = parts["policy.h"].decode()
    right = "0..10 kg in steps of 0.1 kg"
    at = header.index(right, header.index("typedef struct"))
    wrong = right.replace("0.1", "1")
    code, (finding,) = verify(policy_h=(header[:at] + wrong + header[at + len(right) :]).encode())
    assert (code, finding["code"]) == (1, "GOV307")
    place = f"header line {header.count(chr(10), 0, at) + 1}"
    told = f"the comment of `load` in {place} is `/* {wrong} */`, must be `/* {right} */`"
    assert finding["message"] == f"the C differs from the policy: {told}"


def renamed(theirs: dict[str, bytes], ours: dict[str, bytes], part: str) -> bytes:
    """A part of theirs that says it means our policy."""
    names = (read_manifest(one["manifest.json"]).snapshot.encode() for one in (theirs, ours))
    return theirs[part].replace(*names)


def test_artefacts_that_were_cut_or_changed_by_hand_are_refused_with_part_and_place(
    verify: Verify, parts: dict[str, bytes]
) -> None:
    module, source, header = (parts[f"policy.{end}"] for end in ("wasm", "c", "h"))
    loop = source.replace(b"    return 0;\n", b"    for (;;) {}\n    return 0;\n", 1)
    line = source[: source.index(b"    return 0;\n")].count(b"\n") + 1
    for changed, told in (
        ({"policy_wasm": module[:-1]}, "`policy.wasm`, offset 0x"),
        ({"policy_c": source[:-20]}, "`policy.c`, line "),
        ({"policy_c": loop}, f"`policy.c`, line {line}: "),
        ({"policy_c": b"/* \xff */\n" + source}, "`policy.c`, line 1: text that is not UTF-8"),
        ({"policy_h": header + b"\n/* \xff */"}, "`policy.h`, line "),
        ({"policy_h": header.replace(b"enum", b"union", 1)}, "`policy.h`, line "),
    ):
        code, (finding,) = verify(**changed)
        assert (code, finding["code"]) == (2, "GOV416")
        assert finding["message"].startswith(told), finding["message"]


def test_a_table_that_no_engine_takes_is_refused_like_the_other_parts(
    verify: Verify, parts: dict[str, bytes]
) -> None:
    code, (finding,) = verify(table_bin=parts["table.bin"][:-8])
    assert (code, finding["code"]) == (2, "GOV410")
    assert finding["message"].startswith("`table.bin`: the compiled table cannot be used: ")
