/* Conditions for one kind of sample: see gov_fold.h.

   INVARIANT: gov_check_code.c has followed the stack of the program, so no operation lacks an operand here. */

#include "gov_fold.h"

#include <string.h>

/* An operand on the stack: where its code begins, its value if that is known, whether it is 0 or 1 in any case. */
typedef struct {
    uint32_t start;
    uint8_t is_known, is_truth;
    int64_t value;
} operand;

typedef struct {
    const int64_t *words;   /* of which the kind of the sample is the only one that is known */
    uint32_t kind_column;
    uint64_t *out;
    uint32_t size;
    operand stack[GOV_STACK_MAX];
    uint32_t depth;
} folding;

uint32_t gov_instruction_words(uint64_t first) {
    switch (gov_kind_of(first)) {
    case GOV_OP_CONST: case GOV_OP_FLOORDIV: case GOV_OP_ANY: case GOV_OP_ALL: case GOV_OP_WITHIN: return 2;
    case GOV_OP_IN_RANGE: return 3;
    case GOV_OP_MEMBER: return 2 + gov_high(first);
    default: return 1;
    }
}

/* How many operands an operation takes. */
static uint32_t arity_of(uint8_t op) {
    switch (op) {
    case GOV_OP_CONST: case GOV_OP_LOAD: case GOV_OP_IN_RANGE: case GOV_OP_MEMBER:
    case GOV_OP_ANY: case GOV_OP_ALL: case GOV_OP_WITHIN: return 0;
    case GOV_OP_NOT: case GOV_OP_FLOORDIV: return 1;
    case GOV_OP_SELECT: return 3;
    default: return 2;
    }
}

int gov_instruction_reads(uint64_t first) {
    return arity_of(gov_kind_of(first)) == 0 && gov_kind_of(first) != GOV_OP_CONST;
}

static int is_truth(uint8_t op) {
    return (op >= GOV_OP_EQ && op <= GOV_OP_LE) || (op >= GOV_OP_IN_RANGE && op <= GOV_OP_NOT);
}

static void push_number(folding *f, uint32_t start, int64_t value) {
    f->out[start] = GOV_OP_CONST;
    f->out[start + 1] = (uint64_t)value;
    f->size = start + 2;
    f->stack[f->depth++] = (operand){start, 1, value == 0 || value == 1, value};
}

/* The operand that stays: its code moves down to where the first one began. */
static void push_part(folding *f, uint32_t start, operand part, uint32_t end) {
    memmove(f->out + start, f->out + part.start, (end - part.start) * sizeof *f->out);
    f->size = start + (end - part.start);
    part.start = start;
    f->stack[f->depth++] = part;
}

/* AND and OR of which one side is known; 0: nothing is gained. */
static int join(folding *f, uint8_t op, const operand *a, const operand *b) {
    const operand *known = a->is_known ? a : b, *other = a->is_known ? b : a;
    if (!known->is_known) return 0;
    if ((known->value != 0) == (op == GOV_OP_OR)) {
        push_number(f, a->start, op == GOV_OP_OR);
        return 1;
    }
    if (!other->is_truth) return 0;
    push_part(f, a->start, *other, other == a ? b->start : f->size);
    return 1;
}

static void apply(folding *f, const uint64_t *code, uint32_t words) {
    const uint8_t op = gov_kind_of(code[0]);
    const uint32_t count = arity_of(op);
    const operand *parts = f->stack + (f->depth -= count);
    const uint32_t start = count ? parts[0].start : f->size;
    int is_known = count ? 1 : op == GOV_OP_CONST || gov_column_of(code[0]) == f->kind_column;
    for (uint32_t i = 0; i < count; i++) is_known &= parts[i].is_known;
    const operand given[3] = {count ? parts[0] : (operand){0}, count > 1 ? parts[1] : (operand){0},
                              count > 2 ? parts[2] : (operand){0}};
    if (!is_known && (op == GOV_OP_AND || op == GOV_OP_OR) && join(f, op, &given[0], &given[1])) return;
    if (!is_known && op == GOV_OP_SELECT && given[0].is_known) {
        const int then = given[0].value != 0;
        push_part(f, start, given[then ? 1 : 2], then ? given[2].start : f->size);
        return;
    }
    memcpy(f->out + f->size, code, words * sizeof *code);
    f->size += words;
    if (is_known) push_number(f, start, gov_run_code(f->out + start, f->size - start, f->words));
    else f->stack[f->depth++] = (operand){start, 0, (uint8_t)is_truth(op), 0};
}

uint32_t gov_fold(const gov_table *t, uint32_t program, const int64_t *words, uint64_t *out) {
    folding f = {.words = words, .kind_column = t->policy->request_columns + GOV_SAYS_KIND, .out = out};
    const gov_program *p = &t->programs[program];
    const uint64_t *code = t->code + p->first, *end = code + p->words;
    for (uint32_t count; code < end; code += count) {
        count = gov_instruction_words(code[0]);
        apply(&f, code, count);
    }
    return f.size;
}
