/* The checks of gov_table_load, one a part of the file; NULL, or what does not add up. */

#ifndef GOV_LOAD_H
#define GOV_LOAD_H

#include "gov_engine.h"

const char *gov_check_policy(const gov_table *t);
const char *gov_check_columns(const gov_table *t);
const char *gov_check_fields(const gov_table *t);
const char *gov_check_texts(const gov_table *t);
const char *gov_check_programs(const gov_table *t);
const char *gov_check_rules(const gov_table *t);
const char *gov_check_names(const gov_table *t);
const char *gov_check_entries(const gov_table *t);
const char *gov_check_nodes(gov_table *t); /* sets t->steps too */
const char *gov_check_time(const gov_table *t);

/* The worst case of a sample, its decision left out. */
uint64_t gov_time_steps(const gov_table *t);

/* Whether `count` records from `first` lie in a section. */
static inline int gov_inside(const gov_table *t, enum gov_section s, uint32_t first, uint32_t count) {
    return (uint64_t)first + count <= gov_count(t, s);
}

/* Whether a list follows the one before it; `at` is the end of the lists so far. */
static inline int gov_follows(uint32_t *at, uint32_t first, uint32_t count) {
    if (count && first != *at) return 0;
    *at += count;
    return 1;
}
static inline int gov_is_string(const gov_table *t, uint32_t i) { return i < gov_count(t, GOV_STRINGS); }
static inline int gov_is_carried(const gov_table *t, uint32_t f) {
    return f >= gov_count(t, GOV_FIELDS) - t->policy->carried && f < gov_count(t, GOV_FIELDS);
}
static inline int gov_is_input(const gov_table *t, uint32_t f) { return f < t->policy->inputs; }

/* Whether the rule of a limit alone may need the ranges held against each other (`alone` of a block). */
int gov_rule_is_alone(const gov_table *t, const gov_rule *rule);

#endif
