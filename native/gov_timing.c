/* Making what gov_timing.h describes.  In: a table whose memory and programs have been checked. */

#include "gov_timing.h"
#include "gov_fold.h"
#include "gov_once.h"
#include "gov_pack.h"

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
    gov_marks marks;
} making;

#define BLIND_ACTS 4           /* of a stage that runs blindly */
#define NEVER 2 /* `has_more` of a group that never holds, while it is being made */

static int is_of(const gov_update *u, uint32_t kind) { return u->kind == GOV_NONE || u->kind == kind; }

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

/* Adds a test of a word to the last group; 0: it never holds. */
static int add_test(making *m, gov_group *g, uint32_t column, int64_t lo, int64_t hi, int outside) {
    const uint64_t width = (uint64_t)hi - (uint64_t)lo;
    gov_test test = {column, 0, lo, width};
    if (lo > hi) return outside;
    if (outside && width == UINT64_MAX) return 0;
    if (outside) test = (gov_test){column, 0, (int64_t)((uint64_t)hi + 1), UINT64_MAX - width - 1};
    if (g->first.width == UINT64_MAX) g->first = test;
    else if (g->second.width == UINT64_MAX) g->second = test;
    else m->made->tests[m->tests++] = test;
    return 1;
}

/* Whether a condition is the same at every sample of its kind: 0, it never holds; 1, it always does; -1, it is not. */
static int settled(const uint64_t *code, uint32_t words) {
    return words == 2 && gov_kind_of(code[0]) == GOV_OP_CONST ? code[1] != 0 : -1;
}

/* Takes the ranges of words off the end of a conjunction; 0: it never holds. */
static int add_condition(making *m, gov_group *g, uint32_t program) {
    const gov_program *p = &m->t->programs[program];
    const uint64_t *code = m->t->code + p->first;
    uint32_t words = p->words;
    if (!m->made->all) {
        code = m->made->code + m->code;
        words = gov_fold(m->t, program, m->words, m->made->code + m->code);
        m->code += words;
    }
    const int always = settled(code, words);
    if (always >= 0) return always;
    int can_hold = 1;
    uint32_t count = instructions(m, code, words);
    while (count) {
        const int joined = gov_kind_of(code[m->starts[count - 1]]) == GOV_OP_AND;
        const uint32_t size = ends_in_test(m, code, count - (uint32_t)joined);
        if (!size || (!joined && size != count)) break;
        count -= (uint32_t)joined + size;
        const uint64_t *range = code + m->starts[count];
        can_hold &= add_test(m, g, gov_column_of(range[0]), (int64_t)range[1], (int64_t)range[2], size == 2);
    }
    g->code = code;
    g->words = m->starts[count];
    return can_hold;
}

/* Whether a value is a word, one and a number, or the less of that and another number; sets what is added, and `hi`. */
static int is_sum(gov_act *a, const uint64_t *code, uint32_t words) {
    if (gov_kind_of(code[0]) != GOV_OP_LOAD || (words != 1 && words != 4 && words != 7)) return 0;
    if (words == 1) return 1;
    const uint8_t op = gov_kind_of(code[3]);
    if (gov_kind_of(code[1]) != GOV_OP_CONST || (op != GOV_OP_ADD && op != GOV_OP_SUB)) return 0;
    if (words == 7) {
        if (gov_kind_of(code[4]) != GOV_OP_CONST || gov_kind_of(code[6]) != GOV_OP_LEAST) return 0;
        const int64_t most = (int64_t)code[5];
        if (most < a->lo) return 0;
        if (most < a->hi) a->hi = most;
    }
    a->number = (int64_t)(op == GOV_OP_ADD ? code[2] : 0 - code[2]);
    return 1;
}

/* What a test leaves of the range of a word, if it is one range. */
static void narrow(const gov_test *test, uint32_t column, int64_t *lo, int64_t *hi) {
    const int64_t last = (int64_t)((uint64_t)test->lo + test->width);
    if (test->column != column || last < test->lo) return;
    if (test->lo > *lo) *lo = test->lo;
    if (last < *hi) *hi = last;
}

/* Whether a sum needs no holding where its group holds: all words but those of parameters are in the range of their
   columns. */
static int stays_inside(const gov_table *t, const gov_group *g, const gov_act *a) {
    int64_t lo = t->columns[a->source].lo, hi = t->columns[a->source].hi, least, most;
    narrow(&g->first, a->source, &lo, &hi);
    narrow(&g->second, a->source, &lo, &hi);
    return a->source < t->n_checked && !__builtin_add_overflow(lo, a->number, &least) && least >= a->lo &&
           !__builtin_add_overflow(hi, a->number, &most) && most <= a->hi;
}

