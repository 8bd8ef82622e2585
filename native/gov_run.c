/* Programs and automata of a table: postfix code over words, and the class of a text.  See gov_table.h.

   INVARIANT: gov_check_code.c has followed every program's stack, gov_check_schema.c every automaton's states. */

#include "gov_engine.h"

static inline int64_t floor_div(int64_t a, int64_t b) {
    if (b == -1) return (int64_t)(0 - (uint64_t)a);
    int64_t q = a / b;
    return q - ((a % b != 0) & ((a < 0) != (b < 0)));
}

static inline int64_t member(const uint64_t *operands, uint32_t count, int64_t value) {
    uint64_t at = (uint64_t)value - operands[0];
    return at / 64 < count ? (int64_t)(operands[1 + at / 64] >> (at % 64) & 1) : 0;
}

#define BINARY(name, value)                                     \
    case name: {                                                \
        const int64_t b = *--top, a = top[-1];                  \
        top[-1] = (value);                                      \
        break;                                                  \
    }

int64_t gov_run(const gov_table *t, uint32_t program, const int64_t *words) {
    return gov_run_code(t->code + t->programs[program].first, t->programs[program].words, words);
}

int64_t gov_run_code(const uint64_t *at, uint32_t count, const int64_t *words) {
    const uint64_t *end = at + count;
    int64_t stack[GOV_STACK_MAX], *top = stack;
    while (at < end) {
        const uint64_t w = *at++;
        const int64_t value = words[gov_column_of(w)];
        switch (gov_kind_of(w)) {
        case GOV_OP_CONST: *top++ = (int64_t)*at++; break;
        case GOV_OP_LOAD: *top++ = value; break;
        BINARY(GOV_OP_ADD, (int64_t)((uint64_t)a + (uint64_t)b))
        BINARY(GOV_OP_SUB, (int64_t)((uint64_t)a - (uint64_t)b))
        BINARY(GOV_OP_MUL, (int64_t)((uint64_t)a * (uint64_t)b))
        BINARY(GOV_OP_LEAST, a < b ? a : b)
        BINARY(GOV_OP_GREATEST, a > b ? a : b)
        case GOV_OP_FLOORDIV: top[-1] = floor_div(top[-1], (int64_t)*at++); break;
        BINARY(GOV_OP_EQ, a == b)
        BINARY(GOV_OP_NE, a != b)
        BINARY(GOV_OP_LT, a < b)
        BINARY(GOV_OP_LE, a <= b)
        case GOV_OP_IN_RANGE: *top++ = (int64_t)at[0] <= value && value <= (int64_t)at[1]; at += 2; break;
        case GOV_OP_MEMBER: *top++ = member(at, gov_high(w), value); at += 1 + gov_high(w); break;
        case GOV_OP_ANY: *top++ = ((uint64_t)value & *at++) != 0; break;
        case GOV_OP_ALL: *top++ = ((uint64_t)value & *at) == *at; at++; break;
        case GOV_OP_WITHIN: *top++ = ((uint64_t)value & ~*at++) == 0; break;
        BINARY(GOV_OP_AND, (a != 0) & (b != 0))
        BINARY(GOV_OP_OR, (a != 0) | (b != 0))
        case GOV_OP_NOT: top[-1] = top[-1] == 0; break;
        case GOV_OP_SELECT: top -= 2; top[-1] = top[-1] ? top[0] : top[1]; break;
        default: return 0;
        }
    }
    return top[-1];
}

uint32_t gov_classify(const gov_table *t, uint32_t classifier, const uint8_t *text, size_t length) {
    const gov_classifier *c = &t->classifiers[classifier];
    const uint16_t *symbol = t->states + c->first, *next = symbol + 256;
    const uint32_t shift = c->shift;
    uint32_t state = 0;
    for (size_t i = 0; i < length; i++) state = next[state << shift | symbol[text[i]]];
    return next[((size_t)c->states << shift) + state];
}
