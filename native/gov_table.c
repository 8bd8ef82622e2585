/* Deciding: the step rule of gov_table.h on words, and how the fired rules become one outcome.

   In: a loaded table, the words of a request, scratch of the caller.  Out: an outcome.  Nothing is allocated, no
   table is changed.  INVARIANT: gov_load.c has checked every link and list that is followed here.

   Two roads lead to the same outcome.  The plan (gov_plan.h) is followed for the best rank, whether something permits,
   and how many fired entries have limits; that decides all but the requests on which rules override each other or
   limits meet.  Those take the road of gov_collect, which walks the nodes themselves, gathers the fired rules in a bit
   set and follows the language word by word. */

#include "gov_fast.h"
#include "gov_plan.h"

#include <string.h>

typedef struct {
    uint64_t permits, alone; /* not 0: some fired entry permits, needs the long road */
    uint32_t best, other;    /* lowest fired entry; another fired rule, if there is one */
    uint32_t paired;         /* fired entries that have limits */
} sum;

static inline int64_t floor_div(int64_t a, int64_t b) {
    if (b == -1) return (int64_t)(0 - (uint64_t)a);
    int64_t q = a / b;
    return q - ((a % b != 0) & ((a < 0) != (b < 0)));
}

static inline int64_t member(const uint64_t *operands, uint32_t count, int64_t value) {
    uint64_t at = (uint64_t)value - operands[0];
    return at / 64 < count ? (int64_t)(operands[1 + at / 64] >> (at % 64) & 1) : 0;
}

#define BINARY(name, value)                                     \
    case name: {                                                \
        const int64_t b = *--top, a = top[-1];                  \
        top[-1] = (value);                                      \
        break;                                                  \
    }

int64_t gov_run(const gov_table *t, uint32_t program, const int64_t *words) {
    int64_t stack[GOV_STACK_MAX], *top = stack;
    const uint64_t *at = t->code + t->programs[program].first, *end = at + t->programs[program].words;
    while (at < end) {
        const uint64_t w = *at++;
        const int64_t value = words[gov_column_of(w)];
        switch (gov_kind_of(w)) {
        case GOV_OP_CONST: *top++ = (int64_t)*at++; break;
        case GOV_OP_LOAD: *top++ = value; break;
        BINARY(GOV_OP_ADD, (int64_t)((uint64_t)a + (uint64_t)b))
        BINARY(GOV_OP_SUB, (int64_t)((uint64_t)a - (uint64_t)b))
        BINARY(GOV_OP_MUL, (int64_t)((uint64_t)a * (uint64_t)b))
        BINARY(GOV_OP_LEAST, a < b ? a : b)
        BINARY(GOV_OP_GREATEST, a > b ? a : b)
        case GOV_OP_FLOORDIV: top[-1] = floor_div(top[-1], (int64_t)*at++); break;
        BINARY(GOV_OP_EQ, a == b)
        BINARY(GOV_OP_NE, a != b)
        BINARY(GOV_OP_LT, a < b)
        BINARY(GOV_OP_LE, a <= b)
        case GOV_OP_IN_RANGE: *top++ = (int64_t)at[0] <= value && value <= (int64_t)at[1]; at += 2; break;
        case GOV_OP_MEMBER: *top++ = member(at, gov_high(w), value); at += 1 + gov_high(w); break;
        case GOV_OP_ANY: *top++ = ((uint64_t)value & *at++) != 0; break;
        case GOV_OP_ALL: *top++ = ((uint64_t)value & *at) == *at; at++; break;
        case GOV_OP_WITHIN: *top++ = ((uint64_t)value & ~*at++) == 0; break;
        BINARY(GOV_OP_AND, (a != 0) & (b != 0))
        BINARY(GOV_OP_OR, (a != 0) | (b != 0))
        case GOV_OP_NOT: top[-1] = top[-1] == 0; break;
        case GOV_OP_SELECT: top -= 2; top[-1] = top[-1] ? top[0] : top[1]; break;
        default: return 0;
        }
    }
    return top[-1];
}

uint32_t gov_classify(const gov_table *t, uint32_t classifier, const uint8_t *text, size_t length) {
    const gov_classifier *c = &t->classifiers[classifier];
    const uint16_t *symbol = t->states + c->first, *next = symbol + 256;
    const uint32_t shift = c->shift;
    uint32_t state = 0;
    for (size_t i = 0; i < length; i++) state = next[state << shift | symbol[text[i]]];
    return next[((size_t)c->states << shift) + state];
}

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

