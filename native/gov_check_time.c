/* Loading: what a policy remembers.  See gov_load.c and gov_time.h.

   INVARIANT: what passes here can be stepped by gov_take.c without any further check but that of the caller's state:
   every cell has its column and its place in an instance, programs exist, updates stand in order. */

#include "gov_load.h"

static int is_program_or_none(const gov_table *t, uint32_t i) {
    return i == GOV_NONE || i < gov_count(t, GOV_PROGRAMS);
}

/* The least of 1, 2, 4 and 8 bytes that hold a range. */
static uint32_t bytes_of(int64_t lo, int64_t hi) {
    for (uint32_t bytes = 1; bytes < 8; bytes *= 2) {
        const int64_t half = INT64_C(1) << (8 * bytes - 1);
        if (lo < 0 ? lo >= -half && hi < half : hi < 2 * half) return bytes;
    }
    return 8;
}

static int column_fits(const gov_table *t, uint32_t i) {
    const gov_column *c = &t->columns[t->policy->request_columns + i];
    if (i < GOV_SAYS) {
        const int64_t most[GOV_SAYS] = {(int64_t)GOV_FIRST_KIND + t->n_samples - 1, GOV_TIME_MAX, 1, GOV_DENY};
        return c->kind == GOV_COLUMN_SAMPLE && c->source == i && c->lo == 0 && c->hi == most[i];
    }
    if (i - GOV_SAYS < t->n_cells) return c->kind == GOV_COLUMN_CELL && c->source == i - GOV_SAYS && c->lo <= c->hi;
    const uint32_t first = gov_count(t, GOV_FIELDS) - t->policy->carried;
    if (c->kind != GOV_COLUMN_CARRIED || c->source < first || c->source >= gov_count(t, GOV_FIELDS)) return 0;
    const gov_field *f = &t->fields[c->source];
    return f->column == t->policy->request_columns + i && !gov_is_text(f->kind) && f->lo == c->lo && f->hi == c->hi;
}

static const char *check_columns(const gov_table *t) {
    const uint32_t first = gov_count(t, GOV_FIELDS) - t->policy->carried;
    uint64_t columns = (uint64_t)GOV_SAYS + t->n_cells;
    for (uint32_t i = first; i < gov_count(t, GOV_FIELDS); i++) columns += !gov_is_text(t->fields[i].kind);
    if (columns != t->policy->remembered) return "the policy remembers another number of columns";
    for (uint32_t i = 0; i < t->policy->remembered; i++)
        if (!column_fits(t, i)) return "a remembered column does not fit";
    return NULL;
}

static const char *check_memory(const gov_table *t) {
    if (gov_count(t, GOV_MEMORY) != 1) return "it does not hold one memory";
    const gov_memory *m = t->memory;
    if (m->key >= t->n_scopes || m->flags > 3 || m->longest_ms < 0 || m->longest_ms > GOV_TIME_MAX || m->reserved)
        return "the memory does not add up";
    return NULL;
}

static const char *check_scopes(const gov_table *t) {
    uint32_t at = 0;
    if (!t->n_scopes || t->n_scopes > GOV_SCOPES_MAX) return "there is no shared scope, or there are too many";
    for (uint32_t s = 0; s < t->n_scopes; s++) {
        const gov_scope *scope = &t->scopes[s];
        if (s == 0 ? scope->field != GOV_NONE : !gov_is_input(t, scope->field) || !gov_is_text(t->fields[scope->field].kind))
            return "a scope is about no text";
        for (uint32_t other = 1; other < s; other++)
            if (t->scopes[other].field == scope->field) return "two scopes are about one field";
        if (!gov_inside(t, GOV_CELLS, scope->first_cell, scope->cells) ||
            !gov_follows(&at, scope->first_cell, scope->cells)) return "a scope's cells are missing";
        uint64_t end = GOV_STATE_HEAD;
        for (uint32_t i = 0; i < scope->cells; i++) {
            const gov_cell *cell = &t->cells[scope->first_cell + i];
            if (cell->scope != s || (i && cell->bytes > cell[-1].bytes)) return "a cell stands in the wrong place";
            if (cell->flags & GOV_BRIEF ? cell->offset != 0 : cell->offset != end) return "a cell stands in the wrong place";
            end += cell->bytes;
        }
        if (end != scope->bytes) return "an instance has another size";
    }
    return at == t->n_cells ? NULL : "there are cells of no scope";
}

