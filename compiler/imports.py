"""One list of declarations out of a policy and the files that it imports.

In: the root source and a function that reads files.  Out: the declarations in order, each import
replaced by what it brings, each table with the rows of its CSV file.

What always holds: paths are relative to the file that names them and stay inside the directory of
the root policy; every file is taken once, however often it is imported; no file imports itself.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from govlang.compiler.refusal import RefusalError
from govlang.dsl import ast, limits
from govlang.dsl.csv_table import read_rows
from govlang.dsl.diagnostics import Diagnostics, GovError, fail
from govlang.dsl.parser import parse, parse_fragment
from govlang.dsl.record import record
from govlang.dsl.source import Source

Read = Callable[[str], bytes]
"""The bytes of a file, named relative to the root's directory; OSError if it cannot be read."""

FILES_MAX: Final = 256
DEPTH_MAX: Final = 32
BYTES_MAX: Final = 4 * limits.MAX_BYTES
"""Of all files together."""


@record
class Program:
    """A policy with its imports in place."""

    header: ast.Header
    declarations: tuple[ast.Declaration, ...]
    sources: tuple[Source, ...]


def gather(source: Source, read: Read | None) -> Program:
    """Parse a policy and everything that it names.

    Raises:
        GovError: the errors of all files, GOV1xx and GOV224 to GOV228.
    """
    root = parse(source)
    assert root.header is not None, "the parser demands one"
    gatherer = _Gatherer(read, posixpath.dirname(source.name))
    gatherer.sources.append(source)
    gatherer.sizes = len(source.text)
    declarations = tuple(gatherer.spliced(root, [posixpath.basename(source.name) or "."]))
    gatherer.found.raise_errors()
    return Program(root.header, declarations, tuple(gatherer.sources))


def read_root(path: Path) -> tuple[Source, Read]:
    """The source of a policy on disk, and what reads the files beside and below it.

    Raises:
        GovError: it cannot be read (GOV224), or is too large or no UTF-8 (GOV1xx).
    """
    directory = path.parent

    def read(name: str) -> bytes:
        with (directory / name).open("rb") as file:
            return file.read(limits.MAX_BYTES + 1)

    try:
        data = read(path.name)
    except OSError as error:
        raise fail(
            "GOV224",
            f"`{path}` cannot be read: {error.strerror or error}",
            help="name a file that exists and that you may read",
        ) from None
    return limits.decode(str(path), data), read


@dataclass(slots=True)
class _Gatherer:
    """`folder` is where the root lies, as its name says; sources are named from there, for messages."""

    read: Read | None
    folder: str
    found: Diagnostics = field(default_factory=Diagnostics)
    sources: list[Source] = field(default_factory=list)
    sizes: int = 0
    taken: set[str] = field(default_factory=set)

    def spliced(self, policy: ast.Policy, path: list[str]) -> Iterator[ast.Declaration]:
        """The declarations of a file, imports replaced; `path` names the files that lead to it."""
        for declaration in policy.declarations:
            match declaration:
                case ast.ImportDecl():
                    yield from self._imported(declaration, path)
                case ast.Table(csv=csv) if csv is not None:
                    yield self._filled(declaration, csv, path[-1])
                case ast.TierBlock(members=members):
                    filled = (self._member(member, path[-1]) for member in members)
                    yield replace(declaration, members=tuple(filled))
                case _:
                    yield declaration

    def _member(self, member: ast.Rule | ast.Table, file: str) -> ast.Rule | ast.Table:
        if isinstance(member, ast.Table) and member.csv is not None:
            return self._filled(member, member.csv, file)
        return member

    def _imported(self, declaration: ast.ImportDecl, path: list[str]) -> Iterator[ast.Declaration]:
        try:
            name = _inside(declaration.path, path[-1])
            if name in path:
                raise _cycle(declaration, path, name)  # one place reports
            if name in self.taken:
                return
            self.taken.add(name)
            if len(path) > DEPTH_MAX:
                raise _too_many(declaration.path, f"imports nest more than {DEPTH_MAX} deep")
            part = parse_fragment(self._source(declaration.path, name))
        except RefusalError as refusal:
            self.found.add(refusal.diagnostic)
            return
        except GovError as error:
            self._keep(error)
            return
        yield from self.spliced(part, [*path, name])

    def _filled(self, table: ast.Table, csv: ast.String, file: str) -> ast.Table:
        try:
            source = self._source(csv, _inside(csv, file))
            return replace(table, rows=read_rows(table, source), csv=None)
        except RefusalError as refusal:
            self.found.add(refusal.diagnostic)
        except GovError as error:
            self._keep(error)
        return replace(table, csv=None)

    def _keep(self, error: GovError) -> None:
        for diagnostic in error.diagnostics:
            self.found.add(diagnostic)

    def _source(self, written: ast.String, name: str) -> Source:
        if self.read is None:
            raise RefusalError(
                "GOV224",
                f"`{written.value}` cannot be read: this policy has no directory",
                written.span,
                "compile the policy from a file",
            )
        if len(self.sources) >= FILES_MAX:
            raise _too_many(written, f"a policy has at most {FILES_MAX} files")
        try:
            data = self.read(name)
        except (OSError, ValueError) as error:
            why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            raise RefusalError(
                "GOV224",
                f"`{written.value}` cannot be read: {why}",
                written.span,
                "paths are relative to the file that names them",
            ) from None
        self.sizes += len(data)
        if self.sizes > BYTES_MAX:
            raise _too_many(written, f"the files together have more than {BYTES_MAX} bytes")
        source = limits.decode(posixpath.join(self.folder, name), data)
        self.sources.append(source)
        return source


def _inside(written: ast.String, importer: str) -> str:
    """A path relative to the root's directory, in one spelling.

    Raises:
        RefusalError: it leaves that directory, or is no plain relative path (GOV227).
    """
    text = written.value
    name = posixpath.normpath(posixpath.join(posixpath.dirname(importer), text))
    odd = not text or text.startswith("/") or "\\" in text or "\0" in text or ":" in text
    if odd or name == ".." or name.startswith("../"):
        raise RefusalError(
            "GOV227",
            f"`{text}` is not inside the directory of the policy",
            written.span,
            'write a relative path to a file beside or below it, as `"rules/common.gov"`',
        )
    return name


def _cycle(declaration: ast.ImportDecl, path: list[str], name: str) -> RefusalError:
    cycle = " → ".join(f"`{one}`" for one in [*path[path.index(name) :], name])
    return RefusalError(
        "GOV226",
        f"a file imports itself: {cycle}",
        declaration.path.span,
        "move what both need into a third file",
    )


def _too_many(written: ast.String, why: str) -> RefusalError:
    return RefusalError("GOV228", why, written.span, "import fewer files, or put rows into one CSV")
