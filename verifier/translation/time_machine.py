"""The proof of the step of an artefact over time: one way into it at a time, from every state.

In: the policy, a decoded artefact, its interface.  Out: obligations, and what was not proved.

A way is a kind of sample, and whether the step writes.  For each, whatever lies outside its domain is refused by
its number and changes nothing; on everything else the step is run symbolically, once where the clock went back and
once where it did not, and what it comes to is held against what the policy works out (`time_plan.py`).

What always holds: where every obligation is proved, each way answers, tells and stores what docs/edge.md says, from
any state, in or outside its domain, at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from govlang.compiler import ir
from govlang.verifier.translation.cases import Case, domains, invalid_case, valid_case
from govlang.verifier.translation.cuts import Cuts
from govlang.verifier.translation.edge_expected import neutral, refused
from govlang.verifier.translation.edge_interface import Home
from govlang.verifier.translation.edge_time import NOW, UNCALLED
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.integers import const
from govlang.verifier.translation.machine import Function, Timed
from govlang.verifier.translation.machine_pairs import Doubt, Pair, pairs_of
from govlang.verifier.translation.machine_solve import Rules
from govlang.verifier.translation.meaning import Meaning
from govlang.verifier.translation.normal_form import normal_condition
from govlang.verifier.translation.paths import FREE, Path
from govlang.verifier.translation.proof import Obligation, Verdict
from govlang.verifier.translation.reading import Plain, Reader
from govlang.verifier.translation.solve import Answer
from govlang.verifier.translation.symbolic import Symbolic
from govlang.verifier.translation.time_asked_witness import DEADLINE, NO_SAMPLE
from govlang.verifier.translation.time_asking import TimedAsking
from govlang.verifier.translation.time_deadline import deadline_tree
from govlang.verifier.translation.time_machine_witness import Way
from govlang.verifier.translation.time_plan import Plan, TimedLayout
from govlang.verifier.translation.tree import FALSE, TRUE, OddColumnError, Tree
from govlang.verifier.translation.words import OddCodeError

NOBODY = -1


def ways_into(ways: Sequence[str]) -> Iterator[Way]:
    """Every way: questions, requests, ticks, then events and signals by number."""
    yield Way("decide", ir.REQUEST, writes=False)
    yield Way("commit", ir.REQUEST, writes=True)
    yield Way("tick", ir.TICK, writes=True)
    yield from (Way(name, kind, writes=True) for kind, name in enumerate(ways, ir.FIRST_KIND))


@dataclass(slots=True)
class TimedProof(TimedAsking):
    """The proof of one artefact's step."""

    def run(self) -> Iterator[Obligation]:
        """Every obligation, once all ways were looked at."""
        assert self.artefact.time is not None
        for way in ways_into(self.artefact.time.ways):
            self.way = way
            step = self._function(self.artefact.time, way)
            self._refusals(way, step)
            self._valid(way, step)
        self._asked(self.artefact.time)
        for name, method in _METHODS.items():
            failed = tuple(self.failed.get(name, ()))
            verdict = Verdict.UNDECIDED if failed else Verdict.PROVED
            yield Obligation(name, verdict, method, max(1, self.counts.get(name, 0)), failed)

    @staticmethod
    def _function(time: Timed, way: Way) -> Function:
        given = {time.kind: way.kind, time.keep: int(way.writes)}
        return replace(time.step, initial={**time.step.initial, **given})

    def _left(self, way: Way, cells: dict[str, int]) -> dict[str, int]:
        """The outcome that a sample leaves, if there is one."""
        assert self.artefact.time is not None
        return {} if self.artefact.time.answers_only and way.kind != ir.REQUEST else cells

    def _count(self, name: str, count: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + count

    def _fail(self, name: str, what: str) -> None:
        if self.way not in (way for way, _ in self.doubts):
            self.doubts.append((self.way, Doubt(what)))
        self.failed.setdefault(name, {})[what] = None

    # --- what lies outside its domain ------------------------------------------------------------

    def _refusals(self, way: Way, step: Function) -> None:
        for number, one in enumerate(self.interface.variables):
            case = invalid_case(self.interface, number, self.deadline, way.kind)
            if case is None:
                continue
            self._count("refusals")
            answer = one.refusal, self._left(way, refused(self.policy, self.interface, number)[1])
            if self.differing(case, Plain(case.words), case.start, step, answer):
                self._fail("refusals", f"`{one.name}` at `{way.name}`")

    def differing(
        self,
        case: Case,
        reader: Reader,
        start: Path,
        step: Function,
        answer: tuple[int, Mapping[str, int | Tree]],
    ) -> list[tuple[Tree, Pair | None]]:
        """Where a step that starts like this is not seen to answer so, and to leave the state alone."""
        run = Symbolic(case.words, case.variable, reader, start)
        try:
            run.run(step)
        except OddCodeError:
            return [(TRUE, None)]
        domain, (returned, cells) = case.words.domain, answer
        found: list[tuple[Tree, Pair | None]] = [
            (domain.conj([one.path.tree(domain), *one.given, one.condition]), None)
            for one in run.undefined
        ]
        for leaf in run.leaves:
            where = domain.conj([leaf.path.tree(domain), *leaf.given])
            pairs = pairs_of(leaf, reader, returned, cells)
            found += ((where, pair) for pair in pairs if pair[0] != pair[1])
            if leaf.cells.keys() - cells.keys():
                found.append((where, None))
        return [(where, pair) for where, pair in found if where != FALSE]

    # --- valid samples ---------------------------------------------------------------------------

    def _case(self, kind: int) -> Case:
        """Every variable that counts lies in its domain."""
        rest = domains(self.interface)
        own = [*self.base.domain.spans, *rest[0][len(self.base.domain.spans) :]]
        bits = [*self.base.domain.members, *rest[1][len(self.base.domain.members) :]]
        return valid_case(self.interface, own, bits, self.deadline, kind)

    def _valid(self, way: Way, step: Function) -> None:
        case = self._case(way.kind)
        domain = case.words.domain
        self.layout = TimedLayout(self.base, self.interface, case)
        self._look_at(Guards(case.words, case.spans, case.members))
        try:
            free: Path | None = FREE
            if way.kind == ir.REQUEST:
                free = self._assumed(case, step)
            if free is None:
                return
            plan = self._plan(case, free)
            fault = domain.disj([plan.late(scope) for scope in plan.addressed])
            for back in (domain.neg(fault), fault):
                start = free.narrowed(back, domain)
                if start is not None:
                    self._run(way, step, case, start, fault)
        except (OddCodeError, OddColumnError) as error:
            self._fail("outcome", f"`{way.name}`: {str(error) or type(error).__name__}")

    def _plan(self, case: Case, start: Path) -> Plan:
        layout = TimedLayout(self.base, self.interface, case)
        cuts = Cuts(case.words, case.spans, case.members)
        cuts.same = partial(self._same, start)
        cuts.stays = partial(self._stays, start)
        return Plan(layout, self.interface, case, start, cuts)

    def _assumed(self, case: Case, step: Function) -> Path | None:
        """The start of the requests for which all assumptions hold; the others are refused by their number."""
        start, domain = FREE, case.words.domain
        for number, assumption in enumerate(self.policy.assumptions):
            self._count("assumptions")
            tree = normal_condition(self.layout.condition(assumption.condition), case.words)
            against = start.simplified(domain.neg(tree), domain)
            broken = start.narrowed(against, domain)
            answer = refused(self.policy, self.interface, len(self.interface.variables) + number)
            if broken is not None and not self._answers(case, broken, step, answer):
                self._fail("assumptions", assumption.text)
            held = start.narrowed(start.simplified(tree, domain), domain)
            if held is None:
                return None
            start = held
        return start

    def _answers(
        self,
        case: Case,
        start: Path,
        step: Function,
        answer: tuple[int, Mapping[str, int | Tree]],
    ) -> bool:
        """Whether the step gives nothing but this answer where it starts so."""
        whole = start.tree(case.words.domain)
        solver = self._solver(Rules.FREE)

        def impossible(condition: Tree) -> bool:
            claims = [solver.condition(whole), solver.condition(condition)]
            return solver.answer(claims) is Answer.NONE

        reader = Plain(case.words, impossible)
        found = self.differing(case, reader, start, step, answer)
        conj = case.words.domain.conj
        return all(self._impossible(conj([whole, one]), pair) for one, pair in found)

    def _run(self, way: Way, step: Function, case: Case, start: Path, fault: Tree) -> None:
        """One run from every state in its domain, the clock being right or not."""
        words, domain = case.words, case.words.domain
        plan = self._plan(case, start)
        self.layout = plan.layout
        self._look_at(Guards(words, case.spans, case.members, cuts=plan.cuts))
        plan.grow(start.simplified(fault, domain))
        called = self._called(way, plan)
        uncalled = start.narrowed(start.simplified(domain.neg(called), domain), domain)
        cells = self._left(way, refused(self.policy, self.interface, NOBODY)[1])
        if uncalled is not None and not self._answers(case, uncalled, step, (UNCALLED, cells)):
            self._fail("permits", f"`{way.name}`")
        taken = start.narrowed(start.simplified(called, domain), domain)
        if taken is None:
            return
        plan.start = taken
        plan.cuts.same = partial(self._same, taken)
        plan.cuts.stays = partial(self._stays, taken)
        plan.update(ir.INT64_MIN, ir.Stage.CLOSE - 1)
        expected: dict[str, int | Tree] = dict(cells)
        if way.kind == ir.REQUEST:
            expected = dict(self._decided(plan, back=start.simplified(fault, domain) == TRUE))
        self._compare(way, step, plan, expected)

    def _called(self, way: Way, plan: Plan) -> Tree:
        """An event that needs another before it has one."""
        if way.kind < ir.FIRST_KIND:
            return TRUE
        permit = plan.time.samples[way.kind - ir.FIRST_KIND].permit
        if permit is None:
            return TRUE
        self._count("permits")
        left = plan.words.load(plan.layout.value[permit])
        return plan.words.truth(left)

    def _decided(self, plan: Plan, *, back: bool) -> Mapping[str, int | Tree]:
        """The outcome of a request, and the updates behind it."""
        domain, case = plan.domain, plan.case
        rules = self.policy.rules
        conditions = [plan.condition(rule.condition) for rule in rules]
        self._look_at(
            Guards(
                plan.words,
                case.spans,
                case.members,
                cuts=plan.cuts,
                rules=[plan.start.within(condition, domain) for condition in conditions],
                raw=len(case.spans),
                approved=plan.layout.value.get(ir.APPROVED),
                same=partial(self._alike, plan.start),
            )
        )
        found: dict[str, int | Tree]
        if back and not plan.time.rules_read_clock:
            found = {**neutral(self.interface), "out.rule": len(rules) + 2}
            plan.layout.decision = const(int(ir.Effect.DENY))
        else:
            found = dict(Meaning(plan.layout, self.interface, self.guards).cells())
            decision = found["out.decision"]
            assert isinstance(decision, tuple)
            plan.layout.decision = decision
        plan.update(ir.Stage.CLOSE, ir.Stage.CLOSE)
        return found

    def _compare(
        self, way: Way, step: Function, plan: Plan, expected: Mapping[str, int | Tree]
    ) -> None:
        """What the step comes to, cell by cell."""
        before = {
            one.name: plan.words.load(number)
            for number, one in enumerate(self.interface.variables)
            if one.home is Home.STATE
        }
        wanted = {**expected, **plan.state(writes=way.writes)}
        run = Symbolic(plan.words, plan.case.variable, self.guards, plan.start, stored=before)
        run.run(step)
        self._count("ranges", len(plan.cuts.defined))
        for name in plan.cuts.stray:
            self._fail("ranges", name)
        domain = plan.domain
        for one in run.undefined:
            self._count("defined")
            if not self._impossible(
                domain.conj([one.path.tree(domain), *one.given, one.condition])
            ):
                self._fail("defined", one.at)
        for leaf in run.leaves:
            where = domain.conj([leaf.path.tree(domain), *leaf.given])
            pairs = pairs_of(leaf, self.guards, 0, wanted)
            for name, (ours, theirs) in zip(["what is returned", *wanted], pairs, strict=True):
                kind = "state" if name in before else "outcome"
                self._count(kind)
                if ours != theirs and not self._impossible(where, (ours, theirs)):
                    self._fail(kind, f"`{name}` at `{way.name}`")
            if leaf.cells.keys() - wanted.keys():
                self._fail("state", f"`{way.name}`")

    # --- what a host asks of a state -------------------------------------------------------------

    def _asked(self, time: Timed) -> None:
        """A state is told from what is none; the next deadline is that of the page."""
        for number, one in enumerate(self.interface.variables):
            case = invalid_case(self.interface, number, self.deadline, NO_SAMPLE)
            if case is None or (one.home is not Home.STATE and one.name != NOW):
                continue
            asked = (("state_ok", time.state_ok), ("next_deadline", time.next_deadline))
            for name, function in asked:
                if one.name == NOW and function is time.state_ok:
                    continue
                self._count(name)
                answer: tuple[int, Mapping[str, int | Tree]] = one.refusal, {}
                if self.differing(case, Plain(case.words), case.start, function, answer):
                    self._fail(name, f"`{one.name}`")
        case = self._case(NO_SAMPLE)
        if self.differing(case, Plain(case.words), FREE, time.state_ok, (0, {})):
            self._fail("state_ok", "every state")
        try:
            self._deadline(time.next_deadline, case)
        except (OddCodeError, OddColumnError) as error:
            self._fail("next_deadline", str(error) or type(error).__name__)

    def _deadline(self, function: Function, case: Case) -> None:
        plan = self._plan(case, FREE)
        self.layout = plan.layout
        self._look_at(Guards(case.words, case.spans, case.members, cuts=plan.cuts))
        expected = deadline_tree(plan, self.guards, self.points)
        if plan.cuts.stray:
            self._fail("next_deadline", plan.cuts.stray[0])
        run = self.differing(case, self.guards, FREE, function, (0, {DEADLINE: expected}))
        for where, pair in run:
            self._count("next_deadline")
            if not self._impossible(where, pair):
                self._fail("next_deadline", DEADLINE)


_METHODS = {
    "refusals": "symbolic run",
    "assumptions": "symbolic run, solver",
    "permits": "symbolic run, solver",
    "ranges": "intervals, solver",
    "defined": "intervals, solver",
    "outcome": "boxes, normal form, solver",
    "state": "normal form, solver",
    "state_ok": "symbolic run",
    "next_deadline": "normal form, solver",
}
