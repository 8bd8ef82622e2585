"""What the passes share for a policy over time: the same as for single requests, over reachable states.

In: a policy over time and options.  Out: a context whose session finds requests together with the samples
that lead to them, and whose findings carry them as a trace.

What always holds: a witness was read back from its JSON form and run on the reference step from the first
sample on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from govlang.compiler import ir
from govlang.compiler.obligations import argument
from govlang.compiler.requests import columns_of, read_report, read_sample, write_request
from govlang.compiler.step import Report, Request, Tick
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder
from govlang.verifier.explore import Explorer
from govlang.verifier.findings import Finding, Proved, Trace, undecided
from govlang.verifier.judge import Judge, Judged
from govlang.verifier.options import Context, ReplayError
from govlang.verifier.shapes import Box
from govlang.verifier.time.flat import with_update_texts
from govlang.verifier.time.invariants import Known, find_invariants
from govlang.verifier.time.search import Reachable, Search
from govlang.verifier.time.traces import Reached, Sample, run, shortened


class Pool(Explorer):
    """Knows no requests but those that were reached before."""

    def __init__(self, judge: Judge, search: Search) -> None:
        super().__init__(judge)
        self.reached = search.pool
        self._known = 0
        self._firing: dict[int, list[Judged]] = {}

    def point(self, box: Box) -> Point | None:  # noqa: ARG002  # no row is made up
        """None: whether a state can be reached does not follow from a box."""
        return None

    def search(
        self,
        rule: int,
        shows: Callable[[Judged], bool],
        partners: Iterable[int] = (),
        before: Callable[[int], bool] = lambda _: True,
    ) -> Judged | None:
        """A request that was reached before, on which a rule fires and `shows` holds."""
        del partners, before
        self._judge_new()
        return next((one for one in self._firing.get(rule, ()) if shows(one)), None)

    def _judge_new(self) -> None:
        """What fires on the requests that were reached since the last time."""
        for reached in self.reached[self._known :]:
            judged = None if reached.decision is None else self.judge.judge(reached)
            if judged is None:
                continue
            for rule in judged.fired:
                self._firing.setdefault(rule, []).append(judged)
        self._known = len(self.reached)


@dataclass
class TimeContext(Context):
    """One policy over time under proof."""

    remembering: ir.Policy = field(kw_only=True)
    """The policy without sets; `policy` is its flat form."""

    given: ir.Policy = field(kw_only=True)
    """The policy as it was given; witnesses are run on it."""

    def __post_init__(self) -> None:
        time = self.remembering.time
        assert time is not None
        self.time = time
        timeout_ms = max(1, int(self.options.timeout_s * 1000))
        columns_policy = with_update_texts(self.policy, time)
        self.judge = Judge(replace(self.policy, properties=columns_policy.properties))
        columns: Columns = self.judge.columns
        cells = {columns.value[cell.name] for cell in time.cells}
        columns.tangled |= cells  # they are not free of one another
        start = perf_counter()
        self.known: Known = find_invariants(self.policy, time, columns, timeout_ms, self.watch)
        self._tell_known(start)
        self.encoder = Encoder(columns)
        self.search = Search(
            self.remembering, self.policy, time, self.encoder, self.known, timeout_ms, self.watch
        )
        self._limit_to_requests()
        self.session = Reachable(self.search, self.options.timeout_s, self.watch)
        self.explorer = Pool(self.judge, self.search)

    def _tell_known(self, start: float) -> None:
        ms = int((perf_counter() - start) * 1000)
        facts = [fact for fact in self.known.kept if not fact.plain]
        self.proved += [Proved(f.text, "state", "induction k=1", ms) for f in facts]

    def _limit_to_requests(self) -> None:
        """Rules are asked at requests, and where the clock went back only if some rule reads that."""
        encoder, columns = self.encoder, self.judge.columns
        cells = {c.name: encoder.variables[columns.value[c.name]] for c in self.time.cells}
        encoder.lemmas += [fact.of(cells) for fact in self.known.seen]
        encoder.lemmas.append(encoder.variables[columns.value[ir.SAMPLE]] == ir.REQUEST)
        if not self.time.rules_read_clock:
            encoder.lemmas.append(encoder.variables[columns.value[ir.CLOCK_FAULT]] == 0)

    def report(self, finding: Finding, point: Point, shows: Callable[[Point], bool]) -> None:
        """Add a finding with its shortest history, or the fact that it did not replay."""
        if not isinstance(point, Reached):
            self.findings.append(undecided(finding, "no history was found that leads there"))
            return
        try:
            trace = self.trace(shortened(self.remembering, point, shows))
        except ReplayError as error:
            self.findings.append(undecided(finding, str(error)))
            return
        self.findings.append(replace(finding, witness=trace))

    def trace(self, reached: Reached) -> Trace:
        """A history in JSON form, run on the reference step from that very form.

        Raises:
            ReplayError: it does not read back.
        """
        written = [_written(self.given, one) for one in reached.samples]
        read = tuple(_read(self.given, one) for one in written)
        again = run(self.given, reached.params, read)
        if again is None or again.outcomes != reached.outcomes:
            raise ReplayError("the history of the witness does not read back")
        steps = [dict(one) for one in written]
        for step, outcome in zip(steps, again.outcomes, strict=True):
            if outcome is not None:
                step |= {"decision": outcome.decision.word, "rule_id": outcome.rule_id}
        params = {
            p.field.name: argument(reached.params[p.field.name], p.field)
            for p in self.policy.params
        }
        return Trace(tuple(steps), params)


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
