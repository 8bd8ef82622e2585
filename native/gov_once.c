/* Finding stages that can be run at once: see gov_once.h. */

#include "gov_once.h"
#include "gov_fold.h"

typedef struct {
    const gov_table *t;
    struct gov_timing *made;
    gov_marks *marks;
} placing;

/* Of what has been written in a stage so far: what a program, an update, or a condition must not find there.  It is
   written by a chain behind `from` other than `own`, or (`own` is GOV_NONE) by the group that is being looked at. */
typedef struct { uint32_t from, own, group; } written;

static int is_written(const placing *m, const written *w, uint32_t column) {
    if (w->own == GOV_NONE) return m->marks->group[column] == w->group;
    return m->marks->chain[column] >= w->from && m->marks->chain[column] != w->own;
}

static int code_reads(const placing *m, const written *w, const uint64_t *code, uint32_t words) {
    for (uint32_t at = 0; at < words; at += gov_instruction_words(code[at]))
        if (gov_instruction_reads(code[at]) && is_written(m, w, gov_column_of(code[at]))) return 1;
    return 0;
}

static int act_reads(const placing *m, const written *w, const gov_act *a) {
    if (a->form != GOV_FORM_PROGRAM) return a->mask && is_written(m, w, a->source);
    const gov_program *p = &m->t->programs[a->source];
    return code_reads(m, w, m->t->code + p->first, p->words);
}

static int condition_reads(const placing *m, const written *w, const gov_group *g) {
    if (g->first.width != UINT64_MAX && is_written(m, w, g->first.column)) return 1;
    if (g->second.width != UINT64_MAX && is_written(m, w, g->second.column)) return 1;
    for (uint32_t i = 0; i < g->more; i++)
        if (is_written(m, w, m->made->tests[g->first_more + i].column)) return 1;
    return code_reads(m, w, g->code, g->words);
}

/* Leaves out of a group what comes behind another update of its cell; whether the last group sets all that is left. */
static int drop_twice(placing *m, uint32_t number, uint32_t last) {
    gov_group *g = &m->made->groups[number];
    gov_act *acts = m->made->acts + g->first_act;
    uint32_t kept = 0, within = 0;
    for (uint32_t i = 0; i < g->acts; i++) {
        uint32_t *by = &m->marks->group[acts[i].column];
        if (*by == number + 1) continue;
        within += last && *by == last;
        *by = number + 1;
        acts[kept++] = acts[i];
    }
    g->acts = kept;
    return within == kept;
}

/* Whether the updates of a group may be run one after another, the last one first. */
static int is_ordered(placing *m, uint32_t number) {
    const gov_group *g = &m->made->groups[number];
    const written here = {0, GOV_NONE, number + 1};
    const gov_act *acts = m->made->acts + g->first_act;
    int ordered = 1;
    for (uint32_t i = 0; i < g->acts; i++) m->marks->group[acts[i].column] = 0;
    for (uint32_t i = g->acts; i--;) {
        ordered &= !act_reads(m, &here, &acts[i]);
        m->marks->group[acts[i].column] = number + 1;
    }
    return ordered;
}

/* Whether a group finds all as it was before its stage, whatever ran before it; `closes`: nothing that it reads
   changes. */
static int finds_all(const placing *m, const written *w, const gov_group *g, int closes) {
    const gov_act *acts = m->made->acts + g->first_act;
    if (!closes && condition_reads(m, w, g)) return 0;
    for (uint32_t i = 0; i < g->acts; i++)
        if (is_written(m, w, acts[i].column) || (!closes && act_reads(m, w, &acts[i]))) return 0;
    return 1;
}

static void close_chain(placing *m, uint32_t head, uint32_t end) {
    for (uint32_t member = head; member < end; member++) m->made->groups[member].next = m->made->groups + end;
}

static int is_at_once(placing *m, uint32_t first, uint32_t end, int closes) {
    const uint32_t from = ++m->marks->chains;
    uint32_t head = first;
    int at_once = 1;
    for (uint32_t number = first; number < end; number++) {
        gov_group *g = &m->made->groups[number];
        if (!drop_twice(m, number, number > first ? number : 0) && number > first) {
            close_chain(m, head, number);
            head = number;
            m->marks->chains++;
        }
        const written before = {from, m->marks->chains, 0};
        g->steady = is_ordered(m, number) && finds_all(m, &before, g, 0);
        at_once &= g->steady || (closes && finds_all(m, &before, g, 1));
        for (uint32_t i = 0; i < g->acts; i++)
            m->marks->chain[m->made->acts[g->first_act + i].column] = m->marks->chains;
    }
    close_chain(m, head, end);
    return at_once;
}

