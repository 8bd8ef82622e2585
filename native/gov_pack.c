/* Copying, growing and spreading instances: see gov_pack.h.

   INVARIANT: the cells of a scope stand by width, the largest first, without gaps (gov_check_time.c), so those of one
   width are an array.  A vector at the end of one reaches into what stands behind it; its limits leave that alone. */

#include "gov_pack.h"

#include <stdlib.h>

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline uint32_t vectors_of(uint32_t cells, uint32_t bytes) {
    return (cells * bytes + GOV_VECTOR - 1) / GOV_VECTOR;
}

/* --- by cell ----------------------------------------------------------------------------------------------------- */

void gov_state_start(const gov_table *t, uint32_t scope, uint8_t *state) {
    memcpy(state, t->packs->of[scope].start, t->packs->of[scope].bytes);
}

int gov_state_ok(const gov_table *t, uint32_t scope, const uint8_t *state) {
    const gov_scope *s = &t->scopes[scope];
    if (!gov_time_fits(gov_time_of(state))) return 0;
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++) {
        const gov_bound *b = &t->bounds[gov_cell_column(t, i)];
        if (!(t->cells[i].flags & GOV_BRIEF) && !gov_in_bound(b, gov_read_cell(&t->cells[i], b->lo < 0, state))) return 0;
    }
    return 1;
}

/* --- by vector --------------------------------------------------------------------------------------------------- */

typedef uint8_t vector_1 __attribute__((vector_size(GOV_VECTOR)));
typedef uint16_t vector_2 __attribute__((vector_size(GOV_VECTOR)));
typedef uint32_t vector_4 __attribute__((vector_size(GOV_VECTOR)));
typedef uint64_t vector_8 __attribute__((vector_size(GOV_VECTOR)));

/* A value in range that has come to where growing starts grows by as much as it has room for.  All is counted from `lo`
   on, in the width of the cell, so signs do not matter. */
#define GROW(vector, element, count)                                                            \
    {                                                                                           \
        const vector ms = (element)least(dt, (element)-1 > 0xffffffffu ? INT64_MAX : (int64_t)(element)-1) - (vector){0}; \
        vector misfits = {0};                                                                   \
        for (uint32_t i = 0; i < (count); i++) {                                                \
            vector value, lo, width, start;                                                     \
            from -= GOV_VECTOR, to -= GOV_VECTOR;                                               \
            memcpy(&value, from, GOV_VECTOR);                                                   \
            memcpy(&lo, limits, GOV_VECTOR);                                                    \
            memcpy(&width, limits + GOV_VECTOR, GOV_VECTOR);                                    \
            memcpy(&start, limits + 2 * GOV_VECTOR, GOV_VECTOR);                                \
            limits += 3 * GOV_VECTOR;                                                           \
            const vector above = value - lo, room = width - above;                              \
            const vector wanted = ms & (vector)(above >= start), fits = (vector)(wanted < room); \
            misfits |= (vector)(above > width);                                                 \
            value += (wanted & fits) | (room & ~fits);                                          \
            memcpy(to, &value, GOV_VECTOR);                                                     \
        }                                                                                       \
        vector_8 all;                                                                           \
        memcpy(&all, &misfits, GOV_VECTOR);                                                     \
        bad |= all[0] | all[1];                                                                 \
    }

/* Grows the cells of an instance into its copy, which may be the same; not 0: some value is out of its range.  From the end on: what the first
   vector of a width reaches into below is written afterwards. */
static uint64_t grow(const gov_pack *pack, const uint8_t *state, uint8_t *copy, int64_t dt) {
    const uint8_t *limits = pack->limits, *from = state + pack->ends[3];
    const uint32_t *vectors = pack->vectors;
    uint8_t *to = copy + pack->ends[3];
    uint64_t bad = 0;
    GROW(vector_1, uint8_t, vectors[3])
    from = state + pack->ends[2], to = copy + pack->ends[2];
    GROW(vector_2, uint16_t, vectors[2])
    from = state + pack->ends[1], to = copy + pack->ends[1];
    GROW(vector_4, uint32_t, vectors[1])
    if (!vectors[0]) return bad;
    from = state + pack->ends[0], to = copy + pack->ends[0];
    GROW(vector_8, uint64_t, vectors[0])
    return bad;
}

