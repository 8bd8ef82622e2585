"""The comments of a header that tell a host what its integers mean, by docs/edge.md.

In: the comments of a header and what it declares; a policy.  Out: the comment behind each member and each
constant, with its line; where one behind a member, or behind the number of a variable, is not what the page says.

What always holds: inside a struct no comment stands but behind its members, so nothing there tells another
unit or scale.  Other comments (headings, those of rules, members and duties) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from govlang.compiler import ir
from govlang.compiler.obligations import decimal
from govlang.native.errors import ArtefactError
from govlang.native.layout import ColumnKind
from govlang.verifier.translation.c_header import Header
from govlang.verifier.translation.c_names import Named
from govlang.verifier.translation.c_policy import constants
from govlang.verifier.translation.c_preprocess import Plain, at_line
from govlang.verifier.translation.edge_interface import Interface, Variable, variables_before_time
from govlang.verifier.translation.edge_time import NOW, carried
from govlang.verifier.translation.machine import Artefact

CHARACTERS_MAX: Final = 200
"""The most signs of a policy's text in one comment."""

MEMBERS_MAX: Final = 8
"""The most members that a comment names."""

_STRUCT: Final = re.compile(r"\bstruct\b")


def member_comments(plain: Plain, header: Header, named: Named) -> dict[str, tuple[str, str]]:
    """The comment and the place of every member (by its documented name) and every constant.

    `F.length` and `F.bytes` keep a compared text; a constant stands behind `enum `.

    Raises:
        ArtefactError: GOV416 with the line, a comment in a struct stands behind no member.
    """
    names = {(role, member): name for (role, member), name in named.cells.items()}
    for field, text in named.texts.items():
        if text.length is not None and text.copy is not None:
            names["request", text.length] = f"{field}.length"
            names["request", text.copy] = f"{field}.bytes"
    places = {
        names.get((role, member.name), member.name): member.at
        for role, members in header.structs.items()
        for member in members.values()
    }
    _check_structs(plain, places.values())
    places |= {_constant(name): header.places[name] for name in header.constants}
    return {name: (" ".join(plain.comments.get(_line(at), ())), at) for name, at in places.items()}


def _constant(name: str) -> str:
    return f"enum {name}"


def _line(at: str) -> int:
    return int(at.rpartition(" ")[2])


def _check_structs(plain: Plain, places: Iterable[str]) -> None:
    members = {_line(at) for at in places}
    inside = False
    for line, code in enumerate(plain.text.split("\n"), 1):
        inside = inside or _STRUCT.search(code) is not None
        if inside and line in plain.comments and line not in members:
            raise ArtefactError(at_line("header ", line), "a comment in a struct behind no member")
        inside = inside and "}" not in code


# --- what they must be -----------------------------------------------------------------------------


def comment_mismatches(
    policy: ir.Policy, interface: Interface, artefact: Artefact
) -> Iterator[str]:
    """Where the comment of a variable or a cell is not what the page says, each in a sentence."""
    variables = {one.name: _variable(policy, one) for one in variables_before_time(interface)}
    variables |= dict(_of_time(policy, interface))
    numbers = islice(
        constants(policy, [*variables], [*artefact.scans]),
        len(ir.Effect) + len(policy.rules) + 2 + (policy.time is not None),
        None,
    )
    wanted = variables | dict(_cells(policy, interface))
    wanted |= {_constant(c): text for c, text in zip(numbers, variables.values(), strict=False)}
    asked = [
        one for one in variables_before_time(interface) if one.column.kind is not ColumnKind.PARAM
    ]
    wanted |= {"unused": "this policy reads nothing"} if not asked else {}
    for name in artefact.scans:
        wanted[f"{name}.length"] = f"bytes of `{name}`, -1 while it is unset"
        wanted[f"{name}.bytes"] = f"a copy of `{name}`"
    for name, (found, at) in artefact.comments.items():
        if name in wanted and found != (must := comment(wanted[name])):
            about = name.removeprefix("enum ")
            yield f"the comment of `{about}` in {at} is `{found}`, must be `{must}`"


