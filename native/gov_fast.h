/* Tables of one block of at most 63 entries: what becomes of the bits that fire is looked up by the lowest of them.

   The fast road goes further: where there is no assumption and no program, and the words have few values, loading turns
   the block into a mask for every value of every word, and a decision is one load a word.  gov_table.c takes these
   roads where there are some. */

#ifndef GOV_FAST_H
#define GOV_FAST_H

#include "gov_engine.h"

#define GOV_FAST_VALUES 2048 /* of one word */
#define GOV_FAST_MASKS 8192  /* of all words together */

typedef struct {
    int64_t lo;
    uint64_t width;        /* hi - lo */
    const uint64_t *masks;
} gov_fast_word;

/* The rule is GOV_BY_DEFAULT where none decides. */
typedef struct { uint32_t rule, decision; } gov_verdict;

/* Outcomes by lowest fired bit, from the last entry on: none; without and with a bit that permits. */
typedef struct {
    uint64_t permits;
    gov_verdict by_bit[2][GOV_BLOCK_MAX + 1];
} gov_verdicts;

struct gov_fast {
    uint64_t active, none, alone, paired; /* none: the bit behind the last entry; two fired bits of `paired`, or one of
                                             `alone`, need the long road */
    uint32_t words, reserved;             /* words 0: there is no fast road, some word has too many values */
    gov_verdicts verdicts;
    gov_fast_word word[];
};

/* Sets t->fast of a table of one block; -1: there is not enough memory. */
int gov_fast_make(gov_table *t);

/* The outcomes of a block without a next one. */
void gov_verdicts_make(const gov_table *t, const uint64_t *block, gov_verdicts *v);

#endif
