/* Making the plan of gov_plan.h: two passes over the checked nodes, one that counts and one that fills.

   In: a table whose nodes have been checked.  Out: its plan.  INVARIANT: memory stays linear in the nodes, because
   only words of a few values always get a mask for each; those of up to DIRECT_MAX values get them until the budget,
   which fits a processor's nearest cache, is spent. */

#include "gov_plan.h"

#include <stdlib.h>
#include <string.h>

#define DIRECT_MAX 1024      /* values of a word that may get a mask each */
#define DIRECT_FEW 16        /* of one that always does */
#define NARROW_KEYS 64       /* of a step, at most, if it is narrow */
#define EDGES_MAX 2          /* keys that stand in the step itself */
#define NARROW_ENTRIES 16    /* of its block: bits of a narrow mask */
#define BUDGET 2048          /* masks for words of more than DIRECT_FEW values */

typedef struct {
    const gov_table *t;
    gov_plan *p;             /* NULL while counting: arrays are filled behind it */
    uint32_t *stop_of;       /* by the node's first word */
    uint32_t slots, words, spent;
    uint32_t entries, tail;  /* of the block at hand: its entries, bytes behind its steps */
} maker;

static uint32_t lookup_size(const uint64_t *at) {
    const uint32_t count = gov_high(at[0]);
    switch (gov_kind_of(at[0])) {
    case GOV_DENSE: return 2 + count;
    case GOV_RANGES: return 2 + 2 * count;
    default: return 3;
    }
}

static uint32_t node_size(const uint64_t *node) {
    const uint32_t count = (uint32_t)node[1];
    switch (gov_kind_of(node[0])) {
    case GOV_SWITCH: return 3 + (count + 1) / 2;
    case GOV_HASH: return 2 + (2u << gov_byte1(node[0]));
    case GOV_SPLIT: return 2 + count + (count + 2) / 2;
    default: break;
    }
    const uint64_t *at = node + 4 + (gov_byte1(node[0]) + 1) / 2 + gov_byte3(node[0]);
    for (uint32_t i = 0; i < gov_byte2(node[0]); i++) at += lookup_size(at);
    return (uint32_t)(at - node);
}

/* Values of a column that get a mask each, 0: too many, or a parameter's, which no request is checked for. */
static uint32_t values_of(const maker *m, uint32_t column) {
    const uint64_t width = m->t->bounds[column].width;
    if (column >= m->t->n_checked || width >= DIRECT_MAX) return 0;
    return width < DIRECT_FEW || m->spent + width < BUDGET ? (uint32_t)width + 1 : 0;
}

static gov_step *new_step(maker *m, uint8_t kind, uint16_t column) {
    gov_step *s = m->p ? &m->p->slots[m->slots].step : NULL;
    m->slots++;
    if (s) *s = (gov_step){.kind = kind, .columns = {column}};
    return s;
}

static uint64_t *new_words(maker *m, uint32_t count) {
    uint64_t *words = m->p ? &m->p->words[m->words] : NULL;
    m->words += count;
    return words;
}

/* What all lookups of the block for a column say together of one value. */
static uint64_t mask_of(const uint64_t *at, uint32_t lookups, uint16_t column, int64_t value) {
    uint64_t all = ~UINT64_C(0);
    for (uint32_t i = 0; i < lookups; i++) {
        const uint64_t w = at[0], mask = gov_lookup_mask(at, value, &at);
        if (gov_column_of(w) == column) all &= mask;
    }
    return all;
}

static void bit_step(maker *m, const uint64_t *first, uint32_t lookups, uint16_t column) {
    gov_step *s = new_step(m, GOV_STEP_BIT, column);
    if (!s) return;
    s->lo = (int64_t)mask_of(first, lookups, column, 0);
    s->u.keep = mask_of(first, lookups, column, 1) ^ (uint64_t)s->lo;
}

