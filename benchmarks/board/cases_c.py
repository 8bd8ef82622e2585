"""Writes recorded cases as C: constants, and the functions of `replay.h` for one policy.

In: the names that a policy's header has for variables and cells, and cases.  Out: the text of `cases.c`.

What always holds: a request is filled as a host fills it, from `…_REQUEST_UNSET` member by member, and
what a case does not give stays unset; every cell of the outcome is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.board.cases import Case


@dataclass(frozen=True, slots=True)
class Member:
    """A variable or a cell of docs/edge.md (`word`), and what it is called in C."""

    word: str
    name: str
    width: int
    mask: bool


@dataclass(frozen=True, slots=True)
class Names:
    """What the header of a policy calls things; `texts` are fields and the functions that take them in."""

    policy: str
    request: tuple[Member, ...]
    params: tuple[Member, ...]
    outcome: tuple[Member, ...]
    texts: tuple[tuple[str, str], ...]


def cases_c(names: Names, cases: Sequence[Case]) -> str:
    """The text of `cases.c`."""
    parts = (_head(names), _table(names, cases), _prepare(names), _calls(names), _compare(names))
    return "\n".join("\n".join(part) for part in parts) + "\n"


def _head(names: Names) -> Iterator[str]:
    policy = names.policy
    yield f"/* Generated: recorded decisions of `{policy}`. */"
    yield f'#include "{policy}.h"\n#include "replay.h"\n\n#include <stddef.h>\n'
    yield "struct recorded {"
    yield f"    {policy}_request_t request;"
    yield f"    uint8_t given[{len(names.request) or 1}];"
    if names.params:
        yield f"    {policy}_params_t params;"
    for number, _ in enumerate(names.texts):
        yield f"    const uint8_t *text_{number};\n    uint32_t length_{number};"
    yield f"    int32_t result;\n    {policy}_outcome_t outcome;\n}};\n"


def _table(names: Names, cases: Sequence[Case]) -> Iterator[str]:
    for row, case in enumerate(cases):
        for number, (field, _) in enumerate(names.texts):
            if case.texts.get(field):
                yield f"static const uint8_t text_{row}_{number}[] = {_bytes(case.texts[field])};"
    yield "static const struct recorded recorded[] = {"
    for row, case in enumerate(cases):
        yield "    { " + ", ".join(_recorded(names, row, case)) + " },"
    yield f"}};\n\nconst uint32_t replay_count = {len(cases)}u;\n"


def _recorded(names: Names, row: int, case: Case) -> Iterator[str]:
    given = [one for one in names.request if one.word in case.variables]
    yield f".request = {_struct(given, case.variables)}"
    flags = ", ".join(str(int(one.word in case.variables)) for one in names.request)
    yield f".given = {{ {flags or 0} }}"
    if names.params:
        yield f".params = {_struct(names.params, case.variables)}"
    for number, (field, _) in enumerate(names.texts):
        if field in case.texts:
            text = f"text_{row}_{number}" if case.texts[field] else '(const uint8_t *)""'
            yield f".text_{number} = {text}, .length_{number} = {len(case.texts[field])}u"
    yield f".result = {case.result}"
    yield f".outcome = {_struct(names.outcome, case.cells)}"


def _struct(members: Sequence[Member], values: Mapping[str, int]) -> str:
    written = (f".{one.name} = {constant(values[one.word], one)}" for one in members)
    return f"{{ {', '.join(written) or '0'} }}"


def constant(value: int, member: Member) -> str:
    """A number as a constant of the member's type."""
    if member.mask:
        return f"UINT{member.width}_C({value % 2**member.width:#x})"
    if value == -(2 ** (member.width - 1)):
        return f"INT{member.width}_MIN"
    return f"INT{member.width}_C({value})"


def _bytes(text: bytes) -> str:
    return "{ " + ", ".join(map(str, text)) + " }"


# --- functions -------------------------------------------------------------------------------------

_NOTHING: Final = """\
int32_t nothing(const {policy}_request_t *request, {params}{policy}_outcome_t *outcome);
__asm__(".syntax unified\\n.thumb_func\\n.global nothing\\nnothing:\\n    movs r0, #0\\n    bx lr\\n");
"""


def _prepare(names: Names) -> Iterator[str]:
    policy, capitals = names.policy, names.policy.upper()
    yield f"static {policy}_request_t request;"
    if names.params:
        yield f"static {policy}_params_t params;"
    yield f"static {policy}_outcome_t outcome;\n"
    yield "void replay_prepare(uint32_t number)\n{"
    yield f"    static const {policy}_request_t unset = {capitals}_REQUEST_UNSET;"
    yield "    const struct recorded *const one = &recorded[number];"
    yield "    request = unset;"
    for number, member in enumerate(names.request):
        yield f"    if (one->given[{number}] != 0u) {{ request.{member.name} = one->request.{member.name}; }}"
    if names.params:
        yield "    params = one->params;"
    for number, (_, function) in enumerate(names.texts):
        yield f"    if (one->text_{number} != NULL) {{"
        yield f"        (void){function}(&request, one->text_{number}, one->length_{number});"
        yield "    }"
    yield "}\n"


def _calls(names: Names) -> Iterator[str]:
    policy = names.policy
    params = f"const {policy}_params_t *params, " if names.params else ""
    arguments = f"(&request, {'&params, ' if names.params else ''}&outcome)"
    yield _NOTHING.format(policy=policy, params=params)
    yield f"int32_t replay_decide(void)\n{{\n    return {policy}_decide{arguments};\n}}\n"
    yield f"int32_t replay_nothing(void)\n{{\n    return nothing{arguments};\n}}\n"


def _compare(names: Names) -> Iterator[str]:
    yield "uint32_t replay_difference(uint32_t number, int32_t result)\n{"
    yield "    const struct recorded *const one = &recorded[number];"
    yield "    if (result != one->result) { return 1u; }"
    for number, member in enumerate(names.outcome, 2):
        name = member.name
        yield f"    if (outcome.{name} != one->outcome.{name}) {{ return {number}u; }}"
    yield "    return 0u;\n}"
