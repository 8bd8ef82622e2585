/* Instances by key: see gov_store.h.

   Instances stand in an array and never move; an index of open addressing leads to them.  INVARIANT: the index has at
   least twice as many slots as instances, so a search ends at an empty one. */

#include "gov_store.h"

#include <stdlib.h>
#include <string.h>

typedef struct { uint64_t hash; uint8_t *key; uint32_t size, next_free; } entry; /* key NULL: free */

typedef struct {
    entry *entries;
    uint8_t *states;            /* `stride` bytes each */
    uint32_t *index;            /* number of an entry and 1; 0: empty */
    uint32_t mask, stride;
    uint32_t used, count, free; /* entries ever used, in use; first free one and 1 */
    uint32_t hand;              /* where the sweep goes on */
} keyed;

struct gov_store {
    const gov_table *t;
    uint64_t seed[2];
    uint32_t capacity, n_scopes;
    keyed scopes[GOV_SCOPES_MAX]; /* number 0 has one instance and no key */
    uint8_t *fresh[GOV_SCOPES_MAX]; /* an instance that is not in the store yet, a scope */
    int64_t *words;                 /* for looking at instances, and the scratch for it */
    uint64_t *scratch;
};

/* --- keys -------------------------------------------------------------------------------------------------------- */

static inline uint64_t turned(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }
static inline void mix(uint64_t v[4]) {
    v[0] += v[1], v[1] = turned(v[1], 13) ^ v[0], v[0] = turned(v[0], 32);
    v[2] += v[3], v[3] = turned(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = turned(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = turned(v[1], 17) ^ v[2], v[2] = turned(v[2], 32);
}

/* SipHash-1-3: nobody without the seed can choose keys that collide. */
static uint64_t hash_of(const uint64_t seed[2], const uint8_t *bytes, size_t size) {
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word = 0;
    size_t at = 0;
    for (; size - at >= 8; at += 8) {
        memcpy(&word, bytes + at, 8);
        v[3] ^= word, mix(v), v[0] ^= word;
    }
    word = (uint64_t)size << 56;
    for (size_t i = 0; at + i < size; i++) word |= (uint64_t)bytes[at + i] << (8 * i);
    v[3] ^= word, mix(v), v[0] ^= word;
    v[2] ^= 0xff;
    mix(v), mix(v), mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot of a key, or the empty one where it would stand. */
static uint32_t slot_of(const keyed *k, uint64_t hash, gov_key key) {
    uint32_t slot = (uint32_t)hash & k->mask;
    for (; k->index[slot]; slot = (slot + 1) & k->mask) {
        const entry *e = &k->entries[k->index[slot] - 1];
        if (e->hash == hash && e->size == key.size && !memcmp(e->key, key.bytes, key.size)) break;
    }
    return slot;
}

static uint8_t *state_at(const keyed *k, uint32_t i) { return k->states + (size_t)i * k->stride; }

/* --- making ------------------------------------------------------------------------------------------------------ */

static int make_scope(gov_store *s, uint32_t scope) {
    keyed *k = &s->scopes[scope];
    const uint32_t many = scope ? s->capacity : 1;
    uint32_t slots = 2;
    while (slots < 2 * many) slots *= 2;
    k->mask = slots - 1;
    k->stride = (gov_state_bytes(s->t, scope) + 7) & ~7u;
    k->entries = scope ? calloc(many, sizeof *k->entries) : NULL;
    k->index = scope ? calloc(slots, sizeof *k->index) : NULL;
    k->states = calloc(many, k->stride);
    s->fresh[scope] = calloc(1, k->stride);
    return k->states && s->fresh[scope] && (!scope || (k->entries && k->index)) ? 0 : -1;
}

gov_store *gov_store_new(const gov_table *t, uint32_t capacity, const uint64_t seed[2]) {
    gov_store *s = capacity && capacity <= UINT32_MAX / 4 ? calloc(1, sizeof *s) : NULL;
    if (!s) return NULL;
    s->t = t;
    s->seed[0] = seed[0], s->seed[1] = seed[1];
    s->capacity = capacity;
    s->words = calloc(gov_table_columns(t) + 1u, sizeof *s->words);
    s->scratch = calloc(gov_table_scratch(t) + 1u, sizeof *s->scratch);
    if (!s->words || !s->scratch) {
        gov_store_free(s);
        return NULL;
    }
    for (; s->n_scopes < gov_scopes(t); s->n_scopes++)
        if (make_scope(s, s->n_scopes) != 0) {
            s->n_scopes++;
            gov_store_free(s);
            return NULL;
        }
    if (s->n_scopes) gov_state_start(t, 0, s->scopes[0].states);
    return s;
}

void gov_store_free(gov_store *s) {
    if (!s) return;
    for (uint32_t scope = 0; scope < s->n_scopes; scope++) {
        keyed *k = &s->scopes[scope];
        for (uint32_t i = 0; k->entries && i < k->used; i++) free(k->entries[i].key);
        free(k->entries);
        free(k->states);
        free(k->index);
        free(s->fresh[scope]);
    }
    free(s->words);
    free(s->scratch);
    free(s);
}

/* --- adding and forgetting --------------------------------------------------------------------------------------- */

/* Takes an entry out; those behind it in the index move up, so that searches still find them. */
static void forget(keyed *k, uint32_t i) {
    entry *e = &k->entries[i];
    uint32_t hole = slot_of(k, e->hash, (gov_key){e->key, e->size});
    for (uint32_t slot = (hole + 1) & k->mask; k->index[slot]; slot = (slot + 1) & k->mask) {
        const uint32_t home = (uint32_t)k->entries[k->index[slot] - 1].hash & k->mask;
        if (((slot - home) & k->mask) < ((slot - hole) & k->mask)) continue;
        k->index[hole] = k->index[slot];
        hole = slot;
    }
    k->index[hole] = 0;
    free(e->key);
    *e = (entry){.next_free = k->free};
    k->free = i + 1;
    k->count--;
}

/* Whether there is room for one more key, after forgetting one if need be. */
static int has_room(gov_store *s, uint32_t scope, int64_t now) {
    keyed *k = &s->scopes[scope];
    if (k->count < s->capacity) return 1;
    for (uint32_t n = 0; n < GOV_SWEEP && n < s->capacity; n++) {
        const uint32_t i = k->hand;
        k->hand = i + 1 < s->capacity ? i + 1 : 0;
        if (!gov_state_idle(s->t, scope, state_at(k, i), now, s->words, s->scratch)) continue;
        forget(k, i);
        return 1;
    }
    return 0;
}

/* Adds a key that is not there, for which there is room; -1: there is not enough memory. */
static int add(gov_store *s, uint32_t scope, gov_key key, const uint8_t *state) {
    keyed *k = &s->scopes[scope];
    uint8_t *copy = malloc(key.size + 1u);
    if (!copy || k->count >= s->capacity) {
        free(copy);
        return -1;
    }
    memcpy(copy, key.bytes, key.size);
    const uint32_t i = k->free ? k->free - 1 : k->used++;
    if (k->free) k->free = k->entries[i].next_free;
    const uint64_t hash = hash_of(s->seed, key.bytes, key.size);
    k->index[slot_of(k, hash, key)] = i + 1;
    k->entries[i] = (entry){.hash = hash, .key = copy, .size = key.size};
    memcpy(state_at(k, i), state, gov_state_bytes(s->t, scope));
    k->count++;
    return 0;
}

static uint8_t *find(const gov_store *s, uint32_t scope, gov_key key) {
    const keyed *k = &s->scopes[scope];
    if (!scope) return k->states;
    const uint32_t i = k->index[slot_of(k, hash_of(s->seed, key.bytes, key.size), key)];
    return i ? state_at(k, i - 1) : NULL;
}

const uint8_t *gov_store_find(const gov_store *s, uint32_t scope, gov_key key) { return find(s, scope, key); }

static void forget_key(gov_store *s, uint32_t scope, gov_key key) {
    keyed *k = &s->scopes[scope];
    forget(k, k->index[slot_of(k, hash_of(s->seed, key.bytes, key.size), key)] - 1);
}

int gov_store_put(gov_store *s, uint32_t scope, gov_key key, const uint8_t *state) {
    uint8_t *old = find(s, scope, key);
    if (!old) return add(s, scope, key, state);
    memcpy(old, state, gov_state_bytes(s->t, scope));
    return 0;
}

int gov_store_forget(gov_store *s, uint32_t scope, gov_key key) {
    if (!scope || !find(s, scope, key)) return 0;
    forget_key(s, scope, key);
    return 1;
}

const uint8_t *gov_store_at(const gov_store *s, uint32_t scope, uint32_t i, gov_key *key) {
    const keyed *k = &s->scopes[scope];
    *key = (gov_key){(const uint8_t *)"", 0};
    if (!scope) return i ? NULL : k->states;
    if (i >= k->used || !k->entries[i].key) return NULL;
    *key = (gov_key){k->entries[i].key, k->entries[i].size};
    return state_at(k, i);
}

uint32_t gov_store_count(const gov_store *s, uint32_t scope) { return scope ? s->scopes[scope].count : 1; }
uint32_t gov_store_capacity(const gov_store *s) { return s->capacity; }

/* --- samples ----------------------------------------------------------------------------------------------------- */

/* Gives the new keys their place, before anything is written; 0: there is not enough memory, and none has a place. */
static int place(gov_store *s, const gov_key *keys, uint8_t **states) {
    for (uint32_t scope = 1; scope < s->n_scopes; scope++) {
        if (states[scope] != s->fresh[scope]) continue;
        if (add(s, scope, keys[scope], s->fresh[scope]) == 0) continue;
        while (--scope)
            if (states[scope] == s->fresh[scope]) forget_key(s, scope, keys[scope]);
        return 0;
    }
    return 1;
}

static int take_new(gov_store *s, const gov_sample *sample, int64_t *words, const gov_key *keys, uint8_t **states,
                    uint64_t *scratch, gov_outcome *out) {
    uint8_t *given[GOV_SCOPES_MAX];
    for (uint32_t scope = 0; scope < s->n_scopes; scope++) given[scope] = states[scope];
    if (sample->keep)
        for (uint32_t scope = 1; scope < s->n_scopes; scope++)
            if (states[scope] == s->fresh[scope]) given[scope] = find(s, scope, keys[scope]);
    const int taken = gov_take(s->t, sample, words, given, scratch, out);
    if (!sample->keep) return taken;
    for (uint32_t scope = 1; scope < s->n_scopes; scope++) {
        if (states[scope] != s->fresh[scope]) continue;
        int64_t at;
        memcpy(&at, given[scope], sizeof at);
        if (at == GOV_NEVER) forget_key(s, scope, keys[scope]); /* nothing was written: it stays unknown */
        else states[scope] = given[scope];
    }
    return taken;
}

static int full(const gov_sample *sample, gov_outcome *out) {
    if (sample->kind != GOV_REQUEST) return GOV_FULL;
    *out = (gov_outcome){.rule = GOV_BY_FULL, .decision = GOV_DENY};
    return GOV_TAKEN;
}

int gov_store_take(gov_store *s, const gov_sample *sample, int64_t *words, const gov_key *keys, uint64_t *scratch,
                   gov_outcome *out, int64_t *deadline) {
    uint8_t *states[GOV_SCOPES_MAX];
    int is_new = 0, has_all = 1;
    *deadline = GOV_UNKNOWN;
    for (uint32_t scope = 0; scope < s->n_scopes; scope++) {
        const int addressed = !scope || keys[scope].bytes != NULL;
        states[scope] = addressed ? find(s, scope, keys[scope]) : NULL;
        if (states[scope] || !addressed) continue;
        is_new = 1;
        has_all &= has_room(s, scope, sample->at_ms);
        gov_state_start(s->t, scope, s->fresh[scope]);
        states[scope] = s->fresh[scope];
    }
    if (!has_all || (is_new && sample->keep && !place(s, keys, states))) return full(sample, out);
    const int taken = is_new ? take_new(s, sample, words, keys, states, scratch, out)
                             : gov_take(s->t, sample, words, states, scratch, out);
    if (taken == GOV_TAKEN && sample->keep) *deadline = gov_deadline(s->t, states, sample->at_ms);
    return taken;
}
