/* The plan: what loading derives from the checked nodes so that one decision takes few steps.

   It says the same as the nodes.  Links are numbers of stops, every test of a block is one record of fixed size, and
   a test of a word with few values is a mask for each of them; in small blocks the keys of ranges have 32 bits and
   stand behind the steps, since a large table waits for memory more than for anything else.  The nodes stay the reference: gov_collect walks them,
   and the masks of the plan are made by the lookups themselves. */

#ifndef GOV_PLAN_H
#define GOV_PLAN_H

#include "gov_engine.h"

enum gov_step_kind {
    GOV_STEP_BIT,     /* a word of 0 or 1: `lo` is the mask of 0, and keep what differs in that of 1 */
    GOV_STEP_DIRECT,  /* masks[word - lo], 0 outside `count` words */
    GOV_STEP_EDGE,    /* the key `lo`: the low 16 bits of keep are the mask of words below it, the next ones of the others */
    GOV_STEP_EDGES,   /* two keys, `lo` and u.key: columns[1 + r] is the mask, r of the keys are <= word */
    GOV_STEP_NARROW,  /* as RANK: `count` keys of 32 bits, filled up with INT32_MAX, then masks of 16 */
    GOV_STEP_RANK,    /* as RANGES: masks[r] behind the keys, r of the `count` keys are <= word */
    GOV_STEP_ANY, GOV_STEP_ALL, GOV_STEP_WITHIN, /* keep, if the word fails the test against `lo` */
    GOV_STEP_AT_MOST, /* keep, if the sum of `count` columns is over `lo` */
    GOV_STEP_AT_LEAST,/* keep, if the sum of `count` columns is under `lo` */
    GOV_STEP_PROGRAM  /* keep, if program number `count` gives 0 */
};
#define GOV_STEP_COLUMNS 4
#define GOV_STEP_GROUPS 4 /* kinds whose steps stand together, so that nobody asks each step for its kind */
#define GOV_NARROW_STEP 8 /* keys that are compared at once */

typedef struct {
    uint8_t kind, reserved[3];
    uint32_t count;
    uint16_t columns[GOV_STEP_COLUMNS];
    int64_t lo;
    union {
        const uint64_t *words; /* DIRECT: masks; RANK: keys, then masks */
        const int32_t *keys;   /* NARROW, behind the steps of its block */
        uint64_t keep;
        int64_t key;
    } u;
} gov_step;

typedef struct {
    uint8_t kind;              /* gov_node_kind */
    uint8_t bits;              /* HASH */
    uint16_t column;
    uint32_t next;             /* stop, 0: none */
    uint32_t count;            /* children of SWITCH, breakpoints of SPLIT, probes of HASH, steps of a BLOCK */
    uint8_t of[GOV_STEP_GROUPS]; /* of a BLOCK: how many of its steps, the first ones, are BIT, DIRECT, EDGE, EDGES */
    uint64_t all;              /* BLOCK: the bits of its entries; SWITCH: lo */
    const uint64_t *node;
} gov_stop;

#define GOV_LINKS 8
typedef union {
    gov_stop stop;
    gov_step step;
    uint32_t links[GOV_LINKS];
} gov_slot;
GOV_SIZE_IS(gov_slot, 32);

typedef struct gov_plan gov_plan;
struct gov_plan {
    gov_slot *slots;           /* a stop, and behind it its steps or the stops that it leads to */
    uint64_t *words;           /* masks of steps */
    uint32_t n_slots;
};

/* Sets t->plan; -1: there is not enough memory. */
int gov_plan_make(gov_table *t);
void gov_plan_free(gov_plan *p);

/* The mask of the lookup at `at`, a word of `value`; *next is set behind it. */
uint64_t gov_lookup_mask(const uint64_t *at, int64_t value, const uint64_t **next);

#endif
