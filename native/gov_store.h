/* Instances by key, of a fixed capacity: what a host needs beside gov_take.

   A store holds the shared instance and, for each other scope, at most `capacity` keys.  It is not locked: one call at a
   time (govlang.native._dict holds Python's lock).  Memory is taken when the store is made, and for each new key.

   When a scope is full, the next GOV_SWEEP instances are looked at for one that is as if there had never been a sample;
   only such a one is ever forgotten.  If there is none, a request is denied by GOV_BY_FULL, and no other sample is taken
   in: a full store permits nothing and forgets nothing. */

#ifndef GOV_STORE_H
#define GOV_STORE_H

#include "gov_time.h"

#define GOV_SWEEP 64
#define GOV_FULL -3 /* beside gov_taken: no room for a key of a sample that is no request */

typedef struct gov_store gov_store;
typedef struct { const uint8_t *bytes; uint32_t size; } gov_key; /* bytes NULL: the sample does not address the scope */

/* NULL: there is not enough memory.  `seed` keeps others from choosing keys that collide. */
gov_store *gov_store_new(const gov_table *table, uint32_t capacity, const uint64_t seed[2]);
void gov_store_free(gov_store *store);

/* gov_take on the instances of these keys, one a scope (the shared one's is not looked at).  `deadline`: see
   gov_deadline; only of what is kept. */
int gov_store_take(gov_store *store, const gov_sample *sample, int64_t *words, const gov_key *keys, uint64_t *scratch,
                   gov_outcome *outcome, int64_t *deadline);

/* Puts an instance, new or instead of the old one; -1: there is no room. */
int gov_store_put(gov_store *store, uint32_t scope, gov_key key, const uint8_t *state);

/* The instance of a key; NULL: it has had no sample. */
const uint8_t *gov_store_find(const gov_store *store, uint32_t scope, gov_key key);

/* Takes the instance of a key out, whatever it holds: that is for an operator to say.  0: there is none. */
int gov_store_forget(gov_store *store, uint32_t scope, gov_key key);

/* Instance number `i` of a scope and its key; NULL: there is none of that number.  Numbers are below `capacity`. */
const uint8_t *gov_store_at(const gov_store *store, uint32_t scope, uint32_t i, gov_key *key);
uint32_t gov_store_count(const gov_store *store, uint32_t scope);
uint32_t gov_store_capacity(const gov_store *store);

#endif
