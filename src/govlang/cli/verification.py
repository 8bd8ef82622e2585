"""Verifies a policy for the command line: a checked policy in, the report of the contract out.

What always holds: every witness was decided by the compiled table too; a report from the cache is of the
very same sources, options and programs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import govlang
from govlang.cli.compiled import Compiled, compile_policy
from govlang.cli.formats.exact_json import json_text, read_json
from govlang.cli.formats.findings import Report, capped
from govlang.compiler.checked import Checked
from govlang.native.digest import digest
from govlang.native.errors import CodedError, TableError
from govlang.native.files import write_whole
from govlang.runtime.decision import Outcome
from govlang.runtime.policy import Policy
from govlang.verifier.findings import UNDECIDED
from govlang.verifier.options import ReplayError
from govlang.verifier.report import Options, verify
from govlang.verifier.smtlib import Watch
from govlang.verifier.solve import solver_name

CACHE_VERSION: Final = 1

KEPT_MAX: Final = 1_000
"""Reports in the cache; the ones that nobody has read for longest give way."""


def replay_on(table: bytes) -> Callable[..., Outcome]:
    """What decides the verifier's witnesses on the compiled table."""
    policies: dict[str, Policy] = {}

    def replay(
        request: Mapping[str, Any], runtime: Mapping[str, Any], params: Mapping[str, Any]
    ) -> Outcome:
        key = json_text(params)
        if key not in policies:
            policies[key] = Policy(table, params)
        outcome: Outcome = policies[key].decide(dict(request), now_ms=0, runtime=dict(runtime))
        return outcome

    return replay


def rerun_on(table: bytes) -> Callable[..., list[Outcome]]:
    """What takes the verifier's histories in on the compiled table."""

    def rerun(steps: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> list[Outcome]:
        policy = Policy(table, params, capacity=max(1, len(steps)))  # a sample brings a key at most
        return [outcome for one in steps if (outcome := _taken(policy, one)) is not None]

    return rerun


def _taken(policy: Policy, step: Mapping[str, Any]) -> Outcome | None:
    """The outcome of a step, if it is a request."""
    if "request" in step:
        asked, host = dict(step["request"]), dict(step["runtime"])
        outcome: Outcome = policy.commit(asked, now_ms=step["at_ms"], runtime=host)
        return outcome
    try:
        policy.observe(step)
    except TableError as error:
        raise ReplayError(f"the compiled table does not take a step: {error.message}") from None
    return None


def verified(
    checked: Checked,
    options: Options,
    *,
    compiled: Compiled | None = None,
    table: bytes | None = None,
    watch: Watch | None = None,
) -> Report:
    """The report on a policy; witnesses are replayed on `table`, by default the one it compiles to."""
    if table is None:
        table = (compiled or compile_policy(checked.policy)).table
    report = verify(
        checked.policy,
        accepts=checked.accepts,
        options=options,
        replay=replay_on(table),
        rerun=rerun_on(table),
        progress=progress if sys.stderr.isatty() else None,
        watch=watch,
    ).to_json()
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)  # noqa: T201  # the end of the progress line
    return report | {"findings": capped(report["findings"])}


def progress(what: str, done: int, of: int) -> None:
    """One line on the terminal that is written over."""
    print(f"\r\033[K{what} {done}/{of}", end="", file=sys.stderr, flush=True)  # noqa: T201  # progress


@contextmanager
def said_meanwhile(what: str, *, shown: bool = True) -> Iterator[None]:
    """A line on the terminal for as long as something takes."""
    is_said = shown and sys.stderr.isatty()
    if is_said:
        print(f"\r\033[K{what} …", end="", file=sys.stderr, flush=True)  # noqa: T201  # progress
    try:
        yield
    finally:
        if is_said:
            print("\r\033[K", end="", file=sys.stderr, flush=True)  # noqa: T201  # the end of it


# --- the cache ---------------------------------------------------------------------------------


def cached(checked: Checked, options: Options, compute: Callable[[], Report]) -> Report:
    """The report from the cache, or computed and kept; what is undecided is never kept."""
    folder = cache_folder()
    if folder is None:
        return compute()
    path = folder / _cache_name(checked, options)
    found = _read(path)
    if found is not None:
        return found
    report = compute()
    if not any(finding["code"] == UNDECIDED for finding in report["findings"]):
        _keep(path, report)
    return report


def _cache_name(checked: Checked, options: Options) -> str:
    from govlang.compiler.core import core_json

    parts = {
        "cache": CACHE_VERSION,
        "govlang": _code_digest(),
        "solver": solver_name(),
        "options": asdict(options) | {"jobs": 0},
        "core": digest(core_json(checked.policy)),
        "sources": [[s.name, digest(s.text.encode())] for s in checked.sources],
    }
    name = digest(json.dumps(parts, sort_keys=True).encode()).removeprefix("sha256:")
    return f"{name}.json"


def _code_digest() -> str:
    """The hash of the programs that made the report: another compiler or verifier proves anew."""
    root = Path(govlang.__file__).parent
    content = hashlib.sha256()
    for path in sorted([*root.glob("*/**/*.py"), *root.glob("*/**/*.so")]):
        content.update(path.read_bytes())
    return content.hexdigest()


def cache_folder() -> Path | None:
    """Where reports are kept: GOV_CACHE_DIR, or the user's cache folder; None for a user without a home.

    A folder that others can write to would be no place for verdicts.
    """
    base = os.environ.get("GOV_CACHE_DIR")
    if base:
        return Path(base)
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(home).expanduser() / "govlang" / "verify"
    except RuntimeError:
        return None


def _read(path: Path) -> Report | None:
    try:
        plain = read_json(path.read_text(encoding="utf-8"), "the cache")
    except (OSError, UnicodeDecodeError, CodedError):
        return None
    if not isinstance(plain, dict) or "status" not in plain:
        return None
    with suppress(OSError):  # of another user, or gone meanwhile
        path.touch()
    return plain


def _keep(path: Path, report: Report) -> None:
    """Keep a report; a cache that cannot be written is no fault."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json_text(report).encode("utf-8"))
        _prune(path.parent)
    except OSError:
        return


def _prune(folder: Path) -> None:
    """Remove the reports beyond the number that is kept."""
    reports = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in reports[:-KEPT_MAX]:
        path.unlink(missing_ok=True)
