/* Making what gov_timing.h describes.  In: a table whose memory has been checked. */

#include "gov_timing.h"

#include <stdlib.h>

#define ORDER_MAX (1u << 20) /* numbers of updates, of all kinds together */

static int is_of(const gov_update *u, uint32_t kind) { return u->kind == GOV_NONE || u->kind == kind; }

static void make_lanes(const gov_table *t, struct gov_timing *made) {
    for (uint32_t i = 0; i < t->n_cells; i++) {
        const gov_cell *cell = &t->cells[i];
        const gov_bound *b = &t->bounds[gov_cell_column(t, i)];
        const uint64_t sign = cell->bytes ? UINT64_C(1) << (8 * cell->bytes - 1) : 0;
        made->lanes[i] = (gov_lane){b->lo, b->width, cell->flags & GOV_GROWS ? cell->cap : -1, b->lo < 0 ? sign : 0};
        uint32_t *of = made->sizes[cell->scope].of;
        of[cell->bytes == 8 ? 0 : cell->bytes == 4 ? 1 : cell->bytes == 2 ? 2 : cell->bytes == 1 ? 3 : 4]++;
    }
}

static uint64_t order_size(const gov_table *t) {
    uint64_t size = 0;
    for (uint32_t i = 0; i < t->n_updates; i++) size += t->updates[i].kind == GOV_NONE ? GOV_FIRST_KIND + t->n_samples : 1;
    return size;
}

static void make_order(const gov_table *t, struct gov_timing *made) {
    uint32_t at = 0;
    if (made->all) {
        for (; at < t->n_updates; at++) made->order[at] = at;
        return;
    }
    for (uint32_t kind = 0; kind < GOV_FIRST_KIND + t->n_samples; kind++) {
        made->first[kind] = at;
        for (uint32_t i = 0; i < t->n_updates; i++)
            if (is_of(&t->updates[i], kind)) made->order[at++] = i;
    }
    made->first[GOV_FIRST_KIND + t->n_samples] = at;
}

int gov_timing_make(gov_table *t) {
    if (!t->memory) return 0;
    struct gov_timing *made = calloc(1, sizeof *made);
    if (!made) return -1;
    t->timing = made;
    const uint64_t size = order_size(t);
    const uint64_t looks = (uint64_t)t->n_updates * (GOV_FIRST_KIND + t->n_samples);
    made->all = size > ORDER_MAX || looks > GOV_STEPS_MAX;
    made->lanes = calloc(t->n_cells + 1u, sizeof *made->lanes);
    made->sizes = calloc(t->n_scopes, sizeof *made->sizes);
    made->order = calloc((made->all ? t->n_updates : size) + 1u, sizeof *made->order);
    made->first = calloc(t->n_samples + GOV_FIRST_KIND + 1u, sizeof *made->first);
    if (!made->lanes || !made->sizes || !made->order || !made->first) return -1;
    make_lanes(t, made);
    make_order(t, made);
    return 0;
}

void gov_timing_free(struct gov_timing *made) {
    if (!made) return;
    free(made->lanes);
    free(made->sizes);
    free(made->order);
    free(made->first);
    free(made);
}
