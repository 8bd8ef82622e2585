/* Loading, last part: nodes.  Every link leads to the start of a later node; lists end inside the section; the steps of
   the worst walk are added up from the last node to the first.  See gov_load.c. */

#include "gov_load.h"

#include <stdlib.h>

typedef struct {
    const gov_table *t;
    uint64_t *steps;   /* by first word of a node: 0 if no node begins there, else 1 + steps of its worst walk */
    uint8_t *depth;    /* nodes with a `rest` on the way down */
    uint32_t *starts, count;
} check;

static uint64_t log2_of(uint64_t n) {
    uint64_t bits = 1;
    while (n >>= 1) bits++;
    return bits;
}

static int ascending(const uint64_t *points, uint64_t count) {
    for (uint64_t i = 1; i < count; i++)
        if ((int64_t)points[i - 1] >= (int64_t)points[i]) return 0;
    return 1;
}

static int domain_fits(uint64_t lo, uint64_t count) { return count >= 1 && count - 1 <= (uint64_t)INT64_MAX - lo; }

/* Words of a lookup, 0 if it does not add up; its masks have no bit outside `active`. */
static uint64_t lookup_words(const gov_table *t, const uint64_t *at, uint64_t room, uint64_t active) {
    uint64_t count = gov_high(at[0]), masks, words, first;
    if (gov_byte1(at[0]) || gov_column_of(at[0]) >= t->n_columns) return 0;
    switch (gov_kind_of(at[0])) {
    case GOV_DENSE: masks = count, first = 2, words = 2 + count; break;
    case GOV_RANGES: masks = count + 1, first = 1 + count, words = 2 + 2 * count; break;
    case GOV_SET_ANY: case GOV_SET_ALL: case GOV_SET_WITHIN: masks = 1, first = 2, words = 3; break;
    default: return 0;
    }
    if (words > room) return 0;
    if (gov_kind_of(at[0]) == GOV_DENSE && ((int64_t)at[1] > 0 ? !domain_fits(at[1], count) : count < 1)) return 0;
    if (gov_kind_of(at[0]) == GOV_RANGES && (count < 1 || !ascending(at + 1, count))) return 0;
    if (gov_kind_of(at[0]) >= GOV_SET_ANY && count) return 0;
    for (uint64_t i = 0; i < masks; i++)
        if (at[first + i] & ~active) return 0;
    return words;
}

static int bits_fit(const gov_table *t, const uint64_t *node, const uint64_t *entries, uint32_t n) {
    uint64_t permits = 0, alone = 0, paired = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t e = gov_pair(entries, i);
        if (e >= gov_count(t, GOV_ENTRIES) || (i && e <= gov_pair(entries, i - 1))) return 0;
        const gov_entry *entry = &t->entries[e];
        const gov_rule *rule = &t->rules[entry->rule];
        uint64_t bit = UINT64_C(1) << i;
        if (entry->effect == GOV_ALLOW || entry->effect == GOV_REQUIRE_HUMAN) permits |= bit;
        if (gov_rule_is_alone(t, rule)) alone |= bit;
        if (rule->limits) paired |= bit;
    }
    return node[1] == permits && node[2] == alone && node[3] == paired && (n % 2 == 0 || !gov_high(entries[n / 2]));
}

static uint64_t block_words(const check *c, const uint64_t *node, uint64_t room, uint64_t *steps) {
    uint32_t entries = gov_byte1(node[0]), residuals = gov_byte3(node[0]);
    uint64_t at = 4 + (entries + 1) / 2, active = gov_low_bits(entries);
    if (entries < 1 || entries > GOV_BLOCK_MAX || at + residuals > room) return 0;
    if (!bits_fit(c->t, node, node + 4, entries)) return 0;
    *steps = 1 + entries;
    for (uint32_t i = 0; i < residuals; i++, at++) {
        uint32_t bit = (uint32_t)node[at], program = gov_high(node[at]);
        if (bit >= entries || (i && bit <= (uint32_t)node[at - 1])) return 0;
        if (program >= gov_count(c->t, GOV_PROGRAMS)) return 0;
        *steps += c->t->programs[program].words;
    }
    for (uint32_t i = 0; i < gov_byte2(node[0]); i++) {
        if (at >= room) return 0;
        uint64_t words = lookup_words(c->t, node + at, room - at, active);
        if (!words) return 0;
        *steps += 1 + (gov_kind_of(node[at]) == GOV_RANGES ? log2_of(gov_high(node[at])) : 0);
        at += words;
    }
    return at;
}

