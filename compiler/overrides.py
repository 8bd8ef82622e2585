"""Who overrides whom.

In: the drafts of all rules.  Out: the rule names that each draft overrides, tables written out as
their rows; an error for what is unknown, points upwards, or goes round in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from govlang.compiler import ir
from govlang.compiler.desugar import Draft
from govlang.compiler.refusal import RefusalError
from govlang.compiler.resolve import unknown
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics

Overrides = Mapping[str, tuple[str, ...]]

SUGGESTIONS_MAX: Final = 50
"""After so many errors no more near names are looked for; each search reads all rule names."""


def overrides_of(
    drafts: Sequence[Draft],
    tables: Mapping[str, tuple[str, ...]],
    tier_names: Sequence[str],
    combine: ir.Combine,
    found: Diagnostics,
) -> Overrides:
    """The rules that each rule overrides, by name; only rules that override any are keys."""
    by_id = {draft.id: draft for draft in drafts}
    result: dict[str, tuple[str, ...]] = {}
    suggest = True
    for draft in drafts:
        targets: list[str] = []
        for name in draft.overrides:
            try:
                targets += _targets(draft, name, by_id, tables, tier_names, combine, suggest)
            except RefusalError as refusal:
                found.add(refusal.diagnostic)
        suggest = suggest and len(found) < SUGGESTIONS_MAX
        if targets:
            result[draft.id] = tuple(dict.fromkeys(targets))
    _report_cycles(result, by_id, found)
    return result


def _targets(
    draft: Draft,
    name: ast.Name,
    by_id: Mapping[str, Draft],
    tables: Mapping[str, tuple[str, ...]],
    tier_names: Sequence[str],
    combine: ir.Combine,
    suggest: bool,  # noqa: FBT001  # as the loop found it
) -> tuple[str, ...]:
    if combine is ir.Combine.FIRST_MATCH:
        raise RefusalError(
            "GOV222",
            "`overrides` has no meaning under `combine first_match`",
            name.span,
            f"put `{draft.id}` before `{name.text}`; the first rule that fires is taken",
        )
    targets = tables.get(name.text) or ((name.text,) if name.text in by_id else ())
    if not targets:
        raise unknown("rule", name, (*by_id, *tables) if suggest else ())
    drafted = tuple(target for target in targets if target in by_id)  # faulty rows are left out
    for target in drafted:
        _check_tier(draft, by_id[target], name, tier_names)
    return drafted


def _check_tier(draft: Draft, target: Draft, name: ast.Name, tier_names: Sequence[str]) -> None:
    if target.kind is ir.RuleKind.GUARD:
        raise RefusalError(
            "GOV220",
            f"`{target.id}` is an invariant, which no rule overrides",
            name.span,
            "weaken the invariant itself if it is too strict",
        )
    if target.tier < draft.tier:
        raise RefusalError(
            "GOV220",
            f"`{draft.id}` stands {_tier(draft.tier, tier_names)} and cannot override "
            f"`{target.id}`, which stands {_tier(target.tier, tier_names)}, above it",
            name.span,
            f"move `{draft.id}` into that tier or a higher one",
        )


def _tier(tier: int, names: Sequence[str]) -> str:
    return f"in the tier `{names[tier]}`" if tier < len(names) else "outside all tiers"


def _report_cycles(overrides: Overrides, by_id: Mapping[str, Draft], found: Diagnostics) -> None:
    done: set[str] = set()
    for start in overrides:
        path: dict[str, Iterator[str]] = {}
        if start not in done:
            path[start] = iter(overrides[start])
        while path:
            name = next(reversed(path))
            after = next(path[name], None)
            if after is None:
                del path[name]
                done.add(name)
            elif after in path:
                _report_cycle([*path], after, by_id, found)
            elif after not in done:
                path[after] = iter(overrides.get(after, ()))


def _report_cycle(
    path: list[str], name: str, by_id: Mapping[str, Draft], found: Diagnostics
) -> None:
    cycle = [*path[path.index(name) :], name]
    shown = " → ".join(
        f"`{one}`" for one in (cycle if len(cycle) < 12 else [*cycle[:10], "…", name])
    )
    found.error(
        "GOV221",
        f"`overrides` goes round in a circle: {shown}",
        by_id[name].name_span,
        help="remove one of these `overrides`",
    )