/* Four cells at once, in the same way. */
#define SPREAD(type, count, end)                                 \
    at = copy + (end);                                           \
    for (int32_t left = (int32_t)(count); left > 0; left -= 4) { \
        type cells[4];                                           \
        at -= sizeof cells, to -= 4;                             \
        memcpy(cells, at, sizeof cells);                         \
        to[0] = (int64_t)cells[0];                               \
        to[1] = (int64_t)cells[1];                               \
        to[2] = (int64_t)cells[2];                               \
        to[3] = (int64_t)cells[3];                               \
    }

static void spread(const gov_pack *pack, const uint8_t *copy, int64_t *words) {
    const uint32_t *of = pack->of, *ends = pack->ends;
    const uint8_t *at;
    int64_t *to = words + pack->kept;
    SPREAD(uint8_t, of[3], ends[3])
    to = words + of[0] + of[1] + of[2];
    SPREAD(uint16_t, of[2], ends[2])
    to = words + of[0] + of[1];
    SPREAD(uint32_t, of[1], ends[1])
    for (uint32_t i = 0; i < of[0]; i++) memcpy(words + i, copy + GOV_STATE_HEAD + 8 * i, 8);
}

void gov_unpack_none(const gov_pack *pack, int64_t *words) {
    memcpy(words + pack->column, pack->initial, pack->cells * sizeof *words);
}

int gov_unpack(const gov_table *t, const gov_pack *pack, const uint8_t *state, int64_t now, uint8_t *copy, int64_t *words) {
    const int64_t at = gov_time_of(state), dt = gov_since(now, at);
    if (at == GOV_NEVER) {
        memcpy(copy, pack->start, pack->bytes);
        memcpy(copy, &now, sizeof now);
        gov_unpack_none(pack, words);
        return 1;
    }
    memcpy(copy, &now, sizeof now);
    if (!pack->cells) return gov_time_fits(at);
    if (pack->is_low) state = memcpy(copy, state, pack->bytes);
    if (!gov_time_fits(at) || grow(pack, state, copy, dt)) return 0;
    memcpy(copy, &now, sizeof now);
    words += pack->column;
    for (uint32_t i = pack->kept; i < pack->cells; i++) words[i] = pack->initial[i];
    spread(pack, copy, words);
    const gov_alone *one = t->packs->alone + pack->first_signed;
    for (const gov_alone *end = one + pack->has_sign; one < end; one++) {
        const uint64_t sign = UINT64_C(1) << (8 * one->width_bytes - 1);
        words[one->cell] = (int64_t)(((uint64_t)words[one->cell] ^ sign) - sign);
    }
    one = t->packs->alone + pack->first_alone;
    for (const gov_alone *end = one + pack->alone; one < end; one++) {
        const gov_cell *cell = &t->cells[pack->column - gov_cell_column(t, 0) + one->cell];
        words[one->cell] = gov_grown(words[one->cell], dt, one->cap);
        gov_write(copy + cell->offset, cell->bytes, words[one->cell]);
    }
    return 1;
}

/* --- making ------------------------------------------------------------------------------------------------------ */

static uint32_t width_of(uint32_t bytes) { return bytes == 8 ? 0 : bytes == 4 ? 1 : bytes == 2 ? 2 : 3; }

/* Whether it grows to the end of its range, as vectors do. */
static int grows_plainly(const gov_cell *cell, const gov_column *c) {
    return cell->flags & GOV_GROWS && c->lo <= 0 && c->hi == cell->cap;
}

/* The limits of the cells of one width, from the last vector on; what a vector holds before them stands still and is in
   range. */
static uint8_t *fill_limits(const gov_table *t, const gov_scope *s, uint32_t bytes, uint32_t first, uint32_t count,
                            uint8_t *to) {
    const uint32_t lanes = GOV_VECTOR / bytes, vectors = vectors_of(count, bytes);
    for (uint32_t v = 0; v < vectors; v++, to += 3 * GOV_VECTOR)
        for (uint32_t lane = 0; lane < lanes; lane++) {
            const int64_t i = (int64_t)count - (int64_t)(v + 1) * lanes + lane;
            const uint32_t number = s->first_cell + first + (uint32_t)i;
            const gov_cell *cell = i < 0 ? NULL : &t->cells[number];
            const gov_column *c = i < 0 ? NULL : &t->columns[gov_cell_column(t, number)];
            gov_write(to + lane * bytes, bytes, c ? c->lo : 0);
            gov_write(to + lane * bytes + GOV_VECTOR, bytes, c ? (int64_t)((uint64_t)c->hi - (uint64_t)c->lo) : -1);
            gov_write(to + lane * bytes + 2 * GOV_VECTOR, bytes,
                      cell && grows_plainly(cell, c) ? (int64_t)(0 - (uint64_t)c->lo) : -1);
        }
    return to;
}