/* Visits every block on the way; VISIT(node, fired) is called where something fires. */
#define WALK(table, words, VISIT)                                                      \
    do {                                                                               \
        uint32_t stack_[GOV_DEPTH_MAX + 1], depth_ = 0, at_ = 0;                       \
        int more_ = (table)->n_nodes != 0;                                             \
        while (more_) {                                                                \
            const uint64_t *node_ = (table)->nodes + at_;                              \
            uint32_t next_ = gov_high(node_[0]);                                       \
            if (gov_kind_of(node_[0]) == GOV_BLOCK) {                                  \
                const uint64_t fired_ = fired_bits((table), node_, (words));           \
                if (fired_) VISIT(node_, fired_);                                      \
            } else {                                                                   \
                const uint32_t child_ = child_of(node_, (words));                      \
                if (child_ && next_) stack_[depth_++] = next_;                         \
                if (child_) next_ = child_;                                            \
            }                                                                          \
            if (!next_ && depth_) next_ = stack_[--depth_];                            \
            at_ = next_;                                                               \
            more_ = next_ != 0;                                                        \
        }                                                                              \
    } while (0)

static inline void take(const gov_table *t, const uint64_t *node, uint64_t fired, sum *s) {
    const uint32_t best = gov_pair(node + 4, (uint32_t)__builtin_ctzll(fired));
    s->permits |= fired & node[1];
    s->alone |= fired & node[2];
    if (node[3] & fired) s->paired += (uint32_t)__builtin_popcountll(fired & node[3]);
    if (t->combine == GOV_UNIQUE)
        for (uint64_t left = fired; left; left &= left - 1) {
            uint32_t e = gov_pair(node + 4, (uint32_t)__builtin_ctzll(left));
            if (s->best == GOV_NONE) s->best = e;
            else if (t->entries[e].rule != t->entries[s->best].rule) s->other = e;
        }
    if (best < s->best) s->best = best;
}

/* --- the plan ---------------------------------------------------------------------------------------------------- */

/* How many keys are <= value, without a branch on the answer; masks stand behind the keys. */
static inline uint32_t rank_of(const uint64_t *keys, uint32_t count, int64_t value) {
    uint32_t rank = 0;
    while (count > 1) {
        const uint32_t half = count / 2;
        rank += (int64_t)keys[rank + half - 1] <= value ? half : 0;
        count -= half;
    }
    return rank + ((int64_t)keys[rank] <= value);
}

static inline int64_t sum_of(const gov_step *s, const int64_t *words) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < s->count; i++) total += (uint64_t)words[s->columns[i]];
    return (int64_t)total;
}

static inline uint64_t direct_mask(const gov_step *s, const int64_t *words) {
    const uint64_t i = (uint64_t)words[s->columns[0]] - (uint64_t)s->lo;
    return i < s->count ? s->u.words[i] : 0;
}

/* The mask of any other step; a program runs only where its bit could still fire. */
static inline uint64_t step_mask(const gov_table *t, const gov_step *s, const int64_t *words, uint64_t fired) {
    const int64_t value = words[s->columns[0]];
    switch (s->kind) {
    case GOV_STEP_RANK: return s->u.words[s->count + rank_of(s->u.words, s->count, value)];
    case GOV_STEP_ANY: return value & s->lo ? ~UINT64_C(0) : s->u.keep;
    case GOV_STEP_ALL: return (value & s->lo) == s->lo ? ~UINT64_C(0) : s->u.keep;
    case GOV_STEP_WITHIN: return value & ~s->lo ? s->u.keep : ~UINT64_C(0);
    case GOV_STEP_AT_MOST: return sum_of(s, words) <= s->lo ? ~UINT64_C(0) : s->u.keep;
    case GOV_STEP_AT_LEAST: return sum_of(s, words) >= s->lo ? ~UINT64_C(0) : s->u.keep;
    default: return (fired & ~s->u.keep) && !gov_run(t, s->count, words) ? s->u.keep : ~UINT64_C(0);
    }
}

