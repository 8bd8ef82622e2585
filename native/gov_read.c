/* From Python objects to words: every value as native/request.py reads it.

   In: a request (dict), the host's part (dict or NULL).  Out: words, or that the request is invalid; why is found by
   the reference reader.  Huge integers and decimals that are long or have an exponent are left to it too. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "gov_dict.h"
#include "gov_number.h"

#include <string.h>

/* --- names ------------------------------------------------------------------------------------------------------- */

PyObject *gov_text_of(const gov_table *t, uint32_t string) {
    const gov_string *s = (const gov_string *)gov_at(t, GOV_STRINGS) + string;
    const char *bytes = (const char *)gov_at(t, GOV_BYTES) + s->offset;
    return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)s->length, "strict");
}

static PyObject *interned_text_of(const gov_table *t, uint32_t string) {
    PyObject *text = gov_text_of(t, string);
    if (text) PyUnicode_InternInPlace(&text);
    return text;
}

static int name_members(const gov_table *t, const gov_field *f, field_names *names) {
    const uint32_t *members = (const uint32_t *)gov_at(t, GOV_MEMBERS) + f->first_member;
    names->members = PyDict_New();
    names->member = PyMem_Calloc(f->members + 1u, sizeof *names->member);
    if (!names->members || !names->member) return -1;
    for (uint32_t k = 0; k < f->members; k++) {
        names->member[k] = interned_text_of(t, members[k]);
        PyObject *position = PyLong_FromUnsignedLong(k);
        if (!names->member[k] || !position) return -1;
        int failed = PyDict_SetItem(names->members, names->member[k], position);
        Py_DECREF(position);
        if (failed) return -1;
    }
    return 0;
}

int gov_name_field(decider *self, uint32_t field) {
    const gov_field *f = &self->table->fields[field];
    field_names *names = &self->names[field];
    if (!(names->name = interned_text_of(self->table, f->name))) return -1;
    return f->kind == GOV_ENUM || f->kind == GOV_SET ? name_members(self->table, f, names) : 0;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

/* What is left to it: the reference reader, which returns None for what is invalid. */
static int read_slowly(decider *self, uint32_t field, PyObject *raw, int64_t *out) {
    if (field >= self->inputs) return INVALID; /* what a report carries: runtime/memory.py reads it again */
    PyObject *steps = PyObject_CallMethod((PyObject *)self, "_read_slowly", "IO", (unsigned)field, raw);
    if (!steps) return FAILED;
    int status = INVALID;
    if (steps != Py_None) {
        *out = PyLong_AsLongLong(steps);
        status = *out == -1 && PyErr_Occurred() ? FAILED : VALID;
    }
    Py_DECREF(steps);
    return status;
}

/* A decimal by its digits; what they do not say at once is left to the reference reader. */
static int read_decimal(decider *self, uint32_t i, const gov_field *f, PyObject *raw, int64_t *out) {
    PyObject *text = PyObject_Str(raw);
    Py_ssize_t size = 0;
    const char *bytes = text ? PyUnicode_AsUTF8AndSize(text, &size) : NULL;
    const int found = bytes ? gov_steps_of_decimal(f, bytes, (size_t)size, out) : -1;
    Py_XDECREF(text);
    if (!bytes) return FAILED;
    return found < 0 ? read_slowly(self, i, raw, out) : found ? VALID : INVALID;
}

static int read_number(decider *self, uint32_t i, const gov_field *f, PyObject *raw, int64_t *out) {
    if (PyLong_Check(raw)) {
        if (PyBool_Check(raw)) return INVALID;
        int overflow;
        long long value = PyLong_AsLongLongAndOverflow(raw, &overflow);
        if (overflow) return read_slowly(self, i, raw, out);
        if (f->kind == GOV_NUMBER) return gov_steps_of_int(f, value, out) ? VALID : INVALID;
        return gov_keep(f, value, out) ? VALID : INVALID;
    }
    if (PyFloat_Check(raw)) {
        double value = PyFloat_AsDouble(raw);
        int ok = f->kind == GOV_NUMBER ? gov_steps_of_double(f, value, out) : gov_millis_of_double(f, value, out);
        return ok ? VALID : INVALID;
    }
    if (Py_TYPE(raw) == self->decimal && f->kind == GOV_NUMBER) return read_decimal(self, i, f, raw, out);
    if (PyUnicode_Check(raw) || raw == Py_None || PyList_Check(raw) || PyDict_Check(raw)) return INVALID;
    return read_slowly(self, i, raw, out);
}

/* Position of a member; -1: it is none. */
static int read_member(const field_names *names, uint32_t count, PyObject *raw, int64_t *out) {
    if (count <= MEMBERS_SCANNED)
        for (uint32_t i = 0; i < count; i++)
            if (names->member[i] == raw) {
                *out = i;
                return VALID;
            }
    if (!PyUnicode_Check(raw)) return INVALID;
    PyObject *position = PyDict_GetItemWithError(names->members, raw);
    if (!position) return PyErr_Occurred() ? FAILED : INVALID;
    *out = PyLong_AsLongLong(position);
    return VALID;
}

static int add_member(const decider *self, uint32_t i, const gov_field *f, PyObject *raw, uint64_t *mask) {
    int64_t position;
    int status = read_member(&self->names[i], f->members, raw, &position);
    if (status == INVALID && f->column == self->approved && PyUnicode_Check(raw)) return VALID;
    if (status != VALID) return status;
    uint64_t bit = UINT64_C(1) << position;
    if ((*mask & bit) && f->column != self->approved) return INVALID;
    *mask |= bit;
    return VALID;
}

static int read_set(const decider *self, uint32_t i, const gov_field *f, PyObject *raw, int64_t *out) {
    uint64_t mask = 0;
    int status = VALID;
    if (PyList_CheckExact(raw)) {
        for (Py_ssize_t k = 0; k < PyList_Size(raw) && status == VALID; k++) {
            PyObject *item = PyList_GetItem(raw, k);
            Py_INCREF(item);
            status = add_member(self, i, f, item, &mask);
            Py_DECREF(item);
        }
    } else {
        if (!PyList_Check(raw) && !PyTuple_Check(raw) && !PyAnySet_Check(raw)) return INVALID;
        PyObject *iterator = PyObject_GetIter(raw), *item;
        if (!iterator) return FAILED;
        while (status == VALID && (item = PyIter_Next(iterator))) {
            status = add_member(self, i, f, item, &mask);
            Py_DECREF(item);
        }
        Py_DECREF(iterator);
        if (status == VALID && PyErr_Occurred()) return FAILED;
    }
    *out = (int64_t)mask;
    return status;
}

int gov_text_fits(const gov_field *f, const text_value *text) {
    return text->size <= (Py_ssize_t)f->max_bytes && (f->kind != GOV_PATH || gov_path(text->bytes, (size_t)text->size));
}

int gov_read_text(const gov_field *f, PyObject *raw, text_value *text) {
    if (!PyUnicode_Check(raw)) return INVALID;
    const char *bytes = PyUnicode_AsUTF8AndSize(raw, &text->size);
    if (!bytes) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeError)) return FAILED;
        PyErr_Clear();
        return INVALID;
    }
    text->bytes = (const uint8_t *)bytes;
    text->object = raw;
    Py_INCREF(raw);
    return gov_text_fits(f, text) ? VALID : INVALID;
}

