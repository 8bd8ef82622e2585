/* Loading: copies the bytes of a table and checks every index, bound and link once.

   In: bytes from anywhere.  Out: a gov_table, or why not.  INVARIANT: what passes here can be walked by
   gov_table.c without any further check: links lead forwards, lists end inside their section, programs keep to their
   stack, strings are UTF-8, the sum of the steps is bounded. */

#include "gov_load.h"
#include "gov_fast.h"
#include "gov_plan.h"
#include "gov_pack.h"
#include "gov_timing.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t record_size[GOV_SECTIONS] = {
    sizeof(gov_policy), sizeof(gov_column), sizeof(gov_field), sizeof(gov_param), sizeof(gov_action),
    sizeof(gov_string), 1, 4, sizeof(gov_classifier), 2, sizeof(gov_assumption), sizeof(gov_program), 8,
    sizeof(gov_rule), sizeof(gov_limit), sizeof(gov_do), sizeof(gov_arg), sizeof(gov_remedy), 4, 4,
    sizeof(gov_entry), 8, sizeof(gov_memory), sizeof(gov_scope), sizeof(gov_cell), sizeof(gov_sample_type),
    sizeof(gov_update), 8,
};

/* A policy that does not remember has no section behind the nodes. */
static uint32_t sections_of(const gov_header *h) { return h->minor ? GOV_SECTIONS : GOV_PLAIN_SECTIONS; }
static size_t header_size(const gov_header *h) { return offsetof(gov_header, sections) + 8 * (size_t)sections_of(h); }

