"""Trees of lists and mappings with one node exchanged: for holding readers of foreign formats to bad input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, -1, 2**70, "", "x y", "a*b", '"q"', "é", "not", "}", [], {}, ["a", "a"], {"a": 1},
    {"topics": ["x"]}, "\u202e",
)  # fmt: skip


def exchanged(tree: Any) -> Iterator[Any]:
    """The tree with each of its nodes, one at a time, replaced by each odd value."""
    for path in list(_places(tree)):
        for value in ODD:
            yield _with(tree, path, value)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in items:
        yield from _places(value, (*path, key))


def _with(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = dict(node) if isinstance(node, dict) else list(node)
    changed[path[0]] = _with(node[path[0]], path[1:], value)
    return changed
