/* Instances: how their cells lie in the bytes of a host, worked out for gov_grow.h. */

#ifndef GOV_PACK_H
#define GOV_PACK_H

#include "gov_engine.h"

#include <string.h>

#define GOV_VECTOR 16 /* bytes that grow at once */
#define GOV_WIDTHS 4  /* cells of 8, 4, 2 and 1 bytes, in this order */

/* A vector of cells of one width, the last of them at its end. */
typedef struct {
    uint8_t lo[GOV_VECTOR], width[GOV_VECTOR]; /* of each: lo, hi - lo */
    uint8_t start[GOV_VECTOR];                 /* what growing starts from, less lo (all ones: it stands still); of small
                                                  cells one less, signed (INT32_MAX: it stands still) */
    uint32_t place, top;                       /* where it begins in an instance; the cell behind its last one */
    int32_t cells;                             /* how many of its width stand in it and before it */
    uint32_t grows;                            /* 0: all of it stands still, and nothing is kept of it */
} gov_lane;
GOV_SIZE_IS(gov_lane, 64);

/* A cell without what a sample does not ask.  One that grows, but not from 0 on or not to the end of its range, grows
   alone. */
typedef struct { uint32_t cell, reserved; int64_t cap; uint64_t sign; } gov_alone; /* cell: in its scope; its sign bit */

typedef struct {
    uint32_t bytes;                  /* of an instance */
    uint32_t room, spare;            /* where in the scratch the slots of lanes that grow begin, and an instance */
    uint32_t column, cells, kept;    /* the first cell's column; cells, and those of them that are not brief */
    uint32_t of[GOV_WIDTHS];         /* lanes of each width */
    uint32_t slots, is_low;          /* how many lanes grow; 1: one would begin before the instance, and all places
                                        count from a vector before it on */
    uint32_t is_small;               /* 1: hi - lo of all cells of 4 bytes is at most INT32_MAX */
    uint32_t has_sign, alone;        /* how many of `apart` have a sign; grow alone, behind them */
    const gov_lane *lanes;           /* from the last cells on: the narrowest width first */
    const uint32_t *places;          /* of the lanes that grow, in this order */
    const gov_alone *apart;
    const uint8_t *start;            /* an instance that has had no sample */
    const int64_t *initial;
} gov_pack;

struct gov_packs {
    gov_pack *of;                    /* by scope */
    gov_alone *alone;                /* by scope: cells that grow alone, and cells with a sign */
    gov_lane *lanes;
    uint32_t *places;
    uint8_t *starts;
    int64_t *initial;                /* by cell */
    uint32_t changes, scratch;       /* where in the scratch the changes of updates stand; words of all of it */
};

/* Sets t->packs of a table that remembers; -1: there is not enough memory. */
int gov_packs_make(gov_table *t);
void gov_packs_free(struct gov_packs *packs);

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
