/* The long road: every fired rule, and the outcome as the language says it, word by word.

   In: a loaded table and words.  Out: the fired rules, those whose obligations count, and the outcome.  This is the
   step rule of gov_table.h as it stands there; the plan and the fast road must agree with it. */

#include "gov_plan.h"

#include <string.h>

uint64_t gov_lookup_mask(const uint64_t *at, int64_t value, const uint64_t **next) {
    const uint64_t w = at[0], count = gov_high(w);
    switch (gov_kind_of(w)) {
    case GOV_DENSE: {
        uint64_t i = (uint64_t)value - at[1];
        *next = at + 2 + count;
        return i < count ? at[2 + i] : 0;
    }
    case GOV_RANGES:
        *next = at + 2 + 2 * count;
        return at[1 + count + gov_rank(at + 1, (uint32_t)count, value)];
    case GOV_SET_ANY: *next = at + 3; return (uint64_t)value & at[1] ? ~UINT64_C(0) : at[2];
    case GOV_SET_ALL: *next = at + 3; return ((uint64_t)value & at[1]) == at[1] ? ~UINT64_C(0) : at[2];
    default: *next = at + 3; return (uint64_t)value & ~at[1] ? at[2] : ~UINT64_C(0);
    }
}

/* Bits of a block that fire. */
static inline uint64_t fired_bits(const gov_table *t, const uint64_t *node, const int64_t *words) {
    const uint32_t entries = gov_byte1(node[0]), lookups = gov_byte2(node[0]), residuals = gov_byte3(node[0]);
    const uint64_t *rest = node + 4 + (entries + 1) / 2, *at = rest + residuals;
    uint64_t fired = gov_low_bits(entries);
    for (uint32_t i = 0; i < lookups; i++) fired &= gov_lookup_mask(at, words[gov_column_of(at[0])], &at);
    for (uint32_t i = 0; i < residuals && fired; i++) {
        const uint64_t bit = UINT64_C(1) << (uint32_t)rest[i];
        if ((fired & bit) && !gov_run(t, gov_high(rest[i]), words)) fired &= ~bit;
    }
    return fired;
}

/* The child of an index node, 0 if there is none. */
static inline uint32_t child_of(const uint64_t *node, const int64_t *words) {
    const uint64_t w = node[0];
    const int64_t value = words[gov_column_of(w)];
    switch (gov_kind_of(w)) {
    case GOV_SWITCH: {
        uint64_t i = (uint64_t)value - node[2];
        return i < node[1] ? gov_pair(node + 3, (uint32_t)i) : 0;
    }
    case GOV_HASH: {
        const uint64_t mask = (UINT64_C(1) << gov_byte1(w)) - 1;
        uint64_t slot = gov_hash(value, gov_byte1(w));
        for (uint64_t i = 0; i < node[1]; i++, slot = (slot + 1) & mask) {
            const uint64_t *pair = node + 2 + 2 * slot;
            if (!pair[1] || (int64_t)pair[0] == value) return (uint32_t)pair[1];
        }
        return 0;
    }
    default: return gov_pair(node + 2 + node[1], gov_rank(node + 2, (uint32_t)node[1], value));
    }
}

static inline int has_bit(const uint64_t *set, uint32_t i) { return (int)(set[i / 64] >> (i % 64) & 1); }
static inline void clear_bit(uint64_t *set, uint32_t i) { set[i / 64] &= ~(UINT64_C(1) << (i % 64)); }

/* Adds the rules of a block's fired entries, and which of them ask for a human. */
static void add_rules(const gov_table *t, const uint64_t *node, uint64_t bits, uint64_t *fired, uint64_t *asking) {
    for (; bits; bits &= bits - 1) {
        const gov_entry *e = &t->entries[gov_pair(node + 4, (uint32_t)__builtin_ctzll(bits))];
        const uint64_t bit = UINT64_C(1) << (e->rule % 64);
        fired[e->rule / 64] |= bit;
        if (e->effect == GOV_REQUIRE_HUMAN) asking[e->rule / 64] |= bit;
    }
}

/* Walks the nodes: a child first, then what hangs behind its parent. */
static void gather(const gov_table *t, const int64_t *words, uint64_t *fired, uint64_t *asking) {
    uint32_t stack[GOV_DEPTH_MAX + 1], depth = 0, at = 0;
    if (!t->n_nodes) return;
    do {
        const uint64_t *node = t->nodes + at;
        uint32_t next = gov_high(node[0]);
        if (gov_kind_of(node[0]) == GOV_BLOCK) {
            add_rules(t, node, fired_bits(t, node, words), fired, asking);
        } else {
            const uint32_t child = child_of(node, words);
            if (child && next) stack[depth++] = next;
            if (child) next = child;
        }
        if (!next && depth) next = stack[--depth];
        at = next;
    } while (at);
}

