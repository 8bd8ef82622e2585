"""A mutant in a program that has been imported already, and tests that run on it in a fork.

Every function holds its code as an attribute; putting the mutated code there reaches all who have imported
the function, under whatever name.  What has run at import has not run mutated: `fresh.py` is for that.
"""

from __future__ import annotations

import ast
import functools
import gc
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

CACHE = type(functools.cache(abs))
MEMORY = 4 << 30
"""Bytes that a mutant may take."""


@dataclass(frozen=True, slots=True)
class Ran:
    """`killer`: the test that failed; else `overran`: the time was up; else all tests passed."""

    killer: str = ""
    overran: bool = False


class Program:
    """The functions of the imported program by file, and the caches that must forget."""

    def __init__(self, root: Path) -> None:
        self._functions: dict[Path, list[FunctionType]] = defaultdict(list)
        self._caches: list[Callable[[], None]] = []
        for found in gc.get_objects():
            if isinstance(found, FunctionType):
                path = Path(found.__code__.co_filename)
                if path.is_absolute() and _below(path, root):
                    self._functions[path.resolve()].append(found)
            elif isinstance(found, CACHE) and _ours(found, root):
                self._caches.append(found.cache_clear)

    def swaps(self, path: Path, tree: ast.Module) -> list[tuple[FunctionType, CodeType]] | None:
        """The functions of a file, each with its code in `tree`; None if one cannot take it."""
        codes = {_name(code): code for code in _codes(compile(tree, str(path), "exec"))}
        found = []
        for function in self._functions[path.resolve()]:
            code = codes.get(_name(function.__code__))
            if code is None or len(code.co_freevars) != len(function.__code__.co_freevars):
                return None
            found.append((function, code))
        return found or None

    def put(self, swaps: list[tuple[FunctionType, CodeType]]) -> None:
        """Give the functions their codes; nothing that was worked out before is remembered."""
        for function, code in swaps:
            function.__code__ = code
        for clear in self._caches:
            clear()


def run_forked(
    session: pytest.Session, items: list[pytest.Item], change: Callable[[], None], limit_s: float
) -> Ran:
    """Run `items` in a fork after `change` until one fails; the limit is processor time, and 4 times it in all."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _run_child(session, items, change, limit_s, writing)
    os.close(writing)
    end, ended, status = time.monotonic() + 4 * limit_s, 0, 0
    while not ended and time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0 if ended else 0.005)
    end_group(child)
    if not ended:
        os.waitpid(child, 0)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        said = pipe.read()
    if not ended or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return Ran(overran=True)
    at, _, done = said.rpartition("\n")[0].rpartition("\n")[2].partition(" ")
    if done == "passed":
        return Ran()
    return Ran(killer=items[int(at or 0)].nodeid)


def _run_child(
    session: pytest.Session,
    items: list[pytest.Item],
    change: Callable[[], None],
    limit_s: float,
    writing: int,
) -> None:
    """Run the tests and say of each that it begins; the last word is `passed` if all did.  Never returns."""
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 1, int(limit_s) + 2))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silence, stream)
        change()
        for at, item in enumerate(items):
            os.write(writing, f"{at} begins\n".encode())
            following = items[at + 1] if at + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os._exit(1)
        os.write(writing, b"0 passed\n")
    finally:
        os._exit(0)


def end_group(child: int) -> None:
    """End what the fork has started, itself included."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _ours(cached: Any, root: Path) -> bool:
    """Whether a cached function is the program's or its tests'; others need not forget."""
    source = getattr(sys.modules.get(cached.__module__), "__file__", None)
    return source is not None and _below(Path(source), root)


def _below(path: Path, root: Path) -> bool:
    """Whether a file is one of the repository's, and not of what is installed in it."""
    found = path.resolve()
    return found.is_relative_to(root) and "site-packages" not in found.parts


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


def _name(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno
