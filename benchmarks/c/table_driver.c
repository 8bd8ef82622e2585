/* Times the engine of native/ on one table, inside C: requests as the table's own words, or with texts that are
 * classified first. Linked against the engine's sources. `out` receives the rule's position, or -1 for the default.
 */
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "gov_table.h"

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int32_t rule_of(const gov_outcome *outcome) {
    if (outcome->rule == GOV_BY_DEFAULT) return -1;
    return outcome->rule == GOV_BY_INVALID ? -2 : (int32_t)outcome->rule;
}

double time_struct_in(const gov_table *table, const int64_t *words, size_t stride, size_t n, uint64_t *scratch,
                      int32_t *out) {
    double start = now_ns();
    for (size_t i = 0; i < n; i++) {
        gov_outcome outcome;
        gov_decide(table, words + i * stride, scratch, &outcome);
        out[i] = rule_of(&outcome);
    }
    return now_ns() - start;
}

struct place { /* one text of a request: the classifier, the word it fills, and its bytes in the arena */
    uint32_t classifier, column, at, len;
};

double time_from_text(const gov_table *table, int64_t *words, size_t stride, const struct place *places, size_t texts,
                      const uint8_t *arena, size_t n, uint64_t *scratch, int32_t *out) {
    double start = now_ns();
    for (size_t i = 0; i < n; i++) {
        int64_t *request = words + i * stride;
        for (size_t k = 0; k < texts; k++) {
            const struct place *p = &places[i * texts + k];
            request[p->column] = gov_classify(table, p->classifier, arena + p->at, p->len);
        }
        gov_outcome outcome;
        gov_decide(table, request, scratch, &outcome);
        out[i] = rule_of(&outcome);
    }
    return now_ns() - start;
}