/* Overriders come first in `order`, so each rule's fate is known when its turn comes. */
static void drop_overridden(const gov_table *t, uint64_t *standing) {
    for (uint32_t i = 0; i < t->n_order; i++) {
        const gov_rule *rule = &t->rules[t->order[i]];
        if (!rule->overrides || !has_bit(standing, t->order[i])) continue;
        for (uint32_t k = 0; k < rule->overrides; k++) clear_bit(standing, t->overrides[rule->first_override + k]);
    }
}

static uint32_t first_bit(const uint64_t *set, uint32_t words) {
    for (uint32_t i = 0; i < words; i++)
        if (set[i]) return 64 * i + (uint32_t)__builtin_ctzll(set[i]);
    return GOV_NONE;
}

static uint32_t count_bits(const uint64_t *set, uint32_t words) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < words; i++) count += (uint32_t)__builtin_popcountll(set[i]);
    return count;
}

/* Keeps of the standing rules those that `combine` looks at; returns whether some stand and none is taken. */
static int keep_taken(const gov_table *t, uint64_t *taken) {
    const uint32_t size = gov_rule_words(t), first = first_bit(taken, size);
    if (t->combine < GOV_FIRST_MATCH || first == GOV_NONE) return 0;
    const int none = t->combine == GOV_UNIQUE && t->rules[first].kind != GOV_GUARD && count_bits(taken, size) > 1;
    memset(taken, 0, size * sizeof *taken);
    if (!none) taken[first / 64] = UINT64_C(1) << (first % 64);
    return none;
}

/* The strictest effect of a rule's fired entries. */
static uint8_t effect_of(const gov_table *t, uint32_t rule, const uint64_t *asking) {
    const uint8_t effect = t->rules[rule].effect;
    return effect != GOV_REQUIRE_HUMAN || has_bit(asking, rule) ? effect : GOV_ALLOW;
}

/* The strictest taken effect, joined with the default where nothing taken permits; the first rule that has it. */
static void join(const gov_table *t, const uint64_t *asking, const uint64_t *taken, gov_outcome *out) {
    uint32_t first[GOV_DENY + 1] = {GOV_NONE, GOV_NONE, GOV_NONE, GOV_NONE, GOV_NONE};
    int permits = t->combine >= GOV_FIRST_MATCH, strictest = -1;
    for (uint32_t i = 0; i < gov_rule_words(t); i++)
        for (uint64_t left = taken[i]; left; left &= left - 1) {
            const uint32_t r = 64 * i + (uint32_t)__builtin_ctzll(left);
            const uint8_t effect = effect_of(t, r, asking);
            if (first[effect] == GOV_NONE) first[effect] = r;
            if (effect > strictest) strictest = effect;
            permits |= t->rules[r].effect == GOV_ALLOW || t->rules[r].effect == GOV_REQUIRE_HUMAN;
        }
    if (strictest < 0 || (!permits && strictest < t->fallback)) strictest = t->fallback;
    gov_conclude(out, (uint8_t)strictest, first[strictest]);
}

/* Whether every limited target keeps a value; `ranges` has two words a target. */
static int limits_meet(const gov_table *t, const int64_t *words, const uint64_t *taken, int64_t *ranges) {
    for (uint32_t i = 0; i < gov_targets(t); i++) {
        ranges[2 * i] = t->fields[i].lo;
        ranges[2 * i + 1] = t->fields[i].hi;
    }
    int meet = 1;
    for (uint32_t i = 0; i < gov_rule_words(t); i++)
        for (uint64_t left = taken[i]; left; left &= left - 1) {
            const gov_rule *rule = &t->rules[64 * i + (uint32_t)__builtin_ctzll(left)];
            for (uint32_t k = 0; k < rule->limits; k++) {
                const gov_limit *limit = &t->limits[rule->first_limit + k];
                int64_t lo = gov_run(t, limit->lo, words), hi = gov_run(t, limit->hi, words);
                int64_t *range = ranges + 2 * limit->target;
                if (lo > range[0]) range[0] = lo;
                if (hi < range[1]) range[1] = hi;
                meet &= range[0] <= range[1];
            }
        }
    return meet;
}

void gov_collect(const gov_table *t, const int64_t *words, uint64_t *scratch, gov_outcome *out) {
    const uint32_t size = gov_rule_words(t);
    uint64_t *fired = scratch, *taken = scratch + size, *asking = scratch + 2 * size;
    memset(scratch, 0, 3 * size * sizeof *scratch);
    if (!gov_in_range(t, words, out) || gov_first_broken(t, words, out)) return;
    gather(t, words, fired, asking);
    memcpy(taken, fired, size * sizeof *taken);
    drop_overridden(t, taken);
    const int several = keep_taken(t, taken);
    join(t, asking, taken, out);
    if (several) gov_conclude(out, GOV_DENY, GOV_BY_DEFAULT);
    if (!limits_meet(t, words, taken, (int64_t *)(void *)(scratch + 3 * size))) out->decision = GOV_DENY;
}
