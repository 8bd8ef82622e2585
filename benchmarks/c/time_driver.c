/* Times one policy over time (benchmarks/over_time.py) inside C: the engine of native/ on its table, and the same ten rules
 * as a programmer writes them, with times instead of ages. Linked against the engine's sources. `out` receives the
 * rule's position of every request, -1 for the default, -2 for a sample that is none.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "time_sample.h"

double time_engine(const gov_table *table, const sample *samples, size_t n, const uint32_t *columns, uint32_t keys,
                   int32_t *out) {
    const size_t stride = (gov_state_bytes(table, 1) + 63u) & ~(size_t)63;
    uint8_t *shared = malloc(gov_state_bytes(table, 0)), *own = aligned_alloc(64, stride * keys);
    int64_t *words = malloc(gov_table_columns(table) * sizeof *words);
    uint64_t *scratch = malloc(gov_table_scratch(table) * sizeof *scratch);
    double start = -1;
    if (shared && own && words && scratch) {
        gov_state_start(table, 0, shared);
        for (uint32_t k = 0; k < keys; k++) gov_state_start(table, 1, own + stride * k);
        gov_words(table, words);
        start = now_ns();
        for (size_t i = 0; i < n; i++) {
            uint8_t *states[2] = {shared, own + stride * samples[i].key};
            const gov_sample one = {samples[i].at, samples[i].kind, 1};
            gov_outcome outcome;
            for (uint32_t c = 0; c < BROUGHT; c++) words[columns[c]] = samples[i].words[c];
            gov_take(table, &one, words, states, scratch, &outcome);
            out[i] = one.kind != GOV_REQUEST ? -2 : outcome.rule == GOV_BY_DEFAULT ? -1 : (int32_t)outcome.rule;
        }
        start = now_ns() - start;
    }
    free(shared), free(own), free(words), free(scratch);
    return start;
}

/* --- by hand ----------------------------------------------------------------------------------------------------- */

#define NEVER (INT64_MIN / 2)
enum { OPEN, PROBING, RESTARTED, FAILING, BURST, LOADED, BLIND, HOT, IDLE, BANNED, NONE = -1 };
enum { CLOSED, OPENED, HALF };
enum { WAITING = 64 };

typedef struct {
    int64_t success, restart, heat_at, held, moved, violated;
    int64_t failed[3], allowed[5], waiting[WAITING];
    int32_t heat;
    uint32_t first, behind; /* of `waiting`: violations that are not a minute old */
    int32_t due, failures, successes, probes;
    uint8_t breaker, asked;
} agent;

static void begin(agent *a) {
    memset(a, 0, sizeof *a);
    a->success = a->restart = a->heat_at = a->held = a->moved = a->violated = NEVER;
    for (int i = 0; i < 3; i++) a->failed[i] = NEVER;
    for (int i = 0; i < 5; i++) a->allowed[i] = NEVER;
}

static void push(int64_t *ring, int count, int64_t at) {
    for (int i = count - 1; i > 0; i--) ring[i] = ring[i - 1];
    ring[0] = at;
}

/* 0: a result of nothing. */
static int report(agent *a, const sample *s) {
    if ((s->kind == SUCCESS || s->kind == FAILURE) && !a->due) return 0;
    switch (s->kind) {
    case DISPATCHED: a->due++; break;
    case SUCCESS: a->due--, a->success = s->at, a->failures = 0, a->successes++; break;
    case FAILURE: a->due--, push(a->failed, 3, s->at), a->failures++; break;
    case RESTART: a->restart = s->at; break;
    case VIOLATION: a->waiting[a->behind++ % WAITING] = s->at; break;
    case HEAT: a->heat = (int32_t)s->words[3], a->heat_at = s->at; break;
    default: break;
    }
    return 1;
}

static void move(agent *a, uint8_t to, int64_t at) {
    a->breaker = to, a->moved = at;
    if (to == HALF) a->successes = a->probes = 0;
}

static void step(agent *a, const sample *s) {
    if (s->kind == GOV_REQUEST) a->asked = s->words[0] > 80;
    if (!a->asked) a->held = NEVER;
    else if (a->held == NEVER) a->held = s->at;
    while (a->first != a->behind && a->waiting[a->first % WAITING] <= s->at - 60000)
        a->violated = a->waiting[a->first++ % WAITING];
    if (a->breaker == OPENED && s->at - a->moved >= 30000) move(a, HALF, s->at);
    else if (a->breaker == CLOSED && a->failures >= 3) move(a, OPENED, s->at);
    else if (a->breaker == HALF && a->successes >= 2) move(a, CLOSED, s->at);
    else if (a->breaker == HALF && s->kind == FAILURE) move(a, OPENED, s->at);
}

static int32_t rule_of(const agent *a, const sample *s) {
    const int64_t now = s->at;
    const int has = a->heat_at != NEVER, fresh = now - a->heat_at <= 10000;
    if (now - a->restart <= 10000) return RESTARTED;
    if (now - a->failed[2] <= 60000) return FAILING;
    if (has && fresh && a->heat > 150) return HOT;
    if (now - a->success > 3600000 && s->words[1] > 500) return IDLE;
    if (now - a->violated <= 3600000) return BANNED;
    if (a->breaker == OPENED) return OPEN;
    if (a->breaker == HALF && a->probes >= 3) return PROBING;
    if (now - a->allowed[4] <= 10000) return BURST;
    if (a->held != NEVER && now - a->held >= 30000) return LOADED;
    return has && !fresh ? BLIND : NONE;
}

double time_by_hand(const sample *samples, size_t n, uint32_t keys, int32_t *out) {
    agent *agents = malloc(keys * sizeof *agents);
    if (!agents) return -1;
    for (uint32_t k = 0; k < keys; k++) begin(&agents[k]);
    double start = now_ns();
    for (size_t i = 0; i < n; i++) {
        agent *a = &agents[samples[i].key];
        out[i] = -2;
        if (!report(a, &samples[i])) continue;
        step(a, &samples[i]);
        if (samples[i].kind != GOV_REQUEST) continue;
        out[i] = rule_of(a, &samples[i]);
        if (out[i] == NONE || out[i] == BLIND) push(a->allowed, 5, samples[i].at), a->probes++;
    }
    start = now_ns() - start;
    free(agents);
    return start;
}
