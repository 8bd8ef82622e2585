/* Deciding: the step rule of gov_table.h on words, and how the fired rules become one outcome.

   In: a loaded table, the words of a request, scratch of the caller.  Out: an outcome.  Nothing is allocated, no
   table is changed.  INVARIANT: gov_load.c has checked every link and list that is followed here.

   Several roads lead to the same outcome.  The plan (gov_plan.h) is followed for the best rank, whether something
   permits, and how many fired entries have limits; of a table that is one block its bits say all of that (gov_fast.h).
   That decides all but the requests on which rules override each other or limits meet.  Those take the road of
   gov_collect.c. */

#include "gov_fast.h"
#include "gov_plan.h"

typedef struct {
    uint64_t permits, alone; /* not 0: some fired entry permits, needs the long road */
    uint32_t best, other;    /* lowest fired entry; another fired rule, if there is one */
    uint32_t paired;         /* fired entries that have limits; of several perhaps fewer, but more than one */
} sum;

static inline void take(const gov_table *t, const uint64_t *node, uint64_t fired, sum *s) {
    const uint32_t best = gov_pair(node + 4, (uint32_t)__builtin_ctzll(fired));
    s->permits |= fired & node[1];
    s->alone |= fired & node[2];
    const uint64_t paired = fired & node[3];
    if (paired) s->paired += 1 + ((paired & (paired - 1)) != 0); /* one or more: no more is asked */
    if (t->combine == GOV_UNIQUE)
        for (uint64_t left = fired; left; left &= left - 1) {
            uint32_t e = gov_pair(node + 4, (uint32_t)__builtin_ctzll(left));
            if (s->best == GOV_NONE) s->best = e;
            else if (t->entries[e].rule != t->entries[s->best].rule) s->other = e;
        }
    if (best < s->best) s->best = best;
}

