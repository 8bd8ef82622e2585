/* Deciding columns.  A table of one small block is decided predicate by predicate: every lookup turns a whole column
   into masks, and the lowest bit left gives the outcome.  Other tables are walked row by row.

   Rows that need more than masks (residual programs, limits that may not meet, overrides) go the row's way. */

#include "gov_batch.h"
#include "gov_block.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const gov_table *table;
    gov_test *tests, *constant;
    uint32_t n_tests, n_constant;
    int64_t *points;
    uint64_t *masks;
    uint64_t active, alone, paired, residual;
    gov_outcomes outcomes;
} plan;

/* Whether the table is one block that masks alone can settle. */
static int is_small(const gov_table *t) {
    if (t->n_assumptions || t->combine == GOV_UNIQUE || !t->n_nodes) return 0;
    return gov_kind_of(t->nodes[0]) == GOV_BLOCK && !gov_high(t->nodes[0]);
}

/* A dense lookup as breakpoints, one where the mask changes; the column's own range bounds it. */
static uint32_t runs_of(const gov_column *c, const uint64_t *at, int64_t *points, uint64_t *masks) {
    const uint64_t count = gov_high(at[0]);
    const int64_t lo = (int64_t)at[1], last = (int64_t)((uint64_t)lo + count - 1);
    uint32_t runs = 0;
    masks[0] = lo <= c->lo ? at[2 + ((uint64_t)c->lo - (uint64_t)lo < count ? (uint64_t)c->lo - (uint64_t)lo : 0)] : 0;
    if (c->lo > last) masks[0] = 0;
    for (uint64_t i = 0; i < count; i++) {
        const int64_t value = (int64_t)((uint64_t)lo + i);
        if (value <= c->lo || value > c->hi || at[2 + i] == masks[runs]) continue;
        points[runs] = value;
        masks[++runs] = at[2 + i];
    }
    if (last < c->hi && last >= c->lo && masks[runs]) {
        points[runs] = last + 1;
        masks[++runs] = 0;
    }
    return runs;
}

#define RUNS_MAX 8

static void add_test(plan *p, const uint64_t *at, uint64_t *points, uint64_t *masks) {
    gov_test *test = &p->tests[p->n_tests++];
    const uint32_t count = gov_high(at[0]);
    test->column = gov_column_of(at[0]);
    test->kind = gov_kind_of(at[0]);
    test->count = count;
    test->points = p->points + *points;
    test->masks = p->masks + *masks;
    const int set = p->table->columns[test->column].kind == GOV_COLUMN_SET; /* its words have no order */
    if (test->kind == GOV_DENSE) {
        const uint32_t runs = runs_of(&p->table->columns[test->column], at, p->points + *points, p->masks + *masks);
        if (runs <= RUNS_MAX && !set) {
            test->kind = GOV_RANGES;
            test->count = runs;
        } else {
            p->points[*points] = (int64_t)at[1];
            memcpy(p->masks + *masks, at + 2, count * sizeof *at);
        }
        *points += count + 2;
        *masks += count + 3;
    } else if (test->kind == GOV_RANGES) {
        memcpy(p->points + *points, at + 1, count * sizeof *at);
        memcpy(p->masks + *masks, at + 1 + count, (count + 1u) * sizeof *at);
        *points += count;
        *masks += count + 1;
    } else {
        memcpy(p->masks + *masks, at + 1, 2 * sizeof *at);
        *masks += 2;
    }
}

static uint64_t lookup_size(const uint64_t *at) {
    const uint64_t count = gov_high(at[0]);
    return gov_kind_of(at[0]) == GOV_DENSE ? 2 + count : gov_kind_of(at[0]) == GOV_RANGES ? 2 + 2 * count : 3;
}

/* The outcome of every lowest bit and, of few entries, of every mask. */
static void settle_all(plan *p) {
    const uint32_t entries = gov_byte1(p->table->nodes[0]);
    gov_verdicts_make(p->table, p->table->nodes, &p->outcomes.verdicts);
    p->outcomes.none = entries < GOV_BLOCK_MAX ? UINT64_C(1) << entries : 0;
    p->outcomes.direct = entries <= GOV_DIRECT;
    for (uint32_t mask = 0; mask < 1 << GOV_DIRECT; mask++)
        p->outcomes.by_mask[mask] = *gov_outcome_of(&p->outcomes, mask & p->active);
}

/* Tests of columns that are the same in every row are done once. */
static void fold_constants(plan *p, const gov_input *inputs) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->n_tests; i++) {
        const gov_column *c = &p->table->columns[p->tests[i].column];
        const int varies = c->kind == GOV_COLUMN_EQUAL || (c->kind != GOV_COLUMN_PARAM && inputs[c->source].type != GOV_MISSING &&
                           (c->kind != GOV_COLUMN_HAS || inputs[c->source].valid));
        if (varies) p->tests[kept++] = p->tests[i];
        else p->constant[p->n_constant++] = p->tests[i];
    }
    p->n_tests = kept;
}