/* Eight bytes at a time: table[k][b] is what byte b does to the sum from k bytes before the end. */
uint32_t gov_crc32(const uint8_t *bytes, size_t size) {
    uint32_t table[8][256], crc = 0xffffffffu;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) table[k][i] = table[0][table[k - 1][i] & 0xff] ^ (table[k - 1][i] >> 8);
    size_t at = 0;
    for (; size - at >= 8; at += 8) {
        uint32_t low, high;
        memcpy(&low, bytes + at, 4);
        memcpy(&high, bytes + at + 4, 4);
        low ^= crc;
        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
              table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^ table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
    }
    for (; at < size; at++) crc = table[0][(crc ^ bytes[at]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

static const char *check_header(const uint8_t *bytes, size_t size) {
    const gov_header *h = (const void *)bytes;
    if (size < offsetof(gov_header, sections) || size < header_size(h)) return "it is shorter than a header";
    if (memcmp(h->magic, GOV_MAGIC, 8) != 0) return "it is no compiled table";
    if (h->major != GOV_VERSION_MAJOR) return "it has another major version of the format";
    if (h->size != size) return "it has another size than its header says";
    if (h->crc32 != gov_crc32(bytes + 16, size - 16)) return "its checksum is wrong";
    return NULL;
}

static const char *check_sections(const uint8_t *bytes, size_t size) {
    const gov_header *h = (const void *)bytes;
    uint64_t at = header_size(h);
    for (uint32_t i = 0; i < sections_of(h); i++) {
        if ((uint64_t)h->sections[i].first * 8 != at) return "a section begins in the wrong place";
        uint64_t used = at + (uint64_t)h->sections[i].count * record_size[i], end = (used + 7) & ~UINT64_C(7);
        if (end > size) return "a section ends outside the file";
        for (uint64_t k = used; k < end; k++)
            if (bytes[k]) return "a section is not padded with zeros";
        at = end;
    }
    return at == size ? NULL : "there are bytes behind the last section";
}

static void point_memory(gov_table *t) {
    t->memory = gov_at(t, GOV_MEMORY);
    t->scopes = gov_at(t, GOV_SCOPES);
    t->cells = gov_at(t, GOV_CELLS);
    t->samples = gov_at(t, GOV_SAMPLES);
    t->updates = gov_at(t, GOV_UPDATES);
    t->points = gov_at(t, GOV_POINTS);
    t->n_scopes = gov_count(t, GOV_SCOPES);
    t->n_cells = gov_count(t, GOV_CELLS);
    t->n_samples = gov_count(t, GOV_SAMPLES);
    t->n_updates = gov_count(t, GOV_UPDATES);
}

static void point(gov_table *t) {
    t->policy = gov_at(t, GOV_POLICY);
    t->columns = gov_at(t, GOV_COLUMNS);
    t->fields = gov_at(t, GOV_FIELDS);
    t->classifiers = gov_at(t, GOV_CLASSIFIERS);
    t->states = gov_at(t, GOV_STATES);
    t->assumptions = gov_at(t, GOV_ASSUMPTIONS);
    t->programs = gov_at(t, GOV_PROGRAMS);
    t->code = gov_at(t, GOV_CODE);
    t->rules = gov_at(t, GOV_RULES);
    t->limits = gov_at(t, GOV_LIMITS);
    t->overrides = gov_at(t, GOV_OVERRIDES);
    t->order = gov_at(t, GOV_ORDER);
    t->entries = gov_at(t, GOV_ENTRIES);
    t->nodes = gov_at(t, GOV_NODES);
    t->n_columns = gov_count(t, GOV_COLUMNS);
    t->n_assumptions = gov_count(t, GOV_ASSUMPTIONS);
    t->n_rules = gov_count(t, GOV_RULES);
    t->n_order = gov_count(t, GOV_ORDER);
    t->n_nodes = gov_count(t, GOV_NODES);
    if (((const gov_header *)(const void *)t->bytes)->minor) point_memory(t);
}

/* What the engine wants beside the bytes: bounds of the columns and the words of an empty request. */
static int derive(gov_table *t) {
    gov_bound *bounds = calloc(t->n_columns + 1u, sizeof *bounds);
    t->bounds = bounds;
    t->base = calloc(t->n_columns + 1u, sizeof *t->base);
    if (!t->base || !t->bounds) return -1;
    for (uint32_t c = 0; c < t->n_columns; c++) {
        bounds[c].lo = t->columns[c].lo;
        bounds[c].width = (uint64_t)t->columns[c].hi - (uint64_t)t->columns[c].lo;
        t->base[c] = t->columns[c].lo;
    }
    for (uint32_t k = 0; k < gov_count(t, GOV_CLASSIFIERS); k++)
        t->base[t->classifiers[k].column] = gov_classify(t, k, NULL, 0);
    for (uint32_t c = 0; c < t->n_columns; c++)
        if (t->columns[c].kind == GOV_COLUMN_EQUAL) t->base[c] = 1;
    for (uint32_t i = 0; i < t->n_cells; i++) t->base[gov_cell_column(t, i)] = t->cells[i].initial;
    const gov_param *params = gov_at(t, GOV_PARAMS);
    for (uint32_t p = 0; p < t->policy->params; p++) t->base[params[p].column] = params[p].value;
    t->combine = t->policy->combine;
    t->fallback = t->policy->fallback == GOV_DEFAULT_ALLOW ? GOV_ALLOW : GOV_DENY;
    return gov_plan_make(t) || gov_packs_make(t) || gov_timing_make(t) ? -1 : gov_fast_make(t);
}

static const char *check_all(gov_table *t) {
    const char *why = gov_check_policy(t);
    if (!why) t->n_checked = t->policy->request_columns + t->policy->remembered;
    if (!why) why = gov_check_columns(t);
    if (!why) why = gov_check_fields(t);
    if (!why) why = gov_check_texts(t);
    if (!why) why = gov_check_time(t);
    if (!why) why = gov_check_programs(t);
    if (!why) why = gov_check_rules(t);
    if (!why) why = gov_check_names(t);
    if (!why) why = gov_check_entries(t);
    if (!why) why = gov_check_nodes(t);
    return why;
}

gov_table *gov_table_load(const uint8_t *bytes, size_t size, const char **why) {
    const char *none = NULL;
    if (!why) why = &none;
    *why = "there is not enough memory";
    gov_table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->bytes = malloc(size + 8);
    if (t->bytes) {
        memcpy(t->bytes, bytes, size);
        *why = check_header((const uint8_t *)t->bytes, size);
        if (!*why) *why = check_sections((const uint8_t *)t->bytes, size);
        if (!*why) {
            point(t);
            *why = check_all(t);
        }
        if (!*why && derive(t) != 0) *why = "there is not enough memory";
    }
    if (!*why) return t;
    gov_table_free(t);
    return NULL;
}

void gov_table_free(gov_table *t) {
    if (!t) return;
    free((void *)(uintptr_t)t->bounds);
    free(t->fast);
    gov_plan_free(t->plan);
    gov_packs_free(t->packs);
    gov_timing_free(t->timing);
    free(t->base);
    free(t->bytes);
    free(t);
}

int gov_table_bind(gov_table *t, const int64_t *values) {
    const gov_param *params = gov_at(t, GOV_PARAMS);
    for (uint32_t p = 0; p < t->policy->params; p++) {
        const gov_column *column = &t->columns[params[p].column];
        if (values[p] < column->lo || values[p] > column->hi) return -1;
    }
    for (uint32_t p = 0; p < t->policy->params; p++) t->base[params[p].column] = values[p];
    return 0;
}

uint32_t gov_table_columns(const gov_table *t) { return t->n_columns; }
uint32_t gov_table_scratch(const gov_table *t) {
    return (t->packs ? t->packs->scratch : gov_decision_scratch(t)) + 1;
}
uint32_t gov_table_programs(const gov_table *t) { return gov_count(t, GOV_PROGRAMS); }
uint32_t gov_table_classifiers(const gov_table *t) { return gov_count(t, GOV_CLASSIFIERS); }
uint64_t gov_table_steps(const gov_table *t) { return t->steps; }
const uint8_t *gov_table_bytes(const gov_table *t) { return (const uint8_t *)t->bytes; }
void gov_words(const gov_table *t, int64_t *words) { memcpy(words, t->base, t->n_columns * sizeof *words); }
