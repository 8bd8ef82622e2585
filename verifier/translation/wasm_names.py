"""What the globals and functions of a module are, by the names under which it exports them.

In: the parts of a module.  Out: `Named`: which global is which variable, cell of the outcome or length,
which function is the step and which scan.  What always holds: globals stand in the order of docs/edge.md
and hold at first what it says; a module exports what it says and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from govlang.verifier.translation.edge_time import NOW
from govlang.verifier.translation.wasm_bytes import Reader, refusal
from govlang.verifier.translation.wasm_instructions import Code
from govlang.verifier.translation.wasm_sections import (
    SCAN,
    STEP,
    TIMED_STEP,
    Body,
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
_TAKEN_OVER_TIME: Final = (*_TAKEN, "tick", "state_ok", "next_deadline")
_WAYS: Final = ["decide", "commit", "tick"]
_SAMPLES: Final = ("event.", "signal.")
_STATE: Final = ("clock.", "shared.", "state.")
DEADLINE: Final = "out.deadline"
_NO_DEADLINE: Final = 2**63 - 1
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
    state: tuple[str, ...] = ()
    """The variables of the state, of a policy over time …"""
    deadline: int = -1
    """… its global `out.deadline` …"""
    state_ok: int = -1
    next_deadline: int = -1
    ways: tuple[str, ...] = ()
    """… and the functions of its events and signals."""
    scans: dict[str, int] = field(default_factory=dict)

    @property
    def is_timed(self) -> bool:
        """Whether the policy is one over time."""
        return NOW in self.variables


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
    first = _name_time(module, exported[External.FUNCTION], named) if named.is_timed else 0
    for number, body in list(enumerate(module.bodies))[first:]:
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


def _name_time(module: Module, exported: dict[int, list[str]], named: Named) -> int:
    """The functions over time, which stand in front of the scans; how many they are."""
    names = [exported.get(number, []) for number in range(len(module.bodies))]
    end = next((i for i, own in enumerate(names) if own == ["state_ok"]), 0)
    ways = [own[0] if len(own) == 1 else "" for own in names[1:end]]
    wanted = ["step", *ways, "state_ok", "next_deadline"]
    if names[0] or ways[:3] != _WAYS or names[end + 1 : end + 2] != [["next_deadline"]]:
        raise refusal(module.bodies[0].at, "the functions over time do not stand in their order")
    for way in ways[3:]:
        if not way.startswith(_SAMPLES):
            raise refusal(module.bodies[0].at, f"`{way}` is no way to take a sample in")
    for number, name in enumerate(wanted):
        body = module.bodies[number]
        if body.type != (STEP if number else TIMED_STEP):
            raise refusal(body.at, f"`{name}` has another type")
        if module.function_names[number] != name:
            raise refusal(module.names_at, f"the function {number} must be called `{name}`")
    for number in range(1, end):
        _check_way(module.bodies[number], number - 1)
    named.step, named.state_ok, named.next_deadline = 0, end, end + 1
    named.ways = tuple(ways[3:])
    return end + 2


def _check_way(body: Body, way: int) -> None:
    """A way into the step is a constant for the kind, one for whether it writes, and the call."""
    kind, keep = (0, 0) if way == 0 else (way - 1, 1)
    reader = Reader(body.data, body.at, body.end, "function")
    for value in (kind, keep):
        reader.expect(bytes([Code.CONST32]), "a constant of 32 bits")
        at = reader.at
        if reader.signed(32) != value:
            raise refusal(at, f"the constant must be {value}")
    reader.expect(b"\x10\x00\x0b", "the call of the step")
    reader.finish()
    if body.locals:
        raise refusal(body.at, "a way into the step has no locals")


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
    _settle_names(module, named)


def _text_place(one: Global, names: list[str]) -> int:
    if names != [_TEXT] or one.mutable or one.width != 32:
        raise refusal(one.at, f"the last global must be an immutable i32, exported as `{_TEXT}`")
    return one.initial & 0xFFFF_FFFF


def _length(number: int, one: Global, named: Named) -> None:
    if one.width != 32 or one.initial != _NO_LENGTH:
        raise refusal(one.at, "the length of a text is an i32 and -1 at first")
    named.lengths.append(number)


def _cell(number: int, one: Global, name: str, named: Named) -> None:
    if named.deadline >= 0:
        raise refusal(one.at, f"`{name}` stands behind the deadline")
    if named.lengths:
        raise refusal(one.at, f"`{name}` stands behind the lengths of texts")
    if named.is_timed and name == DEADLINE:
        if one.width != 64 or one.initial != _NO_DEADLINE:
            raise refusal(one.at, f"`{name}` is an i64 and 2^63 - 1 at first")
        named.deadline = number
        return
    if one.initial != (_DENY if name == _DECISION else 0):
        raise refusal(one.at, f"`{name}` holds {one.initial} at first")
    named.outcome[name] = number


def _variable(number: int, one: Global, name: str, named: Named) -> None:
    if named.outcome or named.lengths:
        raise refusal(one.at, f"the variable `{name}` stands behind the outcome")
    if not name or name in named.variables:
        raise refusal(one.at, f"`{name}` is no name of a variable")
    named.variables[name] = number


def _settle_names(module: Module, named: Named) -> None:
    """Fields whose names are taken have their own again; which names are taken depends on time."""
    taken = _TAKEN_OVER_TIME if named.is_timed else _TAKEN
    found: dict[str, int] = {}
    for name, number in named.variables.items():
        plain = name.removeprefix(_FIELD)
        own = plain if plain in taken else name
        if name in taken or own in found:
            raise refusal(module.globals[number].at, f"`{name}` is no name of a variable")
        found[own] = number
    named.variables = found
    named.state = tuple(name for name in found if named.is_timed and _is_state(name))
    if named.is_timed and named.deadline < 0:
        raise refusal(module.globals[0].at, f"there is no `{DEADLINE}`")


def _is_state(name: str) -> bool:
    return name.startswith(_STATE) and name != NOW
