/* One sample: see gov_time.h, whose words are used here.

   INVARIANT: a word of a remembered column lies in its range: it is read from a checked instance or held to the range
   when it is set.  So what the masks of a plan rely on holds, whatever table and state come in. */

#include "gov_grow.h"
#include "gov_timing.h"

typedef struct { const gov_act *act; int64_t value; } change; /* two words of scratch */

typedef struct {
    const gov_table *t;
    const gov_sample *sample;
    int64_t now;
    int64_t *words;
    uint8_t *const *states;
    change *changes;
    uint8_t *room;                 /* of the instances, see gov_pack */
    uint8_t *const *to;            /* where updates write: the instances, or to nobody; NULL: not addressed */
    int late;                      /* some instance that is addressed has had a later sample */
} stepping;

uint32_t gov_scopes(const gov_table *t) { return t->n_scopes; }
uint32_t gov_state_bytes(const gov_table *t, uint32_t scope) { return t->scopes[scope].bytes; }

/* Nothing keeps its address, so that it stays in registers. */
GOV_INLINE stepping stepping_of(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states,
                                uint64_t *scratch) {
    change *changes = (change *)(void *)(scratch + t->packs->changes);
    return (stepping){t, sample, sample->at_ms, words, states, changes, (uint8_t *)(scratch + t->packs->rooms), states, 0};
}

/* --- before ------------------------------------------------------------------------------------------------------ */

GOV_INLINE uint8_t *room_of(const stepping *p, const gov_pack *pack) { return p->room + 8 * (size_t)pack->room; }

/* ms since a time that an instance may have, other than GOV_NEVER; 0 where the clock went back or nobody knows. */
GOV_INLINE int64_t passed(const stepping *p, int64_t at) {
    return at < p->now ? (int64_t)((uint64_t)p->now - (uint64_t)at) : 0;
}

/* The first sample of an instance: nothing has grown yet, whatever it starts with. */
static GOV_APART int unpack_first(const stepping p, const gov_pack *pack) {
    gov_unpack(pack, pack->start, 0, room_of(&p, pack), p.words);
    gov_unpack_none(pack, p.words);
    return 1;
}

