/* Deciding whole columns: blocks of rows, without Python and without allocation a row.

   In: one gov_input a field, in Arrow's or NumPy's own memory.  Out: a decision and a rule a row.  A row that cannot be
   read is decided deny by GOV_BY_INVALID, like any invalid request. */

#ifndef GOV_BATCH_H
#define GOV_BATCH_H

#include "gov_table.h"

enum gov_type {
    GOV_MISSING, /* no column: every row lacks the field */
    GOV_I8, GOV_I16, GOV_I32, GOV_I64, GOV_U8, GOV_U16, GOV_U32, GOV_U64, GOV_F32, GOV_F64,
    GOV_B8, /* a bool a byte */
    GOV_B1, /* a bool a bit, least significant first */
    GOV_TEXTS, /* offsets into bytes */
    GOV_LISTS  /* offsets into codes of members */
};

#define GOV_CODE_NONE (-1)   /* in `remap`: no member */
#define GOV_CODE_IGNORE (-2) /* in `remap`: a role that the policy does not name */

typedef struct {
    int32_t type;          /* gov_type; of an enumeration, or a text with a dictionary: of its codes */
    int32_t wide;          /* offsets are int64, else int32 */
    const void *values;    /* numbers, bools or codes, from row 0; NULL for texts without dictionary and for lists */
    const uint8_t *valid;  /* a bit a row, 0: no value; NULL: all have one */
    int64_t first;         /* the bit of row 0, in `valid` and in bools of one bit */
    const void *offsets;   /* texts (of the column or its dictionary) and lists: one more than there are */
    int64_t entries;       /* how many texts or lists the offsets speak of */
    const void *items;     /* bytes of texts; int32 codes of lists */
    int64_t items_size;    /* how many */
    const int64_t *remap;  /* enumerations and sets: position of a code, or GOV_CODE_… */
    int64_t remap_size;
} gov_input;

/* One input a field of the request.  `decisions` get a gov_effect a row, `rules` a rule, -1 by default, -2 invalid;
   as int16 if `narrow` (a table of less than 32 768 rules), else as int32.  0; -1: there is not enough memory;
   GOV_REMEMBERS: rows have no history, so a policy that remembers has no answer for them. */
#define GOV_REMEMBERS -2
int gov_decide_columns(const gov_table *table, const gov_input *inputs, int64_t rows, uint8_t *decisions, void *rules,
                       int narrow);

#endif
