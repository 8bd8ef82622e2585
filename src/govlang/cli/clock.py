"""The fields that a policy reads off the clock, for verbs that work on the checked policy."""

from __future__ import annotations

from typing import Any, cast

from govlang.compiler import ir
from govlang.runtime.clock import clock_fields


def clock_values(policy: ir.Policy, at_ms: int) -> dict[str, Any]:
    """`weekday` and `minute_of_day` at a time; empty unless the policy names a time zone."""
    if policy.time_zone is None:
        return {}
    fields = cast("Any", policy.fields)  # what the clock reads of a field, the IR's have too
    return clock_fields(fields, policy.time_zone, at_ms)
