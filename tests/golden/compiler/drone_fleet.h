/* Policy drone_fleet 1.4.0, made by gov build.
 * Do not change it: it was proved equal to the policy as it stands. */
#ifndef DRONE_FLEET_H
#define DRONE_FLEET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* what was decided */
enum drone_fleet_decision {
    DRONE_FLEET_ALLOW = 0,
    DRONE_FLEET_LIMIT = 1,
    DRONE_FLEET_THROTTLE = 2,
    DRONE_FLEET_REQUIRE_HUMAN = 3,
    DRONE_FLEET_DENY = 4
};

/* numbers of rules */
enum drone_fleet_rule {
    DRONE_FLEET_RULE_RESERVE_FOR_LANDING = 0, /* the invariant reserve_for_landing would not hold */
    DRONE_FLEET_RULE_PAYLOAD_CAP = 1, /* A weak battery carries no heavy load */
    DRONE_FLEET_RULE_EMPTY_FLY = 2,
    DRONE_FLEET_RULE_COOLDOWN = 3,
    DRONE_FLEET_RULE_BAD_SENSOR = 4,
    DRONE_FLEET_RULE_AIRPORT = 5,
    DRONE_FLEET_RULE_WIND_LIMIT_1 = 6,
    DRONE_FLEET_RULE_WIND_LIMIT_2 = 7,
    DRONE_FLEET_RULE_WIND_LIMIT_3 = 8,
    DRONE_FLEET_RULE_WIND_LIMIT_4 = 9,
    DRONE_FLEET_RULE_DEFAULT = 10,
    DRONE_FLEET_RULE_INVALID_REQUEST = 11
};

/* numbers of variables */
enum drone_fleet_variable {
    DRONE_FLEET_VARIABLE_BATTERY = 0, /* 0..100 % in steps of 0.1 % */
    DRONE_FLEET_VARIABLE_PAYLOAD = 1, /* 0..25 kg in steps of 0.01 kg */
    DRONE_FLEET_VARIABLE_ZONE = 2, /* 0 urban, 1 rural, 2 airport */
    DRONE_FLEET_VARIABLE_CPU_LOAD = 3, /* 0..100 % in steps of 0.1 % */
    DRONE_FLEET_VARIABLE_RESTARTED = 4, /* 0 false, 1 true */
    DRONE_FLEET_VARIABLE_SENSOR_FAULT = 5, /* 0 false, 1 true */
    DRONE_FLEET_VARIABLE_APPROVED = 6, /* bit 0 atc */
    DRONE_FLEET_VARIABLE_PARAM_HEAVY = 7 /* 0.5..5 kg in steps of 0.1 kg */
};

/* bits of `limited` */
enum drone_fleet_target {
    DRONE_FLEET_LIMITED_PAYLOAD = 0,
    DRONE_FLEET_LIMITED_SPEED = 1
};

/* bits of `dos` */
enum drone_fleet_duty {
    DRONE_FLEET_DO_ISOLATE = 0 /* isolate() */
};

/* members of `zone` */
enum drone_fleet_zone_member {
    DRONE_FLEET_ZONE_URBAN = 0,
    DRONE_FLEET_ZONE_RURAL = 1,
    DRONE_FLEET_ZONE_AIRPORT = 2
};

/* members of `approved` */
#define DRONE_FLEET_APPROVED_ATC 0x1u

typedef struct {
    int32_t battery; /* 0..100 % in steps of 0.1 % */
    int32_t payload; /* 0..25 kg in steps of 0.01 kg */
    int32_t zone; /* 0 urban, 1 rural, 2 airport */
    int32_t cpu_load; /* 0..100 % in steps of 0.1 % */
    int32_t restarted; /* 0 false, 1 true */
    int32_t sensor_fault; /* 0 false, 1 true */
    uint32_t approved; /* bit 0 atc */
} drone_fleet_request_t;

/* A request that says nothing yet. */
#define DRONE_FLEET_REQUEST_UNSET { \
    1001, \
    2501, \
    3, \
    1001, \
    2, \
    2, \
    0x0u \
}

typedef struct {
    int32_t param_heavy; /* 0.5..5 kg in steps of 0.1 kg */
} drone_fleet_params_t;

/* The parameters that the policy gives. */
#define DRONE_FLEET_PARAMS_DEFAULT { \
    10 \
}

typedef struct {
    int32_t decision; /* 0 allow … 4 deny */
    int32_t rule; /* number of the deciding rule */
    int32_t invalid; /* number of the variable or assumption that is broken */
    uint32_t limited[1]; /* a bit a target: it is limited */
    int32_t lo_payload; /* 0..25 kg in steps of 0.01 kg */
    int32_t hi_payload; /* 0..25 kg in steps of 0.01 kg */
    int32_t lo_speed; /* 0..20 m/s */
    int32_t hi_speed; /* 0..20 m/s */
    uint32_t dos[1]; /* a bit a duty: it is to be done */
    uint64_t roles; /* who must approve, as `approved` */
    int64_t expires; /* ms until an approval comes too late, -1: none */
    int64_t retry; /* ms until it is worth asking again, -1: none */
} drone_fleet_outcome_t;

/* 0; -1 for an invalid request, whose outcome is deny; -2 where a pointer is NULL. */
int32_t drone_fleet_decide(const drone_fleet_request_t *request, const drone_fleet_params_t *params, drone_fleet_outcome_t *outcome);
int32_t drone_fleet_commit(const drone_fleet_request_t *request, const drone_fleet_params_t *params, drone_fleet_outcome_t *outcome);

#ifdef __cplusplus
}
#endif

#endif