static int points_ascend(const gov_table *t, uint32_t first, uint32_t count, int64_t cap) {
    for (uint32_t i = 0; i < count; i++)
        if (t->points[first + i] < 1 || t->points[first + i] > cap || (i && t->points[first + i] <= t->points[first + i - 1]))
            return 0;
    return 1;
}

static const char *check_cells(const gov_table *t) {
    uint32_t at = t->memory->gap_points;
    if (!gov_inside(t, GOV_POINTS, 0, at) || !points_ascend(t, 0, at, GOV_TIME_MAX)) return "the points do not add up";
    for (uint32_t i = 0; i < t->n_cells; i++) {
        const gov_cell *cell = &t->cells[i];
        const gov_column *c = &t->columns[t->policy->request_columns + GOV_SAYS + i];
        const int grows = (cell->flags & GOV_GROWS) != 0;
        if (!gov_is_string(t, cell->name) || cell->flags > 15 || cell->reserved[0] | cell->reserved[1])
            return "a cell does not add up";
        if (cell->bytes != (cell->flags & GOV_BRIEF ? 0 : bytes_of(c->lo, c->hi))) return "a cell has the wrong size";
        if (cell->initial < c->lo || cell->initial > c->hi) return "a cell starts outside its range";
        if (grows ? cell->cap < 0 || cell->cap < c->lo || cell->cap > c->hi : cell->cap || cell->flags & (GOV_FRESHNESS | GOV_WHOLE))
            return "a cell grows out of its range";
        if (!gov_inside(t, GOV_POINTS, cell->first_point, cell->points) ||
            !gov_follows(&at, cell->first_point, cell->points) ||
            !points_ascend(t, cell->first_point, cell->points, cell->cap)) return "the points do not add up";
    }
    return at == gov_count(t, GOV_POINTS) ? NULL : "there are points of no cell";
}

static const char *check_samples(const gov_table *t) {
    uint32_t field = gov_count(t, GOV_FIELDS) - t->policy->carried;
    for (uint32_t i = 0; i < t->n_samples; i++) {
        const gov_sample_type *s = &t->samples[i];
        if (!gov_is_string(t, s->name) || s->flags > 3 || s->reserved || (s->permit != GOV_NONE && s->permit >= t->n_cells))
            return "an event or a signal does not add up";
        if (!gov_inside(t, GOV_FIELDS, s->first_field, s->fields) || !gov_follows(&field, s->first_field, s->fields))
            return "the fields of a sample are missing";
        if (s->flags & GOV_IS_SIGNAL && (s->fields != 1 || gov_is_text(t->fields[s->first_field].kind)))
            return "a signal has no value";
    }
    return field == gov_count(t, GOV_FIELDS) ? NULL : "a field belongs to no sample";
}

static const char *check_updates(const gov_table *t) {
    for (uint32_t i = 0; i < t->n_updates; i++) {
        const gov_update *u = &t->updates[i];
        if (u->stage < GOV_STAGE_MIN || u->stage > GOV_CLOSE || u->cell >= t->n_cells || u->reserved ||
            (u->kind != GOV_NONE && u->kind >= GOV_FIRST_KIND + t->n_samples) || !is_program_or_none(t, u->condition) ||
            u->value >= gov_count(t, GOV_PROGRAMS)) return "an update does not add up";
        if (i && (u[-1].stage > u->stage || (u[-1].stage == u->stage && u[-1].cell > u->cell)))
            return "the updates are not sorted";
    }
    return NULL;
}

const char *gov_check_time(const gov_table *t) {
    if (!t->memory) return t->policy->remembered | t->policy->carried ? "it has no memory" : NULL;
    const char *why = check_memory(t);
    if (!why) why = check_columns(t);
    if (!why) why = check_scopes(t);
    if (!why) why = check_cells(t);
    if (!why) why = check_samples(t);
    return why ? why : check_updates(t);
}

uint64_t gov_time_steps(const gov_table *t) {
    uint64_t steps = 4 * (uint64_t)t->n_cells + 2 * (uint64_t)t->n_scopes;
    for (uint32_t i = 0; i < t->n_updates; i++) {
        const gov_update *u = &t->updates[i];
        steps += 2 + (u->condition == GOV_NONE ? 0 : t->programs[u->condition].words) + t->programs[u->value].words;
    }
    return steps;
}
