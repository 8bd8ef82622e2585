/* Times the C that `gov build` wrote for the eight rules of `drone_check`, and the same job by hand: refuse what points
 * nowhere, check every variable and name the first one that is wrong, decide, fill the whole outcome. All three are called
 * as functions of another file would be (`noipa`: neither inlined nor fitted to the one who calls), on the requests in the
 * order given; `out` receives the rule's position, or -1 for the default.
 */
#include <time.h>

#include "drone_check.h"

#define APART __attribute__((noipa))

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int32_t refuse(drone_check_outcome_t *o, int32_t invalid, int32_t result) {
    *o = (drone_check_outcome_t){DRONE_CHECK_DENY, DRONE_CHECK_RULE_INVALID_REQUEST, invalid, 0, -1};
    return result;
}

/* The first variable outside its domain, or -1. */
static inline int32_t invalid(const drone_check_request_t *r) {
    if ((uint32_t)r->battery > 100) return DRONE_CHECK_VARIABLE_BATTERY;
    if ((uint32_t)r->payload > 25) return DRONE_CHECK_VARIABLE_PAYLOAD;
    if ((uint32_t)r->cpu_load > 100) return DRONE_CHECK_VARIABLE_CPU_LOAD;
    if ((uint32_t)r->wind > 40) return DRONE_CHECK_VARIABLE_WIND;
    if ((uint32_t)r->altitude > 120) return DRONE_CHECK_VARIABLE_ALTITUDE;
    if ((uint32_t)r->zone > 3) return DRONE_CHECK_VARIABLE_ZONE;
    return r->approved > 1 ? DRONE_CHECK_VARIABLE_APPROVED : -1;
}

/* What comes before the rules. */
#define REFUSE_INVALID(r, o)                                                                                      \
    if (!(o)) return -2;                                                                                          \
    if (!(r)) return refuse(o, -1, -2);                                                                           \
    int32_t first = invalid(r);                                                                                   \
    if (first >= 0) return refuse(o, first, -1)

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

static APART int32_t branchy(const drone_check_request_t *r, drone_check_outcome_t *o) {
    REFUSE_INVALID(r, o);
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
static APART int32_t branchless(const drone_check_request_t *r, drone_check_outcome_t *o) {
    static const uint8_t effects[2][9] = {{4, 4, 4, 4, 4, 3, 3, 3, 0}, {4, 4, 4, 4, 4, 0, 0, 0, 0}};
    REFUSE_INVALID(r, o);
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

/* The clock stops before the default becomes -1: compilers may make a jump of that, which costs more than a decision. */
#define TIMED(decide)                                                                                             \
    double start = now_ns();                                                                                      \
    for (size_t i = 0; i < n; i++) {                                                                              \
        drone_check_outcome_t outcome;                                                                            \
        decide(&requests[i], &outcome);                                                                           \
        out[i] = outcome.rule;                                                                                    \
    }                                                                                                             \
    double spent = now_ns() - start;                                                                              \
    for (size_t i = 0; i < n; i++) out[i] = out[i] == DRONE_CHECK_RULE_DEFAULT ? -1 : out[i];                     \
    return spent

double time_generated(const drone_check_request_t *requests, size_t n, int32_t *out) { TIMED(drone_check_decide); }
double time_branchy(const drone_check_request_t *requests, size_t n, int32_t *out) { TIMED(branchy); }
double time_branchless(const drone_check_request_t *requests, size_t n, int32_t *out) { TIMED(branchless); }
