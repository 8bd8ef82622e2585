"""A recorded flight (`over_time`) in the policy's WebAssembly module: in wasm3, and counted in wasmtime.

In: the drone policy over time and a flight.  Out: the samples that came out otherwise than recorded; the instructions
that each took, and their bound from the module's own bytes.

What always holds: the state stays in the module's globals from sample to sample; a reset takes it through what
docs/edge.md says of `restore`, which `over_time` has recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import wasm3
import wasmtime

from benchmarks.board.modules import STACK_BYTES, signed
from benchmarks.board.over_time import Told
from benchmarks.board.policy import EdgePolicy
from govlang.compiler.edge_state import NOW, sample_variable
from govlang.compiler.program import STATE_HOMES, Variable
from govlang.compiler.step import Request
from govlang.compiler.wasm import TAKEN_OVER_TIME, export_name
from govlang.verifier.translation.wasm_instructions import read_instructions
from govlang.verifier.translation.wasm_sections import read_module
from govlang.verifier.translation.wasm_steps import count_steps

WAY: Final = 4
"""Instructions from the call of `commit` to the step (docs/edge.md): entered, two constants, a call."""
FUEL: Final = 10**12


def steps_bound(edge: EdgePolicy) -> int:
    """The most instructions that `commit`, or any function that takes a sample, runs."""
    module = read_module(edge.module())
    return count_steps(read_instructions(module.bodies[0], module.globals)).once + WAY


def different_in_wasm3(edge: EdgePolicy, flown: Sequence[Told]) -> list[int]:
    """The samples whose answer, outcome or state is not the recorded one."""
    environment = wasm3.Environment()
    runtime = environment.new_runtime(STACK_BYTES)
    module = environment.parse_module(edge.module())
    runtime.load(module)
    found = []
    for number, told in enumerate(flown):
        for variable, value in _given(edge, flown, number):
            name = export_name(variable.name, TAKEN_OVER_TIME)
            module.set_global(name, signed(value, variable.width))
        answer = runtime.find_function(_function(told))()
        if answer != 0 or not _agrees(edge, told, module.get_global):
            found.append(number)
    return found


def steps_taken(edge: EdgePolicy, flown: Sequence[Told]) -> list[int]:
    """The fuel of each sample in wasmtime, which is the instructions that docs/edge.md counts."""
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    store.set_fuel(FUEL)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, edge.module()), []).exports(store)
    found = []
    for number, told in enumerate(flown):
        for variable, value in _given(edge, flown, number):
            one = exports[export_name(variable.name, TAKEN_OVER_TIME)]
            kind = wasmtime.Val.i32 if variable.width == 32 else wasmtime.Val.i64
            assert isinstance(one, wasmtime.Global)
            one.set_value(store, kind(signed(value, variable.width)))
        before = store.get_fuel()
        function = exports[_function(told)]
        assert isinstance(function, wasmtime.Func)
        function(store)
        found.append(before - store.get_fuel())
    return found


def _function(told: Told) -> str:
    sample = told.sample
    if isinstance(sample, Request):
        return "commit"
    return f"{'event' if sample.name == 'restart' else 'signal'}.{sample.name}"


def _given(edge: EdgePolicy, flown: Sequence[Told], number: int) -> Iterator[tuple[Variable, int]]:
    """What a host sets before a sample: all that it brings, and, after a reset, the state."""
    told = flown[number]
    values: dict[str, int] = {NOW: told.sample.at_ms} | dict(told.restored)
    for name, value in told.sample.values.items():
        if isinstance(value, int):
            values[sample_variable(name) if name.startswith("$") else name] = value
    for one in edge.program.variables:
        if one.name in values:
            yield one, values[one.name]
        elif one.home not in STATE_HOMES:
            yield one, one.unset


def _agrees(edge: EdgePolicy, told: Told, read: Callable[[str], int]) -> bool:
    wanted: Mapping[str, tuple[int, int]] = {
        v.name: (told.state[v.name], v.width)
        for v in edge.program.variables
        if v.home in STATE_HOMES
    } | {c.name: (told.cells[c.name], c.width) for c in edge.program.cells if told.cells}
    return all(signed(read(name), w) == signed(value, w) for name, (value, w) in wanted.items())
