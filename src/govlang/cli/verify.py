"""`gov verify FILE…|BUNDLE`: prove that a policy makes sense, or show a request on which it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from govlang.cli.check import unusable
from govlang.cli.formats.findings import Report
from govlang.cli.formats.output import ALL, format_option, show_reports
from govlang.cli.guard import Exit, guarded, worst
from govlang.cli.options import files_argument, files_or_project, project
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source
from govlang.native.errors import CodedError

if TYPE_CHECKING:
    from govlang.cli.questions import Questions
    from govlang.cli.subject import Subject
    from govlang.verifier.report import Options
    from govlang.verifier.smtlib import Watch

Command = Callable[..., Any]
CODES = {
    "proved": Exit.OK,
    "refuted": Exit.FINDINGS,
    "undecided": Exit.UNDECIDED,
    "unusable": Exit.UNUSABLE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks of `gov verify`, beside the files."""

    options: Options
    cache: bool
    known: frozenset[str]
    against: Subject | None
    no_looser: bool
    smt2: Path | None = None
    cross_check: bool = False


def verify_options(command: Command) -> Command:
    """The options that `verify` and `build` share."""
    decorators = (
        click.option("--strict", is_flag=True, help="count warnings as errors"),
        click.option("--accept", default="", metavar="KIND,…", help="turn findings of a kind or code into warnings"),
        click.option("--allow-undecided", default="", metavar="NAME,…", help="properties that may stay undecided"),
        click.option("--timeout", type=click.FloatRange(min=0.001), metavar="S", help="seconds a query  [default: 10]"),
        click.option("--against", type=click.Path(path_type=Path), metavar="OLD", help="an older policy or bundle"),
    )  # fmt: skip
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@click.command(name="verify")
@files_argument
@verify_options
@click.option(
    "--no-looser", is_flag=True, help="with --against: anything that became looser is an error"
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="processes, for several files",
)
@click.option("--overlaps", is_flag=True, help="list overlaps that tiers or `combine` settle")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="an earlier JSON report; its findings are known",
)
@click.option(
    "--smt2",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="write every question to the solver as SMT-LIB",
)
@click.option("--cross-check", is_flag=True, help="ask cvc5 every question too")
@click.option("--no-cache", is_flag=True, help="prove again what was proved before")
@format_option(ALL)
@guarded
def command(
    files: tuple[Path, ...],
    strict: bool,  # noqa: FBT001  # a flag of the command line
    accept: str,
    allow_undecided: str,
    timeout: float | None,
    jobs: int,
    against: Path | None,
    no_looser: bool,  # noqa: FBT001  # a flag of the command line
    overlaps: bool,  # noqa: FBT001  # a flag of the command line
    baseline: Path | None,
    smt2: Path | None,
    cross_check: bool,  # noqa: FBT001  # a flag of the command line
    no_cache: bool,  # noqa: FBT001  # a flag of the command line
    style: str,
) -> int:
    """Prove each FILE: conflicts, dead rules, gaps, properties; each refutation with a request."""
    from govlang.cli.baseline import read_baseline
    from govlang.cli.subject import open_subject

    if no_looser and against is None:
        raise CodedError("GOV708", "`--no-looser` needs `--against`", "give `--against OLD`")
    request = Request(
        verifier_options(
            strict=strict,
            accept=accept,
            timeout=timeout,
            overlaps=overlaps,
            allow_undecided=allow_undecided,
        ),
        not (no_cache or smt2 or cross_check),
        read_baseline(baseline) if baseline else frozenset(),
        open_subject(against) if against else None,
        no_looser,
        smt2,
        cross_check,
    )
    sources: list[Source] = list(request.against.sources) if request.against else []
    reports: list[Report] = []
    for report, own in _each(_requests(files_or_project(files), request), jobs):
        reports.append(report)
        sources += own
    show_reports(reports, sources, style, closing)
    return worst(CODES[report["status"]] for report in reports)


def verifier_options(
    *,
    strict: bool,
    accept: str,
    timeout: float | None,
    overlaps: bool = False,
    allow_undecided: str = "",
) -> Options:
    """The verifier's options; what is not given comes from `gov.toml`.

    Raises:
        CodedError: GOV708 there is no such kind.
    """
    from govlang.verifier.report import Options

    settings = project()
    kinds = _listed(accept, settings.get("accept", ()))
    for kind in kinds:
        _check_kind(kind)
    return Options(
        timeout_s=timeout or float(settings.get("timeout_s", 10)),
        overlaps=overlaps,
        strict=strict or bool(settings.get("strict", False)),
        accept_kinds=tuple(kinds),
        allow_undecided=tuple(_listed(allow_undecided, settings.get("allow_undecided", ()))),
    )


def _check_kind(kind: str) -> None:
    """Refuse what names no finding that can be accepted.

    Raises:
        CodedError: GOV708 there is no such kind, and no such code.
    """
    from govlang.verifier.findings import KIND_OF_CODE, TRANSLATION, UNDECIDED

    codes: dict[str, list[str]] = {}
    for code, name in KIND_OF_CODE.items():
        if code != TRANSLATION:
            codes.setdefault(name, []).append(code)
    if kind.lower() in codes or any(kind.upper() in own for own in codes.values()):
        return
    known = ", ".join(f"{name} ({', '.join(own)})" for name, own in codes.items())
    help_line = f"give one of: {known}"
    if kind.upper() == UNDECIDED:
        help_line = f"`--allow-undecided NAME` takes a property that stays undecided; {help_line}"
    raise CodedError("GOV708", f"there is no kind or code `{kind}` to accept", help_line)


