/* What the two files of govlang.native._dict share: reading a request (gov_read.c), deciding it (gov_dict.c). */

#ifndef GOV_DICT_H
#define GOV_DICT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "gov_engine.h"
#include "gov_store.h"

enum { VALID = 0, INVALID = 1, FAILED = -1 }; /* FAILED: a Python exception is set */

#define MEMBERS_SCANNED 8 /* members that are tried by identity before the dict is asked */

typedef struct {
    PyObject *name;           /* interned */
    PyObject *members;        /* dict member -> position, or NULL */
    PyObject **member;        /* the members, interned */
    uint32_t text;            /* number among the text fields */
} field_names;

typedef struct {
    PyObject_HEAD
    const gov_table *table;
    PyObject *owner;          /* keeps the table */
    PyTypeObject *outcome;
    PyObject *decisions, *rule_ids, *reasons; /* tuples, by number */
    PyObject *default_id, *invalid_id, *nothing;
    field_names *names;
    uint32_t inputs, texts, approved, scratch;
    int clocked;              /* some field is read off the clock */
    int quoting;              /* some obligation quotes a text of the request */
    gov_store *store;         /* NULL: the policy does not remember */
    PyObject *clock_id, *full_id, *clock_reason, *full_reason;
} decider;

/* How a request is asked: whether it is kept, and when it is (no time: read the clock when the key is looked up). */
typedef struct { int keep, has_time; int64_t at_ms; } gov_asked;

typedef struct {
    PyObject_VAR_HEAD
    PyObject *policy, *texts, *reason; /* texts: tuple or NULL; reason: NULL where it is the rule's */
    gov_outcome outcome;
    int64_t deadline;          /* ms, GOV_UNKNOWN: there is none */
    int64_t words[1];
} outcome_object;

/* A text of the request; `object` is held while it is read, since other code may run meanwhile. */
typedef struct { const uint8_t *bytes; Py_ssize_t size; PyObject *object; } text_value;

/* Words of a request; names that no field has are found by counting.  `texts` are filled by number among the text
   fields, each with a reference that the caller gives back, whatever the status. */
int gov_read_request(decider *self, PyObject *request, PyObject *runtime, int64_t *words, text_value *texts);

/* Decides with what is remembered: VALID, INVALID or FAILED, as fill of gov_dict.c. */
int gov_decide_remembering(decider *self, outcome_object *o, const text_value *texts, const gov_asked *how,
                           uint64_t *scratch);

/* Time in ms from an int; INVALID: it is none. */
int gov_read_time(PyObject *raw, gov_asked *how);

/* Methods of a decider. */
PyObject *gov_remember(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_report(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_instance(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_forget(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_save(decider *self, PyObject *nothing);
PyObject *gov_restore(decider *self, PyObject *instances);

#endif