static void direct_step(maker *m, const uint64_t *first, uint32_t lookups, uint16_t column, uint32_t values) {
    gov_step *s = new_step(m, GOV_STEP_DIRECT, column);
    uint64_t *masks = new_words(m, values);
    if (values > DIRECT_FEW) m->spent += values;
    if (!s) return;
    s->lo = m->t->bounds[column].lo;
    s->count = values;
    s->u.words = masks;
    for (uint32_t v = 0; v < values; v++) masks[v] = mask_of(first, lookups, column, s->lo + (int64_t)v);
}

static uint32_t padded(uint32_t count) { return (count + GOV_NARROW_STEP - 1) / GOV_NARROW_STEP * GOV_NARROW_STEP; }
static uint32_t narrow_bytes(uint32_t count) { return (4 * padded(count) + 2 * (padded(count) + 1) + 3) & ~3u; }

/* Every word is below INT32_MAX, the key that fills up: no parameter, since nobody checks its word.  (There is a mask
   behind each of these keys too, so that no word whatever leads outside.) */
static int is_narrow(const maker *m, uint16_t column, const uint64_t *keys, uint32_t count) {
    const gov_column *c = &m->t->columns[column];
    return column < m->t->n_checked && c->lo >= INT32_MIN && c->hi < INT32_MAX &&
           m->entries <= NARROW_ENTRIES && count <= NARROW_KEYS && (int64_t)keys[0] >= INT32_MIN &&
           (int64_t)keys[count - 1] <= INT32_MAX;
}

/* Narrow keys and masks of a block move behind its steps: most requests of a large table wait for memory. */
static void tuck_in(maker *m, uint32_t first) {
    char *to = m->p ? (char *)&m->p->slots[m->slots] : NULL;
    for (uint32_t i = first; to && i < m->slots; i++) {
        gov_step *s = &m->p->slots[i].step;
        if (s->kind != GOV_STEP_NARROW) continue;
        int32_t *keys = (int32_t *)(void *)to;
        uint16_t *masks = (uint16_t *)(void *)(keys + padded(s->count));
        for (uint32_t k = 0; k < padded(s->count); k++) keys[k] = k < s->count ? (int32_t)s->u.words[k] : INT32_MAX;
        for (uint32_t k = 0; k <= padded(s->count); k++)
            masks[k] = k <= s->count ? (uint16_t)s->u.words[s->count + k] : 0;
        to += narrow_bytes(s->count);
        s->count = padded(s->count);
        s->u.keys = keys;
    }
    m->slots += (m->tail + (uint32_t)sizeof(gov_slot) - 1) / (uint32_t)sizeof(gov_slot);
}

static void rank_step(maker *m, const uint64_t *at) {
    const uint32_t count = gov_high(at[0]);
    const int narrow = is_narrow(m, gov_column_of(at[0]), at + 1, count);
    gov_step *s = new_step(m, narrow ? GOV_STEP_NARROW : GOV_STEP_RANK, gov_column_of(at[0]));
    if (narrow) m->tail += narrow_bytes(count);
    if (!s) return;
    s->count = count;
    s->u.words = at + 1;
}

static void edge_step(maker *m, const uint64_t *at) {
    gov_step *s = new_step(m, GOV_STEP_EDGE, gov_column_of(at[0]));
    if (!s) return;
    s->lo = (int64_t)at[1];
    s->u.keep = (at[2] & UINT16_MAX) | at[3] << 16;
}

static void edges_step(maker *m, const uint64_t *at) {
    gov_step *s = new_step(m, GOV_STEP_EDGES, gov_column_of(at[0]));
    if (!s) return;
    s->lo = (int64_t)at[1];
    s->u.key = (int64_t)at[2];
    for (uint32_t i = 0; i <= EDGES_MAX; i++) s->columns[1 + i] = (uint16_t)at[1 + EDGES_MAX + i];
}

static void dense_step(maker *m, const uint64_t *at) {
    gov_step *s = new_step(m, GOV_STEP_DIRECT, gov_column_of(at[0]));
    if (!s) return;
    s->lo = (int64_t)at[1];
    s->count = gov_high(at[0]);
    s->u.words = at + 2;
}

