/* A drone with a policy that remembers: it reports what happens, asks, ticks at deadlines, and outlives a reset.
 *
 * The functions of `replay.h`, so that `replay.c` compares every decision and counts its instructions. */
#include "over_time.h"
#include "replay.h"

#include <stddef.h>

static const drone_fleet_state_t start = DRONE_FLEET_STATE_START;

static drone_fleet_state_t state;
static int64_t last;                             /* when the last sample was */
static uint8_t saved[DRONE_FLEET_STATE_BYTES];   /* outlives a reset: flash, or a memory with a battery */

static drone_fleet_request_t request;
static drone_fleet_sample_t sample;
static drone_fleet_outcome_t outcome;
static const struct told *now_told;
static drone_fleet_state_t before;
static int32_t is_wrong;                         /* a tick, a save or a restore was not answered with 0 */

/* The functions that take a sample; a test puts others in their place that do nothing. */
struct ways {
    int32_t (*commit)(const drone_fleet_request_t *, drone_fleet_state_t *, int64_t, drone_fleet_outcome_t *);
    int32_t (*event_restart)(drone_fleet_state_t *, int64_t);
    int32_t (*signal_voltage)(const drone_fleet_sample_t *, drone_fleet_state_t *, int64_t);
};

/* Where something can change without a sample, the policy is told that time has passed. A firmware sets a timer to
 * the deadline; here the time of the next sample is known. */
static void tick_until(int64_t now)
{
    int64_t deadline = INT64_MAX;
    while (drone_fleet_next_deadline(&state, last, &deadline) == 0 && deadline <= now) {
        if (drone_fleet_tick(&state, deadline) != 0) { is_wrong = 1; }
        last = deadline;
    }
}

/* The board goes off and comes back, with a clock that tells another time, `downtime` ms later. */
static void reset(int64_t now, int64_t downtime)
{
    const drone_fleet_state_t lost = DRONE_FLEET_STATE_START;
    if (drone_fleet_save(&state, last, saved) != 0) { is_wrong = 1; }
    state = lost;
    if (drone_fleet_restore(&state, saved, DRONE_FLEET_STATE_BYTES, now, downtime) != 0) {
        is_wrong = 1;   /* the flash is worn or of another policy: the state is that of the start */
    }
    last = now;
}

void replay_prepare(uint32_t number)
{
    const drone_fleet_request_t no_request = DRONE_FLEET_REQUEST_UNSET;
    const drone_fleet_sample_t no_sample = DRONE_FLEET_SAMPLE_UNSET;
    now_told = &told[number];
    if (number == 0u) {
        state = start;
        last = now_told->now;
    }
    if (now_told->is_after_reset != 0) { reset(now_told->now, now_told->downtime); }
    tick_until(now_told->now);
    last = now_told->now;
    request = no_request;
    sample = no_sample;
    if (now_told->kind == TOLD_REQUEST) { request = now_told->request; }
    if (now_told->kind == TOLD_VOLTAGE) { sample = now_told->sample; }
    before = state;
}

/* Takes what happened in, from the state that was before it, so that it can be done again. */
static __attribute__((noinline)) int32_t take(const struct ways *way)
{
    state = before;
    switch (now_told->kind) {
    case TOLD_RESTART: return way->event_restart(&state, now_told->now);
    case TOLD_VOLTAGE: return way->signal_voltage(&sample, &state, now_told->now);
    default: return way->commit(&request, &state, now_told->now, &outcome);
    }
}

int32_t replay_decide(void)
{
    static const struct ways policy = {
        drone_fleet_commit, drone_fleet_event_restart, drone_fleet_signal_voltage,
    };
    return take(&policy);
}

int32_t nothing_commit(const drone_fleet_request_t *, drone_fleet_state_t *, int64_t, drone_fleet_outcome_t *);
int32_t nothing_event(drone_fleet_state_t *, int64_t);
int32_t nothing_signal(const drone_fleet_sample_t *, drone_fleet_state_t *, int64_t);
__asm__(".syntax unified\n.thumb_func\n.global nothing_commit\nnothing_commit:\n    movs r0, #0\n    bx lr\n"
        ".thumb_func\n.global nothing_event\nnothing_event:\n    movs r0, #0\n    bx lr\n"
        ".thumb_func\n.global nothing_signal\nnothing_signal:\n    movs r0, #0\n    bx lr\n");

int32_t replay_nothing(void)
{
    static const struct ways none = { nothing_commit, nothing_event, nothing_signal };
    return take(&none);
}

uint32_t replay_difference(uint32_t number, int32_t result)
{
    if (is_wrong != 0 || result != told[number].answer) { return 1u; }
    return told_difference(&told[number], &outcome, &state);
}
