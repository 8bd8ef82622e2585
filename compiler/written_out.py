"""A policy with its sugar written out, as `.gov`: what contracts, autonomy, invariants and tables stand for.

In: the declarations of a policy.  Out: text in the one layout, a remark above each part that was written out.

What always holds: what is printed means the same; guards, which stand above all tiers, are rules of a first tier.
Two things cannot be written, and stand in remarks: the events in the life of a contract, and that under
`combine unique` a guard decides alone, where two other rules that fire leave it to `default`.  Tests are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from govlang.compiler import sugar
from govlang.compiler.desugar import Draft, drafts
from govlang.compiler.imports import Program
from govlang.compiler.resolve import Resolver, Scope
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.parser import parse
from govlang.dsl.printer import print_policy
from govlang.dsl.source import NO_SPAN, Source

GUARDS: Final = "guards"
"""The tier of guards, unless the policy has one of that name."""

Part = tuple[str, tuple[ast.Declaration, ...]]
"""A remark, empty where nothing was written out, and declarations."""


def written_out(program: Program) -> str:
    """The policy as it could have been written without sugar."""
    found = Diagnostics()
    resolver = Resolver(found)
    for declaration in program.declarations:
        resolver.take(declaration)
    parts = list(_Writer(resolver.scope, found).parts(program.declarations))
    head = print_policy(ast.Policy(program.header, ()))
    text = "\n".join([head, *(_text(part) for part in _joined(parts))])
    return print_policy(parse(Source("core.gov", text)))


def _joined(parts: Sequence[Part]) -> Iterator[Part]:
    """Declarations that were not touched stand together, as they were laid out."""
    plain: list[ast.Declaration] = []
    for remark, declarations in parts:
        if not remark:
            plain += declarations
            continue
        if plain:
            yield "", tuple(plain)
            plain = []
        yield remark, declarations
    if plain:
        yield "", tuple(plain)


def _text(part: Part) -> str:
    remark, declarations = part
    head = f"// {remark}\n" if remark else ""
    return head + print_policy(ast.Policy(None, declarations))


class _Writer:
    """Writes out the declarations of one policy."""

    def __init__(self, scope: Scope, found: Diagnostics) -> None:
        self._scope = scope
        self._found = found
        names = (f"{GUARDS}{n or ''}" for n in range(len(scope.tiers) + 1))
        self._guards = next(name for name in names if name not in scope.tiers)

    def parts(self, declarations: Sequence[ast.Declaration]) -> Iterator[Part]:
        """The declarations in order; the tiers, where there are guards, with theirs."""
        guarded = any(isinstance(one, ast.ContractDecl | ast.Invariant) for one in declarations)
        if guarded:
            tiers = (self._guards, *self._scope.tiers)
            yield self._above(declarations), (ast.TiersDecl(tuple(map(ast.Name, tiers))),)
        for one in declarations:
            if not isinstance(one, ast.Test) and not (guarded and isinstance(one, ast.TiersDecl)):
                yield self._part(one)

    def _above(self, declarations: Sequence[ast.Declaration]) -> str:
        """What is to be said of guards."""
        combined = (one.combine for one in declarations if isinstance(one, ast.CombineDecl))
        alone = ast.Combine.UNIQUE in combined
        own = f"rules of `{self._guards}` stand above all others"
        return f"{own}; under `unique` the first of them that fires decides" if alone else own

    def _part(self, one: ast.Declaration) -> Part:
        match one:
            case ast.ContractDecl(name=name):
                guard, proofs = self._guard(one), tuple(sugar.contract_proofs(one))
                events = f"the host reports {', '.join(sugar.life(one))}"
                remark = f"contract {name.text}; {events}"
                return remark, (sugar.contract_machine(one), guard, *proofs)
            case ast.AutonomyDecl():
                rules, proofs = (
                    tuple(map(_rule, self._drafts(one))),
                    tuple(sugar.autonomy_proofs(one)),
                )
                return "autonomy", (sugar.autonomy_machine(one), *rules, *proofs)
            case ast.Invariant(name=name):
                return f"invariant {name.text}", (self._guard(one),)
            case ast.Table(name=name):
                return f"table {name.text}", tuple(map(_rule, self._drafts(one)))
            case ast.TierBlock(members=members) if any(isinstance(m, ast.Table) for m in members):
                rules = tuple(rule for member in members for rule in self._member(member))
                return f"tables of {one.name.text}", (
                    ast.TierBlock(one.name, one.condition, rules),
                )
            case _:
                return "", (one,)

    def _member(self, member: ast.Rule | ast.Table) -> Iterator[ast.Rule]:
        if isinstance(member, ast.Rule):
            yield member
        else:
            yield from map(_rule, self._drafts(member))

    def _guard(self, one: ast.Declaration) -> ast.TierBlock:
        rules = tuple(map(_rule, self._drafts(one)))
        return ast.TierBlock(ast.Name(self._guards), None, rules)

    def _drafts(self, one: ast.Declaration) -> Iterator[Draft]:
        return drafts([one], self._scope, self._found)


def _rule(draft: Draft) -> ast.Rule:
    because = ast.String(draft.because) if draft.because else None
    name = ast.Name(draft.id)
    return ast.Rule(
        name, draft.condition, draft.decision, because, draft.remedy, draft.overrides, NO_SPAN
    )
