/* govlang.native._dict: steps of a trace that are no request, from a Python dict to the store.

   In: a step (contract: "A trace step").  Out: what Policy.observe gives.  Every value is read as runtime/memory.py
   says; whatever this file does not take in, that file looks at again, so that messages have one home.
   INVARIANT: nothing reaches the store unless every part of the step has been read, and what is refused here has
   changed nothing. */

#include "gov_dict.h"

#include <string.h>

#define TEXTS_MAX 16 /* of a report: its key, and those of its fields */
#define WORDS_KEPT 1024

/* What a step says, as far as it is read. */
typedef struct {
    gov_sample sample;
    int has_time;
    const gov_sample_type *type; /* NULL: a tick */
    Py_ssize_t found;            /* how many parts of it are known */
    PyObject *given;             /* the fields, the value of a signal; NULL: none.  With a reference */
    text_value texts[TEXTS_MAX]; /* the first one: the key.  With references */
    uint32_t field_of[TEXTS_MAX];
    uint32_t n_texts;
} reading;

/* --- names ------------------------------------------------------------------------------------------------------- */

static const char *const parts[GOV_PARTS] = {"at_ms", "key", "event", "fields", "signal", "value", "tick"};

static int name_carried(decider *self, const gov_sample_type *type, uint32_t field) {
    if (gov_name_field(self, field) != 0) return -1;
    field_names *names = &self->names[field];
    PyObject *own = gov_text_of(self->table, type->name);
    if (!own) return -1;
    names->is_value = PyUnicode_Compare(names->name, own) == 0;
    names->is_approved = PyUnicode_CompareWithASCIIString(names->name, "approved") == 0;
    Py_DECREF(own);
    return PyErr_Occurred() ? -1 : 0;
}

int gov_name_reports(decider *self) {
    const gov_table *t = self->table;
    self->report_numbers = PyDict_New();
    if (!self->report_numbers) return -1;
    for (uint32_t i = 0; i < GOV_PARTS; i++)
        if (!(self->parts[i] = PyUnicode_InternFromString(parts[i]))) return -1;
    for (uint32_t i = t->n_samples; i--;) { /* of two with one name the first one counts */
        PyObject *name = gov_text_of(t, t->samples[i].name), *number = PyLong_FromUnsignedLong(i);
        const int failed = !name || !number || PyDict_SetItem(self->report_numbers, name, number) != 0;
        Py_XDECREF(name);
        Py_XDECREF(number);
        if (failed) return -1;
        for (uint32_t f = 0; f < t->samples[i].fields; f++)
            if (name_carried(self, &t->samples[i], t->samples[i].first_field + f) != 0) return -1;
    }
    return 0;
}

