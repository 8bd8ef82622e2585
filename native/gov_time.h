/* The part of table.bin that a policy has if it remembers, and the engine's step.

   Columns.  Behind the request's columns stand `remembered` ones, in this order: the four of gov_sample_column, the
   cells, the fields of samples that are no text.  A decision reads them as it reads a request.

   State.  A scope is shared (there is one instance), or its instances belong to the values of an input that is a text
   or a key; the first scope is shared, the others are about different inputs.  An instance is `bytes` bytes:

     byte 0          8                                       bytes
          | at i64   | cells, each at its offset, largest first |

   `at` is the time of its last sample, in ms; GOV_NEVER: there was none, and the cells count as initial; GOV_UNKNOWN:
   a clock fault at the next sample, whenever that is.  A cell has the least of 1, 2, 4 and 8 bytes that hold lo..hi of
   its column, without a sign if lo >= 0.

   One sample (kind: GOV_REQUEST, GOV_TICK, or GOV_FIRST_KIND + the gov_sample_type) addresses the shared instance, that
   of the key if it carries one, and those of the other scopes of whose field it carries the value.  Then:

     grow      dt = now - at, at least 0.  A cell that grows, from 0 on, gets dt more, up to `cap` (what is beyond it
               already counts as `cap`); brief cells are
               initial, and so is every cell of a scope that is not addressed
     say       $sample, $gap, $clock_fault: see gov_sample_column
     refuse    an event whose `permit` is 0 changes nothing
     assume    a request that breaks an assumption changes nothing
     update    stage by stage, up to GOV_CLOSE: of the updates of one cell the first one that applies sets it; all of a
               stage read what was before it.  An update applies if its scope is addressed, the sample is of its kind,
               and its condition holds; a value outside lo..hi is taken as the nearer end (the compiler has proved that
               there is none)
     decide    if it is a request; on a clock fault the outcome is deny by GOV_BY_CLOCK unless a rule reads the fault
     close     the updates of GOV_CLOSE, which read the decision
     keep      all addressed cells, and at = now

   A question does the same and keeps nothing.

   Points.  While a cell grows from one of its points (or from 0) to just before the next one, no request and no tick
   finds a condition changed: neither one on the cell itself, nor one on a cell that an update of such a sample makes of
   it, nor whether limits meet.  There may be more points than that needs.  So it is with the gap and the first
   `gap_points`; beyond the last one nothing tells the gap from the longest one, at whatever sample. */

#ifndef GOV_TIME_H
#define GOV_TIME_H

#include "gov_table.h"

#define GOV_TIME_MAX 9007199254740991  /* times are at most so far from 0: 2^53 - 1 ms */
#define GOV_NEVER INT64_MIN
#define GOV_UNKNOWN INT64_MAX
#define GOV_STATE_HEAD 8               /* bytes of an instance before its cells */
#define GOV_SCOPES_MAX 64             /* kinds of keys, the shared scope among them */
#define GOV_STAGE_MIN -10
#define GOV_CLOSE 40                   /* the last stage */

enum gov_sample_kind { GOV_REQUEST, GOV_TICK, GOV_FIRST_KIND };
enum gov_sample_column {
    GOV_SAYS_KIND,     /* the kind of the sample */
    GOV_SAYS_GAP,      /* ms since the last sample of the key (shared, where there is no key): 0..GOV_TIME_MAX, which
                          also stands for never */
    GOV_SAYS_FAULT,    /* 0 or 1: the time is less than that of the last sample of an instance that is addressed */
    GOV_SAYS_DECISION, /* gov_effect, in the stage GOV_CLOSE; else 0 */
    GOV_SAYS           /* how many there are */
};

enum gov_memory_flag { GOV_READS_FAULT = 1, GOV_GAP_WHOLE = 2 }; /* a rule reads the clock fault; see gov_cell_flag */
typedef struct {
    uint32_t key;                /* the scope of the policy's key; 0: it has none */
    uint32_t flags;              /* bits of gov_memory_flag */
    int64_t longest_ms;          /* no window is longer */
    uint32_t gap_points;         /* the first ones of GOV_POINTS belong to $gap */
    uint32_t reserved;
} gov_memory;

