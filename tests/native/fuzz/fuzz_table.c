/* Hostile tables: changes the bytes of good tables, mends the checksum, loads and decides.  Compiled with
   -fsanitize=address,undefined: a crash or a read out of bounds ends the run with a report.

   usage: fuzz_table ITERATIONS SEED TABLE…   one seed gives one sequence; prints how many tables were taken */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gov_batch.h"
#include "gov_engine.h"
#include "gov_store.h"

static uint64_t state;
static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static uint64_t below(uint64_t n) { return n ? next() % n : 0; }

/* Numbers that are likely to lie just at an edge. */
static uint64_t edge(size_t size) {
    static const uint64_t edges[] = {0, 1, 2, 63, 64, 65, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX,
                                     INT64_MAX, (uint64_t)INT64_MIN};
    switch (below(4)) {
    case 0: return edges[below(sizeof edges / sizeof *edges)];
    case 1: return below(size);
    case 2: return next();
    default: return below(64);
    }
}

static void change(uint8_t *bytes, size_t size) {
    const size_t head = ((const gov_header *)(const void *)bytes)->minor
                            ? sizeof(gov_header)
                            : offsetof(gov_header, sections) + 8 * GOV_PLAIN_SECTIONS;
    const size_t at = below(20) ? head + below(size - head) : below(size);
    const uint64_t value = edge(size);
    switch (below(6)) {
    case 0: bytes[at] ^= (uint8_t)(1u << below(8)); break;
    case 1: bytes[at] = (uint8_t)value; break;
    case 2: memcpy(bytes + (at & ~(size_t)3), &value, 4); break;
    case 3: memcpy(bytes + (at & ~(size_t)7), &value, 8); break;
    case 4: { /* a neighbour's word */
        const size_t from = below(size / 8) * 8;
        memmove(bytes + (at & ~(size_t)7), bytes + from, 8);
        break;
    }
    default: { /* one more or one less */
        uint32_t word;
        memcpy(&word, bytes + (at & ~(size_t)3), 4);
        word += below(2) ? 1 : UINT32_MAX;
        memcpy(bytes + (at & ~(size_t)3), &word, 4);
    }
    }
}

static uint64_t guard; /* so that no call is optimised away */

static void decide_rows(const gov_table *t, const gov_header *h) {
    const gov_policy *p = (const void *)((const uint8_t *)h + 8 * (size_t)h->sections[GOV_POLICY].first);
    const gov_field *fields = (const void *)((const uint8_t *)h + 8 * (size_t)h->sections[GOV_FIELDS].first);
    enum { ROWS = 3 };
    gov_input *inputs = calloc(p->inputs + 1u, sizeof *inputs);
    int64_t values[ROWS] = {(int64_t)edge(100), (int64_t)next(), 1}, remap[3] = {0, 1, GOV_CODE_NONE};
    int64_t offsets[ROWS + 1] = {0, (int64_t)below(9), 4, 8};
    uint8_t valid = 5, decisions[ROWS];
    int32_t codes[8] = {0, 1, 2, 3, -1, 0, 1, 0}, rules[ROWS];
    for (uint32_t i = 0; inputs && i < p->inputs; i++) {
        gov_input *in = &inputs[i];
        *in = (gov_input){.type = GOV_I64, .values = values, .valid = below(2) ? &valid : NULL};
        if (fields[i].kind == GOV_ENUM) in->remap = remap, in->remap_size = (int64_t)below(4);
        if (fields[i].kind == GOV_BOOL) in->type = GOV_B1;
        if (fields[i].kind >= GOV_TEXT || fields[i].kind == GOV_SET) {
            in->type = fields[i].kind == GOV_SET ? GOV_LISTS : below(2) ? GOV_TEXTS : GOV_I64;
            in->wide = 1, in->offsets = offsets, in->entries = ROWS, in->items = codes;
            in->items_size = fields[i].kind == GOV_SET ? 8 : (int64_t)sizeof codes;
            in->remap = remap, in->remap_size = 3;
        }
        if (!below(6)) in->type = GOV_MISSING;
    }
    if (inputs && gov_decide_columns(t, inputs, ROWS, decisions, rules, 0) == 0) guard += (uint32_t)rules[0];
    free(inputs);
}

static int64_t some_time(void) { return below(3) ? (int64_t)below(5000) : (int64_t)edge(1000); }

/* Samples of any kind on instances of any bytes; what a step refuses must stay as it was. */
static void take_samples(const gov_table *t, int64_t *words, uint64_t *scratch) {
    uint8_t *states[GOV_SCOPES_MAX] = {NULL}, *given[GOV_SCOPES_MAX] = {NULL};
    gov_outcome out;
    for (uint32_t s = 0; s < gov_scopes(t); s++) {
        const uint32_t bytes = gov_state_bytes(t, s);
        if (!(states[s] = malloc(bytes))) return;
        gov_state_start(t, s, states[s]);
        if (!below(4)) states[s][below(bytes)] = (uint8_t)next();
        guard += (uint64_t)gov_state_ok(t, s, states[s]);
    }
    for (int round = 0; round < 6; round++) {
        gov_words(t, words);
        for (uint32_t c = 0; c < gov_table_columns(t); c++)
            if (!below(4)) words[c] = below(4) ? (int64_t)below(8) : (int64_t)edge(1000);
        for (uint32_t s = 0; s < gov_scopes(t); s++) given[s] = s && !below(4) ? NULL : states[s];
        const gov_sample sample = {some_time(), (uint32_t)below(8), below(4) != 0};
        const int taken = gov_take(t, &sample, words, given, scratch, &out);
        guard += (uint64_t)taken + out.rule + (uint64_t)gov_deadline(t, given, some_time());
        for (uint32_t s = 0; s < gov_scopes(t); s++) {
            const int kept = taken == GOV_TAKEN && sample.keep && (sample.kind != GOV_REQUEST || out.rule != GOV_BY_INVALID);
            if (kept && given[s] && !gov_state_ok(t, s, states[s])) abort();
        }
    }
    for (uint32_t s = 0; s < gov_scopes(t); s++) {
        guard += (uint64_t)gov_state_idle(t, s, states[s], some_time(), words, scratch);
        free(states[s]);
    }
}

