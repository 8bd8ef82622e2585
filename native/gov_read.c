/* From Python objects to words: every value as native/request.py reads it.

   In: a request (dict), the host's part (dict or NULL).  Out: words, or that the request is invalid; why is found by
   the reference reader.  Decimals and huge integers are left to it too. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "gov_dict.h"
#include "gov_number.h"

#include <string.h>

/* Decimals and huge integers: the reference reader, which returns None for what is invalid. */
static int read_slowly(decider *self, uint32_t field, PyObject *raw, int64_t *out) {
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

static int read_text(const decider *self, const gov_field *f, PyObject *raw, int64_t *words, text_value *text) {
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
    if (text->size > (Py_ssize_t)f->max_bytes) return INVALID;
    if (f->kind == GOV_PATH && !gov_path(text->bytes, (size_t)text->size)) return INVALID;
    for (uint32_t k = f->first_classifier; k < f->first_classifier + f->classifiers; k++)
        words[self->table->classifiers[k].column] = gov_classify(self->table, k, text->bytes, (size_t)text->size);
    return VALID;
}

static int read_field(decider *self, uint32_t i, PyObject *raw, int64_t *words, text_value *texts) {
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
            status = read_field(self, i, raw, words, texts);
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
