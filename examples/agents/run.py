"""Two agents, a delete, an incident: `python examples/agents/run.py` tells the story and checks each line of it.

A real `gov serve` with tokens, a real `gov worker`; the planner hands a delete to ops, a person must agree, the tools
of ops begin to fail, a secret gets out.  At the end the incident is rebuilt from the ledger alone.  Exits 0 only if all
of it came out as it must.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from stage import GOV, HERE, Stage, set_up

from govlang.client import Approval, GovClient, GovError, Job

EVENT: Final = "run_timeline_event"
WIDTH: Final = 120
WAIT_S: Final = 15.0
"""How long anything may take to come about."""
AGO_MS: Final = 400
"""How long ago the scanner saw the secret when it reports it."""

LAX: Final = """  rule a_person_agrees
    when topic is "db.delete" and"""
STRICT: Final = LAX.replace('is "db.delete"', 'in {"db.delete", "db.migrate"}')
"""What chapter 7 changes in the policy: a person agrees to migrations, too."""


@dataclass
class Teller:
    """Says what happens, and keeps whether all of it was as it must be."""

    console: Console
    wrong: int = 0

    def chapter(self, title: str) -> None:
        self.console.rule(f"[bold]{escape(title)}", align="left")

    def see(self, text: str, *, holds: bool = True) -> None:
        """A line of the story, and whether it is so."""
        self.wrong += not holds
        mark = "[green]✓[/]" if holds else "[bold red]✗[/]"
        self.console.print(f" {mark} {escape(text)}", highlight=False, soft_wrap=True)

    def refused(self, who: str, code: str, call: Callable[[], object]) -> None:
        """Something that must be refused for the reason that `code` names."""
        try:
            came = call()
        except GovError as error:
            rule = f" by `{error.rule_id}`" if error.rule_id else ""
            said = f"{who}: {error.status} {error.code}{rule}: {error.detail}"
            self.see(said, holds=error.code == code)
            if error.remedy:
                self.see(f"the remedy that the rule names: {error.remedy}")
        else:
            self.see(f"{who}: was let through: {came}", holds=False)


def main() -> int:
    """Tell the story; 0 if every line of it holds."""
    begun = time.monotonic()
    teller = Teller(Console(width=None if sys.stdout.isatty() else WIDTH))
    with tempfile.TemporaryDirectory(prefix="govlang-agents-") as folder:
        bundle = proved(teller, Path(folder))
        with set_up(Path(folder), bundle) as stage:
            contracts(teller, stage)
            run_id = delegation(teller, stage)
            approval(teller, stage, run_id)
            incident_run = work_in_flight(teller, stage)
            failures(teller, stage)
            revocation(teller, stage, incident_run)
        rebuilt(teller, stage.data, incident_run)
        replayed(teller, stage.data, Path(folder))
    took = f"{time.monotonic() - begun:.0f} s"
    good = f"[bold green]all as it must be[/], {took}"
    bad = f"[bold red]{teller.wrong} things did not come out as they must[/], {took}"
    teller.console.print(bad if teller.wrong else good)
    return 1 if teller.wrong else 0


def gov(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """A command of `gov`, to its end."""
    return subprocess.run([*GOV, *map(str, words)], capture_output=True, text=True, check=False)


# --- the chapters ---------------------------------------------------------------------------------


def proved(teller: Teller, folder: Path) -> Path:
    """The policy: proved, tested, compiled; its bundle."""
    teller.chapter("1  the policy: proved before it runs")
    built = gov("build", "--strict", HERE / "policy.gov", "-o", folder)
    for line in built.stdout.splitlines():
        if line.startswith(("proved", "tested", "passed")):
            teller.see(line.replace(str(HERE), "examples/agents"))
    tested = gov("test", HERE / "policy.gov")
    teller.see(tested.stdout.strip().replace(str(HERE), "examples/agents"))
    found = sorted(folder.glob("*.govb"))
    if built.returncode or tested.returncode or not found:
        raise SystemExit(built.stdout + built.stderr + tested.stdout + tested.stderr)
    return found[0]


def contracts(teller: Teller, stage: Stage) -> None:
    """Without a contract nobody does anything."""
    teller.chapter("2  a contract for each agent")
    plan = {"agent": "planner", "topic": "plan"}
    teller.refused("planner plans", "denied", lambda: stage.planner.submit(plan, pool="ops"))
    for agent in ("planner", "ops"):
        stage.operator.observe({"event": "maintenance.issued", "key": {"agent": agent}})
        teller.see(f"the operator issues `maintenance` to {agent}, for an hour at most")


def delegation(teller: Teller, stage: Stage) -> str:
    """The planner hands work to ops; the run."""
    teller.chapter("3  the planner delegates a delete")
    delete = {"agent": "planner", "topic": "db.delete"}
    teller.refused(
        "planner deletes by itself", "denied", lambda: stage.planner.submit(delete, pool="ops")
    )
    work = [
        {"step": "delete", "topic": "db.delete", "payload": {"database": "db-7"}},
        {"step": "rotate", "topic": "keys.rotate", "payload": {"database": "db-7"}},
    ]
    plan, (deleted, rotated) = planned(stage, work)
    teller.see(
        f"planner's plan: {plan.job_id} {plan.state} {plan.reason}".rstrip(), holds=succeeded(plan)
    )
    teller.see(
        f"ops, for the planner, rotates keys: {rotated.get('code')}: {rotated.get('detail')}",
        holds=rotated.get("code") == "denied",
    )
    waits = deleted.get("state") == "approval_required"
    teller.see(
        f"ops, for the planner, deletes: {deleted.get('state')}, a person decides", holds=waits
    )
    return plan.run_id


def approval(teller: Teller, stage: Stage, run_id: str) -> None:
    """A person agrees, and nobody else counts as one."""
    teller.chapter("4  a person agrees")
    asked = stage.oncall.approvals()
    for one in asked:
        words = f"{one.agent} {one.request['topic']}, by {', '.join(one.roles)}"
        teller.see(f"asked for: {words}, as {one.reason!r}")
        no_grant(teller, stage, one)
        agreed(teller, stage, one)
    teller.see(f"{len(asked)} delete waited for a person", holds=len(asked) == 1)
    records = stage.planner.timeline(run_id)
    by = [one["approver"] for one in records if one[EVENT] == "step_dispatched"][-1]
    teller.see(f"the record of its dispatch names who agreed: {by}", holds=by == "oncall")


def no_grant(teller: Teller, stage: Stage, asked: Approval) -> None:
    """What counts as no person's word."""
    teller.refused(
        "planner approves what it asked for",
        "own_approval",
        lambda: stage.planner.approve(asked.approval_id, asked.job_hash),
    )
    forged = {"agent": "ops", "topic": "db.delete", "approved": ["sre-oncall"]}
    teller.refused(
        "ops says that it is approved",
        "invalid_request",
        lambda: stage.ops.submit(forged, pool="ops"),
    )
    teller.refused(
        "oncall approves another job",
        "conflict",
        lambda: stage.oncall.approve(asked.approval_id, "sha256:" + "0" * 64),
    )


