/* A drone that asks its policy before every leg of a flight: how firmware uses what `gov build` writes in C.
 *
 * The first half is what a drone would run: fill a request from the sensors, decide, carry the outcome out.
 * The second half stands for the drone itself: sensors, winch, radio and clock only print what they are told.
 *
 * What always holds: the drone flies only on an answer that it understands and carries out in full. A request that
 * is invalid (-1) or missing (-2), a decision, duty or limit that this firmware does not know, a duty that fails, a
 * limit that cannot be kept: each of them means that it stays on the ground.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "drone_fleet.h"

/* --- what the drone's parts offer (the second half) ------------------------------------------------------------ */

#define SILENT INT32_MIN

enum { TOP_SPEED = 20, ASK_AGAIN_MS = 1000 };

/* The last reading of every sensor; SILENT where one gave none. */
struct sensors {
    int32_t battery_permille;
    int32_t load_g;
    int32_t zone; /* of the map, as `enum drone_fleet_zone_member` */
    int32_t cpu_permille;
    int32_t since_restart_s;
    int32_t cell_spread_mv;
};

static int isolate(void);                                   /* cut the drone off from the fleet: 1 if it worked */
static int put_down(int32_t load_g, int32_t most_g);        /* unload: 1 if no more than that hangs on the hook */
static uint32_t ask_people(uint64_t roles, int64_t expires_ms); /* who approved in time, as `approved` */
static void tell(const drone_fleet_request_t *request, int32_t answer, const drone_fleet_outcome_t *outcome);

/* --- from sensors to a request --------------------------------------------------------------------------------- */

/* Numbers are whole steps of their fields. A reading between two steps goes to the one that permits less: a battery
 * is never fuller, a load never lighter than it was measured. What was not measured stays unset, so the request is
 * invalid: nothing is decided on a guess. */
static void fill(drone_fleet_request_t *request, const struct sensors *seen, uint32_t approved)
{
    if (seen->battery_permille != SILENT) {
        request->battery = seen->battery_permille; /* steps of 0.1 % */
    }
    if (seen->load_g != SILENT) {
        request->payload = (seen->load_g / 10) + (((seen->load_g % 10) > 0) ? 1 : 0); /* steps of 10 g */
    }
    if (seen->zone != SILENT) {
        request->zone = seen->zone;
    }
    if (seen->cpu_permille != SILENT) {
        request->cpu_load = seen->cpu_permille;
    }
    request->restarted = (seen->since_restart_s < 300) ? 1 : 0;
    request->sensor_fault = (seen->cell_spread_mv > 200) ? 1 : 0;
    request->approved = approved;
}

/* --- from an outcome to what the drone does -------------------------------------------------------------------- */

enum order { STAY, WAIT, HOLD, FLY };

struct leg {
    enum order order;
    int32_t speed;  /* m/s, of FLY */
    int64_t ms;     /* until it is worth asking again, of WAIT; until an approval comes too late, of HOLD */
    uint64_t roles; /* who must approve, of HOLD */
};

static const struct leg GROUNDED = {STAY, 0, 0, 0u};

/* Duties are due whatever was decided, also on deny. */
static int duties_are_done(const drone_fleet_outcome_t *outcome)
{
    const uint32_t isolation = (uint32_t)1 << DRONE_FLEET_DO_ISOLATE;
    if ((outcome->dos[0] & ~isolation) != 0u) {
        return 0; /* a duty of a newer policy: this firmware cannot carry it out */
    }
    return ((outcome->dos[0] & isolation) == 0u) ? 1 : isolate();
}

static struct leg within_limits(const drone_fleet_outcome_t *outcome, const struct sensors *seen)
{
    const uint32_t payload = (uint32_t)1 << DRONE_FLEET_LIMITED_PAYLOAD;
    const uint32_t speed = (uint32_t)1 << DRONE_FLEET_LIMITED_SPEED;
    struct leg leg = {FLY, TOP_SPEED, 0, 0u};
    if ((outcome->limited[0] & ~(payload | speed)) != 0u) {
        return GROUNDED;
    }
    if ((outcome->limited[0] & payload) != 0u) {
        if ((seen->load_g < outcome->lo_payload * 10) || (put_down(seen->load_g, outcome->hi_payload * 10) == 0)) {
            return GROUNDED;
        }
    }
    if ((outcome->limited[0] & speed) != 0u) {
        if ((outcome->lo_speed > TOP_SPEED) || (outcome->hi_speed <= 0)) {
            return GROUNDED;
        }
        leg.speed = (outcome->hi_speed < TOP_SPEED) ? outcome->hi_speed : TOP_SPEED;
    }
    return leg;
}

static struct leg carried_out(const drone_fleet_outcome_t *outcome, const struct sensors *seen)
{
    struct leg leg = GROUNDED;
    if (duties_are_done(outcome) == 0) {
        return GROUNDED;
    }
    switch (outcome->decision) {
    case DRONE_FLEET_ALLOW:
    case DRONE_FLEET_LIMIT:
        leg = within_limits(outcome, seen);
        break;
    case DRONE_FLEET_THROTTLE:
        leg.order = WAIT;
        leg.ms = (outcome->retry >= 0) ? outcome->retry : ASK_AGAIN_MS;
        break;
    case DRONE_FLEET_REQUIRE_HUMAN:
        leg.order = HOLD;
        leg.ms = outcome->expires;
        leg.roles = outcome->roles;
        break;
    default: /* deny, and whatever this firmware does not know */
        break;
    }
    return leg;
}

