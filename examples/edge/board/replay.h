/* What `replay.c` needs of a policy and its recorded decisions; `cases.c` is generated for each policy. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdint.h>

extern const uint32_t replay_count;

/* Makes the request of a case ready: its numbers set, its texts classified. */
void replay_prepare(uint32_t number);

/* Decides the request that is ready. */
int32_t replay_decide(void);

/* The same call of a function that does nothing in two instructions. */
int32_t replay_nothing(void);

/* 0 if the last decision is the recorded one of this case, else the number of the first thing that differs, from 1. */
uint32_t replay_difference(uint32_t number, int32_t result);

#endif
