"""Every mutant of a source: one small change each, as cosmic-ray and mutmut make them.

A comparison, an operator or `and`/`or` becomes its neighbour, a `not`, `-` or `~` goes, a condition is
negated, a whole number moves by one, a truth value flips, `break` and `continue` change places, a `for` runs
over nothing, a call made for its effect or a `raise` is left out.

Left alone, since no test could or should tell: annotations, assertions and `assert_never`, what only a type
checker reads, decorators (`frozen`, `slots`), `strict=` of `zip`, and texts (the tests hold messages as goldens).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
Statement = ast.stmt | ast.match_case
UNREACHABLE = {"assert_never", "AssertionError"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the `number`th of the file; `first` to `last` are the lines of its statement's head."""

    path: str
    number: int
    first: int
    last: int
    where: str
    at_import: bool

    @property
    def key(self) -> str:
        return f"{self.path}#{self.number}"


@dataclass(slots=True)
class Site:
    """A place in a tree and the change to make there."""

    node: ast.AST
    statement: Statement
    where: str
    at_import: bool
    change: Callable[[], None]


def mutants(root: Path, path: Path) -> list[Mutant]:
    """All mutants of a file, in the order of the source."""
    found = sites(ast.parse((root / path).read_text(encoding="utf-8")))
    return [
        Mutant(str(path), number, *_head(site.statement), site.where, site.at_import)
        for number, site in enumerate(found)
    ]


def mutated(root: Path, mutant: Mutant) -> tuple[ast.Module, str, str]:
    """The tree with the change made, and the changed statement's head before and after."""
    tree = ast.parse((root / mutant.path).read_text(encoding="utf-8"))
    site = sites(tree)[mutant.number]
    before = _head_text(site.statement)
    holder = _holder(tree, site.statement)
    site.change()
    after = _head_text(holder())
    return ast.fix_missing_locations(tree), before, after


def sites(tree: ast.Module) -> list[Site]:
    """Every place where a change is made, in the order of the source."""
    return list(_Walk().statements(tree.body, ()))


class _Walk:
    """Collects the sites; `scope` names the classes and functions around."""

    def __init__(self) -> None:
        self._inside = 0
        self._statement: Statement = ast.Pass()
        self._scope: tuple[str, ...] = ()

    def statements(self, body: list[ast.stmt], scope: tuple[str, ...]) -> Iterator[Site]:
        outer = self._scope, self._statement
        self._scope = scope
        for at, statement in enumerate(body):
            if not _left_alone(statement):
                self._statement = statement
                yield from self._changed(body, at)
                yield from self._parts(statement)
        self._scope, self._statement = outer

    def _changed(self, body: list[ast.stmt], at: int) -> Iterator[Site]:
        """The statement itself dropped or replaced."""
        statement = body[at]
        other: ast.stmt | None = None
        match statement:
            case ast.Break():
                other = ast.Continue()
            case ast.Continue():
                other = ast.Break()
            case ast.Expr(value=ast.Call()) | ast.Raise():
                other = None if _name(statement) in UNREACHABLE else ast.Pass()
        if other is not None:
            ast.copy_location(other, statement)
            yield self._site(statement, _setting_item(body, at, other))

    def _parts(self, node: ast.AST) -> Iterator[Site]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._expression(node.args)
                self._inside += 1
                yield from self.statements(node.body, (*self._scope, node.name))
                self._inside -= 1
            case ast.ClassDef():
                yield from self.statements(node.body, (*self._scope, node.name))
            case ast.match_case():
                outer, self._statement = self._statement, node
                yield from self._fields(node)
                self._statement = outer
            case _:
                yield from self._fields(node)

    def _fields(self, node: ast.AST) -> Iterator[Site]:
        for name, value in ast.iter_fields(node):
            yield from self._field(node, name, value)

    def _field(self, node: ast.AST, name: str, value: object) -> Iterator[Site]:
        if name in {"annotation", "returns", "format_spec", "type_params"}:
            return
        if name == "test" and isinstance(node, ast.If | ast.While | ast.IfExp):
            yield from self._negated(node.test, lambda new: setattr(node, "test", new))
        if name == "ifs" and isinstance(node, ast.comprehension):
            for at, test in enumerate(node.ifs):
                yield from self._negated(test, lambda new, at=at: node.ifs.__setitem__(at, new))
        if name == "iter" and isinstance(node, ast.For):
            empty = ast.copy_location(ast.Tuple([], ast.Load()), node.iter)
            yield self._site(node, lambda: setattr(node, "iter", empty))
        for at, part in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(part, ast.stmt):
                yield from self.statements(value, self._scope)  # type: ignore[arg-type]
                return
            if isinstance(part, ast.AST):
                put = _setting_item(value, at) if isinstance(value, list) else _setting(node, name)
                yield from self._expression(part, put)

    def _negated(self, test: ast.expr, put: Callable[[ast.expr], None]) -> Iterator[Site]:
        """A condition turned round; a comparison or a `not` has that change of its own."""
        single = isinstance(test, ast.Compare) and len(test.ops) == 1
        if not single and not isinstance(test, ast.UnaryOp | ast.Constant):
            new = ast.copy_location(ast.UnaryOp(ast.Not(), test), test)
            yield self._site(test, lambda: put(new))

    def _expression(
        self, node: ast.AST, put: Callable[[ast.expr], None] | None = None
    ) -> Iterator[Site]:
        match node:
            case ast.Compare():
                for at, op in enumerate(node.ops):
                    for new in COMPARISONS[type(op)]:
                        yield self._site(node, _setting_item(node.ops, at, new()))
            case ast.BoolOp():
                swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                yield self._site(node, lambda: setattr(node, "op", swapped))
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()) if put is not None:
                yield self._site(node, lambda: put(node.operand))
            case ast.BinOp():
                yield from self._operator(node)
            case ast.Constant(value=bool() | int()):
                yield from self._constant(node)
            case ast.keyword(arg="strict"):
                return
            case ast.Lambda():
                yield from self._expression(node.args)
                self._inside += 1
                yield from self._expression(node.body, _setting(node, "body"))
                self._inside -= 1
                return
        yield from self._parts(node)

    def _operator(self, node: ast.BinOp) -> Iterator[Site]:
        """Another operator; a union of types, written at a module's level, is none."""
        if self._inside or not isinstance(node.op, ast.BitOr):
            new = OPERATORS.get(type(node.op))
            if new is not None:
                yield self._site(node, lambda: setattr(node, "op", new()))

    def _constant(self, node: ast.Constant) -> Iterator[Site]:
        value = node.value
        for new in (not value,) if isinstance(value, bool) else (value + 1, value - 1):
            yield self._site(node, lambda new=new: setattr(node, "value", new))

    def _site(self, node: ast.AST, change: Callable[[], None]) -> Site:
        return Site(node, self._statement, ".".join(self._scope), not self._inside, change)