def agreed(teller: Teller, stage: Stage, asked: Approval) -> None:
    """The word of a person, and what it lets through."""
    given = stage.oncall.approve(asked.approval_id, asked.job_hash, reason="db-7 is retired")
    teller.see(f"oncall approves exactly this job: {given.state}", holds=not given.missing)
    ended = stage.operator.wait(asked.job_id, WAIT_S)
    chain = " → ".join((*ended.delegation, str(ended.agent)))
    teller.see(f"it ran, for {chain}: {ended.output}", holds=succeeded(ended))


def work_in_flight(teller: Teller, stage: Stage) -> str:
    """A long piece of work with a declared undo; its run."""
    teller.chapter("5  an incident")
    undo = {
        "request": {"agent": "ops", "topic": "db.restore"},
        "payload": {"database": "db-9"},
        "pool": "ops",
    }
    payload = {"database": "db-9"}
    work = [{"step": "migrate", "topic": "db.migrate", "payload": payload, "undo": undo}]
    plan, (migration,) = planned(stage, work)
    running = until(lambda: stage.operator.job(migration["job_id"]), lambda j: j.state == "running")
    teller.see(
        f"ops migrates db-9 for the planner: {running.state}", holds=running.state == "running"
    )
    return plan.run_id


def failures(teller: Teller, stage: Stage) -> None:
    """Three failures in a row open the breaker of ops."""
    read = {"agent": "ops", "topic": "db.read"}
    for _ in range(3):
        made = stage.ops.submit(read, pool="ops", payload={"database": "broken"})
        ended = stage.operator.wait(made.job_id, WAIT_S)
        teller.see(f"ops reads: {ended.state}: {ended.reason}", holds=ended.state == "failed")
    teller.refused("ops reads on", "throttled", lambda: stage.ops.submit(read, pool="ops"))


def revocation(teller: Teller, stage: Stage, run_id: str) -> None:
    """A secret gets out: the contract of ops ends, and with it what ops is doing."""
    migration = f"{run_id}:migrate@1"
    seen_ms = int(time.time() * 1000) - AGO_MS
    told = stage.scanner.observe(
        {"event": "secret_detected", "key": {"agent": "ops"}, "at_ms": seen_ms}
    )
    teller.see(
        f"the scanner reports a secret in the logs of ops; cancelled: {', '.join(told.cancelled)}",
        holds=migration in told.cancelled,
    )
    stopped = stage.operator.job(migration)
    teller.see(
        f"the migration is {stopped.state}: {stopped.reason}", holds=stopped.state == "cancelled"
    )
    undo = until(lambda: job_or_none(stage.operator, f"{run_id}:migrate.undo@1"), is_over)
    teller.see(f"its undo ran: {undo and undo.output}", holds=undo is not None and succeeded(undo))
    read = {"agent": "ops", "topic": "db.read"}
    teller.refused("ops reads on", "denied", lambda: stage.ops.submit(read, pool="ops"))
    took = times(stage.auditor.timeline(run_id), stage.auditor.records(told.seq, told.seq))
    teller.see(f"detected after {took[0]} ms, let go after {took[1]} ms", holds=took[0] >= AGO_MS)


