/* What the engine's own files share: the loaded table. */

#ifndef GOV_ENGINE_H
#define GOV_ENGINE_H

#include "gov_time.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "table.bin is little-endian, and so must be the machine that reads it in place"
#endif

#define GOV_LIKELY(x) __builtin_expect(!!(x), 1)
#define GOV_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define GOV_INLINE static inline __attribute__((always_inline))
#define GOV_APART __attribute__((noinline)) /* what is rare stays out of the way of what is not */

typedef struct { int64_t lo; uint64_t width; } gov_bound; /* a word is valid if word - lo <= width, unsigned */

struct gov_table {
    const uint64_t *nodes;
    const gov_entry *entries;
    const gov_bound *bounds;       /* of the request's columns */
    const gov_policy *policy;
    const gov_column *columns;
    const gov_field *fields;
    const gov_rule *rules;
    const gov_limit *limits;
    const gov_program *programs;
    const uint64_t *code;
    const gov_assumption *assumptions;
    const gov_classifier *classifiers;
    const uint16_t *states;
    const uint32_t *overrides, *order;
    const gov_memory *memory;      /* NULL: the policy does not remember, and the next ones are empty */
    const gov_scope *scopes;
    const gov_cell *cells;
    const gov_sample_type *samples;
    const gov_update *updates;
    const int64_t *points;
    uint32_t n_nodes, n_assumptions, n_rules, n_columns, n_order;
    uint32_t n_scopes, n_cells, n_samples, n_updates;
    uint32_t n_checked;            /* columns that a decision is about: all but the parameters */
    uint8_t combine, fallback;     /* gov_combine; gov_effect of the default */
    uint64_t steps;
    struct gov_fast *fast;         /* see gov_fast.h; NULL: there is none */
    struct gov_plan *plan;         /* see gov_plan.h */
    struct gov_packs *packs;       /* see gov_pack.h; NULL: the policy does not remember */
    struct gov_timing *timing;     /* see gov_timing.h; likewise */
    int64_t *base;                 /* words of an empty request */
    uint64_t *bytes;               /* the file */
};

static inline uint32_t gov_count(const gov_table *t, enum gov_section s) {
    const gov_header *h = (const void *)t->bytes;
    return s < GOV_PLAIN_SECTIONS || h->minor ? h->sections[s].count : 0;
}
static inline const void *gov_at(const gov_table *t, enum gov_section s) {
    return t->bytes + ((const gov_header *)(const void *)t->bytes)->sections[s].first;
}
/* The column of a cell. */
static inline uint32_t gov_cell_column(const gov_table *t, uint32_t cell) {
    return t->policy->request_columns + GOV_SAYS + cell;
}
static inline int gov_is_text(uint8_t kind) { return kind >= GOV_TEXT; }
static inline uint32_t gov_rule_words(const gov_table *t) { return (t->n_rules + 63) / 64; }
static inline uint32_t gov_targets(const gov_table *t) { return t->policy->inputs + t->policy->outputs; }
static inline uint32_t gov_decision_scratch(const gov_table *t) { return 3 * gov_rule_words(t) + 2 * gov_targets(t); }

/* Fields of the first word of a node or a lookup, see gov_table.h. */
static inline uint8_t gov_kind_of(uint64_t w) { return (uint8_t)w; }
static inline uint8_t gov_byte1(uint64_t w) { return (uint8_t)(w >> 8); }
static inline uint8_t gov_byte2(uint64_t w) { return (uint8_t)(w >> 16); }
static inline uint8_t gov_byte3(uint64_t w) { return (uint8_t)(w >> 24); }
static inline uint16_t gov_column_of(uint64_t w) { return (uint16_t)(w >> 16); }
static inline uint32_t gov_high(uint64_t w) { return (uint32_t)(w >> 32); }
static inline uint32_t gov_pair(const uint64_t *words, uint32_t i) {
    return (uint32_t)(words[i >> 1] >> ((i & 1) * 32));
}
static inline uint64_t gov_hash(int64_t key, uint32_t bits) {
    return ((uint64_t)key * GOV_HASH_FACTOR) >> (64 - bits);
}
static inline uint64_t gov_low_bits(uint32_t n) { return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1; }

/* How many of the ascending breakpoints are <= value. */
static inline uint32_t gov_rank(const uint64_t *points, uint32_t count, int64_t value) {
    uint32_t low = 0;
    while (count > 8) {
        uint32_t half = count / 2;
        low += half & (0u - ((int64_t)points[low + half - 1] <= value));
        count -= half;
    }
    uint32_t rank = low;
    for (uint32_t i = 0; i < count; i++) rank += (int64_t)points[low + i] <= value;
    return rank;
}

static inline void gov_conclude(gov_outcome *out, uint8_t decision, uint32_t rule) {
    out->decision = decision;
    out->rule = rule;
    out->culprit = 0;
}

static inline int gov_first_broken(const gov_table *t, const int64_t *words, gov_outcome *out) {
    for (uint32_t i = 0; i < t->n_assumptions; i++)
        if (!gov_run(t, t->assumptions[i].program, words)) {
            gov_conclude(out, GOV_DENY, GOV_BY_INVALID);
            out->culprit = t->n_checked + i;
            return 1;
        }
    return 0;
}

static inline int gov_in_range(const gov_table *t, const int64_t *words, gov_outcome *out) {
    const uint32_t columns = t->n_checked;
    const gov_bound *bounds = t->bounds;
    for (uint32_t c = 0; c < columns; c++)
        if (GOV_UNLIKELY((uint64_t)words[c] - (uint64_t)bounds[c].lo > bounds[c].width)) {
            gov_conclude(out, GOV_DENY, GOV_BY_INVALID);
            out->culprit = c;
            return 0;
        }
    return 1;
}

/* What a checked program, or the beginning of one that leaves one value, comes to: `count` words of code. */
int64_t gov_run_code(const uint64_t *code, uint32_t count, const int64_t *words);

/* The outcome of words that are known to be in range. */
void gov_decide_valid(const gov_table *table, const int64_t *words, uint64_t *scratch, gov_outcome *outcome);

/* The CRC-32 of zlib. */
uint32_t gov_crc32(const uint8_t *bytes, size_t size);

/* Whether bytes are UTF-8 (no surrogates, nothing overlong, at most U+10FFFF). */
int gov_utf8(const uint8_t *text, size_t length);

#endif
