"""Syntax tree to text: `gov fmt`.

In: a policy as the parser or a program made it. Out: its text in the one layout, with the
author's comments and single blank lines. INVARIANT: parsing the text gives an equal tree, and
printing that gives the same text.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate

from govlang.dsl import ast, layout
from govlang.dsl.layout_lines import Line
from govlang.dsl.source import Span


def print_policy(policy: ast.Policy) -> str:
    """The whole file, ending in a line end; empty for an empty fragment."""
    groups = [] if policy.header is None else [layout.header(policy.header)]
    groups += [layout.declaration(d) for d in policy.declarations]
    lines = _with_comments(_separated(groups, policy), policy.comments)
    return "".join(_text(line) for line in _tidy(lines))


def _text(line: Line) -> str:
    beside = f"  {line.comment}" if line.comment else ""
    return "  " * line.indent + line.text + beside + "\n" if line.text else "\n"


def _separated(groups: list[list[Line]], policy: ast.Policy) -> list[Line]:
    """The declarations with a blank line around each that has several lines."""
    if policy.header is None or len(groups) < 2:
        return layout.spaced(groups)
    blank = Line(0, "", groups[1][0].span)
    return [*groups[0], blank, *layout.spaced(groups[1:])]


def _with_comments(lines: list[Line], comments: tuple[ast.Comment, ...]) -> list[Line]:
    """Each comment at the line that begins before it, or above the one that begins after it."""
    above: dict[int, list[ast.Comment]] = {}
    beside: dict[int, list[ast.Comment]] = {}
    reached = list(accumulate((line.span.start for line in lines), max))
    for comment in comments:
        after = bisect_right(reached, comment.span.start)
        if comment.own_line:
            above.setdefault(after, []).append(comment)
        else:
            beside.setdefault(_last_before(lines, after), []).append(comment)
    out: list[Line] = []
    for i, line in enumerate(lines):
        *surplus, last = beside.get(i, [None])
        own = [*above.get(i, []), *(c for c in surplus if c is not None)]
        remarks = [_comment_line(c, line) for c in own]
        shown = line if last is None else replace(line, comment=_comment(last))
        # the blank line of the layout stands above what is said of the declaration below it
        parts = (shown, *remarks) if _is_about(lines, i) else (*remarks, shown)
        out += parts
    return out + [_comment_line(c, None) for c in above.get(len(lines), [])]


def _is_about(lines: list[Line], i: int) -> bool:
    """Whether a line is a blank that the layout set, and the author left none before the next."""
    return not lines[i].text and i + 1 < len(lines) and not _blank_before(lines[i + 1].span)


def _last_before(lines: list[Line], index: int) -> int:
    """The nearest line above `index` that is not blank."""
    for i in range(index - 1, -1, -1):
        if lines[i].text:
            return i
    return 0


def _comment(comment: ast.Comment) -> str:
    return f"// {comment.text}".rstrip()


def _comment_line(comment: ast.Comment, before: Line | None) -> Line:
    """A comment of its own line, indented as what follows, inside a block that closes there."""
    indent = 0 if before is None else before.indent + (before.text == "}")
    return Line(indent, _comment(comment), comment.span, item=True)


def _tidy(lines: list[Line]) -> list[Line]:
    """Blank lines where the author or the layout has them: never two, never at a block's edge."""
    out: list[Line] = []
    wanted = False
    for line in lines:
        if not line.text:
            wanted = True
            continue
        # what was written out of one declaration shares its place, and the blank line before it is the first one's
        is_same = bool(out) and line.span == out[-1].span
        wanted = wanted or (line.item and not is_same and _blank_before(line.span))
        inside = bool(out) and not out[-1].text.endswith("{") and line.text != "}"
        if wanted and inside:
            out.append(Line(0, "", line.span))
        wanted = False
        out.append(line)
    return out


def _blank_before(place: Span) -> bool:
    """Whether the author left an empty line before the place."""
    source = place.source.text
    line_start = source.rfind("\n", 0, place.start)
    line_before = source.rfind("\n", 0, max(line_start, 0))
    if line_start < 0 or line_before < 0:
        return False
    return (
        not source[line_start : place.start].strip() and not source[line_before:line_start].strip()
    )
