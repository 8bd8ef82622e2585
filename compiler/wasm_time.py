"""The functions of a module over time: the step, the ways into it, and what a host asks of a state.

In: a step over time and the numbers of the globals.  Out: functions, in the order of docs/edge.md.

What always holds: the step is the first function, so that the ways into it call number 0; they only say which
sample comes and whether it writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from govlang.compiler import ir
from govlang.compiler.program import Program
from govlang.compiler.program_tidy import tidied
from govlang.compiler.steps_deadline import check_program, deadline_program
from govlang.compiler.wasm_binary import Function
from govlang.compiler.wasm_code import Code
from govlang.compiler.wasm_decide import function_of

_STEP: Final = 0


def time_functions(
    program: Program, time: ir.Time, number: Mapping[str, int]
) -> Iterator[Function]:
    """All functions but those of texts."""
    yield function_of(tidied(program), number, "step", ())
    yield _way("decide", ir.REQUEST, keep=False)
    yield _way("commit", ir.REQUEST)
    yield _way("tick", ir.TICK)
    for kind, one in enumerate(time.samples, ir.FIRST_KIND):
        yield _way(f"{one.kind}.{one.name}", kind)
    check = check_program(program.policy, program.variables)
    yield function_of(check, number, "state_ok", ("state_ok",))
    deadline = deadline_program(program.policy, time, program.variables)
    yield function_of(deadline, number, "next_deadline", ("next_deadline",))


def _way(name: str, kind: int, *, keep: bool = True) -> Function:
    code = Code()
    code.const(kind)
    code.const(int(keep))
    code.op("call", _STEP)
    return Function(name, (name,), 0, (), code.finished())
