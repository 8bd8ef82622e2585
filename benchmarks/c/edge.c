/* Times the C that `gov build` wrote for the eight rules of `drone_check`, and the same job by hand: check every
 * variable, decide, fill the whole outcome. All three are called, not inlined, on the requests in the order given; `out`
 * receives the rule's position, or -1 for the default.
 */
#include <time.h>

#include "drone_check.h"

#define NOINLINE __attribute__((noinline))

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int32_t refuse(drone_check_outcome_t *o) {
    *o = (drone_check_outcome_t){DRONE_CHECK_DENY, DRONE_CHECK_RULE_INVALID_REQUEST, 0, 0, -1};
    return -1;
}

static inline int is_valid(const drone_check_request_t *r) {
    return (uint32_t)r->battery <= 100 && (uint32_t)r->payload <= 25 && (uint32_t)r->cpu_load <= 100 &&
           (uint32_t)r->wind <= 40 && (uint32_t)r->altitude <= 120 && (uint32_t)r->zone <= 3 && r->approved <= 1;
}

static inline int32_t answer(drone_check_outcome_t *o, int32_t decision, int32_t rule) {
    o->decision = decision;
    o->rule = rule;
    o->invalid = -1;
    o->roles = decision == DRONE_CHECK_REQUIRE_HUMAN ? DRONE_CHECK_APPROVED_OPERATOR : 0;
    o->expires = -1;
    return 0;
}

/* An approved `require human` rule allows. */
static inline int32_t ask(const drone_check_request_t *r, drone_check_outcome_t *o, int32_t rule) {
    return answer(o, r->approved ? DRONE_CHECK_ALLOW : DRONE_CHECK_REQUIRE_HUMAN, rule);
}

static NOINLINE int32_t branchy(const drone_check_request_t *r, drone_check_outcome_t *o) {
    if (!is_valid(r)) return refuse(o);
    if (r->battery <= 29 && r->payload >= 11) return answer(o, DRONE_CHECK_DENY, 0);
    if (r->zone == DRONE_CHECK_ZONE_AIRPORT && r->altitude >= 31) return answer(o, DRONE_CHECK_DENY, 1);
    if (r->wind >= 37) return answer(o, DRONE_CHECK_DENY, 2);
    if (r->cpu_load >= 95 && r->battery <= 59) return answer(o, DRONE_CHECK_DENY, 3);
    if (r->zone == DRONE_CHECK_ZONE_URBAN && r->payload >= 19 && r->altitude >= 61)
        return answer(o, DRONE_CHECK_DENY, 4);
    if (r->wind >= 29 && r->altitude >= 91) return ask(r, o, 5);
    if (r->zone == DRONE_CHECK_ZONE_AIRPORT && r->wind >= 11) return ask(r, o, 6);
    if ((r->zone == DRONE_CHECK_ZONE_RURAL || r->zone == DRONE_CHECK_ZONE_FOREST) && r->altitude <= 19 && r->wind >= 16)
        return ask(r, o, 7);
    return answer(o, DRONE_CHECK_ALLOW, DRONE_CHECK_RULE_DEFAULT);
}

/* One bit a rule; the first set bit is the rule. Bit 8 is always set and means the default. */
static NOINLINE int32_t branchless(const drone_check_request_t *r, drone_check_outcome_t *o) {
    static const uint8_t effects[2][9] = {{4, 4, 4, 4, 4, 3, 3, 3, 0}, {4, 4, 4, 4, 4, 0, 0, 0, 0}};
    if (!is_valid(r)) return refuse(o);
    uint32_t bits = 1u << 8;
    bits |= (uint32_t)((r->battery <= 29) & (r->payload >= 11)) << 0;
    bits |= (uint32_t)((r->zone == DRONE_CHECK_ZONE_AIRPORT) & (r->altitude >= 31)) << 1;
    bits |= (uint32_t)(r->wind >= 37) << 2;
    bits |= (uint32_t)((r->cpu_load >= 95) & (r->battery <= 59)) << 3;
    bits |= (uint32_t)((r->zone == DRONE_CHECK_ZONE_URBAN) & (r->payload >= 19) & (r->altitude >= 61)) << 4;
    bits |= (uint32_t)((r->wind >= 29) & (r->altitude >= 91)) << 5;
    bits |= (uint32_t)((r->zone == DRONE_CHECK_ZONE_AIRPORT) & (r->wind >= 11)) << 6;
    bits |= (uint32_t)(((r->zone == DRONE_CHECK_ZONE_RURAL) | (r->zone == DRONE_CHECK_ZONE_FOREST)) &
                       (r->altitude <= 19) & (r->wind >= 16))
            << 7;
    int32_t rule = __builtin_ctz(bits);
    return answer(o, effects[r->approved][rule], rule);
}

#define TIMED(decide)                                                                                             \
    double start = now_ns();                                                                                      \
    for (size_t i = 0; i < n; i++) {                                                                              \
        drone_check_outcome_t outcome;                                                                            \
        decide(&requests[i], &outcome);                                                                           \
        out[i] = outcome.rule == DRONE_CHECK_RULE_DEFAULT ? -1 : outcome.rule;                                    \
    }                                                                                                             \
    return now_ns() - start

double time_generated(const drone_check_request_t *requests, size_t n, int32_t *out) { TIMED(drone_check_decide); }
double time_branchy(const drone_check_request_t *requests, size_t n, int32_t *out) { TIMED(branchy); }
double time_branchless(const drone_check_request_t *requests, size_t n, int32_t *out) { TIMED(branchless); }
