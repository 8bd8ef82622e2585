/* What loading derives so that a sample takes few steps: cells as lanes, and the updates of each kind of sample. */

#ifndef GOV_TIMING_H
#define GOV_TIMING_H

#include "gov_engine.h"

/* A cell without what a sample does not ask.  A value read without its sign is (value ^ sign) - sign. */
typedef struct {
    int64_t lo;
    uint64_t width;    /* hi - lo */
    int64_t cap;       /* -1: it does not grow */
    uint64_t sign;     /* the bit of the sign, 0: there is none */
} gov_lane;

/* How many cells of a scope have 8, 4, 2, 1 and 0 bytes: they stand in this order. */
typedef struct { uint32_t of[5]; } gov_sizes;

struct gov_timing {
    gov_lane *lanes;          /* by cell */
    gov_sizes *sizes;         /* by scope */
    uint32_t *order;          /* numbers of updates */
    uint32_t *first;          /* by kind: where its updates begin in `order`; one more than there are kinds */
    uint32_t all;             /* 1: there are too many kinds and updates, and all stand once, for every kind */
};

/* Sets t->timing of a table that remembers; -1: there is not enough memory. */
int gov_timing_make(gov_table *t);
void gov_timing_free(struct gov_timing *timing);

#endif
