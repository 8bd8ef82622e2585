/* Reading columns into words, a block at a time; the rule for each value is that of native/request.py.

   INVARIANT: offsets, codes and lengths come from the caller; each is checked before it is followed.
   INVARIANT: a word is checked in the engine's own buffer or on its way there, and whether a row has a value is read
   once: no word passes unchecked because another thread writes into the caller's memory meanwhile.  (Bytes of texts
   are not copied: any bytes at all have a class.) */

#include "gov_block.h"
#include "gov_number.h"

#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

static inline int has_value(const gov_input *in, int64_t row) {
    const int64_t bit = in->first + row;
    return !in->valid || (in->valid[bit >> 3] >> (bit & 7) & 1);
}

static inline void spoil(gov_rows *r, uint32_t i) {
    r->bad[i] = 1;
    r->any_bad = 1;
}

/* Whether row i of the block has a value, as read_with_nulls found it. */
static inline int is_there(const gov_rows *r, const gov_input *in, uint32_t i) { return !in->valid || r->there[i]; }

/* --- numbers ----------------------------------------------------------------------------------------------------- */

#define WIDEN(name, type)                                                                                         \
    GOV_CLONES static void name(const void *values, int64_t start, int64_t *restrict out, uint32_t count) {       \
        const type *v = (const type *)values + start;                                                             \
        for (uint32_t i = 0; i < count; i++) out[i] = (int64_t)v[i];                                              \
    }
WIDEN(widen_i8, int8_t)
WIDEN(widen_i16, int16_t)
WIDEN(widen_i32, int32_t)
WIDEN(widen_i64, int64_t)
WIDEN(widen_u8, uint8_t)
WIDEN(widen_u16, uint16_t)
WIDEN(widen_u32, uint32_t)
WIDEN(widen_u64, uint64_t)

static int widen(const gov_input *in, int64_t start, int64_t *out, uint32_t count) {
    static void (*const roads[])(const void *, int64_t, int64_t *, uint32_t) = {
        [GOV_I8] = widen_i8, [GOV_I16] = widen_i16, [GOV_I32] = widen_i32, [GOV_I64] = widen_i64,
        [GOV_U8] = widen_u8, [GOV_U16] = widen_u16, [GOV_U32] = widen_u32, [GOV_U64] = widen_u64,
    };
    if (in->type < GOV_I8 || in->type > GOV_U64) return 0;
    roads[in->type](in->values, start, out, count);
    return 1;
}

static void mark_outside(gov_rows *r, const int64_t *words, uint32_t count, int64_t lo, int64_t hi) {
    if (!gov_any_outside(words, count, lo, hi)) return;
    for (uint32_t i = 0; i < count; i++)
        if (words[i] < lo || words[i] > hi) spoil(r, i);
}

/* Integers that are steps as they stand: copied and checked in one pass, several columns at once. */
static int is_plain(const gov_field *f, const gov_input *in) {
    const int whole = f->kind != GOV_NUMBER || (f->step_num == 1 && f->step_den == 1);
    return whole && in->type == GOV_I64 && !in->valid;
}

static void scale(gov_rows *r, const gov_field *f, const gov_input *in, int64_t *words, uint32_t count) {
    const int unit = f->kind != GOV_NUMBER || (f->step_num == 1 && f->step_den == 1);
    for (uint32_t i = 0; i < count; i++) {
        int ok;
        if (in->type == GOV_U64 && words[i] < 0) {
            gov_int128 value = (gov_int128)(uint64_t)words[i];
            ok = unit ? 0 : gov_steps_of_int128(f, value, &words[i]);
        } else {
            ok = unit ? gov_keep(f, words[i], &words[i]) : gov_steps_of_int(f, words[i], &words[i]);
        }
        if (!ok) spoil(r, i);
    }
}

static void read_integers(gov_rows *r, const gov_field *f, const gov_input *in, int64_t start, uint32_t count) {
    int64_t *words = gov_words_of(r, f->column);
    if (!widen(in, start, words, count)) return;
    const int unit = f->kind != GOV_NUMBER || (f->step_num == 1 && f->step_den == 1);
    if (unit && in->type != GOV_U64) mark_outside(r, words, count, f->lo, f->hi);
    else scale(r, f, in, words, count);
}

