/* Making the fast road of gov_fast.h.  In: a table whose nodes have been checked.  Out: masks and outcomes. */

#include "gov_fast.h"
#include "gov_plan.h"

#include <stdlib.h>

void gov_verdicts_make(const gov_table *t, const uint64_t *block, gov_verdicts *v) {
    v->permits = block[1];
    for (int may = 0; may < 2; may++)
        for (uint32_t bit = 0; bit <= GOV_BLOCK_MAX; bit++) {
            const gov_entry *e = bit < gov_byte1(block[0]) ? &t->entries[gov_pair(block + 4, bit)] : NULL;
            const int stands = e && (may || e->effect >= t->fallback || t->combine >= GOV_FIRST_MATCH);
            v->by_bit[may][bit].decision = stands ? e->effect : t->fallback;
            v->by_bit[may][bit].rule = stands ? e->rule : GOV_BY_DEFAULT;
        }
}

/* How many masks all words need; 0: too many. */
static uint32_t masks_of(const gov_table *t) {
    uint64_t total = 0;
    for (uint32_t c = 0; c < t->n_checked; c++) {
        if (t->bounds[c].width >= GOV_FAST_VALUES) return 0;
        total += t->bounds[c].width + 1;
    }
    return total <= GOV_FAST_MASKS ? (uint32_t)total : 0;
}

static int is_one_block(const gov_table *t) {
    const uint64_t *node = t->nodes;
    return t->n_nodes && t->combine != GOV_UNIQUE && gov_kind_of(node[0]) == GOV_BLOCK && !gov_high(node[0]) &&
           gov_byte1(node[0]) < GOV_BLOCK_MAX;
}

static int is_fast(const gov_table *t) {
    return !t->n_assumptions && !t->policy->params && !gov_byte3(t->nodes[0]);
}

/* The mask of every value of one word: what all its lookups say together. */
static void fill_masks(const gov_table *t, uint32_t column, uint64_t *masks) {
    const uint64_t *node = t->nodes;
    for (uint64_t v = 0; v <= t->bounds[column].width; v++) {
        const uint64_t *at = node + 4 + (gov_byte1(node[0]) + 1) / 2;
        masks[v] = ~UINT64_C(0);
        for (uint32_t i = 0; i < gov_byte2(node[0]); i++) {
            const uint16_t of = gov_column_of(at[0]);
            const uint64_t mask = gov_lookup_mask(at, t->bounds[column].lo + (int64_t)v, &at);
            if (of == column) masks[v] &= mask;
        }
    }
}

int gov_fast_make(gov_table *t) {
    if (!is_one_block(t)) return 0;
    const uint32_t masks = is_fast(t) ? masks_of(t) : 0, count = masks ? t->n_checked : 0;
    const size_t head = sizeof(struct gov_fast) + count * sizeof(gov_fast_word);
    struct gov_fast *f = malloc(head + masks * sizeof(uint64_t));
    if (!f) return -1;
    uint64_t *at = (uint64_t *)(void *)((char *)f + head);
    f->words = count;
    f->none = UINT64_C(1) << gov_byte1(t->nodes[0]);
    f->active = gov_low_bits(gov_byte1(t->nodes[0]));
    f->alone = t->nodes[2];
    f->paired = t->combine < GOV_FIRST_MATCH ? t->nodes[3] : 0;
    for (uint32_t c = 0; c < count; c++) {
        f->word[c] = (gov_fast_word){t->bounds[c].lo, t->bounds[c].width, at};
        fill_masks(t, c, at);
        at += t->bounds[c].width + 1;
    }
    gov_verdicts_make(t, t->nodes, &f->verdicts);
    t->fast = f;
    return 0;
}