/* One question. `seen` is NULL while no frame of the sensors has come in. */
static struct leg asked(const struct sensors *seen, uint32_t approved)
{
    static const drone_fleet_params_t params = DRONE_FLEET_PARAMS_DEFAULT;
    drone_fleet_request_t request = DRONE_FLEET_REQUEST_UNSET;
    drone_fleet_outcome_t outcome;
    int32_t answer;
    outcome.decision = DRONE_FLEET_DENY; /* until there is an answer; zeros would read as allow */
    if (seen != NULL) {
        fill(&request, seen, approved);
    }
    answer = drone_fleet_decide((seen != NULL) ? &request : NULL, &params, &outcome);
    tell(&request, answer, &outcome);
    return (answer == 0) ? carried_out(&outcome, seen) : GROUNDED;
}

/* The next leg. A person's word opens nothing by itself: the policy is asked again, with it and with the sensors as
 * they are then; a second hold is the end. */
static struct leg next_leg(const struct sensors *seen)
{
    struct leg leg = asked(seen, 0u);
    if (leg.order == HOLD) {
        leg = asked(seen, ask_people(leg.roles, leg.ms));
    }
    return (leg.order == HOLD) ? GROUNDED : leg;
}

/* --- the drone, simulated -------------------------------------------------------------------------------------- */

struct scene {
    const char *title;
    struct sensors seen;
    int no_frame;             /* the sensors are not there at all */
    int64_t person_answers_ms; /* SILENT: never */
    int radio_works;
    int winch_works;
};

static const struct scene SCENES[] = {
    {"a full battery in the country", {950, 4500, 1, 200, 3600, 20}, 0, SILENT, 1, 1},
    {"a heavy load on a weak battery", {180, 2000, 0, 200, 3600, 20}, 0, SILENT, 1, 1},
    {"a light load on a weak battery", {180, 400, 0, 200, 3600, 20}, 0, SILENT, 1, 1},
    {"a light load that the winch cannot put down", {180, 400, 0, 200, 3600, 20}, 0, SILENT, 1, 0},
    {"a hot computer", {600, 1000, 1, 900, 3600, 20}, 0, SILENT, 1, 1},
    {"a hot computer that was just restarted", {600, 1000, 1, 900, 120, 20}, 0, SILENT, 1, 1},
    {"a sensor that nobody trusts", {800, 1000, 0, 50, 3600, 480}, 0, SILENT, 1, 1},
    {"the same, and the radio stays on", {800, 1000, 0, 50, 3600, 480}, 0, SILENT, 0, 1},
    {"the same with a load too heavy: denied, isolated all the same", {250, 3000, 0, 50, 3600, 480}, 0, SILENT, 1, 1},
    {"an airport, and the tower answers", {700, 0, 2, 100, 3600, 20}, 0, 45000, 1, 1},
    {"an airport, and the tower answers too late", {700, 0, 2, 100, 3600, 20}, 0, 600001, 1, 1},
    {"an airport, and nobody answers", {700, 0, 2, 100, 3600, 20}, 0, SILENT, 1, 1},
    {"a scale that says nothing", {950, SILENT, 1, 200, 3600, 20}, 0, SILENT, 1, 1},
    {"a battery that is fuller than full", {1040, 1000, 1, 200, 3600, 20}, 0, SILENT, 1, 1},
    {"no frame of the sensors yet", {0, 0, 0, 0, 0, 0}, 1, SILENT, 1, 1},
};

static const struct scene *scene = SCENES;

static int isolate(void)
{
    printf("  isolate: %s\n", (scene->radio_works != 0) ? "the radio is off" : "the radio does not go off");
    return scene->radio_works;
}

static int put_down(int32_t load_g, int32_t most_g)
{
    if (load_g <= most_g) {
        return 1;
    }
    printf("  put down %ld g: %s\n", (long)(load_g - most_g), (scene->winch_works != 0) ? "done" : "the winch is stuck");
    return scene->winch_works;
}

static uint32_t ask_people(uint64_t roles, int64_t expires_ms)
{
    const int64_t after = scene->person_answers_ms;
    const int in_time = (after != (int64_t)SILENT) && ((expires_ms < 0) || (after <= expires_ms));
    printf("  hold: ask roles 0x%lx, within %ld ms: ", (unsigned long)roles, (long)expires_ms);
    printf("%s\n", (in_time != 0) ? "approved" : "no answer in time");
    return (in_time != 0) ? (uint32_t)roles : 0u;
}

static void tell(const drone_fleet_request_t *request, int32_t answer, const drone_fleet_outcome_t *outcome)
{
    printf("  asked battery %ld payload %ld zone %ld", (long)request->battery, (long)request->payload, (long)request->zone);
    printf(" cpu_load %ld restarted %ld", (long)request->cpu_load, (long)request->restarted);
    printf(" sensor_fault %ld approved %lu", (long)request->sensor_fault, (unsigned long)request->approved);
    printf(": %ld, decision %ld by rule %ld\n", (long)answer, (long)outcome->decision, (long)outcome->rule);
}

int main(void)
{
    for (scene = SCENES; scene < SCENES + sizeof SCENES / sizeof SCENES[0]; ++scene) {
        struct leg leg;
        printf("%s\n", scene->title);
        leg = next_leg((scene->no_frame == 0) ? &scene->seen : NULL);
        switch (leg.order) {
        case FLY:
            printf("  fly, %ld m/s at most\n", (long)leg.speed);
            break;
        case WAIT:
            printf("  wait, ask again in %ld ms\n", (long)leg.ms);
            break;
        default:
            printf("  stay\n");
            break;
        }
    }
    return 0;
}
