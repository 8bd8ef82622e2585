"""What stands before the grammar of C: characters, comments, the lines of the preprocessor, words.

In: the text of a header or a source.  Out: the same lines as a compiler sees them behind its
preprocessor: without comments and directives, macros replaced; and the macros by themselves.

What always holds: every character and every word that is let through means the same to each compiler
of C99; whatever could mean something else (trigraphs, digraphs, spliced lines, names that C or the
compiler reserves, macros with arguments) is refused with its line (docs/edge.md, C).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from govlang.native.errors import ArtefactError

SIZE_MAX: Final = 8 << 20
"""Characters of one file; what is larger was not made by `gov build`."""

DEPTH_MAX: Final = 64
"""Brackets inside brackets; the parser recurses on them."""

HEADERS: Final = frozenset({"<stdint.h>", "<stddef.h>"})

_DOCUMENTED = """break case char const default else enum if int return sizeof static struct switch
    typedef void while"""

_OTHER = """alignas alignof asm auto bool constexpr continue do double extern false float for goto inline
    long nullptr offsetof register restrict short signed static_assert thread_local true typeof
    typeof_unqual union unsigned volatile"""

KEYWORDS: Final = frozenset(_DOCUMENTED.split())
"""The words of C that the documented part needs."""

RESERVED: Final = frozenset(_OTHER.split())
"""The other words of C99 and its successors; they stand in no text of ours."""

STANDARD: Final = (
    frozenset(f"{sign}int{width}_t" for sign in ("", "u") for width in (8, 16, 32, 64))
    | frozenset(
        f"{sign}INT{width}_{what}"
        for sign in ("", "U")
        for width in (8, 16, 32, 64)
        for what in ("C", "MAX", "MIN")
    )
    | {"NULL"}
)
"""Names that the two standard headers give; nothing may define them."""


@dataclass(frozen=True, slots=True)
class Macro:
    """`#define name body`; earlier macros in the body are replaced."""

    name: str
    body: str
    line: int


@dataclass(frozen=True, slots=True)
class Plain:
    """A file behind its preprocessor: line n of `text` comes from line n of the file."""

    text: str
    macros: tuple[Macro, ...]
    includes: tuple[str, ...]
    names: frozenset[str]
    """All names in the text, replaced or not."""

    comments: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """The comments that begin on each line, as they stand there."""


def plain(text: str, file: str, header: Plain | None = None) -> Plain:
    """A file without comments and directives; `header` if this is the source that includes it.

    `file` stands before line numbers in messages: `header ` or nothing.

    Raises:
        ArtefactError: GOV416 with the line, something is not of the documented part.

    """
    reader = _Reader(file)
    if header is not None:
        reader.known = {macro.name: macro.body for macro in header.macros}
        reader.seen = set(header.names)
    return reader.read(text)


def at_line(file: str, line: int) -> str:
    """A place, as messages and statements name it."""
    return f"{file}line {line}"


_TRIGRAPH = re.compile(r"\?\?[=/'()!<>-]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_PIECE = re.compile(r'/\*.*?\*/|//[^\n]*|/\*|"[^"\\\n]*"|[^\x00-\x7f]', re.DOTALL)
_SPLICE = re.compile(r"\\[ \t]*(\n|$)")
_DEFINE = re.compile(r"#[ \t]*define[ \t]+([A-Za-z_][A-Za-z0-9_]*)(?:[ \t]+(\S.*))?")
_INCLUDE = re.compile(r'#[ \t]*include[ \t]*(<[a-z.]+>|"[A-Za-z0-9_.-]+")')
_IFNDEF = re.compile(r"#[ \t]*ifndef[ \t]+([A-Za-z_][A-Za-z0-9_]*)")
_ENDIF = re.compile(r"#[ \t]*endif")
_IFDEF_CPP = re.compile(r"#[ \t]*ifdef[ \t]+__cplusplus")
_CPP_LINE = re.compile(r'extern[ \t]+"C"[ \t]*\{|\}')

_WORD = re.compile(
    r"""[ \t]+
    | (?P<name> [A-Za-z_][A-Za-z0-9_]*)
    | (?P<number> [0-9] (?: [eEpP][+-] | [A-Za-z0-9_.] )*)
    | (?P<odd> \+\+ | -- | <: | :> | <% | %> | %: )
    | (?P<sign> -> | <<= | >>= | << | >> | <= | >= | == | != | && | \|\| | [-+*/%&|^]=
      | [-+*/%&|^~!=<>?:;,(){}\[\]] )
    | (?P<other> .)""",
    re.VERBOSE,
)
"""The words of C that the documented part has; numbers are as long as C's preprocessor reads them."""

