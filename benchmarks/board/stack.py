"""The worst case of the stack, from the call graph that gcc writes beside an object (`-fcallgraph-info=su`).

In: call graphs, and a function.  Out: the bytes of the deepest chain of calls from it.

What always holds: a call that nobody knows the stack of, a frame of changing size and a circle of calls
are errors, never a smaller figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

NODE: Final = re.compile(r'^node: \{ title: "([^"]+)" label: "([^"]*)"', re.MULTILINE)
EDGE: Final = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)
FRAME: Final = re.compile(r"(\d+) bytes \(static\)")

LIBRARY: Final = {"__aeabi_ldivmod": 48, "__aeabi_uldivmod": 48}
"""64-bit division in libgcc 12 for ARMv7-M, with what it calls: 16 bytes, and eight registers below them."""


class StackError(Exception):
    """The stack of a function has no bound that can be read off."""


def worst_stack(graphs: Iterable[Path], function: str) -> int:
    """The bytes that a function and all that it calls can have on the stack at once.

    Raises:
        StackError: there is no bound, and why.
    """
    frames = dict(LIBRARY)
    calls: dict[str, set[str]] = {}
    for text in (graph.read_text("utf-8") for graph in graphs):
        for title, label in NODE.findall(text):
            if frame := FRAME.search(label):
                frames[title] = int(frame[1])
        for caller, called in EDGE.findall(text):
            calls.setdefault(caller, set()).add(called)
    return _deepest(function, frames, calls, ())


def _deepest(
    function: str,
    frames: Mapping[str, int],
    calls: Mapping[str, set[str]],
    callers: tuple[str, ...],
) -> int:
    if function in callers:
        raise StackError(f"`{function}` calls itself")
    if function not in frames:
        raise StackError(f"the frame of `{function}` has no known size")
    below = (
        _deepest(called, frames, calls, (*callers, function)) for called in calls.get(function, ())
    )
    return frames[function] + max(below, default=0)
