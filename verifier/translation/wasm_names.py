"""What the globals and functions of a module are, by the names under which it exports them.

In: the parts of a module.  Out: `Named`: which global is which variable, cell of the outcome or length,
which function is the step and which scan.  What always holds: globals stand in the order of docs/edge.md
and hold at first what it says; a module exports what it says and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from govlang.verifier.translation.wasm_bytes import refusal
from govlang.verifier.translation.wasm_sections import (
    SCAN,
    STEP,
    External,
    Global,
    Module,
    Type,
)

OUTCOME: Final = "out."
CLASSIFY: Final = "classify."

_STEP_NAMES: Final = ["commit", "decide"]
_MEMORY: Final = "memory"
_TEXT: Final = "text"
_TAKEN: Final = (*_STEP_NAMES, _MEMORY, _TEXT)
_FIELD: Final = "field."
_DECISION: Final = "out.decision"
_DENY: Final = 4
_NO_LENGTH: Final = -1


@dataclass(slots=True)
class Named:
    """Numbers of globals and functions, by what they are; `text` is where a host may put a text."""

    variables: dict[str, int] = field(default_factory=dict)
    outcome: dict[str, int] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)
    text: int = 0
    step: int = -1
    scans: dict[str, int] = field(default_factory=dict)


def name_parts(module: Module) -> Named:
    """What everything is.

    Raises:
        ArtefactError: GOV416, something is exported that should not be, or stands in the wrong place.

    """
    exported: dict[External, dict[int, list[str]]] = {kind: {} for kind in External}
    for export in module.exports:
        exported[export.kind].setdefault(export.index, []).append(export.name)
    named = Named()
    _name_globals(module, exported[External.GLOBAL], named)
    for number, body in enumerate(module.bodies):
        names = sorted(exported[External.FUNCTION].get(number, []))
        _name_function(module, number, body.type, names, named)
    if named.step < 0:
        raise refusal(module.bodies[0].at, "no function is exported as `decide` and `commit`")
    if exported[External.MEMORY].get(0, [_MEMORY]) != [_MEMORY]:
        raise refusal(module.exports[0].at, f"the memory must be exported as `{_MEMORY}` alone")
    if module.pages and not exported[External.MEMORY]:
        raise refusal(module.exports[0].at, "the memory is not exported")
    return named


# --- functions -----------------------------------------------------------------------------------


def _name_function(module: Module, number: int, kind: Type, names: list[str], named: Named) -> None:
    at = module.bodies[number].at
    if kind == STEP and names == _STEP_NAMES:
        named.step = number
        wanted = "decide"
    elif kind == SCAN and len(names) == 1 and names[0].startswith(CLASSIFY):
        wanted = names[0]
        named.scans[wanted.removeprefix(CLASSIFY)] = number
    else:
        raise refusal(at, "a function is exported neither as the step nor as the scan of a text")
    if module.function_names[number] != wanted:
        raise refusal(module.names_at, f"the function {number} must be called `{wanted}`")


# --- globals -------------------------------------------------------------------------------------


def _name_globals(module: Module, exported: dict[int, list[str]], named: Named) -> None:
    found = list(module.globals)
    if module.pages:
        named.text = _text_place(found.pop(), exported.get(len(found), []))
    for number, one in enumerate(found):
        names = exported.get(number, [])
        if not one.mutable or len(names) > 1:
            raise refusal(one.at, "a global must be mutable and have one name at most")
        if not names:
            _length(number, one, named)
        elif names[0].startswith(OUTCOME):
            _cell(number, one, names[0], named)
        else:
            _variable(number, one, names[0], named)


def _text_place(one: Global, names: list[str]) -> int:
    if names != [_TEXT] or one.mutable or one.width != 32:
        raise refusal(one.at, f"the last global must be an immutable i32, exported as `{_TEXT}`")
    return one.initial & 0xFFFF_FFFF


def _length(number: int, one: Global, named: Named) -> None:
    if one.width != 32 or one.initial != _NO_LENGTH:
        raise refusal(one.at, "the length of a text is an i32 and -1 at first")
    named.lengths.append(number)


def _cell(number: int, one: Global, name: str, named: Named) -> None:
    if named.lengths:
        raise refusal(one.at, f"`{name}` stands behind the lengths of texts")
    if one.initial != (_DENY if name == _DECISION else 0):
        raise refusal(one.at, f"`{name}` holds {one.initial} at first")
    named.outcome[name] = number


def _variable(number: int, one: Global, name: str, named: Named) -> None:
    if named.outcome or named.lengths:
        raise refusal(one.at, f"the variable `{name}` stands behind the outcome")
    if name in _TAKEN or not name:
        raise refusal(one.at, f"`{name}` is no name of a variable")
    plain = name.removeprefix(_FIELD)
    named.variables[plain if plain in _TAKEN else name] = number
