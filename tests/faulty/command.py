"""The command `gov`, run in this process.

In: arguments as on the command line.  Out: the exit code and what was printed to standard output.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from govlang.cli.app import run


def gov(*arguments: str | Path) -> tuple[int, str]:
    """Run `gov`; its exit code and standard output."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = run([str(a) for a in arguments])
    return code, printed.getvalue()


def verify(file: Path) -> tuple[int, dict[str, Any]]:
    """`gov verify --strict` on one policy: the exit code and the report.

    A question has a minute: on a laden machine the usual limit can leave one open.
    """
    code, printed = gov(
        "verify", "--strict", "--no-cache", "--timeout", "60", "--format", "json", file
    )
    return code, json.loads(printed)


def decide(file: Path, step: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """`gov decide` on the request of a trace step."""
    given = [f"--param={name}={_plain(value)}" for name, value in params.items()]
    code, printed = gov(
        "decide", "--format", "json", *given,
        "--runtime", json.dumps(step["runtime"]), "--input", json.dumps(step["request"]), file,
    )  # fmt: skip
    assert code == 0, printed
    outcome: dict[str, Any] = json.loads(printed)
    return outcome


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def weighty(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings that `--strict` fails on: errors and warnings that nobody accepted."""
    return [f for f in report["findings"] if f["severity"] != "note" and "accepted" not in f]
