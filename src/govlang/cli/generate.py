"""Tests that are missing: what no test reached in, `test` blocks found by the solver out.

What always holds: each test expects what the policy decides now; a person reads whether that is what it
should decide.  What no valid request reaches gets no test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from govlang.cli.coverage import Coverage, Missing, atom_text, cover, replaced_atom
from govlang.compiler import ir
from govlang.compiler.checked import Checked
from govlang.compiler.importers.trees import name, number
from govlang.compiler.interpret import Outcome, decide, default_params
from govlang.compiler.requests import write_request
from govlang.dsl import ast
from govlang.dsl.printer import print_policy
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder
from govlang.verifier.solve import Found, Session

TIMEOUT_S: Final = 10.0
TESTS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Generated:
    """Tests as text, empty if nothing is missing or can be reached; `is_cut`: more are missing."""

    text: str
    count: int
    is_cut: bool


def missing_tests(checked: Checked, coverage: Coverage, most: int = TESTS_MAX) -> Generated:
    """At most so many tests for what no test reached."""
    generator = _Generator(checked.policy, most)
    tests = tuple(generator.tests([*coverage.rules.missing, *coverage.mcdc.missing]))
    text = print_policy(ast.Policy(None, tests)) if tests else ""
    return Generated(text, len(tests), generator.is_cut)


class _Generator:
    """Finds requests by the solver, each for something that the ones before did not reach."""

    def __init__(self, policy: ir.Policy, most: int) -> None:
        self.policy = policy
        self.most = most
        self.is_cut = False
        self.encoder = Encoder(Columns(policy))
        # what a condition says of a field that is not there does not count, so it may read as anything
        validity = self.encoder.validity(absent_as_lowest=False)
        self.session = Session(self.encoder, TIMEOUT_S, validity)
        self.seen: list[tuple[Any, Any]] = []

    def tests(self, missing: list[Missing]) -> Iterator[ast.Test]:
        """One test for each, unless an earlier one reaches it already."""
        for one in missing:
            if self._reached(one):
                continue
            point = self._find(one)
            if point is not None:
                if len(self.seen) >= self.most:
                    self.is_cut = True
                    return
                self.seen.append((point.values, point.params))
                yield self._test(one, point)

    def _reached(self, one: Missing) -> bool:
        if not self.seen:
            return False
        covered = cover(self.policy, self.seen, only=one.rule)
        return one not in (covered.rules.missing if one.atom is None else covered.mcdc.missing)

    def _find(self, one: Missing) -> Point | None:
        rule = self.policy.rule(one.rule)
        wanted = rule.condition if one.atom is None else _deciding(rule.condition, one, one.atom)
        answer = self.session.find([self.encoder.condition(wanted)], lambda _: True)
        return answer.point if isinstance(answer, Found) else None

    def _test(self, one: Missing, point: Point) -> ast.Test:
        params = {**default_params(self.policy), **point.params}
        outcome = decide(self.policy, params, point.values)
        request, runtime = write_request(self.policy, point.values)
        fields = {field.name: field for field in self.policy.fields}
        kinds = {param.field.name: param.field for param in self.policy.params}
        changed = {k: v for k, v in params.items() if v != default_params(self.policy)[k]}
        step = ast.RequestStep(
            None,
            tuple(_argument(fields[k], v) for k, v in request.items()),
            tuple(_argument(fields[k], v) for k, v in runtime.items() if v != []),
            _expect(outcome),
        )
        given = tuple(_argument(kinds[k], _plain(kinds[k], v)) for k, v in changed.items())
        return ast.Test(ast.String(_title(one)), given, (step,))


def _deciding(condition: ir.BoolExpr, one: Missing, atom: ir.Atom) -> ir.BoolExpr:
    """The atom has its value, and the other one would turn the condition over."""
    on, off = (replaced_atom(condition, one.index, value) for value in (True, False))
    differs = ir.disjunction(
        [ir.conjunction([on, ir.negation(off)]), ir.conjunction([ir.negation(on), off])]
    )
    return ir.conjunction([atom if one.polarity else ir.negation(atom), differs])


def _title(one: Missing) -> str:
    if one.atom is None:
        return f"{one.rule} fires"
    return f"{one.rule} turns on `{atom_text(one.atom)}` being {str(one.polarity).lower()}"


def _plain(field: ir.Field, value: int) -> Any:
    from govlang.compiler.obligations import argument

    return argument(value, field)


def _argument(field: ir.Field, value: Any) -> ast.Argument:
    return ast.Argument(name(field.name), _literal(field, value))


def _literal(field: ir.Field, value: Any) -> ast.Literal:
    match field.kind:
        case ir.Kind.ENUM:
            return name(value)
        case ir.Kind.SET:
            quoted = field.name == ir.APPROVED
            return ast.SetLiteral(tuple(ast.String(m) if quoted else name(m) for m in value))
        case ir.Kind.BOOL:
            return ast.Bool(value)
        case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
            return ast.String(value)
        case ir.Kind.TIME | ir.Kind.DURATION:
            return number(value, "ms")
        case _:
            return number(value, field.unit or None)


def _expect(outcome: Outcome) -> ast.Expect:
    effect = ast.Effect(outcome.decision.word)
    return ast.Expect(ast.Decision(effect), name(outcome.rule_id))