static void set_step(maker *m, const uint64_t *at) {
    const uint8_t kind = gov_kind_of(at[0]);
    const uint8_t as = kind == GOV_SET_ANY ? GOV_STEP_ANY : kind == GOV_SET_ALL ? GOV_STEP_ALL : GOV_STEP_WITHIN;
    gov_step *s = new_step(m, as, gov_column_of(at[0]));
    if (!s) return;
    s->lo = (int64_t)at[1];
    s->u.keep = at[2];
}

enum group { BITS, MASKS, EDGE, EDGES, OTHERS }; /* those before OTHERS are counted in gov_stop.of */

static int is_bit(const maker *m, uint32_t column, uint32_t values) {
    return values == 2 && m->t->bounds[column].lo == 0;
}

static int has_few_edges(const maker *m, const uint64_t *at) {
    return gov_kind_of(at[0]) == GOV_RANGES && gov_high(at[0]) <= EDGES_MAX && m->entries <= NARROW_ENTRIES;
}

static enum group group_of(const maker *m, const uint64_t *at, uint32_t values) {
    if (is_bit(m, gov_column_of(at[0]), values)) return BITS;
    if (values || gov_kind_of(at[0]) == GOV_DENSE) return MASKS;
    if (!has_few_edges(m, at)) return OTHERS;
    return gov_high(at[0]) > 1 ? EDGES : EDGE;
}

/* The lookups of one group: of those that become BIT or DIRECT there is one step a column. */
static void lookup_steps(maker *m, const uint64_t *first, uint32_t lookups, enum group group) {
    const uint64_t *at = first;
    for (uint32_t i = 0; i < lookups; i++, at += lookup_size(at)) {
        const uint8_t kind = gov_kind_of(at[0]);
        const uint16_t column = gov_column_of(at[0]);
        const uint32_t values = values_of(m, column);
        if (group != group_of(m, at, values)) continue;
        if (values) {
            const uint64_t *before = first;
            while (before != at && gov_column_of(before[0]) != column) before += lookup_size(before);
            if (before != at) continue;
            if (group == BITS) bit_step(m, first, lookups, column);
            else direct_step(m, first, lookups, column, values);
        } else if (kind == GOV_DENSE) {
            dense_step(m, at);
        } else if (group == EDGE) {
            edge_step(m, at);
        } else if (group == EDGES) {
            edges_step(m, at);
        } else if (kind == GOV_RANGES) {
            rank_step(m, at);
        } else {
            set_step(m, at);
        }
    }
}

/* Columns of `LOAD (LOAD ADD)*`, behind which *at is left; 0: it is something else. */
static uint32_t summed(const uint64_t **at, const uint64_t *end, uint16_t *columns) {
    uint32_t count = 0;
    while (*at < end && gov_kind_of(**at) == GOV_OP_LOAD && count < GOV_STEP_COLUMNS) {
        columns[count++] = gov_column_of(*(*at)++);
        if (count > 1 && (*at == end || gov_kind_of(*(*at)++) != GOV_OP_ADD)) return 0;
    }
    return count;
}

/* A program that holds a sum against a constant: its kind, or GOV_STEP_PROGRAM. */
static uint8_t shape_of(const gov_table *t, uint32_t program, gov_step *s) {
    const uint64_t *at = t->code + t->programs[program].first, *end = at + t->programs[program].words;
    const int constant_first = end - at > 2 && gov_kind_of(at[0]) == GOV_OP_CONST;
    if (constant_first) {
        s->lo = (int64_t)at[1];
        at += 2;
    }
    s->count = summed(&at, end, s->columns);
    if (!constant_first && end - at == 3 && gov_kind_of(at[0]) == GOV_OP_CONST) {
        s->lo = (int64_t)at[1];
        at += 2;
    }
    if (!s->count || end - at != 1 || gov_kind_of(at[0]) != GOV_OP_LE) return GOV_STEP_PROGRAM;
    return constant_first ? GOV_STEP_AT_LEAST : GOV_STEP_AT_MOST;
}

static void residual_step(maker *m, uint64_t residual) {
    const uint32_t program = gov_high(residual);
    gov_step *s = new_step(m, GOV_STEP_PROGRAM, 0);
    if (!s) return;
    s->kind = shape_of(m->t, program, s);
    if (s->kind == GOV_STEP_PROGRAM) s->count = program;
    s->u.keep = ~(UINT64_C(1) << (uint32_t)residual);
}

