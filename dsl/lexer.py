"""Text to tokens, before it is known which words are keywords.

In: a checked source. Out: `Tokens`, parallel lists with one entry a token: its terminal, text and
place; the terminal of a word is `WORD`, and the parser decides whether it is a keyword there.
Faults (a stray character, an open string, `1e5`) are reported and leave out the token, or keep
what was meant, so that the parser can go on. Comments are kept apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal

from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics, GovError, fail
from govlang.dsl.keywords import NO_UNITS
from govlang.dsl.limits import MAX_DEPTH, MAX_DIGITS, MAX_NAME
from govlang.dsl.source import Source, Span

WORD = "WORD"
END = "$END"
ROW_END = "_ROW_END"
WHOLE = "_WHOLE"

_UNIT_PATTERN = r"(?>%|[A-Za-z°µ][A-Za-z0-9_]*(?:/[A-Za-z][A-Za-z0-9_]*)?)(?![ \t]*(?::|->))"
_TOKEN = re.compile(
    rf"""
    [ \t\r\n]*+ (?:
      ([A-Za-z_][A-Za-z0-9_]*)                                   # 1 a word
    | (//[^\n]*)                                                 # 2 a comment
    | (->|\.\.|==|!=|<=|>=|[-+*/<>=(){{}},:|]|\.(?=[A-Za-z_]))  # 3 a sign
    | (\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?)                          # 4 a number, and
      (?:[ \t]*(?!(?:{"|".join(sorted(NO_UNITS))})\b)({_UNIT_PATTERN}))?  # 5 its unit
    | "((?:[^"\\\n]|\\[^\n])*)"                                  # 6 a string
    | ("[^\n]*|'[^'\n]{{0,200}}'|“[^”\n]{{0,200}}”|.)            # 7 what has no place here
    | (\Z)                                                       # 8 the end
    )""",
    re.VERBOSE | re.DOTALL,
)
_EXPONENT = re.compile(r"[eE][-+]?\d+")
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|(.))", re.DOTALL)
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_INSTEAD = {
    "&": "write `and`",
    "?": "write `if condition then a else b`",
    "!": "write `not`, or `!=` for unequal",
    "'": "write texts in double quotes",
    "#": "comments begin with `//`",
    ";": "lines need no `;`",
    "[": "sets stand in braces: `{a, b}`",
    "]": "sets stand in braces: `{a, b}`",
    ".": "names have no dots; a range is `lo..hi`, a fraction `0.5`",
    "%": "`%` is a unit and stands after a number",
    "“": 'use the plain quotation mark `"`',
    "”": 'use the plain quotation mark `"`',
    "≥": "write `>=`",
    "≤": "write `<=`",
    "≠": "write `!=`",
    "×": "write `*`",
    "−": "write `-`",
}
_MEANT = {"&": "and", "!": "not", "≥": ">=", "≤": "<=", "≠": "!=", "×": "*", "−": "-"}


@dataclass(slots=True)
class Tokens:
    """Parallel lists, ended by one `$END` at the end of the text."""

    source: Source
    terminals: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    comments: list[ast.Comment] = field(default_factory=list)

    def add(self, terminal: str, text: str, start: int, end: int) -> None:
        """Append a token."""
        self.terminals.append(terminal)
        self.texts.append(text)
        self.starts.append(start)
        self.ends.append(end)


def tokenise(source: Source, found: Diagnostics) -> Tokens:
    """All tokens of the source; faults go to `found` (GOV104 to GOV107)."""
    tokens = Tokens(source)
    add, depth = tokens.add, 0
    for match in _TOKEN.finditer(source.text):
        kind = match.lastindex or 8
        start, end = match.span(kind)
        if kind == 1:
            add(WORD, match[1], start, end)
            if end - start > MAX_NAME:
                check_name(source.span(start, end), found)
        elif kind == 3:
            sign = match[3]
            depth += (sign in "({") - (sign in ")}")
            if depth > MAX_DEPTH:
                raise _too_deep(source, start)
            add(sign, sign, start, end)
        elif kind in {4, 5}:
            _add_number(tokens, match, source, found)
        elif kind == 6:
            add("STRING", _unescape(source, start, end, found), start - 1, end + 1)
        elif kind == 2:
            tokens.comments.append(_comment(source, start, end))
        elif kind == 7:
            _stray(tokens, source, start, end, found)
    add(END, "", len(source.text), len(source.text))
    _mark_row_ends(tokens, source.text)
    _mark_whole_panes(tokens)
    return tokens


def check_name(name: Span, found: Diagnostics) -> None:
    """Report a name that is too long to be quoted in a message."""
    if name.end - name.start > MAX_NAME:
        message = f"a name of {name.end - name.start} characters is too long"
        found.error("GOV108", message, name, help=f"use at most {MAX_NAME}")


def _add_number(tokens: Tokens, match: re.Match[str], source: Source, found: Diagnostics) -> None:
    start, end = match.span(4)
    if end - start > MAX_DIGITS:
        message = f"a number of {end - start} digits is larger or finer than any value"
        found.error("GOV107", message, source.span(start, end), help="write fewer digits")
        tokens.add("NUMERAL", "0", start, end)
        return
    tokens.add("NUMERAL", match[4], start, end)
    exponent = _EXPONENT.match(source.text, end)
    if exponent is not None:
        span = source.span(start, exponent.end())
        found.error("GOV107", f"`{span.text}` is not written out", span, help=_written_out(span))
    elif match[5] is not None:
        tokens.add("UNIT", match[5], *match.span(5))


def _written_out(span: Span) -> str:
    exact = Decimal(span.text.replace("_", ""))
    if -10 <= exact.adjusted() <= 18:
        return f"write `{exact:f}`"
    return "write the digits out, as in `0.001`"


def _unescape(source: Source, start: int, end: int, found: Diagnostics) -> str:
    text = source.text[start:end]
    if "\\" not in text:
        return text

    def resolve(match: re.Match[str]) -> str:
        if match[1] is not None and 0 < (code := int(match[1], 16)) <= 0x10FFFF:
            if not 0xD800 <= code <= 0xDFFF:
                return chr(code)
        elif match[2] is not None and match[2] in _ESCAPES:
            return _ESCAPES[match[2]]
        span = source.span(start + match.start(), start + match.end())
        found.error(
            "GOV106",
            f"`{match[0]}` is no escape",
            span,
            help='a backslash is written `\\\\`; the others are `\\"`, `\\n`, `\\t`, `\\u{…}`',
        )
        return ""

    return _ESCAPE.sub(resolve, text)


def _comment(source: Source, start: int, end: int) -> ast.Comment:
    line_start = source.text.rfind("\n", 0, start) + 1
    own_line = not source.text[line_start:start].strip()
    return ast.Comment(source.text[start + 2 : end].strip(), own_line, source.span(start, end))


def _stray(tokens: Tokens, source: Source, start: int, end: int, found: Diagnostics) -> None:
    span = source.span(start, end)
    char = source.text[start]
    if char == '"':
        message = "this string does not end on its line"
        found.error("GOV106", message, span, help='close it with `"`')
        tokens.add("STRING", source.text[start + 1 : end].rstrip("\r"), start, end)
    elif end - start > 1:
        text = source.text[start + 1 : end - 1]
        message = f"`{span.text}` has the wrong quotation marks"
        found.error("GOV105", message, span, help=f'write `"{text}"`')
        tokens.add("STRING", text, start, end)
    elif not _joined(span, found):
        help_ = _instead(source.text, start)
        found.error("GOV105", f"`{char}` has no place here", span, help=help_)
        if char in _MEANT:
            meant = _MEANT[char]
            tokens.add(WORD if meant.isalpha() else meant, meant, start, end)


def _joined(span: Span, found: Diagnostics) -> bool:
    """Whether the character has become part of the report of those right before it."""
    last = found.last()
    if last is None or last.code != "GOV105" or last.span is None or last.span.end != span.start:
        return False
    found.replace_last(replace(last, span=last.span.to(span)))
    return True


def _instead(text: str, start: int) -> str | None:
    if text[start] == "." and text[start + 1 : start + 2].isdigit():
        return "write `0` before the point"
    return _INSTEAD.get(text[start])


def _too_deep(source: Source, start: int) -> GovError:
    return fail(
        "GOV104",
        f"brackets nest more than {MAX_DEPTH} deep",
        source.span(start, start + 1),
        help="name parts of the expression with `let`",
    )


def _mark_row_ends(tokens: Tokens, text: str) -> None:
    """A bar with no token after it on its line ends a row."""
    terminals = tokens.terminals
    for i, terminal in enumerate(terminals):
        if terminal == "|" and (
            terminals[i + 1] == END or text.find("\n", tokens.ends[i], tokens.starts[i + 1]) >= 0
        ):
            terminals[i] = ROW_END


def _mark_whole_panes(tokens: Tokens) -> None:
    """The comma of `by 5 min, under`; where no window stands, the reader takes it for another."""
    terminals, texts = tokens.terminals, tokens.texts
    for i, text in enumerate(texts):
        if text == "under" and i and terminals[i] == WORD and terminals[i - 1] == ",":
            terminals[i - 1] = WHOLE
