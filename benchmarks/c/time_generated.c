/* Times the C that `gov build` writes of benchmarks/over_time.gov, a unit of its own, on the trace of time_driver.c: one
 * call a sample, on a state of its agent. `out` is filled as there.
 */
#include <stddef.h>
#include <stdlib.h>

#include "over_time.h"
#include "time_sample.h"

/* A request's rule, as the header numbers it; -2: the sample is none. */
static int32_t take(const sample *s, over_time_state_t *state) {
    switch (s->kind) {
    case GOV_REQUEST: {
        const over_time_request_t request = {(int32_t)s->words[0], (int32_t)s->words[1], (uint32_t)s->words[2]};
        over_time_outcome_t outcome;
        over_time_commit(&request, state, s->at, &outcome);
        return outcome.rule;
    }
    case SUCCESS: over_time_event_success(state, s->at); break;
    case FAILURE: over_time_event_failure(state, s->at); break;
    case RESTART: over_time_event_restart(state, s->at); break;
    case VIOLATION: over_time_event_violation(state, s->at); break;
    case HEAT: {
        const over_time_sample_t said = {(int32_t)s->words[3]};
        over_time_signal_heat(&said, state, s->at);
        break;
    }
    case DISPATCHED: over_time_event_dispatched(state, s->at); break;
    default: break;
    }
    return -2;
}

double time_generated(const sample *samples, size_t n, uint32_t keys, int32_t *out) {
    static const over_time_state_t fresh = OVER_TIME_STATE_START;
    over_time_state_t *states = aligned_alloc(64, (keys * sizeof *states + 63) & ~(size_t)63);
    if (!states) return -1;
    for (uint32_t k = 0; k < keys; k++) states[k] = fresh;
    double start = now_ns();
    for (size_t i = 0; i < n; i++) {
        const int32_t rule = take(&samples[i], &states[samples[i].key]);
        out[i] = rule == OVER_TIME_RULE_DEFAULT ? -1 : rule;
    }
    start = now_ns() - start;
    free(states);
    return start;
}
