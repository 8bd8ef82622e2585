/* Predicates over a block of rows, written so that the compiler turns each loop into vector instructions. */

#include "gov_block.h"
#include "gov_number.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#define UNENTANGLED _Pragma("GCC ivdep") /* what a loop writes it does not read */
#else
#define UNENTANGLED
#endif

GOV_CLONES int gov_any_outside(const int64_t *restrict words, uint32_t count, int64_t lo, int64_t hi) {
    int64_t outside = 0;
    for (uint32_t i = 0; i < count; i++) outside |= -(int64_t)((words[i] < lo) | (words[i] > hi));
    return outside != 0;
}

#define COPY(k)                                                                                                   \
    const int64_t v##k = from##k[i];                                                                              \
    to##k[i] = v##k;                                                                                              \
    outside |= -(int64_t)((v##k < lo##k) | (v##k > hi##k));
#define COPIED(k)                                                                                                 \
    const int64_t *from##k = from[k], lo##k = lo[k], hi##k = hi[k];                                               \
    int64_t *to##k = to[k];

GOV_CLONES int gov_copy_4(const int64_t *const from[4], int64_t *const to[4], uint32_t count, const int64_t lo[4],
                          const int64_t hi[4]) {
    int64_t outside = 0;
    COPIED(0) COPIED(1) COPIED(2) COPIED(3)
    UNENTANGLED
    for (uint32_t i = 0; i < count; i++) {
        COPY(0) COPY(1) COPY(2) COPY(3)
    }
    return outside != 0;
}

/* Up to four breakpoints at once: the masks are picked by comparing, the last point reached wins. */
#define PICK(j) m = v >= p##j ? m##j : m;
#define POINTS_1 const int64_t p0 = p[0]; const uint64_t m0 = masks[1];
#define POINTS_2 POINTS_1 const int64_t p1 = p[1]; const uint64_t m1 = masks[2];
#define POINTS_3 POINTS_2 const int64_t p2 = p[2]; const uint64_t m2 = masks[3];
#define POINTS_4 POINTS_3 const int64_t p3 = p[3]; const uint64_t m3 = masks[4];
#define PICKS_1 PICK(0)
#define PICKS_2 PICKS_1 PICK(1)
#define PICKS_3 PICKS_2 PICK(2)
#define PICKS_4 PICKS_3 PICK(3)
#define RANGES(n)                                                                                               \
    GOV_CLONES static void ranges_##n(const int64_t *restrict words, const int64_t *p, const uint64_t *masks,   \
                                      uint64_t *restrict fired, uint32_t count) {                               \
        const uint64_t start = masks[0];                                                                        \
        POINTS_##n                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                                  \
            const int64_t v = words[i];                                                                         \
            uint64_t m = start;                                                                                 \
            PICKS_##n                                                                                           \
            fired[i] &= m;                                                                                      \
        }                                                                                                       \
    }
RANGES(1)
RANGES(2)
RANGES(3)
RANGES(4)

/* One more breakpoint on masks picked so far. */
GOV_CLONES static void pick_one(const int64_t *restrict words, int64_t point, uint64_t mask, uint64_t *restrict picked,
                                uint32_t count) {
    for (uint32_t i = 0; i < count; i++) picked[i] = words[i] >= point ? mask : picked[i];
}

GOV_CLONES static void keep(uint64_t *restrict fired, const uint64_t *restrict picked, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) fired[i] &= picked[i];
}

static void many_ranges(const gov_test *t, const int64_t *words, uint64_t *fired, uint32_t count) {
    uint64_t picked[GOV_ROWS];
    for (uint32_t i = 0; i < count; i++) picked[i] = t->masks[0];
    for (uint32_t j = 0; j < t->count; j++) pick_one(words, t->points[j], t->masks[j + 1], picked, count);
    keep(fired, picked, count);
}

static void ranked(const gov_test *t, const int64_t *words, uint64_t *fired, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        fired[i] &= t->masks[gov_rank((const uint64_t *)(const void *)t->points, t->count, words[i])];
}

static void dense(const gov_test *t, const int64_t *words, uint64_t *fired, uint32_t count) {
    const uint64_t lo = (uint64_t)t->points[0];
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t at = (uint64_t)words[i] - lo;
        fired[i] &= at < t->count ? t->masks[at] : 0;
    }
}

GOV_CLONES static void sets(uint32_t kind, uint64_t set, uint64_t kept, const int64_t *restrict words,
                            uint64_t *restrict fired, uint32_t count) {
    const uint64_t flip = kind == GOV_SET_ANY ? 0 : ~UINT64_C(0), mask = kind == GOV_SET_WITHIN ? ~set : set;
    const uint64_t turned = kind == GOV_SET_ALL ? flip : 0; /* what must be 0: ~w & set, or w & ~set; ANY: w & set not 0 */
    const uint64_t if_zero = kind == GOV_SET_ANY ? kept : ~UINT64_C(0), if_not = kind == GOV_SET_ANY ? ~UINT64_C(0) : kept;
    for (uint32_t i = 0; i < count; i++) fired[i] &= (((uint64_t)words[i] ^ turned) & mask) == 0 ? if_zero : if_not;
}

