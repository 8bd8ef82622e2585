"""The proof that a table means its policy, read from the bytes alone.

In: the policy, the bytes, the name of the policy's meaning.  Out: a verdict, what was proved and
how, and for a refutation a request on which the two differ.

The table is cut along its structure: schema and records are compared as they are decoded; for every
rule, the ways in which the walk makes it fire are held against its condition, box by box where both
are boxes and by the solver elsewhere; the classes of texts are held against the patterns.  Nothing
here knows how tables are made.

What always holds: `proved` means that every obligation was proved; `refuted` comes with a request
that was run on both sides, or with a part of the schema that differs for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

from govlang.compiler import ir
from govlang.compiler.ir import Effect
from govlang.native.table import Table
from govlang.verifier.smtlib import Watch
from govlang.verifier.translation.boxes import (
    Box,
    TooManyBoxesError,
    boxes_of,
    meet_boxes,
    same_union,
)
from govlang.verifier.translation.code import program_tree
from govlang.verifier.translation.deadline import Deadline, OutOfTimeError, deadline_after
from govlang.verifier.translation.decode import Decoded
from govlang.verifier.translation.outcome import Difference, TableReader
from govlang.verifier.translation.proof import Obligation, Refutation, TableProof, Verdict
from govlang.verifier.translation.records import (
    Mismatch,
    expression_pairs,
    rule_mismatches,
    schema_mismatches,
)
from govlang.verifier.translation.regions import Block, Occurrence, TooManyWaysError, Walks
from govlang.verifier.translation.solve import Answer, Solver
from govlang.verifier.translation.source import Layout, table_layout
from govlang.verifier.translation.texts import TooManyTextsError
from govlang.verifier.translation.tree import FALSE, TRUE, OddColumnError, Tree
from govlang.verifier.translation.witness import Witnesses

__all__ = ["Obligation", "Refutation", "TableProof", "Verdict", "prove_table"]


def prove_table(
    policy: ir.Policy,
    table: bytes,
    *,
    snapshot: str,
    timeout_s: float,
    limit_s: float | None = None,
    watch: Watch | None = None,
) -> TableProof:
    """Prove that `table` decides as `policy` says.

    `timeout_s` bounds each question to the solver, of which `watch` is told every one; `limit_s` the whole
    proof, by default `deadline.LIMIT_S` or the time of some questions, whichever is more.

    Raises:
        TableError: GOV410 no engine takes the table.
    """
    start = perf_counter()
    Table(table)
    obligations: list[Obligation] = []
    deadline = deadline_after(limit_s, timeout_s)
    decoded = Decoded(table)
    refutation = _Proof(policy, decoded, snapshot, timeout_s, deadline, obligations, watch).run()
    verdict = Verdict.PROVED
    if refutation is not None:
        verdict = Verdict.REFUTED
    elif any(one.verdict is not Verdict.PROVED for one in obligations):
        verdict = Verdict.UNDECIDED
    return TableProof(verdict, tuple(obligations), refutation, perf_counter() - start)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Something that was not proved: claims that a request must satisfy to show it."""

    what: str
    rule: int | None
    claims: Callable[[], list[Any]]


