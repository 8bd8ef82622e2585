"""The search for what changed between two versions over time.

In: OLD and NEW, a way to ask the table of each.  Out: a finding for every kind of moment whose outcome changed,
each with the samples that lead there, as each version takes them.

What always holds: nothing is said to be equal but by a proof over all histories, of any length, times and keys;
what is shown was taken by both versions on the reference step, read from its JSON form, and by their tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome, broken_assumption
from govlang.compiler.obligations import argument
from govlang.compiler.step import InvalidRequest, Request, State, step
from govlang.verifier.changes import Change, Side, change_of, with_starts
from govlang.verifier.columns import Point
from govlang.verifier.diff_search import Search, differ_anywhere, has_changed_rules
from govlang.verifier.encode import Term
from govlang.verifier.findings import UNDECIDED, Finding, Trace, undecided
from govlang.verifier.merge import Version
from govlang.verifier.options import Options, ReplayError, Rerun
from govlang.verifier.outcome import Decision
from govlang.verifier.smtlib import Watch
from govlang.verifier.time.beside import Pair, rings, side_by_side
from govlang.verifier.time.beside_run import (
    Both,
    Line,
    line_of,
    own_params,
    read_line,
    taken,
    tick_of,
)
from govlang.verifier.time.concern import concerned
from govlang.verifier.time.context import TimeContext, answered
from govlang.verifier.time.flat import flat
from govlang.verifier.time.interleaved import interleaved
from govlang.verifier.time.moment import Whose
from govlang.verifier.time.suggestions import Fact, kin
from govlang.verifier.time.traces import Reached, Sample, Taking, shortened

Reruns = tuple[Rerun | None, Rerun | None]


@dataclass
class PairContext(TimeContext):
    """Two versions under comparison."""

    pair: Pair = field(kw_only=True)

    @property
    def at_hand(self) -> Sequence[Reached]:
        """None: a change is shown by as few samples as there can be, so chance comes last (`by_chance`)."""
        return ()

    @cached_property
    def take(self) -> Taking:
        """What a sample does to both."""
        return lambda params, state, sample: taken(self.pair, params, state, sample)

    @property
    def whose(self) -> Whose:
        """Whose decision the updates of a cell read."""
        return self.pair.whose

    def suggested(self) -> Iterable[Fact]:
        """That cells of one name agree as far as both count, and that one counts what the other does."""
        alike = (kin(self.time.cell(a), self.time.cell(b)) for a, b in self.pair.twins)
        among = (interleaved(*both) for both in rings(self.pair.policy))
        return [fact for facts in (*alike, *among) for fact in facts]

    def aims(self) -> Iterable[ir.BoolExpr]:
        """That cells of one name differ; of machines, in each of the ways."""
        for a, b in self.pair.twins:
            one, other = (self.time.cell(name).field for name in (a, b))
            if one.members and other.members:
                for i, _ in enumerate(one.members):
                    for j, _ in enumerate(other.members):
                        if i != j:
                            yield ir.conjunction([_holds(a, i), _holds(b, j)])
            else:
                yield ir.Compare(ir.CompareOp.NE, ir.FieldValue(a), ir.FieldValue(b))


class Histories(Search):
    """Looks for changes over histories, kind by kind."""

    context: PairContext

    def __init__(
        self,
        versions: tuple[ir.Policy, ir.Policy],
        pair: Pair,
        options: Options,
        reruns: Reruns,
        watch: Watch | None,
    ) -> None:
        context = PairContext(
            flat(pair.policy),
            options,
            watch=watch,
            remembering=pair.policy,
            given=pair.policy,
            judges_rules=False,  # a history of one version is none of both
            pair=pair,
        )
        super().__init__(*versions, pair.merged, context)
        self.reruns = reruns

    def _anywhere(self) -> bool:
        """Whether there may be changes where no changed rule fires."""
        return differ_anywhere(self.merged) or _clocks_differ(self.context.pair)

    def _side(self, version: Version, rules: Sequence[ir.Rule]) -> Side:
        encoder = self.context.encoder
        valid = encoder.condition(version.valid)
        late = self._late(version.policy)

        def fires(rule: ir.Rule) -> Term:
            in_time = () if late is None else (z3.Not(late),)
            return z3.And(valid, *in_time, encoder.condition(rule.condition))

        return Side(Decision(encoder, rules, fires, policy=version.policy), valid, late)

    def _late(self, policy: ir.Policy) -> Term | None:
        """The clock went back, and the policy denies for that."""
        if policy.time is None or policy.time.rules_read_clock:
            return None
        columns = self.context.judge.columns
        return self.context.encoder.variables[columns.value[ir.CLOCK_FAULT]] == 1

    # --- histories -------------------------------------------------------------------------------

    def by_chance(self) -> Iterator[Finding]:
        """Kinds of changes that random histories show, where the search for more was left open."""
        for reached in self.context.met:
            change = self._change(reached)
            if change is not None and change not in self.seen:
                self.seen[change] = reached
                yield self._told(change, reached)

    def _shows(self, point: Point) -> bool:
        change = self._change(point)
        return change is not None and change not in self.seen

    def _change(self, point: Point) -> Change | None:
        """What became of the last sample of a history, by what both versions answered."""
        if not isinstance(point, Reached) or not isinstance(point.after, Both):
            return None
        old, new = point.after.said
        return (
            None if old is None or new is None else change_of(*self._written(old, new), self.spans)
        )

    def _written(self, old: Outcome, new: Outcome) -> tuple[Outcome, Outcome]:
        """Both outcomes with the starts of their limits."""
        a, b = self.policies
        return with_starts(old, a, self.spans), with_starts(new, b, self.spans)

    @cached_property
    def _borders(self) -> frozenset[int]:
        """The times in ms at which a test of a growing cell turns; both versions' cells stop growing together."""
        time = self.context.time
        growing = {cell.name for cell in time.cells if cell.cap is not None}
        tests = [
            atom
            for policy in (self.context.remembering, *self.policies)
            for rule in policy.rules
            for atom in ir.atoms(rule.condition)
        ]
        ranges = [
            one
            for atom in tests
            if isinstance(atom, ir.InRanges) and atom.name in growing
            for one in atom.ranges
        ]
        return frozenset(ms for lo, hi in ranges for ms in (lo - 1, lo, hi, hi + 1))

    def _told(self, change: Change, point: Point) -> Finding:
        assert isinstance(point, Reached)
        context = self.context
        reached = shortened(
            context.take,
            context.time,
            point,
            lambda one: self._change(one) == change,
            self._borders,
        )
        assert isinstance(reached.after, Both)
        old, new = reached.after.said
        assert old is not None
        assert new is not None
        finding = self._finding(change, self._written(old, new))
        if self._differs_before(reached):
            message = f"{finding.message}, where decisions differed before"
            finding = replace(finding, message=message)
        try:
            before, after = (self._trace(i, reached) for i in range(2))
        except ReplayError as error:
            return undecided(finding, str(error))
        return replace(finding, witness=replace(after, old=before))

    def _differs_before(self, reached: Reached) -> bool:
        """Whether the outcomes differ at an earlier sample already."""
        state = State()
        for sample in reached.samples[:-1]:
            after = self.context.take(reached.params, state, sample).after
            assert isinstance(after, Both)
            old, new = after.said
            if (
                old is not None
                and new is not None
                and change_of(*self._written(old, new), self.spans)
            ):
                return True
            state = after
        return False

    def _trace(self, which: int, reached: Reached) -> Trace:
        """A history as one version takes it, run from its JSON form on the reference step and on the table.

        Raises:
            ReplayError: it does not come to what was found.
        """
        policy, rerun = self.policies[which], self.reruns[which]
        whole = self.context.pair.policy
        steps = own_params(whole, policy, reached.params)
        if steps is None:
            raise ReplayError("a version does not take the parameters of the history")
        lines = list(_lines(whole, policy, steps, reached.samples))
        outcomes = list(_outcomes(policy, steps, lines))
        params = {p.field.name: argument(steps[p.field.name], p.field) for p in policy.params}
        assert isinstance(reached.after, Both)
        found = reached.after.said[which]
        if (own := outcomes[-1]) is None or found is None or _said(own) != _said(found):
            raise ReplayError("the history does not read back")
        return answered(lines, params, outcomes, rerun)


