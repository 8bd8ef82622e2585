/* The one rule by which a number becomes steps; the same as native/request.py, in C.

   In: a field and an int64 or a double.  Out: 1 and the steps, or 0 if the number is off the field's grid or range. */

#ifndef GOV_NUMBER_H
#define GOV_NUMBER_H

#include "gov_engine.h"

#include <math.h>

__extension__ typedef __int128 gov_int128;
__extension__ typedef unsigned __int128 gov_uint128;

#define GOV_EXACT_MAX (INT64_C(1) << 53) /* integers up to here are doubles */
#define GOV_INT64_EDGE 9223372036854775808.0

static inline int gov_keep(const gov_field *f, gov_int128 steps, int64_t *out) {
    *out = (int64_t)steps;
    return f->lo <= steps && steps <= f->hi;
}

/* floor + fraction, as the field rounds; `above_half`: the fraction is at least one half. */
static inline int gov_round(const gov_field *f, gov_int128 floor, int exact, int above_half, int64_t *out) {
    if (exact) return gov_keep(f, floor, out);
    switch (f->rounding) {
    case GOV_UP: return gov_keep(f, floor + 1, out);
    case GOV_DOWN: return gov_keep(f, floor, out);
    case GOV_NEAREST: return gov_keep(f, floor + above_half, out);
    default: return 0;
    }
}

static inline gov_int128 gov_floor_of(gov_int128 a, int64_t b, int64_t *rest) {
    gov_int128 q = a / b, r = a % b;
    if (r < 0) q -= 1, r += b;
    *rest = (int64_t)r;
    return q;
}

static inline int gov_steps_of_int128(const gov_field *f, gov_int128 value, int64_t *out) {
    int64_t rest;
    gov_int128 floor = gov_floor_of(value * f->step_den, f->step_num, &rest);
    return gov_round(f, floor, rest == 0, 2 * (gov_int128)rest >= f->step_num, out);
}

static inline int gov_steps_of_int(const gov_field *f, int64_t value, int64_t *out) {
    if (GOV_LIKELY(f->step_num == 1))
        return !__builtin_mul_overflow(value, f->step_den, out) && f->lo <= *out && *out <= f->hi;
    return gov_steps_of_int128(f, value, out);
}

static inline int gov_bits(gov_uint128 a) {
    uint64_t high = (uint64_t)(a >> 64), low = (uint64_t)a;
    return high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
}

/* Whether `value` is the double nearest to a / b (ties to even), a other than 0. */
static inline int gov_is_nearest(gov_int128 a, int64_t b, double value) {
    if ((a < 0) != (value < 0)) return 0;
    gov_uint128 top = a < 0 ? -(gov_uint128)a : (gov_uint128)a;
    int shift = 56 - (gov_bits(top) - gov_bits((gov_uint128)b));
    if (shift < 0) shift = 0;
    gov_uint128 q = (top << shift) / (gov_uint128)b;
    int sticky = (top << shift) % (gov_uint128)b != 0, drop = gov_bits(q) - 53;
    gov_uint128 low = q & (((gov_uint128)1 << drop) - 1), half = (gov_uint128)1 << (drop - 1);
    uint64_t mantissa = (uint64_t)(q >> drop);
    if (low > half || (low == half && (sticky || (mantissa & 1)))) mantissa++;
    return ldexp((double)mantissa, drop - shift) == fabs(value);
}

/* The exact value of a double in steps: value × den / num = (n / 2^k) / num. */
static inline int gov_steps_exactly(const gov_field *f, double value, int64_t *out) {
    int exponent;
    gov_int128 n = (gov_int128)(int64_t)ldexp(frexp(value, &exponent), 53) * f->step_den;
    int k = 53 - exponent;
    if (k < 0) n = (gov_int128)((gov_uint128)n << -k), k = 0;
    gov_int128 whole = k > 126 ? (n < 0 ? -1 : 0) : n >> k;
    gov_int128 cut = k > 126 ? n : n - (gov_int128)((gov_uint128)whole << k);
    int half = k > 126 ? n < 0 : k > 0 && cut >= (gov_int128)1 << (k - 1);
    int64_t rest;
    gov_int128 floor = gov_floor_of(whole, f->step_num, &rest);
    gov_int128 twice = 2 * (gov_int128)rest;
    int above = twice >= f->step_num || (twice + 1 == f->step_num && half);
    return gov_round(f, floor, cut == 0 && rest == 0, above, out);
}

static inline int gov_steps_of_double(const gov_field *f, double value, int64_t *out) {
    double scaled = value * (double)f->step_den / (double)f->step_num;
    if (!(fabs(scaled) < GOV_INT64_EDGE)) return 0; /* NaN and infinity too */
    int64_t steps = (int64_t)nearbyint(scaled);
    gov_int128 top = (gov_int128)steps * f->step_num;
    int small = -GOV_EXACT_MAX <= top && top <= GOV_EXACT_MAX && f->step_den <= GOV_EXACT_MAX;
    int nearest = small      ? (double)(int64_t)top / (double)f->step_den == value
                  : top != 0 ? gov_is_nearest(top, f->step_den, value)
                             : value == 0;
    return nearest ? gov_keep(f, steps, out) : gov_steps_exactly(f, value, out);
}

#define GOV_DECIMAL_DIGITS 18 /* of a decimal that fits 64 bits with its scale */

/* Steps of a decimal as it is written, `-12.50`: 1, or 0 if it is off the grid or range; -1: it is longer, has an
   exponent or is no number. */
static inline int gov_steps_of_decimal(const gov_field *f, const char *text, size_t size, int64_t *out) {
    const char *end = text + size;
    const int minus = size && *text == '-';
    int64_t digits = 0, scale = 1;
    int count = 0, point = 0;
    for (text += minus; text < end; text++) {
        if (*text == '.' && !point) {
            point = 1;
            continue;
        }
        if (*text < '0' || *text > '9' || ++count > GOV_DECIMAL_DIGITS) return -1;
        digits = 10 * digits + (*text - '0');
        if (point) scale *= 10;
    }
    if (!count) return -1;
    const gov_int128 top = (gov_int128)(minus ? -digits : digits) * f->step_den;
    const gov_int128 bottom = (gov_int128)scale * f->step_num;
    gov_int128 floor = top / bottom, rest = top % bottom;
    if (rest < 0) floor -= 1, rest += bottom;
    return gov_round(f, floor, rest == 0, 2 * rest >= bottom, out);
}

/* Times and durations: whole milliseconds. */
static inline int gov_millis_of_double(const gov_field *f, double value, int64_t *out) {
    if (!(value >= -GOV_INT64_EDGE && value < GOV_INT64_EDGE) || value != floor(value)) return 0;
    return gov_keep(f, (int64_t)value, out);
}

/* Whether a path has neither empty, `.` or `..` segments nor backslashes or NULs. */
static inline int gov_path(const uint8_t *text, size_t length) {
    size_t start = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && text[i] != '/') {
            if (text[i] == '\\' || text[i] == 0) return 0;
            continue;
        }
        size_t size = i - start;
        if (size == 0 || (size == 1 && text[start] == '.') || (size == 2 && text[start] == '.' && text[start + 1] == '.'))
            return 0;
        start = i + 1;
    }
    return 1;
}

#endif
