/* Making what gov_timing.h describes.  In: a table whose memory and programs have been checked. */

#include "gov_timing.h"
#include "gov_fold.h"

#include <stdlib.h>

#define UPDATES_MAX (1u << 20) /* of all kinds together */
#define WORDS_MAX (1u << 22)   /* of their conditions */

/* What is being made, and what it takes to make it. */
typedef struct {
    const gov_table *t;
    struct gov_timing *made;
    uint32_t stages, groups, tests, acts, code; /* how many there are so far; words of code */
    int64_t *words;                       /* of which the kind of the sample is known */
    uint32_t *latest;                     /* by program (one more: no condition): its last group and 1 */
    uint32_t *place;                      /* of the updates of a stage: their groups */
    uint32_t *starts;                     /* where the instructions of a program start */
} making;

static int is_of(const gov_update *u, uint32_t kind) { return u->kind == GOV_NONE || u->kind == kind; }

static uint32_t run_of(const gov_cell *cell, const gov_column *c) {
    const int grows = (cell->flags & GOV_GROWS) != 0;
    const uint32_t within = c->lo < 0 || (grows && c->lo) ? 2 : grows ? 1 : 0;
    switch (cell->bytes) {
    case 0: return GOV_RUN_BRIEF;
    case 1: return GOV_RUN_1 + within;
    case 2: return GOV_RUN_2 + within;
    case 4: return GOV_RUN_4 + within;
    default: return GOV_RUN_WHOLE;
    }
}

static void make_lanes(const gov_table *t, struct gov_timing *made, uint32_t scope) {
    const gov_scope *s = &t->scopes[scope];
    gov_lane *lane = made->lanes + s->first_cell;
    for (uint32_t run = 0; run < GOV_RUNS; run++)
        for (uint32_t i = 0; i < s->cells; i++) {
            const gov_cell *cell = &t->cells[s->first_cell + i];
            const gov_column *c = &t->columns[gov_cell_column(t, s->first_cell + i)];
            if (run_of(cell, c) != run) continue;
            const int grows = (cell->flags & GOV_GROWS) != 0;
            *lane++ = (gov_lane){cell->offset, i, c->lo, c->hi, grows ? cell->cap : c->hi, -grows};
            made->runs[scope].of[run]++;
        }
}

/* --- conditions -------------------------------------------------------------------------------------------------- */

static uint32_t instructions(const making *m, const uint64_t *code, uint32_t words) {
    uint32_t count = 0;
    for (uint32_t at = 0; at < words; at += gov_instruction_words(code[at])) m->starts[count++] = at;
    m->starts[count] = words;
    return count;
}

/* How many of the first `count` instructions at their end are a range of a word (1) or its negation (2); else 0. */
static uint32_t ends_in_test(const making *m, const uint64_t *code, uint32_t count) {
    const uint32_t last = count > 0 ? gov_kind_of(code[m->starts[count - 1]]) : 0;
    if (last == GOV_OP_IN_RANGE) return 1;
    return last == GOV_OP_NOT && count > 1 && gov_kind_of(code[m->starts[count - 2]]) == GOV_OP_IN_RANGE ? 2 : 0;
}

static void add_test(making *m, uint32_t column, int64_t lo, int64_t hi, uint32_t outside) {
    const int is_empty = lo > hi;
    const uint64_t width = is_empty ? UINT64_MAX : (uint64_t)hi - (uint64_t)lo;
    m->made->tests[m->tests++] = (gov_test){column, is_empty ? !outside : outside, is_empty ? 0 : lo, width};
}

/* Whether a condition is the same at every sample of its kind: 0, it never holds; 1, it always does; -1, it is not. */
static int settled(const uint64_t *code, uint32_t words) {
    return words == 2 && gov_kind_of(code[0]) == GOV_OP_CONST ? code[1] != 0 : -1;
}

