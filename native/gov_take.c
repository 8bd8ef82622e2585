/* One sample: see gov_time.h, whose words are used here.

   INVARIANT: a word of a remembered column lies in its range: it is read from a checked instance or held to the range
   when it is set.  So what the masks of a plan rely on holds, whatever table and state come in. */

#include "gov_pack.h"
#include "gov_timing.h"

typedef struct { const gov_act *act; int64_t value; } change; /* two words of scratch */

typedef struct {
    const gov_table *t;
    const gov_sample *sample;
    int64_t *words;
    uint8_t *const *states;
    change *changes;
    uint8_t *copies; /* of the instances */
} stepping;

uint32_t gov_scopes(const gov_table *t) { return t->n_scopes; }
uint32_t gov_state_bytes(const gov_table *t, uint32_t scope) { return t->scopes[scope].bytes; }

static stepping stepping_of(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states,
                            uint64_t *scratch) {
    uint64_t *changes = scratch + gov_decision_scratch(t);
    return (stepping){t, sample, words, states, (change *)(void *)changes, (uint8_t *)(changes + 2 * t->n_updates)};
}

/* --- before ------------------------------------------------------------------------------------------------------ */

/* The words of all cells, `now`; 0: some instance does not add up. */
static int unpack(const stepping *p) {
    for (uint32_t s = p->t->n_scopes; s--;) {
        const gov_pack *pack = &p->t->packs->of[s];
        if (!p->states[s]) gov_unpack_none(pack, p->words);
        else if (!gov_unpack(p->t, pack, p->states[s], p->sample->at_ms, p->copies + 8 * (size_t)pack->copy, p->words)) return 0;
    }
    return 1;
}

static inline int64_t last_of(const stepping *p, uint32_t scope) {
    return p->states[scope] ? gov_time_of(p->states[scope]) : GOV_NEVER;
}