def _left_alone(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            return True
        case ast.If(test=ast.Compare(left=ast.Name("__name__"))):
            return True
        case ast.Expr() | ast.Raise():
            return _name(statement) in UNREACHABLE
    return False


def _name(statement: ast.Expr | ast.Raise) -> str:
    """The name of what is called or raised; empty where it has none."""
    value = statement.value if isinstance(statement, ast.Expr) else statement.exc
    called = value.func if isinstance(value, ast.Call) else value
    return called.id if isinstance(called, ast.Name) else ""


def _setting(node: ast.AST, name: str) -> Callable[[ast.expr], None]:
    return lambda new: setattr(node, name, new)


def _setting_item(items: list, at: int, *new: ast.AST) -> Callable[..., None]:
    """Puts `new`, or what it is called with, in a list's place."""
    return lambda *given: items.__setitem__(at, (*new, *given)[0])


def _head(statement: Statement) -> tuple[int, int]:
    """The lines of a statement without the statements in it."""
    first = _start(statement)
    match statement:
        case ast.Match():
            return first, max(first, _start(statement.cases[0]) - 1)
        case object(body=[inner, *_]):
            return first, max(first, _start(inner) - 1)
        case ast.stmt(end_lineno=int(last)):
            return first, last
    raise ValueError(f"line {first} does not end")


def _start(statement: Statement) -> int:
    return statement.pattern.lineno if isinstance(statement, ast.match_case) else statement.lineno


def _head_text(statement: Statement) -> str:
    text = ast.unparse(statement).strip()
    whole = (
        isinstance(statement, ast.stmt)
        and not hasattr(statement, "body")
        and not hasattr(statement, "cases")
    )
    return text if whole else text.splitlines()[0]


def _holder(tree: ast.Module, statement: Statement) -> Callable[[], Statement]:
    """Reads the place of a statement, which a change may fill with another one."""
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                for at, part in enumerate(value):
                    if part is statement:
                        return lambda node=node, name=name, at=at: getattr(node, name)[at]
    raise LookupError(f"line {_start(statement)}")
