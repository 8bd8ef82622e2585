/* Loading: names.  What a host or a reader asks for by name must be one thing.

   Strings are stored once each; that is checked first, by sorting them.  From there two names are the same if their
   numbers are, and a mark a string tells whether a list has named it before.  See gov_load.c. */

#include "gov_load.h"

#include <stdlib.h>
#include <string.h>

/* A string by a number that nearly always tells it from the others. */
typedef struct { uint64_t key; const uint8_t *bytes; uint32_t length; } text;

static text text_of(const gov_table *t, uint32_t i) {
    const gov_string *s = (const gov_string *)gov_at(t, GOV_STRINGS) + i;
    text one = {s->length, (const uint8_t *)gov_at(t, GOV_BYTES) + s->offset, s->length};
    for (uint32_t k = 0; k < one.length; k++) one.key = (one.key ^ one.bytes[k]) * GOV_HASH_FACTOR;
    return one;
}

static int compare(const text *a, const text *b) {
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return memcmp(a->bytes, b->bytes, a->length);
}

/* Merges two sorted runs; -1: both have one text. */
static int merge(const text *a, const text *a_end, const text *b, const text *b_end, text *out) {
    while (a < a_end && b < b_end) {
        const int order = compare(a, b);
        if (!order) return -1;
        *out++ = order < 0 ? *a++ : *b++;
    }
    while (a < a_end) *out++ = *a++;
    while (b < b_end) *out++ = *b++;
    return 0;
}

/* Whether all texts differ.  Two that are the same meet in some merge, and each merge compares as many bytes as it
   moves at most: whatever the keys are, this is n log n. */
static int all_differ(text *from, text *to, size_t count) {
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            const size_t middle = at + width < count ? at + width : count;
            const size_t end = middle + width < count ? middle + width : count;
            if (merge(from + at, from + middle, from + middle, from + end, to + at)) return 0;
        }
        text *sorted = to;
        to = from;
        from = sorted;
    }
    return 1;
}

static const char *check_strings_differ(const gov_table *t) {
    const uint32_t count = gov_count(t, GOV_STRINGS);
    text *texts = calloc(2 * (size_t)count + 1, sizeof *texts);
    if (!texts) return "there is not enough memory";
    for (uint32_t i = 0; i < count; i++) texts[i] = text_of(t, i);
    const int differ = all_differ(texts, texts + count, count);
    free(texts);
    return differ ? NULL : "a string is stored twice";
}

/* Which list named a string last. */
typedef struct { uint32_t *last, list; } marks;

static int is_new(marks *m, uint32_t string) {
    const int fresh = m->last[string] != m->list;
    m->last[string] = m->list;
    return fresh;
}

static int fields_differ(const gov_table *t, marks *m, uint32_t first, uint32_t count) {
    m->list++;
    for (uint32_t i = first; i < first + count; i++)
        if (!is_new(m, t->fields[i].name)) return 0;
    return 1;
}

static int members_differ(const gov_table *t, marks *m, const gov_field *f) {
    const uint32_t *members = (const uint32_t *)gov_at(t, GOV_MEMBERS) + f->first_member;
    m->list++;
    for (uint32_t i = 0; i < f->members; i++)
        if (!is_new(m, members[i])) return 0;
    return 1;
}

static const char *check_lists(const gov_table *t, marks *m) {
    const gov_action *actions = gov_at(t, GOV_ACTIONS);
    if (!fields_differ(t, m, 0, gov_targets(t) + t->policy->params)) return "two fields have one name";
    for (uint32_t i = 0; i < gov_count(t, GOV_FIELDS); i++)
        if (!members_differ(t, m, &t->fields[i])) return "two members of a field have one name";
    for (uint32_t i = 0; i < gov_count(t, GOV_ACTIONS); i++)
        if (!fields_differ(t, m, actions[i].first_field, actions[i].fields))
            return "two arguments of an action have one name";
    for (uint32_t i = 0; i < t->n_samples; i++)
        if (!fields_differ(t, m, t->samples[i].first_field, t->samples[i].fields))
            return "two fields of a sample have one name";
    m->list++;
    for (uint32_t i = 0; i < t->n_samples; i++)
        if (!is_new(m, t->samples[i].name)) return "two events or signals have one name";
    m->list++;
    for (uint32_t i = 0; i < t->n_cells; i++)
        if (!is_new(m, t->cells[i].name)) return "two cells have one name";
    m->list++;
    for (uint32_t i = 0; i < gov_count(t, GOV_ACTIONS); i++)
        if (!is_new(m, actions[i].name)) return "two actions have one name";
    m->list++;
    for (uint32_t r = 0; r < t->n_rules; r++)
        if (!is_new(m, t->rules[r].id)) return "two rules have one name";
    return NULL;
}

static int is_named(const gov_table *t, const gov_field *f, const char *name) {
    const gov_string *s = (const gov_string *)gov_at(t, GOV_STRINGS) + f->name;
    return s->length == strlen(name) && !memcmp((const char *)gov_at(t, GOV_BYTES) + s->offset, name, s->length);
}

/* The roles that approved are those of the runtime's field of this name, and of no other. */
static const char *check_approved(const gov_table *t) {
    uint32_t column = GOV_NONE;
    for (uint32_t i = 0; i < t->policy->inputs; i++) {
        const gov_field *f = &t->fields[i];
        if (!is_named(t, f, "approved")) continue;
        if (f->kind != GOV_SET || f->origin != GOV_FROM_RUNTIME) return "the field `approved` is no set from runtime";
        column = f->column;
    }
    return t->policy->approved == column ? NULL : "the approved roles are not the field `approved`";
}

const char *gov_check_names(const gov_table *t) {
    const char *why = check_strings_differ(t);
    if (why) return why;
    marks m = {calloc(gov_count(t, GOV_STRINGS) + 1u, sizeof *m.last), 0};
    if (!m.last) return "there is not enough memory";
    why = check_lists(t, &m);
    free(m.last);
    return why ? why : check_approved(t);
}
