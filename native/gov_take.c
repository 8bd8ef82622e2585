/* One sample: see gov_time.h, whose words are used here.

   INVARIANT: a word of a remembered column lies in its range: it is read from a checked instance or held to the range
   when it is set.  So what the masks of a plan rely on holds, whatever table and state come in. */

#include "gov_grow.h"
#include "gov_timing.h"

#include <assert.h>

typedef struct { const gov_act *act; int64_t value; } change; /* two words of scratch */

typedef struct {
    const gov_table *t;
    const gov_sample *sample;
    int64_t now;
    int64_t *words;
    uint8_t *const *states;
    uint64_t *scratch;
    int late, begins;              /* some instance that is addressed has had a later sample; has had none */
} stepping;

uint32_t gov_scopes(const gov_table *t) { return t->n_scopes; }
uint32_t gov_state_bytes(const gov_table *t, uint32_t scope) { return t->scopes[scope].bytes; }

/* --- before ------------------------------------------------------------------------------------------------------ */

/* The first sample of an instance: nothing has grown yet, whatever it starts with. */
static GOV_APART int unpack_first(const stepping p, const gov_pack *pack) {
    gov_unpack(pack, pack->start, 0, p.scratch, p.words);
    gov_unpack_none(pack, p.words);
    return 1;
}

/* The words of a scope that is addressed, `now`; 0: the instance does not add up. */
GOV_INLINE int unpack_one(stepping *p, const gov_pack *pack, const uint8_t *state) {
    const int64_t at = gov_time_of(state);
    int64_t dt = 0; /* where the clock went back or nobody knows */
    if (GOV_LIKELY((uint64_t)at + GOV_TIME_MAX <= 2 * (uint64_t)GOV_TIME_MAX))
        dt = (int64_t)((uint64_t)p->now - (uint64_t)at);
    else if (at == GOV_NEVER) return p->begins = unpack_first(*p, pack);
    else if (at != GOV_UNKNOWN) return 0;
    if (GOV_UNLIKELY(at > p->now)) dt = 0, p->late = 1;
    return !pack->cells || gov_unpack(pack, state, dt, p->scratch, p->words);
}

/* The words of all cells; 0: some instance does not add up. */
GOV_INLINE int unpack(stepping *p) {
    const gov_pack *pack = p->t->packs->of + p->t->n_scopes;
    for (uint8_t *const *state = p->states + p->t->n_scopes; state > p->states;) {
        pack--, state--;
        if (!*state) gov_unpack_none(pack, p->words);
        else if (!unpack_one(p, pack, *state)) return 0;
    }
    return 1;
}

static GOV_APART void begin_instances(const stepping p) {
    const gov_pack *pack = p.t->packs->of;
    for (uint32_t s = 0; s < p.t->n_scopes; s++, pack++)
        if (p.states[s] && gov_time_of(p.states[s]) == GOV_NEVER) memcpy(p.states[s], pack->start, pack->bytes);
}

/* Nothing refuses the sample any more: if it is kept the instances grow.  Sets `nobody` to instances that nobody reads,
   NULL where it addresses none; returns where updates write. */
GOV_INLINE uint8_t *const *open_instances(const stepping *p, uint8_t **nobody) {
    const gov_pack *pack = p->t->packs->of;
    const uint32_t scopes = p->t->n_scopes, keep = p->sample->keep;
    if (GOV_UNLIKELY(p->begins) && keep) begin_instances(*p);
    for (uint32_t s = 0; s < scopes; s++, pack++) {
        uint8_t *const state = p->states[s];
        nobody[s] = state ? gov_spare(pack, p->scratch) : NULL;
        if (state && keep) gov_keep_grown(p->t, pack, p->now, p->scratch, p->words, state);
    }
    return keep ? p->states : nobody;
}

GOV_INLINE void say(const stepping *p) {
    const uint8_t *state = p->states[p->t->memory->key];
    const int64_t at = state ? gov_time_of(state) : GOV_NEVER;
    const uint64_t gap = at < p->now ? (uint64_t)p->now - (uint64_t)at : 0; /* of GOV_NEVER: beyond GOV_TIME_MAX */
    int64_t *says = p->words + p->t->policy->request_columns;
    says[GOV_SAYS_KIND] = p->sample->kind;
    says[GOV_SAYS_GAP] = gap < GOV_TIME_MAX ? (int64_t)gap : GOV_TIME_MAX;
    says[GOV_SAYS_DECISION] = 0;
    says[GOV_SAYS_FAULT] = p->late;
}

static inline int range_fits(const gov_table *t, uint32_t first, uint32_t end, const int64_t *words, gov_outcome *out) {
    const gov_bound *bound = t->bounds + first;
    for (const int64_t *word = words + first; word < words + end; word++, bound++) {
        if (GOV_LIKELY(gov_in_bound(bound, *word))) continue;
        out->culprit = (uint32_t)(word - words);
        return 0;
    }
    return 1;
}

