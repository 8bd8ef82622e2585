"""The columns of a policy: what a valid request and its parameters look like as a row of integers.

In: a policy.  Out: a row for each request, domains of columns, and requests for rows.

What always holds: rules see a request only through its row and the equalities of texts, so two
requests with one row fire the same rules.  Each member of a set is a column of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Value, default_params
from govlang.compiler.ir import Ranges
from govlang.compiler.text_classes import classify_fields
from govlang.verifier import ranges
from govlang.verifier.texts import Texts

BIT: Final[Ranges] = ((0, 1),)
ON: Final[Ranges] = ((1, 1),)
OFF: Final[Ranges] = ((0, 0),)


class ColumnKind(Enum):
    """What a column holds."""

    VALUE = "value"  # of a number, enumeration, bool, time or duration
    PARAM = "param"
    HAS = "has"  # 1: the optional field has a value
    MEMBER = "member"  # 1: the set has this member
    CLASS = "class"  # of a text, in one of its automata
    EQUAL = "equal"  # 1: two text fields hold the same bytes


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `part` is the member or the automaton, `other` the right side of an equality."""

    kind: ColumnKind
    name: str
    domain: Ranges
    part: int = 0
    other: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A request with its parameters, as the interpreter reads them."""

    values: Mapping[str, Value]
    params: Mapping[str, int]


class Columns:
    """All columns of a policy, by number and by what they hold."""

    def __init__(self, policy: ir.Policy) -> None:
        self.policy = policy
        self.fields = {field.name: field for field in policy.fields}
        self.texts = Texts(classify_fields(with_argument_texts(policy)))
        self.columns: list[Column] = []
        self.value: dict[str, int] = {}
        self.param: dict[str, int] = {}
        self.has: dict[str, int] = {}
        self.members: dict[str, tuple[int, ...]] = {}
        self.classes: dict[str, tuple[int, ...]] = {}
        self.equal: dict[tuple[str, str], int] = {}
        for field in policy.fields:
            self._add_field(field)
        for param in policy.params:
            domain = ((param.field.lo, param.field.hi),)
            self.param[param.field.name] = self._add(
                Column(ColumnKind.PARAM, param.field.name, domain)
            )
        for left, right in equal_pairs(policy):
            self.equal[left, right] = self._add(Column(ColumnKind.EQUAL, left, BIT, other=right))
        self.tangled = self._tangled()
        self.params = default_params(policy)

    def _add(self, column: Column) -> int:
        self.columns.append(column)
        return len(self.columns) - 1

    def _add_field(self, field: ir.Field) -> None:
        name = field.name
        if field.optional:
            self.has[name] = self._add(Column(ColumnKind.HAS, name, BIT))
        if field.is_text:
            one = self.texts.classes[name]
            absent = one.class_of(b"")
            self.classes[name] = tuple(
                self._add(
                    Column(ColumnKind.CLASS, name, self._class_domain(field, i, absent[i]), i)
                )
                for i, _ in enumerate(one.columns)
            )
        elif field.kind is ir.Kind.SET:
            self.members[name] = tuple(
                self._add(Column(ColumnKind.MEMBER, name, BIT, i))
                for i, _ in enumerate(field.members)
            )
        else:
            self.value[name] = self._add(Column(ColumnKind.VALUE, name, ((field.lo, field.hi),)))

    def _class_domain(self, field: ir.Field, index: int, absent: int) -> Ranges:
        own = self.texts.inhabited(field.name, index)
        return ranges.of_values((*own, absent) if field.optional else own)

    def _tangled(self) -> frozenset[int]:
        """Columns that are not free of one another: equalities, their classes, split classes."""
        compared = {name for pair in self.equal for name in pair}
        return frozenset(self.equal.values()) | {
            column
            for name, own in self.classes.items()
            if name in compared or len(own) > 1
            for column in own
        }

    # --- between requests and rows ---------------------------------------------------------------

    def row(self, point: Point) -> list[int]:
        """The row of a request."""
        row = [0] * len(self.columns)
        values = point.values
        for name, number in self.value.items():
            value = values.get(name)
            row[number] = self.fields[name].lo if value is None else int(value)
        for name, number in self.param.items():
            row[number] = point.params[name]
        for name, number in self.has.items():
            row[number] = int(values.get(name) is not None)
        for name, numbers in self.members.items():
            mask = int(values.get(name) or 0)
            for place, number in enumerate(numbers):
                row[number] = mask >> place & 1
        for name, numbers in self.classes.items():
            if numbers:
                found = self.texts.classes[name].class_of(str(values.get(name) or "").encode())
                for number, one in zip(numbers, found, strict=True):
                    row[number] = one
        for (left, right), number in self.equal.items():
            row[number] = int((values.get(left) or "") == (values.get(right) or ""))
        return row

    def domain(self, number: int) -> Ranges:
        """The values that a column may have."""
        return self.columns[number].domain


def equal_pairs(policy: ir.Policy) -> tuple[tuple[str, str], ...]:
    """The pairs of text fields that are compared, closed under transitivity, sorted."""
    group = {field.name: field.name for field in policy.fields if field.is_text}
    for left, right in _written_pairs(policy):
        joined = {group[left], group[right]}
        group = {name: min(joined) if g in joined else g for name, g in group.items()}
    members: dict[str, list[str]] = {}
    for name, root in group.items():
        members.setdefault(root, []).append(name)
    return tuple(sorted(p for own in members.values() for p in combinations(sorted(own), 2)))


def _written_pairs(policy: ir.Policy) -> Iterator[tuple[str, str]]:
    for condition in all_conditions(with_argument_texts(policy)):
        for atom in ir.atoms(condition):
            if isinstance(atom, ir.TextEqual):
                yield atom.left, atom.right


def all_conditions(policy: ir.Policy) -> Iterator[ir.BoolExpr]:
    """Every condition of a policy, those inside expressions of effects too."""
    for rule in policy.rules:
        yield rule.condition
        for expr in ir.rule_expressions(rule):
            yield from (p.condition for p in ir.int_parts(expr) if isinstance(p, ir.Choose))
    yield from (one.condition for one in policy.assumptions)
    yield from (one.condition for one in policy.properties)


def with_argument_texts(policy: ir.Policy) -> ir.Policy:
    """The policy with a property for each comparison of text arguments that the passes make."""
    tests = tuple(dict.fromkeys(_argument_tests(policy)))
    if not tests:
        return policy
    extra = ir.Property("", ir.disjunction(tests))
    return replace(policy, properties=(*policy.properties, extra))


def argument_equal(a: ir.ArgValue, b: ir.ArgValue) -> ir.BoolExpr:
    """When two arguments of one parameter have the same value."""
    match a, b:
        case ir.TextConst(text=x), ir.TextConst(text=y):
            return ir.BoolConst(x == y)
        case ir.TextField(name=x), ir.TextConst(text=y):
            return ir.TextTest(x, (ir.Pattern(ir.PatternKind.LITERAL, y),))
        case ir.TextConst(), ir.TextField():
            return argument_equal(b, a)
        case ir.TextField(name=x), ir.TextField(name=y):
            return ir.TRUE if x == y else ir.TextEqual(min(x, y), max(x, y))
        case (ir.TextConst() | ir.TextField(), _) | (_, ir.TextConst() | ir.TextField()):
            return ir.FALSE
        case _:
            return ir.TRUE if a == b else ir.Compare(ir.CompareOp.EQ, a, b)


def _argument_tests(policy: ir.Policy) -> Iterator[ir.BoolExpr]:
    """Comparisons of text arguments between the dos of one action, and between equal remedies."""
    groups: dict[tuple[str, ...], dict[ir.ArgValue, None]] = {}
    for rule in policy.rules:
        for do in rule.dos:
            for place, arg in enumerate(do.args):
                groups.setdefault((do.action, str(place)), {})[arg] = None
        for name, value in rule.remedy.values if rule.remedy else ():
            groups.setdefault(("", rule.remedy.text if rule.remedy else "", name), {})[value] = None
    for group in groups.values():
        texts = [v for v in group if isinstance(v, ir.TextConst | ir.TextField)]
        fields = [v for v in texts if isinstance(v, ir.TextField)]
        for field in fields:
            for other in texts:
                test = argument_equal(field, other)
                if not isinstance(test, ir.BoolConst):
                    yield test
