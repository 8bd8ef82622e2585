"""Build script: everything that pyproject.toml can say stands there; here is what concerns the two C extensions."""

from setuptools import Extension, setup

NATIVE = "src/govlang/native/"
ENGINE = (
    "gov_check_code.c",
    "gov_check_names.c",
    "gov_check_nodes.c",
    "gov_check_schema.c",
    "gov_check_time.c",
    "gov_collect.c",
    "gov_fast.c",
    "gov_fold.c",
    "gov_load.c",
    "gov_once.c",
    "gov_pack.c",
    "gov_plan.c",
    "gov_run.c",
    "gov_store.c",
    "gov_take.c",
    "gov_timing.c",
    "gov_table.c",
)
HEADERS = (
    "gov_dict.h",
    "gov_engine.h",
    "gov_fast.h",
    "gov_fold.h",
    "gov_grow.h",
    "gov_load.h",
    "gov_number.h",
    "gov_once.h",
    "gov_pack.h",
    "gov_plan.h",
    "gov_store.h",
    "gov_table.h",
    "gov_time.h",
    "gov_timing.h",
)

setup(
    # The Pythons that a wheel runs on: pyproject.toml has no settled place for them.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cffi_modules=[NATIVE + "build_table.py:ffibuilder"],
    ext_modules=[
        Extension(
            "govlang.native._dict",
            sources=[
                NATIVE + name
                for name in (
                    "gov_dict.c",
                    "gov_dict_time.c",
                    "gov_observe.c",
                    "gov_outcome.c",
                    "gov_read.c",
                    *ENGINE,
                )
            ],
            depends=[NATIVE + name for name in HEADERS],
            include_dirs=[NATIVE],
            define_macros=[("Py_LIMITED_API", "0x030b0000")],
            py_limited_api=True,
            extra_compile_args=[
                "-std=gnu11",
                "-O2",
                "-fno-strict-aliasing",
                "-fno-math-errno",
                "-fvisibility=hidden",
            ],
        ),
    ],
)