@dataclass(slots=True)
class _Proof:
    policy: ir.Policy
    decoded: Decoded
    snapshot: str
    timeout_s: float
    deadline: Deadline
    obligations: list[Obligation]
    watch: Watch | None = None
    layout: Layout = field(init=False)
    doubts: list[_Doubt] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    trees: dict[int, Tree] = field(default_factory=dict)
    known_solver: Solver | None = None

    def run(self) -> Refutation | None:
        """Prove all obligations; what refutes them, if something does."""
        self._compare("schema", schema_mismatches(self.policy, self.decoded, self.snapshot))
        if not any(m.field or m.what.startswith("parameter") for m in self.mismatches):
            self._compare("rules", rule_mismatches(self.policy, self.decoded))
            try:
                self._by_structure()
            except OutOfTimeError:
                self._report("meaning", "none", 1, (self.deadline.told,))
        if all(one.verdict is Verdict.PROVED for one in self.obligations):
            return None
        return self._refutation()

    def _by_structure(self) -> None:
        try:
            self.layout = table_layout(self.policy, self.decoded, self.deadline)
            self._texts()
            self._assumptions()
            if not self.mismatches:
                self._expressions()
            walks = Walks(self.layout.domain)
            walks.read(self.decoded.nodes)
            self._ranks(walks.blocks)
            self._conditions(walks)
        except (TooManyTextsError, TooManyWaysError, OddColumnError) as error:
            what = type(error).__name__
            self.obligations.append(Obligation("structure", Verdict.UNDECIDED, "none", 1, (what,)))

    def _solver(self) -> Solver:
        if self.known_solver is None:
            self.known_solver = Solver(self.layout, self.timeout_s, self.watch)
        return self.known_solver

    # --- obligations -----------------------------------------------------------------------------

    def _compare(self, name: str, found: Iterator[Mismatch]) -> None:
        mismatches = list(found)
        self.mismatches += mismatches
        verdict = Verdict.REFUTED if mismatches else Verdict.PROVED
        what = tuple(m.what for m in mismatches)
        self.obligations.append(Obligation(name, verdict, "comparison", max(1, len(what)), what))

    def _texts(self) -> None:
        """Which patterns the classes of a column decide, by the product of the automata.

        One that none decides is no fault by itself: a rule that needs it will not be proved.
        """
        count = sum(len(model.decided) for model in self.layout.texts.values())
        self._report("texts", "product of automata", count, ())

    def _report(self, name: str, method: str, count: int, failed: Sequence[str]) -> None:
        verdict = Verdict.UNDECIDED if failed else Verdict.PROVED
        self.obligations.append(Obligation(name, verdict, method, count, tuple(failed)))

    def _program(self, number: int) -> Tree:
        if number not in self.trees:
            self.trees[number] = program_tree(self.decoded.programs[number], self.layout.domain)
        return self.trees[number]

    def _assumptions(self) -> None:
        ours, theirs = self.policy.assumptions, self.decoded.policy.assumptions
        failed = []
        if len(ours) != len(theirs):
            self.mismatches.append(Mismatch("the number of assumptions", bare=True))
            failed.append("the number of assumptions")
        programs = self.decoded.assumption_programs
        for one, other, number in zip(ours, theirs, programs, strict=False):
            tree = self.layout.domain.truth(self._program(number))
            condition = self.layout.condition(one.condition)
            if not self._same(f"assumption `{one.text}`", None, condition, tree):
                failed.append(one.text)
            if one.text != other.text:
                failed.append(f"the text of assumption `{one.text}`")
                self.mismatches.append(Mismatch(failed[-1], bare=True))
                self.doubts.append(_Doubt(failed[-1], None, partial(self._breaks, condition)))
        self._report("assumptions", "normal form, solver", len(ours), failed)

    def _breaks(self, condition: Tree) -> list[Any]:
        return [self._solver().condition(self.layout.domain.neg(condition))]

    def _expressions(self) -> None:
        """Every expression of an effect has its value whenever the rule fires."""
        failed, count = [], 0
        for pair in expression_pairs(self.policy, self.decoded):
            count += 1
            rule = self.policy.rules[pair.rule]
            ours, domain = self.layout.integer(pair.expr), self.layout.domain
            theirs = domain.integer(self._program(pair.program))
            if ours == theirs:
                continue
            if pair.bound is not None:
                end: Tree = ("const", pair.bound[1])
                ours = domain.arithmetic(pair.bound[0], ours, end)
                theirs = domain.arithmetic(pair.bound[0], theirs, end)
            solver = self._solver()

            def claims(number: int = pair.rule, a: Tree = ours, b: Tree = theirs) -> list[Any]:
                fires = self.layout.condition(self.policy.rules[number].condition)
                return [self._solver().condition(fires), self._solver().differ_as_integers(a, b)]

            if solver.answer(claims()) is not Answer.NONE:
                failed.append(rule.id)
                self.doubts.append(
                    _Doubt(f"a value that rule `{rule.id}` gives", pair.rule, claims)
                )
        self._report("expressions", "normal form, solver", count, failed)

    def _ranks(self, blocks: Sequence[Block]) -> None:
        """Entries stand in order of rank; blocks say of them what the rules say."""
        joined = self.policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
        entries = self.decoded.entries
        ranks = [(-entry.effect if joined else 0, entry.rule) for entry in entries]
        failed = [] if ranks == sorted(ranks) else ["the order of the entries"]
        permitting = (Effect.ALLOW, Effect.REQUIRE_HUMAN)
        alone = {i for i, rule in enumerate(self.policy.rules) if self._is_alone(rule)}
        paired = {i for i, rule in enumerate(self.policy.rules) if rule.limits}
        for block in blocks:
            own = [entries[number] for number in block.entries]
            expected = (
                _mask(entry.effect in permitting for entry in own),
                _mask(entry.rule in alone for entry in own),
                _mask(entry.rule in paired for entry in own),
            )
            if (block.permits, block.alone, block.paired) != expected:
                failed.append("the bits of a block")
        self._report("ranks", "comparison", len(entries), failed)

    def _is_alone(self, rule: ir.Rule) -> bool:
        targets = [limit.target for limit in rule.limits]
        lowest = all(
            limit.lo == ir.IntConst(self.policy.target(limit.target).lo) for limit in rule.limits
        )
        return bool(rule.overrides) or not lowest or len(targets) != len(set(targets))

    # --- conditions ------------------------------------------------------------------------------

    def _conditions(self, walks: Walks) -> None:
        """Each rule fires, with each effect, exactly when the policy says so."""
        found: dict[int, dict[Effect, list[Occurrence]]] = {}
        for number, occurrences in walks.occurrences.items():
            entry = self.decoded.entries[number]
            found.setdefault(entry.rule, {}).setdefault(entry.effect, []).extend(occurrences)
        failed = []
        for number, rule in enumerate(self.policy.rules):
            expected, own = self._expected(rule), found.get(number, {})
            for effect in sorted({*own, *expected}):
                ours = expected.get(effect, FALSE)
                if not self._fires_alike(rule.id, number, ours, own.get(effect, [])):
                    failed.append(rule.id)
        count = len(self.policy.rules)
        self._report("conditions", "boxes, solver", count, tuple(dict.fromkeys(failed)))

    def _expected(self, rule: ir.Rule) -> dict[Effect, Tree]:
        """For each effect of a rule, when it has it."""
        fires = self.layout.condition(rule.condition)
        if rule.effect is not Effect.REQUIRE_HUMAN:
            return {rule.effect: fires}
        domain = self.layout.domain
        mask = sum(1 << self.policy.roles.index(role) for role in set(rule.roles))
        approved = domain.all_of(self.layout.value[ir.APPROVED], mask) if mask else TRUE
        return {
            Effect.REQUIRE_HUMAN: domain.conj([fires, domain.neg(approved)]),
            Effect.ALLOW: domain.conj([fires, approved]),
        }

    def _fires_alike(
        self, rule_id: str, rule: int, ours: Tree, occurrences: Sequence[Occurrence]
    ) -> bool:
        domain = self.layout.domain
        try:
            theirs = [box for one in occurrences for box in self._boxes(one)]
            if same_union(boxes_of(ours, domain), theirs, domain):
                return True
        except TooManyBoxesError:
            pass
        tree = domain.disj([self._tree(one) for one in occurrences])
        return self._same(f"when rule `{rule_id}` fires", rule, ours, tree)

    def _boxes(self, one: Occurrence) -> Iterator[Box]:
        domain = self.layout.domain
        if not one.tests and one.program is None:
            yield one.box
            return
        for box in boxes_of(self._beside(one), domain):
            both = meet_boxes(one.box, box)
            if both is not None:
                yield both

    def _beside(self, one: Occurrence) -> Tree:
        domain = self.layout.domain
        programs = [] if one.program is None else [domain.truth(self._program(one.program))]
        return domain.conj([*one.tests, *programs])

    def _tree(self, one: Occurrence) -> Tree:
        domain = self.layout.domain
        box = [domain.inside(key[1], spans) for key, spans in one.box.items()]
        return domain.conj([*box, self._beside(one)])

    def _same(self, what: str, rule: int | None, ours: Tree, theirs: Tree) -> bool:
        if ours == theirs:
            return True

        def claims() -> list[Any]:
            return [self._solver().differ(ours, theirs)]

        if self._solver().answer(claims()) is Answer.NONE:
            return True
        self.doubts.append(_Doubt(what, rule, claims))
        return False

    # --- refutation ------------------------------------------------------------------------------

    def _refutation(self) -> Refutation | None:
        """A request that shows one of the faults, or a fault that the table shows by itself."""
        witnesses = Witnesses(self.policy, TableReader(self.decoded))
        for what, found in self._attempts(witnesses):
            if found is not None:
                return _refuted(what, found)
        bare = next((m for m in self.mismatches if m.bare), None)
        return None if bare is None else Refutation(bare.what)

    def _attempts(self, witnesses: Witnesses) -> Iterator[tuple[str, Difference | None]]:
        """What may be wrong, and a request that shows it, if the search finds one."""
        if not self._can_be_asked():
            return
        if hasattr(self, "layout"):
            with suppress(OutOfTimeError):
                yield from self._by_solver(witnesses)
        yield self._first_failure(), witnesses.by_probing(self.mismatches)

    def _by_solver(self, witnesses: Witnesses) -> Iterator[tuple[str, Difference | None]]:
        for doubt in self.doubts[:_DOUBTS_MAX]:
            solver = self._solver()
            yield doubt.what, witnesses.by_claim(solver, doubt.claims(), doubt.rule)
        for mismatch in self.mismatches[:_DOUBTS_MAX]:
            for rule in self._rules_of(mismatch):
                claims = self._firing(witnesses, rule, mismatch)
                yield mismatch.what, witnesses.by_claim(self._solver(), claims, rule)
        if self.mismatches:
            yield self.mismatches[0].what, witnesses.by_default(self._solver())

    def _can_be_asked(self) -> bool:
        """Whether requests make sense to the table: inputs, members and actions have own names."""
        table = self.decoded.policy
        lists = [tuple(one.name for one in named) for named in (table.fields, table.actions)]
        lists += [one.members for one in self.decoded.fields]
        return all(len(names) == len(set(names)) for names in lists) and len(table.params) == len(
            self.policy.params
        )

    def _rules_of(self, mismatch: Mismatch) -> list[int]:
        if mismatch.rule is not None:
            return [mismatch.rule]
        return [] if mismatch.field else list(range(len(self.policy.rules)))[:_DOUBTS_MAX]

    def _firing(self, witnesses: Witnesses, rule: int, mismatch: Mismatch) -> list[Any]:
        claims = [witnesses.fires(self._solver(), rule)]
        if mismatch.also is not None:
            claims.append(witnesses.fires(self._solver(), mismatch.also))
        return claims

    def _first_failure(self) -> str:
        first = next(o for o in self.obligations if o.verdict is not Verdict.PROVED)
        return first.failed[0] if first.failed else first.name


_DOUBTS_MAX = 12


def _refuted(what: str, found: Difference) -> Refutation:
    return Refutation(what, found.request, found.runtime, found.params, found.expected, found.found)


def _mask(flags: Iterator[bool]) -> int:
    return sum(1 << bit for bit, flag in enumerate(flags) if flag)
