"""What of two versions over time concerns their changes.

In: OLD, NEW and both side by side.  Out: both with the rules that can fire where a changed one does, and with the cells
that these read, directly or not.

What always holds: an outcome differs for the two that come out exactly where it does for the two that go in, and is the
same there.  Outcomes differ only where a changed rule fires, and there no other rule can; the cells that are kept go
through the same states, as none of their updates reads a decision, and the clock goes back for the same samples, as
state is kept by the same keys.  Where one of that is not so, both stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from govlang.compiler import ir
from govlang.verifier.diff_search import changed_rules
from govlang.verifier.judge import Judge
from govlang.verifier.time.beside import Pair
from govlang.verifier.time.divide import asks_decision, part
from govlang.verifier.time.flat import flat


def concerned(old: ir.Policy, new: ir.Policy, pair: Pair) -> tuple[ir.Policy, ir.Policy]:
    """Both versions without what concerns no change; `pair` must differ only where a changed rule fires."""
    judge = Judge(flat(pair.policy))
    changed = changed_rules(pair.merged)
    near = {*changed, *judge.meeting(term.box for i in changed for term in judge.shapes[i])}
    border = len(old.rules)
    parts = (
        _part(old, (i for i in near if i < border)),
        _part(new, (i - border for i in near if i >= border)),
    )
    return (old, new) if None in parts else (parts[0] or old, parts[1] or new)


def _part(policy: ir.Policy, rules: Iterable[int]) -> ir.Policy | None:
    """Some rules of a version with what they override, and what they read; None if that is no policy of its own."""
    numbers = {rule.id: i for i, rule in enumerate(policy.rules)}
    kept = set(rules)
    kept |= {numbers[name] for i in kept for name in policy.rules[i].overrides}
    if policy.time is None:
        return None
    found = part(policy, [policy.rules[i] for i in sorted(kept)], ())
    assert found.time is not None
    scopes = [{cell.scope for cell in one.cells} for one in (policy.time, found.time)]
    if scopes[0] != scopes[1] or any(map(asks_decision, found.time.updates)):
        return None
    return found
