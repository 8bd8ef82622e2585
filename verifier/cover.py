"""What can be proved by cutting boxes: that other rules cover a rule, or a region.

In: a judge, boxes, and which rules block.  Out: a set of blockers whose exact boxes cover the boxes,
or nothing if that was not found within the bound (which proves nothing).

What always holds: a blocker is a rule that makes another one useless wherever both fire, whatever
else fires; so a cover by blockers is a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from govlang.compiler import ir
from govlang.compiler.ir import Effect
from govlang.verifier import ranges
from govlang.verifier.judge import Judge
from govlang.verifier.shapes import Box

STEPS_MAX: Final = 48
CHOICES_MAX: Final = 200  # blockers that are compared at one corner
PERMITS: Final = frozenset({Effect.ALLOW, Effect.REQUIRE_HUMAN})
SETTLED: Final = frozenset({ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE})


def covering(judge: Judge, boxes: list[Box], blocks: Callable[[int], bool]) -> list[int] | None:
    """Rules that block and together cover the boxes; None if no such cover was found."""
    used: dict[int, None] = {}
    stack = list(boxes)
    for _ in range(STEPS_MAX):
        if not stack:
            return sorted(used)
        box = stack.pop()
        if not any(_blockers(judge, _row(box, judge.quiet), blocks)):
            return None
        found = _best(judge, box, blocks)
        if found is None:
            return None
        owner, parts = found
        used[owner] = None
        stack += parts
    return None


def _best(judge: Judge, box: Box, blocks: Callable[[int], bool]) -> tuple[int, list[Box]] | None:
    """The blocker at the lowest corner of a box that leaves least of it, and what it leaves."""
    lowest = [column.domain[0][0] if column.domain else 0 for column in judge.columns.columns]
    best: tuple[int, int, list[Box]] | None = None
    for entry in _blockers(judge, _row(box, lowest), blocks):
        parts = list(_left(judge, box, judge.index.boxes[entry]))
        cost = sum(ranges.size(allowed) for part in parts for allowed in part.values())
        if best is None or (len(parts), cost) < (len(best[2]), best[1]):
            best = judge.entry_owner[entry], cost, parts
            if not parts:
                break
    return None if best is None else (best[0], best[2])


def _row(box: Box, wanted: Sequence[int]) -> list[int]:
    """A row in a box, as near to one as its ends are."""
    row = list(wanted)
    for column, allowed in box.items():
        if not ranges.holds(allowed, row[column]):
            row[column] = allowed[0][0]
    return row


def _blockers(judge: Judge, row: list[int], blocks: Callable[[int], bool]) -> Iterator[int]:
    """Exact boxes of blockers in which a row lies."""
    for entry in judge.index.containing(row)[:CHOICES_MAX]:
        if judge.entry_exact[entry] and blocks(judge.entry_owner[entry]):
            yield entry


def _left(judge: Judge, box: Box, cut: Box) -> list[Box]:
    """The parts of a box outside another, without overlaps."""
    parts: list[Box] = []
    inside = dict(box)
    for column, allowed in cut.items():
        own = inside.get(column, judge.columns.domain(column))
        outside = ranges.minus(own, allowed)
        if outside:
            parts.append({**inside, column: outside})
        inside[column] = ranges.meet(own, allowed)
    return parts


# --- blockers --------------------------------------------------------------------------------------


def silences(judge: Judge, i: int) -> Callable[[int], bool]:
    """Which rules leave a rule neither deciding nor adding anything, wherever both fire."""
    rule = judge.rules[i]

    def blocks(j: int) -> bool:
        if judge.first_counts:
            return j < i
        return (
            _may_block(judge, i, j)
            and _decides_before(judge, i, j)
            and spares(rule, judge.rules[j])
        )

    return blocks


def replaces(judge: Judge, i: int) -> Callable[[int], bool]:
    """Which rules give all that a rule gives, but for the reason, wherever both fire."""
    rule = judge.rules[i]

    def blocks(j: int) -> bool:
        other = judge.rules[j]
        if judge.first_counts:
            return j < i
        return (
            _may_block(judge, i, j)
            and _permits_as_well(judge, rule, other)
            and _as_strict(rule, other)
            and spares(rule, other)
        )

    return blocks


def _may_block(judge: Judge, i: int, j: int) -> bool:
    """Another rule that stands whenever it fires; and the rule itself drops nobody."""
    rule, other = judge.rules[i], judge.rules[j]
    return (
        i != j
        and judge.policy.combine in SETTLED
        and not rule.overrides
        and not judge.overriders.get(other.id)
    )


def _permits_as_well(judge: Judge, rule: ir.Rule, other: ir.Rule) -> bool:
    """Whether the default stays as lifted as it was without the rule."""
    if rule.effect not in PERMITS or judge.policy.default is ir.Default.ALLOW:
        return True
    return other.effect in PERMITS or other.effect is Effect.DENY


def _as_strict(rule: ir.Rule, other: ir.Rule) -> bool:
    """Whether the effect stays; an approved `require human` is no stricter than an allow."""
    if other.effect is Effect.REQUIRE_HUMAN:
        return rule.effect in PERMITS
    return other.effect >= rule.effect


def _decides_before(judge: Judge, i: int, j: int) -> bool:
    rule, other = judge.rules[i], judge.rules[j]
    if not (_permits_as_well(judge, rule, other) and _as_strict(rule, other)):
        return False
    if other.effect is Effect.REQUIRE_HUMAN or other.effect is rule.effect:
        return j < i
    return True


def spares(rule: ir.Rule, other: ir.Rule) -> bool:
    """Whether another rule's obligations hold all of a rule's, wherever both are taken."""
    if not set(rule.dos) <= set(other.dos):
        return False
    if rule.remedy is not None and rule.remedy != other.remedy:
        return False
    if other.effect is Effect.DENY:
        return True
    if rule.retry_ms is not None and (other.retry_ms is None or other.retry_ms < rule.retry_ms):
        return False
    return _limits_spared(rule, other) and _people_spared(rule, other)


def _limits_spared(rule: ir.Rule, other: ir.Rule) -> bool:
    return all(
        any(own.target == one.target and _inside(own, one) for own in other.limits)
        for one in rule.limits
    )


def _inside(own: ir.Limit, one: ir.Limit) -> bool:
    return _at_most(one.lo, own.lo) and _at_most(own.hi, one.hi)


def _at_most(a: ir.IntExpr, b: ir.IntExpr) -> bool:
    if isinstance(a, ir.IntConst) and isinstance(b, ir.IntConst):
        return a.value <= b.value
    return a == b


def _people_spared(rule: ir.Rule, other: ir.Rule) -> bool:
    if rule.effect is not Effect.REQUIRE_HUMAN:
        return True
    if not set(rule.roles) <= set(other.roles):
        return False
    if rule.expires_ms is None:
        return True
    return other.expires_ms is not None and other.expires_ms <= rule.expires_ms
