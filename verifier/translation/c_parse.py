"""The grammar of C, by pycparser, and the shapes of declarations.

In: a header and its source behind the preprocessor.  Out: pycparser's tree of both, the arrays, and
types as texts.

What always holds: only words that the documented part has reach the parser; a declaration has nothing
(storage, qualifiers, attributes, widths of bits) that its reader did not ask for; a node knows its line.
Arrays are read here and do not reach the parser, which would take seconds for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pycparser import c_ast, c_lexer, c_parser

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_preprocess import Macro, Plain, at_line

_HEADER: Final = "header"
_SOURCE: Final = "source"
PRELUDE: Final = "".join(
    f"typedef int {sign}int{width}_t;" for sign in ("", "u") for width in (8, 16, 32, 64)
)
"""What the parser must know of `<stdint.h>`: which names are types."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array of the source: `static const uintN_t name[…] = { … };`."""

    bits: int
    cells: tuple[int, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """The two files: what they declare, in order; macros as declarations with an initial value."""

    header: tuple[Any, ...]
    source: tuple[Any, ...]
    macros: tuple[Any, ...]
    arrays: Mapping[str, Array]


def parse(header: Plain, source: Plain) -> Parsed:
    """The tree of a header and its source.

    Raises:
        ArtefactError: GOV416 with the line, the text is not C, or an array is none of ours.

    """
    arrays, code = _take_arrays(source.text)
    text = "\n".join(
        [
            PRELUDE,
            f'#line 1 "{_HEADER}"\n{header.text}',
            f'#line 1 "{_SOURCE}"\n{code}',
        ]
    )
    tree = _tree(text)
    macros = _tree("\n".join([PRELUDE, *(_declared(one) for one in header.macros)]))
    return Parsed(
        tuple(node for node in tree if node.coord.file == _HEADER),
        tuple(node for node in tree if node.coord.file == _SOURCE),
        tuple(node for node in macros if node.coord.file == _HEADER),
        arrays,
    )


def _declared(macro: Macro) -> str:
    return f'#line {macro.line} "{_HEADER}"\nint32_t {macro.name} = {macro.body} ;'


class _Lexer(c_lexer.CLexer):  # type: ignore[misc]  # the parser ships no types
    """The parser's lexer, which remembers its last word: some messages of the parser have no line."""

    last: Any = None

    def token(self) -> Any:
        """The next word."""
        found = super().token()
        self.last = found or self.last
        return found


_PLACE = re.compile(
    rf"(?:({_HEADER}|{_SOURCE}):(\d+)(?::\d+)?: |(?:{_HEADER}|{_SOURCE})?: )?(.*)", re.DOTALL
)


def _tree(text: str) -> list[Any]:
    parser = c_parser.CParser(lexer=_Lexer)
    try:
        return list(parser.parse(text).ext)
    except c_parser.ParseError as error:
        match = _PLACE.fullmatch(str(error))
        assert match is not None
        last = parser.clex.last
        file = match[1] or (last.filename if last else _SOURCE)
        line = match[2] or (last.lineno if last else 1)
        raise ArtefactError(_at(file, int(line)), f"not C: {match[3][:80]}") from None
    except RecursionError:
        raise ArtefactError("line 1", "parts nested too deeply") from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        # The parser is made for whole C; what it trips over is certainly not ours.
        raise ArtefactError("line 1", "not C: the parser cannot read it") from None


def _at(file: str, line: int) -> str:
    return at_line("header " if file == _HEADER else "", line)


def place(node: Any) -> str:
    """Where a node stands."""
    return _at(node.coord.file, node.coord.line) if node.coord else "line 1"


def same_tree(one: Any, other: Any) -> bool:
    """Whether two trees are the same but for the lines where they stand."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(map(same_tree, one, other))
    if not isinstance(one, c_ast.Node):
        return bool(one == other)
    slots = type(one).__slots__[:-2]
    return type(one) is type(other) and all(
        same_tree(getattr(one, slot), getattr(other, slot)) for slot in slots
    )


def odd(node: Any, why: str) -> ArtefactError:
    """The refusal of a node."""
    return ArtefactError(place(node), why)


# --- arrays ----------------------------------------------------------------------------------------

_ARRAY = re.compile(
    r"static\s+const\s+uint(8|16)_t\s+([A-Za-z]\w*)\s+\[\s+(\d+)[uU]?\s+\]\s+=\s+\{([0-9uU,\s]*)\}\s+;",
    re.ASCII,
)
_CELL = re.compile(r"\s*(0|[1-9][0-9]*)[uU]?\s*")


def _take_arrays(text: str) -> tuple[dict[str, Array], str]:
    """The arrays of a source, and the source without them."""
    found: dict[str, Array] = {}

    def taken(match: re.Match[str]) -> str:
        line = text.count("\n", 0, match.start()) + 1
        if text.count("{", 0, match.start()) != text.count("}", 0, match.start()):
            raise ArtefactError(at_line("", line), "an array inside a function")
        name, size = match[2], int(match[3])
        if name in found:
            raise ArtefactError(at_line("", line), f"`{name}` is declared twice")
        found[name] = Array(int(match[1]), _cells(match[4], int(match[1]), line), line)
        if len(found[name].cells) != size:
            raise ArtefactError(at_line("", line), f"`{name}` has not all of its {size} cells")
        return "\n" * match[0].count("\n")

    return found, _ARRAY.sub(taken, text)


def _cells(text: str, bits: int, line: int) -> tuple[int, ...]:
    cells = text.rstrip().removesuffix(",").split(",")
    matches = [_CELL.fullmatch(cell) for cell in cells]
    values = tuple(int(match[1]) for match in matches if match)
    if len(values) < len(matches) or max(values) >= 1 << bits:
        raise ArtefactError(at_line("", line), f"a cell that is no number of {bits} bits")
    return values


# --- declarations ----------------------------------------------------------------------------------


_SIZE = re.compile(r"[1-9][0-9]{0,8}[uU]?|0")


def type_text(node: Any) -> str:
    """A type in one spelling: `int32_t`, `const POLICY_request_t *`, `uint8_t[16]`."""
    match node:
        case c_ast.TypeDecl(type=c_ast.IdentifierType(names=[name])):
            return _with_const(node, name)
        case c_ast.PtrDecl(type=inner, quals=quals) if not quals:
            return f"{type_text(inner)} *"
        case c_ast.ArrayDecl(type=c_ast.TypeDecl() as inner, dim=c_ast.Constant(value=size)):
            if node.attributes or node.dim_quals or not _SIZE.fullmatch(size):
                raise odd(node, "the size of an array")
            return f"{type_text(inner)}[{size.rstrip('uU')}]"
        case _:
            raise odd(node, "a type that is none of the documented ones")


def _with_const(node: Any, name: str) -> str:
    if node.align or node.attributes or not {*node.quals} <= {"const"} or len(node.quals) > 1:
        raise odd(node, f"what stands beside the type `{name}`")
    return f"const {name}" if node.quals else name


def check_plain(node: Any, storage: tuple[str, ...] = ()) -> None:
    """A declaration has the storage and nothing else that is odd."""
    extras = (node.align, node.funcspec, node.bitsize, node.attributes)
    if any(extras) or tuple(node.storage) != storage:
        raise odd(node, f"what stands beside `{node.name}`")