void gov_apply(const gov_test *t, const int64_t *words, uint64_t *fired, uint32_t count) {
    if (t->kind == GOV_DENSE) dense(t, words, fired, count);
    else if (t->kind >= GOV_SET_ANY) sets(t->kind, t->masks[0], t->masks[1], words, fired, count);
    else if (t->count == 1) ranges_1(words, t->points, t->masks, fired, count);
    else if (t->count == 2) ranges_2(words, t->points, t->masks, fired, count);
    else if (t->count == 3) ranges_3(words, t->points, t->masks, fired, count);
    else if (t->count == 4) ranges_4(words, t->points, t->masks, fired, count);
    else if (t->count <= 16) many_ranges(t, words, fired, count);
    else ranked(t, words, fired, count);
}

#define LOOK_UP(name, type, verdict)                                                                              \
    static void name(const gov_outcomes *o, const uint64_t *restrict fired, uint8_t *restrict decisions,         \
                     type *restrict rules, uint32_t count) {                                                      \
        for (uint32_t i = 0; i < count; i++) {                                                                    \
            const gov_verdict *found = verdict;                                                                    \
            decisions[i] = (uint8_t)found->decision;                                                               \
            rules[i] = (type)found->rule;                                                                          \
        }                                                                                                         \
    }
LOOK_UP(direct_narrow, int16_t, &o->by_mask[fired[i] & ((1 << GOV_DIRECT) - 1)])
LOOK_UP(direct_wide, int32_t, &o->by_mask[fired[i] & ((1 << GOV_DIRECT) - 1)])
LOOK_UP(by_bit_narrow, int16_t, &o->verdicts.by_bit[(fired[i] & o->verdicts.permits) != 0][__builtin_ctzll(fired[i] | o->none)])
LOOK_UP(by_bit_wide, int32_t, &o->verdicts.by_bit[(fired[i] & o->verdicts.permits) != 0][__builtin_ctzll(fired[i] | o->none)])
LOOK_UP(full_narrow, int16_t, gov_outcome_of(o, fired[i]))
LOOK_UP(full_wide, int32_t, gov_outcome_of(o, fired[i]))

void gov_look_up(const gov_outcomes *o, const uint64_t *fired, const gov_output *out, int64_t row, uint32_t count) {
    uint8_t *decisions = out->decisions + row;
    if (out->narrow) {
        int16_t *rules = (int16_t *)out->rules + row;
        (o->direct ? direct_narrow : o->none ? by_bit_narrow : full_narrow)(o, fired, decisions, rules, count);
    } else {
        int32_t *rules = (int32_t *)out->rules + row;
        (o->direct ? direct_wide : o->none ? by_bit_wide : full_wide)(o, fired, decisions, rules, count);
    }
}

/* Adding and taking away 1.5 × 2^52 rounds a smaller double to the nearest integer, ties to even. */
#define ROUNDER 6755399441055744.0
#define SMALL 1125899906842624.0 /* 2^50 */

#define NEAREST(name, scale, back)                                                                                \
    GOV_CLONES static void name(double num, double den, double lo, double hi, const double *restrict values,     \
                                int64_t *restrict words, uint8_t *restrict odd, uint32_t count) {                 \
        const union { double d; int64_t i; } base = {.d = ROUNDER};                                               \
        for (uint32_t i = 0; i < count; i++) {                                                                    \
            const double v = values[i], scaled = scale, moved = scaled + ROUNDER, steps = moved - ROUNDER;        \
            const union { double d; int64_t i; } bits = {.d = moved};                                             \
            words[i] = bits.i - base.i;                                                                           \
            odd[i] = !((back == v) & (steps >= lo) & (steps <= hi) & (scaled < SMALL) & (scaled > -SMALL));       \
        }                                                                                                         \
        (void)num;                                                                                                \
        (void)den;                                                                                                \
    }
NEAREST(nearest_whole, v, steps)                           /* steps of 1 */
NEAREST(nearest_part, v * den, steps / den)                /* of 1 / den */
NEAREST(nearest_steps, v * den / num, steps * num / den)

int gov_steps_of_block(const gov_field *f, const double *values, int64_t *words, uint8_t *odd, uint32_t count) {
    const double edge = SMALL / (double)f->step_num;
    if (!((double)f->lo > -edge && (double)f->hi < edge && f->step_den <= GOV_EXACT_MAX)) return 0;
    const double num = (double)f->step_num, den = (double)f->step_den, lo = (double)f->lo, hi = (double)f->hi;
    if (f->step_num > 1) nearest_steps(num, den, lo, hi, values, words, odd, count);
    else (f->step_den > 1 ? nearest_part : nearest_whole)(num, den, lo, hi, values, words, odd, count);
    return 1;
}