def _listed(given: str, settled: Iterable[str]) -> list[str]:
    """What an option names, with what `gov.toml` does."""
    return [one.strip() for one in (*given.split(","), *settled) if one.strip()]


def _requests(paths: tuple[Path, ...], request: Request) -> list[tuple[Path, Request]]:
    """Each file with what is asked of it: everybody's questions go into a folder of their own."""
    if request.smt2 is None:
        return [(path, request) for path in paths]
    from govlang.cli.questions import folders

    own = folders(request.smt2, paths)
    return [(p, replace(request, smt2=f)) for p, f in zip(paths, own, strict=True)]


def _each(asked: list[tuple[Path, Request]], jobs: int) -> Iterator[tuple[Report, list[Source]]]:
    """The report and the sources of each file; several files side by side in so many processes."""
    if jobs == 1 or len(asked) == 1:
        yield from (_alone(path, request) for path, request in asked)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(jobs, len(asked)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_alone, *zip(*asked, strict=True))


def _alone(path: Path, request: Request) -> tuple[Report, list[Source]]:
    sources: list[Source] = []
    return _report(path, request, sources), sources


def _report(path: Path, request: Request, sources: list[Source]) -> Report:
    from govlang.cli.subject import open_subject

    try:
        subject = open_subject(path)
        sources.extend(subject.sources)
        return {"file": str(path)} | _verified(subject, request)
    except (GovError, CodedError, OSError) as error:
        return unusable(path, error, sources)


def _verified(subject: Subject, request: Request) -> Report:
    from govlang.cli.baseline import without_known
    from govlang.cli.verification import cached, verified

    if subject.bundle is not None:
        from govlang.cli.translation import check_table

        check_table(subject.bundle.table)
    questions = _questions(subject, request)

    def watch(stage: str) -> Watch | None:
        return None if questions is None else questions.stage(stage)

    def compute() -> Report:
        table = subject.bundle.table if subject.bundle else None
        return verified(subject.checked, request.options, table=table, watch=watch("verify"))

    report = cached(subject.checked, request.options, compute) if request.cache else compute()
    if subject.bundle is not None:
        from govlang.cli.translation import prove_edge, prove_table

        bundle, policy, options = subject.bundle, subject.checked.policy, request.options
        report = prove_table(report, policy, bundle.table, bundle.snapshot, options, watch("table"))
        report = prove_edge(
            report, policy, bundle.parts, bundle.snapshot, options, watch, bundle.table
        )
    if request.against is not None:
        report = _compared(report, subject, request, request.against, watch("diff"))
    if questions is not None:
        report = questions.joined(report)
    return without_known(report, request.known) if request.known else report


def _questions(subject: Subject, request: Request) -> Questions | None:
    """What is told the questions to the solver, if anybody wants them."""
    if request.smt2 is None and not request.cross_check:
        return None
    from govlang.cli.questions import Questions

    return Questions(
        subject.checked.policy.name,
        request.smt2,
        cross_check=request.cross_check,
        timeout_s=request.options.timeout_s,
    )


def _compared(
    report: Report, subject: Subject, request: Request, old: Subject, watch: Watch | None
) -> Report:
    from govlang.cli.comparison import compared, with_difference
    from govlang.cli.compiled import compile_policy

    policy = subject.checked.policy
    table = subject.bundle.table if subject.bundle else compile_policy(policy).table
    found = compared(old, policy, table, request.options, no_looser=request.no_looser, watch=watch)
    return with_difference(report, found)


def closing(report: Report) -> str:
    """The last lines for people: what was proved, and the verdict."""
    if report["status"] == "unusable":
        return f"{click.style('unusable', fg='red', bold=True)}  {report['file']}"
    lines = [
        f"  {click.style('proved', fg='green')}  {proof['property']}  ({proof['method']})"
        for proof in report["proved"]
        if proof["kind"] == "property"
    ]
    if "cross_check" in report:
        from govlang.cli.questions import cross_checked

        lines.append(f"  {cross_checked(report['cross_check'])}")
    colour = {"proved": "green", "refuted": "red"}.get(report["status"], "yellow")
    mark = click.style(report["status"], fg=colour, bold=True)
    counts = ", ".join(_counts(report)) or "no findings"
    lines.append(
        f"{mark}  {report['file']}: {report['policy']} {report['version']}, {counts}, "
        f"{_proofs(len(report['proved']))}, {report['ms'] / 1000:.2f} s"
    )
    return "\n".join(lines)


def _proofs(count: int) -> str:
    return "1 proof" if count == 1 else f"{count} proofs"


def _counts(report: Report) -> list[str]:
    found = []
    for severity in ("error", "warning", "note"):
        count = sum(f["severity"] == severity for f in report["findings"])
        if count:
            found.append(f"{count} {severity}{'s' if count > 1 else ''}")
    return found
