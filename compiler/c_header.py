"""`POLICY.h`: what a host of a policy in C includes (docs/edge.md).

In: a program, the names of its files, the scans of its texts.  Out: the text of the header.

What always holds: the text is ASCII but for its comments; a request that is initialised with
`POLICY_REQUEST_UNSET` and not filled is an invalid request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from govlang.compiler.c_constants import Group
from govlang.compiler.c_names import CNames, comment
from govlang.compiler.c_numbers import c_type, constant, member_type
from govlang.compiler.c_time import Objects, about_scope, declarations, state_size, struct_names
from govlang.compiler.edge_automata import TextScan
from govlang.compiler.program import Home, Program, Variable


def c_header(
    program: Program, names: CNames, groups: Sequence[Group], scans: Sequence[TextScan]
) -> str:
    """The header of a policy."""
    return "\n".join(_lines(program, names, groups, scans)) + "\n"


def _lines(
    program: Program, names: CNames, groups: Sequence[Group], scans: Sequence[TextScan]
) -> Iterator[str]:
    policy, guard = program.policy, names.macro("H")
    yield f"/* Policy {comment(policy.name)} {comment(policy.version)}, made by gov build."
    yield " * Do not change it: it was proved equal to the policy as it stands. */"
    yield from (f"#ifndef {guard}", f"#define {guard}", "")
    yield from ("#include <stddef.h>", "#include <stdint.h>", "")
    yield from ("#ifdef __cplusplus", 'extern "C" {', "#endif")
    for group in groups:
        yield from ("", *_group(group))
    yield from ("", *_request(program, names, scans))
    yield from _params(program, names)
    yield from ("", *_outcome(program, names))
    if program.timed:
        yield from _over_time(program, names)
    else:
        yield from ("", *_functions(names, params=any(one.param for one in program.variables)))
    yield from _classify(names)
    yield from ("", "#ifdef __cplusplus", "}", "#endif", "", "#endif")


def _about(text: str) -> str:
    return f" /* {comment(text)} */" if text else ""


def _group(group: Group) -> Iterator[str]:
    yield f"/* {comment(group.about)} */"
    if group.bits:
        for one in group.constants:
            yield f"#define {one.name} {constant(one.value, group.bits, mask=True)}{_about(one.about)}"
        return
    yield f"enum {group.tag} {{"
    last = len(group.constants) - 1
    for number, one in enumerate(group.constants):
        comma = "" if number == last else ","
        yield f"    {one.name} = {one.value}{comma}{_about(one.about)}"
    yield "};"


# --- structs ---------------------------------------------------------------------------------------


def _request(program: Program, names: CNames, scans: Sequence[TextScan]) -> Iterator[str]:
    own = [one for one in program.variables if one.home is Home.REQUEST and not one.param]
    members = [*members_of(own, names)]
    unset = [constant(one.unset, one.width, mask=one.mask) for one in own]
    size = max((scan.field.max_bytes for scan in scans if scan.others), default=0)
    for name, length in names.lengths.items():
        members.append(f"    int32_t {length};{_about(f'bytes of `{name}`, -1 while it is unset')}")
        members.append(f"    uint8_t {names.copies[name]}[{size}];{_about(f'a copy of `{name}`')}")
        unset += ["-1", "{ 0u }"]
    if not members:
        members, unset = ["    int32_t unused; /* this policy reads nothing */"], ["0"]
    yield from ("typedef struct {", *members, f"}} {names.of('request_t')};", "")
    yield "/* A request that says nothing yet. */"
    yield from initialiser(names.macro("REQUEST_UNSET"), unset)


def _params(program: Program, names: CNames) -> Iterator[str]:
    own = [one for one in program.variables if one.param]
    if own:
        yield from (
            "",
            "typedef struct {",
            *members_of(own, names),
            f"}} {names.of('params_t')};",
            "",
        )
        yield "/* The parameters that the policy gives. */"
        unset = [constant(one.unset, one.width, mask=one.mask) for one in own]
        yield from initialiser(names.macro("PARAMS_DEFAULT"), unset)


def members_of(variables: Sequence[Variable], names: CNames) -> Iterator[str]:
    """The members of a struct."""
    for one in variables:
        kind = c_type(one.width, mask=one.mask)
        if one.bytes:
            kind = member_type(one.width, one.bytes, one.lo)
        yield f"    {kind} {names.members[one.name]};{_about(one.comment)}"


def initialiser(name: str, values: Sequence[str]) -> Iterator[str]:
    """The macro that fills a struct."""
    yield f"#define {name} {{ \\"
    for number, value in enumerate(values):
        comma = "" if number == len(values) - 1 else ","
        yield f"    {value}{comma} \\"
    yield "}"


def _outcome(program: Program, names: CNames) -> Iterator[str]:
    found: dict[str, tuple[str, str, int]] = {}
    for cell in program.cells:
        member, _, word = names.cells[cell.name].partition("[")
        count = int(word.rstrip("]")) + 1 if word else 0
        found[member] = (c_type(cell.width, mask=cell.mask), cell.comment, count)
    yield "typedef struct {"
    for member, (kind, about, count) in found.items():
        size = f"[{count}]" if count else ""
        yield f"    {kind} {member}{size};{_about(about)}"
    yield f"}} {names.of('outcome_t')};"


# --- functions -------------------------------------------------------------------------------------


def signature(names: CNames, function: str, *, params: bool) -> str:
    """`POLICY_decide` or `POLICY_commit` with its arguments."""
    parts = [f"const {names.of('request_t')} *request"]
    parts += [f"const {names.of('params_t')} *params"] if params else []
    parts.append(f"{names.of('outcome_t')} *outcome")
    return f"int32_t {names.of(function)}({', '.join(parts)})"


def scan_signature(names: CNames, field: str) -> str:
    """`POLICY_classify_F` with its arguments."""
    request = f"{names.of('request_t')} *request"
    return f"int32_t {names.classify[field]}({request}, const uint8_t *text, uint32_t length)"


def _over_time(program: Program, names: CNames) -> Iterator[str]:
    """The structs of samples and of the state, and the functions."""
    objects = Objects(program, names)
    yield ""
    for home, word in struct_names(objects):
        own = [one for one in program.variables if one.home is home]
        if home is not Home.SAMPLE:
            yield about_scope(program, home)
        yield from ("typedef struct {", *members_of(own, names), f"}} {names.of(f'{home}_t')};", "")
        values = [constant(one.unset, one.width, mask=one.mask) for one in own]
        about = (
            "A sample that says nothing yet." if home is Home.SAMPLE else "Before the first sample."
        )
        yield f"/* {about} */"
        yield from (*initialiser(names.macro(f"{home.upper()}_{word}"), values), "")
    yield f"#define {names.macro('STATE_BYTES')} {state_size(program)}"
    yield from ("", *declarations(objects))


def _functions(names: CNames, *, params: bool) -> Iterator[str]:
    yield "/* 0; -1 for an invalid request, whose outcome is deny; -2 where a pointer is NULL. */"
    yield signature(names, "decide", params=params) + ";"
    yield signature(names, "commit", params=params) + ";"


def _classify(names: CNames) -> Iterator[str]:
    if names.classify:
        yield ""
        yield "/* Takes a text into the request: 0; -1 if it is no valid text; -2 for NULL. */"
    yield from (f"{scan_signature(names, field)};" for field in names.classify)
