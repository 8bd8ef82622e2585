"""Which problems a method of the service can answer, read off the source: its own, and those of all that it calls.

In: the modules of `runtime/control`.  Out: for a method of `Service`, the codes that stand in a `problem("code", …)` it
can come to.  Names are followed, not values: what is called through a variable is not seen, so that what is found is
there, and what is not found may be.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from govlang.runtime import control
from govlang.runtime.control.answer import PROBLEMS

ROOT = Path(next(iter(control.__path__)))
PACKAGE = "govlang.runtime.control"
METHODS = ("jobs", "decisions", "operations", "service", "desk")
"""The modules whose methods are those of `Service`."""

Place = tuple[str, str]
"""A module and a function or a whole class in it; of a method of `Service` the module is empty."""


@dataclass
class Body:
    """What stands in a function."""

    codes: set[str] = field(default_factory=set)
    calls: set[Place] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    """Names that are called of objects, `move` of `turn.move(…)`."""


@cache
def bodies() -> dict[Place, Body]:
    """Every function and method, by its place."""
    found: dict[Place, Body] = {}
    for path in ROOT.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        names = _imported(tree)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names[node.name] = (path.stem, node.name)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                _merge(found, (path.stem, node.name), _read(node, names))
            elif isinstance(node, ast.ClassDef):
                for one in node.body:
                    if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                        place = ("", one.name) if path.stem in METHODS else (path.stem, node.name)
                        _merge(found, place, _read(one, names))
    return found


def _merge(found: dict[Place, Body], place: Place, body: Body) -> None:
    """Methods of one class, or of one name in the parts of `Service`, count as one: any of them may be called."""
    kept = found.setdefault(place, Body())
    kept.codes |= body.codes
    kept.calls |= body.calls
    kept.attributes |= body.attributes


def _imported(tree: ast.Module) -> dict[str, Place]:
    names: dict[str, Place] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            source = (node.module or "").removeprefix(PACKAGE).removeprefix(".")
            for one in node.names:
                name = one.asname or one.name
                names[name] = (source, one.name) if source else (one.name, "")
    return names


def _read(function: ast.AST, names: dict[str, Place]) -> Body:
    body = Body()
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _is_named(node.func, "problem"):
            body.codes |= _texts(node.args[0], function) & PROBLEMS.keys()
        elif isinstance(node, ast.Name) and node.id in names:
            body.calls.add(names[node.id])
        elif isinstance(node, ast.Attribute):
            body.attributes.add(node.attr)
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                body.calls.add(("", node.attr))
            elif isinstance(node.value, ast.Name) and node.value.id in names:
                body.calls.add((names[node.value.id][0], node.attr))
    return body


def _texts(given: ast.AST, function: ast.AST) -> set[str]:
    """The texts that an argument can be: those in it, or those that the name that it is was given."""
    if isinstance(given, ast.Name):
        return {
            text
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and _is_named(node.targets[0], given.id)
            for text in _texts(node.value, function)
        }
    return {
        one.value
        for one in ast.walk(given)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def _is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def reached(method: str) -> Body:
    """All that a method of `Service` can come to; what `answer_to` makes of errors is left out."""
    whole, seen = Body(), {("desk", "answer_to")}
    todo: list[Place] = [("", method)]
    while todo:
        place = todo.pop()
        body = bodies().get(place)
        if place in seen or body is None:
            continue
        seen.add(place)
        whole.codes |= body.codes
        whole.attributes |= body.attributes
        todo += body.calls
    return whole
