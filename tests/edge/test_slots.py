from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tools import tool

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "examples" / "edge" / "board"
SLOTS = (BOARD / "slots.c").read_text("utf-8")
WARNINGS = ("-std=c99", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-pedantic")

pytestmark = pytest.mark.edge

MUTANTS = {
    "the journal speaks before the bundle is written": (
        "put_word(bytes, length);",
        "put_word(bytes, length); append(board, other, CONFIRMED);",
    ),
    "the slot that decides is written": (
        "const int32_t other = running == 0 ? 1 : 0;",
        "const int32_t other = running == 0 ? 0 : 1;",
    ),
    "a trial never ends": ("append(board, slot, STARTED);", "(void)slot;"),
    "a trial counts as confirmed": (
        "append(board, other, TRIAL);",
        "append(board, other, CONFIRMED);",
    ),
    "a full page of the journal is erased itself": (
        "board->erase(SLOTS_JOURNAL_PAGE + 1u - page);",
        "board->erase(SLOTS_JOURNAL_PAGE + page);",
    ),
    "a record that was cut off is written over": ("&& !is_erased(board, number)", "&& 0"),
    "the oldest record holds": (
        "one.sequence > found->sequence",
        "one.sequence < found->sequence",
    ),
    "records are not checked": ("record->check == crc_of(bytes, 12u)", "1"),
    "the floor is never raised": (
        "    board->raise_floor(slot_version(board, running));\n",
        "",
    ),
    "the floor is raised only by a confirmation that was not cut": (
        "        board->raise_floor(slot_version(board, slot));",
        "        (void)slot;",
    ),
    "an old version is taken": ("version <= now ||", "0 ||"),
    "the signature is not asked for": (
        "? board->version_of(bundle, length) : 0u;\n    const uint32_t now",
        "? bundle[0] : 0u;\n    const uint32_t now",
    ),
    "what was written is not read back": ("slot_version(board, other) != version", "0"),
}


def simulate(place: Path, slots: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """The simulation with this text of `slots.c`."""
    (place / "slots.c").write_text(slots, "utf-8")
    driver = ROOT / "tests" / "edge" / "slots_test.c"
    program = place / "simulation"
    parts = [f"-I{BOARD}", driver, place / "slots.c", "-o", program]
    sizes = ("-DSLOTS_PAGE_BYTES=64u", "-DSLOTS_PAGES_EACH=4u")
    subprocess.run([tool("gcc"), "-std=c99", *sizes, *flags, *parts], check=True)
    return subprocess.run([program], check=False, capture_output=True, text=True, timeout=60)


def test_no_loss_of_power_leaves_a_board_without_a_trusted_policy(tmp_path: Path) -> None:
    done = simulate(tmp_path, SLOTS, "-g", "-fsanitize=address,undefined")
    assert done.returncode == 0, done.stdout
    assert int(done.stdout) > 400


@pytest.mark.parametrize("why", MUTANTS)
def test_the_simulation_finds_what_is_wrong(tmp_path: Path, why: str) -> None:
    right, wrong = MUTANTS[why]
    assert SLOTS.count(right) == 1
    done = simulate(tmp_path, SLOTS.replace(right, wrong))
    assert done.returncode != 0, done.stdout


@pytest.mark.parametrize("compiler", ["gcc", "clang", "arm-none-eabi-gcc"])
def test_every_file_for_the_board_is_clean_under(tmp_path: Path, compiler: str) -> None:
    target = ("-mcpu=cortex-m3", "-mthumb") if compiler.startswith("arm") else ()
    names = ["slots.c", *(["board.c", "replay.c"] if target else [])]
    for name in names:
        done = subprocess.run(
            [tool(compiler), *target, "-Os", *WARNINGS, "-c", BOARD / name, "-o", tmp_path / "x.o"],
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
