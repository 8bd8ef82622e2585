"""A WebAssembly module of a policy, read back from its bytes.

In: the bytes of a module.  Out: a `machine.Artefact`: variables and cells, the step as statements, the
scans of texts, the schema.  What always holds: the module is of the form of docs/edge.md to the last
byte, so whatever is in it is in the artefact too, and nothing in it can trap or run for ever.

Written from docs/edge.md and the WebAssembly 1.0 specification; shares nothing with the emitter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from govlang.verifier.translation import machine
from govlang.verifier.translation.edge_time import NOW
from govlang.verifier.translation.wasm_bytes import refusal
from govlang.verifier.translation.wasm_instructions import read_instructions
from govlang.verifier.translation.wasm_lift import lift
from govlang.verifier.translation.wasm_memory import Scanned, check_copies, read_automata
from govlang.verifier.translation.wasm_names import DEADLINE, Named, name_parts
from govlang.verifier.translation.wasm_operands import Cells, local_name
from govlang.verifier.translation.wasm_scan import Globals, read_scan
from govlang.verifier.translation.wasm_sections import PAGE, Module, read_module
from govlang.verifier.translation.wasm_steps import count_steps


def read_wasm(data: bytes) -> machine.Artefact:
    """What a module is.

    Raises:
        ArtefactError: GOV416, it is not of the documented form; the message names the offset.

    """
    module = read_module(data)
    _check_name(module)
    named = name_parts(module)
    if named.is_timed:
        return _timed(module, named)
    step = module.bodies[named.step]
    instructions = read_instructions(step, module.globals)
    cells = Cells(_cells(module, named.variables), _cells(module, named.outcome))
    return machine.Artefact(
        _widths(module, named.variables),
        {name: module.globals[number].initial for name, number in named.variables.items()},
        _widths(module, named.outcome),
        lift(instructions, step.locals, cells),
        _scans(module, named),
        {},
        module.schema,
        count_steps(instructions).once,
    )


def _timed(module: Module, named: Named) -> machine.Artefact:
    """The module of a policy over time."""
    kept = frozenset(named.variables[name] for name in named.state)
    variables = _cells(module, named.variables)
    outcome = Cells(variables, _cells(module, named.outcome), kept)
    step, bound = _lifted(module, named.step, outcome)
    state = {number: own for number, own in variables.items() if number in kept}
    state_ok, _ = _lifted(module, named.state_ok, Cells(state, {}))
    now = named.variables[NOW]
    asked = {now: variables[now], **state}
    deadline = {named.deadline: (DEADLINE, 64)}
    next_deadline, _ = _lifted(module, named.next_deadline, Cells(asked, deadline))
    kind, keep = (local_name(number) for number in range(2))
    time = machine.Timed(step, kind, keep, state_ok, next_deadline, named.state, named.ways)
    return machine.Artefact(
        _widths(module, named.variables),
        {name: module.globals[number].initial for name, number in named.variables.items()},
        _widths(module, named.outcome),
        replace(step, initial={**step.initial, kind: 0, keep: 0}),
        _scans(module, named),
        {},
        module.schema,
        bound + _CALL,
        time=time,
    )


def _lifted(module: Module, number: int, cells: Cells) -> tuple[machine.Function, int]:
    """A function, and how many instructions it runs at most."""
    body = module.bodies[number]
    instructions = read_instructions(body, module.globals)
    return lift(instructions, body.locals, cells), count_steps(instructions).once


_CALL: Final = 4
"""The instructions from a host into the step."""


def _cells(module: Module, numbers: Mapping[str, int]) -> dict[int, tuple[str, int]]:
    return {number: (name, module.globals[number].width) for name, number in numbers.items()}


def _widths(module: Module, numbers: Mapping[str, int]) -> dict[str, int]:
    return {name: module.globals[number].width for name, number in numbers.items()}


def _check_name(module: Module) -> None:
    """The schema is JSON, and the module is called what it calls the policy."""
    try:
        schema = json.loads(module.schema)
    except (ValueError, RecursionError):
        raise refusal(module.schema_at, "`gov.schema` is not JSON") from None
    name = schema.get("policy") if isinstance(schema, dict) else None
    if name != module.module_name:
        raise refusal(module.names_at, "the module is not called what its schema calls the policy")


# --- scans ---------------------------------------------------------------------------------------


def _scans(module: Module, named: Named) -> dict[str, machine.Scan]:
    """The scan of each text, by its name."""
    if bool(named.scans) != bool(module.pages):
        raise refusal(module.bodies[0].at, "a memory and texts stand or fall together")
    pairs = {f"same.{one}.{two}": (one, two) for one in named.scans for two in named.scans}
    found, bounds = {}, {}
    for name, number in named.scans.items():
        body = module.bodies[number]
        instructions = read_instructions(body, module.globals, scan=True)
        globals_ = _globals(module, named, name, pairs)
        found[name] = read_scan(instructions, len(body.locals), module.pages * PAGE, globals_)
        bounds[name] = count_steps(instructions)
    _check_sets(module, named, found)
    _check_pairs(module, found)
    if not found:
        return {}
    automata = read_automata(module, found)
    check_copies(module, found, named.text)
    return {
        name: machine.Scan(
            name,
            scan.max_bytes,
            automata[scan.validity],
            tuple(automata[place] for place in scan.columns),
            tuple(pair.other for pair in scan.pairs),
            bounds[name].once,
            bounds[name].each,
        )
        for name, scan in found.items()
    }


def _globals(
    module: Module, named: Named, name: str, pairs: Mapping[str, tuple[str, str]]
) -> Globals:
    """What the scan of a text may set."""
    variables = named.variables
    names = [one for one in variables if one.rpartition(".")[0] == f"class.{name}"]
    classes = tuple(variables[one] for one in names)
    if names != [f"class.{name}.{column}" for column in range(len(names))]:
        raise refusal(module.globals[classes[0]].at, f"classes of `{name}` are out of order")
    others = {
        variables[same]: two if one == name else one
        for same, (one, two) in pairs.items()
        if same in variables and name in (one, two) and one < two
    }
    unset = tuple(module.globals[number].initial for number in classes)
    return Globals(classes, unset, others, frozenset(named.lengths))


def _check_sets(module: Module, named: Named, scans: Mapping[str, Scanned]) -> None:
    """Every class, pair and length has the scans that set it."""
    both = {
        f"same.{name}.{pair.other}"
        for name, scan in scans.items()
        for pair in scan.pairs
        if name < pair.other
    }
    classes = {
        f"class.{name}.{column}"
        for name, scan in scans.items()
        for column in range(len(scan.columns))
    }
    for name, number in named.variables.items():
        orphan = name.startswith("class.") and name not in classes
        if orphan or (name.startswith("same.") and name not in both):
            raise refusal(module.globals[number].at, f"no function sets `{name}`")
    lengths = [scan.length for scan in scans.values() if scan.length is not None]
    if sorted(lengths) != named.lengths:
        raise refusal(module.globals[0].at, "lengths and compared texts do not fit")


def _check_pairs(module: Module, scans: Mapping[str, Scanned]) -> None:
    """Every pair is set from the length and the copy of the other text."""
    for scan in scans.values():
        for pair in scan.pairs:
            other = scans[pair.other]
            if (other.length, other.copy) != (pair.length, pair.copy):
                at = module.globals[pair.length].at
                raise refusal(at, f"a pair takes something else for the length of `{pair.other}`")
