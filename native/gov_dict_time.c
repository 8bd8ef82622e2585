/* govlang.native._dict: what a policy remembers, by key.

   INVARIANT: between the look-up of a key and the end of the step no Python code runs, so Python's lock is the lock of
   the store: what a thread decides on is what it writes, and the clock is read inside. */

#include "gov_dict.h"

#include <string.h>
#include <time.h>

int64_t gov_read_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int gov_read_time(PyObject *raw, gov_asked *how) {
    int overflow = 0;
    if (!PyLong_Check(raw) || PyBool_Check(raw)) return INVALID;
    how->at_ms = PyLong_AsLongLongAndOverflow(raw, &overflow);
    how->has_time = 1;
    return overflow || how->at_ms > GOV_TIME_MAX || how->at_ms < -GOV_TIME_MAX ? INVALID : VALID;
}

int gov_decide_remembering(decider *self, outcome_object *o, const text_value *texts, const gov_asked *how,
                           uint64_t *scratch) {
    const gov_table *t = self->table;
    gov_key keys[GOV_SCOPES_MAX] = {{NULL, 0}};
    for (uint32_t s = 1; s < t->n_scopes; s++) {
        const text_value *text = &texts[self->names[t->scopes[s].field].text];
        if (text->object) keys[s] = (gov_key){text->bytes, (uint32_t)text->size};
    }
    const gov_sample sample = {how->has_time ? how->at_ms : gov_read_clock(), GOV_REQUEST, (uint32_t)how->keep};
    const int taken = gov_store_take(self->store, &sample, o->words, keys, scratch, &o->outcome, &o->deadline);
    if (taken == GOV_TAKEN) return VALID;
    PyErr_SetString(PyExc_RuntimeError, "the state does not add up");
    return FAILED;
}

static int remembers(const decider *self) {
    if (self->store) return 1;
    PyErr_SetString(PyExc_RuntimeError, "the policy remembers nothing");
    return 0;
}

/* _remember(capacity, seed, seed): an empty store. */
PyObject *gov_remember(decider *self, PyObject *const *args, Py_ssize_t given) {
    if (given != 3 || !self->table || !self->table->memory || self->store) {
        PyErr_SetString(PyExc_TypeError, "expected a capacity and two seeds, once");
        return NULL;
    }
    const unsigned long capacity = PyLong_AsUnsignedLong(args[0]);
    const uint64_t seed[2] = {PyLong_AsUnsignedLongLongMask(args[1]), PyLong_AsUnsignedLongLongMask(args[2])};
    if (PyErr_Occurred()) return NULL;
    self->store = gov_store_new(self->table, capacity > UINT32_MAX ? 0 : (uint32_t)capacity, seed);
    if (!self->store) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Keys by scope from a tuple of bytes and None; the bytes live as long as the tuple. */
static int read_keys(const decider *self, PyObject *tuple, gov_key *keys) {
    const Py_ssize_t count = PyTuple_Check(tuple) ? PyTuple_Size(tuple) : -1;
    if (count != (Py_ssize_t)self->table->n_scopes) {
        PyErr_SetString(PyExc_TypeError, "expected a key a scope");
        return -1;
    }
    for (Py_ssize_t s = 0; s < count; s++) {
        PyObject *key = PyTuple_GetItem(tuple, s);
        keys[s] = (gov_key){NULL, 0};
        if (key == Py_None) continue;
        char *bytes;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(key, &bytes, &size) != 0) return -1;
        keys[s] = (gov_key){(const uint8_t *)bytes, (uint32_t)size};
    }
    return 0;
}

