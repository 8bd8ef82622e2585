"""What became of an outcome, in the words of a policy: what was before and what is now, with values.

In: the outcomes of two versions on one request.  Out: a part of a message for each thing that differs beside the effect
and the deciding rule.

What always holds: where the effects are equal everything that tells the outcomes apart is named; where they are not,
the actions that came or went, for what an effect brings with it goes without saying.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome
from govlang.dsl.units import duration_text

Units = Mapping[str, str]
"""By target of a limit: its unit."""

ACTION: Final = "do "
"""What the name of an action begins with."""

ORDER: Final = ("do", "limit", "role", "expires", "retry", "remedy", "reason")
"""The parts of an outcome in the order in which they are said, by what their names begin with."""

NOTHING: Final[Mapping[str, str]] = {"retry": "no retry", "expires": "no expiry"}
"""What is said of a part that an outcome has not, where that is not `no NAME`."""


def units_of(space: ir.Policy) -> Units:
    """The units of the fields and outputs of a policy."""
    return {one.name: one.unit for one in (*space.fields, *space.outputs)}


def altered(old: Outcome, new: Outcome, units: Units) -> str:
    """What differs beside effect and rule, in words; empty if nothing does."""
    before, after = dict(_parts(old, units)), dict(_parts(new, units))
    names = [one for one in {**before, **after} if before.get(one) != after.get(one)]
    if old.decision is not new.decision:
        names = [name for name in names if name.startswith(ACTION)]
    names.sort(key=lambda name: (ORDER.index(name.partition(" ")[0]), name))
    return "; ".join(_altered(name, before.get(name), after.get(name)) for name in names)


def told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as machines get it."""
    said = {"decision": outcome.decision.word, "rule_id": outcome.rule_id}
    return said | {"reason": outcome.reason, "obligations": list(outcome.obligations)}


def _altered(name: str, was: str | None, now: str | None) -> str:
    if name.startswith(ACTION) and not (was and now):
        return f"obligation `{name.removeprefix(ACTION)}` is {'now' if now else 'no longer'} given"
    absent = NOTHING.get(name, f"no {name}")
    return f"before: {was or absent}, now: {now or absent}"


def _parts(outcome: Outcome, units: Units) -> Iterator[tuple[str, str]]:
    """What an outcome holds beside its effect: names, and all that is said of each."""
    found: dict[str, list[str]] = {}
    for one in outcome.obligations:
        for name, said in _said(one, units):
            found.setdefault(name, []).append(said)
    yield from ((name, " and ".join(sorted(said))) for name, said in found.items())
    if outcome.reason:
        yield "reason", f"reason {_literal(outcome.reason)}"


def _said(one: Mapping[str, Any], units: Units) -> Iterator[tuple[str, str]]:
    """The parts of an obligation."""
    match one:
        case {"do": action}:
            yield f"{ACTION}{action}", _action(one)
        case {"limit": target}:
            yield f"limit {target}", _limit(one, units.get(target, ""))
        case {"require": roles, **rest}:
            yield "role", f"require human from {', '.join(map(_literal, sorted(roles)))}"
            yield from (("expires", f"expires {duration_text(ms)}") for ms in rest.values())
        case {"retry_ms": ms}:
            yield "retry", f"retry {duration_text(ms)}"
        case _:
            yield "remedy", _remedy(one)


def _action(one: Mapping[str, Any]) -> str:
    args = ", ".join(f"{name} = {_literal(value)}" for name, value in one.get("args", {}).items())
    lasting = f" for {duration_text(one['for_ms'])}" if "for_ms" in one else ""
    return f"do {one['do']}{f'({args})' if args else ''}{lasting}"


def _limit(one: Mapping[str, Any], unit: str) -> str:
    top = _literal(one["to"]) + (f" {unit}" if unit else "")
    if "from" in one:
        return f"limit {one['limit']} in {_literal(one['from'])}..{top}"
    return f"limit {one['limit']} <= {top}"


def _remedy(one: Mapping[str, Any]) -> str:
    values = (f"{name} = {_literal(value)}" for name, value in one.get("with", {}).items())
    suggested = ", ".join(values)
    return f"remedy {_literal(one['remedy'])}{f' with {suggested}' if suggested else ''}"


def _literal(value: Any) -> str:
    """A value as JSON has it, numbers without an exponent."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, ensure_ascii=False)


# --- reasons -----------------------------------------------------------------------------------------


def reason_changes(old: ir.Policy, new: ir.Policy) -> Iterator[str]:
    """The rules of both versions that give people another reason; no outcome is compared for that."""
    before = {rule.id: rule.because for rule in old.rules}
    for rule in new.rules:
        was = before.get(rule.id, rule.because)
        if was != rule.because:
            a, b = (_literal(one) if one else "no reason" for one in (was, rule.because))
            yield f"the reason of `{rule.id}` changed, before: {a}, now: {b}"