/* A small store that fills up, forgets, and gives its instances to another one. */
static void use_store(const gov_table *t, int64_t *words, uint64_t *scratch) {
    gov_store *stores[2] = {gov_store_new(t, 1 + (uint32_t)below(3), (uint64_t[2]){1, 2}),
                            gov_store_new(t, 3, (uint64_t[2]){next(), next()})};
    gov_outcome out;
    gov_key keys[GOV_SCOPES_MAX] = {{NULL, 0}};
    for (int round = 0; stores[0] && stores[1] && round < 12; round++) {
        uint8_t names[GOV_SCOPES_MAX][8];
        for (uint32_t s = 1; s < gov_scopes(t); s++) {
            names[s][0] = (uint8_t)below(5);
            keys[s] = below(5) ? (gov_key){names[s], 1} : (gov_key){NULL, 0};
        }
        gov_words(t, words);
        const gov_sample sample = {some_time(), (uint32_t)below(8), below(4) != 0};
        int64_t deadline;
        guard += (uint64_t)gov_store_take(stores[0], &sample, words, keys, scratch, &out, &deadline) + (uint64_t)deadline;
    }
    for (uint32_t s = 0; stores[0] && stores[1] && s < gov_scopes(t); s++) {
        uint32_t seen = 0;
        for (uint32_t i = 0; i < gov_store_capacity(stores[0]); i++) {
            gov_key key;
            const uint8_t *own = gov_store_at(stores[0], s, i, &key);
            if (!own) continue;
            seen++;
            if (gov_store_find(stores[0], s, key) != own || gov_store_put(stores[1], s, key, own) != 0) abort();
        }
        if (seen != gov_store_count(stores[0], s) || seen != (s ? gov_store_count(stores[1], s) : 1)) abort();
    }
    gov_store_free(stores[0]);
    gov_store_free(stores[1]);
}

static void use(const gov_table *t) {
    const gov_header *h = (const void *)gov_table_bytes(t);
    const uint32_t columns = gov_table_columns(t);
    int64_t *words = malloc((columns + 1u) * sizeof *words);
    uint64_t *scratch = malloc((gov_table_scratch(t) + 1u) * sizeof *scratch);
    gov_outcome out;
    for (int round = 0; words && scratch && round < 4; round++) {
        gov_words(t, words);
        for (uint32_t c = 0; c < columns; c++)
            if (below(3)) words[c] = round < 2 ? (int64_t)below(8) : (int64_t)edge(1000);
        gov_decide(t, words, scratch, &out);
        guard += out.rule;
        gov_collect(t, words, scratch, &out);
        guard += out.decision;
    }
    const uint32_t programs = gov_table_programs(t), classifiers = gov_table_classifiers(t);
    if (words && programs) guard += (uint64_t)gov_run(t, (uint32_t)below(programs), words);
    if (classifiers) guard += gov_classify(t, (uint32_t)below(classifiers), (const uint8_t *)"a.b/\xc3\xa9", 6);
    decide_rows(t, h);
    if (words && scratch && gov_scopes(t)) {
        take_samples(t, words, scratch);
        use_store(t, words, scratch);
    }
    free(words);
    free(scratch);
}

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size);
    if (bytes && fread(bytes, 1, *size, file) != *size) *size = 0;
    fclose(file);
    return bytes;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    const uint64_t iterations = strtoull(argv[1], NULL, 10);
    state = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252u;
    uint64_t taken = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        static uint8_t *files[4096];
        static size_t sizes[4096];
        const int which = 3 + (int)below((uint64_t)(argc - 3 < 4096 ? argc - 3 : 4096));
        if (!files[which - 3]) files[which - 3] = read_file(argv[which], &sizes[which - 3]);
        size_t size = sizes[which - 3];
        uint8_t *bytes = malloc(size);
        if (!bytes || !files[which - 3]) return 2;
        memcpy(bytes, files[which - 3], size);
        const uint64_t changes = i % 50 ? 1 + below(3) : 0;
        for (uint64_t k = 0; k < changes; k++) change(bytes, size);
        if (!below(50)) size = below(size);
        if (size > 24) { /* as a compiler's bug would have it: the header agrees with what it holds */
            if (below(40)) memcpy(bytes + 16, &(uint64_t){size}, 8);
            const uint32_t crc = gov_crc32(bytes + 16, size - 16);
            memcpy(bytes + 12, &crc, 4);
        }
        const char *why;
        gov_table *t = gov_table_load(bytes, size, &why);
        if (t) {
            taken++;
            use(t);
        }
        gov_table_free(t);
        free(bytes);
    }
    printf("%llu %llu %llu\n", (unsigned long long)iterations, (unsigned long long)taken, (unsigned long long)guard);
    return 0;
}
