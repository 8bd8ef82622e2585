/* One block of rows in words: reading inputs into it (gov_column.c), predicates over it (gov_block.c). */

#ifndef GOV_BLOCK_H
#define GOV_BLOCK_H

#include "gov_batch.h"
#include "gov_fast.h"

#define GOV_ROWS 256 /* a block of six columns, as it came and as it was copied, fits a first cache of 32 KiB */
#define GOV_STRIDE (GOV_ROWS + 8) /* words between columns: another power of two would crowd the same cache sets */

/* Vector units differ between machines: the same C is compiled for several and chosen at load. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define GOV_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GOV_CLONES
#endif

typedef struct { uint8_t *valid; uint32_t *classes; } gov_texts; /* of a dictionary: worked out once */

typedef struct {
    const gov_table *table;
    const gov_input *inputs;
    gov_texts *texts;           /* by field */
    int64_t *buffers;           /* the block's words, GOV_STRIDE a column */
    uint32_t *plain, n_plain;   /* fields whose input holds steps as they stand, still to be copied and checked */
    uint8_t there[GOV_ROWS];    /* 1: the row has a value; of the field at hand, if its input has nulls */
    uint8_t bad[GOV_ROWS];      /* 1: the row is invalid */
    int any_bad;
} gov_rows;

static inline int64_t *gov_words_of(const gov_rows *r, uint32_t column) {
    return r->buffers + (size_t)column * GOV_STRIDE;
}

/* Memory and constants for all blocks; -1: not enough memory.  Always followed by gov_rows_end. */
int gov_rows_begin(gov_rows *rows, const gov_table *table, const gov_input *inputs);
void gov_rows_end(gov_rows *rows);

/* Words of the rows start..start + count - 1. */
void gov_rows_read(gov_rows *rows, int64_t start, uint32_t count);

/* A test of one column, as the mask of entries that a word leaves: below point[0] mask[0] and so on. */
typedef struct {
    uint32_t column, kind;      /* GOV_RANGES, GOV_DENSE, GOV_SET_… */
    uint32_t count;
    const int64_t *points;      /* GOV_DENSE: one, the lowest word */
    const uint64_t *masks;      /* sets: the set, then the mask to keep */
} gov_test;

int gov_any_outside(const int64_t *words, uint32_t count, int64_t lo, int64_t hi);

/* The same of four columns while they are copied: several streams of memory are read faster than one after the other. */
int gov_copy_4(const int64_t *const from[4], int64_t *const to[4], uint32_t count, const int64_t lo[4],
               const int64_t hi[4]);
void gov_apply(const gov_test *test, const int64_t *words, uint64_t *fired, uint32_t count);

/* Outcomes of masks: by lowest fired bit (64: none) and whether one permits; of few entries, by the mask itself. */
#define GOV_DIRECT 8 /* entries whose masks are looked up as they are */
typedef struct {
    gov_verdicts verdicts;
    uint64_t none; /* the bit behind the last entry, 0 if there are 64 */
    int direct;
    gov_verdict by_mask[1 << GOV_DIRECT];
} gov_outcomes;

static inline const gov_verdict *gov_outcome_of(const gov_outcomes *o, uint64_t fired) {
    const uint32_t lowest = fired ? (uint32_t)__builtin_ctzll(fired) : GOV_BLOCK_MAX;
    return &o->verdicts.by_bit[(fired & o->verdicts.permits) != 0][lowest];
}

/* Where outcomes go: rules as int16 if `narrow`, else int32. */
typedef struct {
    uint8_t *decisions;
    void *rules;
    int narrow;
} gov_output;

static inline void gov_put(const gov_output *out, int64_t row, uint8_t decision, int32_t rule) {
    out->decisions[row] = decision;
    if (out->narrow) ((int16_t *)out->rules)[row] = (int16_t)rule;
    else ((int32_t *)out->rules)[row] = rule;
}

void gov_look_up(const gov_outcomes *outcomes, const uint64_t *fired, const gov_output *out, int64_t row,
                 uint32_t count);

/* Doubles of a field with few steps: words, and 1 in `odd` for what is not the double nearest to a step in range. */
int gov_steps_of_block(const gov_field *f, const double *values, int64_t *words, uint8_t *odd, uint32_t count);

#endif
