/* Instances that grow, vector by vector: into words, widened, and what has grown into slots of the scratch.

   INVARIANT: the cells of a scope stand by width, the largest first, without gaps (gov_check_time.c), so those of one
   width are an array.  The first vector of one reaches into what stands before it; its limits leave that alone, and
   what it writes there is overwritten by the next width.  So everything goes from the end on.

   When nothing can refuse a sample any more the slots become part of the instance, whose other lanes have not changed;
   updates go into both. */

#ifndef GOV_GROW_H
#define GOV_GROW_H

#include "gov_pack.h"

typedef uint8_t gov_vector_1 __attribute__((vector_size(GOV_VECTOR)));
typedef uint16_t gov_vector_2 __attribute__((vector_size(GOV_VECTOR)));
typedef uint32_t gov_vector_4 __attribute__((vector_size(GOV_VECTOR)));
typedef uint64_t gov_vector_8 __attribute__((vector_size(GOV_VECTOR)));
typedef int32_t gov_signed_4 __attribute__((vector_size(GOV_VECTOR)));

/* The low and the high half of a vector in twice the width, without a sign. */
#if defined(__clang__)
#define GOV_MIXED(vector, v, ...) __builtin_shufflevector(v, (vector){0}, __VA_ARGS__)
#else
#define GOV_MIXED(vector, v, ...) __builtin_shuffle(v, (vector){0}, (vector){__VA_ARGS__})
#endif
#define GOV_LOW_1(v) (gov_vector_2)GOV_MIXED(gov_vector_1, v, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define GOV_HIGH_1(v) \
    (gov_vector_2)GOV_MIXED(gov_vector_1, v, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define GOV_LOW_2(v) (gov_vector_4)GOV_MIXED(gov_vector_2, v, 0, 8, 1, 9, 2, 10, 3, 11)
#define GOV_HIGH_2(v) (gov_vector_4)GOV_MIXED(gov_vector_2, v, 4, 12, 5, 13, 6, 14, 7, 15)
#define GOV_LOW_4(v) (gov_vector_8)GOV_MIXED(gov_vector_4, v, 0, 4, 1, 5)
#define GOV_HIGH_4(v) (gov_vector_8)GOV_MIXED(gov_vector_4, v, 2, 6, 3, 7)

/* The words of the cells of a vector, four at once from the end on: as many as there are, and up to three below. */
GOV_INLINE void gov_widen_8(gov_vector_8 cells, int64_t *to, int32_t left) {
    (void)left;
    memcpy(to - 2, &cells, sizeof cells);
}

GOV_INLINE void gov_widen_4(gov_vector_4 cells, int64_t *to, int32_t left) {
    gov_widen_8(GOV_HIGH_4(cells), to, left);
    gov_widen_8(GOV_LOW_4(cells), to - 2, left);
}

GOV_INLINE void gov_widen_2(gov_vector_2 cells, int64_t *to, int32_t left) {
    gov_widen_4(GOV_HIGH_2(cells), to, left);
    if (left > 4) gov_widen_4(GOV_LOW_2(cells), to - 4, left);
}

GOV_INLINE void gov_widen_1(gov_vector_1 cells, int64_t *to, int32_t left) {
    gov_widen_2(GOV_HIGH_1(cells), to, left);
    if (left > 8) gov_widen_2(GOV_LOW_1(cells), to - 8, left - 8);
}

/* A lane's limits: one of its three vectors. */
#define GOV_LIMITS(vector, name) \
    vector name;                 \
    memcpy(&name, __builtin_assume_aligned(lane->name, GOV_VECTOR), GOV_VECTOR)

/* The lanes of one width.  A value in range that has come to where growing starts grows by as much as it has room for.
   All is counted from `lo` on, in the width of the cell, so signs do not matter.  `check` adds to what says whether all
   fit; `full` and `starts` are masks. */
#define GOV_GROW(vector, element, most, number, check, full, starts, widen)         \
    {                                                                               \
        const vector ms = (element)(dt < (most) ? dt : (most)) - (vector){0};       \
        const gov_lane *end = lane + pack->of[number];                              \
        do {                                                                        \
            vector value;                                                           \
            GOV_LIMITS(vector, lo);                                                 \
            GOV_LIMITS(vector, width);                                              \
            memcpy(&value, state + lane->place, GOV_VECTOR);                        \
            const vector above = value - lo, room = width - above;                  \
            check;                                                                  \
            if (lane->grows) {                                                      \
                GOV_LIMITS(vector, start);                                          \
                const vector filled = (vector)(full), more = (room & filled) | (ms & ~filled); \
                value += more & (vector)(starts);                                   \
                memcpy(slot, &value, GOV_VECTOR);                                   \
                slot += GOV_VECTOR;                                                 \
            }                                                                       \
            widen(value, words + lane->top, lane->cells);                           \
        } while (++lane < end);                                                     \
    }

#define GOV_GROW_ANY(vector, element, number, widen)                                                                  \
    GOV_GROW(vector, element, sizeof(element) == 8 ? INT64_MAX : (int64_t)(element)-1, number,                        \
             fits &= (gov_vector_8)(above <= width), ms >= room, above >= start, widen)

/* Cells whose ranges are at most half of what they hold: what is negative does not fit, and comparing with a sign takes
   fewer steps.  What a lane holds before them has the width -1, and never starts. */
#define GOV_GROW_SMALL                                                                                                \
    GOV_GROW(gov_vector_4, uint32_t, INT32_MAX, 1, signs |= (above | room) & ~width,                                  \
             (gov_signed_4)ms >= (gov_signed_4)room, (gov_signed_4)above > (gov_signed_4)start, gov_widen_4)

/* 0: some value is out of its range. */
GOV_INLINE int gov_grow(const gov_pack *pack, const uint8_t *state, int64_t dt, uint8_t *slot, int64_t *words) {
    const gov_lane *lane = pack->lanes;
    gov_vector_8 fits = {UINT64_MAX, UINT64_MAX};
    gov_vector_4 signs = {0};
    if (pack->of[3]) GOV_GROW_ANY(gov_vector_1, uint8_t, 3, gov_widen_1)
    if (pack->of[2]) GOV_GROW_ANY(gov_vector_2, uint16_t, 2, gov_widen_2)
    if (pack->of[1] && GOV_LIKELY(pack->is_small)) GOV_GROW_SMALL
    else if (pack->of[1]) GOV_GROW_ANY(gov_vector_4, uint32_t, 1, gov_widen_4)
    if (GOV_UNLIKELY(pack->of[0])) GOV_GROW_ANY(gov_vector_8, uint64_t, 0, gov_widen_8)
    fits &= (gov_vector_8)((gov_signed_4)signs >= 0);
    return (fits[0] & fits[1]) == UINT64_MAX;
}

/* An instance that nobody reads, behind the slots, with as much before it as a vector could reach. */
static inline uint8_t *gov_spare(const gov_pack *pack, uint64_t *scratch) { return (uint8_t *)(scratch + pack->spare); }

/* The words of a scope that is not addressed. */
static inline void gov_unpack_none(const gov_pack *pack, int64_t *words) {
    memcpy(words + pack->column, pack->initial, pack->cells * sizeof *words);
}

/* Brief cells, of which there is mostly one. */
static inline void gov_unpack_brief(const gov_pack *pack, int64_t *words) {
    const uint32_t first = pack->kept, more = pack->cells - first - 1;
    words[first] = pack->initial[first];
    if (GOV_UNLIKELY(more)) memcpy(words + first + 1, pack->initial + first + 1, more * sizeof *words);
}

/* Cells that vectors do not settle: a sign to widen, of which there is mostly one, and a range that they do not grow
   through. */
static inline void gov_unpack_signs(const gov_pack *pack, int64_t *words) {
    const gov_alone *one = pack->apart, *const end = one + pack->has_sign;
    do words[one->cell] = (int64_t)(((uint64_t)words[one->cell] ^ one->sign) - one->sign);
    while (++one < end);
}

static inline void gov_unpack_alone(const gov_pack *pack, int64_t dt, int64_t *words) {
    const gov_alone *one = pack->apart + pack->has_sign;
    for (const gov_alone *end = one + pack->alone; one < end; one++)
        words[one->cell] = gov_grown(words[one->cell], dt, one->cap);
}

/* Grows an instance by `dt` ms into its slots, and sets its words; 0: some value is out of its range.  Writes three
   words below them too, which are cells of scopes before it or what the engine says of the sample: so the last scope
   comes first.  `room`: see gov_pack. */
GOV_INLINE int gov_unpack(const gov_pack *pack, const uint8_t *state, int64_t dt, uint64_t *scratch, int64_t *words) {
    if (GOV_UNLIKELY(pack->is_low)) state = (uint8_t *)memcpy(gov_spare(pack, scratch), state, pack->bytes) - GOV_VECTOR;
    words += pack->column;
    const int fits = gov_grow(pack, state, dt, (uint8_t *)(scratch + pack->room), words);
    if (pack->kept < pack->cells) gov_unpack_brief(pack, words);
    if (pack->has_sign) gov_unpack_signs(pack, words);
    if (GOV_UNLIKELY(pack->alone)) gov_unpack_alone(pack, dt, words);
    return fits;
}

static inline void gov_keep_alone(const gov_table *t, const gov_pack *pack, const int64_t *words, uint8_t *state) {
    const gov_alone *one = pack->apart + pack->has_sign;
    for (const gov_alone *end = one + pack->alone; one < end; one++) {
        const gov_cell *cell = &t->cells[pack->column - gov_cell_column(t, 0) + one->cell];
        gov_write(state + cell->offset, cell->bytes, words[pack->column + one->cell]);
    }
}

/* What gov_unpack has left in `scratch` and words becomes the instance. */
GOV_INLINE void gov_keep_grown(const gov_table *t, const gov_pack *pack, int64_t now, uint64_t *scratch,
                               const int64_t *words, uint8_t *state) {
    const uint8_t *slot = (uint8_t *)(scratch + pack->room);
    uint8_t *const spare = gov_spare(pack, scratch), *const to = GOV_UNLIKELY(pack->is_low) ? spare - GOV_VECTOR : state;
    const uint32_t *place = pack->places;
    for (const uint32_t *end = place + pack->slots; place < end; place++, slot += GOV_VECTOR)
        memcpy(to + *place, slot, GOV_VECTOR);
    if (GOV_UNLIKELY(pack->is_low)) memcpy(state, spare, pack->bytes);
    if (GOV_UNLIKELY(pack->alone)) gov_keep_alone(t, pack, words, state);
    memcpy(state, &now, sizeof now);
}

#endif