static inline uint32_t stop_behind(const gov_plan *p, const gov_stop *s, const int64_t *words) {
    const int64_t value = words[s->column];
    switch (s->kind) {
    case GOV_SWITCH: {
        const uint64_t i = (uint64_t)value - s->all;
        return i < s->count ? p->children[s->first + i] : 0;
    }
    case GOV_HASH: {
        const uint64_t mask = (UINT64_C(1) << s->bits) - 1;
        uint64_t slot = gov_hash(value, s->bits);
        for (uint32_t i = 0; i < s->count; i++, slot = (slot + 1) & mask) {
            const uint64_t *pair = s->node + 2 + 2 * slot;
            if (!pair[1] || (int64_t)pair[0] == value) return p->children[s->first + slot];
        }
        return 0;
    }
    default: return p->children[s->first + gov_rank(s->node + 2, s->count, value)];
    }
}

/* Visits every stop on the way, as WALK visits the nodes. */
static inline void follow(const gov_table *t, const int64_t *words, sum *found) {
    const gov_plan *p = t->plan;
    uint32_t stack[GOV_DEPTH_MAX + 1], depth = 0, at = 0;
    if (!p->n_stops) return;
    do {
        const gov_stop *s = &p->stops[at];
        uint32_t next = s->next;
        if (s->kind == GOV_BLOCK) {
            uint64_t fired = s->all;
            const gov_step *step = p->steps + s->first, *direct = step + s->column, *end = step + s->count;
            for (; step < direct; step++) fired &= direct_mask(step, words);
            for (; step < end; step++) fired &= step_mask(t, step, words, fired);
            if (fired) take(t, s->node, fired, found);
        } else {
            const uint32_t child = stop_behind(p, s, words);
            if (child && next) stack[depth++] = next;
            if (child) next = child;
        }
        if (!next && depth) next = stack[--depth];
        at = next;
    } while (at);
}

static inline void conclude(gov_outcome *out, uint8_t decision, uint32_t rule) {
    out->decision = decision;
    out->rule = rule;
    out->culprit = 0;
}

/* The outcome of the best fired entry, where no rule overrides and no limits are held against each other. */
static inline void settle(const gov_table *t, const sum *s, gov_outcome *out) {
    if (s->best == GOV_NONE) {
        conclude(out, t->fallback, GOV_BY_DEFAULT);
        return;
    }
    const gov_entry *e = &t->entries[s->best];
    if (t->combine == GOV_UNIQUE && s->other != GOV_NONE && t->rules[e->rule].kind != GOV_GUARD)
        conclude(out, GOV_DENY, GOV_BY_DEFAULT);
    else if (s->permits || e->effect >= t->fallback || t->combine >= GOV_FIRST_MATCH)
        conclude(out, e->effect, e->rule);
    else
        conclude(out, t->fallback, GOV_BY_DEFAULT);
}

static inline int first_broken(const gov_table *t, const int64_t *words, gov_outcome *out) {
    for (uint32_t i = 0; i < t->n_assumptions; i++)
        if (!gov_run(t, t->assumptions[i].program, words)) {
            conclude(out, GOV_DENY, GOV_BY_INVALID);
            out->culprit = t->policy->request_columns + i;
            return 1;
        }
    return 0;
}

/* --- the long road ----------------------------------------------------------------------------------------------- */

static inline int has_bit(const uint64_t *set, uint32_t i) { return (int)(set[i / 64] >> (i % 64) & 1); }
static inline void clear_bit(uint64_t *set, uint32_t i) { set[i / 64] &= ~(UINT64_C(1) << (i % 64)); }