static int plan_begin(plan *p, const gov_table *t, const gov_input *inputs) {
    const uint64_t *node = t->nodes;
    const uint32_t lookups = gov_byte2(node[0]), residuals = gov_byte3(node[0]);
    memset(p, 0, sizeof *p);
    p->table = t;
    p->tests = calloc(lookups + 1u, sizeof *p->tests);
    p->constant = calloc(lookups + 1u, sizeof *p->constant);
    p->points = malloc((2 * (size_t)t->n_nodes + 16) * sizeof *p->points);
    p->masks = malloc((2 * (size_t)t->n_nodes + 16) * sizeof *p->masks);
    if (!p->tests || !p->constant || !p->points || !p->masks) return -1;
    p->active = gov_low_bits(gov_byte1(node[0]));
    p->alone = node[2];
    p->paired = t->combine < GOV_FIRST_MATCH ? node[3] : 0;
    const uint64_t *at = node + 4 + (gov_byte1(node[0]) + 1) / 2;
    for (uint32_t i = 0; i < residuals; i++) p->residual |= UINT64_C(1) << (uint32_t)*at++;
    uint64_t points = 0, masks = 0;
    for (uint32_t i = 0; i < lookups; i++, at += lookup_size(at)) add_test(p, at, &points, &masks);
    settle_all(p);
    fold_constants(p, inputs);
    return 0;
}

static void plan_end(plan *p) {
    free(p->tests);
    free(p->constant);
    free(p->points);
    free(p->masks);
}

typedef struct {
    const gov_table *table;
    const plan *plan;           /* NULL: row by row */
    gov_rows rows;
    int64_t *words;
    uint64_t *scratch;
    uint64_t fired[GOV_ROWS];
} batch;

static void decide_row(batch *b, uint32_t i, int64_t row, const gov_output *to) {
    gov_outcome out;
    for (uint32_t c = 0; c < b->table->n_columns; c++) b->words[c] = gov_words_of(&b->rows, c)[i];
    gov_decide_valid(b->table, b->words, b->scratch, &out);
    gov_put(to, row, out.decision, (int32_t)out.rule);
}

/* Rows whose masks do not settle them. */
static void decide_rest(batch *b, int64_t start, uint32_t count, const gov_output *to) {
    const plan *p = b->plan;
    const uint64_t slow = p->alone | p->residual;
    if (!(slow | p->paired)) return;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t paired = b->fired[i] & p->paired;
        if ((b->fired[i] & slow) || (paired & (paired - 1))) decide_row(b, i, start + i, to);
    }
}

static const uint8_t row_bytes[GOV_LISTS + 1] = {
    [GOV_I8] = 1, [GOV_I16] = 2, [GOV_I32] = 4, [GOV_I64] = 8, [GOV_U8] = 1, [GOV_U16] = 2,
    [GOV_U32] = 4, [GOV_U64] = 8, [GOV_F32] = 4, [GOV_F64] = 8, [GOV_B8] = 1,
};

/* Asks for the next block of one input while this one is being worked on: memory is the limit here. */
static void fetch_ahead(const gov_input *in, int64_t start, uint32_t count) {
    const char *at = (const char *)in->values + start * row_bytes[in->type];
    for (uint32_t line = 0; line < count * row_bytes[in->type]; line += 64) __builtin_prefetch(at + line, 0, 2);
}

static void decide_block(batch *b, int64_t start, uint32_t count, uint32_t ahead, const gov_output *to) {
    const plan *p = b->plan;
    gov_rows_read(&b->rows, start, count);
    if (p) {
        for (uint32_t i = 0; i < count; i++) b->fired[i] = p->active;
        const uint32_t inputs = b->table->policy->inputs;
        for (uint32_t k = 0; k < p->n_tests || k < inputs; k++) {
            if (k < inputs && ahead) fetch_ahead(&b->rows.inputs[k], start + count, ahead);
            if (k < p->n_tests) gov_apply(&p->tests[k], gov_words_of(&b->rows, p->tests[k].column), b->fired, count);
        }
        gov_look_up(&p->outcomes, b->fired, to, start, count);
        decide_rest(b, start, count, to);
    } else {
        for (uint32_t i = 0; i < count; i++) decide_row(b, i, start + i, to);
    }
    if (!b->rows.any_bad) return;
    for (uint32_t i = 0; i < count; i++)
        if (b->rows.bad[i]) gov_put(to, start + i, GOV_DENY, -2);
}

/* What the folded tests leave of the active entries. */
static void begin_masks(batch *b, plan *p) {
    for (uint32_t k = 0; k < p->n_constant; k++)
        gov_apply(&p->constant[k], gov_words_of(&b->rows, p->constant[k].column), &p->active, 1);
    b->plan = p;
}

static uint32_t block_size(int64_t left) { return left <= 0 ? 0 : left < GOV_ROWS ? (uint32_t)left : GOV_ROWS; }

int gov_decide_columns(const gov_table *t, const gov_input *inputs, int64_t rows, uint8_t *decisions, void *rules,
                       int narrow) {
    if (t->memory) return GOV_REMEMBERS;
    plan p = {0};
    const gov_output to = {decisions, rules, narrow};
    batch *b = calloc(1, sizeof *b);
    int failed = !b || (is_small(t) && plan_begin(&p, t, inputs) != 0);
    if (!failed) {
        b->table = t;
        b->words = malloc((t->n_columns + 1u) * sizeof *b->words);
        b->scratch = malloc((gov_table_scratch(t) + 1u) * sizeof *b->scratch);
        failed = gov_rows_begin(&b->rows, t, inputs) != 0 || !b->words || !b->scratch;
        if (!failed && p.table) begin_masks(b, &p);
    }
    for (int64_t at = 0; !failed && at < rows; at += GOV_ROWS)
        decide_block(b, at, block_size(rows - at), block_size(rows - at - GOV_ROWS), &to);
    if (b) {
        gov_rows_end(&b->rows);
        free(b->words);
        free(b->scratch);
    }
    plan_end(&p);
    free(b);
    return failed ? -1 : 0;
}