static void read_doubles(gov_rows *r, const gov_field *f, const gov_input *in, int64_t start, uint32_t count) {
    double wide[GOV_ROWS];
    const double *values = (const double *)in->values + start;
    uint8_t odd[GOV_ROWS];
    int64_t *words = gov_words_of(r, f->column);
    if (in->type == GOV_F32) {
        for (uint32_t i = 0; i < count; i++) wide[i] = ((const float *)in->values)[start + i];
        values = wide;
    }
    if (f->kind != GOV_NUMBER || !gov_steps_of_block(f, values, words, odd, count)) memset(odd, 1, count);
    if (!memchr(odd, 1, count)) return;
    for (uint32_t i = 0; i < count; i++) {
        if (!odd[i]) continue;
        int ok = f->kind == GOV_NUMBER ? gov_steps_of_double(f, values[i], &words[i])
                                       : gov_millis_of_double(f, values[i], &words[i]);
        if (!ok) spoil(r, i);
    }
}

/* --- bools, members, sets ---------------------------------------------------------------------------------------- */

static void read_bools(gov_rows *r, const gov_field *f, const gov_input *in, int64_t start, uint32_t count) {
    int64_t *words = gov_words_of(r, f->column);
    const uint8_t *values = in->values;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t bit = in->first + start + i;
        words[i] = in->type == GOV_B1 ? values[bit >> 3] >> (bit & 7) & 1 : values[start + i] != 0;
    }
}

static void read_members(gov_rows *r, const gov_field *f, const gov_input *in, int64_t start, uint32_t count) {
    int64_t *words = gov_words_of(r, f->column);
    if (!widen(in, start, words, count)) return;
    const int64_t *remap = in->remap;
    const uint64_t size = (uint64_t)in->remap_size;
    for (uint32_t i = 0; i < count; i++) words[i] = (uint64_t)words[i] < size ? remap[words[i]] : GOV_CODE_NONE;
    mark_outside(r, words, count, f->lo, f->hi);
}

/* Where text or list `at` begins and ends in the items; 0 if that is outside them. */
static inline int slice_of(const gov_input *in, int64_t at, int64_t *from, int64_t *to) {
    if (at < 0 || at >= in->entries) return 0;
    *from = in->wide ? ((const int64_t *)in->offsets)[at] : ((const int32_t *)in->offsets)[at];
    *to = in->wide ? ((const int64_t *)in->offsets)[at + 1] : ((const int32_t *)in->offsets)[at + 1];
    return 0 <= *from && *from <= *to && *to <= in->items_size;
}

static int read_set(const gov_rows *r, const gov_field *f, const gov_input *in, int64_t row, int64_t *word) {
    const int roles = f->column == r->table->policy->approved;
    int64_t from, to;
    uint64_t mask = 0;
    if (!slice_of(in, row, &from, &to)) return 0;
    for (; from < to; from++) {
        const uint64_t code = (uint64_t)((const int32_t *)in->items)[from];
        const int64_t position = code < (uint64_t)in->remap_size ? in->remap[code] : GOV_CODE_NONE;
        if (position == GOV_CODE_IGNORE) continue;
        if (position < 0 || (!roles && (mask >> position & 1))) return 0;
        mask |= UINT64_C(1) << position;
    }
    *word = (int64_t)mask;
    return 1;
}

static void read_sets(gov_rows *r, const gov_field *f, const gov_input *in, int64_t start, uint32_t count) {
    int64_t *words = gov_words_of(r, f->column);
    for (uint32_t i = 0; i < count; i++)
        if (is_there(r, in, i) && !read_set(r, f, in, start + i, &words[i])) spoil(r, i);
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

static int64_t code_at(const gov_input *in, int64_t row) {
    switch (in->type) {
    case GOV_I8: return ((const int8_t *)in->values)[row];
    case GOV_I16: return ((const int16_t *)in->values)[row];
    case GOV_I32: return ((const int32_t *)in->values)[row];
    case GOV_I64: return ((const int64_t *)in->values)[row];
    case GOV_U8: return ((const uint8_t *)in->values)[row];
    case GOV_U16: return ((const uint16_t *)in->values)[row];
    case GOV_U32: return ((const uint32_t *)in->values)[row];
    case GOV_U64: return (int64_t)((const uint64_t *)in->values)[row];
    default: return row;
    }
}

static int read_text(const gov_table *t, const gov_field *f, const gov_input *in, int64_t at, uint32_t *classes) {
    int64_t from, to;
    if (!slice_of(in, at, &from, &to) || to - from > (int64_t)f->max_bytes) return 0;
    const uint8_t *text = (const uint8_t *)in->items + from;
    const size_t length = (size_t)(to - from);
    if (!gov_utf8(text, length) || (f->kind == GOV_PATH && !gov_path(text, length))) return 0;
    for (uint32_t k = 0; k < f->classifiers; k++) classes[k] = gov_classify(t, f->first_classifier + k, text, length);
    return 1;
}

#define CLASSES_KEPT 16

static void read_texts(gov_rows *r, uint32_t field, int64_t start, uint32_t count) {
    const gov_field *f = &r->table->fields[field];
    const gov_input *in = &r->inputs[field];
    const gov_texts *known = &r->texts[field];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t local[CLASSES_KEPT], *classes = local;
        if (!is_there(r, in, i)) {
            for (uint32_t k = 0; k < f->classifiers; k++) {
                const uint32_t column = r->table->classifiers[f->first_classifier + k].column;
                gov_words_of(r, column)[i] = r->table->base[column];
            }
            continue;
        }
        const int64_t at = code_at(in, start + i);
        int ok;
        if (known->valid) {
            ok = at >= 0 && at < in->entries && known->valid[at];
            classes = known->classes + (ok ? (size_t)at * f->classifiers : 0);
        } else {
            ok = f->classifiers <= CLASSES_KEPT && read_text(r->table, f, in, at, classes);
        }
        if (!ok) spoil(r, i);
        for (uint32_t k = 0; ok && k < f->classifiers; k++)
            gov_words_of(r, r->table->classifiers[f->first_classifier + k].column)[i] = classes[k];
    }
}