/* Whether what the sample brings is in range; what is remembered is. */
static int brought_fits(const gov_table *t, const int64_t *words, gov_outcome *out) {
    return range_fits(t, 0, t->policy->request_columns, words, out) &&
           range_fits(t, gov_cell_column(t, t->n_cells), t->n_checked, words, out);
}

GOV_INLINE int is_refused(const stepping *p, const gov_course *course) {
    return course->permit != GOV_NONE && !p->words[course->permit];
}

/* --- updates ----------------------------------------------------------------------------------------------------- */

static inline int passes(const gov_test *test, const int64_t *words) {
    return (uint64_t)words[test->column] - (uint64_t)test->lo <= test->width;
}

/* The rest of what a group asks. */
static int rest_holds(const gov_table *t, const gov_group *g, const int64_t *words) {
    const gov_test *test = t->timing->tests + g->first_more;
    for (const gov_test *end = test + g->more; test < end; test++)
        if (!passes(test, words)) return 0;
    return !g->words || gov_run_code(g->code, g->words, words);
}

static inline int group_holds(const gov_table *t, const gov_group *g, const int64_t *words) {
    return passes(&g->first, words) && passes(&g->second, words) && (!g->has_more || rest_holds(t, g, words));
}

static inline int64_t sum_of(const gov_act *a, const int64_t *words) {
    return (int64_t)(((uint64_t)words[a->source] & a->mask) + (uint64_t)a->number);
}

static inline int64_t value_of(const gov_table *t, const gov_act *a, const int64_t *words) {
    if (GOV_LIKELY(a->form == GOV_FORM_SUM)) return sum_of(a, words);
    const int64_t value = a->form == GOV_FORM_HELD ? sum_of(a, words) : gov_run(t, a->source, words);
    return value < a->lo ? a->lo : value > a->hi ? a->hi : value;
}

/* Cells of a ring, which in the instance are what their words are. */
static inline void move_ring(const gov_act *a, int closes, int64_t *words, uint8_t *state) {
    const uint32_t before = a->count - 1u, bytes_before = before * a->bytes;
    memmove(state + a->place - bytes_before, state + a->from - bytes_before, (size_t)a->count * a->bytes);
    if (!closes) memmove(words + a->column - before, words + a->source - before, a->count * sizeof *words);
}

/* Sets cells, and their words unless `closes`. */
GOV_INLINE void set(const gov_table *t, const gov_act *a, int closes, int64_t *words, uint8_t *state) {
    if (a->form == GOV_FORM_RING) {
        move_ring(a, closes, words, state);
        return;
    }
    const int64_t value = value_of(t, a, words);
    if (!closes) words[a->column] = value;
    gov_write(state + a->place, a->bytes, value);
}

GOV_INLINE void run_at_once(const gov_table *t, const gov_stage *stage, int closes, int64_t *words,
                            uint8_t *const *to) {
    const gov_group *g = stage->first, *last = stage->end;
    while (g < last) {
        if (g->leads) {
            const gov_group *const led = g->leads[words[g->by] - g->from];
            if (led == g->next) {
                g = led;
                continue;
            }
            g = led;
        }
        if (!group_holds(t, g, words)) {
            g = g->otherwise;
            continue;
        }
        for (const gov_act *a = g->act, *end = g->end; a < end; a++)
            if (to[a->scope]) set(t, a, closes, words, to[a->scope]);
        g = g->next;
    }
}

/* Runs a stage that closes: what does not apply is written too, to `nobody`. */
static inline void run_blindly(const gov_table *t, const gov_stage *stage, int64_t *words, uint8_t *const *to,
                               uint8_t *const *nobody) {
    uint8_t *const *const where[] = {nobody, to};
    for (const gov_group *g = stage->first; g < stage->end; g++) {
        uint8_t *const *const at = where[passes(&g->first, words) & passes(&g->second, words)];
        for (const gov_act *a = g->act, *end = g->end; a < end; a++)
            if (at[a->scope]) set(t, a, 1, words, at[a->scope]);
    }
}

/* Of several changes of one cell the first counts, so they are made from the end on. */
static void run_apart(const gov_table *t, const gov_stage *stage, int closes, int64_t *words, uint8_t *const *to,
                      change *start) {
    change *changes = start;
    for (const gov_group *g = stage->first; g < stage->end; g++) {
        if (!group_holds(t, g, words)) continue;
        for (const gov_act *a = g->act; a < g->end; a++)
            if (to[a->scope]) *changes++ = (change){a, value_of(t, a, words)};
    }
    while (changes-- > start) {
        const gov_act *a = changes->act;
        if (!closes) words[a->column] = changes->value;
        gov_write(to[a->scope] + a->place, a->bytes, changes->value);
    }
}

