"""The scans of a policy's texts as C: the automata as arrays, `POLICY_classify_F` as docs/edge.md has it.

In: a program, the names of its files, the scans.  Out: lines of the source.

What always holds: equal arrays stand there once; the code is that of the page, word for word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from govlang.compiler.c_header import scan_signature
from govlang.compiler.c_names import CNames
from govlang.compiler.edge_automata import Automaton, TextScan
from govlang.compiler.program import Program

_IN_A_LINE: Final = 24


def c_scans(program: Program, names: CNames, scans: Sequence[TextScan]) -> Iterator[str]:
    """The arrays and the functions of all texts."""
    arrays = _Arrays(names)
    unset = {one.name: one.unset for one in program.variables}
    bodies = [list(_function(scan, names, arrays, unset)) for scan in scans]
    yield from arrays.lines
    for body in bodies:
        yield from ("", *body)


class _Arrays:
    """The arrays of the automata, each printed once."""

    def __init__(self, names: CNames) -> None:
        self._names = names
        self._known: dict[Automaton, str] = {}
        self.lines: list[str] = []

    def name(self, automaton: Automaton, wanted: str) -> str:
        """The name that the arrays of an automaton begin with."""
        if automaton not in self._known:
            self._known[automaton] = self._print(automaton, wanted)
        return self._known[automaton]

    def _print(self, automaton: Automaton, wanted: str) -> str:
        parts = ("symbol", automaton.symbol), ("next", automaton.next), ("class", automaton.classes)
        name = self._names.of(wanted)
        number = 1
        while any(self._names.file.holds(f"{name}_{part}") for part, _ in parts):
            number += 1
            name = f"{self._names.of(wanted)}_{number}"
        for part, values in parts:
            full = self._names.file.fresh(f"{name}_{part}")
            kind = "uint8_t" if part == "symbol" else "uint16_t"
            self.lines += ["", f"static const {kind} {full}[{len(values)}] = {{"]
            self.lines += _rows(values)
            self.lines.append("};")
        return name


def _rows(values: Sequence[int]) -> Iterator[str]:
    for start in range(0, len(values), _IN_A_LINE):
        row = ", ".join(map(str, values[start : start + _IN_A_LINE]))
        comma = "," if start + _IN_A_LINE < len(values) else ""
        yield f"    {row}{comma}"


def _function(
    scan: TextScan, names: CNames, arrays: _Arrays, unset: dict[str, int]
) -> Iterator[str]:
    field = scan.field.name
    valid = arrays.name(scan.validity, f"valid_{scan.field.kind}")
    columns = [
        (f"class.{field}.{part}", f"s{part}", automaton, arrays.name(automaton, f"{field}_{part}"))
        for part, automaton in enumerate(scan.columns)
    ]
    pairs = [
        (f"same.{'.'.join(sorted((field, other)))}", f"d{number}", other)
        for number, other in enumerate(scan.others)
    ]
    members, own = names.members, names.lengths.get(field)
    yield from (scan_signature(names, field), "{", "    uint32_t i = 0u;", "    uint32_t v = 0u;")
    yield from (f"    uint32_t {local} = 0u;" for _, local, _, _ in columns)
    yield from (f"    uint32_t {local} = 0u;" for _, local, _ in pairs)
    yield from _ends("request == NULL", -2, "    ")
    yield from (f"    request->{members[name]} = {unset[name]};" for name, _, _, _ in columns)
    yield from (f"    request->{members[name]} = {unset[name]};" for name, _, _ in pairs)
    yield from [f"    request->{own} = -1;"] if own else []
    yield from _ends("text == NULL", -2, "    ")
    yield from _ends(f"length > {scan.field.max_bytes}u", -1, "    ")
    yield from ("    while (i < length) {", "        const uint32_t b = text[i];")
    for local, automaton, name in (
        ("v", scan.validity, valid),
        *((c[1], c[2], c[3]) for c in columns),
    ):
        cell = f"({local} << {automaton.shift}) + {name}_symbol[b]"
        yield f"        {local} = {name}_next[{cell}];"
        yield from _ends(f"{local} >= {automaton.states}u", -1, "        ")
    for _, local, other in pairs:
        yield f"        {local} = {local} | (request->{names.copies[other]}[i] ^ b);"
    yield from [f"        request->{names.copies[field]}[i] = (uint8_t)b;"] if own else []
    yield from ("        i = i + 1u;", "    }")
    yield from _ends(f"{valid}_class[v] == 0u", -1, "    ")
    for name, local, _, array in columns:
        yield f"    request->{members[name]} = (int32_t){array}_class[{local}];"
    yield from [f"    request->{own} = (int32_t)length;"] if own else []
    for name, local, other in pairs:
        length = f"request->{names.lengths[other]}"
        same = f"(({local} == 0u) && ({length} == (int32_t)length)) ? 1 : 0"
        yield f"    request->{members[name]} = ({length} == -1) ? 2 : {same};"
    yield from ("    return 0;", "}")


def _ends(condition: str, answer: int, indent: str) -> Iterator[str]:
    yield f"{indent}if ({condition}) {{"
    yield from (f"{indent}    return {answer};", f"{indent}}}")
