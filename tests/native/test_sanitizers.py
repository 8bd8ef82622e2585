"""The C core under the sanitizers: tables changed at random, checksums mended, loaded and decided."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import tables
from ir_strategies import Shape, random_policy
from time_ir_policies import random_time_policy
from time_widths import wide_policy

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZERS = ("-g", "-O2", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
CORE = (
    "gov_batch",
    "gov_block",
    "gov_check_code",
    "gov_check_names",
    "gov_check_nodes",
    "gov_check_schema",
    "gov_check_time",
    "gov_collect",
    "gov_column",
    "gov_fast",
    "gov_fold",
    "gov_load",
    "gov_once",
    "gov_pack",
    "gov_plan",
    "gov_run",
    "gov_store",
    "gov_take",
    "gov_timing",
    "gov_table",
)

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow", "-Wconversion")
BINDING = {
    "gov_dict": ("-Wno-pedantic",),  # types of Python hold functions as `void *`: not ISO C
    "gov_dict_time": (),
    "gov_observe": (),
    "gov_read": (),
}


def sources(root: Path) -> list[str]:
    return [str(root / "native" / f"{name}.c") for name in CORE]


@pytest.fixture(scope="session")
def fuzzer(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("fuzz") / "fuzz_table"
    driver = str(root / "tests" / "native" / "fuzz" / "fuzz_table.c")
    command = ["gcc", *WARNINGS, *SANITIZERS, f"-I{root / 'native'}", driver, *sources(root)]
    subprocess.run([*command, "-lm", "-o", str(target)], check=True)
    return target


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("corpus")
    paths = []
    for seed in range(40):
        shape = Shape(rules=90, fields=4) if seed % 8 == 7 else None
        path = folder / f"{seed}.bin"
        path.write_bytes(tables.table_bytes(random_policy(random.Random(seed), shape)))
        paths.append(str(path))
    for seed in range(30):
        path = folder / f"time{seed}.bin"
        path.write_bytes(tables.table_bytes(random_time_policy(random.Random(seed))))
        paths.append(str(path))
    for seed in range(10):
        path = folder / f"wide{seed}.bin"
        path.write_bytes(tables.table_bytes(wide_policy(random.Random(seed))))
        paths.append(str(path))
    return paths


def run_fuzzer(fuzzer: Path, corpus: list[str], iterations: int, seed: int) -> int:
    """Run; the number of changed tables that were taken."""
    done = subprocess.run(
        [str(fuzzer), str(iterations), str(seed), *corpus],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ran, taken, _ = done.stdout.split()
    assert int(ran) == iterations
    return int(taken)


@pytest.mark.parametrize("standard", ["c11", "gnu17"])
def test_the_core_compiles_without_a_warning(root: Path, tmp_path: Path, standard: str) -> None:
    for source in sources(root):
        compile_strictly(source, tmp_path, standard)


@pytest.mark.parametrize("standard", ["c11", "gnu17"])
@pytest.mark.parametrize("name", BINDING)
def test_the_binding_compiles_without_a_warning(
    root: Path, tmp_path: Path, standard: str, name: str
) -> None:
    python = ("-DPy_LIMITED_API=0x030b0000", "-isystem", sysconfig.get_path("include"))
    if not Path(python[-1], "Python.h").is_file():
        pytest.skip("needs the headers of Python")
    source = str(root / "native" / f"{name}.c")
    compile_strictly(source, tmp_path, standard, *python, *BINDING[name])


def compile_strictly(source: str, folder: Path, standard: str, *more: str) -> None:
    # gcc 12 sees a conversion of signs between two names of the same 128-bit type
    flags = [f"-std={standard}", "-O2", *STRICT, "-Wno-sign-conversion", *more]
    subprocess.run(["gcc", *flags, "-c", source, "-o", str(folder / "x.o")], check=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_tables_neither_crash_nor_read_out_of_bounds(
    fuzzer: Path, corpus: list[str], seed: int
) -> None:
    taken = run_fuzzer(fuzzer, corpus, 20_000, seed)
    assert taken > 400, "the changes are too coarse: hardly a table is taken"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 30))
def test_millions_of_hostile_tables(fuzzer: Path, corpus: list[str], seed: int) -> None:
    many = 500_000 if os.environ.get("GOVLANG_FUZZ") == "long" else 250_000
    assert run_fuzzer(fuzzer, corpus, many, seed) > 5_000