/* Children of an index node: their first word and number; 0 words if it does not add up. */
static uint64_t index_words(const check *c, const uint64_t *node, uint64_t room, uint64_t *steps) {
    uint64_t count, size;
    if (room < 3 || gov_column_of(node[0]) >= c->t->n_columns || node[1] >> 32) return 0;
    count = node[1];
    *steps = 1;
    switch (gov_kind_of(node[0])) {
    case GOV_SWITCH:
        size = 3 + (count + 1) / 2;
        if (gov_byte1(node[0]) || size > room || ((int64_t)node[2] > 0 ? !domain_fits(node[2], count) : count < 1)) return 0;
        return count % 2 && gov_high(node[size - 1]) ? 0 : size;
    case GOV_HASH:
        if (gov_byte1(node[0]) < 1 || gov_byte1(node[0]) > GOV_HASH_BITS_MAX || count < 1 || count > GOV_PROBES_MAX) return 0;
        *steps = 1 + count;
        size = 2 + (UINT64_C(2) << gov_byte1(node[0]));
        return size > room ? 0 : size;
    case GOV_SPLIT:
        size = 2 + count + (count + 2) / 2;
        *steps = 1 + log2_of(count);
        if (gov_byte1(node[0]) || count < 1 || size > room || !ascending(node + 2, count)) return 0;
        return count % 2 == 0 && gov_high(node[size - 1]) ? 0 : size;
    default: return 0;
    }
}

static int hash_fits(const uint64_t *node) {
    uint32_t bits = gov_byte1(node[0]);
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    for (uint64_t i = 0; i <= mask; i++) {
        const uint64_t *slot = node + 2 + 2 * i;
        if (!slot[1]) {
            if (slot[0]) return 0;
            continue;
        }
        uint64_t at = gov_hash((int64_t)slot[0], bits), probe = 0;
        while (at != i) {
            const uint64_t *other = node + 2 + 2 * at;
            if (!other[1] || other[0] == slot[0] || ++probe >= node[1]) return 0;
            at = (at + 1) & mask;
        }
    }
    return 1;
}

static int link_fits(const check *c, uint32_t from, uint64_t to, uint64_t *steps, uint32_t *depth) {
    if (to <= from || to >= c->t->n_nodes || !c->steps[to]) return 0;
    if (c->steps[to] > *steps) *steps = c->steps[to];
    if (c->depth[to] > *depth) *depth = c->depth[to];
    return 1;
}

static uint64_t child_of(const uint64_t *node, uint64_t i) {
    switch (gov_kind_of(node[0])) {
    case GOV_SWITCH: return gov_pair(node + 3, (uint32_t)i);
    case GOV_HASH: return node[3 + 2 * i];
    default: return gov_pair(node + 2 + node[1], (uint32_t)i);
    }
}

static uint64_t children_of(const uint64_t *node) {
    switch (gov_kind_of(node[0])) {
    case GOV_SWITCH: return node[1];
    case GOV_HASH: return UINT64_C(1) << gov_byte1(node[0]);
    case GOV_SPLIT: return node[1] + 1;
    default: return 0;
    }
}

/* Links of the node at `from`; adds the worst child and the rest to its steps. */
static const char *link_node(check *c, uint32_t from) {
    const uint64_t *node = c->t->nodes + from;
    uint64_t worst = 0, after = 0;
    uint32_t depth = 0, rest_depth = 0;
    for (uint64_t i = 0; i < children_of(node); i++) {
        uint64_t to = child_of(node, i);
        if (to && !link_fits(c, from, to, &worst, &depth)) return "a link does not lead to a later node";
    }
    uint32_t rest = gov_high(node[0]);
    if (rest && !link_fits(c, from, rest, &after, &rest_depth)) return "a link does not lead to a later node";
    if (gov_kind_of(node[0]) == GOV_HASH && !hash_fits(node)) return "a hashed key cannot be found";
    if (rest && gov_kind_of(node[0]) != GOV_BLOCK) depth++;
    if (rest_depth > depth) depth = rest_depth;
    c->depth[from] = (uint8_t)depth;
    c->steps[from] += worst + after;
    if (depth > GOV_DEPTH_MAX) return "the nodes are too deep";
    return c->steps[from] > GOV_STEPS_MAX ? "a decision could take too many steps" : NULL;
}

static const char *check_walks(check *c) {
    const gov_table *t = c->t;
    for (uint32_t at = 0; at < t->n_nodes;) {
        const uint64_t *node = t->nodes + at;
        uint64_t steps = 0, room = t->n_nodes - at, words;
        if (gov_kind_of(node[0]) == GOV_BLOCK) words = room < 5 ? 0 : block_words(c, node, room, &steps);
        else words = index_words(c, node, room, &steps);
        if (!words) return "a node does not add up";
        c->steps[at] = steps;
        c->starts[c->count++] = at;
        at += (uint32_t)words;
    }
    const char *why = NULL;
    for (uint32_t i = c->count; i-- > 0 && !why;) why = link_node(c, c->starts[i]);
    return why;
}

const char *gov_check_nodes(gov_table *t) {
    check c = {.t = t};
    c.steps = calloc(t->n_nodes + 1u, sizeof *c.steps);
    c.depth = calloc(t->n_nodes + 1u, sizeof *c.depth);
    c.starts = calloc(t->n_nodes + 1u, sizeof *c.starts);
    const char *why = c.steps && c.depth && c.starts ? check_walks(&c) : "there is not enough memory";
    t->steps = t->n_assumptions + gov_count(t, GOV_CODE) + 2 * t->n_rules;
    if (!why && t->n_nodes) t->steps += 2 * c.steps[0];
    if (!why && gov_time_steps(t) > GOV_STEPS_MAX) why = "a sample takes too many steps";
    t->steps += gov_time_steps(t);
    free(c.steps);
    free(c.depth);
    free(c.starts);
    return why;
}
