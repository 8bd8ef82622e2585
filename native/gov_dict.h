/* What the files of govlang.native._dict share: reading a request (gov_read.c) and deciding it (gov_dict.c), what
   comes of it (gov_outcome.c), what is remembered (gov_dict_time.c), reports (gov_observe.c). */

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
    uint8_t is_approved, is_value; /* of what reports carry: it is called `approved`, or as the signal is */
} field_names;

/* What a step of a trace says. */
enum gov_part {
    GOV_PART_AT, GOV_PART_KEY, GOV_PART_EVENT, GOV_PART_FIELDS, GOV_PART_SIGNAL, GOV_PART_VALUE, GOV_PART_TICK, GOV_PARTS
};

typedef struct {
    PyObject_HEAD
    const gov_table *table;
    PyObject *owner;          /* keeps the table */
    PyTypeObject *outcome, *decimal; /* decimal: Decimal itself, none of its subclasses */
    PyObject *decisions, *rule_ids, *reasons; /* tuples, by number */
    PyObject *default_id, *invalid_id, *nothing;
    field_names *names;       /* of all fields; only those of requests and reports have some */
    uint32_t named, inputs, texts, approved, scratch;
    int clocked;              /* some field is read off the clock */
    int quoting;              /* some obligation quotes a text of the request */
    gov_store *store;         /* NULL: the policy does not remember */
    PyObject *clock_id, *full_id, *clock_reason, *full_reason;
    PyObject *report_numbers; /* dict name -> number of the event or signal */
    PyObject *parts[GOV_PARTS];
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

extern PyType_Spec gov_outcome_spec;

#define SCRATCH_WORDS 640 /* on the stack; larger tables take memory for a call */

/* A text of the request; `object` is held while it is read, since other code may run meanwhile. */
typedef struct { const uint8_t *bytes; Py_ssize_t size; PyObject *object; } text_value;

/* Words of a request; names that no field has are found by counting.  `texts` are filled by number among the text
   fields, each with a reference that the caller gives back, whatever the status. */
int gov_read_request(decider *self, PyObject *request, PyObject *runtime, int64_t *words, text_value *texts);

/* A value of a field into its column; of a text into `texts`, with a reference. */
int gov_read_field(decider *self, uint32_t field, PyObject *raw, int64_t *words, text_value *texts);

/* A text by the rule of its field, with a reference as soon as text->object is set. */
int gov_read_text(const gov_field *field, PyObject *raw, text_value *text);
int gov_text_fits(const gov_field *field, const text_value *text);

/* Names a field, which must not have a name yet; -1: an exception is set. */
int gov_name_field(decider *self, uint32_t field);
PyObject *gov_text_of(const gov_table *t, uint32_t string);

/* Names what reports are made of; -1: an exception is set.  Gives it back. */
int gov_name_reports(decider *self);
void gov_forget_names(decider *self);

/* Decides with what is remembered: VALID, INVALID or FAILED, as fill of gov_dict.c. */
int gov_decide_remembering(decider *self, outcome_object *o, const text_value *texts, const gov_asked *how,
                           uint64_t *scratch);

/* Time in ms from an int; INVALID: it is none. */
int gov_read_time(PyObject *raw, gov_asked *how);

int64_t gov_read_clock(void);

/* Methods of a decider. */
PyObject *gov_observe(decider *self, PyObject *step);
PyObject *gov_remember(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_report(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_instance(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_forget(decider *self, PyObject *const *args, Py_ssize_t given);
PyObject *gov_save(decider *self, PyObject *nothing);
PyObject *gov_restore(decider *self, PyObject *instances);

#endif