/* Cells with a sign, then those that grow alone; returns how many there are of both. */
static uint32_t fill_alone(const gov_table *t, const gov_scope *s, gov_pack *pack, uint32_t first) {
    gov_alone *to = t->packs->alone + first;
    pack->first_signed = first;
    for (uint32_t i = 0; i < pack->kept; i++) {
        const gov_cell *cell = &t->cells[s->first_cell + i];
        if (t->columns[pack->column + i].lo < 0 && cell->bytes < 8) to[pack->has_sign++] = (gov_alone){i, cell->bytes, 0};
    }
    to += pack->has_sign;
    pack->first_alone = first + pack->has_sign;
    for (uint32_t i = 0; i < pack->kept; i++) {
        const gov_cell *cell = &t->cells[s->first_cell + i];
        if (cell->flags & GOV_GROWS && !grows_plainly(cell, &t->columns[pack->column + i]))
            to[pack->alone++] = (gov_alone){i, cell->bytes, cell->cap};
    }
    return pack->has_sign + pack->alone;
}

static void fill_start(const gov_table *t, const gov_scope *s, uint8_t *to) {
    const int64_t never = GOV_NEVER;
    memcpy(to, &never, sizeof never);
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        gov_write(to + t->cells[i].offset, t->cells[i].bytes, t->cells[i].initial);
}

/* Where the cells of each width end, and how many vectors hold them. */
static void fill_widths(gov_pack *pack) {
    uint32_t end = GOV_STATE_HEAD;
    for (uint32_t width = 0; width < GOV_WIDTHS; width++) {
        pack->ends[width] = end += pack->of[width] * (8u >> width);
        pack->vectors[width] = vectors_of(pack->of[width], 8u >> width);
        pack->is_low |= pack->vectors[width] * GOV_VECTOR > end;
    }
}

static void fill(gov_table *t) {
    struct gov_packs *p = t->packs;
    uint8_t *limits = p->limits, *start = p->starts;
    uint32_t alone = 0;
    p->words = GOV_VECTOR / 8;
    for (uint32_t i = 0; i < t->n_cells; i++) p->initial[i] = t->cells[i].initial;
    for (uint32_t scope = 0; scope < t->n_scopes; scope++) {
        const gov_scope *s = &t->scopes[scope];
        gov_pack *pack = &p->of[scope];
        *pack = (gov_pack){.bytes = s->bytes, .copy = p->words, .column = gov_cell_column(t, s->first_cell),
                           .cells = s->cells, .limits = limits, .start = start, .initial = p->initial + s->first_cell};
        for (uint32_t i = 0; i < s->cells; i++) {
            const uint32_t bytes = t->cells[s->first_cell + i].bytes;
            if (!bytes) continue;
            pack->of[width_of(bytes)]++;
            pack->kept++;
        }
        fill_widths(pack);
        for (uint32_t width = GOV_WIDTHS, first = pack->kept; width--;) {
            first -= pack->of[width];
            limits = fill_limits(t, s, 8u >> width, first, pack->of[width], limits);
        }
        alone += fill_alone(t, s, pack, alone);
        fill_start(t, s, start);
        start += s->bytes;
        p->words += (s->bytes + GOV_VECTOR + 7) / 8;
    }
}

int gov_packs_make(gov_table *t) {
    if (!t->memory) return 0;
    struct gov_packs *p = t->packs = calloc(1, sizeof *p);
    if (!p) return -1;
    size_t bytes = 1;
    for (uint32_t scope = 0; scope < t->n_scopes; scope++) bytes += t->scopes[scope].bytes;
    p->of = calloc(t->n_scopes, sizeof *p->of);
    p->alone = calloc(2 * (size_t)t->n_cells + 1, sizeof *p->alone);
    p->limits = calloc(3, bytes + (size_t)GOV_VECTOR * GOV_WIDTHS * t->n_scopes);
    p->starts = calloc(bytes, 1);
    p->initial = calloc(t->n_cells + 1u, sizeof *p->initial);
    if (!p->of || !p->alone || !p->limits || !p->starts || !p->initial) return -1;
    fill(t);
    return 0;
}

void gov_packs_free(struct gov_packs *p) {
    if (!p) return;
    free(p->of);
    free(p->alone);
    free(p->limits);
    free(p->starts);
    free(p->initial);
    free(p);
}
