/* What loading derives so that a sample takes few steps: for each kind of sample its updates by stage and by what they
   ask, so that what several updates ask is asked once.

   A stage's groups stand in such an order that of each cell the updates keep theirs: the first that applies counts. */

#ifndef GOV_TIMING_H
#define GOV_TIMING_H

#include "gov_engine.h"

/* Holds where the word less `lo` is at most `width`, unsigned: a range, or all that lies outside one. */
typedef struct {
    uint32_t column, reserved;
    int64_t lo;
    uint64_t width;
} gov_test;

/* A condition: its tests, and what is left of its program (`words` 0: nothing is left). */
typedef struct {
    gov_test first;              /* of any word and all its values, if it has no test */
    uint32_t first_more, more;   /* the tests behind it */
    uint32_t first_act, acts;
    uint32_t words, ends;        /* ends: it is the last one of its stage */
    const uint64_t *code;
} gov_group;

enum gov_form { GOV_FORM_NUMBER, GOV_FORM_SUM, GOV_FORM_PROGRAM };

/* The new word of a cell's column: `number`; the word of `source` and `number`; what the program `source` leaves. */
typedef struct {
    uint32_t column, source;
    uint16_t form, scope;
    uint32_t place, bytes;        /* of the cell in an instance */
    int64_t number, lo, hi;       /* held to lo..hi */
} gov_act;

/* The groups of one kind of sample: all but those of GOV_CLOSE, of these the ones of the stages below 0; then those. */
typedef struct { uint32_t first, silent, close, end; } gov_course;

struct gov_timing {
    gov_course *courses;      /* by kind */
    gov_group *groups;
    gov_test *tests;
    gov_act *acts;
    uint64_t *code;           /* of conditions, folded for their kind of sample */
    uint32_t all;             /* 1: there are too many kinds and updates; all stand once, and groups test the kind */
};

/* Sets t->timing of a table that remembers and has its packs; -1: there is not enough memory. */
int gov_timing_make(gov_table *t);
void gov_timing_free(struct gov_timing *timing);

#endif