static void gather(const gov_table *t, const int64_t *words, uint64_t *fired) {
    memset(fired, 0, gov_rule_words(t) * sizeof *fired);
#define GATHER(node, bits)                                                                   \
    for (uint64_t left = (bits); left; left &= left - 1) {                                   \
        uint32_t rule = t->entries[gov_pair((node) + 4, (uint32_t)__builtin_ctzll(left))].rule; \
        fired[rule / 64] |= UINT64_C(1) << (rule % 64);                                      \
    }
    WALK(t, words, GATHER);
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

static uint8_t effect_of(const gov_table *t, const gov_rule *rule, const int64_t *words) {
    if (rule->effect != GOV_REQUIRE_HUMAN) return rule->effect;
    const uint64_t approved = t->policy->approved == GOV_NONE ? 0 : (uint64_t)words[t->policy->approved];
    return rule->roles & ~approved ? GOV_REQUIRE_HUMAN : GOV_ALLOW;
}

/* The strictest taken effect, joined with the default where nothing taken permits; the first rule that has it. */
static void join(const gov_table *t, const int64_t *words, const uint64_t *taken, gov_outcome *out) {
    uint32_t first[GOV_DENY + 1] = {GOV_NONE, GOV_NONE, GOV_NONE, GOV_NONE, GOV_NONE};
    int permits = t->combine >= GOV_FIRST_MATCH, strictest = -1;
    for (uint32_t i = 0; i < gov_rule_words(t); i++)
        for (uint64_t left = taken[i]; left; left &= left - 1) {
            const uint32_t r = 64 * i + (uint32_t)__builtin_ctzll(left);
            const uint8_t effect = effect_of(t, &t->rules[r], words);
            if (first[effect] == GOV_NONE) first[effect] = r;
            if (effect > strictest) strictest = effect;
            permits |= t->rules[r].effect == GOV_ALLOW || t->rules[r].effect == GOV_REQUIRE_HUMAN;
        }
    if (strictest < 0 || (!permits && strictest < t->fallback)) strictest = t->fallback;
    conclude(out, (uint8_t)strictest, first[strictest]);
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

static inline int in_range(const gov_table *t, const int64_t *words, gov_outcome *out) {
    const uint32_t columns = t->policy->request_columns;
    const gov_bound *bounds = t->bounds;
    for (uint32_t c = 0; c < columns; c++)
        if (GOV_UNLIKELY((uint64_t)words[c] - (uint64_t)bounds[c].lo > bounds[c].width)) {
            conclude(out, GOV_DENY, GOV_BY_INVALID);
            out->culprit = c;
            return 0;
        }
    return 1;
}

void gov_collect(const gov_table *t, const int64_t *words, uint64_t *scratch, gov_outcome *out) {
    const uint32_t size = gov_rule_words(t);
    uint64_t *fired = scratch, *taken = scratch + size;
    memset(scratch, 0, 2 * size * sizeof *scratch);
    if (!in_range(t, words, out) || first_broken(t, words, out)) return;
    gather(t, words, fired);
    memcpy(taken, fired, size * sizeof *taken);
    drop_overridden(t, taken);
    const int several = keep_taken(t, taken);
    join(t, words, taken, out);
    if (several) conclude(out, GOV_DENY, GOV_BY_DEFAULT);
    if (!limits_meet(t, words, taken, (int64_t *)(void *)(scratch + 2 * size))) out->decision = GOV_DENY;
}

/* Whether the fast road leads to an outcome; it does not if a word is out of range, or rules need more than masks. */
static inline int decide_fast(const struct gov_fast *f, const int64_t *words, gov_outcome *out) {
    uint64_t fired = f->active, outside = 0;
    for (uint32_t i = 0; i < f->words; i++) {
        const gov_fast_word *w = &f->word[i];
        const uint64_t at = (uint64_t)words[i] - (uint64_t)w->lo, beyond = at > w->width;
        outside |= beyond;
        fired &= w->masks[beyond ? 0 : at];
    }
    const uint64_t paired = fired & f->paired;
    if (GOV_UNLIKELY(outside | (fired & f->alone) | (paired & (paired - 1)))) return 0;
    const gov_verdict *v = &f->verdicts.by_bit[(fired & f->verdicts.permits) != 0][__builtin_ctzll(fired | f->none)];
    conclude(out, (uint8_t)v->decision, v->rule);
    return 1;
}

void gov_decide_valid(const gov_table *t, const int64_t *words, uint64_t *scratch, gov_outcome *out) {
    if (t->fast && decide_fast(t->fast, words, out)) return;
    sum s = {0, 0, GOV_NONE, GOV_NONE, 0};
    if (t->n_assumptions && first_broken(t, words, out)) return;
    follow(t, words, &s);
    if (GOV_UNLIKELY(s.alone || (s.paired > 1 && t->combine < GOV_FIRST_MATCH))) gov_collect(t, words, scratch, out);
    else settle(t, &s, out);
}

void gov_decide(const gov_table *t, const int64_t *words, uint64_t *scratch, gov_outcome *out) {
    if (t->fast && decide_fast(t->fast, words, out)) return;
    if (in_range(t, words, out)) gov_decide_valid(t, words, scratch, out);
}