static void say(const stepping *p) {
    const gov_table *t = p->t;
    int64_t *says = p->words + t->policy->request_columns;
    const int64_t now = p->sample->at_ms;
    says[GOV_SAYS_KIND] = p->sample->kind;
    says[GOV_SAYS_DECISION] = 0;
    const int64_t at = last_of(p, t->memory->key), gap = gov_since(now, at);
    says[GOV_SAYS_FAULT] = 0;
    for (uint32_t s = 0; s < t->n_scopes; s++) says[GOV_SAYS_FAULT] |= last_of(p, s) > now;
    says[GOV_SAYS_GAP] = at == GOV_NEVER || gap > GOV_TIME_MAX ? GOV_TIME_MAX : gap;
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

static int is_refused(const stepping *p) {
    if (p->sample->kind < GOV_FIRST_KIND) return 0;
    const uint32_t permit = p->t->samples[p->sample->kind - GOV_FIRST_KIND].permit;
    return permit != GOV_NONE && !p->words[gov_cell_column(p->t, permit)];
}

/* --- updates ----------------------------------------------------------------------------------------------------- */

static inline int passes(const gov_test *test, const int64_t *words) {
    return (uint64_t)words[test->column] - (uint64_t)test->lo <= test->width;
}

/* The rest of what a group asks. */
static int holds(const gov_table *t, const gov_group *g, const int64_t *words) {
    const gov_test *test = t->timing->tests + g->first_more;
    for (const gov_test *end = test + g->more; test < end; test++)
        if (!passes(test, words)) return 0;
    return !g->words || gov_run_code(g->code, g->words, words);
}

static inline int64_t value_of(const stepping *p, const gov_act *a) {
    if (a->form == GOV_FORM_NUMBER) return a->number;
    const int64_t value = a->form == GOV_FORM_SUM ? (int64_t)((uint64_t)p->words[a->source] + (uint64_t)a->number)
                                                  : gov_run(p->t, a->source, p->words);
    return value < a->lo ? a->lo : value > a->hi ? a->hi : value;
}

/* Adds what the updates of some stages change to `changes`, the last of which is returned.  Of several of one cell in a
   stage the first counts, so they are put into the words from the end on.  What `closes` leaves the words as the rules
   saw them. */
static change *run(const stepping *p, uint32_t first, uint32_t end, change *changes, int closes) {
    const struct gov_timing *timing = p->t->timing;
    change *start = changes;
    for (const gov_group *g = timing->groups + first, *last = timing->groups + end; g < last; g++) {
        if (passes(&g->first, p->words) && (!(g->more | g->words) || holds(p->t, g, p->words)))
            for (const gov_act *a = timing->acts + g->first_act, *behind = a + g->acts; a < behind; a++)
                if (p->states[a->scope]) *changes++ = (change){a, value_of(p, a)};
        if (!g->ends || closes) continue;
        for (const change *one = changes; one-- > start;) p->words[one->act->column] = one->value;
        start = changes;
    }
    return changes;
}

static const gov_course *course_of(const stepping *p) {
    return p->t->timing->courses + (p->t->timing->all ? 0 : p->sample->kind);
}

/* --- after ------------------------------------------------------------------------------------------------------- */

static void keep_change(const stepping *p, const change *one, int64_t value) {
    gov_write(p->states[one->act->scope] + one->act->place, one->act->bytes, value);
}

/* The copies become the instances, with what has changed since; the words stay as the rules saw them. */
static void keep(const stepping *p, const change *close, const change *end) {
    const gov_pack *pack = p->t->packs->of;
    for (uint32_t s = 0; s < p->t->n_scopes; s++, pack++)
        if (p->states[s]) memcpy(p->states[s], p->copies + 8 * (size_t)pack->copy, pack->bytes);
    for (const change *one = p->changes; one < close; one++) keep_change(p, one, p->words[one->act->column]);
    while (end-- > close) keep_change(p, end, end->value);
}

static void decide(const stepping *p, uint64_t *scratch, gov_outcome *out) {
    const gov_table *t = p->t;
    gov_decide_valid(t, p->words, scratch, out);
    if (p->words[t->policy->request_columns + GOV_SAYS_FAULT] && !(t->memory->flags & GOV_READS_FAULT))
        gov_conclude(out, GOV_DENY, GOV_BY_CLOCK);
}

static const change *close_with(const stepping *p, const gov_course *course, change *changes, const gov_outcome *out) {
    int64_t *decision = p->words + p->t->policy->request_columns + GOV_SAYS_DECISION;
    *decision = out->decision;
    changes = run(p, course->close, course->end, changes, 1);
    *decision = 0;
    return changes;
}

int gov_take(const gov_table *t, const gov_sample *sample, int64_t *words, uint8_t *const *states, uint64_t *scratch,
             gov_outcome *out) {
    const stepping p = stepping_of(t, sample, words, states, scratch);
    gov_conclude(out, GOV_DENY, GOV_BY_INVALID);
    if (!t->memory || sample->kind >= GOV_FIRST_KIND + t->n_samples || sample->at_ms > GOV_TIME_MAX ||
        sample->at_ms < -GOV_TIME_MAX || !states[0]) return GOV_BAD_SAMPLE;
    if (!unpack(&p)) return GOV_BAD_STATE;
    say(&p);
    const int asked = sample->kind == GOV_REQUEST;
    if (!brought_fits(t, words, out)) return asked ? GOV_TAKEN : GOV_BAD_SAMPLE;
    if (is_refused(&p)) return GOV_REFUSED;
    if (asked && gov_first_broken(t, words, out)) return GOV_TAKEN;
    const gov_course *course = course_of(&p);
    change *changes = run(&p, course->first, course->close, p.changes, 0);
    if (asked) decide(&p, scratch, out);
    if (!sample->keep) return GOV_TAKEN;
    keep(&p, changes, asked ? close_with(&p, course, changes, out) : changes);
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
    const stepping p = stepping_of(t, &silence, words, states, scratch);
    gov_words(t, words);
    if (!unpack(&p)) return 0;
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++) {
        const int64_t value = words[gov_cell_column(t, i)];
        if (t->cells[i].flags & GOV_GROWS && value >= 0 && value != t->cells[i].cap) return 0;
    }
    say(&p);
    run(&p, course_of(&p)->first, course_of(&p)->silent, p.changes, 0);
    for (uint32_t i = s->first_cell; i < s->first_cell + s->cells; i++)
        if (words[gov_cell_column(t, i)] != t->cells[i].initial) return 0;
    return 1;
}