def rebuilt(teller: Teller, data: Path, run_id: str) -> None:
    """The incident, from the ledger alone: the service has ended."""
    teller.chapter("6  the incident, from the ledger alone")
    records = incident(data, run_id)
    for one in records:
        line = f"   {escape(told(one, records[0]['at_ms']))}"
        teller.console.print(line, highlight=False, soft_wrap=True)
    order = ("step_started", "revoked", "released", "undo_submitted", "step_succeeded")
    events = [one[EVENT] for one in records if one["topic"] != "plan"]
    places = [events.index(name) if name in events else -1 for name in order]
    in_order = -1 not in places and places == sorted(places)
    teller.see("started, revoked, let go, undone: it is all there, in order", holds=in_order)
    verified = gov("evidence", "verify", data)
    for line in verified.stdout.splitlines():
        teller.see(line.replace(str(data), "the ledger"), holds=verified.returncode == 0)


def incident(data: Path, run_id: str) -> list[dict[str, Any]]:
    """The records of a run: the one place that says how an incident is rebuilt."""
    shown = gov("evidence", "show", data, "--run", run_id, "--format", "json")
    return [json.loads(line) for line in shown.stdout.splitlines()]


def replayed(teller: Teller, data: Path, folder: Path) -> None:
    """What was decided, decided once more; and what a stricter policy would have made of it."""
    teller.chapter("7  would it have happened under another policy?")
    again = gov("replay", data, "--policy", HERE / "policy.gov", "--format", "json")
    counts = json.loads(again.stdout)
    same = (counts["status"], counts["escalated"]["count"], counts["relaxed"]["count"])
    teller.see(
        f"{counts['decisions']} decisions anew under the same policy: {same[0]}",
        holds=same == ("unchanged", 0, 0),
    )
    stricter = folder / "stricter.gov"
    text = (HERE / "policy.gov").read_text("utf-8")
    stricter.write_text(text.replace(LAX, STRICT), "utf-8")
    other = gov("replay", data, "--policy", stricter)
    changes, _, _ = other.stdout.partition("unchanged")
    for line in changes.splitlines():
        teller.console.print("   " + escape(line), highlight=False, soft_wrap=True)
    escalated = re.search(r"^escalated +2 ", other.stdout, re.MULTILINE)
    teller.see(
        "a person would have been asked before the migration, at both gates",
        holds=bool(escalated) and "relaxed" not in other.stdout,
    )


def told(one: dict[str, Any], since_ms: int) -> str:
    """A record as a line: when, what, on which step, who decided, and why."""
    decided = f"{one['decision']} by {one['rule_id']}" if one["decision"] else ""
    why = (one.get("details") or {}).get("reason", "")
    step = one["job_id"].partition(":")[2]
    after_s = (one["at_ms"] - since_ms) / 1000
    return f"{one['seq']:4} +{after_s:5.2f} s  {one[EVENT]:15} {step:16} {decided}{why}".rstrip()


# --- what the chapters share ----------------------------------------------------------------------


def planned(stage: Stage, work: list[dict[str, Any]]) -> tuple[Job, list[dict[str, Any]]]:
    """A plan of the planner, when it has run, and what came of each part."""
    request = {"agent": "planner", "topic": "plan"}
    made = stage.planner.submit(request, pool="ops", step="plan", payload=work)
    ended = stage.planner.wait(made.job_id, WAIT_S)
    return ended, ended.output if succeeded(ended) else [{} for _ in work]


def succeeded(job: Job) -> bool:
    """Whether it has done its work."""
    return job.state == "succeeded"


def is_over(job: Job | None) -> bool:
    """Whether it is there, and will not change any more."""
    return job is not None and job.is_over


def job_or_none(client: GovClient, job_id: str) -> Job | None:
    """A job, or None as long as there is none."""
    try:
        return client.job(job_id)
    except GovError:
        return None


def until(look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """What `look` gives, as soon as it holds; or at last."""
    end = time.monotonic() + WAIT_S
    while not holds(found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def times(
    records: tuple[dict[str, Any], ...], report: tuple[dict[str, Any], ...]
) -> tuple[int, int]:
    """How long it took to detect what revokes, and until the worker let go, in ms; -1: nobody says."""
    detected = [one["details"].get("detected_after_ms", -1) for one in report]
    released = [one["details"]["revoked_after_ms"] for one in records if one[EVENT] == "released"]
    return (*detected, -1)[0], (*released, -1)[0]


if __name__ == "__main__":
    sys.exit(main())