static void block_stop(maker *m, const uint64_t *node, uint32_t at) {
    const uint32_t residuals = gov_byte3(node[0]), first = m->slots;
    const uint64_t *rest = node + 4 + (gov_byte1(node[0]) + 1) / 2;
    m->entries = gov_byte1(node[0]);
    m->tail = 0;
    uint8_t of[GOV_STEP_GROUPS];
    for (enum group group = BITS; group <= OTHERS; group++) {
        const uint32_t before = m->slots;
        lookup_steps(m, rest + residuals, gov_byte2(node[0]), group);
        if (group < OTHERS) of[group] = (uint8_t)(m->slots - before);
    }
    for (uint32_t i = 0; i < residuals; i++) residual_step(m, rest[i]);
    const uint32_t steps = m->slots - first;
    tuck_in(m, first);
    if (!m->p) return;
    gov_stop *stop = &m->p->slots[at].stop;
    stop->all = gov_low_bits(gov_byte1(node[0]));
    memcpy(stop->of, of, sizeof of);
    stop->count = steps;
}

static void index_stop(maker *m, const uint64_t *node, uint32_t at) {
    const uint8_t kind = gov_kind_of(node[0]);
    const uint32_t count = (uint32_t)node[1], bits = gov_byte1(node[0]);
    const uint32_t children = kind == GOV_HASH ? 1u << bits : count + (kind == GOV_SPLIT);
    m->slots += (children + GOV_LINKS - 1) / GOV_LINKS;
    if (!m->p) return;
    gov_stop *stop = &m->p->slots[at].stop;
    stop->bits = (uint8_t)bits;
    stop->column = gov_column_of(node[0]);
    stop->all = kind == GOV_SWITCH ? node[2] : 0;
    stop->count = count;
    for (uint32_t i = 0; i < children; i++) {
        const uint64_t to = kind == GOV_SWITCH ? gov_pair(node + 3, i)
                            : kind == GOV_HASH ? node[3 + 2 * (size_t)i] : gov_pair(node + 2 + count, i);
        m->p->slots[at + 1 + i / GOV_LINKS].links[i % GOV_LINKS] = to ? m->stop_of[to] : 0;
    }
}

static void pass(maker *m) {
    m->slots = m->words = m->spent = 0;
    for (uint32_t at = 0; at < m->t->n_nodes; at += node_size(m->t->nodes + at)) {
        const uint64_t *node = m->t->nodes + at;
        const uint32_t slot = m->slots++;
        m->stop_of[at] = slot;
        if (m->p) {
            gov_stop *stop = &m->p->slots[slot].stop;
            stop->kind = gov_kind_of(node[0]);
            stop->node = node;
            stop->next = gov_high(node[0]) ? m->stop_of[gov_high(node[0])] : 0;
        }
        if (gov_kind_of(node[0]) == GOV_BLOCK) block_stop(m, node, slot);
        else index_stop(m, node, slot);
    }
}

int gov_plan_make(gov_table *t) {
    gov_plan *p = calloc(1, sizeof *p);
    maker m = {.t = t, .stop_of = calloc(t->n_nodes + 1u, sizeof(uint32_t))};
    t->plan = p;
    if (!p || !m.stop_of) {
        free(m.stop_of);
        return -1;
    }
    pass(&m);
    p->n_slots = m.slots;
    p->slots = aligned_alloc(64, ((size_t)m.slots + 2) / 2 * 64);
    p->words = calloc(m.words + 1u, sizeof *p->words);
    const int whole = p->slots && p->words;
    m.p = p;
    if (whole) {
        memset(p->slots, 0, ((size_t)m.slots + 2) / 2 * 64);
        pass(&m);
    }
    free(m.stop_of);
    return whole ? 0 : -1;
}

void gov_plan_free(gov_plan *p) {
    if (!p) return;
    free(p->slots);
    free(p->words);
    free(p);
}
