"""Emitted C for tests: many policies in one shared library, asked through ctypes.

A driver written here gives each policy three functions: take a text in, fill every other variable
from an array, decide into an array.  The outcome is never clean before, so a cell that is not stored
shows.  All sources are one compilation, so 150 policies take seconds.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from govlang.compiler import ir
from govlang.compiler.c_names import CNames, names_of
from govlang.compiler.c_source import c_files
from govlang.compiler.edge_automata import TextScan, text_scans
from govlang.compiler.program import Program
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import TextClasses, classify_fields

COMPILERS: Final = ("gcc", "clang")
STRICT: Final = (
    *("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"),
    *("-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wundef"),
)


@dataclass(frozen=True, slots=True)
class Emitted:
    """A policy with its two files."""

    policy: ir.Policy
    classes: Mapping[str, TextClasses]
    program: Program
    names: CNames
    scans: tuple[TextScan, ...]
    header: str
    source: str


def emitted(policy: ir.Policy, name: str | None = None) -> Emitted:
    """The C of a policy, perhaps under another name."""
    named = policy if name is None else replace(policy, name=name)
    classes = classify_fields(named)
    program, scans = build_program(named, classes), text_scans(named, classes)
    header, source = c_files(program, scans)
    return Emitted(named, classes, program, names_of(program), scans, header, source)


def has_compiler(compiler: str) -> bool:
    return shutil.which(compiler) is not None


def compiled(
    folder: Path, found: Sequence[Emitted], compiler: str, flags: Sequence[str] = ("-O1",)
) -> CPolicies:
    """One library of all these policies, compiled without a warning."""
    if not has_compiler(compiler):
        pytest.skip(f"{compiler} is not installed")
    library = folder / f"policies_{compiler}.so"
    write_files(folder, found)
    command = [compiler, *STRICT, *flags, "-fPIC", "-shared", "driver.c", "-o", str(library)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return CPolicies(ctypes.CDLL(str(library)), found)


def write_files(folder: Path, found: Sequence[Emitted]) -> None:
    """The files of the policies, and the driver."""
    for one in found:
        (folder / f"{one.names.policy}.h").write_text(one.header, encoding="utf-8")
        (folder / f"{one.names.policy}.c").write_text(one.source, encoding="utf-8")
    lines = [line for number, one in enumerate(found) for line in _driver(one, number)]
    (folder / "driver.c").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _driver(one: Emitted, number: int) -> Iterator[str]:
    names, variables = one.names, one.program.variables
    params = any(v.param for v in variables)
    yield f'#include "{names.policy}.c"'
    yield f"static {names.of('request_t')} request_{number} = {names.macro('REQUEST_UNSET')};"
    if params:
        yield f"static {names.of('params_t')} params_{number} = {names.macro('PARAMS_DEFAULT')};"
    yield f"int32_t classify_{number}(int32_t which, const uint8_t *text, uint32_t length);"
    yield f"int32_t classify_{number}(int32_t which, const uint8_t *text, uint32_t length)"
    yield "{"
    for text, function in enumerate(names.classify.values()):
        yield f"    if (which == {text}) {{ return {function}(&request_{number}, text, length); }}"
    yield "    (void)which; (void)text; (void)length; return -9;"
    yield "}"
    yield f"int32_t decide_{number}(const int64_t *in, int32_t texts, int64_t *out);"
    yield f"int32_t decide_{number}(const int64_t *in, int32_t texts, int64_t *out)"
    yield "{"
    yield f"    {names.of('outcome_t')} outcome;"
    yield "    int32_t answer;"
    yield "    for (size_t i = 0u; i < sizeof outcome; i++) { ((uint8_t *)&outcome)[i] = 0x5Au; }"
    for index, variable in enumerate(variables):
        struct = "params" if variable.param else "request"
        kind = f"{'u' if variable.mask else ''}int{variable.width}_t"
        member = f"{struct}_{number}.{names.members[variable.name]}"
        if_given = "if (texts == 0) " if variable.name.startswith(("class.", "same.")) else ""
        yield f"    {if_given}{member} = ({kind})in[{index}];"
    arguments = f"&request_{number}, " + (f"&params_{number}, " if params else "")
    yield "    (void)in; (void)texts;"
    yield f"    answer = {names.of('decide')}({arguments}&outcome);"
    for index, cell in enumerate(one.program.cells):
        yield f"    out[{index}] = (int64_t)outcome.{names.cells[cell.name]};"
    unset = f"{names.of('request_t')} unset = {names.macro('REQUEST_UNSET')};"
    yield f"    {{ const {unset} request_{number} = unset; }}"
    yield "    return answer;"
    yield "}"


class CPolicies:
    """A library of policies."""

    def __init__(self, library: ctypes.CDLL, found: Sequence[Emitted]) -> None:
        self.library = library
        self._found = found

    def decide(
        self,
        number: int,
        variables: Mapping[str, int],
        texts: Mapping[str, bytes] | None = None,
    ) -> tuple[int, dict[str, int]]:
        """What `POLICY_decide` returns, and the cells; masks as they are, whatever their sign was.

        With `texts` they are taken in by `POLICY_classify_F`, and class and same are left to that.
        """
        one = self._found[number]
        for which, name in enumerate(one.names.classify):
            if texts is not None and name in texts:
                self.classify(number, which, texts[name])
        given = [_signed(variables[v.name]) for v in one.program.variables]
        cells = (ctypes.c_int64 * len(one.program.cells))()
        values = (ctypes.c_int64 * max(1, len(given)))(*given)
        function = getattr(self.library, f"decide_{number}")
        answer = function(values, 0 if texts is None else 1, cells)
        found = {
            cell.name: value % 2**cell.width if cell.mask else value
            for cell, value in zip(one.program.cells, cells, strict=True)
        }
        return int(answer), found

    def classify(self, number: int, which: int, text: bytes | None) -> int:
        """What `POLICY_classify_F` returns, by the number of the text."""
        function = getattr(self.library, f"classify_{number}")
        length = 0 if text is None else len(text)
        data = None if text is None else ctypes.create_string_buffer(text, max(1, length))
        return int(function(which, data, ctypes.c_uint32(length)))


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
