/* Making what gov_pack.h describes, and instances from outside. */

#include "gov_pack.h"

#include <stdlib.h>

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

/* --- making ------------------------------------------------------------------------------------------------------ */

static uint32_t width_of(uint32_t bytes) { return bytes == 8 ? 0 : bytes == 4 ? 1 : bytes == 2 ? 2 : 3; }

/* Whether it grows to the end of its range, as vectors do. */
static int grows_plainly(const gov_cell *cell, const gov_column *c) {
    return cell->flags & GOV_GROWS && c->lo <= 0 && c->hi == cell->cap;
}

/* Whether the cells of 4 bytes of a scope can be compared with a sign. */
static int is_small(const gov_table *t, const gov_scope *s) {
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        if (t->cells[i].bytes == 4 && t->bounds[gov_cell_column(t, i)].width > INT32_MAX) return 0;
    return 1;
}

/* One cell of a lane; what a lane holds before the cells of its width (`cell` NULL) stands still and is in range. */
static void fill_cell(const gov_table *t, const gov_cell *cell, uint32_t bytes, int small, gov_lane *lane, uint32_t at) {
    const gov_column *c = cell ? &t->columns[gov_cell_column(t, (uint32_t)(cell - t->cells))] : NULL;
    const int grows = c && grows_plainly(cell, c);
    const int64_t still = small ? INT32_MAX : -1, start = grows ? (int64_t)(0 - (uint64_t)c->lo) - small : still;
    lane->grows |= (uint32_t)grows;
    gov_write(lane->lo + at, bytes, c ? c->lo : 0);
    gov_write(lane->width + at, bytes, c ? (int64_t)((uint64_t)c->hi - (uint64_t)c->lo) : -1);
    gov_write(lane->start + at, bytes, start);
}

/* The lanes of the cells of one width: `count`, of which the first is `first` in its scope and stands at `offset`. */
static gov_lane *fill_lanes(const gov_table *t, const gov_scope *s, uint32_t bytes, uint32_t first, uint32_t count,
                            uint32_t offset, gov_lane *lane) {
    const uint32_t size = GOV_VECTOR / bytes;
    const int small = bytes == 4 && is_small(t, s);
    for (uint32_t left = count; left; left -= left < size ? left : size, lane++) {
        *lane = (gov_lane){.place = offset + left * bytes - GOV_VECTOR, .top = first + left, .cells = (int32_t)left};
        for (uint32_t i = 0; i < size; i++)
            fill_cell(t, left + i < size ? NULL : &t->cells[s->first_cell + first + left + i - size], bytes, small,
                      lane, i * bytes);
    }
    return lane;
}

/* Cells with a sign, then those that grow alone; returns how many there are of both. */
static uint32_t fill_alone(const gov_table *t, const gov_scope *s, gov_pack *pack, uint32_t first) {
    gov_alone *to = t->packs->alone + first;
    pack->apart = to;
    for (uint32_t i = 0; i < pack->kept; i++) {
        const gov_cell *cell = &t->cells[s->first_cell + i];
        if (t->columns[pack->column + i].lo < 0 && cell->bytes < 8)
            to[pack->has_sign++] = (gov_alone){i, 0, 0, UINT64_C(1) << (8 * cell->bytes - 1)};
    }
    to += pack->has_sign;
    for (uint32_t i = 0; i < pack->kept; i++) {
        const gov_cell *cell = &t->cells[s->first_cell + i];
        if (cell->flags & GOV_GROWS && !grows_plainly(cell, &t->columns[pack->column + i]))
            to[pack->alone++] = (gov_alone){i, 0, cell->cap, 0};
    }
    return pack->has_sign + pack->alone;
}

static void fill_start(const gov_table *t, const gov_scope *s, uint8_t *to) {
    const int64_t never = GOV_NEVER;
    memcpy(to, &never, sizeof never);
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        gov_write(to + t->cells[i].offset, t->cells[i].bytes, t->cells[i].initial);
}

/* The lanes of a scope, from its last cells on; `cells`: of each width. */
static gov_lane *fill_scope(const gov_table *t, const gov_scope *s, gov_pack *pack, const uint32_t *cells,
                            gov_lane *to) {
    gov_lane *const first_lane = to;
    uint32_t first = pack->kept, offset = s->bytes, *places = t->packs->places + (to - t->packs->lanes);
    pack->lanes = to;
    pack->places = places;
    pack->is_small = (uint32_t)is_small(t, s);
    for (uint32_t width = GOV_WIDTHS; width--;) {
        const uint32_t bytes = 8u >> width;
        first -= cells[width], offset -= cells[width] * bytes;
        gov_lane *end = fill_lanes(t, s, bytes, first, cells[width], offset, to);
        pack->of[width] = (uint32_t)(end - to);
        for (; to < end; to++) pack->is_low |= to->place > s->bytes; /* it has wrapped */
    }
    for (gov_lane *lane = first_lane; lane < to; lane++) {
        if (pack->is_low) lane->place += GOV_VECTOR;
        if (lane->grows) places[pack->slots++] = lane->place;
    }
    return to;
}

static void fill(gov_table *t) {
    struct gov_packs *p = t->packs;
    uint8_t *start = p->starts;
    gov_lane *lane = p->lanes;
    uint32_t alone = 0;
    p->changes = gov_decision_scratch(t);
    p->scratch = p->changes + 2 * t->n_updates;
    for (uint32_t i = 0; i < t->n_cells; i++) p->initial[i] = t->cells[i].initial;
    for (uint32_t scope = 0; scope < t->n_scopes; scope++) {
        const gov_scope *s = &t->scopes[scope];
        gov_pack *pack = &p->of[scope];
        uint32_t cells[GOV_WIDTHS] = {0};
        *pack = (gov_pack){.bytes = s->bytes, .room = p->scratch, .column = gov_cell_column(t, s->first_cell),
                           .cells = s->cells, .start = start, .initial = p->initial + s->first_cell};
        for (uint32_t i = 0; i < s->cells; i++) {
            const uint32_t bytes = t->cells[s->first_cell + i].bytes;
            if (!bytes) continue;
            cells[width_of(bytes)]++;
            pack->kept++;
        }
        lane = fill_scope(t, s, pack, cells, lane);
        alone += fill_alone(t, s, pack, alone);
        fill_start(t, s, start);
        start += s->bytes;
        pack->spare = pack->room + (pack->slots + 1) * GOV_VECTOR / 8;
        p->scratch = pack->spare + (s->bytes + 7) / 8;
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
    const size_t lanes = bytes / GOV_VECTOR + GOV_WIDTHS * (size_t)t->n_scopes;
    p->lanes = aligned_alloc(sizeof *p->lanes, lanes * sizeof *p->lanes);
    p->places = calloc(lanes, sizeof *p->places);
    p->starts = calloc(bytes, 1);
    p->initial = calloc(t->n_cells + 1u, sizeof *p->initial);
    if (!p->of || !p->alone || !p->lanes || !p->places || !p->starts || !p->initial) return -1;
    fill(t);
    return 0;
}

void gov_packs_free(struct gov_packs *p) {
    if (!p) return;
    free(p->of);
    free(p->alone);
    free(p->lanes);
    free(p->places);
    free(p->starts);
    free(p->initial);
    free(p);
}
