"""Functions of a fixed form, held against the text that docs/edge.md writes out.

In: the documented text as pycparser's tree, in which names that begin with `L$` stand for locals, `A$` for arrays,
`F$` for static functions, `C$` for constants.  Out: what these are in a file.

What always holds: a function that matches is the documented text with other names and constants; a name that
begins so is the same thing wherever it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pycparser import c_ast, c_parser

from govlang.verifier.translation.c_header import Header, constant
from govlang.verifier.translation.c_parse import PRELUDE, odd
from govlang.verifier.translation.c_types import Type

_FREE = ("L$", "A$", "F$")


def documented(header: Header, text: str) -> Any:
    """The tree of a documented function."""
    types = "".join(f"typedef int {header.policy}_{role}_t;" for role in header.structs)
    return c_parser.CParser().parse(f"{PRELUDE}{types}{text}").ext[-1]


@dataclass(slots=True)
class Pattern:
    """What the names of documented texts stand for; `what` is what these texts are, for messages."""

    header: Header
    what: str
    names: dict[str, str] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)

    def match(self, wanted: Any, node: Any) -> None:
        """Holds a tree against the pattern, part by part.

        Raises:
            ArtefactError: GOV416 with the line, it is something else.
        """
        if isinstance(wanted, c_ast.ID) and wanted.name.startswith("C$"):
            self.constant(wanted.name, node)
            return
        if type(wanted) is not type(node):
            raise odd(node, f"this is not {self.what}")
        for slot in wanted.__slots__[:-2]:
            self.part(getattr(wanted, slot), getattr(node, slot), node)

    def part(self, wanted: Any, found: Any, node: Any) -> None:
        """Holds an attribute or children of a node against those of the pattern."""
        match wanted, found:
            case (c_ast.Node(), c_ast.Node()):
                self.match(wanted, found)
            case (list(), list()) if len(wanted) == len(found):
                for one, other in zip(wanted, found, strict=True):
                    self.part(one, other, node)
            case (str(), str()) if wanted[:2] in _FREE:
                if self.names.setdefault(wanted, found) != found:
                    raise odd(node, f"`{found}` stands where `{self.names[wanted]}` does")
            case (str(), str()) if wanted.lower() == found.lower() and wanted[:1].isdigit():
                return
            case _ if wanted != found:
                raise odd(node, f"this is not {self.what}")

    def constant(self, name: str, node: Any) -> None:
        """A constant, of the type that the pattern's place has."""
        value = constant(node, self.header.constants)
        is_signed = name.startswith("C$unset") or name.endswith("_shift")
        type_ = Type.INT32 if is_signed else Type.UINT32
        if value.type is not type_ or self.constants.setdefault(name, value.lo) != value.lo:
            raise odd(node, "a constant of another type or value")

    def check_names(self, node: Any, fixed: Iterable[str]) -> None:
        """Locals have names of their own, which hide nothing; `fixed` are those that are not free."""
        free = [found for name, found in self.names.items() if name.startswith("L$")]
        taken, own = {*fixed, "NULL"}, {*free}
        if len(own) < len(free) or own & taken or (own | taken) & self.header.names:
            raise odd(node, "a local whose name means something else already")