/* Takes the ranges of words off the end of a conjunction. */
static void add_condition(making *m, gov_group *g, uint32_t program) {
    const gov_program *p = &m->t->programs[program];
    const uint64_t *code = m->t->code + p->first;
    uint32_t words = p->words;
    if (!m->made->all) {
        code = m->made->code + m->code;
        words = gov_fold(m->t, program, m->words, m->made->code + m->code);
        m->code += words;
    }
    const int always = settled(code, words);
    if (always == 0) add_test(m, 0, 1, 0, 0);
    if (always >= 0) return;
    uint32_t count = instructions(m, code, words);
    while (count) {
        const int joined = gov_kind_of(code[m->starts[count - 1]]) == GOV_OP_AND;
        const uint32_t size = ends_in_test(m, code, count - (uint32_t)joined);
        if (!size || (!joined && size != count)) break;
        count -= (uint32_t)joined + size;
        const uint64_t *range = code + m->starts[count];
        add_test(m, gov_column_of(range[0]), (int64_t)range[1], (int64_t)range[2], size == 2);
    }
    g->code = code;
    g->words = m->starts[count];
}

static gov_act act_of(const gov_table *t, const gov_update *u) {
    const gov_column *c = &t->columns[gov_cell_column(t, u->cell)];
    const gov_program *p = &t->programs[u->value];
    const uint64_t *code = t->code + p->first;
    const uint32_t column = gov_cell_column(t, u->cell), scope = t->cells[u->cell].scope;
    gov_act a = {column, u->value, GOV_FORM_PROGRAM, scope, 0, c->lo, c->hi};
    const int loads = gov_kind_of(code[0]) == GOV_OP_LOAD;
    if (p->words == 2 && gov_kind_of(code[0]) == GOV_OP_CONST) {
        a.form = GOV_FORM_NUMBER;
        a.number = (int64_t)code[1];
    } else if (p->words == 1 && loads) {
        a.form = GOV_FORM_SUM;
        a.source = gov_column_of(code[0]);
    } else if (p->words == 4 && loads && gov_kind_of(code[1]) == GOV_OP_CONST && gov_kind_of(code[3]) == GOV_OP_ADD) {
        a.form = GOV_FORM_SUM;
        a.source = gov_column_of(code[0]);
        a.number = (int64_t)code[2];
    }
    return a;
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

/* The group of an update: the last one of its condition, unless the cell has been in a later one. */
static uint32_t group_of(making *m, const gov_update *u, uint32_t from) {
    const gov_table *t = m->t;
    const uint32_t none = gov_count(t, GOV_PROGRAMS), condition = u->condition == GOV_NONE ? none : u->condition;
    const uint32_t kind = m->made->all ? u->kind : GOV_NONE, known = m->latest[condition];
    const gov_group *before = known ? &m->made->groups[known - 1] : NULL;
    if (before && known > from && before->first_act == kind) return known - 1; /* first_act: the kind, until it is set */
    gov_group *g = &m->made->groups[m->groups++];
    *g = (gov_group){.first_test = m->tests, .first_act = kind};
    if (kind != GOV_NONE) add_test(m, t->policy->request_columns + GOV_SAYS_KIND, kind, kind, 0);
    if (condition != none) add_condition(m, g, condition);
    g->tests = m->tests - g->first_test;
    m->latest[condition] = m->groups;
    return m->groups - 1;
}

/* One stage: `count` updates, `list` says which. */
static void add_stage(making *m, const uint32_t *list, uint32_t count) {
    const gov_table *t = m->t;
    gov_stage *stage = &m->made->stages[m->stages++];
    *stage = (gov_stage){t->updates[list[0]].stage, m->groups, 0};
    uint32_t from = m->groups;
    for (uint32_t i = 0; i < count; i++) {
        const gov_update *u = &t->updates[list[i]];
        if (!i || u->cell != t->updates[list[i - 1]].cell) from = stage->first_group;
        from = m->place[i] = group_of(m, u, from);
        m->made->groups[from].acts++;
    }
    stage->groups = m->groups - stage->first_group;
    for (uint32_t g = stage->first_group; g < m->groups; g++) {
        m->made->groups[g].first_act = m->acts;
        m->acts += m->made->groups[g].acts;
        m->made->groups[g].acts = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        gov_group *g = &m->made->groups[m->place[i]];
        m->made->acts[g->first_act + g->acts++] = act_of(t, &t->updates[list[i]]);
    }
}

static void add_kind(making *m, uint32_t *list, uint32_t count) {
    for (uint32_t first = 0, end = 0; first < count; first = end) {
        while (end < count && m->t->updates[list[end]].stage == m->t->updates[list[first]].stage) end++;
        add_stage(m, list + first, end - first);
    }
}

static void make_kinds(making *m, uint32_t *list) {
    const gov_table *t = m->t;
    for (uint32_t kind = 0; kind < GOV_FIRST_KIND + t->n_samples; kind++) {
        uint32_t count = 0;
        m->made->first[kind] = m->stages;
        m->words[t->policy->request_columns + GOV_SAYS_KIND] = kind;
        for (uint32_t i = 0; i < t->n_updates; i++)
            if (is_of(&t->updates[i], kind)) list[count++] = i;
        add_kind(m, list, count);
    }
    m->made->first[GOV_FIRST_KIND + t->n_samples] = m->stages;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

/* Updates of all kinds together, the words of their conditions, and of the longest one. */
typedef struct { uint64_t updates, words; uint32_t longest; } extent;

static extent extent_of(const gov_table *t, uint32_t kinds) {
    extent e = {0, 0, 0};
    for (uint32_t i = 0; i < t->n_updates; i++) {
        const gov_update *u = &t->updates[i];
        const uint64_t times = u->kind == GOV_NONE ? kinds : 1;
        const uint32_t words = u->condition == GOV_NONE ? 0 : t->programs[u->condition].words;
        e.updates += times;
        e.words += times * words;
        if (words > e.longest) e.longest = words;
    }
    return e;
}

static int make_groups(gov_table *t, struct gov_timing *made) {
    const uint32_t kinds = GOV_FIRST_KIND + t->n_samples;
    extent e = extent_of(t, kinds);
    made->all = e.updates > UPDATES_MAX || e.words > WORDS_MAX || (uint64_t)t->n_updates * kinds > GOV_STEPS_MAX;
    if (made->all) e = extent_of(t, 1);
    making m = {.t = t, .made = made};
    uint32_t *list = calloc(t->n_updates + 1u, sizeof *list);
    m.words = calloc(t->n_columns + 1u, sizeof *m.words);
    m.latest = calloc(gov_count(t, GOV_PROGRAMS) + 1u, sizeof *m.latest);
    m.place = calloc(t->n_updates + 1u, sizeof *m.place);
    m.starts = calloc(2 * (size_t)e.longest + 1, sizeof *m.starts);
    made->stages = calloc(e.updates + 1, sizeof *made->stages);
    made->groups = calloc(e.updates + 1, sizeof *made->groups);
    made->tests = calloc(2 * e.updates + e.words + 1, sizeof *made->tests);
    made->acts = calloc(e.updates + 1, sizeof *made->acts);
    made->code = calloc(made->all ? 1 : 2 * e.words + 1, sizeof *made->code);
    const int has_all = list && m.words && m.latest && m.place && m.starts && made->stages && made->groups &&
                        made->tests && made->acts && made->code;
    if (has_all && made->all) {
        for (uint32_t i = 0; i < t->n_updates; i++) list[i] = i;
        add_kind(&m, list, t->n_updates);
        made->first[1] = m.stages;
    } else if (has_all) {
        make_kinds(&m, list);
    }
    free(list);
    free(m.words);
    free(m.latest);
    free(m.place);
    free(m.starts);
    return has_all ? 0 : -1;
}

int gov_timing_make(gov_table *t) {
    if (!t->memory) return 0;
    struct gov_timing *made = calloc(1, sizeof *made);
    if (!made) return -1;
    t->timing = made;
    made->lanes = calloc(t->n_cells + 1u, sizeof *made->lanes);
    made->runs = calloc(t->n_scopes, sizeof *made->runs);
    made->first = calloc(t->n_samples + GOV_FIRST_KIND + 1u, sizeof *made->first);
    if (!made->lanes || !made->runs || !made->first) return -1;
    for (uint32_t scope = 0; scope < t->n_scopes; scope++) make_lanes(t, made, scope);
    return make_groups(t, made);
}

void gov_timing_free(struct gov_timing *made) {
    if (!made) return;
    free(made->lanes);
    free(made->runs);
    free(made->first);
    free(made->stages);
    free(made->groups);
    free(made->tests);
    free(made->acts);
    free(made->code);
    free(made);
}