typedef struct { uint32_t field, first_cell, cells, bytes; } gov_scope; /* field: GOV_NONE of the shared one */

enum gov_cell_flag {
    GOV_BRIEF = 1,     /* no part of the state: 0 bytes */
    GOV_GROWS = 2,     /* counts milliseconds up to `cap`; else cap is 0 */
    GOV_FRESHNESS = 4, /* the age of a signal's last sample: it grows, and all of its updates set it to 0 at samples of
                          signals; at its cap after a silence of unknown length */
    GOV_WHOLE = 8      /* conditions read more of it than its points say */
};
typedef struct {
    uint32_t name, scope, offset;    /* offset of a brief cell: 0 */
    uint8_t bytes, flags, reserved[2];
    int64_t initial, cap;
    uint64_t definition;             /* the same in two tables whose cells mean the same: see docs/formats.md */
    uint32_t first_point, points;    /* GOV_POINTS, ascending, 1..cap: where conditions on it change as it grows */
} gov_cell;

enum gov_sample_flag { GOV_IS_SIGNAL = 1, GOV_IS_SHARED = 2 };
typedef struct {
    uint32_t name;
    uint32_t flags;                  /* bits of gov_sample_flag */
    uint32_t first_field, fields;    /* of a signal one, no text: its value; names as hosts write them */
    uint32_t permit;                 /* a cell, or GOV_NONE */
    uint32_t reserved;
} gov_sample_type;

typedef struct {
    int32_t stage;                   /* GOV_STAGE_MIN..GOV_CLOSE */
    uint32_t cell;
    uint32_t kind;                   /* of sample; GOV_NONE: any */
    uint32_t condition;              /* program; GOV_NONE: always */
    uint32_t value;                  /* program */
    uint32_t reserved;
} gov_update;

GOV_SIZE_IS(gov_memory, 24);
GOV_SIZE_IS(gov_scope, 16);
GOV_SIZE_IS(gov_cell, 48);
GOV_SIZE_IS(gov_sample_type, 24);
GOV_SIZE_IS(gov_update, 24);

/* The engine. */

typedef struct {
    int64_t at_ms;
    uint32_t kind;
    uint32_t keep;      /* 0: a question, nothing is written */
} gov_sample;

enum gov_taken {
    GOV_TAKEN = 0,      /* done; of a request the outcome says the rest */
    GOV_REFUSED = 1,    /* an event without what must come before it: nothing was written */
    GOV_BAD_SAMPLE = -1,/* no such kind, a time beyond GOV_TIME_MAX, a value out of range, or a table without time */
    GOV_BAD_STATE = -2  /* an instance does not add up */
};

uint32_t gov_scopes(const gov_table *table);                       /* 0: the policy does not remember */
uint32_t gov_state_bytes(const gov_table *table, uint32_t scope);

/* The instance of a key that has had no sample. */
void gov_state_start(const gov_table *table, uint32_t scope, uint8_t *state);

/* Whether bytes from anywhere are an instance of the scope. */
int gov_state_ok(const gov_table *table, uint32_t scope, const uint8_t *state);

/* Takes a sample in: a gov_taken.  `words` hold the request, or gov_words with the fields that the sample carries; the
   remembered columns are filled here and left as the rules saw them.  `states` has an instance for every scope, NULL
   where the sample does not address it.  Whatever is not GOV_TAKEN has written nothing.  Bounded by gov_table_steps. */
int gov_take(const gov_table *table, const gov_sample *sample, int64_t *words, uint8_t *const *states,
             uint64_t *scratch, gov_outcome *outcome);

/* The next time at which a condition on these instances can change without a sample; GOV_UNKNOWN: never.  `now` is the
   time of the last sample. */
int64_t gov_deadline(const gov_table *table, uint8_t *const *states, int64_t now);

/* Whether an instance is from `now` on as if there had never been a sample: all that may be forgotten.  Every cell that
   grows has stopped, and after the stages below 0 (which turn panes over, and read cells of their own instance only)
   every cell is initial.  `words` and `scratch` as for gov_take. */
int gov_state_idle(const gov_table *table, uint32_t scope, uint8_t *state, int64_t now, int64_t *words,
                   uint64_t *scratch);

#endif