_NUMBER = re.compile(r"(?:0|[1-9][0-9]*|0[xX][0-9a-fA-F]+)(?:[uU]?(?:ll|LL)?|(?:ll|LL)[uU])")


@dataclass(slots=True)
class _Reader:
    """One file being read: what its lines have given so far."""

    file: str
    known: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    code: list[str] = field(default_factory=list)
    macros: list[Macro] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    comments: dict[int, tuple[str, ...]] = field(default_factory=dict)
    guard: str | None = None
    guarded: bool = False
    ended: bool = False
    depth: int = 0
    last: str = ""

    def error(self, line: int, why: str) -> ArtefactError:
        return ArtefactError(at_line(self.file, line), why)

    def read(self, text: str) -> Plain:
        if len(text) > SIZE_MAX:
            raise self.error(1, f"a file of more than {SIZE_MAX} characters")
        self.refuse(text, _CONTROL, "a control character, or text that is not UTF-8")
        self.refuse(text, _TRIGRAPH, "a trigraph")
        rows = self.without_comments(text).split("\n")
        row = 0
        while row < len(rows):
            row += self.take(rows, row)
        if self.depth or (self.guard is not None and not self.ended):
            what = "a bracket that is not closed" if self.depth else "an `#ifndef` without `#endif`"
            raise self.error(len(rows), what)
        return Plain(
            "\n".join(self.code),
            tuple(self.macros),
            tuple(self.includes),
            frozenset(self.seen),
            self.comments,
        )

    def refuse(self, text: str, pattern: re.Pattern[str], why: str) -> None:
        """Refuses a text that holds the pattern."""
        if (match := pattern.search(text)) is not None:
            raise self.error(1 + text.count("\n", 0, match.start()), why)

    # --- comments --------------------------------------------------------------------------------

    def without_comments(self, text: str) -> str:
        """A blank, and the ends of lines, for each comment."""

        def replaced(match: re.Match[str]) -> str:
            piece = match[0]
            if piece[0] == '"':
                return piece
            if piece == "/*":
                raise self.error(line(match), "a comment without an end")
            if piece[0] != "/":
                raise self.error(line(match), "a sign outside ASCII stands outside a comment")
            if _SPLICE.search(piece):
                raise self.error(line(match), "a backslash ends a line inside a comment")
            if "\n" in piece and not _is_alone(text, match):
                what = "a comment over several lines shares a line with code"
                raise self.error(line(match), what)
            self.comments[line(match)] = (*self.comments.get(line(match), ()), piece)
            return " " + "\n" * piece.count("\n")

        def line(match: re.Match[str]) -> int:
            return text.count("\n", 0, match.start()) + 1

        return _PIECE.sub(replaced, text)

    # --- lines -----------------------------------------------------------------------------------

    def take(self, rows: list[str], row: int) -> int:
        """Reads the line `row`, with those that continue it; how many they were."""
        line, count = rows[row], 1
        if line.lstrip().startswith("#"):
            while line.endswith((" \\", "\t\\")) and row + count < len(rows):
                line = line[:-1] + rows[row + count]
                count += 1
            count = self.directive(line.strip(), rows, row, count)
        elif line and not line.isspace():
            self.check_inside(row + 1)
            self.code.append(" ".join(self.words(line, row + 1)))
            return 1
        self.code += [""] * count
        return count

    def check_inside(self, line: int) -> None:
        if self.ended or (not self.guarded and self.file):
            raise self.error(line, "code outside the include guard")

    def directive(self, line: str, rows: list[str], row: int, count: int) -> int:
        """Reads a directive; how many lines it takes."""
        number = row + 1
        if self.depth:
            raise self.error(number, "a directive inside brackets")
        if match := _DEFINE.fullmatch(line):
            self.define(match[1], match[2], number)
        elif count > 1:
            raise self.error(number, "a directive that goes on behind a backslash")
        elif match := _INCLUDE.fullmatch(line):
            self.include(match[1], number)
        elif _IFDEF_CPP.fullmatch(line):
            return self.for_cpp(rows, row)
        elif match := _IFNDEF.fullmatch(line):
            self.open_guard(match[1], number)
        elif _ENDIF.fullmatch(line) and self.guarded and not self.ended:
            self.ended = True
        else:
            raise self.error(number, f"the directive `{line[:60]}`")
        return count

    def include(self, what: str, line: int) -> None:
        """Includes stand before all code, so that what they define is known to all of it."""
        own = what[0] == '"' and not self.file
        if (what not in HEADERS and not own) or what in self.includes:
            raise self.error(line, f"`#include {what}`")
        if any(self.code) or self.macros:
            raise self.error(line, "an `#include` behind code")
        self.includes.append(what)

    def for_cpp(self, rows: list[str], row: int) -> int:
        """`extern "C"` for C++, which C does not see."""
        rest = [one.strip() for one in rows[row + 1 : row + 3]]
        if len(rest) < 2 or not _CPP_LINE.fullmatch(rest[0]) or not _ENDIF.fullmatch(rest[1]):
            raise self.error(row + 1, 'more than `extern "C"` for C++')
        return 3

    def open_guard(self, name: str, line: int) -> None:
        if not self.file or self.guard is not None or any(self.code):
            raise self.error(
                line, "an `#ifndef` that is no include guard at the head of the header"
            )
        self.check_new(name, line)
        self.guard = name

    def define(self, name: str, body: str | None, line: int) -> None:
        if name == self.guard and not self.guarded and body is None:
            self.guarded = True
            return
        self.check_inside(line)
        self.check_new(name, line)
        words = self.words(body or "", line)
        if self.depth or not _is_operand(words):
            raise self.error(line, f"`{name}` is no constant and no initialiser")
        self.known[name] = " ".join(words)
        self.macros.append(Macro(name, self.known[name], line))

    def check_new(self, name: str, line: int) -> None:
        taken = name in KEYWORDS or name in STANDARD or name in RESERVED or name[0] == "_"
        if taken or name in self.known or name == self.guard or name in self.seen:
            raise self.error(line, f"`{name}` is defined although it means something already")

    # --- words -----------------------------------------------------------------------------------

    def words(self, line: str, number: int) -> list[str]:
        """The words of a line, macros replaced."""
        found: list[str] = []
        for match in _WORD.finditer(line):
            word = match[0]
            match match.lastgroup:
                case "name":
                    found.append(self.name(word, number))
                case "number":
                    if not _NUMBER.fullmatch(word):
                        raise self.error(number, f"the number `{word[:40]}`")
                    found.append(word)
                case "sign":
                    self.nest(word, number)
                    found.append(word)
                case "odd" | "other":
                    raise self.error(number, f"`{word}`")
                case _:
                    continue
            self.last = word
        return found

    def name(self, word: str, line: int) -> str:
        if word in RESERVED or word[0] == "_" or word == self.guard:
            raise self.error(line, f"the word `{word[:60]}`")
        self.seen.add(word)
        return self.known.get(word, word)

    def nest(self, sign: str, line: int) -> None:
        """Counts brackets; two opening square ones begin something else in newer C."""
        if sign in "([{":
            self.depth += 1
        elif sign in ")]}":
            self.depth -= 1
        if not 0 <= self.depth <= DEPTH_MAX:
            raise self.error(line, "brackets that do not match, or too many inside each other")
        if sign == self.last == "[":
            raise self.error(line, "`[[`")


def _is_alone(text: str, match: re.Match[str]) -> bool:
    """Whether nothing else stands on the lines of a match."""
    start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    after = text[match.end() : end if end >= 0 else len(text)]
    return not text[start : match.start()].strip() and not after.strip()


def _is_operand(words: list[str]) -> bool:
    """Whether words are one operand wherever they are put: no neighbour can tear them apart."""
    match words:
        case [one] | ["-", one]:
            return one[0].isalnum() or " " in one
        case [("(" | "{") as first, *inner, (")" | "}") as last]:
            return (first, last) in {("(", ")"), ("{", "}")} and _is_balanced(inner)
        case [name, "(", _, ")"]:
            return name in STANDARD
        case _:
            return False


def _is_balanced(words: list[str]) -> bool:
    depth = 0
    for word in words:
        depth += (word in "([{") - (word in ")]}")
        if depth < 0 or word == ";":
            return False
    return depth == 0
