"""A policy over time on every engine of the edge: its module in wasmtime and in Node, its C of two compilers.

In: cases, each a function of the interface and every variable, the state among them.  Out: what the function
answered, the outcome, the state and the deadline behind it.  Every case sets the whole state, so what is compared
is the step.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from c_policies import STRICT, Emitted, emitted, has_compiler
from wasm_policies import SNAPSHOT, Call, Put, Step, run_in_node, run_in_wasmtime

from govlang.compiler import ir
from govlang.compiler.c_time import Objects, state_size
from govlang.compiler.program import STATE_HOMES, Home, Variable
from govlang.compiler.steps_deadline import DEADLINE
from govlang.compiler.wasm import TAKEN_OVER_TIME, export_name, wasm_module

DECIDE, COMMIT, TICK, STATE_OK, NEXT_DEADLINE = 0, 1, 2, -1, -2


@dataclass(frozen=True, slots=True)
class Case:
    """A function and what it is given; `which` is one of the above, or 3 + the number of an event or signal."""

    which: int
    variables: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What an engine answers; the outcome's cells, masks without a sign."""

    answer: int
    cells: dict[str, int]
    state: dict[str, int]
    deadline: int


def which_of(kind: int, *, keep: bool = True) -> int:
    """The function that takes a sample of a kind."""
    return DECIDE if kind == ir.REQUEST and not keep else kind + 1


def state_variables(one: Emitted) -> list[Variable]:
    return [v for v in one.program.variables if v.home in STATE_HOMES]


# --- WebAssembly -----------------------------------------------------------------------------------


def module_of(one: Emitted) -> bytes:
    return wasm_module(one.program, one.classes, SNAPSHOT)


def function_name(policy: ir.Policy, which: int) -> str:
    assert policy.time is not None
    names = {DECIDE: "decide", COMMIT: "commit", TICK: "tick", STATE_OK: "state_ok"}
    names |= {NEXT_DEADLINE: "next_deadline"}
    names |= {3 + i: f"{one.kind}.{one.name}" for i, one in enumerate(policy.time.samples)}
    return names[which]


def wasm_steps(one: Emitted, cases: Sequence[Case]) -> Iterator[Step]:
    for case in cases:
        for name, value in case.variables.items():
            yield Put(export_name(name, TAKEN_OVER_TIME), value)
        yield Put("out.decision", 0)  # allow: a cell that is not stored shows
        yield Put(DEADLINE.name, -7)
        yield Call(function_name(one.policy, case.which))


def in_wasmtime(one: Emitted, cases: Sequence[Case]) -> list[Found]:
    return list(_read(one, run_in_wasmtime(module_of(one), list(wasm_steps(one, cases)))))


def in_node(found: Sequence[tuple[Emitted, Sequence[Case]]]) -> list[list[Found]]:
    jobs = [(module_of(one), list(wasm_steps(one, cases))) for one, cases in found]
    answers = run_in_node(jobs)
    return [list(_read(one, some)) for (one, _), some in zip(found, answers, strict=True)]


def _read(one: Emitted, answers: Sequence[object]) -> Iterator[Found]:
    for answer in answers:
        assert answer.trap == "", answer  # type: ignore[attr-defined]
        raw = answer.cells  # type: ignore[attr-defined]
        cells = {
            c.name: raw[c.name] % 2**c.width if c.mask else raw[c.name] for c in one.program.cells
        }
        state = {v.name: raw[v.name] for v in state_variables(one)}
        yield Found(answer.result, cells, state, raw[DEADLINE.name])  # type: ignore[attr-defined]


# --- C ---------------------------------------------------------------------------------------------


def named(policy: ir.Policy, label: str) -> Emitted:
    """The C of a policy under a name of its own."""
    return emitted(policy, f"p{label}")


