"""`gov test FILE…`: the tests inside policies, run on the compiled table; coverage; tests that are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from govlang.cli.check import closing, unusable
from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Finding, Report, capped, from_coded
from govlang.cli.formats.output import ALL, PLAIN, format_option, show_reports
from govlang.cli.formats.text import show_findings
from govlang.cli.guard import Exit, guarded, worst
from govlang.cli.options import files_argument, files_or_project
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source
from govlang.native.errors import CodedError

if TYPE_CHECKING:
    from govlang.cli.coverage import Coverage
    from govlang.cli.goals import Unreached
    from govlang.cli.subject import Subject

EMPTY = "GOV711"
THIN = "GOV712"
CUT = "GOV714"
UNREACHED = "GOV717"


@click.command(name="test")
@files_argument
@click.option(
    "--coverage", is_flag=True, help="rules, conditions, MC/DC and transitions that the tests reach"
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 100),
    metavar="N",
    help="fail below N percent of any of them",
)
@click.option("--generate", is_flag=True, help="write the missing tests to standard output instead")
@click.option("--fail-on-empty", is_flag=True, help="fail where there is no test")
@format_option(ALL)
@guarded
def command(
    files: tuple[Path, ...],
    coverage: bool,  # noqa: FBT001  # a flag of the command line
    threshold: float | None,
    generate: bool,  # noqa: FBT001  # a flag of the command line
    fail_on_empty: bool,  # noqa: FBT001  # a flag of the command line
    style: str,
) -> int:
    """Run the `test` blocks of each FILE on its compiled table."""
    if generate:
        return _generate(files_or_project(files), style)
    sources: list[Source] = []
    measured = coverage or threshold is not None
    reports = [
        _report(path, sources, measured=measured, threshold=threshold, needed=fail_on_empty)
        for path in files_or_project(files)
    ]
    show_reports(reports, sources, style, _closing)
    codes = {"unusable": Exit.UNUSABLE, "failed": Exit.FINDINGS, "passed": Exit.OK}
    return worst(codes[report["status"]] for report in reports)


def _report(
    path: Path, sources: list[Source], *, measured: bool, threshold: float | None, needed: bool
) -> Report:
    from govlang.cli.subject import open_subject

    try:
        subject = open_subject(path)
        sources.extend(subject.sources)
        return _run(subject, measured=measured, threshold=threshold, needed=needed)
    except (GovError, CodedError, OSError) as error:
        return unusable(path, error, sources) | {"tests": []}


def _run(subject: Subject, *, measured: bool, threshold: float | None, needed: bool) -> Report:
    from govlang.cli.compiled import compile_policy
    from govlang.cli.testing import findings_of, run_histories, run_tests

    checked = subject.checked
    remembers = checked.policy.time is not None
    compiled = compile_policy(checked.policy)
    table = compiled.table if subject.bundle is None else subject.bundle.table
    results = list(run_histories(checked, table) if remembers else run_tests(checked, table))
    findings = [finding for result in results for finding in findings_of(result, subject.path)]
    report: dict[str, Any] = {
        "file": str(subject.path),
        "policy": checked.policy.name,
        "version": checked.policy.version,
        "snapshot": compiled.snapshot,
        "tests": [result.to_json() for result in results],
    }
    if needed and not results:
        findings.append(_no_test(subject))
    if measured:
        from govlang.cli.passage import measure

        found = measure(checked)
        report["coverage"] = found.to_json()
        findings += _thin(found, threshold)
    status = "failed" if findings else "passed"
    return report | {"status": status, "findings": capped(findings)}


def _no_test(subject: Subject) -> Finding:
    help_line = 'add `test "name" { request { … } expect deny }`'
    return from_coded(CodedError(EMPTY, f"`{subject.path}` has no test", help_line))


def _thin(coverage: Coverage, threshold: float | None) -> Iterator[Finding]:
    if threshold is None:
        return
    for name, percent in coverage.shares().items():
        if percent < threshold:
            message = f"the tests reach {percent:.1f} % of the {name}, not {threshold:g} %"
            help_line = "`gov test --generate` writes the tests that are missing"
            yield from_coded(CodedError(THIN, message, help_line)) | {"kind": "coverage"}


def _generate(paths: Sequence[Path], style: str) -> Exit:
    """Print the tests: as text on standard output, what is to be said of them on standard error."""
    if style not in PLAIN:
        raise CodedError(
            "GOV708", f"`--generate` has no format `{style}`", f"use one of: {', '.join(PLAIN)}"
        )
    sources: list[Source] = []
    reports = [_generated(path, sources) for path in paths]
    for report in reports:
        if style == "json":
            click.echo(json_text(report))
        else:
            show_findings(report["findings"], sources, err=True)
            click.echo(report["text"], nl=False)
    return worst(Exit.UNUSABLE if report["status"] == "unusable" else Exit.OK for report in reports)


def _generated(path: Path, sources: list[Source]) -> Report:
    from govlang.cli.generate import missing_tests
    from govlang.cli.passage import measure
    from govlang.cli.subject import open_subject
    from govlang.compiler.core import core_json, snapshot

    try:
        checked = open_subject(path).checked
        found = missing_tests(checked, measure(checked))
    except (GovError, CodedError, OSError) as error:
        return unusable(path, error, sources) | {"tests": 0, "text": ""}
    return {
        "file": str(path),
        "policy": checked.policy.name,
        "version": checked.policy.version,
        "snapshot": snapshot(core_json(checked.policy)),
        "status": "generated",
        "findings": [
            *([_cut(found.count)] if found.is_cut else []),
            *map(_unreached, found.unreached),
        ],
        "tests": found.count,
        "text": found.text,
    }


def _unreached(one: Unreached) -> Finding:
    """A note on something that no test reaches."""
    proved = f"no test can reach this: {one.goal.title}"
    message = proved if one.impossible else f"no test was found for this: {one.goal.title}"
    help_line = (
        "what stands beside it decides before it; simplify the condition"
        if one.impossible
        else "it is not excluded that there is one; write it by hand"
    )
    return from_coded(CodedError(UNREACHED, message, help_line)) | {
        "severity": "note",
        "kind": "coverage",
    }


def _cut(count: int) -> Finding:
    message = f"only the first {count} of the missing tests are written"
    help_line = "put them into the policy, then ask again"
    return from_coded(CodedError(CUT, message, help_line)) | {
        "severity": "note",
        "kind": "coverage",
    }


def _closing(report: Report) -> str:
    if report["status"] == "unusable":
        return closing(report)
    tests = report["tests"]
    passed = sum(test["status"] == "passed" for test in tests)
    colour = {"passed": "green"}.get(report["status"], "red")
    mark = click.style(report["status"], fg=colour, bold=True)
    lines = [f"{mark}  {report['file']}: {passed} of {len(tests)} tests"]
    for name, measured in (report.get("coverage") or {}).items():
        lines.append(
            f"  {name:<12}{measured['covered']} of {measured['of']}, {measured['percent']} %"
        )
        lines += [f"    never {_never(one)}" for one in measured["missing"][:20]]
    return "\n".join(lines)


def _never(missing: dict[str, Any]) -> str:
    if "transition" in missing:
        return f"taken: `{missing['transition']}` of `{missing['machine']}`"
    if "condition" not in missing:
        return f"fired: `{missing['rule']}`"
    return f"{str(missing['never']).lower()}: `{missing['condition']}` in `{missing['rule']}`"
