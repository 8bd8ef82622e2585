"""Builds `govlang.native._table`, the engine behind cffi in API mode.

In: gov_table.h and gov_batch.h, the C sources beside this file.  Out: `ffibuilder`, which setup.py compiles.
What always holds: the declarations are the headers' own text, so Python cannot see another struct or
constant than C does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cffi import FFI

HERE: Final = Path(__file__).parent
FOLDER: Final = "src/govlang/native"
"""Sources are named from the project's root, through the package, so that the sdist finds them."""

HEADERS: Final = ("gov_table.h", "gov_time.h", "gov_batch.h")
SOURCES: Final = (
    "gov_batch.c",
    "gov_block.c",
    "gov_check_code.c",
    "gov_check_names.c",
    "gov_check_nodes.c",
    "gov_check_schema.c",
    "gov_check_time.c",
    "gov_collect.c",
    "gov_column.c",
    "gov_fast.c",
    "gov_fold.c",
    "gov_load.c",
    "gov_once.c",
    "gov_pack.c",
    "gov_plan.c",
    "gov_run.c",
    "gov_take.c",
    "gov_timing.c",
    "gov_table.c",
)
FLAGS: Final = ("-std=gnu11", "-O2", "-fno-strict-aliasing", "-fno-math-errno")


def declarations(header: str) -> str:
    """What cffi reads of a header: integers, types and functions, without the preprocessor's part."""
    integers = re.findall(r"^#define (GOV_\w+) +\(?-?[0-9]", header, re.MULTILINE)
    plain = re.sub(r"^(#|GOV_SIZE_IS).*$", "", header, flags=re.MULTILINE)
    return "\n".join(f"#define {name} ..." for name in integers) + plain


ffibuilder = FFI()
for name in HEADERS:
    ffibuilder.cdef(declarations((HERE / name).read_text(encoding="utf-8")))
ffibuilder.set_source(
    "govlang.native._table",
    "".join(f'#include "{name}"\n' for name in HEADERS),
    sources=[f"{FOLDER}/{name}" for name in SOURCES],
    include_dirs=[FOLDER],
    extra_compile_args=list(FLAGS),
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
