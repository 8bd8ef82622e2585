"""What a policy remembers of a key, one cell or all of them, for operators and tests.

In: names of cells and of fields, keys.  Out: values in steps.

What always holds: a name or a key by which nothing can be remembered is a coded error, and nothing is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from govlang.native.errors import TableError
from govlang.native.request import NAME_MAX, InvalidFieldError, legible, read_value

if TYPE_CHECKING:
    from govlang.native.memory import Cell, Memory
    from govlang.runtime.policy import Policy


def read_cell(policy: Policy, memory: Memory, name: str, key: str) -> int:
    """The value of a cell after the last sample of a key."""
    cell = next((one for one in memory.cells if one.name == name and one.bytes), None)
    if cell is None:
        raise unknown("cell", name)
    own = b"" if cell.scope == 0 else _held(policy, memory, cell.scope, key)
    state = policy._instance(cell.scope, own)  # noqa: SLF001  # the part of it in C
    if state is None:
        return cell.initial
    return _value(cell, state)


def _value(cell: Cell, state: bytes) -> int:
    place = state[cell.offset : cell.offset + cell.bytes]
    return int.from_bytes(place, "little", signed=cell.lo < 0)


def forget(policy: Policy, memory: Memory, key: str, of: str | None) -> dict[str, int] | None:
    """Take out what is remembered of a key; its cells as they were after its last sample, None: there was nothing."""
    name = memory.key_name if of is None else of
    scopes = {scope.name: number for number, scope in enumerate(memory.scopes) if number}
    if name not in scopes:
        raise unknown("key of a field", name)
    held = _held(policy, memory, scopes[name], key)
    state = policy._forget(scopes[name], held)  # noqa: SLF001  # the part of it in C
    if state is None:
        return None
    own = (memory.cells[i] for i in memory.scopes[scopes[name]].cells)
    return {cell.name: _value(cell, state) for cell in own if cell.bytes}


def _held(policy: Policy, memory: Memory, scope: int, key: Any) -> bytes:
    """The bytes of a key of a scope, as the engine holds them."""
    field = memory.scopes[scope].field
    try:
        read = read_value(policy.fields[field or 0], key)
    except InvalidFieldError as error:
        raise _unanswered(f"the key {error}") from None
    return str(read).encode()


def unknown(what: str, name: Any) -> TableError:
    """Nothing is remembered by a name."""
    return _unanswered(f"the policy remembers no {what} `{legible(str(name), NAME_MAX)}`")


def _unanswered(message: str) -> TableError:
    return TableError("GOV420", message, help="`gov explain --state` lists what is remembered")
