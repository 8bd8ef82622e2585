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
    int64_t *pending;   /* pairs of a column and its new word */
    uint32_t n_pending;
    const uint32_t *end; /* of the updates of this kind of sample */
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

/* --- before ------------------------------------------------------------------------------------------------------ */

/* The words of a scope's cells; 0: the instance does not add up. */
#define GROW_RUN(type, count)                                                               \
    for (const uint8_t *end = from + (count) * sizeof(type); from < end; from += sizeof(type)) { \
        type raw;                                                                           \
        memcpy(&raw, from, sizeof raw);                                                     \
        const int64_t value = (int64_t)(((uint64_t)raw ^ lane->sign) - lane->sign);         \
        fits &= (uint64_t)value - (uint64_t)lane->lo <= lane->width;                        \
        const int64_t room = (int64_t)((uint64_t)lane->cap - (uint64_t)value);              \
        const int64_t later = dt >= room ? lane->cap : (int64_t)((uint64_t)value + (uint64_t)dt); \
        *words++ = (lane->cap >= 0) & (value >= 0) ? later : value;                         \
        lane++;                                                                             \
    }

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
    const gov_sizes *sizes = &t->timing->sizes[scope];
    const gov_lane *lane = t->timing->lanes + s->first_cell;
    const uint8_t *from = state + GOV_STATE_HEAD;
    const int64_t dt = since(p->sample->at_ms, at);
    int fits = time_fits(at);
    GROW_RUN(uint64_t, sizes->of[0])
    GROW_RUN(uint32_t, sizes->of[1])
    GROW_RUN(uint16_t, sizes->of[2])
    GROW_RUN(uint8_t, sizes->of[3])
    for (uint32_t i = s->cells - sizes->of[4]; i < s->cells; i++) *words++ = cells[i].initial;
    return fits;
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

/* The value of a program; most are a constant or a word. */
static inline int64_t value_of(const stepping *p, uint32_t program) {
    const gov_program *own = &p->t->programs[program];
    const uint64_t *code = p->t->code + own->first;
    if (own->words == 1) return p->words[gov_column_of(code[0])]; /* only LOAD has one word and leaves a value */
    if (own->words == 2 && gov_kind_of(code[0]) == GOV_OP_CONST) return (int64_t)code[1];
    return gov_run(p->t, program, p->words);
}

/* `known` and `holds` are the last condition of this stage and what it came to: no word changes within a stage. */
static inline int applies(const stepping *p, const gov_update *u, uint32_t *known, int *holds) {
    if (u->kind != GOV_NONE && u->kind != p->sample->kind) return 0;
    if (u->condition == GOV_NONE) return 1;
    if (u->condition != *known) {
        *known = u->condition;
        *holds = gov_run(p->t, u->condition, p->words) != 0;
    }
    return *holds;
}

static int64_t *pending_of(const gov_table *t, uint64_t *scratch) {
    return (int64_t *)(void *)(scratch + gov_decision_scratch(t));
}

static void set_pending(stepping *p, const gov_update *u) {
    const uint32_t column = gov_cell_column(p->t, u->cell);
    const gov_column *c = &p->t->columns[column];
    const int64_t value = value_of(p, u->value);
    p->pending[2 * p->n_pending] = column;
    p->pending[2 * p->n_pending + 1] = value < c->lo ? c->lo : value > c->hi ? c->hi : value;
    p->n_pending++;
}

/* The updates of one stage, from a place in the order on; of each cell the first that applies.  Returns where the next
   stage begins. */
static const uint32_t *run_stage(stepping *p, const uint32_t *at) {
    const gov_table *t = p->t;
    const int32_t stage = t->updates[*at].stage;
    uint32_t set = GOV_NONE, known = GOV_NONE;
    int holds = 0;
    p->n_pending = 0;
    for (; at < p->end && t->updates[*at].stage == stage; at++) {
        const gov_update *u = &t->updates[*at];
        if (u->cell == set || !p->states[t->cells[u->cell].scope] || !applies(p, u, &known, &holds)) continue;
        set_pending(p, u);
        set = u->cell;
    }
    return at;
}

/* The updates of the stages below `stage`; returns where the others begin. */
static const uint32_t *run_before(stepping *p, int32_t stage) {
    const struct gov_timing *timing = p->t->timing;
    const uint32_t *at = timing->order + (timing->all ? 0 : timing->first[p->sample->kind]);
    p->end = timing->order + (timing->all ? p->t->n_updates : timing->first[p->sample->kind + 1]);
    while (at < p->end && p->t->updates[*at].stage < stage) {
        at = run_stage(p, at);
        for (uint32_t k = 0; k < p->n_pending; k++) p->words[p->pending[2 * k]] = p->pending[2 * k + 1];
    }
    p->n_pending = 0;
    return at;
}

/* --- after ------------------------------------------------------------------------------------------------------- */

#define KEEP_RUN(type, count)                                                       \
    for (uint8_t *end = to + (count) * sizeof(type); to < end; to += sizeof(type)) { \
        const type value = (type)*words++;                                          \
        memcpy(to, &value, sizeof value);                                           \
    }

static void keep_scope(const stepping *p, uint32_t scope) {
    const gov_table *t = p->t;
    const gov_sizes *sizes = &t->timing->sizes[scope];
    const int64_t *words = p->words + gov_cell_column(t, t->scopes[scope].first_cell);
    uint8_t *to = p->states[scope] + GOV_STATE_HEAD;
    memcpy(p->states[scope], &p->sample->at_ms, sizeof p->sample->at_ms);
    KEEP_RUN(uint64_t, sizes->of[0])
    KEEP_RUN(uint32_t, sizes->of[1])
    KEEP_RUN(uint16_t, sizes->of[2])
    KEEP_RUN(uint8_t, sizes->of[3])
}

static void keep(const stepping *p) {
    const gov_table *t = p->t;
    for (uint32_t s = 0; s < t->n_scopes; s++)
        if (p->states[s]) keep_scope(p, s);
    for (uint32_t k = 0; k < p->n_pending; k++) {
        const gov_cell *cell = &t->cells[p->pending[2 * k] - gov_cell_column(t, 0)];
        if (cell->bytes) write_cell(cell, p->pending[2 * k + 1], p->states[cell->scope]);
    }
}

static void decide(const stepping *p, uint64_t *scratch, gov_outcome *out) {
    const gov_table *t = p->t;
    gov_decide_valid(t, p->words, scratch, out);
    if (p->words[t->policy->request_columns + GOV_SAYS_FAULT] && !(t->memory->flags & GOV_READS_FAULT))
        gov_conclude(out, GOV_DENY, GOV_BY_CLOCK);
}

static void close_with(stepping *p, const uint32_t *first, const gov_outcome *out) {
    int64_t *decision = p->words + p->t->policy->request_columns + GOV_SAYS_DECISION;
    *decision = out->decision;
    if (first < p->end) run_stage(p, first);
    *decision = 0;
}

int gov_take(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states, uint64_t *scratch,
             gov_outcome *out) {
    stepping p = {t, sample, words, states, pending_of(t, scratch), 0, NULL};
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
    const uint32_t *close = run_before(&p, GOV_CLOSE);
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
    stepping p = {t, &silence, words, states, pending_of(t, scratch), 0, NULL};
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
