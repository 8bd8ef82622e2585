/* Times the C that `gov build` wrote for some policy whose variables all have 32 bits; NAME is the policy's. `out`
 * receives the number of the deciding rule. The file is a unit of its own, so the step is called, not inlined.
 */
#include <time.h>

#include "policy.h"

#define JOINED(a, b) a##b
#define OF(name, part) JOINED(name, part)

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double time_generated(const OF(NAME, _request_t) * requests, size_t n, int32_t *out) {
    double start = now_ns();
    for (size_t i = 0; i < n; i++) {
        OF(NAME, _outcome_t) outcome;
        OF(NAME, _decide)(&requests[i], &outcome);
        out[i] = outcome.rule;
    }
    return now_ns() - start;
}