static void compare_texts(gov_rows *r, uint32_t column, int64_t start, uint32_t count) {
    const gov_column *c = &r->table->columns[column];
    const gov_input *a = &r->inputs[c->source], *b = &r->inputs[c->other];
    int64_t *words = gov_words_of(r, column);
    for (uint32_t i = 0; i < count; i++) {
        int64_t from[2] = {0, 0}, to[2] = {0, 0};
        const int has_a = a->type != GOV_MISSING && has_value(a, start + i);
        const int has_b = b->type != GOV_MISSING && has_value(b, start + i);
        words[i] = 0;
        if (has_a && !slice_of(a, code_at(a, start + i), &from[0], &to[0])) continue;
        if (has_b && !slice_of(b, code_at(b, start + i), &from[1], &to[1])) continue;
        const int64_t size = to[0] - from[0];
        words[i] = size == to[1] - from[1] &&
                   (size == 0 || memcmp((const char *)a->items + from[0], (const char *)b->items + from[1], (size_t)size) == 0);
    }
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static void fill(int64_t *words, int64_t value) {
    for (uint32_t i = 0; i < GOV_ROWS; i++) words[i] = value;
}

/* Rows without a value: implied or absent if the field may be, else invalid. */
static void read_nulls(gov_rows *r, const gov_field *f, uint32_t count) {
    int64_t *has = f->has_column == GOV_NONE ? NULL : gov_words_of(r, f->has_column);
    for (uint32_t i = 0; i < count; i++) {
        const int there = r->there[i];
        if (has) has[i] = there || (f->flags & GOV_IMPLIED);
        if (there) continue;
        if (!(f->flags & (GOV_OPTIONAL | GOV_IMPLIED))) spoil(r, i);
        if (f->column != GOV_NONE)
            gov_words_of(r, f->column)[i] = f->flags & GOV_IMPLIED ? f->implied : r->table->base[f->column];
    }
}

static void read_values(gov_rows *r, uint32_t field, int64_t start, uint32_t count) {
    const gov_field *f = &r->table->fields[field];
    const gov_input *in = &r->inputs[field];
    switch (f->kind) {
    case GOV_NUMBER: case GOV_TIME: case GOV_DURATION:
        if (is_plain(f, in)) {
            r->plain[r->n_plain++] = field;
        } else if (in->type == GOV_F32 || in->type == GOV_F64) {
            read_doubles(r, f, in, start, count);
        } else {
            read_integers(r, f, in, start, count);
        }
        return;
    case GOV_BOOL: read_bools(r, f, in, start, count); return;
    case GOV_ENUM: read_members(r, f, in, start, count); return;
    case GOV_SET: read_sets(r, f, in, start, count); return;
    default: read_texts(r, field, start, count);
    }
}

/* A null's value is whatever lies there: what was spoilt by it alone is mended. */
static void read_with_nulls(gov_rows *r, uint32_t field, int64_t start, uint32_t count) {
    uint8_t before[GOV_ROWS];
    const int any = r->any_bad;
    memcpy(before, r->bad, count);
    for (uint32_t i = 0; i < count; i++) r->there[i] = (uint8_t)has_value(&r->inputs[field], start + i);
    read_values(r, field, start, count);
    for (uint32_t i = 0; i < count; i++)
        if (!r->there[i]) r->bad[i] = before[i];
    if (any) r->any_bad = 1;
    read_nulls(r, &r->table->fields[field], count);
}

static const int64_t *plain_words(const gov_rows *r, uint32_t field, int64_t start) {
    return (const int64_t *)r->inputs[field].values + start;
}

/* Copies and checks the plain columns: four at a time, one of them twice if they do not come out even. */
static void read_plain(gov_rows *r, int64_t start, uint32_t count) {
    for (uint32_t i = 0; i < r->n_plain; i += 4) {
        const int64_t *from[4];
        int64_t *words[4], lo[4], hi[4];
        for (uint32_t k = 0; k < 4; k++) {
            const uint32_t field = r->plain[i + k < r->n_plain ? i + k : i];
            const gov_field *f = &r->table->fields[field];
            from[k] = plain_words(r, field, start);
            words[k] = gov_words_of(r, f->column);
            lo[k] = f->lo;
            hi[k] = f->hi;
        }
        if (!gov_copy_4(from, words, count, lo, hi)) continue;
        for (uint32_t k = 0; k < 4; k++) mark_outside(r, words[k], count, lo[k], hi[k]);
    }
}

void gov_rows_read(gov_rows *r, int64_t start, uint32_t count) {
    const gov_table *t = r->table;
    r->n_plain = 0;
    memset(r->bad, 0, count);
    r->any_bad = 0;
    for (uint32_t i = 0; i < t->policy->inputs; i++) {
        const gov_field *f = &t->fields[i];
        if (r->inputs[i].type == GOV_MISSING) {
            if (!(f->flags & (GOV_OPTIONAL | GOV_IMPLIED)))
                for (uint32_t k = 0; k < count; k++) spoil(r, k);
        } else if (r->inputs[i].valid) {
            read_with_nulls(r, i, start, count);
        } else {
            read_values(r, i, start, count);
        }
    }
    read_plain(r, start, count);
    for (uint32_t c = 0; c < t->policy->request_columns; c++)
        if (t->columns[c].kind == GOV_COLUMN_EQUAL) compare_texts(r, c, start, count);
}

/* Classes of a dictionary's texts, so that rows need only look them up. */
static int know_texts(gov_rows *r, uint32_t field) {
    const gov_field *f = &r->table->fields[field];
    const gov_input *in = &r->inputs[field];
    gov_texts *texts = &r->texts[field];
    if (!gov_is_text(f->kind) || (in->type == GOV_TEXTS && f->classifiers <= CLASSES_KEPT) || in->type == GOV_MISSING)
        return 0;
    texts->valid = malloc((size_t)in->entries + 1);
    texts->classes = malloc(((size_t)in->entries + 1) * (f->classifiers + 1) * sizeof *texts->classes);
    if (!texts->valid || !texts->classes) return -1;
    for (int64_t i = 0; i < in->entries; i++)
        texts->valid[i] = (uint8_t)read_text(r->table, f, in, i, texts->classes + (size_t)i * f->classifiers);
    return 0;
}

int gov_rows_begin(gov_rows *r, const gov_table *t, const gov_input *inputs) {
    memset(r, 0, sizeof *r);
    r->table = t;
    r->inputs = inputs;
    r->texts = calloc(t->policy->inputs + 1u, sizeof *r->texts);
    r->buffers = malloc(((size_t)t->n_columns + 1) * GOV_STRIDE * sizeof *r->buffers);
    r->plain = malloc((t->policy->inputs + 1u) * sizeof *r->plain);
    if (!r->texts || !r->buffers || !r->plain) return -1;
    for (uint32_t c = 0; c < t->n_columns; c++) fill(gov_words_of(r, c), t->base[c]);
    for (uint32_t i = 0; i < t->policy->inputs; i++) {
        const gov_field *f = &t->fields[i];
        const int there = inputs[i].type != GOV_MISSING;
        if (f->has_column != GOV_NONE) fill(gov_words_of(r, f->has_column), there || (f->flags & GOV_IMPLIED));
        if (!there && (f->flags & GOV_IMPLIED) && f->column != GOV_NONE) fill(gov_words_of(r, f->column), f->implied);
        if (know_texts(r, i) != 0) return -1;
    }
    return 0;
}

void gov_rows_end(gov_rows *r) {
    for (uint32_t i = 0; r->texts && i < r->table->policy->inputs; i++) {
        free(r->texts[i].valid);
        free(r->texts[i].classes);
    }
    free(r->texts);
    free(r->plain);
    free(r->buffers);
}