def _holds(cell: str, value: int) -> ir.BoolExpr:
    return ir.InRanges(cell, ((value, value),))


def _clocks_differ(pair: Pair) -> bool:
    said = {v.policy.time and v.policy.time.rules_read_clock for v in pair.versions}
    return len(said) > 1


def _said(outcome: Outcome) -> tuple[object, ...]:
    return outcome.decision, outcome.rule_id, outcome.obligations


def _lines(
    whole: ir.Policy, policy: ir.Policy, params: Mapping[str, int], samples: Sequence[Sample]
) -> Iterator[Line]:
    """Samples as one version gets them; what it does not take is a tick, behind a request also that it refuses."""
    for place, sample in enumerate(samples):
        line = line_of(whole, policy, sample)
        read = read_line(policy, line)
        asks = isinstance(sample, Request)
        if line is not None and (read is not None or asks):
            yield line
        if not _is_taken(policy, params, read) and not (asks and place == len(samples) - 1):
            tick = line_of(whole, policy, tick_of(policy, whole, sample))
            assert tick is not None
            yield tick


def _is_taken(policy: ir.Policy, params: Mapping[str, int], sample: Sample | None) -> bool:
    """Whether a version reads a sample, and takes it if it is a request."""
    if isinstance(sample, Request):
        return broken_assumption(policy, params, sample.values) is None
    return sample is not None