def comment(text: str) -> str:
    """A text as a comment: of bounded length, nothing in it that ends it or that C reads otherwise."""
    if not text:
        return ""
    shown = text if len(text) <= CHARACTERS_MAX else text[: CHARACTERS_MAX - 1] + "…"
    plain = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in shown)
    return f"/* {re.sub(r'[*](?=/)|/(?=[*])|[?](?=[?])', lambda m: m[0] + ' ', plain)} */"


def _of_time(policy: ir.Policy, interface: Interface) -> Iterator[tuple[str, str]]:
    """The variables of time: what samples bring, and the state."""
    if policy.time is None:
        return
    yield NOW, "ms, the time of the sample"
    for _, name, one in carried(policy.time):
        yield name, described(one)
    for scope in interface.scopes:
        yield scope.at, "ms, the time of the last sample"
        for cell in scope.cells:
            yield scope.variable(cell), f"`{cell.name}`: {described(cell.field)}"


def _variable(policy: ir.Policy, one: Variable) -> str:
    column, fields = one.column, policy.fields
    match column.kind:
        case ColumnKind.HAS:
            return f"1: `{fields[column.source].name}` has a value, 0: it has none"
        case ColumnKind.CLASS:
            return f"the class of `{fields[column.source].name}` in automaton {column.other}"
        case ColumnKind.EQUAL:
            left, right = fields[column.source].name, fields[column.other].name
            return f"1: `{left}` and `{right}` hold the same bytes, 0: they do not"
        case ColumnKind.PARAM:
            return described(policy.params[column.source].field)
        case _:
            return described(fields[column.source])


_FIXED: Final[Mapping[str, str]] = {
    "out.decision": "0 allow … 4 deny",
    "out.rule": "number of the deciding rule",
    "out.invalid": "number of the variable or assumption that is broken",
    "out.limited": "a bit a target: it is limited",
    "out.dos": "a bit a duty: it is to be done",
    "out.roles": "who must approve, as `approved`",
    "out.expires": "ms until an approval comes too late, -1: none",
    "out.retry": "ms until it is worth asking again, -1: none",
    "out.remedies": "a bit a remedy: it is a way out",
}
"""The comments that are the same for all policies; words of a mask are one member."""


def _cells(policy: ir.Policy, interface: Interface) -> Iterator[tuple[str, str]]:
    yield from _FIXED.items()
    for target in interface.targets:
        yield f"out.lo.{target.name}", described(target)
        yield f"out.hi.{target.name}", described(target)
    actions = {action.name: action.parameters for action in policy.actions}
    for one in interface.do_values:
        name = one.cell.rpartition(".")[2]
        own = actions[interface.duties[one.number].action]
        yield one.cell, described(next(field for field in own if field.name == name))
    for one in interface.remedy_values:
        yield one.cell, described(policy.field(one.cell.rpartition(".")[2]))


def described(field: ir.Field) -> str:
    """What the integers of a field mean: members, or range, unit and step."""
    match field.kind:
        case ir.Kind.ENUM:
            return _listed(f"{number} {name}" for number, name in enumerate(field.members))
        case ir.Kind.SET:
            return _listed(f"bit {number} {name}" for number, name in enumerate(field.members))
        case ir.Kind.BOOL:
            return "0 false, 1 true"
        case ir.Kind.TIME:
            return "ms since 1970 (UTC)"
        case ir.Kind.DURATION:
            return "ms"
        case _:
            return _scale(field)


def _listed(members: Iterable[str]) -> str:
    first = [*islice(members, MEMBERS_MAX + 1)]
    return ", ".join([*first[:MEMBERS_MAX], *(["…"] if len(first) > MEMBERS_MAX else [])])


def _scale(field: ir.Field) -> str:
    unit = f" {field.unit}" if field.unit else ""
    found = f"{decimal(field.lo, field)}..{decimal(field.hi, field)}{unit}"
    if field.step_num == field.step_den == 1:
        return found
    return f"{found} in steps of {decimal(1, field)}{unit}"
