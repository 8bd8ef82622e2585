"""`POLICY.h` and `POLICY.c`: a policy as C99 (docs/edge.md).

In: a program and the scans of its texts.  Out: the text of the two files.

What always holds: no loop but the scans, no call of anything outside the file, no pointer but the
arguments, no floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from govlang.compiler.c_constants import Constants
from govlang.compiler.c_first import lookup_lines
from govlang.compiler.c_header import c_header, signature
from govlang.compiler.c_names import CNames, comment, names_of
from govlang.compiler.c_numbers import constant
from govlang.compiler.c_scan import c_scans
from govlang.compiler.c_state import saving
from govlang.compiler.c_statements import Statements
from govlang.compiler.c_time import Objects, heads, null, pointers, step_of, ways
from govlang.compiler.edge_automata import TextScan
from govlang.compiler.program import Program
from govlang.compiler.steps_deadline import check_program, deadline_program

_HELPERS: Final = {
    "least": ("int64_t a, int64_t b", "(a < b) ? a : b"),
    "greatest": ("int64_t a, int64_t b", "(a > b) ? a : b"),
    "floor_div": ("int64_t a, int64_t d", "(a / d) - (((a % d) < 0) ? 1 : 0)"),
}
"""Static functions: their parameters, and what they return."""


def c_files(program: Program, scans: Sequence[TextScan]) -> tuple[str, str]:
    """The header and the source of a policy."""
    names = names_of(program)
    groups = tuple(Constants(program, names).groups())
    header = c_header(program, names, groups, scans)
    return header, "\n".join(_source(program, names, scans)) + "\n"


def _source(program: Program, names: CNames, scans: Sequence[TextScan]) -> Iterator[str]:
    policy, refuse = program.policy, names.file.fresh(names.of("refuse"))
    helpers = {kind: names.file.fresh(names.of(kind)) for kind in _HELPERS}
    statements = Statements(program, names, refuse, helpers)
    body = list(statements.lines())
    asked = list(_asked(program, names, refuse, helpers)) if program.timed else []
    called = statements.called.union(*(one.called for one, _ in asked))
    yield f"/* Policy {comment(policy.name)} {comment(policy.version)}, made by gov build."
    yield " * Do not change it: it was proved equal to the policy as it stands. */"
    yield from ("#include <stddef.h>", "#include <stdint.h>", "")
    yield from (f'#include "{names.policy}.h"', "")
    yield f"typedef char {names.of('int_has_32_bits')}[(sizeof(int) >= 4) ? 1 : -1];"
    for kind, (parameters, result) in _HELPERS.items():
        if kind in called:
            yield from ("", f"static int64_t {helpers[kind]}({parameters})", "{")
            yield from (f"    return {result};", "}")
    for lookup in statements.lookups.values():
        yield from ("", *lookup_lines(lookup))
    yield from ("", *_refusal(program, names, refuse))
    if program.timed:
        yield from _over_time(program, names, refuse, body, asked)
    else:
        yield from ("", *_decide(program, names, refuse, body))
        yield from ("", *_commit(program, names))
    yield from c_scans(program, names, scans)


def _asked(
    program: Program, names: CNames, refuse: str, helpers: Mapping[str, str]
) -> Iterator[tuple[Statements, list[str]]]:
    """The bodies of what a host asks of a state: whether it is one, the next deadline."""
    assert program.policy.time is not None
    check = check_program(program.policy, program.variables)
    deadline = deadline_program(program.policy, program.policy.time, program.variables)
    for one in (check, deadline):
        statements = Statements(one, names, refuse, helpers)
        yield statements, list(statements.lines())


def _over_time(
    program: Program,
    names: CNames,
    refuse: str,
    body: Sequence[str],
    asked: Sequence[tuple[Statements, list[str]]],
) -> Iterator[str]:
    """The step, the ways into it, and what is done with a state beside."""
    objects = Objects(program, names)
    step = step_of(objects, names.file.fresh(names.of("step")), body)
    yield from ("", step.head, "{", *body, "    return 0;", "}")
    yield from ways(objects, step, refuse)
    *_, ok, deadline, save, restore = (head for _, head in heads(objects))
    state = pointers(objects.state(fixed=True))
    for head, needed, (_, lines) in zip(
        (ok, deadline), (state, [*state, "deadline"]), asked, strict=True
    ):
        yield from ("", head, "{", *null(needed, "-2"), *lines, "    return 0;", "}")
    yield from saving(program, names, save, restore)


def _refusal(program: Program, names: CNames, refuse: str) -> Iterator[str]:
    """The outcome of an invalid request."""
    outcome = f"{names.of('outcome_t')} *outcome"
    yield from (f"static int32_t {refuse}({outcome}, int32_t invalid, int32_t answer)", "{")
    if program.timed:
        yield from null(["outcome"], "answer")
    for cell in program.cells:
        neutral = constant(cell.neutral, cell.width, mask=cell.mask)
        value = "invalid" if cell.name == "out.invalid" else neutral
        yield f"    outcome->{names.cells[cell.name]} = {value};"
    yield from ("    return answer;", "}")


def _decide(program: Program, names: CNames, refuse: str, body: Sequence[str]) -> Iterator[str]:
    params = any(one.param for one in program.variables)
    null = "(request == NULL) || (params == NULL)" if params else "request == NULL"
    yield from (signature(names, "decide", params=params), "{")
    yield from ("    if (outcome == NULL) {", "        return -2;", "    }")
    yield from (f"    if ({null}) {{", f"        return {refuse}(outcome, -1, -2);", "    }")
    yield from (*body, "    return 0;", "}")


def _commit(program: Program, names: CNames) -> Iterator[str]:
    params = any(one.param for one in program.variables)
    arguments = "request, params, outcome" if params else "request, outcome"
    yield signature(names, "commit", params=params)
    yield from ("{", f"    return {names.of('decide')}({arguments});", "}")
