"""The real engines behind the proofs of artefacts: wasmtime for a module, a C compiler for a C file.

In: an artefact, decoded and as bytes.  Out: what runs it on variables, or None where the engine is not
installed.  Engines start when something is about to be called refuted, so a proof that holds needs none.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from govlang.cli.timed_c import TimedC

if TYPE_CHECKING:
    from govlang.verifier.translation.machine import Artefact

Answer = tuple[int, dict[str, int]]
Run = Callable[[Mapping[str, int]], Answer | None]
TimedRun = Callable[[Mapping[str, int], str], Answer | None]

_TAKEN = frozenset({"decide", "commit", "memory", "text"})
_TAKEN_OVER_TIME = frozenset({"tick", "state_ok", "next_deadline"})
_DEADLINE = "out.deadline"
_PARAM = "param."
_STALE = 0x5A
"""Every byte of the outcome before a decision, as if left by an earlier one: a cell that is not stored shows it."""
_TAIL = 1 << 20
"""Room behind the request's variables: copies of compared texts stand there."""


def wasm_engine(module: bytes, artefact: Artefact) -> tuple[Run, TimedRun] | None:
    """Runs a module in wasmtime, if it is installed: as a question, or any function over time."""
    if find_spec("wasmtime") is None:
        return None
    one = _Module(module, artefact)
    return one.run, one.take


def c_engine(
    name: str, header: str, source: str, artefact: Artefact
) -> tuple[Run | None, TimedRun | None]:
    """Runs a C file as the machine's C compiler builds it, if there is one; over time any of its functions."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None, None
    if artefact.time is not None:
        return None, TimedC(compiler, name, header, source, artefact).take
    return _Library(compiler, name, header, source, artefact).run, None


class _Module:
    def __init__(self, module: bytes, artefact: Artefact) -> None:
        self.module = module
        self.artefact = artefact

    def run(self, variables: Mapping[str, int]) -> Answer | None:
        """What the module decides and leaves, in a fresh instance; None if it traps."""
        return self.take(variables, "decide")

    def take(self, variables: Mapping[str, int], function: str) -> Answer | None:
        """What a function of the module answers and leaves, the state with it."""
        import wasmtime

        store = wasmtime.Store()
        exports: Any = wasmtime.Instance(store, self._compiled(store), []).exports(store)
        for name, width in self.artefact.cells.items():
            exports[name].set_value(store, int.from_bytes(bytes([_STALE]) * (width // 8)))
        for name, value in variables.items():
            exports[self._exported(name)].set_value(store, value)
        try:
            returned = exports[function](store)
        except wasmtime.Trap:
            return None
        time = self.artefact.time
        left = [*self.artefact.cells, *(time.state if time else ())]
        left += [_DEADLINE] if function == "next_deadline" else []
        return returned, {name: exports[name].value(store) for name in left}

    def _exported(self, name: str) -> str:
        """The export of a variable; some names are taken by functions and memory (docs/edge.md)."""
        taken = _TAKEN if self.artefact.time is None else _TAKEN | _TAKEN_OVER_TIME
        return f"field.{name}" if name in taken else name

    def _compiled(self, store: Any) -> Any:
        import wasmtime

        return wasmtime.Module(store.engine, self.module)


class _Library:
    def __init__(
        self, compiler: str, name: str, header: str, source: str, artefact: Artefact
    ) -> None:
        self.compiler = compiler
        self.name = name
        self.files = {f"{name}.h": header, f"{name}.c": source}
        self.artefact = artefact

    def run(self, variables: Mapping[str, int]) -> Answer | None:
        """What the compiled file returns and leaves."""
        named = self.artefact.variables
        request = _struct({n: w for n, w in named.items() if not n.startswith(_PARAM)})
        params = _struct({n: w for n, w in named.items() if n.startswith(_PARAM)})
        outcome = _struct(self.artefact.cells)()
        ctypes.memset(ctypes.byref(outcome), _STALE, ctypes.sizeof(outcome))
        room = ctypes.create_string_buffer(ctypes.sizeof(request) + _TAIL)
        given = [request.from_buffer(room), *([params()] if params._fields_ else [])]
        for struct in given:
            for member, name in zip(struct._fields_, _names(struct), strict=True):
                setattr(struct, member[0], variables.get(name, self.artefact.unset[name]))
        pointers = [ctypes.byref(struct) for struct in (*given, outcome)]
        returned = int(self._decide(*pointers))
        return returned, {name: getattr(outcome, f"_{i}") for i, name in enumerate(_names(outcome))}

    @cached_property
    def _decide(self) -> Any:
        with TemporaryDirectory() as folder:
            for name, text in self.files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            library = Path(folder) / "policy.so"
            flags = ("-std=c99", "-O1", "-shared", "-fPIC", "-o", str(library))
            subprocess.run(  # the compiler found on PATH, on files of ours
                [self.compiler, *flags, str(Path(folder) / f"{self.name}.c")],
                check=True,
                capture_output=True,
            )
            return getattr(ctypes.CDLL(str(library)), f"{self.name}_decide")


def _struct(widths: Mapping[str, int]) -> type[ctypes.Structure]:
    """The structure whose members have these widths, in this order (docs/edge.md)."""
    kinds = {32: ctypes.c_int32, 64: ctypes.c_int64}
    fields = [(f"_{i}", kinds[width]) for i, width in enumerate(widths.values())]
    return type("_Struct", (ctypes.Structure,), {"_fields_": fields, "names": tuple(widths)})


def _names(struct: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = struct.names
    return names
