/* What loading derives so that a sample takes few steps: cells in runs of a like, and for each kind of sample its updates by
   stage and by what they ask, so that what several updates ask is asked once.

   A stage's groups stand in such an order that of each cell the updates keep theirs: the first that applies counts. */

#ifndef GOV_TIMING_H
#define GOV_TIMING_H

#include "gov_engine.h"

/* A cell without what a sample does not ask: its place in an instance, its number in its scope. */
typedef struct {
    uint32_t offset, cell;
    int64_t lo, hi;
    int64_t most;      /* where it stops: the cap of one that grows, else hi */
    int64_t grows;     /* -1: it grows; 0 */
} gov_lane;

/* The lanes of a scope stand by these: those of 8 bytes, then for 4, 2 and 1 bytes what stands still, what grows (both
   without a sign, and what grows from 0 on) and all others, then the brief ones. */
enum { GOV_RUN_WHOLE, GOV_RUN_4, GOV_RUN_2 = GOV_RUN_4 + 3, GOV_RUN_1 = GOV_RUN_2 + 3, GOV_RUN_BRIEF = GOV_RUN_1 + 3, GOV_RUNS };
typedef struct { uint32_t of[GOV_RUNS]; } gov_runs;

/* Holds where the word lies in lo..lo + width, or (`outside`) where it does not. */
typedef struct {
    uint32_t column, outside;
    int64_t lo;
    uint64_t width;
} gov_test;

/* A condition: all its tests, and what is left of its program (`words` 0: nothing is left). */
typedef struct {
    const uint64_t *code;
    uint32_t first_test, tests, words;
    uint32_t first_act, acts;
} gov_group;

enum gov_form { GOV_FORM_NUMBER, GOV_FORM_SUM, GOV_FORM_PROGRAM };

/* The new word of a cell's column: `number`; the word of `source` and `number`; what the program `source` leaves. */
typedef struct {
    uint32_t column, source;
    uint32_t form, scope;
    int64_t number, lo, hi;       /* held to lo..hi */
} gov_act;

typedef struct { int32_t stage; uint32_t first_group, groups; } gov_stage;

struct gov_timing {
    gov_lane *lanes;          /* by scope; as many as it has cells */
    gov_runs *runs;           /* by scope: how many lanes of each run it has */
    uint32_t *first;          /* by kind: its first one of `stages`; one more than there are kinds */
    gov_stage *stages;
    gov_group *groups;
    gov_test *tests;
    gov_act *acts;
    uint64_t *code;           /* of conditions, folded for their kind of sample */
    uint32_t all;             /* 1: there are too many kinds and updates; all stand once, and groups test the kind */
};

/* Sets t->timing of a table that remembers; -1: there is not enough memory. */
int gov_timing_make(gov_table *t);
void gov_timing_free(struct gov_timing *timing);

#endif