static void turn(gov_act *acts, uint32_t count) {
    for (uint32_t i = 0; i < count / 2; i++) {
        const gov_act one = acts[i];
        acts[i] = acts[count - 1 - i];
        acts[count - 1 - i] = one;
    }
}

/* Whether an update makes of its cell another one of its scope and width, as it stands. */
static int moves(const gov_table *t, const gov_act *a) {
    const uint32_t cells = gov_cell_column(t, 0);
    if (a->form != GOV_FORM_SUM || !a->mask || a->number || a->source < cells || a->source >= cells + t->n_cells) return 0;
    const gov_cell *from = &t->cells[a->source - cells];
    return from->bytes && from->bytes == a->bytes && from->scope == a->scope;
}

/* Whether an update does to the cell below what the one before it does: so a ring of ages moves on. */
static int goes_on(const gov_table *t, const gov_act *a, const gov_act *next) {
    return moves(t, a) && moves(t, next) && a->bytes == next->bytes && a->scope == next->scope &&
           next->column + a->count == a->column && next->place + a->count * a->bytes == a->place &&
           next->source + a->count == a->source;
}

/* Makes one of those that go on; returns how many are left. */
static uint32_t join(const gov_table *t, gov_act *acts, uint32_t count) {
    uint32_t kept = 0;
    for (uint32_t i = 0, next; i < count; i = next) {
        gov_act one = acts[i];
        for (next = i + 1; next < count && goes_on(t, &one, &acts[next]); next++) one.count++;
        if (one.count > 1) {
            one.form = GOV_FORM_RING;
            one.from = t->cells[one.source - gov_cell_column(t, 0)].offset;
        }
        acts[kept++] = one;
    }
    return kept;
}

/* --- chains that a word leads through ---------------------------------------------------------------------------- */

/* The test of a group that asks for one value of a column; NULL: there is none. */
static gov_test *value_test(gov_group *g, uint32_t column) {
    if (g->first.column == column && !g->first.width) return &g->first;
    return g->second.column == column && !g->second.width ? &g->second : NULL;
}

static int all_ask(gov_group *head, const gov_group *end, uint32_t column) {
    for (gov_group *g = head; g < end; g++)
        if (!value_test(g, column)) return 0;
    return 1;
}

/* The word leads from each group to the next one that asks for the same value, so none asks for it any more. */
static void lead(placing *m, gov_group *head, gov_group *end, uint32_t column) {
    const gov_bound *bound = &m->t->bounds[column];
    const gov_group **leads = m->made->leads + m->marks->leads;
    m->marks->leads += (uint32_t)bound->width + 1;
    for (uint64_t i = 0; i <= bound->width; i++) leads[i] = end;
    for (gov_group *g = end; g-- > head;) {
        gov_test *test = value_test(g, column);
        const uint64_t value = (uint64_t)test->lo - (uint64_t)bound->lo;
        const gov_group *none = end, **to = value <= bound->width ? &leads[value] : &none;
        g->otherwise = *to;
        *to = g;
        if (test == &g->first) g->first = g->second;
        g->second = (gov_test){.width = UINT64_MAX};
    }
    head->leads = leads;
    head->from = bound->lo;
    head->by = column;
}

/* INVARIANT: a word that has been checked is in its range, and so it stays when it is set. */
static void lead_through(placing *m, gov_group *head, gov_group *end) {
    const uint32_t columns[] = {head->first.column, head->second.column};
    for (uint32_t i = 0; i < 2; i++) {
        const gov_bound *bound = &m->t->bounds[columns[i]];
        if (columns[i] >= m->t->n_checked || bound->width >= GOV_LEADS * (uint64_t)(end - head)) continue;
        if (!all_ask(head, end, columns[i])) continue;
        lead(m, head, end, columns[i]);
        return;
    }
}

int gov_put_at_once(const gov_table *t, struct gov_timing *made, uint32_t first, uint32_t end, int closes,
                    gov_marks *marks) {
    placing m = {t, made, marks};
    const int at_once = is_at_once(&m, first, end, closes);
    for (uint32_t number = first; number < end; number++) {
        gov_group *g = &made->groups[number];
        gov_act *acts = made->acts + g->first_act;
        if (at_once) turn(acts, g->acts);
        if (at_once && g->steady) g->acts = join(t, acts, g->acts);
        g->act = acts;
        g->end = acts + g->acts;
        g->otherwise = g + 1;
    }
    for (gov_group *g = made->groups + first, *next; at_once && g < made->groups + end; g = next) {
        next = made->groups + (g->next - made->groups);
        if (next - g > 1) lead_through(&m, g, next);
    }
    return at_once;
}
