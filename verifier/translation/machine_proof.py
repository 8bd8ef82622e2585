"""The proof that an artefact of the edge means its policy, from what was decoded of its bytes or text.

In: the policy, a decoded artefact, the name of the policy's meaning.  Out: a verdict, what was proved
and how, and for a refutation variables on which the two differ.

The proof is cut along the structure: whatever lies outside its domain is refused (one case a variable);
on everything else the step is run symbolically, what it gathers is put into the words of the policy,
rule by rule, and every cell of the outcome is held against what the policy says, by its form and where
that does not tell by the solver.  Nothing here knows how artefacts are made.

What always holds: `proved` means that every obligation was proved; `refuted` comes with variables that
were run on both sides, or with a part of the artefact that differs for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from time import perf_counter

from govlang.compiler import ir
from govlang.verifier.smtlib import Watch
from govlang.verifier.translation.c_comments import comment_mismatches
from govlang.verifier.translation.c_policy import constant_mismatches
from govlang.verifier.translation.cases import Case, invalid_case, valid_case
from govlang.verifier.translation.deadline import Deadline, OutOfTimeError, deadline_after
from govlang.verifier.translation.edge_expected import refused
from govlang.verifier.translation.edge_interface import (
    Interface,
    edge_interface,
    interface_mismatches,
    variables_before_time,
)
from govlang.verifier.translation.edge_time import NoBoardError
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.leaves import Leaf
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_pairs import Doubt, Pair, doubt_of, pairs_of
from govlang.verifier.translation.machine_solve import MachineSolver, Rules
from govlang.verifier.translation.machine_witness import Difference, MachineWitnesses, Run
from govlang.verifier.translation.meaning import Meaning
from govlang.verifier.translation.normal_form import normal_condition
from govlang.verifier.translation.paths import FREE, Path
from govlang.verifier.translation.proof import ArtefactProof, EdgeRefutation, Obligation, Verdict
from govlang.verifier.translation.reading import Plain
from govlang.verifier.translation.scan_proof import class_counts, prove_scans
from govlang.verifier.translation.schema_read import schema_mismatches
from govlang.verifier.translation.solve import Answer
from govlang.verifier.translation.source import Layout
from govlang.verifier.translation.symbolic import Symbolic
from govlang.verifier.translation.time_asked_witness import AskedWitnesses
from govlang.verifier.translation.time_deadline import points_of
from govlang.verifier.translation.time_decode import Memory
from govlang.verifier.translation.time_machine import TimedProof
from govlang.verifier.translation.time_machine_witness import TimedRun, TimedWitnesses
from govlang.verifier.translation.tree import FALSE, TRUE, Tree
from govlang.verifier.translation.words import OddCodeError


def prove_artefact(
    policy: ir.Policy,
    artefact: Artefact,
    *,
    what: str,
    snapshot: str,
    timeout_s: float,
    limit_s: float | None = None,
    run: Run | None = None,
    watch: Watch | None = None,
    memory: Memory | None = None,
    taken: TimedRun | None = None,
) -> ArtefactProof:
    """Prove that an artefact (`what`: "C" or "WebAssembly") decides as `policy` says.

    `timeout_s` bounds each question to the solver, `limit_s` the whole proof, by default `deadline.LIMIT_S`
    or the time of some questions, whichever is more; `run` is the real engine, which is asked before
    anything is called refuted.  `memory` is what the table of a policy over time says of its state: the next
    deadline goes by its points; `taken` is the real engine of such a policy.
    """
    start = perf_counter()
    deadline = deadline_after(limit_s, timeout_s)
    proof = _Proof(policy, artefact, what, snapshot, timeout_s, deadline, run, watch, memory, taken)
    refutation = proof.run()
    verdict = Verdict.PROVED
    if refutation is not None:
        verdict = Verdict.REFUTED
    elif any(one.verdict is not Verdict.PROVED for one in proof.obligations):
        verdict = Verdict.UNDECIDED
    seconds = perf_counter() - start
    return ArtefactProof(what, verdict, tuple(proof.obligations), refutation, seconds)


def artefact_interface(policy: ir.Policy, artefact: Artefact) -> Interface:
    """What a policy whose texts have the classes of an artefact shows a host."""
    empty = {
        f"class.{scan.field}.{k}": automaton.classes[0]
        for scan in artefact.scans.values()
        for k, automaton in enumerate(scan.columns)
    }
    return edge_interface(policy, class_counts(artefact.scans), empty).within(artefact.room)


@dataclass(slots=True)
class _Proof:
    policy: ir.Policy
    artefact: Artefact
    what: str
    snapshot: str
    timeout_s: float
    deadline: Deadline
    engine: Run | None
    watch: Watch | None
    memory: Memory | None = None
    taken: TimedRun | None = None
    timed: TimedProof | None = None
    obligations: list[Obligation] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    interface: Interface = field(init=False)
    layout: Layout = field(init=False)
    guards: Guards = field(init=False)
    solvers: dict[Rules, MachineSolver] = field(default_factory=dict)

    def run(self) -> EdgeRefutation | None:
        """Prove all obligations; what refutes them, if something does."""
        scans = prove_scans(self.policy, self.artefact)
        self.obligations += scans.obligations
        self.bare += [
            fault.refutation().what for fault in scans.faults if fault.verdict is Verdict.REFUTED
        ]
        if not self.bare:
            self._interface()
        if not self.bare:
            self.layout = Layout(
                self.policy,
                [one.column for one in variables_before_time(self.interface)],
                scans.texts,
                deadline=self.deadline,
            )
            try:
                if self.policy.time is None:
                    self._refusals()
                    self._step()
                else:
                    self._over_time()
            except OutOfTimeError:
                self._report("meaning", "none", 1, (self.deadline.told,))
        if all(one.verdict is Verdict.PROVED for one in self.obligations):
            return None
        return self._refutation()

    # --- what stands between policy and host -------------------------------------------------------

    def _interface(self) -> None:
        scans = self.artefact.scans
        try:
            self.interface = artefact_interface(self.policy, self.artefact)
        except NoBoardError as error:
            self._compare("interface", iter((str(error),)))
            return
        self._compare("interface", interface_mismatches(self.interface, self.artefact))
        if self.what == "C":
            named = constant_mismatches(self.policy, self.artefact)
            told = comment_mismatches(self.policy, self.interface, self.artefact)
            self._compare("constants", chain(named, told))
        if self.artefact.schema:
            columns = {scan.field: len(scan.columns) for scan in scans.values()}
            found = schema_mismatches(self.artefact.schema, self.policy, self.snapshot, columns)
            self._compare("schema", (mismatch.what for mismatch in found))

    def _compare(self, name: str, found: Iterator[str]) -> None:
        failed = list(found)
        self.bare += failed
        verdict = Verdict.REFUTED if failed else Verdict.PROVED
        self.obligations.append(
            Obligation(name, verdict, "comparison", max(1, len(failed)), tuple(failed))
        )

    def _report(self, name: str, method: str, count: int, failed: Sequence[str]) -> None:
        verdict = Verdict.UNDECIDED if failed else Verdict.PROVED
        self.obligations.append(Obligation(name, verdict, method, count, tuple(failed)))

    # --- invalid requests --------------------------------------------------------------------------

    def _refusals(self) -> None:
        """Where a variable is the first one outside its domain, the step is refused by its number."""
        failed, count = [], 0
        for number, one in enumerate(self.interface.variables):
            case = invalid_case(self.interface, number, self.deadline)
            if case is None:
                continue
            count += 1
            if self._differing(case, Plain(case.words), case.start, number):
                failed.append(one.name)
                self.doubts.append(Doubt(f"`{one.name}` outside its domain", variable=number))
        self._report("refusals", "symbolic run", count, failed)

    def _differing(
        self, case: Case, reader: Plain, start: Path, number: int
    ) -> list[tuple[Tree, Pair | None]]:
        """Where a step that starts like this is not seen to be refused by its number."""
        step = Symbolic(case.words, case.variable, reader, start)
        try:
            step.run(self.artefact.decide)
        except OddCodeError:
            return [(TRUE, None)]
        domain = case.words.domain
        returned, cells = refused(self.policy, self.interface, number)
        found: list[tuple[Tree, Pair | None]] = [
            (domain.conj([one.path.tree(domain), *one.given, one.condition]), None)
            for one in step.undefined
        ]
        for leaf in step.leaves:
            where = domain.conj([leaf.path.tree(domain), *leaf.given])
            found += (
                (where, pair)
                for pair in pairs_of(leaf, reader, returned, cells)
                if pair[0] != pair[1]
            )
        return [(where, pair) for where, pair in found if where != FALSE]

    # --- valid requests ------------------------------------------------------------------------------

    def _step(self) -> None:
        """On all variables in their domains, the outcome is that of the policy."""
        own = self.layout.domain
        case = valid_case(self.interface, own.spans, own.members, self.deadline)
        start: Path | None = FREE
        self.guards = Guards(case.words, case.spans, case.members)
        broken = []
        for number, assumption in enumerate(self.policy.assumptions):
            tree = normal_condition(self.layout.condition(assumption.condition), case.words)
            assert start is not None
            if not self._is_refused(case, start, tree, number):
                broken.append(assumption.text)
            start = start.narrowed(start.simplified(tree, case.words.domain), case.words.domain)
            if start is None:
                break
        self._report("assumptions", "symbolic run, solver", len(self.policy.assumptions), broken)
        if start is not None:
            self._outcome(case, start)

    def _is_refused(self, case: Case, start: Path, assumed: Tree, number: int) -> bool:
        """Where an assumption is the first one broken, the step is refused by its number."""
        domain = case.words.domain
        broken = start.narrowed(start.simplified(domain.neg(assumed), domain), domain)
        if broken is None:
            return True
        what = f"assumption `{self.policy.assumptions[number].text}`"
        whole = broken.tree(domain)
        self.solvers.clear()
        solver = self._solver(Rules.FREE)

        def impossible(condition: Tree) -> bool:
            claims = [solver.condition(whole), solver.condition(condition)]
            return solver.answer(claims) is Answer.NONE

        reader = Plain(case.words, impossible)
        found = self._differing(case, reader, broken, len(self.interface.variables) + number)
        proved = [self._impossible(what, domain.conj([whole, one]), pair) for one, pair in found]
        return all(proved)

    def _outcome(self, case: Case, start: Path) -> None:
        """Where all assumptions hold, every cell is what the policy says."""
        self.solvers.clear()
        domain = case.words.domain
        conditions = (
            normal_condition(self.layout.condition(rule.condition), case.words)
            for rule in self.policy.rules
        )
        self.guards = Guards(
            case.words,
            case.spans,
            case.members,
            rules=[start.within(condition, domain) for condition in conditions],
            raw=len(case.spans),
            approved=self.layout.value.get(ir.APPROVED),
            same=partial(self._same, start.tree(domain)),
        )
        meaning = Meaning(self.layout, self.interface, self.guards)
        step = Symbolic(case.words, case.variable, self.guards, start)
        try:
            step.run(self.artefact.decide)
            self._defined(step)
            self._cells(step.leaves, meaning.cells())
        except OddCodeError as error:
            self._report("outcome", "none", 1, (str(error),))

    def _same(self, where: Tree, ours: Tree, theirs: Tree) -> bool:
        """Whether the solver proves two conditions the same."""
        solver = self._solver(Rules.FREE)
        claims = [solver.condition(where), solver.unlike(ours, theirs)]
        return solver.answer(claims) is Answer.NONE

    def _solver(self, rules: Rules) -> MachineSolver:
        if rules not in self.solvers:
            self.solvers[rules] = MachineSolver(
                self.layout, self.guards, self.timeout_s, rules, self.watch
            )
        return self.solvers[rules]

    def _impossible(self, what: str, condition: Tree, pair: Pair | None = None) -> bool:
        """Whether no valid request satisfies a condition on which two integers differ; else a doubt."""
        doubt = doubt_of(what, condition, pair, self._solver)
        if doubt is not None:
            self.doubts.append(doubt)
        return doubt is None

    def _defined(self, step: Symbolic) -> None:
        """Nothing that the language leaves undefined can happen."""
        failed, domain = [], self.guards.words.domain
        for one in step.undefined:
            tree = domain.conj([one.path.tree(domain), *one.given, one.condition])
            if not self._impossible(f"what happens at {one.at}", tree):
                failed.append(one.at)
        self._report("defined", "intervals, solver", max(1, len(step.undefined)), failed)

    def _cells(self, leaves: Sequence[Leaf], expected: dict[str, Tree]) -> None:
        """Every cell of every way, and what is returned."""
        wrong: list[str] = []
        domain = self.guards.words.domain
        for leaf in leaves:
            where = domain.conj([leaf.path.tree(domain), *leaf.given])
            pairs = pairs_of(leaf, self.guards, 0, expected)
            for name, (ours, theirs) in zip(["what is returned", *expected], pairs, strict=True):
                if ours != theirs and not self._impossible(name, where, (ours, theirs)):
                    wrong.append(name)
        count = len(self.policy.rules) + len(expected) + 1
        self._report("outcome", "boxes, normal form, solver", count, wrong)

    def _over_time(self) -> None:
        """The same of a policy over time, whose step has more ways into it."""
        if self.memory is None:
            self._report("next_deadline", "none", 1, ("there is no table to tell the points",))
            return
        self.timed = TimedProof(
            self.policy,
            self.artefact,
            self.interface,
            self.layout,
            self.timeout_s,
            self.deadline,
            self.watch,
            points_of(self.memory),
        )
        self.obligations += self.timed.run()

    # --- refutation ------------------------------------------------------------------------------

    def _refutation(self) -> EdgeRefutation | None:
        if self.bare:
            return EdgeRefutation(self.bare[0])
        if self.policy.time is not None:
            return self._refutation_over_time()
        witnesses = MachineWitnesses(self.policy, self.interface, self.artefact, self.engine)
        for what, found in self._attempts(witnesses):
            if found is not None:
                return _refuted(what, found)
        return None

    def _refutation_over_time(self) -> EdgeRefutation | None:
        if self.timed is None:
            return None
        own = self.policy, self.interface, self.artefact, self.taken
        asked = AskedWitnesses(*own, self.timed.points).of_failed(self.timed.failed)
        return asked or TimedWitnesses(*own).of_doubts(self.timed.doubts[:_DOUBTS_MAX])

    def _attempts(self, witnesses: MachineWitnesses) -> Iterator[tuple[str, Difference | None]]:
        """What may be wrong, and variables that show it, if the search finds some."""
        for doubt in self.doubts[:_DOUBTS_MAX]:
            if doubt.variable is not None:
                yield doubt.what, witnesses.by_straying(doubt.variable)
            elif doubt.solver is not None:
                with suppress(OutOfTimeError):
                    yield doubt.what, witnesses.by_claim(doubt.solver, doubt.claims, None)
        first = next(o for o in self.obligations if o.verdict is not Verdict.PROVED)
        yield first.failed[0] if first.failed else first.name, witnesses.by_probing()


_DOUBTS_MAX = 12


def _refuted(what: str, found: Difference) -> EdgeRefutation:
    return EdgeRefutation(
        what,
        found.variables,
        found.request,
        found.runtime or {},
        found.params or {},
        found.expected,
        found.found,
    )