/* The words of a scope that is addressed, `now`; 0: the instance does not add up. */
GOV_INLINE int unpack_one(stepping *p, const gov_pack *pack, const uint8_t *state) {
    const int64_t at = gov_time_of(state);
    p->late |= at > p->now;
    if (GOV_UNLIKELY((uint64_t)at + GOV_TIME_MAX > 2 * (uint64_t)GOV_TIME_MAX)) {
        if (at == GOV_NEVER) return unpack_first(*p, pack);
        if (at != GOV_UNKNOWN) return 0;
    }
    return !pack->cells || gov_unpack(pack, state, passed(p, at), room_of(p, pack), p->words);
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

/* Nothing refuses the sample any more: if it is kept the instances grow, and updates go into them. */
GOV_INLINE void open_instances(stepping *p, uint8_t **nobody) {
    const gov_pack *pack = p->t->packs->of;
    const uint32_t scopes = p->t->n_scopes;
    if (GOV_LIKELY(p->sample->keep)) {
        for (uint32_t s = 0; s < scopes; s++, pack++)
            if (p->states[s]) gov_keep_grown(p->t, pack, p->now, room_of(p, pack), p->words, p->states[s]);
        return;
    }
    for (uint32_t s = 0; s < scopes; s++, pack++) nobody[s] = p->states[s] ? gov_spare(pack, room_of(p, pack)) : NULL;
    p->to = nobody;
}

GOV_INLINE int64_t last_of(const stepping *p, uint32_t scope) {
    return p->states[scope] ? gov_time_of(p->states[scope]) : GOV_NEVER;
}

GOV_INLINE void say(const stepping *p) {
    const gov_table *t = p->t;
    int64_t *says = p->words + t->policy->request_columns;
    const int64_t at = last_of(p, t->memory->key), gap = at == GOV_NEVER ? GOV_TIME_MAX : passed(p, at);
    says[GOV_SAYS_KIND] = p->sample->kind;
    says[GOV_SAYS_GAP] = gap < GOV_TIME_MAX ? gap : GOV_TIME_MAX;
    says[GOV_SAYS_DECISION] = 0;
    says[GOV_SAYS_FAULT] = p->late;
}

static inline int range_fits(const gov_table *t, uint32_t first, uint32_t end, const int64_t *words, gov_outcome *out) {
    for (uint32_t c = first; c < end; c++) {
        if (GOV_LIKELY(gov_in_bound(&t->bounds[c], words[c]))) continue;
        out->culprit = c;
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

#define GOV_SET_RING(type)                                                                 \
    for (; to > end; to--, from--, at -= sizeof(type)) {                                   \
        const uint64_t value = ((uint64_t)*from & a->mask) + (uint64_t)a->number;          \
        const type cell = (type)value;                                                     \
        if (!closes) *to = (int64_t)value;                                                 \
        memcpy(at, &cell, sizeof cell);                                                    \
    }

/* Cells one behind the other, from the last one on. */
GOV_INLINE void set_ring(const gov_act *a, int closes, int64_t *words, uint8_t *at) {
    int64_t *to = words + a->column, *const end = to - a->count;
    const int64_t *from = words + a->source;
    if (a->bytes == 2) GOV_SET_RING(uint16_t)
    else if (a->bytes == 4) GOV_SET_RING(uint32_t)
    else if (a->bytes == 1) GOV_SET_RING(uint8_t)
    else GOV_SET_RING(uint64_t)
}

/* Sets cells, and their words unless `closes`. */
GOV_INLINE void set(const gov_table *t, const gov_act *a, int closes, int64_t *words, uint8_t *state) {
    if (GOV_UNLIKELY(a->count > 1)) {
        set_ring(a, closes, words, state + a->place);
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
        if (!group_holds(t, g, words)) {
            g++;
            continue;
        }
        for (const gov_act *a = g->act, *end = g->end; a < end; a++)
            if (to[a->scope]) set(t, a, closes, words, to[a->scope]);
        g = g->next;
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

static GOV_APART void run_many(const stepping p, const gov_stage *stage, const gov_stage *end, int closes) {
    for (; stage < end; stage++) {
        if (!stage->at_once) run_apart(p.t, stage, closes, p.words, p.to, p.changes);
        else if (closes) run_at_once(p.t, stage, 1, p.words, p.to);
        else run_at_once(p.t, stage, 0, p.words, p.to);
    }
}

/* Runs some stages, of which there is mostly one.  What `closes` leaves the words as the rules saw them. */
GOV_INLINE void run(const stepping *p, const gov_stage *stage, const gov_stage *end, int closes) {
    if (GOV_LIKELY(stage + 1 == end && stage->at_once)) run_at_once(p->t, stage, closes, p->words, p->to);
    else run_many(*p, stage, end, closes);
}

/* --- deciding ---------------------------------------------------------------------------------------------------- */

GOV_INLINE void decide(const stepping *p, uint64_t *scratch, gov_outcome *out) {
    const gov_table *t = p->t;
    gov_decide_valid(t, p->words, scratch, out);
    if (p->words[t->policy->request_columns + GOV_SAYS_FAULT] && !(t->memory->flags & GOV_READS_FAULT))
        gov_conclude(out, GOV_DENY, GOV_BY_CLOCK);
}

GOV_INLINE void close_with(const stepping *p, const gov_course *course, const gov_outcome *out) {
    int64_t *decision = p->words + p->t->policy->request_columns + GOV_SAYS_DECISION;
    *decision = out->decision;
    run(p, course->close, course->end, 1);
    *decision = 0;
}

int gov_take(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states, uint64_t *scratch,
             gov_outcome *out) {
    uint8_t *nobody[GOV_SCOPES_MAX];
    gov_conclude(out, GOV_DENY, GOV_BY_INVALID);
    if (!t->memory || sample->kind >= GOV_FIRST_KIND + t->n_samples || !states[0] ||
        (uint64_t)sample->at_ms + GOV_TIME_MAX > 2 * (uint64_t)GOV_TIME_MAX) return GOV_BAD_SAMPLE;
    stepping p = stepping_of(t, sample, words, states, scratch);
    const gov_course *course = &t->timing->courses[sample->kind];
    if (!unpack(&p)) return GOV_BAD_STATE;
    say(&p);
    const int asked = sample->kind == GOV_REQUEST;
    if (!brought_fits(t, words, out)) return asked ? GOV_TAKEN : GOV_BAD_SAMPLE;
    if (is_refused(&p, course)) return GOV_REFUSED;
    if (asked && gov_first_broken(t, words, out)) return GOV_TAKEN;
    open_instances(&p, nobody);
    run(&p, course->first, course->close, 0);
    if (!asked) return GOV_TAKEN;
    decide(&p, scratch, out);
    if (sample->keep) close_with(&p, course, out);
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
    stepping p = stepping_of(t, &silence, words, states, scratch);
    gov_words(t, words);
    if (!unpack(&p)) return 0;
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++) {
        const int64_t value = words[gov_cell_column(t, i)];
        if (t->cells[i].flags & GOV_GROWS && value >= 0 && value != t->cells[i].cap) return 0;
    }
    say(&p);
    open_instances(&p, nobody);
    run(&p, t->timing->courses[GOV_TICK].first, t->timing->courses[GOV_TICK].silent, 0);
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        if (words[gov_cell_column(t, i)] != t->cells[i].initial) return 0;
    return 1;
}
