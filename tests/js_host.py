"""The JavaScript host for tests: jobs for `js_driver.mjs`, all of them in one process of Node.

What always holds: a value arrives as the number, text or list that it is here; a whole double counts as
the integer that it is, since JavaScript knows no other.
"""

from __future__ import annotations

import base64
import json
import struct
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tables
from host_cases import Case, distinct
from tools import tool

from govlang.compiler import ir

DRIVER = Path(__file__).parent / "js_driver.mjs"
EXACT = 2**53


def ask(jobs: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The answers to the jobs."""
    done = subprocess.run(
        [tool("node"), str(DRIVER)],
        input="".join(json.dumps(job) + "\n" for job in jobs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(jobs)
    return found


def decisions(
    policy: ir.Policy, module: bytes, params: Mapping[str, int], cases: Iterable[Case]
) -> dict[str, Any]:
    """The job that asks a module all cases; parameters in steps."""
    return {
        "module": text(module),
        "params": wire(_floats(tables.written_params(policy, params))),
        "decide": [{"request": wire(c.request), "runtime": wire(c.runtime)} for c in cases],
    }


def _floats(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, int | str | list) else float(value)
        for name, value in params.items()
    }


def told(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What a module says in Node, in the form of `host_cases.said`."""
    assert outcome["policy_snapshot"].startswith("sha256:")
    shown = {name: value for name, value in outcome.items() if name != "policy_snapshot"}
    return shown | {"obligations": distinct(outcome["obligations"])}


def wire(value: Any) -> Any:
    """A value in the form that the driver reads."""
    match value:
        case bool():
            return value
        case int():
            return value if abs(value) <= EXACT else {"$": f"n{value}"}
        case float():
            return {"$": "d" + struct.pack(">d", value).hex()}
        case dict():
            return {name: wire(one) for name, one in value.items()}
        case list() | tuple():
            return [wire(one) for one in value]
        case set() | frozenset():
            return {"$": "s", "of": list(value)}
        case _:
            return value


def text(data: bytes) -> str:
    """Bytes in a job."""
    return base64.b64encode(data).decode()
