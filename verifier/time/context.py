"""What the passes share for a policy over time: the same as for single requests, over reachable states.

In: a policy over time and options.  Out: a context whose session finds requests together with the samples
that lead to them, and whose findings carry them as a trace.

What always holds: a witness was read back from its JSON form and run on the reference step from the first
sample on and, where `rerun` is given, on the compiled table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from time import perf_counter
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome
from govlang.compiler.obligations import argument
from govlang.compiler.requests import columns_of, read_report, read_sample, write_request
from govlang.compiler.step import Report, Request, Tick
from govlang.verifier.columns import Columns, Point
from govlang.verifier.explore import Explorer
from govlang.verifier.findings import Finding, Proved, Trace, shown, undecided
from govlang.verifier.judge import Judge, Judged
from govlang.verifier.limits import Solvers
from govlang.verifier.options import Context, ReplayError, Rerun, check_same
from govlang.verifier.solve import Session
from govlang.verifier.time.alone import decided_alone
from govlang.verifier.time.flat import with_update_texts
from govlang.verifier.time.goals import Goals
from govlang.verifier.time.invariants import Known, find_invariants
from govlang.verifier.time.moment import Whose
from govlang.verifier.time.pattern import Pattern
from govlang.verifier.time.pool import Pool
from govlang.verifier.time.reachable import Reachable
from govlang.verifier.time.repetition import Repetition
from govlang.verifier.time.search import SHORT, Search
from govlang.verifier.time.simulate import Simulation
from govlang.verifier.time.suggestions import Fact
from govlang.verifier.time.traces import Reached, Sample, Taking, run, shortened, taking

STATES_MAX: Final = 1_000
"""States of random histories that guesses about cells are held against."""

RULES_MAX: Final = 50
"""Rules whose texts are tried."""


@dataclass
class TimeContext(Context):
    """One policy over time under proof."""

    remembering: ir.Policy = field(kw_only=True)
    """The policy without sets; `policy` is its flat form."""

    given: ir.Policy = field(kw_only=True)
    """The policy as it was given; witnesses are run on it."""

    rerun: Rerun | None = field(default=None, kw_only=True)
    judges_rules: bool = field(default=True, kw_only=True)
    """Whether the rules are judged in this context, so that one history for each is worth its price."""

    def __post_init__(self) -> None:
        time = self.remembering.time
        assert time is not None
        self.time = time
        self._solvers = Solvers(self.options.timeout_s, self.watch)
        self.reached: list[Reached] = []
        columns_policy = with_update_texts(self.policy, time)
        self.judge = Judge(replace(self.policy, properties=columns_policy.properties))
        columns: Columns = self.judge.columns
        cells = {columns.value[cell.name] for cell in time.cells}
        columns.tangled |= cells  # they are not free of one another
        boxes = [[term.box for term in shape] for shape in self.judge.shapes]
        texts = _texts_told_apart(self.judge)
        self._simulation = Simulation(self.remembering, columns, self.take, boxes, texts=texts)
        self.met = list(self._simulation.run())
        if self.judges_rules:
            outcomes = [one.outcomes[-1] for one in self.met]
            known = {one.rule_id for one in outcomes if one is not None and len(one.matched) == 1}
            self.met += decided_alone(self.remembering, self.take, columns, boxes, known, texts)
        self.explorer = Pool(self.remembering, self.judge, self.reached, self.at_hand, self.take)

    @cached_property
    def pattern(self) -> Pattern:
        """What a sample does, as terms."""
        return Pattern(self.policy, self.time, self.judge.columns, self.whose)

    @property
    def at_hand(self) -> Sequence[Reached]:
        """The random histories that may be shown or gone on from."""
        return self.met

    @cached_property
    def take(self) -> Taking:
        """What a sample does, on the reference step."""
        return taking(self.remembering)

    @property
    def whose(self) -> Whose:
        """Whose decision the updates of a cell read."""
        return lambda _cell: self.policy

    def aims(self) -> Iterable[ir.BoolExpr]:
        """What histories should show once, so that others go on from there."""
        return ()

    def suggested(self) -> Iterable[Fact]:
        """Facts about cells that may hold, beside those that their shapes suggest."""
        return ()

    @cached_property
    def known(self) -> Known:
        """What holds of cells in every state that can be reached."""
        start = perf_counter()
        states = [one.after for one in self.met[-STATES_MAX:]]
        found = find_invariants(
            self.policy,
            self.time,
            self.judge.columns,
            self._solvers,
            states,
            self._simulation.onward,
            self.pattern,
            self.suggested(),
        )
        ms = int((perf_counter() - start) * 1000)
        facts = [fact for fact in found.kept if not fact.plain]
        self.proved += [Proved(f.text, "state", "induction k=1", ms) for f in facts]
        return found

    @cached_property
    def search(self) -> Search:
        """Where histories are asked for."""
        return Search(
            self.policy,
            self.time,
            self.encoder,
            self.known,
            self._solvers,
            self.pattern,
            self.take,
            Goals(self.remembering, self.policy, self.time, tuple(self.aims())),
            self.reached,
            lambda: self.repeated,
            self.at_hand,
        )

    @cached_property
    def repeated(self) -> tuple[Reached, ...]:
        """What is reached by samples that come very often."""
        search = self.search
        find = partial(search.find, most=len(SHORT))
        goals = list(search.goals.once())
        made = Repetition(self.remembering, self.policy, goals, self.met, find, self.take)
        return tuple(made.rows())

    @cached_property
    def session(self) -> Session:
        """Rules are asked at requests, and where the clock went back only if some rule reads that."""
        encoder, columns = self.encoder, self.judge.columns
        cells = {c.name: encoder.variables[columns.value[c.name]] for c in self.time.cells}
        encoder.lemmas += [fact.of(cells) for fact in self.known.seen]
        requests = [encoder.variables[columns.value[ir.SAMPLE]] == ir.REQUEST]
        if not self.time.rules_read_clock:
            requests.append(encoder.variables[columns.value[ir.CLOCK_FAULT]] == 0)
        encoder.lemmas += requests
        return Reachable(self.search, self.options.timeout_s, self.watch, requests)

    def remember(self, judged: Judged) -> None:
        """Keep a request for later passes, unless its history is random."""
        if isinstance(judged.point, Reached) and not judged.point.by_chance:
            super().remember(judged)

    def report(self, finding: Finding, point: Point, shows: Callable[[Point], bool]) -> None:
        """Add a finding with its shortest history, or the fact that it did not replay."""
        if not isinstance(point, Reached):
            self.findings.append(undecided(finding, "no history was found that leads there"))
            return
        try:
            trace = self.trace(shortened(self.take, self.time, point, shows))
        except ReplayError as error:
            self.findings.append(undecided(finding, str(error)))
            return
        self.findings.append(shown(finding, trace))

    def trace(self, reached: Reached) -> Trace:
        """A history in JSON form, run on the reference step and on the compiled table from that very form.

        Raises:
            ReplayError: it does not read back, or the compiled table answers otherwise.
        """
        written = [_written(self.given, one) for one in reached.samples]
        read = tuple(_read(self.given, one) for one in written)
        again = run(taking(self.given), reached.params, read)
        if again is None or again.outcomes[-1] != reached.outcomes[-1]:
            raise ReplayError("the history of the witness does not read back")
        params = {
            p.field.name: argument(reached.params[p.field.name], p.field)
            for p in self.policy.params
        }
        return answered(written, params, again.outcomes, self.rerun)


def answered(
    lines: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any],
    outcomes: Sequence[Outcome | None],
    rerun: Rerun | None,
) -> Trace:
    """Lines of a trace with what the requests among them are answered, as the compiled table says, too.

    Raises:
        ReplayError: the table answers otherwise, or does not take a line.
    """
    ours = [one for one in outcomes if one is not None]
    theirs = ours if rerun is None else rerun(lines, params)
    for outcome, other in zip(ours, theirs, strict=True):
        check_same(outcome, other)
    steps = [dict(one) for one in lines]
    for step, said in zip(steps, outcomes, strict=True):
        if said is not None:
            step |= {"decision": said.decision.word, "rule_id": said.rule_id}
    return Trace(tuple(steps), params)


def _texts_told_apart(judge: Judge) -> dict[str, list[str]]:
    """Texts inside and beside what some rules test."""
    explorer = Explorer(judge)
    found: dict[str, dict[str, None]] = {}
    names = [one.name for one in judge.policy.fields if one.is_text]
    if names:
        for i in range(min(len(judge.rules), RULES_MAX)):
            for box in (*(term.box for term in judge.shapes[i]), *explorer.outside(i)):
                point = explorer.point(box)
                values = {} if point is None else point.values
                for name in names:
                    if name in values:
                        found.setdefault(name, {})[str(values[name])] = None
    return {name: list(texts) for name, texts in found.items()}


def _written(policy: ir.Policy, sample: Sample) -> Mapping[str, Any]:
    """A sample as a line of a trace."""
    assert policy.time is not None
    key = {} if isinstance(sample, Request) or sample.key is None else {policy.time.key: sample.key}
    own: dict[str, Any] = {"at_ms": sample.at_ms}
    match sample:
        case Request(values=values):
            request, runtime = write_request(policy, values)
            return own | {"request": request, "runtime": runtime}
        case Tick():
            return own | {"tick": True} | ({"key": key} if key else {})
        case Report(name=name, values=values):
            kind = policy.time.sample(name)
            columns = columns_of(kind)
            fields = {n: argument(values[c.name], c) for n, c in columns.items()}
            own |= {"key": key} if key else {}
            if kind.kind is ir.SampleKind.SIGNAL:
                return own | {"signal": name, "value": fields[name]}
            return own | {"event": name, "fields": fields}


def _read(policy: ir.Policy, step: Mapping[str, Any]) -> Sample:
    """The sample that a line of a trace is.

    Raises:
        ReplayError: it is no request that can be read.
    """
    at_ms = step["at_ms"]
    key = next(iter(step.get("key", {}).values()), None)
    if "request" in step:
        found = read_sample(policy, step["request"], step["runtime"], at_ms)
        if not isinstance(found, Request):
            raise ReplayError(f"the request of the witness is not valid: {found}")
        return found
    if "tick" in step:
        return Tick(at_ms, key)
    if "signal" in step:
        name = step["signal"]
        return read_report(policy, name, key, {name: step["value"]}, at_ms)
    return read_report(policy, step["event"], key, step["fields"], at_ms)
