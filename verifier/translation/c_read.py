"""A policy in C, read back from the text of its two files.

In: the texts of `POLICY.h` and `POLICY.c`.  Out: `machine.Artefact`: the step as a machine function,
the scans of texts, constants and first values.

What always holds: what is not of the part of C that docs/edge.md documents is refused with its line and
the reason.  Of an artefact that is given back, the machine function means what the C means to every
compiler of C99 whose `int` has 32 or 64 bits: where C leaves something undefined the machine does too.
Pointers that are NULL are settled here, all seven ways: nothing is read through them, and -2 is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

from pycparser import c_ast, c_parser

from govlang.native.errors import ArtefactError
from govlang.verifier.translation import machine
from govlang.verifier.translation.c_comments import member_comments
from govlang.verifier.translation.c_header import Header, parameters, read_header, signature
from govlang.verifier.translation.c_lift import KEEP, KIND, lift
from govlang.verifier.translation.c_names import Asked, Documented, DocumentedTime, Named, named
from govlang.verifier.translation.c_parse import Parsed, check_plain, odd, parse, place, same_tree
from govlang.verifier.translation.c_preprocess import plain
from govlang.verifier.translation.c_saving import check_saving
from govlang.verifier.translation.c_scan import Texts, read_scan
from govlang.verifier.translation.c_scope import File
from govlang.verifier.translation.c_steps import operations
from govlang.verifier.translation.c_ways import check_null, read_ways, signatures, stored
from govlang.verifier.translation.edge_time import NOW, TIME_MAX

__all__ = ["Documented", "read_c"]


def read_c(header: str | bytes, source: str | bytes, documented: Asked = None) -> machine.Artefact:
    """The policy that a header and its source are.

    `documented`: the names that its variables and cells must have (`c_policy.names_of` gives them);
    without them they are read off the header, which is a guess where several documented names have one
    name in C.

    Raises:
        ArtefactError: GOV416 with the line and the reason.

    """
    try:
        return _read(_text(header, "header "), _text(source, ""), documented)
    except RecursionError:
        raise ArtefactError("line 1", "parts nested too deeply") from None


def _text(text: str | bytes, file: str) -> str:
    try:
        return text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ArtefactError(f"{file}line {line}", "text that is not UTF-8") from None


def _read(header_text: str, source_text: str, documented: Asked) -> machine.Artefact:
    before = plain(header_text, "header ")
    behind = plain(source_text, "", before)
    parsed = parse(before, behind)
    header = read_header(parsed.header, parsed.macros)
    if f'"{header.policy}.h"' not in behind.includes or "<stdint.h>" not in before.includes:
        raise ArtefactError("line 1", "the source or the header does not include what it needs")
    names = named(header, documented)
    _check_interface(header, names)
    functions = _functions(header, parsed)
    order = {name: number for number, name in enumerate(functions)}
    kept = names.time.kept if names.time is not None else []
    widths = {one.name: one.width for one in kept}
    file = File(header, functions, order, names.cells, parsed.arrays, widths)
    found, called = _step(file) if names.time is None else _steps(file, names, names.time)
    texts = Texts(header, names, parsed.arrays)
    scans = {
        name: read_scan(texts, name, functions[text.classify]) for name, text in names.texts.items()
    }
    used = {*header.functions, *called, *texts.used}
    for name in (*functions, *parsed.arrays):
        if name not in used:
            raise ArtefactError("line 1", f"nothing uses `{name}`")
    return replace(found, scans=scans, comments=member_comments(before, header, names))


def _step(file: File) -> tuple[machine.Artefact, frozenset[str]]:
    """A policy over single requests but for its texts, and what its step uses."""
    decide = lift(file, f"{file.header.policy}_decide", frozenset())
    _check_commit(file.header, file.functions)
    found = _artefact(file, decide.function)
    steps = operations(decide.function) + _CALL + len(file.header.structs)
    return replace(found, null=_on_null(file, found.cells), steps=steps), decide.called


_CALL: Final = 4
"""The calls into the step and its returns; beside them each pointer is held against NULL."""


def _steps(
    file: File, names: Named, time: DocumentedTime
) -> tuple[machine.Artefact, frozenset[str]]:
    """The same of a policy over time."""
    cells = _artefact(file, _NOTHING).cells
    step = read_ways(file, names, time, cells)
    called = check_saving(file.header, names, time, file.functions)
    decide = replace(step.time.step, initial=dict.fromkeys((KIND, KEEP), 0))
    found = _artefact(file, decide, time)
    steps = operations(decide) + _CALL + len(file.header.structs)
    found = replace(found, null=step.null, time=step.time, functions=step.functions, steps=steps)
    return found, step.used | called


_NOTHING: Final = machine.Function({}, {}, ())


def _artefact(
    file: File, decide: machine.Function, time: DocumentedTime | None = None
) -> machine.Artefact:
    """The variables and cells of a header, and what it says of them."""
    variables, unset, cells = {}, {}, {}
    members: dict[str, tuple[str, str]] = {}
    unsigned: set[str] = set()
    for (role, name), documented in file.cells.items():
        member = file.header.structs[role][name]
        assert member.type is not None
        width = file.widths.get(documented, member.type.width)
        if role == "outcome":
            words = [("", "")]
            if member.count is not None:
                words = [(f".{n}", f"[{n}]") for n in range(member.count)]
            own = {f"{documented}{word}": width for word, _ in words}
            cells.update(own)
            members |= {f"{documented}{word}": (role, f"{name}{index}") for word, index in words}
        else:
            own = {documented: width}
            variables.update(own)
            members[documented] = role, name
            unset[documented] = file.header.unset[role][name]
        is_unsigned = not member.type.signed and member.storage is None
        unsigned.update(own if is_unsigned else ())
    constants = {name: value.lo for name, value in file.header.constants.items()}
    if time is not None:
        variables, unset = _with_now(variables, unset, time)
    return machine.Artefact(
        variables,
        unset,
        cells,
        decide,
        {},
        constants,
        unsigned=frozenset(unsigned),
        members=members,
    )


def _with_now(
    variables: Mapping[str, int], unset: Mapping[str, int], time: DocumentedTime
) -> tuple[dict[str, int], dict[str, int]]:
    """The time of a sample stands before what samples bring; a host gives it as an argument, so it is never unset."""
    behind = {*time.sample, *(one.name for one in time.kept)}
    first = {name: width for name, width in variables.items() if name not in behind}
    return {**first, NOW: 64, **variables}, {**unset, NOW: TIME_MAX + 1}


# --- the files -------------------------------------------------------------------------------------


def _functions(header: Header, parsed: Parsed) -> dict[str, Any]:
    """The functions of the source, in order; it holds the check of `int` and nothing else."""
    found: dict[str, Any] = {}
    checks = 0
    for name, array in parsed.arrays.items():
        header.declare(f"line {array.line}", name)
    for node in parsed.source:
        match node:
            case c_ast.FuncDef():
                found[node.decl.name] = _function(header, node, found)
            case c_ast.Typedef():
                _check_int(header, node)
                checks += 1
            case _:
                raise odd(node, "the source holds more than arrays and functions")
    if checks != 1:
        raise ArtefactError("line 1", "no check, or more than one, that `int` has 32 bits")
    if missing := [name for name in header.functions if name not in found]:
        raise ArtefactError("line 1", f"the function `{missing[0]}` has no body")
    return found


def _function(header: Header, node: Any, before: Mapping[str, Any]) -> Any:
    """A function: a public one as the header declares it, or a static one."""
    decl = node.decl
    if node.param_decls or not isinstance(decl.type, c_ast.FuncDecl):
        raise odd(node, "a function of another form")
    if decl.name not in header.functions:
        check_plain(decl, ("static",))
        header.declare(place(node), decl.name)
        signature(decl.type)
        return node
    check_plain(decl)
    if decl.name in before or signature(decl.type) != header.functions[decl.name]:
        raise odd(node, f"`{decl.name}` is not what the header declares")
    return node


def _check_int(header: Header, node: Any) -> None:
    """The one type of the source is the documented check of `int`."""
    name = f"{header.policy}_int_has_32_bits"
    text = f"typedef char {name}[(sizeof(int) >= 4) ? 1 : -1];"
    if not same_tree(node, c_parser.CParser().parse(text).ext[0]):
        raise odd(node, "a type that is not the check of `int`")
    header.declare(place(node), name)


def _check_interface(header: Header, named: Named) -> None:
    """The functions are the documented ones, and take what they should."""
    policy = header.policy
    scan = f"int32_t({policy}_request_t *, const uint8_t *, uint32_t)"
    wanted = _steps_of(header) if named.time is None else signatures(header, named, named.time)
    wanted |= {text.classify: scan for text in named.texts.values()}
    for name in {**wanted, **header.functions}:
        if wanted.get(name) != header.functions.get(name):
            raise ArtefactError("header line 1", f"`{name}` is not declared as documented")


def _steps_of(header: Header) -> dict[str, str]:
    policy = header.policy
    roles = [role for role in ("request", "params") if role in header.structs]
    taken = [*(f"const {policy}_{role}_t *" for role in roles), f"{policy}_outcome_t *"]
    return dict.fromkeys((f"{policy}_decide", f"{policy}_commit"), f"int32_t({', '.join(taken)})")


# --- null pointers and commit ----------------------------------------------------------------------


def _on_null(file: File, cells: Mapping[str, int]) -> dict[str, int]:
    """What the outcome holds after a null pointer; it is the same for all of them."""
    name = f"{file.header.policy}_decide"
    roles = [*file.header.structs]
    found: list[dict[str, int]] = []
    for count in range(1, len(roles) + 1):
        for nulls in combinations(roles, count):
            left = stored(lift(file, name, frozenset(nulls)).function.body, nulls)
            found += [] if "outcome" in nulls else [left]
    if any(one != found[0] for one in found):
        raise odd(file.functions[name], "a null pointer leaves the outcome unfinished")
    check_null(file.functions[name], found[0], cells)
    return found[0]


def _check_commit(header: Header, functions: Mapping[str, Any]) -> None:
    """`POLICY_commit` is `POLICY_decide`."""
    node, name = functions[f"{header.policy}_commit"], f"{header.policy}_decide"
    own = [one.name for one, _ in parameters(node.decl.type)]
    match node.body.block_items:
        case [c_ast.Return(expr=c_ast.FuncCall(name=c_ast.ID(name=called), args=args))]:
            given = [one.name if isinstance(one, c_ast.ID) else "" for one in args.exprs]
            if (called, given) == (name, own) and len({name, *own}) == len(own) + 1:
                return
        case _:
            pass
    raise odd(node, f"`{node.decl.name}` is not `{name}`")
