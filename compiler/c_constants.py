"""The constants of a policy's header: what stands in the integers of requests and outcomes.

In: a program and the names of its files.  Out: groups of constants, each an `enum`, or macros where a
mask may be wider than an `int`.

What always holds: constants are named in the order of docs/edge.md, so a name tells one thing only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from govlang.compiler import interface, ir
from govlang.compiler.c_names import CNames, legal
from govlang.compiler.edge_fields import width
from govlang.compiler.edge_state import board_scopes, sample_variable
from govlang.compiler.interpret import DEFAULT_RULE, INVALID_REQUEST
from govlang.compiler.program import Program
from govlang.compiler.step import CLOCK_FAULT_RULE


@dataclass(frozen=True, slots=True)
class Constant:
    """A name for an integer."""

    name: str
    value: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Constants that belong together; `bits`: they are masks of this width, else members of an `enum`."""

    tag: str
    about: str
    constants: tuple[Constant, ...]
    bits: int = 0


class Constants:
    """Names the constants of a policy."""

    def __init__(self, program: Program, names: CNames) -> None:
        self._policy = program.policy
        self._program = program
        self._names = names

    def groups(self) -> Iterator[Group]:
        """All constants, in the order of the header."""
        effects = [(effect.word, "") for effect in ir.Effect]
        yield self._numbered("decision", "what was decided", "", effects)
        yield self._numbered("rule", "numbers of rules", "rule", self._rules())
        variables = [(one.name, one.comment) for one in self._program.variables]
        yield from self._listed("variable", "numbers of variables", "variable", variables)
        texts = [(str(i), one.text) for i, one in enumerate(self._policy.assumptions)]
        about, first = "numbers of assumptions", len(variables)
        yield from self._listed("assumption", about, "assumption", texts, first)
        yield from self._bits()
        for one in (*self._policy.fields, *(param.field for param in self._policy.params)):
            yield from self._members(one.name, one)
        for action in self._policy.actions:
            for one in action.parameters:
                yield from self._members(f"{action.name}_{one.name}", one)
        if self._policy.time is not None:
            yield from self._remembered(self._policy.time)

    def _remembered(self, time: ir.Time) -> Iterator[Group]:
        """Members of what samples carry, and of cells."""
        for sample in time.samples:
            for one in sample.fields:
                yield from self._members(sample_variable(one.name), one)
        for scope in board_scopes(time):
            for cell in scope.cells:
                if cell.field.kind is ir.Kind.ENUM:
                    yield from self._members(scope.variable(cell), cell.field)

    def _rules(self) -> Iterator[tuple[str, str]]:
        yield from ((rule.id, rule.because) for rule in self._policy.rules)
        yield from ((DEFAULT_RULE, ""), (INVALID_REQUEST, ""))
        if self._policy.time is not None:
            yield CLOCK_FAULT_RULE, ""

    def _bits(self) -> Iterator[Group]:
        """The bits of the masks of the outcome."""
        targets = [(one.name, "") for one in interface.targets(self._policy)]
        yield from self._listed("target", "bits of `limited`", "limited", targets)
        duties = [(do.action, self._duty(do)) for do in interface.duties(self._policy)]
        yield from self._listed("duty", "bits of `dos`", "do", duties)
        remedies = [(self._giver(one), one.text) for one in interface.remedies(self._policy)]
        yield from self._listed("remedy", "bits of `remedies`", "remedy", remedies)

    def _giver(self, remedy: ir.Remedy) -> str:
        """The first rule that gives a remedy."""
        return next(rule.id for rule in self._policy.rules if rule.remedy == remedy)

    def _duty(self, do: ir.Do) -> str:
        fields = interface.parameters(self._policy, do)
        given = ", ".join(
            f"{f.name} = {self._argument(v)}" for f, v in zip(fields, do.args, strict=True)
        )
        time = "" if do.for_ms is None else f" for {do.for_ms} ms"
        return f"{do.action}({given}){time}"

    def _argument(self, value: ir.ArgValue) -> str:
        match value:
            case ir.IntConst(value=number):
                return str(number)
            case ir.TextConst(text=text):
                return f'"{text}"'
            case ir.TextField(name=name):
                return f"the text of `{name}`"
            case _:
                return "computed"

    def _members(self, name: str, field: ir.Field) -> Iterator[Group]:
        if field.kind is ir.Kind.ENUM:
            members = [(member, "") for member in field.members]
            yield self._numbered(f"{name}_member", f"members of `{field.name}`", name, members)
        elif field.kind is ir.Kind.SET:
            masks = tuple(
                Constant(self._name(name, member), 1 << bit)
                for bit, member in enumerate(field.members)
            )
            yield Group("", f"members of `{field.name}`", masks, width(field))

    def _listed(
        self, tag: str, about: str, kind: str, named: list[tuple[str, str]], first: int = 0
    ) -> Iterator[Group]:
        """A group, if it has constants."""
        if named:
            yield self._numbered(tag, about, kind, named, first)

    def _numbered(
        self, tag: str, about: str, kind: str, named: Iterable[tuple[str, str]], first: int = 0
    ) -> Group:
        tag = self._names.file.fresh(self._names.of(tag))
        constants = (
            Constant(self._name(kind, name), number, comment)
            for number, (name, comment) in enumerate(named, first)
        )
        return Group(tag, about, tuple(constants))

    def _name(self, kind: str, name: str) -> str:
        """`POLICY_KIND_NAME`, in capitals."""
        words = legal(f"{kind}_{name}" if kind else name).upper()
        return self._names.file.fresh(self._names.macro(words))
