"""Runs `gov` in this process, and holds what it prints against the published schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from govlang.cli.app import run

POLICY = """language 1
policy tiny version "1.0.0"

default deny

input {
  agent  : key
  load   : number in 0..10 kg step 0.1
  zone   : one of urban, rural
  note   : text optional private
  urgent : bool
}

param cap : number in 1..9 kg = 5 kg

tiers safety, business

tier business {
  rule light
    when load <= cap
    allow
}

tier safety {
  rule heavy_in_town
    when zone is urban and load > 2 kg
    require human from "boss" expires 5 min
    because "People live there"
}

prove town_is_gated:
  zone is urban and load > 2 kg
    implies decision is at least require human or approved contains "boss"

test "light loads go" {
  request { agent "a", load 1 kg, zone rural, urgent false }
  expect allow by light
}
"""

REQUEST: dict[str, Any] = {"agent": "a", "load": 1, "zone": "rural", "urgent": False}


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The only line, as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Every line, as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


Gov = Callable[..., Ran]
Fits = Callable[[str, Any], None]


@pytest.fixture
def gov(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Gov:
    """Run `gov` with these arguments; never a traceback."""
    monkeypatch.setenv("GOV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Ran(int(code), out, err)

    return call


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A small policy on disk."""
    path = tmp_path / "tiny.gov"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def fits(root: Path) -> Fits:
    """Hold a value against `docs/schemas/NAME.schema.json`."""
    folder = root / "docs" / "schemas"
    loaded = {p.name: json.loads(p.read_text(encoding="utf-8")) for p in folder.glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in loaded.items()
    )

    def check(name: str, value: Any) -> None:
        schema = loaded[f"{name}.schema.json"]
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema, registry=registry).validate(value)

    return check
