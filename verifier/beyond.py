"""What a comparison of two versions over one space of requests cannot see.

In: OLD and NEW.  Out: sentences about requests that only one version takes, or that the two read differently,
where NEW may be looser on them.

What always holds: two versions without a sentence read every request that both take alike, and what only NEW
takes lies in the common space of `merge.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from govlang.compiler import ir
from govlang.compiler.ir import Origin, Rounding


def unseen_changes(old: ir.Policy, new: ir.Policy) -> Iterator[str]:
    """What changed and is not compared, in the order of the declarations."""
    after = {field.name: field for field in _columns(new)}
    told = any(rule.dos for rule in old.rules)
    for one in _columns(old):
        if one.name in after:
            yield from _field_changes(one, after[one.name], told=told)
    yield from _zone_changes(old, new)
    yield from _action_changes(old, new)


def _columns(policy: ir.Policy) -> Iterator[ir.Field]:
    """What a host sends: the fields of requests, of events and of signals."""
    yield from policy.fields
    for one in policy.time.samples if policy.time else ():
        yield from one.fields


def _field_changes(old: ir.Field, new: ir.Field, *, told: bool) -> Iterator[str]:
    """`told`: OLD tells the host to do things, which NEW does not where it refuses a request."""
    name = f"`{old.name.removeprefix('$')}`"
    if old.origin is not Origin.REQUEST and new.origin is Origin.REQUEST:
        yield f"{name} was set by the host and is now set by the caller"
    if old.max_bytes < new.max_bytes or (told and old.max_bytes > new.max_bytes):
        size = min(old.max_bytes, new.max_bytes)
        yield f"texts of {name} of more than {size} bytes are valid in one version only"
    read_as = [(one.rounding, one.step_num, one.step_den) for one in (old, new)]
    rounds = new.rounding is not Rounding.EXACT or (told and old.rounding is not Rounding.EXACT)
    if rounds and read_as[0] != read_as[1]:
        yield f"numbers of {name} between two steps are rounded differently"


def _zone_changes(old: ir.Policy, new: ir.Policy) -> Iterator[str]:
    clock = any(field.origin is Origin.CLOCK for one in (old, new) for field in one.fields)
    if clock and old.time_zone != new.time_zone:
        yield f"the time zone `{old.time_zone}` became `{new.time_zone}`"


def _action_changes(old: ir.Policy, new: ir.Policy) -> Iterator[str]:
    after = {action.name: action for action in new.actions}
    used = {do.action for rule in old.rules for do in rule.dos}
    for one in old.actions:
        other = after.get(one.name)
        if one.name in used and other is not None and not _alike(one.parameters, other.parameters):
            yield f"the parameters of `{one.name}` changed"


def _alike(old: Sequence[ir.Field], new: Sequence[ir.Field]) -> bool:
    """Whether the same integers stand for the same arguments."""
    return len(old) == len(new) and all(map(_one_alike, old, new))


def _one_alike(old: ir.Field, new: ir.Field) -> bool:
    count = min(len(old.members), len(new.members))
    return _scale(old) == _scale(new) and old.members[:count] == new.members[:count]


def _scale(one: ir.Field) -> tuple[object, ...]:
    return one.name, one.kind, one.unit, one.step_num, one.step_den
