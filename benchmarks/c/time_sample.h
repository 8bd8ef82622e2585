/* What the ways to take in benchmarks/over_time.py's trace share: a sample of it, its kinds, the clock. */
#ifndef TIME_SAMPLE_H
#define TIME_SAMPLE_H

#include <stdint.h>
#include <time.h>

#include "gov_time.h"

enum { BROUGHT = 4 };
typedef struct {
    int64_t at;
    uint32_t kind, key;
    int64_t words[BROUGHT]; /* load, cost, approved, heat */
} sample;

/* As declared; `dispatched` is built in. */
enum { SUCCESS = GOV_FIRST_KIND, FAILURE, RESTART, VIOLATION, HEAT, DISPATCHED };

static inline double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#endif
