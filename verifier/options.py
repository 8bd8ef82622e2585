"""What a caller may ask of the verifier, and what all its passes share.

In: options of the command line.  Out: a context for the passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from govlang.compiler import interpret, ir
from govlang.compiler.obligations import argument
from govlang.compiler.requests import read_sample, write_request
from govlang.compiler.step import Request
from govlang.verifier.columns import Point
from govlang.verifier.encode import Encoder
from govlang.verifier.explore import Explorer
from govlang.verifier.findings import Finding, Proved, Witness, shown, undecided
from govlang.verifier.judge import Judge, Judged
from govlang.verifier.smtlib import Watch
from govlang.verifier.solve import Absent, Answer, Found, Open, Session

FINDINGS_A_RULE: Final = 100
FINDINGS_A_KIND: Final = 2_000
SEEN_MAX: Final = 5_000
"""Requests that are kept for later passes."""

Replay = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Any]
"""Decides a request (request, runtime, params as JSON has them) with the compiled table; what comes
back has `decision` and `rule_id`."""

Rerun = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], Sequence[Any]]
"""Takes a history (the steps of a trace, params as JSON has them) in on the compiled table, from the first sample on;
what comes back has for each request, in order, `decision` and `rule_id`.  ReplayError: a step is not taken."""

Progress = Callable[[str, int, int], None]
"""Told the name of a pass, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to verify: seconds a query, what to show, what to be strict about."""

    timeout_s: float = 10
    overlaps: bool = False
    strict: bool = False
    accept_kinds: tuple[str, ...] = ()
    allow_undecided: tuple[str, ...] = ()
    """Properties that may stay without an answer."""


class ReplayError(Exception):
    """The compiled table, or the request's own JSON form, disagrees with the interpreter."""


@dataclass
class Context:
    """One policy under proof: what the passes read, and what they have found."""

    policy: ir.Policy
    options: Options
    replay: Replay | None = None
    progress: Progress | None = None
    watch: Watch | None = None
    findings: list[Finding] = field(default_factory=list)
    proved: list[Proved] = field(default_factory=list)
    seen: list[Judged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judge = Judge(self.policy)
        self.explorer: Explorer = Explorer(self.judge)

    @cached_property
    def encoder(self) -> Encoder:
        """The variables of the columns, made when something is first put to the solver."""
        return Encoder(self.judge.columns)

    @cached_property
    def session(self) -> Session:
        """Where questions about valid requests are asked."""
        return Session(self.encoder, self.options.timeout_s, watch=self.watch)

    def tell(self, what: str, done: int, of: int) -> None:
        """Report progress."""
        if self.progress is not None:
            self.progress(what, done, of)

    def remember(self, judged: Judged) -> None:
        """Keep a request for later passes."""
        if len(self.seen) < SEEN_MAX:
            self.seen.append(judged)

    def report(self, finding: Finding, point: Point, shows: Callable[[Point], bool]) -> None:
        """Add a finding with its simplest witness, or the fact that the witness did not replay."""
        try:
            witness = self.witness(self.explorer.simplified(point, shows))
        except ReplayError as error:
            self.findings.append(undecided(finding, str(error)))
            return
        self.findings.append(shown(finding, witness))

    def settle(self, finding: Finding, answer: Answer, shows: Callable[[Point], bool]) -> bool:
        """Add the finding, or that it is undecided; False if it is refuted that there is one."""
        match answer:
            case Found(point=point):
                self.report(finding, point, shows)
            case Open(why=why):
                self.findings.append(undecided(finding, why))
            case Absent():
                return False
        return True

    def witness(self, point: Point) -> Witness:
        """A request in JSON form with the outcome, replayed from that very form.

        Raises:
            ReplayError: it does not read back, or the compiled table decides otherwise.
        """
        return replayed(self.policy, point, self.replay)


def replayed(policy: ir.Policy, point: Point, replay: Replay | None) -> Witness:
    """A request in JSON form, decided by the interpreter and by the compiled table.

    Raises:
        ReplayError: it does not read back, or the two disagree.
    """
    request, runtime = write_request(policy, point.values)
    params = {p.field.name: argument(point.params[p.field.name], p.field) for p in policy.params}
    sample = read_sample(policy, request, runtime)
    if not isinstance(sample, Request):
        raise ReplayError(f"the request of the witness is not valid: {sample}")
    outcome = interpret.decide(policy, point.params, sample.values)
    if replay is not None:
        check_same(outcome, replay(request, runtime, params))
    return Witness(
        request, runtime, params, outcome.decision.word, outcome.rule_id, outcome.matched
    )


def check_same(outcome: interpret.Outcome, other: Any) -> None:
    """Hold what the compiled table answered against the interpreter's outcome.

    Raises:
        ReplayError: the two disagree.
    """
    theirs = (_word(other.decision), other.rule_id)
    if theirs != (outcome.decision.word, outcome.rule_id):
        ours = f"{outcome.decision.word} by `{outcome.rule_id}`"
        raise ReplayError(
            f"the interpreter says {ours}, the compiled table {theirs[0]} by `{theirs[1]}`"
        )


def _word(decision: Any) -> str:
    return decision.word if isinstance(decision, ir.Effect) else str(decision)
