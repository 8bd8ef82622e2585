"""Small policies for tests of the front end."""

from __future__ import annotations

from collections.abc import Mapping

from govlang.compiler import ir
from govlang.compiler.checked import Checked
from govlang.compiler.frontend import compile_source
from govlang.dsl.diagnostics import Diagnostic, GovError
from govlang.dsl.source import Source

HEADER = 'language 1\npolicy p version "1"\n'
FIELDS = """input {
  battery : number in 0..100 % step 0.1
  payload : number in 0..25 kg step 0.01
  cargo   : number in 0..40 kg step 0.5
  wait    : number in 0..60 min
  risk    : number in 0..1 step 0.1
  cost    : number in 0..9 optional
  zone    : one of urban, rural, airport
  labels  : set of write, delete, pii
  ticket  : bool
  topic   : text
  branch  : text max 10
  file    : path
  agent   : key
  since   : time
  until   : time
  pause   : duration
}
"""
FULL = {
    "battery": 50,
    "payload": 1,
    "cargo": 1,
    "wait": 1,
    "risk": 0,
    "zone": "urban",
    "labels": [],
    "ticket": False,
    "topic": "a",
    "branch": "b",
    "file": "f",
    "agent": "g",
    "since": 0,
    "until": 0,
    "pause": 0,
}
"""A valid request to `FIELDS`."""


def no_file(name: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory", name)


def check(body: str, files: Mapping[str, str | bytes] | None = None) -> Checked:
    """A policy of `body` under a header."""

    def read(name: str) -> bytes:
        if name not in (files or {}):
            return no_file(name)
        data = (files or {})[name]
        return data.encode() if isinstance(data, str) else data

    return compile_source(Source("p.gov", HEADER + body), read)


def errors(body: str, files: Mapping[str, str | bytes] | None = None) -> tuple[Diagnostic, ...]:
    """What is wrong with `body`; empty if nothing is."""
    try:
        check(body, files)
    except GovError as error:
        return error.diagnostics
    return ()


def codes(body: str, files: Mapping[str, str | bytes] | None = None) -> list[str]:
    """The codes of what is wrong with `body`."""
    return [one.code for one in errors(body, files)]


def condition(text: str, extra: str = "") -> ir.BoolExpr:
    """The IR of a condition over `FIELDS`."""
    return check(f"{FIELDS}{extra}\nrule r when {text} deny").policy.rules[0].condition


def faults(text: str, extra: str = "") -> tuple[Diagnostic, ...]:
    """What is wrong with a condition over `FIELDS`."""
    return errors(f"{FIELDS}{extra}\nrule r when {text} deny")
