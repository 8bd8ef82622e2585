/* Loading, second half: programs, rules, entries, nodes.  See gov_load.c. */

#include "gov_load.h"

#include <stdlib.h>

/* How an instruction moves the stack: operand words (-1: `count` and one more), values taken; one value is pushed. */
typedef struct { int8_t words, takes, column; } shape;
static const shape shapes[GOV_OP_LAST + 1] = {
    [GOV_OP_CONST] = {1, 0, 0},   [GOV_OP_LOAD] = {0, 0, 1},  [GOV_OP_ADD] = {0, 2, 0},    [GOV_OP_SUB] = {0, 2, 0},
    [GOV_OP_MUL] = {0, 2, 0},     [GOV_OP_LEAST] = {0, 2, 0}, [GOV_OP_GREATEST] = {0, 2, 0},
    [GOV_OP_FLOORDIV] = {1, 1, 0}, [GOV_OP_EQ] = {0, 2, 0},   [GOV_OP_NE] = {0, 2, 0},     [GOV_OP_LT] = {0, 2, 0},
    [GOV_OP_LE] = {0, 2, 0},      [GOV_OP_IN_RANGE] = {2, 0, 1}, [GOV_OP_MEMBER] = {-1, 0, 1},
    [GOV_OP_ANY] = {1, 0, 1},     [GOV_OP_ALL] = {1, 0, 1},   [GOV_OP_WITHIN] = {1, 0, 1}, [GOV_OP_AND] = {0, 2, 0},
    [GOV_OP_OR] = {0, 2, 0},      [GOV_OP_NOT] = {0, 1, 0},   [GOV_OP_SELECT] = {0, 3, 0},
};

static int program_fits(const gov_table *t, const gov_program *p) {
    if (!gov_inside(t, GOV_CODE, p->first, p->words)) return 0;
    const uint64_t *code = t->code + p->first;
    int depth = 0;
    for (uint64_t at = 0; at < p->words;) {
        uint64_t w = code[at++];
        if (gov_kind_of(w) < GOV_OP_CONST || gov_kind_of(w) > GOV_OP_LAST || gov_byte1(w)) return 0;
        const shape s = shapes[gov_kind_of(w)];
        uint64_t words = s.words < 0 ? 1 + (uint64_t)gov_high(w) : (uint64_t)s.words;
        if (words > p->words - at || (s.words >= 0 && gov_high(w)) || (s.words < 0 && !gov_high(w))) return 0;
        if (s.column ? gov_column_of(w) >= t->n_columns : gov_column_of(w) != 0) return 0;
        if (gov_kind_of(w) == GOV_OP_FLOORDIV && code[at] == 0) return 0;
        if (depth < s.takes || depth - s.takes + 1 > GOV_STACK_MAX) return 0;
        depth += 1 - s.takes;
        at += words;
    }
    return depth == 1;
}

const char *gov_check_programs(const gov_table *t) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < gov_count(t, GOV_PROGRAMS); i++)
        if (!gov_follows(&at, t->programs[i].first, t->programs[i].words) || !program_fits(t, &t->programs[i]))
            return "a program does not add up";
    if (at != gov_count(t, GOV_CODE)) return "there is code of no program";
    for (uint32_t i = 0; i < t->n_assumptions; i++)
        if (!gov_is_string(t, t->assumptions[i].text) || t->assumptions[i].program >= gov_count(t, GOV_PROGRAMS))
            return "an assumption has no text or program";
    return NULL;
}

static int is_program(const gov_table *t, uint32_t i) { return i < gov_count(t, GOV_PROGRAMS); }

static int arg_fits(const gov_table *t, const gov_arg *a) {
    if (a->reserved || a->field >= gov_count(t, GOV_FIELDS)) return 0;
    int text = gov_is_text(t->fields[a->field].kind);
    switch (a->kind) {
    case GOV_ARG_PROGRAM: return !text && is_program(t, a->value);
    case GOV_ARG_STRING: return text && gov_is_string(t, a->value);
    case GOV_ARG_FIELD: return text && gov_is_input(t, a->value) && gov_is_text(t->fields[a->value].kind);
    default: return 0;
    }
}

static int do_fits(const gov_table *t, const gov_do *d) {
    const gov_action *actions = gov_at(t, GOV_ACTIONS);
    const gov_arg *args = gov_at(t, GOV_ARGS);
    if (d->reserved || d->for_ms < -1 || d->action >= gov_count(t, GOV_ACTIONS)) return 0;
    if (d->args != actions[d->action].fields || !gov_inside(t, GOV_ARGS, d->first_arg, d->args)) return 0;
    for (uint32_t i = 0; i < d->args; i++)
        if (args[d->first_arg + i].field != actions[d->action].first_field + i) return 0;
    return 1;
}

static int remedy_fits(const gov_table *t, const gov_remedy *r) {
    const gov_arg *args = gov_at(t, GOV_ARGS);
    if (r->reserved || !gov_is_string(t, r->text) || !gov_inside(t, GOV_ARGS, r->first_arg, r->args)) return 0;
    for (uint32_t i = 0; i < r->args; i++)
        if (!gov_is_input(t, args[r->first_arg + i].field)) return 0;
    return 1;
}

static const char *check_parts(const gov_table *t) {
    const gov_action *actions = gov_at(t, GOV_ACTIONS);
    const gov_arg *args = gov_at(t, GOV_ARGS);
    const gov_do *dos = gov_at(t, GOV_DOS);
    const gov_remedy *remedies = gov_at(t, GOV_REMEDIES);
    uint32_t arg = 0, field = t->policy->inputs + t->policy->outputs + t->policy->params;
    for (uint32_t i = 0; i < gov_count(t, GOV_ACTIONS); i++)
        if (!gov_is_string(t, actions[i].name) || actions[i].reserved ||
            !gov_inside(t, GOV_FIELDS, actions[i].first_field, actions[i].fields) ||
            !gov_follows(&field, actions[i].first_field, actions[i].fields)) return "an action does not add up";
    if (field != gov_count(t, GOV_FIELDS) - t->policy->carried) return "a field belongs to no action";
    for (uint32_t i = 0; i < gov_count(t, GOV_ARGS); i++)
        if (!arg_fits(t, &args[i])) return "an argument does not add up";
    for (uint32_t i = 0; i < gov_count(t, GOV_DOS); i++)
        if (!gov_follows(&arg, dos[i].first_arg, dos[i].args) || !do_fits(t, &dos[i])) return "a `do` does not add up";
    for (uint32_t i = 0; i < gov_count(t, GOV_REMEDIES); i++)
        if (!gov_follows(&arg, remedies[i].first_arg, remedies[i].args) || !remedy_fits(t, &remedies[i]))
            return "a remedy does not add up";
    if (arg != gov_count(t, GOV_ARGS)) return "there are arguments of nothing";
    for (uint32_t i = 0; i < gov_count(t, GOV_LIMITS); i++) {
        const gov_limit *l = &t->limits[i];
        if (l->reserved || l->target >= gov_targets(t) || !is_program(t, l->lo) || !is_program(t, l->hi))
            return "a limit does not add up";
        if (t->fields[l->target].kind == GOV_SET || gov_is_text(t->fields[l->target].kind))
            return "a limit's target is no number";
    }
    return NULL;
}

static int rule_fits(const gov_table *t, const gov_rule *r) {
    uint64_t roles = t->policy->approved == GOV_NONE ? 0 : (uint64_t)t->columns[t->policy->approved].hi;
    return gov_is_string(t, r->id) && gov_is_string(t, r->because) && r->effect <= GOV_DENY && r->kind <= GOV_GUARD &&
           !r->reserved[0] && !r->reserved[1] && (r->remedy == GOV_NONE || r->remedy < gov_count(t, GOV_REMEDIES)) &&
           r->limits <= GOV_LIMITS_MAX && gov_inside(t, GOV_LIMITS, r->first_limit, r->limits) && gov_inside(t, GOV_DOS, r->first_do, r->dos) &&
           gov_inside(t, GOV_OVERRIDES, r->first_override, r->overrides) && !(r->roles & ~roles) &&
           (r->effect == GOV_REQUIRE_HUMAN || !r->roles) && r->expires_ms >= -1 && r->retry_ms >= -1;
}

/* Whoever overrides stands in `order`, before the rules that it overrides; place[rule] is 1 + its position. */
static const char *check_order(const gov_table *t, uint32_t *place) {
    for (uint32_t i = 0; i < t->n_order; i++) {
        if (t->order[i] >= t->n_rules || place[t->order[i]]) return "the order of overriding does not add up";
        place[t->order[i]] = i + 1;
    }
    for (uint32_t r = 0; r < t->n_rules; r++)
        for (uint32_t k = 0; k < t->rules[r].overrides; k++) {
            uint32_t other = t->overrides[t->rules[r].first_override + k];
            if (other >= t->n_rules || !place[r] || place[r] >= place[other])
                return "the order of overriding does not add up";
        }
    return NULL;
}

const char *gov_check_rules(const gov_table *t) {
    const char *why = check_parts(t);
    if (why) return why;
    uint32_t limit = 0, one = 0, over = 0;
    for (uint32_t r = 0; r < t->n_rules; r++) {
        const gov_rule *rule = &t->rules[r];
        if (!rule_fits(t, rule) || !gov_follows(&limit, rule->first_limit, rule->limits) ||
            !gov_follows(&one, rule->first_do, rule->dos) || !gov_follows(&over, rule->first_override, rule->overrides))
            return "a rule does not add up";
    }
    if (limit != gov_count(t, GOV_LIMITS) || one != gov_count(t, GOV_DOS) || over != gov_count(t, GOV_OVERRIDES))
        return "there are limits, dos or overrides of no rule";
    uint32_t *place = calloc(t->n_rules + 1u, sizeof *place);
    if (!place) return "there is not enough memory";
    why = check_order(t, place);
    free(place);
    return why;
}

int gov_rule_is_alone(const gov_table *t, const gov_rule *r) {
    if (r->overrides) return 1;
    const gov_limit *limits = t->limits + r->first_limit;
    for (uint32_t i = 0; i < r->limits; i++) {
        const gov_program *lo = &t->programs[limits[i].lo];
        const uint64_t *code = t->code + lo->first;
        if (lo->words != 2 || code[0] != GOV_OP_CONST || (int64_t)code[1] != t->fields[limits[i].target].lo) return 1;
        for (uint32_t k = 0; k < i; k++)
            if (limits[k].target == limits[i].target) return 1;
    }
    return 0;
}

const char *gov_check_entries(const gov_table *t) {
    int whole = t->policy->combine >= GOV_FIRST_MATCH;
    for (uint32_t i = 0; i < gov_count(t, GOV_ENTRIES); i++) {
        const gov_entry *e = &t->entries[i], *before = e - 1;
        if (e->rule >= t->n_rules || e->reserved[0] | e->reserved[1] | e->reserved[2]) return "an entry does not add up";
        uint8_t effect = t->rules[e->rule].effect;
        if (e->effect != effect && !(effect == GOV_REQUIRE_HUMAN && e->effect == GOV_ALLOW))
            return "an entry has another effect than its rule";
        if (!i) continue;
        const int by_rule = whole ? before->rule != e->rule : before->effect == e->effect;
        if (by_rule ? before->rule > e->rule : before->effect < e->effect)
            return "the entries are not sorted";
    }
    return NULL;
}
