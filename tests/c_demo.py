"""A small policy in C, written by hand in the documented part of C (docs/edge.md).

In: nothing.  Out: `HEADER` and `SOURCE`, which use every form that the page allows; `scan_source` for
policies with texts.
"""

from __future__ import annotations

HEADER = """/* Policy demo 1.0, by hand.
 * For tests. */
#ifndef DEMO_H
#define DEMO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* what was decided */
enum demo_decision {
    DEMO_ALLOW = 0,
    DEMO_LIMIT,
    DEMO_DENY = 4
};
enum { DEMO_RULE_HEAVY, DEMO_RULE_DEFAULT, DEMO_RULE_INVALID };
#define DEMO_TAGS_RED 0x1u /* a member of `tags` */
#define DEMO_TAGS_BLUE UINT64_C(0x8000000000000000)

typedef struct {
    int32_t battery; /* 0..100 % */
    int32_t has_zone;
    int64_t zone; // position – counted from 0
    uint32_t tags;
    uint64_t approved;
} demo_request_t;

#define DEMO_REQUEST_UNSET { \\
    101, \\
    2, \\
    -1, \\
    0xffffffffu, \\
    UINT64_C(0) \\
}

typedef struct {
    int32_t param_heavy;
} demo_params_t;

#define DEMO_PARAMS_DEFAULT { 25 }

typedef struct {
    int32_t decision;
    int32_t rule;
    int32_t invalid;
    uint32_t limited[2];
    int64_t lo_speed;
    int64_t hi_speed;
    uint64_t roles;
} demo_outcome_t;

int32_t demo_decide(const demo_request_t *request, const demo_params_t *params, demo_outcome_t *outcome);
int32_t demo_commit(const demo_request_t *request, const demo_params_t *params, demo_outcome_t *outcome);

#ifdef __cplusplus
}
#endif
#endif
"""

SOURCE = """/* Policy demo, by hand. */
#include "demo.h"

typedef char demo_int_has_32_bits[(sizeof(int) >= 4) ? 1 : -1];

static int32_t refused(demo_outcome_t *outcome, int32_t invalid, int32_t given)
{
    outcome->decision = DEMO_DENY;
    outcome->rule = DEMO_RULE_INVALID;
    outcome->invalid = invalid;
    outcome->limited[0] = 0u;
    outcome->limited[1] = 0u;
    outcome->lo_speed = 0;
    outcome->hi_speed = INT64_C(100);
    outcome->roles = 0u;
    return given;
}

static int32_t within(int32_t value, int32_t lo, int32_t hi)
{
    return (lo <= value) && (value <= hi);
}

static int32_t either(int32_t one, int32_t other)
{
    return (one != 0) || (other != 0);
}

static int64_t twice(int64_t value)
{
    return value + value;
}

static int64_t floor_div(int64_t dividend, int64_t divisor)
{
    const int64_t quotient = dividend / divisor;
    const int64_t rest = dividend % divisor;
    if ((rest != 0) && ((rest < 0) != (divisor < 0))) {
        return quotient - 1;
    }
    return quotient;
}

static int32_t weight(int64_t zone)
{
    int32_t found = 0;
    switch (zone) {
    case 0:
    case 3: {
        found = 10;
        break;
    }
    case INT64_C(5000000000):
        found = -7;
        break;
    case -1:
        found = 99;
        break;
    default:
        found = 1;
        break;
    }
    return found;
}

static void clear(demo_outcome_t *outcome)
{
    outcome->limited[0] = 0u;
    outcome->limited[1] = 0u;
}

int32_t demo_decide(const demo_request_t *request, const demo_params_t *params, demo_outcome_t *outcome)
{
    if (outcome == NULL) {
        return -2;
    }
    if ((request == NULL) || (params == NULL)) {
        (void)refused(outcome, -1, 7);
        return -2;
    }
    const int32_t battery = request->battery;
    if (!within(battery, 0, 100)) {
        return refused(outcome, 0, -1); /* 0: battery */
    }
    int64_t zone = request->zone;
    if (request->has_zone == 0) {
        zone = 0;
    } else if (request->has_zone != 1) {
        return refused(outcome, 1, -1);
    }
    const uint32_t tags = request->tags;
    if ((tags & ~0x7u) != 0u) {
        return refused(outcome, 3, -1);
    }
    int32_t rule = DEMO_RULE_DEFAULT;
    uint32_t limited = 0u;
    uint64_t roles = request->approved;
    if (either((tags & DEMO_TAGS_RED) != 0u, battery < params->param_heavy)) {
        rule = DEMO_RULE_HEAVY;
        limited |= 1u << 31;
        roles ^= DEMO_TAGS_BLUE;
    }
    limited += 5u;
    const int64_t high = floor_div((int64_t)battery * 3 - zone % 7, 4);
    const int32_t heavy = weight(zone % 2);
    clear(outcome);
    outcome->decision = (rule == DEMO_RULE_HEAVY) ? DEMO_LIMIT : DEMO_ALLOW;
    if ((battery > 50) && (twice(twice((int64_t)battery + 1) - 8) > 300)) {
        rule = DEMO_RULE_DEFAULT;
    }
    outcome->rule = rule;
    outcome->invalid = -1;
    outcome->limited[1] = limited;
    outcome->lo_speed = -(int64_t)heavy;
    outcome->hi_speed = high;
    outcome->roles = roles;
    return 0;
}

int32_t demo_commit(const demo_request_t *request, const demo_params_t *params, demo_outcome_t *outcome)
{
    return demo_decide(request, params, outcome);
}
"""
