"""What the verifier says: findings, witnesses, proofs, and the report that holds them.

In: verdicts of the passes.  Out: frozen data with a JSON form as in the published contract.

What always holds: a finding that carries a witness was replayed before it was made; numbers in a
witness are exact and in the unit of their field.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from govlang.dsl.source import Span

CONFLICT: Final = "GOV301"
UNREACHABLE: Final = "GOV302"
REDUNDANT: Final = "GOV303"
VACUOUS: Final = "GOV304"
GAP: Final = "GOV305"
PROPERTY: Final = "GOV306"
TRANSLATION: Final = "GOV307"
DIFF: Final = "GOV308"
UNDECIDED: Final = "GOV309"
UNNEEDED: Final = "GOV311"
UNSEEN: Final = "GOV312"
IDLE: Final = "GOV314"
AMBIGUOUS: Final = "GOV315"

KIND_OF_CODE: Final[Mapping[str, str]] = {
    CONFLICT: "conflict",
    UNREACHABLE: "unreachable",
    REDUNDANT: "redundant",
    VACUOUS: "vacuous",
    GAP: "gap",
    PROPERTY: "property",
    TRANSLATION: "translation",
    DIFF: "diff",
    IDLE: "unreachable",
    AMBIGUOUS: "conflict",
}


class Severity(StrEnum):
    """How much a finding weighs; an error makes `gov verify` exit 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Status(StrEnum):
    """The verdict on a policy."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


PERMITTED: Final = ("allow", "limit")


@dataclass(frozen=True, slots=True)
class Witness:
    """A request that shows a finding, with what the policy decides on it."""

    request: Mapping[str, Any]
    runtime: Mapping[str, Any]
    params: Mapping[str, Any]
    decision: str
    rule_id: str
    matched: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A trace of one step, in the form that `gov decide --trace` reads."""
        step = {
            "at_ms": 0,
            "request": plain(self.request),
            "runtime": plain(self.runtime),
            "decision": self.decision,
            "rule_id": self.rule_id,
        }
        return {"trace": [step], "params": plain(self.params)}


@dataclass(frozen=True, slots=True)
class Trace:
    """Samples that show a finding, each as a line of a trace; requests with what they were answered."""

    steps: tuple[Mapping[str, Any], ...]
    params: Mapping[str, Any]
    old: Trace | None = None
    """Of two versions: the same samples as the older one takes them."""

    def to_json(self) -> dict[str, Any]:
        """The form that `gov decide --trace` reads."""
        own = {"trace": [plain(one) for one in self.steps], "params": plain(self.params)}
        return own if self.old is None else own | {"old": self.old.to_json()}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or worth saying; `kind` is what was asked, also where undecided.

    `question` is what the title asks where there is no answer; where it is empty, whether the message is so.
    """

    code: str
    kind: str
    severity: Severity
    rules: tuple[str, ...]
    message: str
    help: str = ""
    property: str | None = None
    span: Span | None = None
    witness: Witness | Trace | None = None
    accepted: str | None = None
    detail: Mapping[str, Any] | None = None
    question: str = ""

    @builtins.property
    def names(self) -> tuple[str, ...]:
        """What `accept … on NAME` may call it: its rules, its property, or `default`."""
        named = (*self.rules, *([self.property] if self.property else []))
        return named or ("default",)

    def to_json(self) -> dict[str, Any]:
        """The finding as the contract has it."""
        found: dict[str, Any] = {
            "code": self.code,
            "kind": self.kind,
            "severity": self.severity.value,
            "rules": list(self.rules),
            "property": self.property,
            "message": self.message,
            "help": self.help,
            "span": span_json(self.span),
            "witness": self.witness.to_json() if self.witness else None,
        }
        if self.accepted is not None:
            found["accepted"] = self.accepted
        return found | ({"detail": plain(self.detail)} if self.detail else {})


@dataclass(frozen=True, slots=True)
class Proved:
    """Something that holds for every valid request and parameter."""

    property: str
    kind: str
    method: str
    ms: int

    def to_json(self) -> dict[str, Any]:
        """The proof as the contract has it."""
        return {
            "property": self.property,
            "kind": self.kind,
            "method": self.method,
            "ms": self.ms,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the verifier found out about one policy."""

    policy: str
    version: str
    snapshot: str
    status: Status
    findings: tuple[Finding, ...]
    proved: tuple[Proved, ...]
    solver: Mapping[str, str]
    ms: int

    def to_json(self) -> dict[str, Any]:
        """The report as the contract has it."""
        return {
            "policy": self.policy,
            "version": self.version,
            "snapshot": self.snapshot,
            "status": self.status.value,
            "findings": [finding.to_json() for finding in self.findings],
            "proved": [proof.to_json() for proof in self.proved],
            "solver": dict(self.solver),
            "ms": self.ms,
        }


def shown(finding: Finding, witness: Witness | Trace) -> Finding:
    """The finding with the witness that shows it; of a claim that people's approvals break, the help says so."""
    step = witness.steps[-1] if isinstance(witness, Trace) else witness.to_json()["trace"][0]
    roles = step.get("runtime", {}).get("approved")
    if finding.kind != "property" or not roles or step.get("decision") not in PERMITTED:
        return replace(finding, witness=witness)
    why = "a `require human` is an `allow` once people have approved, as here"
    gate = f'add `or approved contains "{roles[0]}"` if that is meant, else a rule is missing'
    return replace(finding, witness=witness, help=f"{why}: {gate}")


def undecided(finding: Finding, why: str) -> Finding:
    """The same question as `finding`, without an answer."""
    return replace(
        finding,
        code=UNDECIDED,
        severity=Severity.ERROR,
        message=f"undecided {finding.question or f'whether {finding.message}'}",
        help=why,
        witness=None,
    )


def status_of(findings: tuple[Finding, ...]) -> Status:
    """Refuted if anything is an error, undecided if something has no answer, else proved."""
    errors = [f for f in findings if f.severity is Severity.ERROR]
    if any(f.code != UNDECIDED for f in errors):
        return Status.REFUTED
    return Status.UNDECIDED if errors else Status.PROVED


def span_json(span: Span | None) -> dict[str, Any] | None:
    """A place in a source as JSON."""
    return None if span is None else span.to_json()


def plain(value: Any) -> Any:
    """The same value with decimals as the binary floats that read back as them, where there is one."""
    match value:
        case Decimal():
            near = float(value)
            return near if Decimal(repr(near)) == value else value
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value
