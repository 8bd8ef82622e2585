"""Whatever comes in, a coded message and an exit code of the contract come out, and no half-written file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILES: dict[str, bytes] = {
    "empty.gov": b"",
    "random.gov": bytes((i * 7919 + 13) % 256 for i in range(3000)),
    "random.govb": bytes((i * 104_729 + 7) % 256 for i in range(3000)),
    "magic.govb": b"PK\x03\x04",
    "cyclic.gov": b'language 1\npolicy a version "1"\nimport "cyclic.gov"\n',
    "part.gov": b'import "part.gov"\n',
    "overrides.gov": b'language 1\npolicy a version "1"\ninput { x : bool }\n'
    b"rule r when x allow overrides s\nrule s when x deny overrides r\n",
    "twice.gov": b'language 1\npolicy a version "1"\nrule r deny\nrule r deny\n',
    "unit.gov": b'language 1\npolicy a version "1"\ninput { x : number in 0..1 kg }\nrule r when x > 1 s deny\n',
    "step.gov": b'language 1\npolicy a version "1"\ninput { x : number in 0..1 step 0.3 }\n',
    "overflow.gov": b'language 1\npolicy a version "1"\n'
    b"input { x : number in 0..9000000000000000000 }\nrule r when x * x > 3 deny\n",
    "binary.csv": b"\xff\xfe\x00",
    "deep.json": b'{"and":[' * 20_000 + b"true" + b"]}" * 20_000,
    "deep.yaml": b"[" * 5000 + b"]" * 5000,
}

VERBS: dict[str, tuple[str, ...]] = {
    "check": ("check", "FILE"),
    "verify": ("verify", "FILE"),
    "test": ("test", "FILE"),
    "fmt": ("fmt", "--check", "FILE"),
    "decide": ("decide", "FILE", "--input", "{}"),
    "explain": ("explain", "FILE", "--input", "{}"),
    "bench": ("bench", "FILE", "--requests", "5"),
    "build": ("build", "FILE", "-o", "OUT"),
    "diff": ("diff", "FILE", "FILE"),
    "against": ("verify", "GOOD", "--against", "FILE"),
    "baseline": ("verify", "GOOD", "--baseline", "FILE"),
    "trace": ("decide", "GOOD", "--trace", "FILE"),
    "key": ("build", "GOOD", "-o", "OUT", "--key", "FILE"),
    "signature": ("decide", "GOOD", "--input", "{}", "--require-signature", "FILE"),
    "request": ("decide", "GOOD", "--input", "@FILE"),
    "export": ("export", "jsonlogic", "FILE"),
    "csv": ("import", "csv", "FILE"),
    "yaml": ("import", "safety-yaml", "FILE"),
    "logic": ("import", "jsonlogic", "FILE", "--schema", "FIELDS"),
    "schema": ("import", "jsonlogic", "LOGIC", "--schema", "FILE"),
    "ledger": ("evidence", "verify", "FILE"),
    "records": ("evidence", "show", "FILE"),
    "statements": ("evidence", "export", "FILE", "--key", "GOOD"),
    "ledger's key": ("evidence", "verify", "GOOD", "--key", "FILE"),
    "kept checkpoint": ("evidence", "verify", "GOOD", "--checkpoint", "FILE"),
    "private": ("evidence", "forget-private", "FILE", "--before", "2021-01-01"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("file", [*FILES, "nowhere.gov", "folder.gov"])
def test_bad_files_end_in_an_exit_code(
    gov, policy: Path, tmp_path: Path, verb: str, file: str
) -> None:
    path = tmp_path / "in" / file
    path.parent.mkdir()
    if file in FILES:
        path.write_bytes(FILES[file])
    elif file == "folder.gov":
        path.mkdir()
    fields, logic = tmp_path / "fields.gov", tmp_path / "logic.json"
    fields.write_text("input { x : bool }")
    logic.write_text('{"var": "x"}')
    names = {
        "FILE": path,
        "GOOD": policy,
        "OUT": tmp_path / "out",
        "FIELDS": fields,
        "LOGIC": logic,
    }
    arguments = [f"@{path}" if part == "@FILE" else names.get(part, part) for part in VERBS[verb]]
    before = {p: p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}
    ran = gov(*arguments)
    assert ran.code in {0, 1, 2, 3}
    assert "GOV700" not in ran.out + ran.err
    assert ran.code == 0 or ran.out + ran.err
    assert before == {p: p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--input", "9" * 100_000),
        ("--input", '{"load": 1e999999999}'),
        ("--input", '{"zone": "\\ud800"}'),
        ("--input", "{}", "--runtime", "[]"),
        ("--input", "{}", "--runtime", '{"approved": [["x"]]}'),
        ("--input", "{}", "--runtime", '{"approved": "boss"}'),
        ("--input", "{}", "--now", "99999999999999999999"),
        ("--input", "{}", "--param", ""),
        ("--input", "{}", "--param", "=1"),
        ("--input", "{}", "--evidence", "/proc/nope"),
        ("--input", ""),
        (),
    ],
)
def test_bad_options_of_decide_end_in_an_exit_code(gov, policy: Path, arguments) -> None:
    ran = gov("decide", policy, *arguments, "--format", "json")
    assert ran.code in {0, 2}
    assert "GOV700" not in ran.out + ran.err
    found = json.loads(ran.out) if ran.out else {"decision": "deny"}
    assert found.get("decision", "deny") == "deny"


def test_a_policy_of_many_rules_and_one_of_long_lines_are_no_trouble(gov, tmp_path: Path) -> None:
    path = tmp_path / "long.gov"
    head = 'language 1\npolicy p version "1"\ninput { x : number in 0..100000 }\n'
    path.write_text(
        head + "rule r when " + " or ".join(f"x == {i}" for i in range(2000)) + " deny\n"
    )
    assert gov("check", path).code == 0
    path.write_text(head + "rule r when " + "not " * 150 + "x == 1 deny\n")
    assert gov("check", path).code == 0
    path.write_text(head + "rule r when " + "not " * 1000 + "x == 1 deny\n")
    assert gov("check", path).code == 2
