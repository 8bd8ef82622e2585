/* What `over_time.c` is told: samples of one drone, and what is to be decided; `cases.c` is generated. */
#ifndef OVER_TIME_H
#define OVER_TIME_H

#include "drone_fleet.h"

enum told_kind { TOLD_REQUEST, TOLD_RESTART, TOLD_VOLTAGE };

/* Something that happened, at `now` in ms; what the kind does not carry is not read. */
struct told {
    enum told_kind kind;
    int64_t now;
    int32_t is_after_reset;  /* the board was off before it, */
    int64_t downtime;        /* for so many ms; -1: nobody knows */
    drone_fleet_request_t request;
    drone_fleet_sample_t sample;
    int32_t answer;
    drone_fleet_outcome_t outcome;  /* of a request */
    drone_fleet_state_t state;      /* behind it */
};

extern const struct told told[];

/* 0 if outcome and state are the recorded ones, else the number of the first thing that differs, from 2. */
uint32_t told_difference(const struct told *one, const drone_fleet_outcome_t *outcome,
                         const drone_fleet_state_t *state);

#endif
