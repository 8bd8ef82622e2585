"""Builds a policy and recorded cases for the board mps2-an385, runs them under qemu, reads what was measured.

In: the policy's C and header, and `cases.c`.  Out: sizes, the bound of the stack, the instructions of each
decision, and the cases that came out otherwise than recorded.

What always holds: the same sources, compiler and emulator give the same counts.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.board.paths import longest_path
from benchmarks.board.stack import worst_stack

BOARD: Final = Path(__file__).resolve().parents[2] / "examples" / "edge" / "board"

COMPILER: Final = "arm-none-eabi-gcc"
CORE: Final = ("-mcpu=cortex-m3", "-mthumb")
WARNINGS: Final = ("-std=c99", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-pedantic")
NO_SPLIT: Final = "-fno-split-wide-types"
"""arm-none-eabi-gcc 12.2.1 splits values of 64 bits wrongly: of a random policy that is proved, and decides as
recorded on the host and here at -O0, it made code that leaves roles out."""

FLAGS: Final = (*CORE, "-Os", NO_SPLIT, *WARNINGS)
SCRIPT: Final = ("-T", str(BOARD / "mps2_an385.ld"), "-Wl,--build-id=none", "-Wl,--fatal-warnings")
NO_LOOPS_TO_CALLS: Final = ("-fno-tree-loop-distribute-patterns",)
"""Or the compiler makes a call of `memset` of the loop in `memset`."""

EMULATOR: Final = (
    "qemu-system-arm", "-M", "mps2-an385", "-icount", "shift=0,sleep=off",
    "-display", "none", "-monitor", "none", "-serial", "stdio",
    "-semihosting-config", "enable=on,target=native",
)  # fmt: skip
RUN_S: Final = 300


@dataclass(frozen=True, slots=True)
class Source:
    """A policy in C: its name as it stands in the names of functions, the text and the header."""

    name: str
    text: str
    header: str


@dataclass(frozen=True, slots=True)
class Image:
    """What was built, and what the compiler knows of the policy's part of it, in bytes."""

    path: Path
    code_bytes: int
    constant_bytes: int
    data_bytes: int
    stack_bound: int
    longest: int
    """Instructions of the longest path through `decide`, or the dearest of the functions that were named."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run said: instructions and stack bytes of each case, and the cases that came out otherwise.

    `loop` is what the clock says of `board_loop`, whose instructions are known.
    """

    instructions: tuple[int, ...]
    stack: tuple[int, ...]
    different: tuple[int, ...]
    loop: int


class BoardError(Exception):
    """The board did not come to its end, or said something that nobody understands."""


def build(
    source: Source,
    cases_text: str,
    place: Path,
    *,
    ways: Sequence[str] = (),
    more: Sequence[str] = (),
) -> Image:
    """Policy, cases and board in one image; all files go into a folder that is there.

    `ways` are the functions of which the dearest bounds stack and path (`decide` if none is named), `more` further
    files of the board.
    """
    (place / f"{source.name}.h").write_text(source.header, "utf-8")
    (place / f"{source.name}.c").write_text(source.text, "utf-8")
    (place / "cases.c").write_text(cases_text, "utf-8")
    policy = _compile(Path(f"{source.name}.c"), place)
    files = ("board.c", "replay.c", *more)
    board = [_compile(BOARD / name, place, *NO_LOOPS_TO_CALLS) for name in files]
    parts = [policy, _compile(Path("cases.c"), place), *board]
    image = place / "replay.elf"
    _run([COMPILER, *CORE, "-nostdlib", "-static", *SCRIPT, *parts, "-lgcc", "-o", image], place)
    graphs = [part.with_suffix(".ci") for part in parts]
    asked = ways or (f"{source.name}_decide",)
    stack = max(worst_stack(graphs, one) for one in asked)
    return Image(image, *sizes(policy), stack, max(longest_path(image, one) for one in asked))


def _compile(source: Path, place: Path, *more: str) -> Path:
    """An object file; beside it (`.ci`) what the compiler knows of its calls and their stack."""
    target = place / f"{source.stem}.o"
    flags = [*FLAGS, *more, "-fcallgraph-info=su", f"-I{BOARD}", "-I."]
    _run([COMPILER, *flags, "-c", source, "-o", target], place)
    return target


def sizes(target: Path) -> tuple[int, int, int]:
    """Bytes of code, of constants, and of data that can change, of an object file."""
    listing = _run(["arm-none-eabi-size", "-A", str(target)], target.parent)
    found = {
        name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)", listing, re.MULTILINE)
    }

    def total(*starts: str) -> int:
        return sum(size for name, size in found.items() if name.startswith(starts))

    return total(".text"), total(".rodata"), total(".data", ".bss")


def run(image: Path) -> Run:
    """Decide and measure every case of an image under the emulator.

    Raises:
        BoardError: it faulted, or did not come to its end.
    """
    done = subprocess.run(
        [*EMULATOR, "-kernel", str(image)],
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        stdin=subprocess.DEVNULL,
    )
    said: dict[str, list[int]] = {"different": []}
    for line in done.stdout.splitlines():
        if not re.fullmatch(r"[a-z.]+ \d+", line):
            raise BoardError(f"the board said `{line}`")
        name, number = line.split()
        said.setdefault(name, []).append(int(number))
    if said.get("differences") != [len(said["different"])]:
        raise BoardError(
            f"the run ended early with status {done.returncode}: {done.stderr.strip()}"
        )
    return Run(
        tuple(said["instructions"]),
        tuple(said["stack"]),
        tuple(said["different"]),
        said["loop"][0],
    )


def _run(command: Sequence[str | Path], place: Path) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=place)
    if done.returncode != 0:
        raise BoardError(f"`{command[0]}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout
