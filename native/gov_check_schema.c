/* Loading, first half: policy, columns, fields, automata, strings.  See gov_load.c. */

#include "gov_load.h"

int gov_utf8(const uint8_t *s, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint8_t c = s[i++];
        if (c < 0x80) continue;
        uint32_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || n - i < more) return 0;
        uint8_t lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (s[i] < lo || s[i] > hi) return 0;
        for (uint32_t k = 1; k < more; k++)
            if ((s[i + k] & 0xc0) != 0x80) return 0;
        i += more;
    }
    return 1;
}

const char *gov_check_policy(const gov_table *t) {
    if (gov_count(t, GOV_POLICY) != 1) return "it does not hold one policy";
    const gov_policy *p = t->policy;
    uint64_t fields = (uint64_t)p->inputs + p->outputs + p->params + p->arguments + p->carried;
    if (!gov_is_string(t, p->name) || !gov_is_string(t, p->version) || !gov_is_string(t, p->snapshot))
        return "the policy has no name, version or snapshot";
    if (p->time_zone != GOV_NONE && !gov_is_string(t, p->time_zone)) return "the time zone is no string";
    if (p->combine > GOV_UNIQUE || p->fallback > GOV_DEFAULT_NONE) return "the policy has no such combine or default";
    if (fields != gov_count(t, GOV_FIELDS)) return "the policy has another number of fields";
    if (p->params != gov_count(t, GOV_PARAMS)) return "the policy has another number of parameters";
    if (t->n_columns > GOV_COLUMNS_MAX || (uint64_t)p->request_columns + p->remembered + p->params != t->n_columns)
        return "the policy has another number of columns";
    if (p->approved != GOV_NONE && (p->approved >= p->request_columns || t->columns[p->approved].kind != GOV_COLUMN_SET))
        return "the approved roles are no set";
    if (p->reserved[0] | p->reserved[1] | p->reserved2) return "a reserved bit is set";
    return NULL;
}

static int same_range(const gov_column *c, const gov_field *f) { return c->lo == f->lo && c->hi == f->hi; }

static int column_fits(const gov_table *t, uint32_t i) {
    const gov_column *c = &t->columns[i];
    if (c->kind == GOV_COLUMN_PARAM) {
        if (i < t->n_checked || c->source != i - t->n_checked) return 0;
        const gov_param *param = (const gov_param *)gov_at(t, GOV_PARAMS) + c->source;
        const uint64_t first = (uint64_t)t->policy->inputs + t->policy->outputs;
        return param->column == i && param->field == first + c->source && same_range(c, &t->fields[param->field]) &&
               param->value >= c->lo && param->value <= c->hi;
    }
    if (i >= t->policy->request_columns) /* what is remembered: see gov_check_time.c */
        return i < t->n_checked && c->kind >= GOV_COLUMN_CELL && c->kind <= GOV_COLUMN_CARRIED;
    if (!gov_is_input(t, c->source)) return 0;
    const gov_field *f = &t->fields[c->source];
    switch (c->kind) {
    case GOV_COLUMN_RANGE: return f->column == i && f->kind != GOV_SET && !gov_is_text(f->kind) && same_range(c, f);
    case GOV_COLUMN_SET: return f->column == i && f->kind == GOV_SET && same_range(c, f);
    case GOV_COLUMN_CLASS: return gov_is_text(f->kind) && c->lo == 0 && c->hi >= 0 && c->hi <= UINT16_MAX;
    case GOV_COLUMN_HAS: return f->has_column == i && (f->flags & GOV_OPTIONAL) && c->lo == 0 && c->hi == 1;
    case GOV_COLUMN_EQUAL:
        return gov_is_text(f->kind) && gov_is_input(t, c->other) && gov_is_text(t->fields[c->other].kind) &&
               c->lo == 0 && c->hi == 1;
    default: return 0;
    }
}

const char *gov_check_columns(const gov_table *t) {
    for (uint32_t i = 0; i < t->n_columns; i++) {
        const gov_column *c = &t->columns[i];
        for (int k = 0; k < 7; k++)
            if (c->reserved[k]) return "a reserved bit is set";
        if (c->kind != GOV_COLUMN_EQUAL && c->other != GOV_NONE) return "a column has a second field";
        if (!column_fits(t, i)) return "a column does not fit its field";
    }
    return NULL;
}

static int range_fits(const gov_field *f) {
    switch (f->kind) {
    case GOV_NUMBER: case GOV_TIME: case GOV_DURATION: return f->lo <= f->hi && f->members == 0;
    case GOV_BOOL: return f->lo == 0 && f->hi == 1 && f->members == 0;
    case GOV_ENUM: return f->members >= 1 && f->lo == 0 && f->hi == (int64_t)f->members - 1;
    case GOV_SET: return f->members <= 64 && f->lo == 0 && (uint64_t)f->hi == (f->members ? gov_low_bits(f->members) : 0);
    default: return f->lo == 0 && f->hi == 0 && f->members == 0;
    }
}

static int value_fits(const gov_field *f) {
    if (!(f->flags & GOV_IMPLIED)) return f->implied == 0;
    if (gov_is_text(f->kind)) return 0;
    return (uint64_t)f->implied - (uint64_t)f->lo <= (uint64_t)f->hi - (uint64_t)f->lo;
}

static int links_fit(const gov_table *t, uint32_t i) {
    const gov_field *f = &t->fields[i];
    if (!gov_is_input(t, i)) {
        const int own = gov_is_carried(t, i) && !gov_is_text(f->kind); /* its column: see gov_check_time.c */
        if (own ? f->column < t->policy->request_columns || f->column >= t->n_checked ||
                      t->columns[f->column].kind != GOV_COLUMN_CARRIED || t->columns[f->column].source != i
                : f->column != GOV_NONE) return 0;
        return f->has_column == GOV_NONE && f->first_classifier == 0 && f->classifiers == 0;
    }
    int optional = (f->flags & GOV_OPTIONAL) != 0, text = gov_is_text(f->kind);
    if (optional != (f->has_column != GOV_NONE) || text != (f->column == GOV_NONE)) return 0;
    if (optional && (f->has_column >= t->n_columns || t->columns[f->has_column].kind != GOV_COLUMN_HAS ||
                     t->columns[f->has_column].source != i)) return 0;
    if (!text && (f->column >= t->n_columns || t->columns[f->column].source != i ||
                  t->columns[f->column].kind != (f->kind == GOV_SET ? GOV_COLUMN_SET : GOV_COLUMN_RANGE))) return 0;
    if (!text) return f->first_classifier == 0 && f->classifiers == 0;
    if (!gov_inside(t, GOV_CLASSIFIERS, f->first_classifier, f->classifiers)) return 0;
    for (uint32_t k = 0; k < f->classifiers; k++)
        if (t->classifiers[f->first_classifier + k].field != i) return 0;
    return 1;
}

const char *gov_check_fields(const gov_table *t) {
    const uint32_t *members = gov_at(t, GOV_MEMBERS);
    for (uint32_t i = 0; i < gov_count(t, GOV_MEMBERS); i++)
        if (!gov_is_string(t, members[i])) return "a member is no string";
    uint32_t member = 0, classifier = 0;
    for (uint32_t i = 0; i < gov_count(t, GOV_FIELDS); i++) {
        const gov_field *f = &t->fields[i];
        if (!gov_is_string(t, f->name) || !gov_is_string(t, f->unit)) return "a field has no name or unit";
        if (f->kind > GOV_KEY || f->origin > GOV_FROM_CLOCK || f->rounding > GOV_NEAREST || f->flags > 7)
            return "a field has no such kind, origin, rounding or flag";
        if (gov_is_text(f->kind) ? f->max_bytes > GOV_TEXT_MAX : f->max_bytes != 0) return "a field's length is wrong";
        if (f->step_num < 1 || f->step_den < 1) return "a field has no step";
        if (!gov_inside(t, GOV_MEMBERS, f->first_member, f->members) ||
            !gov_follows(&member, f->first_member, f->members)) return "a field's members are missing";
        if (!range_fits(f) || !value_fits(f)) return "a field's range does not fit";
        if (!links_fit(t, i) || !gov_follows(&classifier, f->first_classifier, f->classifiers))
            return "a field does not fit its columns";
    }
    if (member != gov_count(t, GOV_MEMBERS) || classifier != gov_count(t, GOV_CLASSIFIERS))
        return "a member or an automaton belongs to no field";
    return NULL;
}

static const char *check_strings(const gov_table *t) {
    const gov_string *s = gov_at(t, GOV_STRINGS);
    const uint8_t *bytes = gov_at(t, GOV_BYTES);
    uint32_t at = 0;
    for (uint32_t i = 0; i < gov_count(t, GOV_STRINGS); i++) {
        if (!gov_follows(&at, s[i].offset, s[i].length)) return "a string does not follow the one before it";
        if (!gov_inside(t, GOV_BYTES, s[i].offset, s[i].length)) return "a string ends outside its section";
        if (!gov_utf8(bytes + s[i].offset, s[i].length)) return "a string is not UTF-8";
    }
    return at == gov_count(t, GOV_BYTES) ? NULL : "there are bytes of no string";
}

static int automaton_fits(const gov_table *t, const gov_classifier *c, uint32_t *end) {
    uint64_t cells = (uint64_t)c->states << c->shift, size = 256 + cells + c->states;
    if (c->first + size > gov_count(t, GOV_STATES) || !gov_follows(end, c->first, (uint32_t)size)) return 0;
    const uint16_t *at = t->states + c->first, *next = at + 256, *class = next + cells;
    for (uint32_t i = 0; i < 256; i++)
        if (at[i] >> c->shift) return 0;
    for (uint64_t i = 0; i < cells; i++)
        if (next[i] >= c->states) return 0;
    for (uint32_t i = 0; i < c->states; i++)
        if (class[i] > t->columns[c->column].hi) return 0;
    return 1;
}

const char *gov_check_texts(const gov_table *t) {
    uint32_t columns = 0, end = 0;
    for (uint32_t i = 0; i < t->n_columns; i++) columns += t->columns[i].kind == GOV_COLUMN_CLASS;
    if (columns != gov_count(t, GOV_CLASSIFIERS)) return "a class column has no automaton of its own";
    for (uint32_t i = 0; i < columns; i++) {
        const gov_classifier *c = &t->classifiers[i];
        if (!gov_is_input(t, c->field) || c->column >= t->policy->request_columns ||
            t->columns[c->column].kind != GOV_COLUMN_CLASS || t->columns[c->column].source != c->field ||
            i < t->fields[c->field].first_classifier ||
            i - t->fields[c->field].first_classifier >= t->fields[c->field].classifiers)
            return "an automaton does not fit its field";
        if (i && (t->classifiers[i - 1].field > c->field || t->classifiers[i - 1].column >= c->column))
            return "the automata are not sorted";
        if (c->reserved || c->shift > 8 || c->states < 1 || c->states > GOV_DFA_STATES_MAX || !automaton_fits(t, c, &end))
            return "an automaton does not add up";
    }
    if (end != gov_count(t, GOV_STATES)) return "there are states of no automaton";
    return check_strings(t);
}