class Library:
    """The C of policies as one library."""

    def __init__(self, folder: Path, found: Sequence[Emitted], compiler: str, *flags: str) -> None:
        if not has_compiler(compiler):
            pytest.skip(f"{compiler} is not installed")
        self.found = found
        for one in found:
            (folder / f"{one.names.policy}.h").write_text(one.header, encoding="utf-8")
            (folder / f"{one.names.policy}.c").write_text(one.source, encoding="utf-8")
        lines = [line for number, one in enumerate(found) for line in _driver(one, number)]
        (folder / "driver.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
        target = folder / f"time_{compiler}.so"
        command = [compiler, *STRICT, *flags, "-fPIC", "-shared", "driver.c", "-o", str(target)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:4000]
        self.library = ctypes.CDLL(str(target))

    def take(self, number: int, cases: Sequence[Case]) -> list[Found]:
        return [self._take(number, case) for case in cases]

    def _take(self, number: int, case: Case) -> Found:
        one = self.found[number]
        kept = state_variables(one)
        given = [_signed(case.variables[v.name]) for v in one.program.variables]
        out = (ctypes.c_int64 * (len(one.program.cells) + len(kept) + 1))()
        function = getattr(self.library, f"take_{number}")
        answer = function(case.which, (ctypes.c_int64 * len(given))(*given), out)
        values = list(out)
        cells = {
            c.name: value % 2**c.width if c.mask else value
            for c, value in zip(one.program.cells, values, strict=False)
        }
        behind = values[len(one.program.cells) :]
        state = {v.name: value for v, value in zip(kept, behind, strict=False)}
        return Found(int(answer), cells, state, values[-1])

    def save(self, number: int, state: Mapping[str, int], now: int) -> tuple[int, bytes]:
        """What `POLICY_save` answers, and the bytes."""
        one = self.found[number]
        given = [state[v.name] for v in state_variables(one)]
        data = ctypes.create_string_buffer(
            b"\x5a" * state_size(one.program), state_size(one.program)
        )
        function = getattr(self.library, f"save_{number}")
        answer = function((ctypes.c_int64 * len(given))(*given), ctypes.c_int64(now), data)
        return int(answer), data.raw

    def restore(
        self, number: int, data: bytes, now: int, downtime: int
    ) -> tuple[int, dict[str, int]]:
        """What `POLICY_restore` answers, and the state, which was that of the start."""
        kept = state_variables(self.found[number])
        out = (ctypes.c_int64 * len(kept))()
        function = getattr(self.library, f"restore_{number}")
        given = ctypes.create_string_buffer(data, max(1, len(data)))
        answer = function(
            given, ctypes.c_uint32(len(data)), ctypes.c_int64(now), ctypes.c_int64(downtime), out
        )
        return int(answer), {v.name: value for v, value in zip(kept, out, strict=True)}


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _driver(one: Emitted, number: int) -> Iterator[str]:
    """One function that fills every struct, calls a function, and gives every struct back."""
    names, objects, time = one.names, Objects(one.program, one.names), one.policy.time
    assert time is not None
    structs = {"request": "request"} | ({"params": "params"} if objects.has_params else {})
    structs |= {"sample": "sample"} if objects.has_sample else {}
    structs |= {"shared": "shared"} if objects.has_shared else {}
    structs |= {"state": "state"}
    head = f"int32_t take_{number}(int32_t which, const int64_t *in, int64_t *out)"
    first = {"request": "REQUEST_UNSET", "params": "PARAMS_DEFAULT", "sample": "SAMPLE_UNSET"}
    first |= {"shared": "SHARED_START", "state": "STATE_START"}
    yield f'#include "{names.policy}.c"'
    yield from (f"{head};", head, "{")
    for struct in structs:
        yield f"    {names.of(f'{struct}_t')} {struct} = {names.macro(first[struct])};"
    yield f"    {names.of('outcome_t')} outcome;"
    yield "    int64_t now = 0, deadline = -7;"
    yield "    int32_t answer = -99;"
    yield "    for (size_t i = 0u; i < sizeof outcome; i++) { ((uint8_t *)&outcome)[i] = 0x5Au; }"
    for index, variable in enumerate(one.program.variables):
        if variable.home is Home.NOW:
            yield f"    now = in[{index}];"
            continue
        struct = "params" if variable.param else str(variable.home)
        member = f"{struct}.{names.members[variable.name]}"
        yield f"    {member} = ({_kind(variable)})in[{index}];"
    both = ("&shared, " if objects.has_shared else "") + "&state"
    params = "&params, " if objects.has_params else ""
    for which, word in ((DECIDE, "decide"), (COMMIT, "commit")):
        call = f"{names.of(word)}(&request, {params}{both}, now, &outcome)"
        yield f"    if (which == {which}) {{ answer = {call}; }}"
    calls = {TICK: f"{names.of('tick')}({params}{both}, now)"}
    calls |= {
        3 + i: f"{function}({'&sample, ' if objects.carries(s) else ''}{params}{both}, now)"
        for i, (function, s) in enumerate(zip(names.samples, time.samples, strict=True))
    }
    calls |= {STATE_OK: f"{names.of('state_ok')}({both})"}
    calls |= {NEXT_DEADLINE: f"{names.of('next_deadline')}({both}, now, &deadline)"}
    for which, call in calls.items():
        yield f"    if (which == {which}) {{ answer = {call}; }}"
    out = [f"outcome.{names.cells[cell.name]}" for cell in one.program.cells]
    out += [f"{v.home}.{names.members[v.name]}" for v in state_variables(one)]
    for index, place in enumerate((*out, "deadline")):
        yield f"    out[{index}] = (int64_t){place};"
    yield from ("    (void)request;", "    return answer;", "}")
    yield from _saver(one, number, both)


def _saver(one: Emitted, number: int, both: str) -> Iterator[str]:
    """Two functions: from a state to bytes, and back."""
    names = one.names
    kept = state_variables(one)
    states = [
        f"    {names.of(f'{word}_t')} {word} = {names.macro(f'{word.upper()}_START')};"
        for word in ("shared", "state")
        if f"&{word}" in both
    ]
    heads = (
        f"int32_t save_{number}(const int64_t *in, int64_t now, uint8_t *bytes)",
        f"int32_t restore_{number}(const uint8_t *bytes, uint32_t length, int64_t now, int64_t downtime, int64_t *out)",
    )
    yield from (f"{heads[0]};", heads[0], "{", *states)
    for index, v in enumerate(kept):
        yield f"    {v.home}.{names.members[v.name]} = ({_kind(v)})in[{index}];"
    yield from (f"    return {names.of('save')}({both}, now, bytes);", "}")
    call = f"{names.of('restore')}({both}, bytes, length, now, downtime)"
    yield from (f"{heads[1]};", heads[1], "{", *states, f"    const int32_t answer = {call};")
    for index, v in enumerate(kept):
        yield f"    out[{index}] = (int64_t){v.home}.{names.members[v.name]};"
    yield from ("    return answer;", "}")


def _kind(one: Variable) -> str:
    if one.bytes and 8 * one.bytes != one.width:
        return f"{'' if one.lo < 0 else 'u'}int{8 * one.bytes}_t"
    return f"{'u' if one.mask else ''}int{one.width}_t"
