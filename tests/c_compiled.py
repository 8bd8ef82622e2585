"""Runs a policy in C as a host does: compiled, on values of its variables.

In: the two texts, a compiler with its flags, and rows of values.  Out: for each row what `POLICY_decide`
gave and the cells of its outcome; or nothing, where a sanitizer stopped it.

The program that is compiled with the policy reads the members of request and parameters as 64-bit
integers and writes those of the outcome; which members there are is read off the header by their form.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

FLAGS: Final = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
QUIET: Final = ("-std=c99", "-w")
SANITIZED: Final = (
    "-fsanitize=undefined",
    "-fno-sanitize-recover=all",
    "-fsanitize-undefined-trap-on-error",
)

COMPILERS: Final = tuple(name for name in ("gcc", "clang") if shutil.which(name))

_DRIVER: Final = """
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include "{policy}.h"
static sigjmp_buf back;
static void trapped(int number) {{ (void)number; siglongjmp(back, 1); }}
static int take(int64_t *value) {{ return fread(value, sizeof *value, 1, stdin) == 1; }}
static void give(int64_t value) {{ fwrite(&value, sizeof value, 1, stdout); }}
int main(void)
{{
    int64_t value = 0;
    signal(SIGILL, trapped);
    signal(SIGTRAP, trapped);
    for (;;) {{
        {policy}_request_t request = {upper}_REQUEST_UNSET;
        {params}
        {policy}_outcome_t outcome = {{ 0 }};
        {takes}
        if (sigsetjmp(back, 1) != 0) {{ give(1); continue; }}
        int32_t given = {policy}_decide({arguments});
        give(0);
        give(given);
        {gives}
    }}
}}
"""


class Result(NamedTuple):
    """What a step gave, and the cells of its outcome, by C's names."""

    given: int
    cells: dict[str, int]


def members(header: str, role: str) -> list[tuple[str, str, int | None]]:
    """The members of a struct: type, name, length of an array."""
    match = re.search(rf"typedef struct \{{([^{{}}]*)\}} \w+_{role}_t;", header)
    found = re.findall(
        r"^\s*(u?int\d+_t) (\w+)(?:\[(\d+)\])?;", match[1] if match else "", re.MULTILINE
    )
    return [(kind, name, int(count) if count else None) for kind, name, count in found]


class Compiled:
    """A policy and the program round it, compiled."""

    def __init__(self, folder: Path, header: str, source: str, compiler: str, *flags: str) -> None:
        """Compiles; all warnings are errors, unless `flags` has them quiet."""
        match = re.search(r"(\w+)_request_t;", header)
        assert match is not None
        self.policy, self.header = match[1], header
        self.inputs = [
            (role, name)
            for role in ("request", "params")
            for _, name, count in members(header, role)
            if count is None
        ]
        self.outputs = [
            name if count is None else f"{name}[{word}]"
            for _, name, count in members(header, "outcome")
            for word in range(count or 1)
        ]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.policy}.h").write_text(header, encoding="utf-8")
        (folder / f"{self.policy}.c").write_text(source, encoding="utf-8")
        (folder / "driver.c").write_text(self._driver(), encoding="utf-8")
        self.program = folder / "program"
        warned = () if "-w" in flags else FLAGS
        _run(compiler, *warned, *flags, "-c", f"{self.policy}.c", "-o", "policy.o", folder=folder)
        _run(compiler, "-std=gnu11", "-O0", "driver.c", "policy.o", "-o", "program", folder=folder)

    def _driver(self) -> str:
        has_params = any(role == "params" for role, _ in self.inputs)
        kinds = {
            (role, name): kind
            for role in ("request", "params")
            for kind, name, _ in members(self.header, role)
        }
        takes = (
            f"if (!take(&value)) {{ return 0; }} {role}.{name} = ({kinds[role, name]})value;"
            for role, name in self.inputs
        )
        upper = self.policy.upper()
        return _DRIVER.format(
            policy=self.policy,
            upper=upper,
            params=f"{self.policy}_params_t params = {upper}_PARAMS_DEFAULT;" if has_params else "",
            takes="\n        ".join(takes),
            arguments="&request, &params, &outcome" if has_params else "&request, &outcome",
            gives="\n        ".join(f"give((int64_t)outcome.{name});" for name in self.outputs),
        )

    def run(self, rows: Sequence[Mapping[str, int]]) -> list[Result | None]:
        """What every row of member values (patterns, signed) gives; None where it is stopped."""
        data = b"".join(struct.pack("<q", row[name]) for row in rows for _, name in self.inputs)
        done = subprocess.run([self.program], input=data, capture_output=True, check=True)
        words = iter(struct.unpack(f"<{len(done.stdout) // 8}q", done.stdout))
        found: list[Result | None] = []
        for stopped in words:
            if stopped:
                found.append(None)
                continue
            given = next(words)
            found.append(Result(given, {name: next(words) for name in self.outputs}))
        return found


def _run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[:4000]}"