static GOV_APART void run_many(const stepping p, const gov_stage *stage, const gov_stage *end, int closes,
                               uint8_t *const *to) {
    change *changes = (change *)(void *)(p.scratch + p.t->packs->changes);
    for (; stage < end; stage++) {
        if (!stage->at_once) run_apart(p.t, stage, closes, p.words, to, changes);
        else if (closes) run_at_once(p.t, stage, 1, p.words, to);
        else run_at_once(p.t, stage, 0, p.words, to);
    }
}

/* Runs some stages, of which there is mostly one.  What `closes` leaves the words as the rules saw them. */
GOV_INLINE void run(const stepping *p, const gov_stage *stage, const gov_stage *end, int closes, uint8_t *const *to) {
    if (GOV_LIKELY(stage + 1 == end && stage->at_once)) run_at_once(p->t, stage, closes, p->words, to);
    else run_many(*p, stage, end, closes, to);
}

/* --- deciding ---------------------------------------------------------------------------------------------------- */

GOV_INLINE void decide(const stepping *p, gov_outcome *out) {
    gov_decide_valid(p->t, p->words, p->scratch, out);
    if (GOV_UNLIKELY(p->late) && !(p->t->memory->flags & GOV_READS_FAULT)) gov_conclude(out, GOV_DENY, GOV_BY_CLOCK);
}

GOV_INLINE void close_with(const stepping *p, const gov_course *course, const gov_outcome *out,
                           uint8_t *const *nobody) {
    int64_t *decision = p->words + p->t->policy->request_columns + GOV_SAYS_DECISION;
    const gov_stage *const stage = course->close;
    if (stage == course->end) return;
    assert(stage + 1 == course->end);
    *decision = out->decision;
    if (stage->blindly) run_blindly(p->t, stage, p->words, p->states, nobody);
    else run_many(*p, stage, course->end, 1, p->states);
    *decision = 0;
}

int gov_take(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states, uint64_t *scratch,
             gov_outcome *out) {
    uint8_t *nobody[GOV_SCOPES_MAX];
    gov_conclude(out, GOV_DENY, GOV_BY_INVALID);
    if (!t->memory || sample->kind >= GOV_FIRST_KIND + t->n_samples || !states[0] ||
        (uint64_t)sample->at_ms + GOV_TIME_MAX > 2 * (uint64_t)GOV_TIME_MAX) return GOV_BAD_SAMPLE;
    stepping p = {t, sample, sample->at_ms, words, states, scratch, 0, 0};
    const gov_course *course = &t->timing->courses[sample->kind];
    if (!unpack(&p)) return GOV_BAD_STATE;
    say(&p);
    const int asked = sample->kind == GOV_REQUEST;
    if (!brought_fits(t, words, out)) return asked ? GOV_TAKEN : GOV_BAD_SAMPLE;
    if (is_refused(&p, course)) return GOV_REFUSED;
    if (asked && gov_first_broken(t, words, out)) return GOV_TAKEN;
    run(&p, course->first, course->close, 0, open_instances(&p, nobody));
    if (!asked) return GOV_TAKEN;
    decide(&p, out);
    if (sample->keep) close_with(&p, course, out, nobody);
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
        const int64_t at = states[s] ? gov_time_of(states[s]) : GOV_NEVER;
        if (at == GOV_NEVER) continue;
        const int64_t dt = gov_since(now, at);
        for (uint32_t i = t->scopes[s].first_cell; i < t->scopes[s].first_cell + t->scopes[s].cells; i++) {
            const gov_cell *cell = &t->cells[i];
            if (!(cell->flags & GOV_GROWS) || !cell->bytes) continue;
            const int is_signed = t->bounds[gov_cell_column(t, i)].lo < 0;
            const int64_t value = gov_grown(gov_read_cell(cell, is_signed, states[s]), dt, cell->cap);
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
    return !points || gov_since(now, at) >= t->points[points - 1];
}

int gov_state_idle(const gov_table *t, uint32_t scope, uint8_t *state, int64_t now, int64_t *words, uint64_t *scratch) {
    const gov_scope *s = &t->scopes[scope];
    const int64_t at = gov_time_of(state);
    if (at == GOV_UNKNOWN || at > now || !gap_is_long(t, scope, at, now)) return at == GOV_NEVER;
    uint8_t *states[GOV_SCOPES_MAX] = {NULL};
    states[scope] = state;
    const gov_sample silence = {now, GOV_TICK, 0};
    uint8_t *nobody[GOV_SCOPES_MAX];
    stepping p = {t, &silence, now, words, states, scratch, 0, 0};
    gov_words(t, words);
    if (!unpack(&p)) return 0;
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++) {
        const int64_t value = words[gov_cell_column(t, i)];
        if (t->cells[i].flags & GOV_GROWS && value >= 0 && value != t->cells[i].cap) return 0;
    }
    say(&p);
    const gov_course *tick = &t->timing->courses[GOV_TICK];
    run(&p, tick->first, tick->silent, 0, open_instances(&p, nobody));
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        if (words[gov_cell_column(t, i)] != t->cells[i].initial) return 0;
    return 1;
}
