/* The limits: what a programmer writes by hand in C for the same rules. Compiled with gcc -O2 and -O3 into one
 * shared library each; every `time_…` function walks the requests in the (shuffled) order given, calls a decision
 * that is not inlined for each, and returns nanoseconds. `out` receives the rule's position, or -1.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
#define NO_RULE (-1)

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define TIMED(call)                                   \
    double start = now_ns();                          \
    for (size_t i = 0; i < n; i++) out[i] = (call);   \
    return now_ns() - start

/* ---- (a) eight rules ------------------------------------------------------------------------------------- */

enum zone { URBAN, RURAL, AIRPORT, FOREST };

struct drone {
    int32_t battery, payload, cpu_load, wind, altitude, zone;
};

static NOINLINE int32_t branchy(const struct drone *d) {
    if (d->battery <= 29 && d->payload >= 11) return 0;
    if (d->zone == AIRPORT && d->altitude >= 31) return 1;
    if (d->wind >= 37) return 2;
    if (d->cpu_load >= 95 && d->battery <= 59) return 3;
    if (d->zone == URBAN && d->payload >= 19 && d->altitude >= 61) return 4;
    if (d->wind >= 29 && d->altitude >= 91) return 5;
    if (d->zone == AIRPORT && d->wind >= 11) return 6;
    if ((d->zone == RURAL || d->zone == FOREST) && d->altitude <= 19 && d->wind >= 16) return 7;
    return NO_RULE;
}

/* One bit a rule; the first set bit is the rule. Bit 8 is always set and means none. */
static inline uint32_t fired(int64_t battery, int64_t payload, int64_t cpu_load, int64_t wind, int64_t altitude,
                             int64_t zone) {
    uint32_t bits = 1u << 8;
    bits |= (uint32_t)((battery <= 29) & (payload >= 11)) << 0;
    bits |= (uint32_t)((zone == AIRPORT) & (altitude >= 31)) << 1;
    bits |= (uint32_t)(wind >= 37) << 2;
    bits |= (uint32_t)((cpu_load >= 95) & (battery <= 59)) << 3;
    bits |= (uint32_t)((zone == URBAN) & (payload >= 19) & (altitude >= 61)) << 4;
    bits |= (uint32_t)((wind >= 29) & (altitude >= 91)) << 5;
    bits |= (uint32_t)((zone == AIRPORT) & (wind >= 11)) << 6;
    bits |= (uint32_t)(((zone == RURAL) | (zone == FOREST)) & (altitude <= 19) & (wind >= 16)) << 7;
    return bits;
}

static NOINLINE int32_t branchless(const struct drone *d) {
    int32_t first = __builtin_ctz(fired(d->battery, d->payload, d->cpu_load, d->wind, d->altitude, d->zone));
    return first == 8 ? NO_RULE : first;
}

double time_branchy(const struct drone *d, size_t n, int32_t *out) { TIMED(branchy(&d[i])); }
double time_branchless(const struct drone *d, size_t n, int32_t *out) { TIMED(branchless(&d[i])); }

/* Columns of 64-bit integers in, one byte a row out: the loop that a compiler turns into vector code. */
double time_columns(const int64_t *const *column, size_t n, uint8_t *out) {
    const int64_t *battery = column[0], *payload = column[1], *cpu_load = column[2];
    const int64_t *wind = column[3], *altitude = column[4], *zone = column[5];
    double start = now_ns();
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = fired(battery[i], payload[i], cpu_load[i], wind[i], altitude[i], zone[i]);
        out[i] = (uint8_t)(bits & -bits); /* the lowest bit, 0 for none: 8 bits hold 8 rules */
    }
    return now_ns() - start;
}

/* ---- (b), (c), (d) an index ------------------------------------------------------------------------------- */

enum rest { REST_NONE, REST_SUM, REST_LABELS, REST_TOPIC };

struct entry { /* one rule of one cell: a range of the ranged column, then what is left to test */
    int32_t lo, hi, rule, rest;
    int32_t a_lo, a_hi; /* a box's second range */
    int32_t bound;      /* the sum's limit, or the topic's class */
    int32_t unused;
    uint64_t mask;
};

struct cell {
    uint32_t first, ranges, loose; /* entries[first …]: `ranges` sorted by lo, then `loose` without a range */
};

struct table {
    const struct cell *cells;
    const struct entry *entries;
    int32_t second_keys; /* cells are numbered key0 * second_keys + key1 */
    int32_t sum_bound;   /* rule 0, above all cells */
    uint64_t forbidden;  /* rule 1 */
};

