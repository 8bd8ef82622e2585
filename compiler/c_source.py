"""`POLICY.h` and `POLICY.c`: a policy as C99 (docs/edge.md).

In: a program and the scans of its texts.  Out: the text of the two files.

What always holds: no loop but the scans, no call of anything outside the file, no pointer but the
arguments, no floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from govlang.compiler.c_constants import Constants
from govlang.compiler.c_first import lookup_lines
from govlang.compiler.c_header import c_header, signature
from govlang.compiler.c_names import CNames, comment, names_of
from govlang.compiler.c_numbers import constant
from govlang.compiler.c_scan import c_scans
from govlang.compiler.c_statements import Statements
from govlang.compiler.edge_automata import TextScan
from govlang.compiler.program import Program

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
    yield f"/* Policy {comment(policy.name)} {comment(policy.version)}, made by gov build."
    yield " * Do not change it: it was proved equal to the policy as it stands. */"
    yield from ("#include <stddef.h>", "#include <stdint.h>", "")
    yield from (f'#include "{names.policy}.h"', "")
    yield f"typedef char {names.of('int_has_32_bits')}[(sizeof(int) >= 4) ? 1 : -1];"
    for kind, (parameters, result) in _HELPERS.items():
        if kind in statements.called:
            yield from ("", f"static int64_t {helpers[kind]}({parameters})", "{")
            yield from (f"    return {result};", "}")
    for lookup in statements.lookups.values():
        yield from ("", *lookup_lines(lookup))
    yield from ("", *_refusal(program, names, refuse))
    yield from ("", *_decide(program, names, refuse, body))
    yield from ("", *_commit(program, names))
    yield from c_scans(program, names, scans)


def _refusal(program: Program, names: CNames, refuse: str) -> Iterator[str]:
    """The outcome of an invalid request."""
    outcome = f"{names.of('outcome_t')} *outcome"
    yield from (f"static int32_t {refuse}({outcome}, int32_t invalid, int32_t answer)", "{")
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