void gov_forget_names(decider *self) {
    Py_XDECREF(self->report_numbers);
    for (uint32_t i = 0; i < GOV_PARTS; i++) Py_XDECREF(self->parts[i]);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* A part of the step, with a reference, since a key of the dict may run code; NULL: none, or an exception is set. */
static PyObject *part_of(const decider *self, PyObject *step, enum gov_part part, reading *r) {
    PyObject *found = PyDict_GetItemWithError(step, self->parts[part]);
    Py_XINCREF(found);
    r->found += found != NULL;
    return found;
}

/* What is said of a part that is not there. */
static int absent(int otherwise) { return PyErr_Occurred() ? FAILED : otherwise; }

static int read_time(const decider *self, PyObject *step, reading *r) {
    PyObject *raw = part_of(self, step, GOV_PART_AT, r);
    if (!raw) return absent(VALID);
    gov_asked how = {1, 0, 0};
    const int status = PyLong_CheckExact(raw) ? gov_read_time(raw, &how) : INVALID;
    r->has_time = how.has_time;
    r->sample.at_ms = how.at_ms;
    Py_DECREF(raw);
    return status;
}

/* A text of the step, by the rule of a field; a subclass of str may say another text than it holds. */
static int add_text(const decider *self, reading *r, uint32_t field, PyObject *raw) {
    if (!PyUnicode_CheckExact(raw) || r->n_texts == TEXTS_MAX) return INVALID;
    r->field_of[r->n_texts] = field;
    return gov_read_text(&self->table->fields[field], raw, &r->texts[r->n_texts++]);
}

static int read_key(const decider *self, PyObject *step, reading *r) {
    PyObject *raw = part_of(self, step, GOV_PART_KEY, r);
    r->n_texts = 1;
    if (!raw || raw == Py_None) {
        Py_XDECREF(raw);
        return raw ? VALID : absent(VALID);
    }
    const uint32_t key = self->table->memory->key, field = self->table->scopes[key].field;
    if (key && PyDict_CheckExact(raw)) { /* by the name of its field */
        PyObject *own = PyDict_Size(raw) == 1 ? PyDict_GetItemWithError(raw, self->names[field].name) : NULL;
        Py_XINCREF(own);
        Py_DECREF(raw);
        raw = own;
        if (!raw) return absent(INVALID);
    }
    r->n_texts = 0;
    const int status = key ? add_text(self, r, field, raw) : INVALID;
    r->n_texts = 1;
    Py_DECREF(raw);
    return status;
}

/* The declared event or signal of a name. */
static int find_type(const decider *self, PyObject *name, int is_signal, reading *r) {
    const gov_table *t = self->table;
    PyObject *number = PyUnicode_CheckExact(name) ? PyDict_GetItemWithError(self->report_numbers, name) : NULL;
    if (!number) return absent(INVALID);
    const uint32_t i = (uint32_t)PyLong_AsUnsignedLong(number);
    r->type = &t->samples[i];
    r->sample.kind = GOV_FIRST_KIND + i;
    const int wants_key = t->memory->key != 0 && !(r->type->flags & GOV_IS_SHARED);
    const int has_key = r->texts[0].object != NULL;
    return ((r->type->flags & GOV_IS_SIGNAL) != 0) == is_signal && wants_key == has_key ? VALID : INVALID;
}

/* What the step is about. */
static int read_type(const decider *self, PyObject *step, reading *r) {
    PyObject *name = part_of(self, step, GOV_PART_EVENT, r);
    const int is_signal = !name;
    if (!name && PyErr_Occurred()) return FAILED;
    if (!name && !(name = part_of(self, step, GOV_PART_SIGNAL, r))) {
        if (PyErr_Occurred()) return FAILED;
        r->sample.kind = GOV_TICK;
        PyObject *tick = part_of(self, step, GOV_PART_TICK, r);
        Py_XDECREF(tick);
        return tick == Py_True ? VALID : tick ? INVALID : absent(INVALID);
    }
    const int status = find_type(self, name, is_signal, r);
    Py_DECREF(name);
    if (status != VALID) return status;
    r->given = part_of(self, step, is_signal ? GOV_PART_VALUE : GOV_PART_FIELDS, r);
    if (!r->given) return absent(is_signal ? INVALID : VALID);
    return is_signal || PyDict_CheckExact(r->given) ? VALID : INVALID;
}

static int read_carried(decider *self, uint32_t field, PyObject *raw, int64_t *words, reading *r) {
    const gov_field *f = &self->table->fields[field];
    if (gov_is_text(f->kind)) return raw ? add_text(self, r, field, raw) : INVALID;
    if (raw) return gov_read_field(self, field, raw, words, NULL);
    words[f->column] = f->implied;
    return f->flags & GOV_IMPLIED ? VALID : INVALID;
}

static int read_event(decider *self, int64_t *words, reading *r) {
    Py_ssize_t found = 0;
    for (uint32_t i = r->type->first_field; i < r->type->first_field + r->type->fields; i++) {
        PyObject *raw = r->given ? PyDict_GetItemWithError(r->given, self->names[i].name) : NULL;
        if (!raw && PyErr_Occurred()) return FAILED;
        found += raw != NULL;
        Py_XINCREF(raw); /* a value's own methods may change the dict */
        const int status = read_carried(self, i, raw, words, r);
        Py_XDECREF(raw);
        if (status != VALID) return status;
    }
    return r->given && PyDict_Size(r->given) != found ? INVALID : VALID;
}

/* The fields of a report.  Other readings of them are left to runtime/memory.py: what a host sets, and the roles that
   approved. */
static int read_fields(decider *self, int64_t *words, reading *r) {
    if (!r->type) return VALID;
    for (uint32_t i = r->type->first_field; i < r->type->first_field + r->type->fields; i++)
        if (self->table->fields[i].origin != GOV_FROM_REQUEST || self->names[i].is_approved) return INVALID;
    if (!(r->type->flags & GOV_IS_SIGNAL)) return read_event(self, words, r);
    const uint32_t value = r->type->first_field;
    return self->names[value].is_value ? read_carried(self, value, r->given, words, r) : INVALID;
}

/* The keys of the instances that the step addresses: of a scope the field of its name, else the key. */
static int address(const decider *self, const reading *r, gov_key *keys) {
    const gov_table *t = self->table;
    for (uint32_t s = 1; s < t->n_scopes; s++) {
        const uint32_t field = t->scopes[s].field;
        const text_value *text = s == t->memory->key ? &r->texts[0] : NULL;
        for (uint32_t i = 1; i < r->n_texts; i++)
            if (self->names[r->field_of[i]].name == self->names[field].name) text = &r->texts[i]; /* interned */
        keys[s] = (gov_key){NULL, 0};
        if (!text || !text->object) continue;
        if (!gov_text_fits(&t->fields[field], text)) return INVALID;
        keys[s] = (gov_key){text->bytes, (uint32_t)text->size};
    }
    return VALID;
}

static int read_step(decider *self, PyObject *step, int64_t *words, gov_key *keys, reading *r) {
    int status = read_time(self, step, r);
    if (status == VALID) status = read_key(self, step, r);
    if (status == VALID) status = read_type(self, step, r);
    if (status == VALID && PyDict_Size(step) != r->found) status = INVALID; /* it says more, or two things */
    if (status == VALID) status = read_fields(self, words, r);
    return status == VALID ? address(self, r, keys) : status;
}

/* --- taking ------------------------------------------------------------------------------------------------------ */

static PyObject *told(decider *self, PyObject *step, int taken, int64_t deadline) {
    if (taken != GOV_TAKEN) return PyObject_CallMethod((PyObject *)self, "_not_taken", "Oi", step, taken);
    if (deadline != GOV_UNKNOWN) return PyLong_FromLongLong(deadline);
    Py_RETURN_NONE;
}

static PyObject *take_step(decider *self, PyObject *step, int64_t *words, reading *r) {
    gov_key keys[GOV_SCOPES_MAX];
    gov_words(self->table, words);
    keys[0] = (gov_key){NULL, 0};
    const int status = read_step(self, step, words, keys, r);
    if (status == FAILED) return NULL;
    if (status == INVALID) return PyObject_CallMethod((PyObject *)self, "_observe_otherwise", "O", step);
    gov_outcome out;
    int64_t deadline = GOV_UNKNOWN;
    uint64_t *scratch = (uint64_t *)(void *)(words + self->table->n_columns);
    if (!r->has_time) r->sample.at_ms = gov_read_clock();
    const int taken = gov_store_take(self->store, &r->sample, words, keys, scratch, &out, &deadline);
    return told(self, step, taken, deadline);
}

/* observe(step) -> the next deadline, or None */
PyObject *gov_observe(decider *self, PyObject *step) {
    if (!self->store || !PyDict_CheckExact(step))
        return PyObject_CallMethod((PyObject *)self, "_observe_otherwise", "O", step);
    const size_t size = (size_t)self->table->n_columns + self->scratch + 1;
    int64_t kept[WORDS_KEPT], *words = kept;
    if (size > WORDS_KEPT && !(words = PyMem_Malloc(size * sizeof *words))) return PyErr_NoMemory();
    reading r = {.sample = {0, 0, 1}};
    PyObject *found = take_step(self, step, words, &r);
    Py_XDECREF(r.given);
    for (uint32_t i = 0; i < r.n_texts; i++) Py_XDECREF(r.texts[i].object);
    if (words != kept) PyMem_Free(words);
    return found;
}