struct request {
    int32_t key0, key1, ranged, a, b, topic;
    uint64_t labels;
};

static inline int holds(const struct entry *e, const struct request *r, int32_t sum) {
    if (r->a < e->a_lo || r->a > e->a_hi) return 0;
    switch (e->rest) {
    case REST_SUM: return sum <= e->bound;
    case REST_LABELS: return (r->labels & e->mask) != 0;
    case REST_TOPIC: return r->topic == e->bound;
    default: return 1;
    }
}

static inline int32_t in_cell(const struct table *t, const struct request *r, int32_t sum) {
    const struct cell *c = &t->cells[r->key0 * t->second_keys + r->key1];
    const struct entry *e = &t->entries[c->first];
    int32_t best = NO_RULE;
    uint32_t low = 0, len = c->ranges;
    while (len > 1) { /* the last range that begins at or before the value */
        uint32_t half = len / 2;
        low += e[low + half].lo <= r->ranged ? half : 0;
        len -= half;
    }
    if (c->ranges && e[low].lo <= r->ranged && r->ranged <= e[low].hi && holds(&e[low], r, sum)) best = e[low].rule;
    for (uint32_t i = c->ranges; i < c->ranges + c->loose; i++)
        if ((best == NO_RULE || e[i].rule < best) && holds(&e[i], r, sum)) best = e[i].rule;
    return best;
}

static NOINLINE int32_t indexed(const struct table *t, const struct request *r) {
    int32_t sum = r->ranged + r->a + r->b;
    if (sum >= t->sum_bound) return 0;
    if (r->labels & t->forbidden) return 1;
    return in_cell(t, r, sum);
}

double time_indexed(const struct table *t, const struct request *r, size_t n, int32_t *out) {
    TIMED(indexed(t, &r[i]));
}

/* Texts: an open hash of the known ones; what is unknown is looked up by its prefix to the first dot. */
struct word {
    uint64_t hash;
    uint32_t at, len; /* in `bytes`; len 0 is an empty slot */
    int32_t value, unused;
};

struct words {
    const struct word *slots;
    const char *bytes;
    uint64_t mask;
    int32_t other, unused;
};

static inline uint64_t hash_of(const char *s, uint32_t len) {
    uint64_t h = len * UINT64_C(0x9E3779B97F4A7C15), part;
    while (len >= 8) {
        memcpy(&part, s, 8);
        h = (h ^ part) * UINT64_C(0xFF51AFD7ED558CCD);
        h ^= h >> 32;
        s += 8, len -= 8;
    }
    part = 0;
    for (uint32_t i = 0; i < len; i++) part |= (uint64_t)(unsigned char)s[i] << (8 * i);
    h = (h ^ part) * UINT64_C(0xFF51AFD7ED558CCD);
    return h ^ (h >> 32);
}

uint64_t text_hash(const char *s, uint32_t len) { return hash_of(s, len); }

static inline int32_t find(const struct words *w, const char *s, uint32_t len) {
    uint64_t h = hash_of(s, len);
    for (uint64_t i = h & w->mask;; i = (i + 1) & w->mask) {
        const struct word *slot = &w->slots[i];
        if (slot->len == 0) return -1;
        if (slot->hash == h && slot->len == len && memcmp(w->bytes + slot->at, s, len) == 0) return slot->value;
    }
}

static inline int32_t class_of(const struct words *w, const char *s, uint32_t len) {
    int32_t value = find(w, s, len);
    if (value >= 0) return value;
    const char *dot = memchr(s, '.', len);
    value = dot ? find(w, s, (uint32_t)(dot - s) + 1) : -1;
    return value >= 0 ? value : w->other;
}

struct texts { /* the two texts of a request, in one arena */
    uint32_t at0, len0, at1, len1;
};

static NOINLINE int32_t from_text(const struct table *t, const struct words *w, const struct request *r,
                                  const struct texts *x, const char *arena) {
    struct request known = *r;
    known.key0 = class_of(&w[0], arena + x->at0, x->len0);
    known.key1 = class_of(&w[1], arena + x->at1, x->len1);
    int32_t sum = known.ranged + known.a + known.b;
    if (sum >= t->sum_bound) return 0;
    if (known.labels & t->forbidden) return 1;
    return in_cell(t, &known, sum);
}

double time_from_text(const struct table *t, const struct words *w, const struct request *r, const struct texts *x,
                      const char *arena, size_t n, int32_t *out) {
    TIMED(from_text(t, w, &r[i], &x[i], arena));
}
