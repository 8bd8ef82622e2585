from __future__ import annotations

import subprocess
import sys

import govlang.client

LOADED = """
import sys
import govlang.client
heavy = {"starlette", "uvicorn", "structlog", "pydantic", "cffi", "cryptography"}
print(sorted({name.split(".")[0] for name in sys.modules} & heavy))
print(sorted(name for name in sys.modules if name.startswith("govlang.runtime")))
"""


def test_every_public_name_is_there_once() -> None:
    names = govlang.client.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(govlang.client, name) for name in names)


def test_a_client_loads_nothing_of_the_service() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n[]\n"
