/* Policy drone_fleet 1.4.0, made by gov build.
 * Do not change it: it was proved equal to the policy as it stands. */
#include <stddef.h>
#include <stdint.h>

#include "drone_fleet.h"

typedef char drone_fleet_int_has_32_bits[(sizeof(int) >= 4) ? 1 : -1];

static const uint8_t drone_fleet_best_by_bit[32] = {
    0, 1, 0, 21, 0, 0, 0, 35, 0, 0, 0, 0, 0, 0, 50, 56,
    0, 0, 0, 0, 0, 0, 0, 55, 0, 0, 0, 54, 74, 52, 69, 57,
};

static int32_t drone_fleet_best_of(uint32_t found)
{
    return drone_fleet_best_by_bit[(((uint64_t)(found & (0u - found)) * UINT64_C(0x77cb531)) & UINT64_C(0xffffffff)) >> 27];
}

static int32_t drone_fleet_refuse(drone_fleet_outcome_t *outcome, int32_t invalid, int32_t answer)
{
    outcome->decision = 4;
    outcome->rule = 11;
    outcome->invalid = invalid;
    outcome->limited[0] = 0x0u;
    outcome->lo_payload = 0;
    outcome->hi_payload = 2500;
    outcome->lo_speed = 0;
    outcome->hi_speed = 20;
    outcome->dos[0] = 0x0u;
    outcome->roles = UINT64_C(0x0);
    outcome->expires = -INT64_C(1);
    outcome->retry = -INT64_C(1);
    return answer;
}

int32_t drone_fleet_decide(const drone_fleet_request_t *request, const drone_fleet_params_t *params, drone_fleet_outcome_t *outcome)
{
    if (outcome == NULL) {
        return -2;
    }
    if ((request == NULL) || (params == NULL)) {
        return drone_fleet_refuse(outcome, -1, -2);
    }
    const int32_t battery = request->battery;
    if ((battery < 0) || (battery > 1000)) {
        return drone_fleet_refuse(outcome, 0, -1);
    }
    const int32_t payload = request->payload;
    if ((payload < 0) || (payload > 2500)) {
        return drone_fleet_refuse(outcome, 1, -1);
    }
    const int32_t zone = request->zone;
    if ((zone < 0) || (zone > 2)) {
        return drone_fleet_refuse(outcome, 2, -1);
    }
    const int32_t cpu_load = request->cpu_load;
    if ((cpu_load < 0) || (cpu_load > 1000)) {
        return drone_fleet_refuse(outcome, 3, -1);
    }
    const int32_t restarted = request->restarted;
    if ((restarted < 0) || (restarted > 1)) {
        return drone_fleet_refuse(outcome, 4, -1);
    }
    const int32_t sensor_fault = request->sensor_fault;
    if ((sensor_fault < 0) || (sensor_fault > 1)) {
        return drone_fleet_refuse(outcome, 5, -1);
    }
    const uint32_t approved = request->approved;
    if ((approved & 0xfffffffeu) != 0x0u) {
        return drone_fleet_refuse(outcome, 6, -1);
    }
    const int32_t param_heavy = params->param_heavy;
    if ((param_heavy < 5) || (param_heavy > 50)) {
        return drone_fleet_refuse(outcome, 7, -1);
    }
    int32_t hi_payload = 2500;
    int32_t hi_speed = 20;
    uint32_t limited_0 = 0x0u;
    uint32_t dos_0 = 0x0u;
    int64_t retry = -INT64_C(1);
    /* reserve_for_landing: the invariant reserve_for_landing would not hold */
    const int32_t fires_reserve_for_landing = battery <= 49;
    /* payload_cap: A weak battery carries no heavy load */
    const int32_t fires_payload_cap = (battery <= 299) & ((((int64_t)param_heavy) * INT64_C(10)) < ((int64_t)payload));
    /* empty_fly */
    const int32_t fires_empty_fly = battery <= 199;
    /* cooldown */
    const int32_t fires_cooldown = (cpu_load >= 900) & (restarted == 0);
    /* bad_sensor */
    const int32_t fires_bad_sensor = sensor_fault;
    /* airport */
    const int32_t fires_airport = zone == 2;
    /* wind_limit#1 */
    const int32_t fires_wind_limit_1 = (zone == 0) & (battery >= 500);
    /* wind_limit#2 */
    const int32_t fires_wind_limit_2 = (zone == 0) & (battery <= 499);
    /* wind_limit#3 */
    const int32_t fires_wind_limit_3 = zone == 1;
    /* wind_limit#4 */
    const int32_t fires_wind_limit_4 = zone == 2;
    /* airport */
    const int32_t waits_airport = ((approved & 0x1u) == 0x0u) & fires_airport;
    int32_t found = 2 | (((approved & 0x1u) == 0x1u) & fires_airport);
    found = (found * 2) + fires_wind_limit_4;
    found = (found * 2) + fires_wind_limit_3;
    found = (found * 2) + fires_wind_limit_2;
    found = (found * 2) + fires_wind_limit_1;
    found = (found * 2) + fires_bad_sensor;
    found = (found * 2) + fires_empty_fly;
    found = (found * 2) + fires_cooldown;
    found = (found * 2) + waits_airport;
    found = (found * 2) + fires_payload_cap;
    found = (found * 2) + fires_reserve_for_landing;
    /* Of (4 - effect) << 4 | rule the least decides. */
    int32_t best = drone_fleet_best_of((uint32_t)found);
    limited_0 |= ((fires_empty_fly | fires_bad_sensor) != 0) ? 0x1u : 0x0u;
    hi_payload = (((fires_empty_fly | fires_bad_sensor) & (0 < hi_payload)) != 0) ? 0 : hi_payload;
    retry = ((fires_cooldown & (INT64_C(60000) > retry)) != 0) ? INT64_C(60000) : retry;
    dos_0 |= (fires_bad_sensor != 0) ? 0x1u : 0x0u;
    limited_0 |= ((fires_wind_limit_1 | fires_wind_limit_2 | fires_wind_limit_3 | fires_wind_limit_4) != 0) ? 0x2u : 0x0u;
    hi_speed = ((fires_wind_limit_1 & (12 < hi_speed)) != 0) ? 12 : hi_speed;
    hi_speed = ((fires_wind_limit_2 & (8 < hi_speed)) != 0) ? 8 : hi_speed;
    hi_speed = ((fires_wind_limit_3 & (15 < hi_speed)) != 0) ? 15 : hi_speed;
    hi_speed = ((fires_wind_limit_4 & (3 < hi_speed)) != 0) ? 3 : hi_speed;
    const int32_t denied = best < 16;
    const int32_t asks = (best >> 4) == 1;
    outcome->decision = 4 - (best >> 4);
    outcome->rule = best & 15;
    outcome->invalid = -1;
    outcome->limited[0] = limited_0 & ((uint32_t)denied - 0x1u);
    outcome->lo_payload = 0;
    outcome->hi_payload = (denied != 0) ? 2500 : hi_payload;
    outcome->lo_speed = 0;
    outcome->hi_speed = (denied != 0) ? 20 : hi_speed;
    outcome->dos[0] = dos_0;
    outcome->roles = (asks != 0) ? UINT64_C(0x1) : UINT64_C(0x0);
    outcome->expires = (asks != 0) ? INT64_C(600000) : (-INT64_C(1));
    outcome->retry = (denied != 0) ? (-INT64_C(1)) : retry;
    return 0;
}

int32_t drone_fleet_commit(const drone_fleet_request_t *request, const drone_fleet_params_t *params, drone_fleet_outcome_t *outcome)
{
    return drone_fleet_decide(request, params, outcome);
}
