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

/* Groups behind each other of which each sets no other cells than the one before are a chain: the first that holds is
   the only one that counts. */
static void close_chain(placing *m, uint32_t head, uint32_t end) {
    for (uint32_t member = head; member < end; member++) m->made->groups[member].next = m->made->groups + end;
}

static int is_at_once(placing *m, uint32_t first, uint32_t end, int closes) {
    const uint32_t from = ++m->marks->chains;
    uint32_t head = first;
    int at_once = 1;
    for (uint32_t number = first; number < end; number++) {
        const gov_group *g = &m->made->groups[number];
        if (!drop_twice(m, number, number > first ? number : 0) && number > first) {
            close_chain(m, head, number);
            head = number;
            m->marks->chains++;
        }
        const written before = {from, m->marks->chains, 0};
        at_once &= finds_all(m, &before, g, closes) && (is_ordered(m, number) || closes);
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

/* Whether an update does to the cell below what the one before it does: so a ring of ages moves on. */
static int goes_on(const gov_act *a, const gov_act *next) {
    return a->form == GOV_FORM_SUM && next->form == GOV_FORM_SUM && a->bytes && a->bytes == next->bytes &&
           a->scope == next->scope && next->column + a->count == a->column &&
           next->place + a->count * a->bytes == a->place && next->mask == a->mask && next->number == a->number &&
           (!a->mask || next->source + a->count == a->source);
}

/* Makes one of those that go on; returns how many are left. */
static uint32_t join(gov_act *acts, uint32_t count) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept && goes_on(&acts[kept - 1], &acts[i])) acts[kept - 1].count++;
        else acts[kept++] = acts[i];
    }
    return kept;
}

int gov_put_at_once(const gov_table *t, struct gov_timing *made, uint32_t first, uint32_t end, int closes,
                    gov_marks *marks) {
    placing m = {t, made, marks};
    const int at_once = is_at_once(&m, first, end, closes);
    for (uint32_t number = first; number < end; number++) {
        gov_group *g = &made->groups[number];
        gov_act *acts = made->acts + g->first_act;
        if (at_once) {
            turn(acts, g->acts);
            g->acts = join(acts, g->acts);
        }
        g->act = acts;
        g->end = acts + g->acts;
    }
    return at_once;
}