def _outcomes(
    policy: ir.Policy, params: Mapping[str, int], lines: Sequence[Line]
) -> Iterator[Outcome | None]:
    """What one version answers to lines, on the reference step."""
    state = State()
    for line in lines:
        sample = read_line(policy, line)
        unread = InvalidRequest(None, "the request cannot be read", line["at_ms"])
        state, outcome = step(policy, params, state, unread if sample is None else sample)
        yield outcome


# --- both passes -------------------------------------------------------------------------------------


def find_changes(
    old: ir.Policy,
    new: ir.Policy,
    options: Options,
    reruns: Reruns = (None, None),
    watch: Watch | None = None,
) -> Iterator[Finding]:
    """What changed, over all histories.

    First up to the first moment that differs: where there is none, the versions are equal.  Where all rules are the
    same over cells that are defined alike, there is nothing to ask.  Then, where decisions are remembered, also
    behind such moments, where the versions remember different ones.
    """
    pair = side_by_side(old, new, agreeing=True)
    if not (differ_anywhere(pair.merged) or has_changed_rules(pair.merged) or _clocks_differ(pair)):
        return
    seen = old, new
    if not (differ_anywhere(pair.merged) or _clocks_differ(pair)):
        seen = concerned(old, new, pair)
        pair = pair if seen == (old, new) else side_by_side(*seen, agreeing=True)
    first = Histories((old, new), pair, options, reruns, watch)
    found = _found(first)
    if first.seen and pair.needs_agreement:
        yield from (one for one in found if one.code != UNDECIDED)
        apart = side_by_side(*seen, agreeing=False)
        second = Histories((old, new), apart, options, reruns, watch)
        second.seen |= first.seen
        found = _found(second)
    yield from found


def _found(search: Histories) -> list[Finding]:
    found = list(_once(search.findings()))
    more = search.by_chance() if any(one.code == UNDECIDED for one in found) else ()
    return [*more, *found]


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings, each open question once."""
    known = set()
    for one in findings:
        if one.code != UNDECIDED or one.message not in known:
            known.add(one.message)
            yield one
