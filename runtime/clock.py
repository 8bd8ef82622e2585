"""The fields that the host reads off its clock: `weekday` and `minute_of_day`.

In: a time in ms since 1970 (UTC) and the policy's time zone.  Out: the fields in the form a host gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from govlang.native.request import Column, InvalidFieldError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def clock_fields(fields: Sequence[Column], time_zone: str, now_ms: int) -> dict[str, Any]:
    """Values of the clock's fields that the policy declares; none at a time that no calendar has.

    A request that lacks them is invalid, so an unknown time is never taken for another.
    """
    declared = {field.name: field for field in fields if field.origin == "clock"}
    if not declared:
        return {}
    try:
        here = (_EPOCH + timedelta(milliseconds=now_ms)).astimezone(ZoneInfo(time_zone))
    except OverflowError:
        return {}
    values = {"weekday": here.weekday(), "minute_of_day": here.hour * 60 + here.minute}
    return {
        name: field.members[values[name]] if field.members else values[name]
        for name, field in declared.items()
        if name in values
    }


def why_unread(error: InvalidFieldError, fields: Sequence[Column]) -> str:
    """Why a request is invalid, with a hint where it lacks what the clock would have given."""
    by_clock = any(one.name == error.field and one.origin == "clock" for one in fields)
    without = by_clock and error.why == "is missing"
    return f"{error} (the host gave no usable `now_ms`)" if without else str(error)
