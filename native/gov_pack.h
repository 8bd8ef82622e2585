/* Instances: their cells in the bytes of a host, and as words.

   A sample copies every instance that it addresses, grows the copy where it lies, and spreads it over the words of the
   remembered columns; updates go into both, and only at the end the copy becomes the instance. */

#ifndef GOV_PACK_H
#define GOV_PACK_H

#include "gov_engine.h"

#include <string.h>

#define GOV_VECTOR 16 /* bytes that grow at once; a copy has so many more before and behind it */
#define GOV_WIDTHS 4  /* cells of 8, 4, 2 and 1 bytes, in this order */

/* A cell without what a sample does not ask.  One that grows, but not from 0 on or not to the end of its range, grows
   alone. */
typedef struct { uint32_t cell, width_bytes; int64_t cap; } gov_alone; /* cell: in its scope; cap 0: it stands still */

typedef struct {
    uint32_t bytes, copy;            /* of an instance; where its copy begins behind the pending words, in words */
    uint32_t column, cells, kept;    /* the first cell's column; cells, and those of them that are not brief */
    uint32_t of[GOV_WIDTHS];         /* cells of each width */
    uint32_t ends[GOV_WIDTHS], vectors[GOV_WIDTHS]; /* where they end, and how many vectors hold them */
    uint32_t is_low;                 /* 1: a vector would begin before the instance */
    uint32_t first_alone, alone, first_signed, has_sign;
    const uint8_t *limits;           /* for every vector of cells three of one: lo, hi - lo, what growing
                                        starts from, less lo (all ones: it stands still) */
    const uint8_t *start;            /* an instance that has had no sample */
    const int64_t *initial;
} gov_pack;

struct gov_packs {
    gov_pack *of;                    /* by scope */
    gov_alone *alone;                /* by scope: cells that grow alone, and cells with a sign */
    uint8_t *limits, *starts;
    int64_t *initial;                /* by cell */
    uint32_t words;                  /* of all copies together */
};

/* Sets t->packs of a table that remembers; -1: there is not enough memory. */
int gov_packs_make(gov_table *t);
void gov_packs_free(struct gov_packs *packs);

/* The words of a scope that is not addressed. */
void gov_unpack_none(const gov_pack *pack, int64_t *words);

/* Copies an instance, grows the copy until `now`, and sets its words; 0: the instance does not add up.  Writes three
   words below them too, which are cells of scopes before it or what the engine says of the sample: so the last scope
   comes first. */
int gov_unpack(const gov_table *t, const gov_pack *pack, const uint8_t *state, int64_t now, uint8_t *copy, int64_t *words);

static inline int gov_in_bound(const gov_bound *b, int64_t v) { return (uint64_t)v - (uint64_t)b->lo <= b->width; }

static inline int64_t gov_time_of(const uint8_t *state) {
    int64_t at;
    memcpy(&at, state, sizeof at);
    return at;
}

static inline int gov_time_fits(int64_t at) {
    return (at >= -GOV_TIME_MAX && at <= GOV_TIME_MAX) || at == GOV_NEVER || at == GOV_UNKNOWN;
}

/* ms since `at`, at least 0, whatever the bytes of an instance say. */
static inline int64_t gov_since(int64_t now, int64_t at) {
    if (at < -GOV_TIME_MAX || at > now) return 0;
    return now > INT64_MAX - GOV_TIME_MAX ? INT64_MAX : now - at;
}

static inline int64_t gov_grown(int64_t value, int64_t dt, int64_t cap) {
    if (value < 0) return value;
    return dt >= cap - value ? cap : value + dt;
}

static inline int64_t gov_read_cell(const gov_cell *cell, int is_signed, const uint8_t *state) {
    const uint8_t *at = state + cell->offset;
    switch (cell->bytes) {
    case 1: return is_signed ? (int64_t)(int8_t)*at : (int64_t)*at;
    case 2: {
        uint16_t v;
        memcpy(&v, at, sizeof v);
        return is_signed ? (int64_t)(int16_t)v : (int64_t)v;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, at, sizeof v);
        return is_signed ? (int64_t)(int32_t)v : (int64_t)v;
    }
    default: {
        int64_t v;
        memcpy(&v, at, sizeof v);
        return v;
    }
    }
}

/* Little-endian: the low bytes come first. */
static inline void gov_write(uint8_t *at, uint32_t bytes, int64_t value) {
    switch (bytes) {
    case 1: *at = (uint8_t)value; break;
    case 2: memcpy(at, &value, 2); break;
    case 4: memcpy(at, &value, 4); break;
    case 8: memcpy(at, &value, 8); break;
    default: break; /* a brief cell */
    }
}

#endif
