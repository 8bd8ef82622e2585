"""The C of a policy over time as the machine's compiler builds it, in a process of its own.

In: the two texts, decoded.  Out: what runs any function that takes a sample, on variables.

What always holds: whatever a changed text does (a null pointer, an overflow that traps), this process goes on.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from govlang.compiler.ir import FIRST_KIND, REQUEST, TICK

if TYPE_CHECKING:
    from govlang.verifier.translation.machine import Artefact

Answer = tuple[int, dict[str, int]]

NOW: Final = "clock.now"
STALE: Final = "0x5A"
"""Every byte of the outcome before a sample."""

ASKED: Final = ("state_ok", "next_deadline")
"""What a host asks of a state; the second leaves a deadline."""

DEADLINE: Final = "out.deadline"
NO_DEADLINE: Final = -7
"""What the deadline holds before it is asked for."""


def deadline_of(function: str, answer: int, value: int) -> dict[str, int]:
    """The deadline that a function left, or should have."""
    should = answer == 0 and function == ASKED[1]
    return {DEADLINE: value} if should or value != NO_DEADLINE else {}


_SANITIZED: Final = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
"""What C leaves undefined stops the program; a compiler that does not know this goes without."""

_STRUCTS: Final = {
    "request": "REQUEST_UNSET",
    "params": "PARAMS_DEFAULT",
    "sample": "SAMPLE_UNSET",
    "shared": "SHARED_START",
    "state": "STATE_START",
}
_TIMEOUT_S: Final = 10


@dataclass(slots=False)
class TimedC:
    """A file over time, compiled once it is first asked."""

    compiler: str
    name: str
    header: str
    source: str
    artefact: Artefact

    def take(self, variables: Mapping[str, int], function: str) -> Answer | None:
        """What a function answers and leaves, the state with it; None where it comes to nothing."""
        which = self._functions().index(function)
        given = [which, *(_signed(variables[name]) for name in self.artefact.variables)]
        done = self._run(struct.pack(f"={len(given)}q", *given))
        told = self._told(function)
        if done.returncode != 0 or len(done.stdout) != 8 * (1 + len(told)):
            return None
        answer, *values = struct.unpack(f"={1 + len(told)}q", done.stdout)
        left = dict(zip(told, values, strict=True))
        if function in ASKED:
            return answer, deadline_of(function, answer, left[DEADLINE])
        return answer, left

    def _told(self, function: str) -> list[str]:
        """What a function leaves: the outcome, where there is one, and the state; or the deadline."""
        if function in ASKED:
            return [DEADLINE]
        time = self.artefact.time
        assert time is not None
        asked = function in ("decide", "commit")
        return [*(self.artefact.cells if asked else ()), *time.state]

    def _run(self, given: bytes) -> subprocess.CompletedProcess[bytes]:
        """Runs the program that was built of files of ours."""
        program = self._program
        with TemporaryDirectory() as folder:
            path = Path(folder) / "program"
            path.write_bytes(program)
            path.chmod(0o700)
            return subprocess.run(
                [path], input=given, capture_output=True, check=False, timeout=_TIMEOUT_S
            )

    @cached_property
    def _program(self) -> bytes:
        with TemporaryDirectory() as folder:
            return self._built(Path(folder))

    def _built(self, folder: Path) -> bytes:
        texts = {f"{self.name}.h": self.header, f"{self.name}.c": self.source}
        for name, text in {**texts, "driver.c": "\n".join(self._driver()) + "\n"}.items():
            (folder / name).write_text(text, encoding="utf-8")
        command = [self.compiler, "-std=c99", "-w", "-O1", "-o", "program", "driver.c"]
        done = subprocess.run([*command, *_SANITIZED], cwd=folder, capture_output=True, check=False)
        if done.returncode != 0:
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return (folder / "program").read_bytes()

    # --- the program round it --------------------------------------------------------------------

    def _functions(self) -> list[str]:
        return [*self.artefact.functions, *ASKED]

    def _structs(self) -> list[str]:
        """The structs that the policy has."""
        used = {role for role, _ in self.artefact.members.values()}
        return [role for role in _STRUCTS if role in used or role == "request"]

    def _driver(self) -> Iterator[str]:
        """Reads which function and every variable; writes the answer, and what it left."""
        members = self.artefact.members
        yield f'#include "{self.name}.c"'
        yield "#include <stdio.h>"
        yield "int main(void)"
        yield "{"
        yield f"    int64_t in[{1 + len(self.artefact.variables)}], now = 0, answer = 0;"
        yield f"    int64_t deadline = {NO_DEADLINE};"
        for role in self._structs():
            yield f"    {self.name}_{role}_t {role} = {self.name.upper()}_{_STRUCTS[role]};"
        yield f"    {self.name}_outcome_t outcome;"
        yield "    for (size_t i = 0; i < sizeof outcome; i++) "
        yield f"        {{ ((unsigned char *)&outcome)[i] = {STALE}; }}"
        yield "    if (fread(in, sizeof in, 1, stdin) != 1) { return 1; }"
        for number, name in enumerate(self.artefact.variables, 1):
            place = "now" if name == NOW else ".".join(members[name])
            yield f"    {place} = in[{number}];"
        yield "    switch (in[0]) {"
        for number, function in enumerate(self._functions()):
            yield from (f"    case {number}:", f"        answer = {self._call(number)};")
            yield "        fwrite(&answer, sizeof answer, 1, stdout);"
            for name in self._told(function):
                width = self.artefact.cells.get(name, 64)
                place = "deadline" if name == DEADLINE else ".".join(members[name])
                yield f"        answer = (int{width}_t){place};"
                yield "        fwrite(&answer, sizeof answer, 1, stdout);"
            yield "        break;"
        yield from ("    }", "    return 0;", "}")

    def _call(self, number: int) -> str:
        """The call of a function, by its place."""
        function = self._functions()[number]
        if function in ASKED:
            state = [f"&{one}" for one in self._structs() if one in ("shared", "state")]
            rest = ["now", "&deadline"] if function != ASKED[0] else []
            return f"{self.name}_{function}({', '.join([*state, *rest])})"
        kind = (REQUEST, REQUEST, TICK)[number] if number < 3 else FIRST_KIND + number - 3
        name = list(self.artefact.functions.values())[number]
        structs = self._structs()
        given = ["request"] if kind == REQUEST else ["sample"] if self._carries(kind) else []
        given += [one for one in ("params", "shared", "state") if one in structs]
        outcome = ["&outcome"] if kind == REQUEST else []
        return f"{name}({', '.join([*(f'&{one}' for one in given), 'now', *outcome])})"

    def _carries(self, kind: int) -> bool:
        """Whether a sample of a kind brings a variable."""
        time = self.artefact.time
        assert time is not None
        return kind in time.carrying


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
