"""What is always possible: `prove NAME: always possible (P)`.

In: a context.  Out: a proof that from every reachable state some samples lead to P, each kind of state with
samples that are written down; or GOV306 with a history into states that no sample leaves and in which P
never holds; or that it is open.

What always holds: a proof covers every state that satisfies what is known of states, by explicit samples
whose effect was computed on symbolic cells; a refutation rests on a set of machine states that was proved
closed and free of P.  A state is that of one key, of one value of each other field that cells are kept by, and
what is shared, behind a sample that carries all of them: from every other moment a request leads to such a one,
for one is valid whatever the parameters (`assumptions.py`).  Where rules test the texts of these, the state says
which class of texts each is of; it stays so, and samples that lead on carry texts of that class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.compiler.step import Instance, Request, State, addresses
from govlang.verifier.columns import Point
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.findings import PROPERTY, Finding, Proved, Severity, undecided
from govlang.verifier.outcome import Decision, any_of
from govlang.verifier.properties import ms_since, with_decision
from govlang.verifier.solve import Absent, Found
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.moment import Moment, Taken, Terms, own_scopes
from govlang.verifier.time.relation import cell_scopes
from govlang.verifier.time.traces import Reached, samples_of
from govlang.verifier.time.traps import Traps
from govlang.verifier.time.unroll import History

ROUNDS_MAX: Final = 60
"""Kinds of states for which a continuation is looked for."""

SHAPES: Final = ((1,), (1, 1), (1, 1, 1))
"""Continuations that are tried first."""

KEY: Final = "k"
"""Stands for the key of the instances that are looked at; of which class it is, a state says."""


def find_impossible(context: TimeContext) -> None:
    """Settle every property of what is always possible."""
    for one in context.remembering.properties:
        if one.possible:
            _Possible(context, one).settle()


@dataclass
class _Possible:
    context: TimeContext
    one: ir.Property
    cells: dict[str, Term] = field(init=False)
    texts: dict[str, dict[int, Term]] = field(init=False)
    """By scope and column: the class of its key, where some condition tests that."""
    _traps: Traps = field(init=False)
    covered: list[Term] = field(default_factory=list)
    """The states from which P can be reached, or which cannot be reached themselves."""
    _told: int = 0
    """How many of `covered` the solver of states knows of."""
    continuations: int = 0
    _histories: dict[tuple[int, ...], tuple[History, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cells = self.context.time.cells
        self.cells = {c.name: z3.Int(f"any:{i}") for i, c in enumerate(cells) if not c.brief}
        columns = self.context.judge.columns
        self.texts = {
            scope: {
                n: z3.Int(f"key:{n}") for n in columns.classes.get(scope, ()) if self._tested(n)
            }
            for scope in own_scopes(self.context.time)
        }
        self._traps = Traps(
            self.context, self.cells, self._goal, self._params(), self.texts, self._whose()
        )

    def settle(self) -> None:
        """Prove, refute, or leave it open."""
        start = perf_counter()
        finding = Finding(
            PROPERTY,
            "property",
            Severity.ERROR,
            (),
            f"`{self.one.name}` becomes impossible: after the history nothing leads there any more",
            "add a way back, or a transition that is due after a time",
            property=self.one.name,
            span=self.one.span,
            question=f"whether `{self.one.name}` stays possible after every history",
        )
        why = self._beyond()
        if why is None:
            why = self._proof(finding)
        if why is None:
            count = self.continuations
            several = f"{count} continuations cover" if count != 1 else "1 continuation covers"
            method = f"{several} every state"
            self.context.proved.append(Proved(self.one.name, "property", method, ms_since(start)))
        elif why:
            own = f"or let it stay open with `--allow-undecided {self.one.name}`"
            self.context.findings.append(undecided(finding, f"{why}, {own}"))

    def _beyond(self) -> str | None:
        """Why the question is not looked at."""
        context = self.context
        if not context.known.ranges_hold:
            return "it is not proved that the cells stay in their ranges: make its counts smaller"
        columns = context.judge.columns
        assumed = {n for one in context.policy.assumptions for n in ir.fields_read(one.condition)}
        for scope in own_scopes(context.time):
            others = {f"${one.name}.{scope}" for one in context.time.samples}
            held = [n for name in others for n in columns.classes.get(name, ())]
            tied = scope in assumed or scope in columns.has
            if any(map(self._tested, held)) or (self.texts[scope] and tied):
                return f"what is possible may depend on the text of `{scope}`: test a field beside it instead"
            if any({scope, *others} & {*pair} for pair in columns.equal):
                return f"what is possible may depend on what `{scope}` equals: test a field beside it instead"
        return None

    def _tested(self, column: int) -> bool:
        """Whether conditions tell texts apart by this column."""
        return self.context.judge.columns.domain(column) != ((0, 0),)

    def _whose(self) -> frozenset[str]:
        """The scopes of which a sample at which P holds carries our key."""
        read = ir.fields_read(self.one.condition)
        if self._asks():
            return frozenset(own_scopes(self.context.time))
        return frozenset(c.scope for c in self.context.time.cells if c.name in read)

    def _asks(self) -> bool:
        """Whether P is about requests."""
        fields = {f.name for f in self.context.remembering.fields}
        return self.one.mentions_decision or bool(ir.fields_read(self.one.condition) & fields)

    # --- proofs ----------------------------------------------------------------------------------

    def _proof(self, finding: Finding) -> str | None:
        """None if it is proved, a reason if it is open, nothing if it was refuted."""
        due = self.context.search.solvers.due(3)
        states = self._solver([*self.context.known.of(self._named()), *self._params()])
        for _ in range(ROUNDS_MAX):
            states.add(*(z3.Not(term) for term in self.covered[self._told :]))
            self._told = len(self.covered)
            verdict = self._ask(states)
            if verdict == z3.unsat:
                return None
            if verdict == z3.unknown or not due.left:
                break
            model = states.model()
            if self._continued(model):
                continue
            why = self._closed(model, finding)
            if why is not None and not (why and self._lead_on(self._left(), self._goal)):
                return why
        return "not every kind of state was settled in the time for it: give it more with `--timeout S`"

    def _named(self) -> Terms:
        """All cells of a state between two samples."""
        return {**self.cells, **{c.name: z3.IntVal(c.initial) for c in self._brief()}}

    def _brief(self) -> Iterator[ir.Cell]:
        return (c for c in self.context.time.cells if c.brief)

    def _params(self) -> list[Term]:
        columns, encoder = self.context.judge.columns, self.context.encoder
        params = {n: encoder.variables[n] for n in columns.param.values()}
        classes = {n: term for own in self.texts.values() for n, term in own.items()}
        both = {**params, **classes}
        return [encoder.inside(term, columns.domain(n)) for n, term in both.items()]

    def _continued(self, model: Any) -> bool:
        """Add the states from which the samples that lead from this one to P do so, too.

        If none is known, other states from which a covered one can be reached are added.
        """
        here = [term == model.eval(term, model_completion=True) for term in self._state()]
        return (
            self._lead_on(here, self._goal)
            or self._lead_on(here, self._further)
            or self._lead_on(self._left(), self._further)
        )

    def _left(self) -> list[Term]:
        """The states that are not covered."""
        return [*self.context.known.of(self._named()), *(z3.Not(one) for one in self.covered)]

    def _lead_on(
        self, from_: Sequence[Term], goal: Callable[[Moment, Taken], Sequence[Term]]
    ) -> bool:
        for counts in (*SHAPES, *((n, 1) for n in self.context.search.goals.counts())):
            history, solver = self._history(counts)
            asked = goal(history.moments[-1], history.taken[-1])
            for calm in (True, False):
                solver.push()
                solver.add(*asked, *from_, *(self._calm(history) if calm else ()))
                found = solver.model() if self._ask(solver) == z3.sat else None
                solver.pop()
                if found is not None and isinstance(samples_of(history, found), tuple):
                    self.covered.append(self._leads(history, found, asked))
                    self.continuations += 1
                    return True
        return False

    def _state(self) -> list[Term]:
        encoder = self.context.encoder
        params = self.context.judge.columns.param.values()
        classes = [term for own in self.texts.values() for term in own.values()]
        return [*self.cells.values(), *(encoder.variables[n] for n in params), *classes]

    def _history(self, counts: tuple[int, ...]) -> tuple[History, Any]:
        if counts not in self._histories:
            context = self.context
            last = Encoder(context.judge.columns, "?")
            history = History(
                context.policy,
                context.time,
                last,
                counts,
                self._anywhere(),
                pattern=context.pattern,
                classes={n: term for own in self.texts.values() for n, term in own.items()},
            )
            history.laws += [
                moment.keys[scope] == number
                for moment in history.moments
                for scope, number in history.texts
            ]
            self._histories[counts] = history, self._solver(history.laws)
        return self._histories[counts]

    def _anywhere(self) -> State:
        """Any state of one instance of each scope."""
        instances = {}
        for scope in {ir.SHARED, *own_scopes(self.context.time)}:
            own = {c.name: self.cells[c.name] for c in self.context.time.cells
                   if c.scope == scope and not c.brief}  # fmt: skip
            instances[scope, "" if scope == ir.SHARED else KEY] = Instance(0, own)
        return State(instances)

    def _goal(self, moment: Moment, taken: Taken) -> list[Term]:
        """P at a sample: where it speaks of the decision or of fields, at a request."""
        here = moment.encoder.over(taken.seen)
        rules = self.context.policy.rules
        decision = Decision(here, rules, lambda rule: here.condition(rule.condition))
        read = ir.fields_read(self.one.condition)
        scopes = {c.scope for c in self.context.time.cells if c.name in read}
        return [
            with_decision(here, self.one.condition, decision),
            *(moment.addresses(scope) for scope in scopes),
            *([moment.is_request, z3.Not(moment.fault)] if self._asks() else ()),
        ]

    def _further(self, moment: Moment, taken: Taken) -> list[Term]:
        """At a sample that all instances see: the state behind it is one that is covered already."""
        behind = [(cell, taken.after[name]) for name, cell in self.cells.items()]
        there = [z3.substitute(term, *behind) for term in self.covered]
        scopes = cell_scopes(self.context.time)
        return [any_of(there), *(moment.addresses(scope) for scope in scopes)]

    def _calm(self, history: History) -> list[Term]:
        """Between samples there is no time, or so much that every age has stopped."""
        longest = max((c.cap or 0 for c in self.context.time.cells), default=0) + 1
        before: Term = z3.IntVal(0)
        found = []
        for moment in history.moments:
            found.append(z3.Or(moment.at == before, moment.at == before + longest))
            before = moment.at
        return found

    def _leads(self, history: History, model: Any, asked: Sequence[Term]) -> Term:
        """The states from which the samples of a model lead to what was asked for."""
        params = set(self.context.judge.columns.param.values())
        terms: list[Term] = []
        for moment in history.moments:
            own = enumerate(moment.encoder.variables)
            terms += [v for i, v in own if i not in params]
            terms += [*moment.keys.values(), moment.at, moment.keyed]
        fixed = [(term, model.eval(term, model_completion=True)) for term in terms]
        return z3.simplify(z3.substitute(z3.And([*history.laws, *asked]), *fixed))

    def _solver(self, terms: Sequence[Term]) -> Any:
        return self.context.search.solvers.fresh(terms)

    def _ask(self, solver: Any, literals: Sequence[Term] = ()) -> Any:
        return self.context.search.solvers.ask(solver, literals)

    # --- refutations -----------------------------------------------------------------------------

    def _closed(self, model: Any, finding: Finding) -> str | None:
        """Show that nothing leads out of a state; None if it turns out that nothing leads there."""
        lost = (
            "a state was found from which no short continuation leads there: claim less,"
            " as that a machine comes back instead of a decision"
        )
        inside = self._traps.around(model)
        if inside is None:
            return lost
        scopes = cell_scopes(self.context.time)
        encoder = self.context.encoder

        texts = self._traps.classes(model)

        def asked(moment: Moment, taken: Taken) -> list[Term]:
            there = [inside(taken.after), *(moment.addresses(scope) for scope in scopes)]
            own = [moment.encoder.variables[n] == value for n, value in texts.items()]
            return [*there, *([moment.is_request, *own] if texts else ())]

        def shows(point: Point) -> bool:
            if not isinstance(point, Reached) or not self._is_of(point, texts):
                return False
            known = self._behind_last(point)
            if known is None:
                return False
            columns = self.context.judge.columns
            params = [
                (encoder.variables[n], z3.IntVal(point.params[name]))
                for name, n in columns.param.items()
            ]
            return bool(z3.is_true(z3.simplify(z3.substitute(inside(known), *params))))

        answer = self.context.search.find(asked, shows)
        if isinstance(answer, Found):
            self.context.report(finding, answer.point, shows)
            return ""
        if isinstance(answer, Absent) and not texts:
            self.covered.append(inside(self.cells))
            return None
        return lost

    def _is_of(self, reached: Reached, classes: Mapping[int, int]) -> bool:
        """Whether the last sample is a request whose keys are of these classes, if they matter."""
        row = self.context.judge.columns.row(reached)
        asks = isinstance(reached.samples[-1], Request)
        return not classes or (asks and all(row[n] == one for n, one in classes.items()))

    def _behind_last(self, reached: Reached) -> Terms | None:
        """The cells of what the last sample carries the keys of; None if it does not carry all."""
        time = self.context.time
        addressed = addresses(time, reached.samples[-1])
        if not cell_scopes(time) <= addressed.keys():
            return None
        found = {}
        for cell in time.cells:
            if not cell.brief:
                instance = reached.after.instances[cell.scope, addressed[cell.scope]]
                found[cell.name] = z3.IntVal(instance.cells[cell.name])
        return found