static int read_text(const decider *self, const gov_field *f, PyObject *raw, int64_t *words, text_value *text) {
    const int status = gov_read_text(f, raw, text);
    if (status != VALID) return status;
    for (uint32_t k = f->first_classifier; k < f->first_classifier + f->classifiers; k++)
        words[self->table->classifiers[k].column] = gov_classify(self->table, k, text->bytes, (size_t)text->size);
    return VALID;
}

int gov_read_field(decider *self, uint32_t i, PyObject *raw, int64_t *words, text_value *texts) {
    const gov_field *f = &self->table->fields[i];
    if (f->has_column != GOV_NONE) words[f->has_column] = 1;
    switch (f->kind) {
    case GOV_NUMBER: case GOV_TIME: case GOV_DURATION: return read_number(self, i, f, raw, &words[f->column]);
    case GOV_ENUM: return read_member(&self->names[i], f->members, raw, &words[f->column]);
    case GOV_SET: return read_set(self, i, f, raw, &words[f->column]);
    case GOV_BOOL:
        words[f->column] = raw == Py_True;
        return PyBool_Check(raw) ? VALID : INVALID;
    default: return read_text(self, f, raw, words, &texts[self->names[i].text]);
    }
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static int missing(const gov_field *f, int64_t *words) {
    if (f->flags & GOV_IMPLIED) {
        if (f->column != GOV_NONE) words[f->column] = f->implied;
        if (f->has_column != GOV_NONE) words[f->has_column] = 1;
        return VALID;
    }
    return f->flags & GOV_OPTIONAL ? VALID : INVALID;
}

static void compare_texts(const decider *self, int64_t *words, const text_value *texts) {
    const gov_table *t = self->table;
    for (uint32_t c = 0; c < t->policy->request_columns; c++) {
        if (t->columns[c].kind != GOV_COLUMN_EQUAL) continue;
        const text_value *a = &texts[self->names[t->columns[c].source].text];
        const text_value *b = &texts[self->names[t->columns[c].other].text];
        words[c] = a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, (size_t)a->size) == 0);
    }
}

int gov_read_request(decider *self, PyObject *request, PyObject *runtime, int64_t *words, text_value *texts) {
    const gov_table *t = self->table;
    Py_ssize_t asked = 0, hosted = 0;
    memcpy(words, t->base, t->n_columns * sizeof *words);
    for (uint32_t i = 0; i < self->inputs; i++) {
        const gov_field *f = &t->fields[i];
        PyObject *source = f->origin == GOV_FROM_REQUEST ? request : runtime;
        PyObject *raw = source ? PyDict_GetItemWithError(source, self->names[i].name) : NULL;
        int status;
        if (raw) {
            if (f->origin == GOV_FROM_REQUEST) asked++;
            else hosted++;
            Py_INCREF(raw); /* a value's own methods may change the dict */
            status = gov_read_field(self, i, raw, words, texts);
            Py_DECREF(raw);
        } else {
            status = PyErr_Occurred() ? FAILED : missing(f, words);
        }
        if (status != VALID) return status;
    }
    if (PyDict_Size(request) != asked) return INVALID;
    if (runtime && t->policy->approved == GOV_NONE) /* built in: a policy that asks nobody ignores who approved */
        hosted += PyDict_GetItemString(runtime, "approved") != NULL;
    if (runtime && PyDict_Size(runtime) != hosted) return INVALID;
    if (self->texts > 1) compare_texts(self, words, texts);
    return VALID;
}
