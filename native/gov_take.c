/* One sample: see gov_time.h, whose words are used here.

   INVARIANT: a word of a remembered column lies in its range: it is read from a checked instance or held to the range
   when it is set.  So what the masks of a plan rely on holds, whatever table and state come in. */

#include "gov_timing.h"

#include <string.h>

typedef struct {
    const gov_table *t;
    const gov_sample *sample;
    int64_t *words;
    uint8_t *const *states;
    int64_t *pending, *end; /* pairs of a column and its new word; of several of one column the first counts, so they
                               are put into the words from the end on */
} stepping;

uint32_t gov_scopes(const gov_table *t) { return t->n_scopes; }
uint32_t gov_state_bytes(const gov_table *t, uint32_t scope) { return t->scopes[scope].bytes; }

/* --- instances --------------------------------------------------------------------------------------------------- */

static inline int64_t time_of(const uint8_t *state) {
    int64_t at;
    memcpy(&at, state, sizeof at);
    return at;
}

static inline int64_t read_cell(const gov_cell *cell, int is_signed, const uint8_t *state) {
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

static inline void write_cell(const gov_cell *cell, int64_t value, uint8_t *state) {
    uint8_t *at = state + cell->offset; /* little-endian: the low bytes come first */
    switch (cell->bytes) {
    case 1: *at = (uint8_t)value; break;
    case 2: memcpy(at, &value, 2); break;
    case 4: memcpy(at, &value, 4); break;
    default: memcpy(at, &value, 8);
    }
}

static inline int time_fits(int64_t at) {
    return (at >= -GOV_TIME_MAX && at <= GOV_TIME_MAX) || at == GOV_NEVER || at == GOV_UNKNOWN;
}

static inline int in_range(const gov_bound *b, int64_t v) { return (uint64_t)v - (uint64_t)b->lo <= b->width; }

/* ms since `at`, at least 0, whatever the bytes of an instance say. */
static inline int64_t since(int64_t now, int64_t at) {
    if (at < -GOV_TIME_MAX || at > now) return 0;
    return now > INT64_MAX - GOV_TIME_MAX ? INT64_MAX : now - at;
}

static inline int64_t grown(const gov_cell *cell, int64_t value, int64_t dt) {
    if (!(cell->flags & GOV_GROWS) || value < 0) return value;
    return dt >= cell->cap - value ? cell->cap : value + dt;
}

void gov_state_start(const gov_table *t, uint32_t scope, uint8_t *state) {
    const gov_scope *s = &t->scopes[scope];
    const int64_t never = GOV_NEVER;
    memcpy(state, &never, sizeof never);
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        if (!(t->cells[i].flags & GOV_BRIEF)) write_cell(&t->cells[i], t->cells[i].initial, state);
}

int gov_state_ok(const gov_table *t, uint32_t scope, const uint8_t *state) {
    const gov_scope *s = &t->scopes[scope];
    if (!time_fits(time_of(state))) return 0;
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++) {
        const gov_bound *b = &t->bounds[gov_cell_column(t, i)];
        if (!(t->cells[i].flags & GOV_BRIEF) && !in_range(b, read_cell(&t->cells[i], b->lo < 0, state))) return 0;
    }
    return 1;
}

#define DT_MAX (INT64_C(1) << 62) /* what 4 bytes hold has stopped long before */

/* --- before ------------------------------------------------------------------------------------------------------ */

/* The words of one run of a scope's cells, `value` being what the instance holds.  All have at most 4 bytes, so that no
   difference and no sum leaves int64. */
#define GROW_RUN(type, run, later)                               \
    for (const gov_lane *end = lane + of[run]; lane < end; lane++) { \
        type value;                                              \
        memcpy(&value, state + lane->offset, sizeof value);      \
        words[lane->cell] = (later);                             \
    }

/* The sign of `misfits` says that a value is outside its range.  One that grows without a sign cannot be, whatever the
   instance says: it stops at its cap. */
#define CHECKED(value) (misfits |= ((value) - lane->lo) | (lane->hi - (value)), (value))

