/* What loading derives so that a sample takes few steps: for each kind of sample its updates by stage and by what they
   ask, so that what several updates ask is asked once.

   A stage's groups stand in such an order that of each cell the updates keep theirs: the first that applies counts.
   Nearly every stage can be run at once: each update writes where it stands, since nothing behind it in the stage reads
   what it wrote, or writes it, that is not skipped.  The others collect their changes first. */

#ifndef GOV_TIMING_H
#define GOV_TIMING_H

#include "gov_engine.h"

/* Holds where the word less `lo` is at most `width`, unsigned: a range, or all that lies outside one. */
typedef struct {
    uint32_t column, reserved;
    int64_t lo;
    uint64_t width;
} gov_test;

/* A condition: its tests, and what is left of its program (`words` 0: nothing is left).

   Groups behind each other of which each sets no other cells than the one before are a chain: the first that holds is
   the only one that counts.  Where all of a chain ask for one value of the same word, as the ways out of the states of a
   machine do, nobody asks: the word leads to the first of those that ask for its value, and from each to the next. */
typedef struct gov_group {
    gov_test first, second;      /* of any word and all its values, if there are not so many */
    const struct gov_group *const *leads; /* by the word of `by` less `from`: where such a chain goes on, at its first
                                             group; else NULL */
    int64_t from;
    uint32_t by, has_more;       /* has_more: there are tests behind, or words */
    const struct gov_act *act, *end;
    const struct gov_group *next, *otherwise; /* where to go on: behind the chain if it holds */
    uint32_t first_more, more;   /* the tests behind the two */
    uint32_t first_act, acts;
    uint32_t words, steady;      /* steady: its updates read nothing that the stage writes before them */
    const uint64_t *code;
} gov_group;

enum gov_form {
    GOV_FORM_SUM,     /* the word of `source`, as far as `mask` says (nothing or all of it), and `number` */
    GOV_FORM_HELD,    /* the same, held to lo..hi */
    GOV_FORM_PROGRAM, /* what the program `source` leaves, held to lo..hi */
    GOV_FORM_RING     /* cells as they stand: `count` words up to that of `source`, whose cell stands at `from` */
};

/* The new words of a cell; of a ring: of `column` and of as many below it as `count` says, one behind the other. */
typedef struct gov_act {
    uint32_t source, place;       /* place: of the cell in an instance */
    uint16_t column, count, scope;
    uint8_t form, bytes;          /* bytes: of the cell */
    uint32_t from, reserved;
    uint64_t mask;
    int64_t number, lo, hi;
} gov_act;

/* Groups, and whether they are run at once; such stages behind each other are one.  What a stage that runs `blindly`
   asks is mostly the decision, which nobody foresees, and its few updates cost less than a wrong guess: all of them are
   made, and those that do not apply go where nobody reads.  It has no chains. */
typedef struct { const gov_group *first, *end; int at_once, blindly; } gov_stage;

/* One kind of sample.  Its stages: all but GOV_CLOSE, the first of them those below 0; then that one. */
typedef struct {
    const gov_stage *first, *silent, *close, *end;
    uint32_t permit, reserved; /* permit: a column that must not be 0, or GOV_NONE */
} gov_course;

struct gov_timing {
    gov_course *courses;      /* by kind */
    gov_stage *stages;
    gov_group *groups;
    gov_test *tests;
    gov_act *acts;
    const gov_group **leads;
    uint64_t *code;           /* of conditions, folded for their kind of sample */
    uint32_t all;             /* 1: too many kinds and updates; the course of all is the same, groups test the kind */
};

/* Sets t->timing of a table that remembers and has its packs; -1: there is not enough memory. */
int gov_timing_make(gov_table *t);
void gov_timing_free(struct gov_timing *timing);

#endif
