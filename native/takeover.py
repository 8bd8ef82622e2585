"""Which cells of a policy go on from the state that another version saved.

In: the cells that were saved, by name, and what the policy remembers.  Out: the cells that start anew, each with why.

What always holds: a cell goes on exactly where one of its name was kept in the same place with the same definition and
size; `restore` of `Policy` and the notes of `gov diff` both ask here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from govlang.native.memory import Memory


@dataclass(frozen=True, slots=True)
class Kept:
    """A cell of a saved state: `scope` is the field that holds the key, empty of the shared one."""

    scope: str
    definition: int
    bytes: int


def kept_cells(memory: Memory | None) -> dict[str, Kept]:
    """The cells that a policy saves, by name; those that live for one sample are not saved."""
    return {
        cell.name: Kept(memory.scopes[cell.scope].name, cell.definition, cell.bytes)
        for cell in (memory.cells if memory else ())
        if cell.bytes and memory
    }


def starting_anew(before: Mapping[str, Kept], memory: Memory | None) -> dict[str, str]:
    """The cells of a policy that cannot go on from saved ones, in their order, each with why."""
    found = {}
    for name, cell in kept_cells(memory).items():
        why = _why_anew(before.get(name), cell)
        if why:
            found[name] = why
    return found


def _why_anew(old: Kept | None, new: Kept) -> str:
    """Why a cell starts anew; empty if it goes on."""
    if old is None:
        return "nothing of this name was kept"
    if old.scope != new.scope:
        return "it was kept by another key"
    return "" if old == new else "its definition changed"