/* Words that a report carries, from a tuple of pairs. */
static int read_carried(const decider *self, PyObject *pairs, int64_t *words) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(pairs); i++) {
        unsigned column;
        long long word;
        if (!PyArg_ParseTuple(PyTuple_GetItem(pairs, i), "IL", &column, &word)) return -1;
        if (column >= self->table->n_columns) {
            PyErr_SetString(PyExc_IndexError, "there is no such column");
            return -1;
        }
        words[column] = word;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *take_report(decider *self, gov_sample *sample, PyObject *pairs, const gov_key *keys, int has_time) {
    const size_t columns = self->table->n_columns, scratch = self->scratch;
    int64_t *words = PyMem_Malloc((columns + scratch + 1) * sizeof *words);
    if (!words) return PyErr_NoMemory();
    gov_outcome out;
    int64_t deadline = GOV_UNKNOWN;
    int taken = GOV_BAD_SAMPLE;
    gov_words(self->table, words);
    if (read_carried(self, pairs, words) == 0) {
        if (!has_time) sample->at_ms = gov_read_clock();
        taken = gov_store_take(self->store, sample, words, keys, (uint64_t *)(void *)(words + columns), &out, &deadline);
    }
    PyMem_Free(words);
    if (PyErr_Occurred()) return NULL;
    return Py_BuildValue("iL", taken, (long long)deadline);
}

/* _report(kind, now_ms or None, ((column, word), …), keys) -> (gov_taken, deadline) */
PyObject *gov_report(decider *self, PyObject *const *args, Py_ssize_t given) {
    if (!remembers(self)) return NULL;
    gov_key keys[GOV_SCOPES_MAX];
    gov_asked how = {1, 0, 0};
    if (given != 4 || !PyTuple_Check(args[2]) || (args[1] != Py_None && gov_read_time(args[1], &how) != VALID)) {
        PyErr_SetString(PyExc_TypeError, "expected a kind, a time, words and keys");
        return NULL;
    }
    const unsigned long kind = PyLong_AsUnsignedLong(args[0]);
    if (PyErr_Occurred() || read_keys(self, args[3], keys) != 0) return NULL;
    gov_sample sample = {how.at_ms, kind > UINT32_MAX ? UINT32_MAX : (uint32_t)kind, 1};
    if (sample.kind == GOV_REQUEST) sample.kind = UINT32_MAX; /* requests go through decide and commit */
    return take_report(self, &sample, args[2], keys, how.has_time);
}

/* The scope and the key of two arguments; -1: they are none. */
static int read_instance(const decider *self, PyObject *const *args, Py_ssize_t given, uint32_t *of, gov_key *key) {
    if (!remembers(self)) return -1;
    char *bytes;
    Py_ssize_t size;
    const unsigned long scope = given == 2 ? PyLong_AsUnsignedLong(args[0]) : 0;
    if (given != 2 || PyErr_Occurred() || PyBytes_AsStringAndSize(args[1], &bytes, &size) != 0) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "expected a scope and a key");
        return -1;
    }
    if (scope >= self->table->n_scopes) {
        PyErr_SetString(PyExc_IndexError, "there is no such scope");
        return -1;
    }
    *of = (uint32_t)scope;
    *key = (gov_key){(const uint8_t *)bytes, (uint32_t)size};
    return 0;
}

static PyObject *bytes_of(const decider *self, uint32_t scope, gov_key key) {
    const uint8_t *state = gov_store_find(self->store, scope, key);
    if (!state) Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)state, (Py_ssize_t)gov_state_bytes(self->table, scope));
}

/* _instance(scope, key): its bytes, or None. */
PyObject *gov_instance(decider *self, PyObject *const *args, Py_ssize_t given) {
    uint32_t scope;
    gov_key key;
    return read_instance(self, args, given, &scope, &key) == 0 ? bytes_of(self, scope, key) : NULL;
}

/* _forget(scope, key): takes the instance out; its bytes, or None. */
PyObject *gov_forget(decider *self, PyObject *const *args, Py_ssize_t given) {
    uint32_t scope;
    gov_key key;
    if (read_instance(self, args, given, &scope, &key) != 0) return NULL;
    PyObject *held = bytes_of(self, scope, key);
    if (held) gov_store_forget(self->store, scope, key);
    return held;
}

static int append(PyObject *list, PyObject *item) {
    const int failed = !item || PyList_Append(list, item) != 0;
    Py_XDECREF(item);
    return failed ? -1 : 0;
}