/* How many keys are <= value, without a branch on the answer; masks stand behind the keys. */
static inline uint32_t rank_of(const uint64_t *keys, uint32_t count, int64_t value) {
    uint32_t rank = 0;
    while (count > 1) {
        const uint32_t half = count / 2;
        rank += half & (0u - ((int64_t)keys[rank + half - 1] <= value)); /* gcc jumps if asked with `?` */
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

static inline uint64_t narrow_mask(const gov_step *s, const int64_t *words) {
    const int32_t *keys = s->u.keys, value = (int32_t)words[s->columns[0]];
    const uint16_t *masks = (const uint16_t *)(const void *)(keys + s->count);
    uint32_t rank = 0;
    for (const int32_t *end = keys + s->count; keys < end; keys += GOV_NARROW_STEP)
        for (uint32_t i = 0; i < GOV_NARROW_STEP; i++) rank += keys[i] <= value;
    return masks[rank];
}

/* Of two masks one, in a way of which no compiler makes a branch: nobody foresees the word. */
static inline uint64_t bit_mask(const gov_step *s, const int64_t *words) {
    return (uint64_t)s->lo ^ (s->u.keep & (0 - (uint64_t)words[s->columns[0]]));
}

static inline uint64_t edge_mask(const gov_step *s, const int64_t *words) {
    return (uint16_t)(s->u.keep >> ((s->lo <= words[s->columns[0]]) * 16));
}

static inline uint64_t edges_mask(const gov_step *s, const int64_t *words) {
    const int64_t value = words[s->columns[0]];
    return s->columns[1 + (s->lo <= value) + (s->u.key <= value)];
}

static inline uint64_t rank_mask(const gov_step *s, const int64_t *words) {
    return s->u.words[s->count + rank_of(s->u.words, s->count, words[s->columns[0]])];
}

/* The mask of any other step; a program runs only where its bit could still fire. */
static inline uint64_t step_mask(const gov_table *t, const gov_step *s, const int64_t *words, uint64_t fired) {
    const int64_t value = words[s->columns[0]];
    switch (s->kind) {
    case GOV_STEP_RANK: return rank_mask(s, words);
    case GOV_STEP_ANY: return value & s->lo ? ~UINT64_C(0) : s->u.keep;
    case GOV_STEP_ALL: return (value & s->lo) == s->lo ? ~UINT64_C(0) : s->u.keep;
    case GOV_STEP_WITHIN: return value & ~s->lo ? s->u.keep : ~UINT64_C(0);
    case GOV_STEP_AT_MOST: return sum_of(s, words) <= s->lo ? ~UINT64_C(0) : s->u.keep;
    case GOV_STEP_AT_LEAST: return sum_of(s, words) >= s->lo ? ~UINT64_C(0) : s->u.keep;
    default: return (fired & ~s->u.keep) && !gov_run(t, s->count, words) ? s->u.keep : ~UINT64_C(0);
    }
}

/* The stop that an index leads to, 0: none. */
static inline uint32_t stop_behind(const gov_stop *s, const int64_t *words) {
    const uint32_t *links = (const uint32_t *)(const void *)(s + 1);
    const int64_t value = words[s->column];
    switch (s->kind) {
    case GOV_SWITCH: {
        const uint64_t i = (uint64_t)value - s->all;
        return i < s->count ? links[i] : 0;
    }
    case GOV_HASH: {
        const uint64_t mask = (UINT64_C(1) << s->bits) - 1;
        uint64_t slot = gov_hash(value, s->bits);
        for (uint32_t i = 0; i < s->count; i++, slot = (slot + 1) & mask) {
            const uint64_t *pair = s->node + 2 + 2 * slot;
            if (!pair[1] || (int64_t)pair[0] == value) return links[slot];
        }
        return 0;
    }
    default: return links[gov_rank(s->node + 2, s->count, value)];
    }
}

/* The bits of a block that fire; its steps stand behind it. */
GOV_INLINE uint64_t fired_in(const gov_table *t, const gov_stop *s, const int64_t *words) {
    uint64_t fired = s->all;
    const gov_step *step = (const gov_step *)(const void *)(s + 1), *bits = step + s->of[0], *direct = bits + s->of[1],
                   *edge = direct + s->of[2], *edges = edge + s->of[3], *end = step + s->count;
    for (; step < bits; step++) fired &= bit_mask(step, words);
    for (; step < direct; step++) fired &= direct_mask(step, words);
    for (; step < edge; step++) fired &= edge_mask(step, words);
    for (; step < edges; step++) fired &= edges_mask(step, words);
    for (; step < end; step++) /* nearly all are NARROW: one branch that is easy to foresee */
        fired &= GOV_LIKELY(step->kind == GOV_STEP_NARROW) ? narrow_mask(step, words)
                                                           : step_mask(t, step, words, fired);
    return fired;
}

/* Visits every stop on the way, as gov_collect.c visits the nodes. */
static inline void follow(const gov_table *t, const int64_t *words, sum *found) {
    const gov_plan *p = t->plan;
    uint32_t stack[GOV_DEPTH_MAX + 1], depth = 0, at = 0;
    if (!p->n_slots) return;
    do {
        const gov_stop *s = &p->slots[at].stop;
        uint32_t next = s->next;
        if (s->kind == GOV_BLOCK) {
            const uint64_t fired = fired_in(t, s, words);
            if (fired) take(t, s->node, fired, found);
        } else {
            const uint32_t child = stop_behind(s, words);
            if (child && next) {
                __builtin_prefetch(&p->slots[next]);
                __builtin_prefetch(&p->slots[next + 2]);
                stack[depth++] = next;
            }
            if (child) next = child;
        }
        if (!next && depth) next = stack[--depth];
        at = next;
    } while (at);
}

/* The outcome of the best fired entry, where no rule overrides and no limits are held against each other. */
static inline void settle(const gov_table *t, const sum *s, gov_outcome *out) {
    if (s->best == GOV_NONE) {
        gov_conclude(out, t->fallback, GOV_BY_DEFAULT);
        return;
    }
    const gov_entry *e = &t->entries[s->best];
    if (t->combine == GOV_UNIQUE && s->other != GOV_NONE && t->rules[e->rule].kind != GOV_GUARD)
        gov_conclude(out, GOV_DENY, GOV_BY_DEFAULT);
    else if (s->permits || e->effect >= t->fallback || t->combine >= GOV_FIRST_MATCH)
        gov_conclude(out, e->effect, e->rule);
    else
        gov_conclude(out, t->fallback, GOV_BY_DEFAULT);
}

/* Whether the bits of the only block lead to an outcome; they do not if rules need more than masks. */
static inline int conclude_block(const struct gov_fast *f, uint64_t fired, gov_outcome *out) {
    const uint64_t paired = fired & f->paired;
    if (GOV_UNLIKELY((fired & f->alone) | (paired & (paired - 1)))) return 0;
    const gov_verdict *v = &f->verdicts.by_bit[(fired & f->verdicts.permits) != 0][__builtin_ctzll(fired | f->none)];
    gov_conclude(out, (uint8_t)v->decision, v->rule);
    return 1;
}

/* Whether the fast road leads to an outcome; it does not if there is none, or a word is out of range. */
static inline int decide_fast(const struct gov_fast *f, const int64_t *words, gov_outcome *out) {
    if (!f || !f->words) return 0;
    uint64_t fired = f->active, outside = 0;
    for (uint32_t i = 0; i < f->words; i++) {
        const gov_fast_word *w = &f->word[i];
        const uint64_t at = (uint64_t)words[i] - (uint64_t)w->lo, beyond = at > w->width;
        outside |= beyond;
        fired &= w->masks[beyond ? 0 : at];
    }
    return GOV_LIKELY(!outside) && conclude_block(f, fired, out);
}

static void decide_by_plan(const gov_table *t, const int64_t *words, uint64_t *scratch, gov_outcome *out) {
    sum s = {0, 0, GOV_NONE, GOV_NONE, 0};
    follow(t, words, &s);
    if (GOV_UNLIKELY(s.alone || (s.paired > 1 && t->combine < GOV_FIRST_MATCH))) gov_collect(t, words, scratch, out);
    else settle(t, &s, out);
}

void gov_decide_valid(const gov_table *t, const int64_t *words, uint64_t *scratch, gov_outcome *out) {
    if (decide_fast(t->fast, words, out)) return;
    if (t->n_assumptions && gov_first_broken(t, words, out)) return;
    if (!t->fast) {
        decide_by_plan(t, words, scratch, out);
        return;
    }
    const uint64_t fired = fired_in(t, &t->plan->slots[0].stop, words);
    if (!conclude_block(t->fast, fired, out)) gov_collect(t, words, scratch, out);
}

void gov_decide(const gov_table *t, const int64_t *words, uint64_t *scratch, gov_outcome *out) {
    if (decide_fast(t->fast, words, out)) return;
    if (gov_in_range(t, words, out)) gov_decide_valid(t, words, scratch, out);
}