#define GROW_RUNS(bytes, unsigned_type, signed_type)                              \
    GROW_RUN(unsigned_type, GOV_RUN_##bytes, CHECKED((int64_t)value))             \
    GROW_RUN(unsigned_type, GOV_RUN_##bytes + 1, least(value + few, lane->most))  \
    GROW_RUN(signed_type, GOV_RUN_##bytes + 2, grown_few(lane, CHECKED((int64_t)value), few))

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t grown_few(const gov_lane *lane, int64_t value, int64_t dt) {
    return value < 0 ? value : least(value + (dt & lane->grows), lane->most);
}

/* A value of 8 bytes, `dt` later. */
static inline int64_t grown_whole(const gov_lane *lane, int64_t value, int64_t dt) {
    if (!lane->grows || value < 0) return value;
    return dt >= lane->most - value ? lane->most : value + dt;
}

/* The words of a scope's cells; 0: the instance does not add up. */
static int grow_scope(const stepping *p, uint32_t scope) {
    const gov_table *t = p->t;
    const gov_scope *s = &t->scopes[scope];
    const uint8_t *state = p->states[scope];
    int64_t *words = p->words + gov_cell_column(t, s->first_cell);
    const gov_cell *cells = t->cells + s->first_cell;
    const int64_t at = state ? time_of(state) : GOV_NEVER;
    if (at == GOV_NEVER) {
        for (uint32_t i = 0; i < s->cells; i++) words[i] = cells[i].initial;
        return 1;
    }
    const uint32_t *of = t->timing->runs[scope].of;
    const gov_lane *lane = t->timing->lanes + s->first_cell;
    const int64_t dt = since(p->sample->at_ms, at), few = least(dt, DT_MAX);
    int64_t misfits = time_fits(at) ? 0 : -1;
    for (const gov_lane *end = lane + of[GOV_RUN_WHOLE]; lane < end; lane++) {
        int64_t value;
        memcpy(&value, state + lane->offset, sizeof value);
        misfits |= -(int64_t)(value < lane->lo || value > lane->hi);
        words[lane->cell] = grown_whole(lane, value, dt);
    }
    GROW_RUNS(4, uint32_t, int32_t)
    GROW_RUNS(2, uint16_t, int16_t)
    GROW_RUNS(1, uint8_t, int8_t)
    for (const gov_lane *end = lane + of[GOV_RUN_BRIEF]; lane < end; lane++) words[lane->cell] = cells[lane->cell].initial;
    return misfits >= 0;
}

static inline int64_t last_of(const stepping *p, uint32_t scope) {
    return p->states[scope] ? time_of(p->states[scope]) : GOV_NEVER;
}

static void say(const stepping *p) {
    const gov_table *t = p->t;
    int64_t *says = p->words + t->policy->request_columns;
    const int64_t now = p->sample->at_ms;
    says[GOV_SAYS_KIND] = p->sample->kind;
    says[GOV_SAYS_DECISION] = 0;
    const int64_t at = last_of(p, t->memory->key), gap = since(now, at);
    says[GOV_SAYS_FAULT] = at > now || last_of(p, 0) > now;
    says[GOV_SAYS_GAP] = at == GOV_NEVER || gap > GOV_TIME_MAX ? GOV_TIME_MAX : gap;
}

/* Whether what the sample brings is in range; what is remembered is. */
static int brought_fits(const gov_table *t, const int64_t *words, gov_outcome *out) {
    const uint32_t asked = t->policy->request_columns, carried = gov_cell_column(t, t->n_cells);
    for (uint32_t c = 0; c < t->n_checked; c = c + 1 == asked ? carried : c + 1) {
        if (GOV_LIKELY(in_range(&t->bounds[c], words[c]))) continue;
        out->culprit = c;
        return 0;
    }
    return 1;
}

static int is_refused(const stepping *p) {
    if (p->sample->kind < GOV_FIRST_KIND) return 0;
    const uint32_t permit = p->t->samples[p->sample->kind - GOV_FIRST_KIND].permit;
    return permit != GOV_NONE && !p->words[gov_cell_column(p->t, permit)];
}

/* --- updates ----------------------------------------------------------------------------------------------------- */

static stepping stepping_of(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states,
                            uint64_t *scratch) {
    int64_t *pending = (int64_t *)(void *)(scratch + gov_decision_scratch(t));
    return (stepping){t, sample, words, states, pending, pending};
}

static inline int holds(const stepping *p, const gov_test *tests, const gov_group *g) {
    const gov_test *test = tests + g->first_test;
    for (const gov_test *end = test + g->tests; test < end; test++)
        if (((uint64_t)p->words[test->column] - (uint64_t)test->lo > test->width) != test->outside) return 0;
    return !g->words || gov_run_code(g->code, g->words, p->words);
}

static inline int64_t value_of(const stepping *p, const gov_act *a) {
    switch (a->form) {
    case GOV_FORM_NUMBER: return a->number;
    case GOV_FORM_SUM: return (int64_t)((uint64_t)p->words[a->source] + (uint64_t)a->number);
    default: return gov_run(p->t, a->source, p->words);
    }
}

/* The new words of one stage, which are pending until all of it has been looked at. */
static void run_stage(stepping *p, const gov_stage *stage) {
    const struct gov_timing *timing = p->t->timing;
    const gov_group *g = timing->groups + stage->first_group;
    int64_t *pending = p->pending;
    for (const gov_group *end = g + stage->groups; g < end; g++) {
        if (!holds(p, timing->tests, g)) continue;
        const gov_act *a = timing->acts + g->first_act;
        for (const gov_act *last = a + g->acts; a < last; a++) {
            if (!p->states[a->scope]) continue;
            const int64_t value = value_of(p, a);
            pending[0] = a->column;
            pending[1] = value < a->lo ? a->lo : value > a->hi ? a->hi : value;
            pending += 2;
        }
    }
    p->end = pending;
}

/* The updates of the stages below `below`; returns the stage of that number, NULL: there is none. */
static const gov_stage *run_before(stepping *p, int32_t below) {
    const struct gov_timing *timing = p->t->timing;
    const uint32_t kind = timing->all ? 0 : p->sample->kind;
    const gov_stage *stage = timing->stages + timing->first[kind], *end = timing->stages + timing->first[kind + 1];
    for (; stage < end && stage->stage < below; stage++) {
        run_stage(p, stage);
        for (const int64_t *one = p->end; one > p->pending; one -= 2) p->words[one[-2]] = one[-1];
    }
    p->end = p->pending;
    return stage < end ? stage : NULL;
}

/* --- after ------------------------------------------------------------------------------------------------------- */

#define KEEP_RUNS(type, run, runs)                                                             \
    for (const gov_lane *end = lane + of[run] + ((runs) > 1 ? of[(run) + 1] + of[(run) + 2] : 0); lane < end; lane++) { \
        const type value = (type)words[lane->cell];                                            \
        memcpy(state + lane->offset, &value, sizeof value);                                    \
    }

static void keep_scope(const stepping *p, uint32_t scope) {
    const gov_table *t = p->t;
    const uint32_t *of = t->timing->runs[scope].of;
    const gov_lane *lane = t->timing->lanes + t->scopes[scope].first_cell;
    const int64_t *words = p->words + gov_cell_column(t, t->scopes[scope].first_cell);
    uint8_t *state = p->states[scope];
    memcpy(state, &p->sample->at_ms, sizeof p->sample->at_ms);
    KEEP_RUNS(uint64_t, GOV_RUN_WHOLE, 1)
    KEEP_RUNS(uint32_t, GOV_RUN_4, 3)
    KEEP_RUNS(uint16_t, GOV_RUN_2, 3)
    KEEP_RUNS(uint8_t, GOV_RUN_1, 3)
}

/* Puts what is pending into the words, and what they held into its place; `take_back` undoes it. */
static void put_pending(const stepping *p) {
    for (int64_t *one = p->end; one > p->pending; one -= 2) {
        const int64_t word = p->words[one[-2]];
        p->words[one[-2]] = one[-1];
        one[-1] = word;
    }
}
static void take_back(const stepping *p) {
    for (const int64_t *one = p->pending; one < p->end; one += 2) p->words[one[0]] = one[1];
}

/* All addressed cells, with what is pending; the words stay as the rules saw them. */
static void keep(const stepping *p) {
    put_pending(p);
    for (uint32_t s = 0; s < p->t->n_scopes; s++)
        if (p->states[s]) keep_scope(p, s);
    take_back(p);
}

static void decide(const stepping *p, uint64_t *scratch, gov_outcome *out) {
    const gov_table *t = p->t;
    gov_decide_valid(t, p->words, scratch, out);
    if (p->words[t->policy->request_columns + GOV_SAYS_FAULT] && !(t->memory->flags & GOV_READS_FAULT))
        gov_conclude(out, GOV_DENY, GOV_BY_CLOCK);
}

static void close_with(stepping *p, const gov_stage *close, const gov_outcome *out) {
    int64_t *decision = p->words + p->t->policy->request_columns + GOV_SAYS_DECISION;
    *decision = out->decision;
    if (close) run_stage(p, close);
    *decision = 0;
}

int gov_take(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states, uint64_t *scratch,
             gov_outcome *out) {
    stepping p = stepping_of(t, sample, words, states, scratch);
    gov_conclude(out, GOV_DENY, GOV_BY_INVALID);
    if (!t->memory || sample->kind >= GOV_FIRST_KIND + t->n_samples || sample->at_ms > GOV_TIME_MAX ||
        sample->at_ms < -GOV_TIME_MAX || !states[0]) return GOV_BAD_SAMPLE;
    int fits = 1;
    for (uint32_t s = 0; s < t->n_scopes; s++) fits &= grow_scope(&p, s);
    if (!fits) return GOV_BAD_STATE;
    say(&p);
    const int asked = sample->kind == GOV_REQUEST;
    if (!brought_fits(t, words, out)) return asked ? GOV_TAKEN : GOV_BAD_SAMPLE;
    if (is_refused(&p)) return GOV_REFUSED;
    if (asked && gov_first_broken(t, words, out)) return GOV_TAKEN;
    const gov_stage *close = run_before(&p, GOV_CLOSE);
    if (asked) decide(&p, scratch, out);
    if (!sample->keep) return GOV_TAKEN;
    if (asked) close_with(&p, close, out);
    keep(&p);
    return GOV_TAKEN;
}

/* --- silence ----------------------------------------------------------------------------------------------------- */

/* How long until a value that grows reaches the next point; GOV_UNKNOWN: never. */
static int64_t ahead(const int64_t *points, uint32_t count, int whole, int64_t value, int64_t cap) {
    if (whole) return value < cap ? 1 : GOV_UNKNOWN;
    for (uint32_t i = 0; i < count; i++)
        if (points[i] > value) return points[i] - value;
    return GOV_UNKNOWN;
}

int64_t gov_deadline(const gov_table *t, uint8_t *const *states, int64_t now) {
    int64_t least = GOV_UNKNOWN;
    for (uint32_t s = 0; s < t->n_scopes; s++) {
        const int64_t at = states[s] ? time_of(states[s]) : GOV_NEVER;
        if (at == GOV_NEVER) continue;
        const int64_t dt = since(now, at);
        for (uint32_t i = t->scopes[s].first_cell; i < t->scopes[s].first_cell + t->scopes[s].cells; i++) {
            const gov_cell *cell = &t->cells[i];
            if (!(cell->flags & GOV_GROWS) || !cell->bytes) continue;
            const int64_t value = grown(cell, read_cell(cell, t->bounds[gov_cell_column(t, i)].lo < 0, states[s]), dt);
            const int64_t ms = value < 0 ? GOV_UNKNOWN
                                         : ahead(t->points + cell->first_point, cell->points,
                                                 (cell->flags & GOV_WHOLE) != 0, value, cell->cap);
            if (ms < least) least = ms;
        }
        if (s != t->memory->key) continue;
        const int64_t ms = ahead(t->points, t->memory->gap_points, (t->memory->flags & GOV_GAP_WHOLE) != 0, dt, GOV_TIME_MAX);
        if (ms < least) least = ms;
    }
    return now > 0 && least > INT64_MAX - now ? GOV_UNKNOWN : least == GOV_UNKNOWN ? GOV_UNKNOWN : now + least;
}

/* The gap of an instance that is forgotten reads as the longest one, so a gap that conditions tell from it is kept. */
static int gap_is_long(const gov_table *t, uint32_t scope, int64_t at, int64_t now) {
    const uint32_t points = t->memory->gap_points;
    if (scope != t->memory->key || at == GOV_NEVER) return 1;
    if (t->memory->flags & GOV_GAP_WHOLE) return 0;
    return !points || since(now, at) >= t->points[points - 1];
}

int gov_state_idle(const gov_table *t, uint32_t scope, uint8_t *state, int64_t now, int64_t *words, uint64_t *scratch) {
    const gov_scope *s = &t->scopes[scope];
    const int64_t at = time_of(state);
    if (at == GOV_UNKNOWN || at > now || !gap_is_long(t, scope, at, now)) return at == GOV_NEVER;
    uint8_t *states[GOV_SCOPES_MAX] = {NULL};
    states[scope] = state;
    const gov_sample silence = {now, GOV_TICK, 0};
    stepping p = stepping_of(t, &silence, words, states, scratch);
    gov_words(t, words);
    for (uint32_t i = 0; i < t->n_scopes; i++)
        if (!grow_scope(&p, i)) return 0;
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++) {
        const int64_t value = words[gov_cell_column(t, i)];
        if (t->cells[i].flags & GOV_GROWS && value >= 0 && value != t->cells[i].cap) return 0;
    }
    say(&p);
    run_before(&p, 0);
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        if (words[gov_cell_column(t, i)] != t->cells[i].initial) return 0;
    return 1;
}