typedef struct { uint32_t scope, key_bytes; } saved_head; /* before the key and the instance */

/* Copies every instance behind each other; `to` NULL: only tells how many bytes they take. */
static size_t copy_instances(const decider *self, uint8_t *to) {
    size_t at = 0;
    for (uint32_t s = 0; s < self->table->n_scopes; s++)
        for (uint32_t i = 0; i < (s ? gov_store_capacity(self->store) : 1); i++) {
            gov_key key;
            const uint8_t *state = gov_store_at(self->store, s, i, &key);
            if (!state) continue;
            const saved_head head = {s, key.size};
            if (to) {
                memcpy(to + at, &head, sizeof head);
                memcpy(to + at + sizeof head, key.bytes, key.size);
                memcpy(to + at + sizeof head + key.size, state, gov_state_bytes(self->table, s));
            }
            at += sizeof head + key.size + gov_state_bytes(self->table, s);
        }
    return at;
}

static PyObject *list_of(const decider *self, const uint8_t *copy, size_t size) {
    PyObject *found = PyList_New(0);
    for (size_t at = 0; found && at < size;) {
        saved_head head;
        memcpy(&head, copy + at, sizeof head);
        const char *key = (const char *)copy + at + sizeof head;
        const size_t bytes = gov_state_bytes(self->table, head.scope);
        PyObject *item = Py_BuildValue("Iy#y#", head.scope, key, (Py_ssize_t)head.key_bytes, key + head.key_bytes,
                                       (Py_ssize_t)bytes);
        at += sizeof head + head.key_bytes + bytes;
        if (append(found, item) == 0) continue;
        Py_DECREF(found);
        return NULL;
    }
    return found;
}

/* _save(): every instance as (scope, key, bytes), all of one moment: they are copied before the first object is made, as
   that may run finalizers, which may take samples in. */
PyObject *gov_save(decider *self, PyObject *nothing) {
    (void)nothing;
    if (!remembers(self)) return NULL;
    const size_t size = copy_instances(self, NULL);
    uint8_t *copy = PyMem_Malloc(size);
    if (!copy) return PyErr_NoMemory();
    copy_instances(self, copy);
    PyObject *found = list_of(self, copy, size);
    PyMem_Free(copy);
    return found;
}

static int put(decider *self, gov_store *store, PyObject *item) {
    unsigned scope;
    const char *key, *state;
    Py_ssize_t key_size, size;
    if (!PyArg_ParseTuple(item, "Iy#y#", &scope, &key, &key_size, &state, &size)) return -1;
    const gov_table *t = self->table;
    if (scope >= t->n_scopes || size != (Py_ssize_t)gov_state_bytes(t, scope) ||
        !gov_state_ok(t, scope, (const uint8_t *)state)) {
        PyErr_SetString(PyExc_ValueError, "an instance does not add up");
        return -1;
    }
    if (gov_store_put(store, scope, (gov_key){(const uint8_t *)key, (uint32_t)key_size}, (const uint8_t *)state) == 0)
        return 0;
    PyErr_SetString(PyExc_OverflowError, "there are more keys than there is room for");
    return -1;
}

/* _restore([(scope, key, bytes), …], capacity, seed, seed): these instances and no others; an error changes nothing. */
PyObject *gov_restore(decider *self, PyObject *args) {
    PyObject *instances;
    unsigned capacity;
    unsigned long long a, b;
    if (!remembers(self) || !PyArg_ParseTuple(args, "O!IKK", &PyList_Type, &instances, &capacity, &a, &b)) return NULL;
    gov_store *store = gov_store_new(self->table, capacity, (const uint64_t[2]){a, b});
    if (!store) return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < PyList_Size(instances); i++)
        if (put(self, store, PyList_GetItem(instances, i)) != 0) {
            gov_store_free(store);
            return NULL;
        }
    gov_store *old = self->store;
    self->store = store;
    gov_store_free(old);
    Py_RETURN_NONE;
}
