"""`make demo`: verify and build the example policies, decide with them, break a faulty one, and serve one.

In: the folder `examples`.  Out: tables on the terminal; the bundles go to a temporary folder.  Exits 0 only if
every example is proved, the faulty policy is refuted by a request that its own decision confirms, and the control plane
decides as it must and leaves evidence that verifies.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from govlang.cli.building import Built, build, write
from govlang.cli.decide import COLOURS
from govlang.cli.formats.exact_json import json_text
from govlang.cli.subject import open_subject
from govlang.cli.testing import outcomes
from govlang.cli.verification import replay_on, verified
from govlang.compiler.checked import TestStep
from govlang.dsl.units import duration_text
from govlang.runtime.decision import Outcome
from govlang.runtime.policy import Policy
from govlang.verifier.report import Options

FAULTY: Final = "faulty/conflict_range/antenna_abs.gov"
SERVED: Final = "stateless/control_plane.gov"
SHOWN: Final = 4
THEN: Final = "  then: "
WIDTH: Final = 120  # where no terminal says otherwise


@dataclass(frozen=True, slots=True)
class Example:
    """An example policy, built."""

    path: Path
    built: Built
    bundle: Path
    seconds: float


def main(examples: Path) -> int:
    """Run the demo; 0 if everything came out as it must."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with tempfile.TemporaryDirectory(prefix="govlang-demo-") as out:
        console.rule("[bold]1  verify, compile and prove the example policies")
        found = [_build(path, Path(out)) for path in policies(examples)]
        console.print(_table_of_builds(found))
        console.rule("[bold]2  decide with the compiled policies")
        console.print(_table_of_decisions(found))
    console.rule("[bold]3  a policy with a fault")
    refuted = _break(console, examples / FAULTY)
    console.rule("[bold]4  the control plane: a gate, a person, evidence")
    served = [_serve(console, one.built.bundle) for one in found if one.path == examples / SERVED]
    good = all([*served, refuted, *(one.built.bundle for one in found)])
    console.print(
        "[bold green]all as it must be"
        if good
        else "[bold red]something did not come out as it must"
    )
    return 0 if good and served else 1


def _serve(console: Console, bundle: bytes | None) -> bool:
    from govlang.cli.demo_service import show_service

    return bundle is not None and show_service(console, bundle)


def policies(examples: Path) -> list[Path]:
    """The example policies that are shown: those that decide in an instant, and one over time."""
    return [
        examples / "breaker.gov",
        *sorted(examples.glob("stateless/*.gov")),
        *sorted(examples.glob("*/policy.gov")),
    ]


def _build(path: Path, out: Path) -> Example:
    start = perf_counter()
    built = build(path, Options(), tier=None, key_pem=None, against=None)
    seconds = perf_counter() - start
    bundle = write(built, out, ())[0] if built.bundle else path
    return Example(path, built, bundle, seconds)


def _table_of_builds(found: list[Example]) -> Table:
    table = Table("policy", "rules", "verdict", "proofs", "notes", "bundle", "time", box=None)
    for one in found:
        report = one.built.report["verification"]
        colour = "green" if report["status"] == "proved" else "red"
        table.add_row(
            escape(str(one.path)),
            str(len(one.built.policy.rules)),
            f"[{colour}]{report['status']}",
            str(len(report["proved"])),
            str(len(report["findings"])),
            f"{len(one.built.bundle) / 1024:.1f} KiB",
            f"{one.seconds:.2f} s",
        )
    return table


def _table_of_decisions(found: list[Example]) -> Table:
    table = Table("policy", "situation", "decision", "by", "must", box=None)
    for one in found:
        if not one.built.bundle:
            continue
        policy = one.built.policy.name
        for what, outcome in _decisions(one):
            cells = ("" if what.startswith(THEN) else policy, what)
            table.add_row(*map(escape, cells), *_cells(outcome))
    return table


def _cells(outcome: Outcome) -> tuple[str, str, str]:
    """A decision, the rule that made it, what must be done."""
    word = outcome.decision.value
    must = ", ".join(json_text(o) for o in outcome.to_dict()["obligations"])
    decision = f"[bold {COLOURS[word]}]{word.replace('_', ' ')}"
    return decision, escape(outcome.rule_id), escape(must)


def _decisions(one: Example) -> Iterator[tuple[str, Outcome]]:
    """Outcomes of the bundle, loaded as a service loads it, on the situations of its tests.

    Of a situation the first request stands there, and each that another rule answers, with what is other about it.
    """
    for case in one.built.checked.tests[:SHOWN]:
        policy = Policy.load(one.bundle, params=case.steps[0].params)
        before: tuple[TestStep, Outcome] | None = None
        for step, outcome in outcomes(policy, case):
            if before is None:
                yield case.name, outcome
            elif (outcome.decision, outcome.rule_id) != (before[1].decision, before[1].rule_id):
                yield THEN + _other(before[0], step), outcome
            else:
                continue
            before = step, outcome


def _other(before: TestStep, step: TestStep) -> str:
    """In what a request differs from the one before: when it comes, and the fields that it has or lacks."""
    waited_ms = step.at_ms - before.at_ms
    told = [f"{duration_text(waited_ms)} later"] if waited_ms else []
    old, new = ({**one.request, **one.runtime} for one in (before, step))
    for name in {**old, **new}:
        if name not in new:
            told.append(f"no {name}")
        elif name not in old or old[name] != new[name]:
            told.append(f"{name} {json_text(new[name])}")
    return ", ".join(told) or "once more"


def _break(console: Console, path: Path) -> bool:
    """Show the fault and the request that proves it; whether the compiled table confirms the request."""
    subject = open_subject(path)
    report = verified(subject.checked, Options(strict=True))
    errors = [f for f in report["findings"] if f["severity"] == "error" and f["witness"]]
    if not errors:
        return False
    finding = errors[0]
    (step,) = finding["witness"]["trace"]
    outcome = _replayed(path, step, finding["witness"]["params"])
    lines = [
        f"[bold red]{finding['code']}[/] {escape(finding['message'])}",
        "",
        f"on the request   {escape(json_text(step['request']))}",
        f"gov decides      [bold]{outcome.decision.value}[/] by `{escape(outcome.rule_id)}`",
        f"fired            {escape(', '.join(outcome.matched))}",
        "",
        f"[green]help[/]  {escape(finding['help'])}",
    ]
    console.print(Panel("\n".join(lines), title=escape(str(path)), expand=False))
    return (outcome.decision.value, outcome.rule_id) == (step["decision"], step["rule_id"])


def _replayed(path: Path, step: dict[str, Any], params: dict[str, Any]) -> Outcome:
    from govlang.cli.compiled import compile_policy

    table = compile_policy(open_subject(path).checked.policy).table
    return replay_on(table)(step["request"], step["runtime"], params)


if __name__ == "__main__":
    sys.exit(main(Path("examples")))
