"""What a contract `needs`: the names of its declaration in, those that can be asked out, and errors for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from govlang.compiler import ir
from govlang.compiler.refusal import RefusalError
from govlang.compiler.resolve import Scope, unknown
from govlang.compiler.values import kind_words
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics


def with_sound_needs(
    declarations: Iterable[ast.Declaration], scope: Scope, found: Diagnostics
) -> tuple[ast.Declaration, ...]:
    """The declarations; a contract keeps of what it needs what is a bool that is always there, the rest is reported."""
    return tuple(
        replace(one, needs=tuple(name for name in one.needs if _is_sound(name, scope, found)))
        if isinstance(one, ast.ContractDecl) and one.needs
        else one
        for one in declarations
    )


def _is_sound(name: ast.Name, scope: Scope, found: Diagnostics) -> bool:
    refusal = _refusal(name, scope)
    if refusal is not None:
        found.add(refusal.diagnostic)
    return refusal is None


def _refusal(name: ast.Name, scope: Scope) -> RefusalError | None:
    """Why a name cannot be needed; a `let`, a parameter or what was refused already is judged where it is read."""
    field = scope.fields.get(name.text)
    if field is None:
        if name.text in {*scope.names(), *scope.faulty}:
            return None
        bools = [one.name for one in scope.fields.values() if one.kind is ir.Kind.BOOL]
        declare = f"declare it: `{name.text} : bool from runtime`"
        return unknown("bool field", name, bools, declare)
    if field.kind is ir.Kind.BOOL and not field.optional:
        return None
    what = "optional" if field.kind is ir.Kind.BOOL else kind_words(field.kind)
    return RefusalError(
        "GOV204",
        f"`{name.text}` is {what}, and a contract needs a bool that is always there",
        name.span,
        f"name a condition on it: `let ready = …`, and write `needs ready` for `{name.text}`",
    )