static gov_act act_of(const gov_table *t, const gov_group *g, const gov_update *u) {
    const gov_column *c = &t->columns[gov_cell_column(t, u->cell)];
    const gov_program *p = &t->programs[u->value];
    const uint64_t *code = t->code + p->first;
    const uint32_t column = gov_cell_column(t, u->cell), scope = t->cells[u->cell].scope;
    gov_act a = {.column = (uint16_t)column, .count = 1, .source = u->value, .form = GOV_FORM_PROGRAM,
                 .scope = (uint16_t)scope, .place = t->cells[u->cell].offset, .bytes = t->cells[u->cell].bytes,
                 .lo = c->lo, .hi = c->hi};
    if (p->words == 2 && gov_kind_of(code[0]) == GOV_OP_CONST) {
        const int64_t number = (int64_t)code[1];
        a.form = GOV_FORM_SUM;
        a.source = column;
        a.number = number < c->lo ? c->lo : number > c->hi ? c->hi : number;
    } else if (is_sum(&a, code, p->words)) {
        a.source = gov_column_of(code[0]);
        a.mask = UINT64_MAX;
        a.form = stays_inside(t, g, &a) ? GOV_FORM_SUM : GOV_FORM_HELD;
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
    if (before && known > from && before->first_act == kind) return known - 1; /* the kind, until first_act is set */
    const gov_test any = {.width = UINT64_MAX};
    gov_group *g = &m->made->groups[m->groups++];
    *g = (gov_group){.first = any, .second = any, .first_more = m->tests, .first_act = kind};
    if (kind != GOV_NONE) add_test(m, g, t->policy->request_columns + GOV_SAYS_KIND, kind, kind, 0);
    const int can_hold = condition == none || add_condition(m, g, condition);
    g->more = m->tests - g->first_more;
    g->has_more = can_hold ? g->more || g->words : NEVER;
    m->latest[condition] = m->groups;
    return m->groups - 1;
}

/* Takes those out that never hold. */
static void close_groups(making *m, uint32_t first) {
    uint32_t kept = first;
    for (uint32_t g = first; g < m->groups; g++)
        if (m->made->groups[g].has_more != NEVER) m->made->groups[kept++] = m->made->groups[g];
    m->groups = kept;
}

/* The groups of one stage: `count` updates, `list` says which. */
static void add_groups(making *m, const uint32_t *list, uint32_t count) {
    const gov_table *t = m->t;
    const uint32_t first = m->groups;
    uint32_t from = first;
    for (uint32_t i = 0; i < count; i++) {
        const gov_update *u = &t->updates[list[i]];
        if (!i || u->cell != t->updates[list[i - 1]].cell) from = first;
        from = m->place[i] = group_of(m, u, from);
        m->made->groups[from].acts++;
    }
    for (uint32_t g = first; g < m->groups; g++) {
        m->made->groups[g].first_act = m->acts;
        m->acts += m->made->groups[g].acts;
        m->made->groups[g].acts = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const gov_update *u = &t->updates[list[i]];
        gov_group *g = &m->made->groups[m->place[i]];
        m->made->acts[g->first_act + g->acts++] = act_of(t, g, u);
        m->latest[u->condition == GOV_NONE ? gov_count(t, GOV_PROGRAMS) : u->condition] = 0;
    }
    close_groups(m, first);
}

/* --- stages ------------------------------------------------------------------------------------------------------- */

/* Whether the groups of a stage can be run blindly, and are so few that it is worth while. */
static int is_small(const gov_group *g, const gov_group *end) {
    uint32_t acts = 0;
    for (; g < end && !g->has_more && g->next == g + 1; g++) acts += g->acts;
    return g == end && acts <= BLIND_ACTS;
}

static void add_stage(making *m, const uint32_t *list, uint32_t count, uint32_t from) {
    const uint32_t first = m->groups;
    add_groups(m, list, count);
    if (m->groups == first) return;
    const int closes = m->t->updates[list[0]].stage == GOV_CLOSE;
    const int at_once = gov_put_at_once(m->t, m->made, first, m->groups, closes, &m->marks);
    const gov_group *groups = m->made->groups + first, *end = m->made->groups + m->groups;
    gov_stage *before = m->stages > from ? &m->made->stages[m->stages - 1] : NULL;
    const int blindly = closes && at_once && is_small(groups, end);
    if (before && at_once && before->at_once) before->end = end;
    else m->made->stages[m->stages++] = (gov_stage){groups, end, at_once, blindly};
}

/* --- by kind ----------------------------------------------------------------------------------------------------- */

static void add_kind(making *m, gov_course *course, const uint32_t *list, uint32_t count) {
    const gov_update *updates = m->t->updates;
    const uint32_t begin = m->stages;
    uint32_t from = begin, silent = begin, close = begin; /* from: stages before it stay apart */
    for (uint32_t first = 0, end = 0; first < count; first = end) {
        const int32_t stage = updates[list[first]].stage;
        while (end < count && updates[list[end]].stage == stage) end++;
        if ((stage >= 0 && from < silent) || stage == GOV_CLOSE) from = m->stages;
        add_stage(m, list + first, end - first, from);
        if (stage < 0) silent = m->stages;
        if (stage < GOV_CLOSE) close = m->stages;
    }
    const gov_stage *stages = m->made->stages;
    *course = (gov_course){stages + begin, stages + silent, stages + close, stages + m->stages, GOV_NONE, 0};
}

static void make_kinds(making *m, uint32_t *list) {
    const gov_table *t = m->t;
    for (uint32_t kind = 0; kind < GOV_FIRST_KIND + t->n_samples; kind++) {
        uint32_t count = 0;
        m->words[t->policy->request_columns + GOV_SAYS_KIND] = kind;
        for (uint32_t i = 0; i < t->n_updates; i++)
            if (is_of(&t->updates[i], kind)) list[count++] = i;
        add_kind(m, &m->made->courses[kind], list, count);
    }
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

/* Updates of all kinds together, the words of their conditions and of their values, and of the longest condition. */
typedef struct { uint64_t updates, words, values; uint32_t longest; } extent;

static extent extent_of(const gov_table *t, uint32_t kinds) {
    extent e = {0, 0, 0, 0};
    for (uint32_t i = 0; i < t->n_updates; i++) {
        const gov_update *u = &t->updates[i];
        const uint64_t times = u->kind == GOV_NONE ? kinds : 1;
        const uint32_t words = u->condition == GOV_NONE ? 0 : t->programs[u->condition].words;
        e.updates += times;
        e.words += times * words;
        e.values += times * t->programs[u->value].words;
        if (words > e.longest) e.longest = words;
    }
    return e;
}

static int make_groups(gov_table *t, struct gov_timing *made) {
    const uint32_t kinds = GOV_FIRST_KIND + t->n_samples;
    extent e = extent_of(t, kinds);
    made->all = e.updates > UPDATES_MAX || e.words > WORDS_MAX || e.values > WORDS_MAX ||
                (uint64_t)t->n_updates * kinds > GOV_STEPS_MAX;
    if (made->all) e = extent_of(t, 1);
    making m = {.t = t, .made = made};
    uint32_t *list = calloc(t->n_updates + 1u, sizeof *list);
    m.words = calloc(t->n_columns + 1u, sizeof *m.words);
    m.latest = calloc(gov_count(t, GOV_PROGRAMS) + 1u, sizeof *m.latest);
    m.place = calloc(t->n_updates + 1u, sizeof *m.place);
    m.starts = calloc(2 * (size_t)e.longest + 1, sizeof *m.starts);
    m.marks.chain = calloc(t->n_columns + 1u, sizeof *m.marks.chain);
    m.marks.group = calloc(t->n_columns + 1u, sizeof *m.marks.group);
    made->stages = calloc(e.updates + 1, sizeof *made->stages);
    made->groups = calloc(e.updates + 1, sizeof *made->groups);
    made->tests = calloc(2 * e.updates + e.words + 1, sizeof *made->tests);
    made->acts = calloc(e.updates + 1, sizeof *made->acts);
    made->leads = calloc(GOV_LEADS * (size_t)e.updates + 1, sizeof *made->leads);
    made->code = calloc(made->all ? 1 : 2 * e.words + 1, sizeof *made->code);
    const int has_all = list && m.words && m.latest && m.place && m.starts && m.marks.chain && m.marks.group &&
                        made->stages && made->groups && made->tests && made->acts && made->leads && made->code;
    if (has_all && made->all) {
        for (uint32_t i = 0; i < t->n_updates; i++) list[i] = i;
        add_kind(&m, made->courses, list, t->n_updates);
        for (uint32_t kind = 1; kind < kinds; kind++) made->courses[kind] = made->courses[0];
    } else if (has_all) {
        make_kinds(&m, list);
    }
    for (uint32_t i = 0; has_all && i < t->n_samples; i++)
        if (t->samples[i].permit != GOV_NONE)
            made->courses[GOV_FIRST_KIND + i].permit = gov_cell_column(t, t->samples[i].permit);
    free(list);
    free(m.words);
    free(m.latest);
    free(m.place);
    free(m.starts);
    free(m.marks.chain);
    free(m.marks.group);
    return has_all ? 0 : -1;
}

int gov_timing_make(gov_table *t) {
    if (!t->memory) return 0;
    struct gov_timing *made = calloc(1, sizeof *made);
    if (!made) return -1;
    t->timing = made;
    made->courses = calloc(t->n_samples + GOV_FIRST_KIND, sizeof *made->courses);
    return made->courses ? make_groups(t, made) : -1;
}

void gov_timing_free(struct gov_timing *made) {
    if (!made) return;
    free(made->courses);
    free(made->stages);
    free(made->groups);
    free(made->tests);
    free(made->acts);
    free(made->leads);
    free(made->code);
    free(made);
}
