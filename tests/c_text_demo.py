"""A policy in C that takes two texts, written by hand (docs/edge.md, the scan in C).

In: nothing.  Out: `HEADER` and `SOURCE`: `name` has one class column (0: other, 1: begins with `a`,
2: is empty), `other` has none; the two are compared.  Valid is what has bytes below 128 only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

HEADER: Final = """#ifndef TWO_H
#define TWO_H
#include <stddef.h>
#include <stdint.h>
typedef struct {
    int32_t class_name_0;
    int32_t same_name_other;
    int32_t name_length;
    uint8_t name_bytes[8];
    int32_t other_length;
    uint8_t other_bytes[8];
} two_request_t;
#define TWO_REQUEST_UNSET { 3, 2, -1, { 0 }, -1, { 0u } }
typedef struct {
    int32_t decision;
    int32_t rule;
    int32_t invalid;
} two_outcome_t;
int32_t two_decide(const two_request_t *request, two_outcome_t *outcome);
int32_t two_commit(const two_request_t *request, two_outcome_t *outcome);
int32_t two_classify_name(two_request_t *request, const uint8_t *text, uint32_t length);
int32_t two_classify_other(two_request_t *request, const uint8_t *text, uint32_t length);
#endif
"""

_SYMBOLS: Final = tuple(2 if byte > 127 else int(byte == ord("a")) for byte in range(256))


def array(name: str, bits: int, cells: Sequence[int]) -> str:
    """An array of the source."""
    text = ", ".join(map(str, cells))
    return f"static const uint{bits}_t {name}[{len(cells)}] = {{\n{text}\n}};\n"


def automaton(name: str, rows: Sequence[Sequence[int]], classes: Sequence[int], shift: int) -> str:
    """The arrays of an automaton over three symbols: other bytes, `a`, bytes above 127."""
    cells = [cell for row in rows for cell in (*row, *[0] * ((1 << shift) - len(row)))]
    return (
        array(f"{name}_symbol", 8, _SYMBOLS)
        + array(f"{name}_next", 16, [*cells, *[0] * 256])
        + array(f"{name}_class", 16, classes)
    )


_DECIDE: Final = """
int32_t two_decide(const two_request_t *request, two_outcome_t *outcome)
{
    if (outcome == NULL) {
        return -2;
    }
    outcome->rule = 0;
    outcome->invalid = -1;
    if (request == NULL) {
        outcome->decision = 4;
        return -2;
    }
    outcome->decision = ((request->class_name_0 == 1) && (request->same_name_other == 1)) ? 0 : 4;
    return 0;
}

int32_t two_commit(const two_request_t *request, two_outcome_t *outcome)
{
    return two_decide(request, outcome);
}
"""

NAME: Final = """
int32_t two_classify_name(two_request_t *request, const uint8_t *text, uint32_t length)
{
    uint32_t i = 0u;
    uint32_t v = 0u;
    uint32_t s0 = 0u;
    uint32_t d0 = 0u;
    if (request == NULL) {
        return -2;
    }
    request->class_name_0 = 3;
    request->same_name_other = 2;
    request->name_length = -1;
    if (text == NULL) {
        return -2;
    }
    if (length > 6u) {
        return -1;
    }
    while (i < length) {
        const uint32_t b = text[i];
        v = valid_next[(v << 2) + valid_symbol[b]];
        if (v >= 2u) {
            return -1;
        }
        s0 = first_next[(s0 << 3) + first_symbol[b]];
        if (s0 >= 3u) {
            return -1;
        }
        d0 = d0 | (request->other_bytes[i] ^ b);
        request->name_bytes[i] = (uint8_t)b;
        i = i + 1u;
    }
    if (valid_class[v] == 0u) {
        return -1;
    }
    request->class_name_0 = (int32_t)first_class[s0];
    request->name_length = (int32_t)length;
    request->same_name_other = (request->other_length == -1) ? 2
        : ((d0 == 0u) && (request->other_length == (int32_t)length)) ? 1 : 0;
    return 0;
}
"""

OTHER: Final = """
int32_t two_classify_other(two_request_t *request, const uint8_t *text, uint32_t length)
{
    uint32_t i = 0u;
    uint32_t at = 0U;
    uint32_t different = 0u;
    if (request == NULL) { return -2; }
    request->same_name_other = 2;
    request->other_length = -1;
    if (text == NULL) { return -2; }
    if (length > 8u) { return -1; }
    while (i < length) {
        const uint32_t byte = text[i];
        at = valid_next[(at << 2) + valid_symbol[byte]];
        if (at >= 2u) { return -1; }
        different = different | (request->name_bytes[i] ^ byte);
        request->other_bytes[i] = (uint8_t)byte;
        i = i + 1u;
    }
    if (valid_class[at] == 0u) { return -1; }
    request->other_length = (int32_t)length;
    request->same_name_other = (request->name_length == -1) ? 2
        : ((different == 0u) && (request->name_length == (int32_t)length)) ? 1 : 0;
    return 0;
}
"""

ARRAYS: Final = (
    automaton("valid", ((0, 0, 1), (1, 1, 1)), (1, 0), 2)
    + automaton("first", ((1, 2, 1), (1, 1, 1), (2, 2, 2)), (2, 0, 1), 3)
)  # fmt: skip

SOURCE: Final = (
    '#include "two.h"\ntypedef char two_int_has_32_bits[(sizeof(int) >= 4) ? 1 : -1];\n'
    + ARRAYS
    + _DECIDE
    + NAME
    + OTHER
)
