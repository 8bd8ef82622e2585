"""The limits in Python: what a person writes by hand for the same rules, without any check of the request."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from benchmarks.index import CellIndex, layout_of, python_text
from benchmarks.model import NO_RULE, Workload


def python_small(request: dict[str, Any]) -> int:
    """The eight rules as a person writes them in Python, without any check of the request."""
    battery, altitude, wind, zone = (
        request["battery"],
        request["altitude"],
        request["wind"],
        request["zone"],
    )
    if battery <= 29 and request["payload"] >= 11:
        return 0
    if zone == "airport" and altitude >= 31:
        return 1
    if wind >= 37:
        return 2
    if battery <= 59 and request["cpu_load"] >= 95:
        return 3
    if zone == "urban" and altitude >= 61 and request["payload"] >= 19:
        return 4
    if wind >= 29 and altitude >= 91:
        return 5
    if zone == "airport" and wind >= 11:
        return 6
    if altitude <= 19 and wind >= 16 and (zone in ("rural", "forest")):
        return 7
    return NO_RULE


def python_indexed(workload: Workload) -> Callable[[dict[str, Any]], int]:
    """The index of `CellIndex` with the columns' names and the two upper rules written out."""
    index, layout = CellIndex(workload), layout_of(workload)
    upper = [" and ".join(map(python_text, conditions)) for _, conditions in layout.above]
    names = layout.plan.keys
    key = f"r[{names[0]!r}]," + (f" r[{names[1]!r}]" if len(names) > 1 else "")
    source = SOURCE.format(upper=upper, key=key, ranged=layout.plan.ranged)
    scope: dict[str, Any] = {"cells": index.cells, "key_of": index.key_of, "bisect": bisect_right}
    exec(source, scope)  # noqa: S102 - the text is ours
    decide: Callable[[dict[str, Any]], int] = scope["decide"]
    return decide


SOURCE = """
def decide(r):
    if {upper[0]}:
        return 0
    if {upper[1]}:
        return 1
    cell = cells.get(({key}))
    if cell is None:
        cell = cells.get(key_of(r))
        if cell is None:
            return -1
    lows, ranges, loose = cell
    value = r[{ranged!r}]
    at = bisect(lows, value) - 1
    best = -1
    if at >= 0:
        hi, index, rest = ranges[at]
        if value <= hi and (rest is None or rest(r)):
            best = index
    for index, test in loose:
        if (best < 0 or index < best) and test(r):
            best = index
    return best
"""
