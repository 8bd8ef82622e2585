/* The outcome object: what was decided at once, the rest when somebody asks.

   In: a request's words and the engine's outcome, filled by gov_dict.c.  Out: what `Outcome` (runtime/decision.py) is
   built on.

   Written against the limited API of Python 3.11. */

#include "gov_dict.h"

#include <structmember.h> /* and Python.h, through gov_dict.h */

static PyObject *shared(PyObject *object) {
    Py_INCREF(object);
    return object;
}

static PyObject *outcome_decision(outcome_object *o, void *closure) {
    (void)closure;
    return shared(PyTuple_GetItem(((decider *)o->policy)->decisions, o->outcome.decision));
}

static PyObject *outcome_rule_id(outcome_object *o, void *closure) {
    (void)closure;
    decider *policy = (decider *)o->policy;
    if (o->outcome.rule == GOV_BY_DEFAULT) return shared(policy->default_id);
    if (o->outcome.rule == GOV_BY_INVALID) return shared(policy->invalid_id);
    if (o->outcome.rule == GOV_BY_CLOCK) return shared(policy->clock_id);
    if (o->outcome.rule == GOV_BY_FULL) return shared(policy->full_id);
    return shared(PyTuple_GetItem(policy->rule_ids, o->outcome.rule));
}

static PyObject *outcome_reason(outcome_object *o, void *closure) {
    (void)closure;
    decider *policy = (decider *)o->policy;
    if (o->reason) return shared(o->reason);
    if (o->outcome.rule == GOV_BY_CLOCK) return shared(policy->clock_reason);
    if (o->outcome.rule == GOV_BY_FULL) return shared(policy->full_reason);
    if (o->outcome.rule >= GOV_BY_INVALID) return shared(policy->nothing);
    return shared(PyTuple_GetItem(policy->reasons, o->outcome.rule));
}

static PyObject *outcome_words(outcome_object *o, void *closure) {
    (void)closure;
    Py_ssize_t size = (Py_ssize_t)(((decider *)o->policy)->table->n_columns * sizeof *o->words);
    return PyBytes_FromStringAndSize((const char *)o->words, size);
}

static int is_valid(const outcome_object *o) {
    return o->outcome.rule == GOV_BY_DEFAULT || o->outcome.rule < GOV_BY_FULL;
}

static PyObject *outcome_is_valid(outcome_object *o, void *closure) {
    (void)closure;
    return PyBool_FromLong(is_valid(o));
}

/* All that follows from an outcome without looking at the request again: two bit sets over the rules (those that fired,
   those whose obligations count), then a word with the rule and the decision, then the roles that approved. */
static PyObject *outcome_mark(outcome_object *o, void *closure) {
    (void)closure;
    const decider *policy = (const decider *)o->policy;
    const uint32_t sets = 2 * gov_rule_words(policy->table), room = policy->scratch + 2;
    uint64_t local[SCRATCH_WORDS], *scratch = local;
    if (!is_valid(o)) return shared(Py_None);
    if (room > SCRATCH_WORDS && !(scratch = PyMem_Malloc(room * sizeof *scratch))) return PyErr_NoMemory();
    gov_outcome again;
    gov_collect(policy->table, o->words, scratch, &again);
    scratch[sets] = (uint64_t)o->outcome.rule << 8 | o->outcome.decision;
    scratch[sets + 1] = policy->approved < policy->table->n_columns ? (uint64_t)o->words[policy->approved] : 0;
    PyObject *mark = PyBytes_FromStringAndSize((const char *)scratch, (Py_ssize_t)((sets + 2) * sizeof *scratch));
    if (scratch != local) PyMem_Free(scratch);
    return mark;
}

static PyObject *outcome_deadline(outcome_object *o, void *closure) {
    (void)closure;
    return o->deadline == GOV_UNKNOWN ? shared(Py_None) : PyLong_FromLongLong(o->deadline);
}

static PyGetSetDef outcome_getters[] = {
    {"decision", (getter)outcome_decision, NULL, "what was decided", NULL},
    {"rule_id", (getter)outcome_rule_id, NULL, "the rule that decided", NULL},
    {"reason", (getter)outcome_reason, NULL, "why, in the author's words", NULL},
    {"_words", (getter)outcome_words, NULL, "the encoded request", NULL},
    {"_mark", (getter)outcome_mark, NULL, "what its fixed parts follow from; None if no rules decided", NULL},
    {"_is_valid", (getter)outcome_is_valid, NULL, "whether rules decided", NULL},
    {"next_deadline_ms", (getter)outcome_deadline, NULL, "when something can change without a sample; None: never", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef outcome_members[] = {
    {"_policy", T_OBJECT_EX, offsetof(outcome_object, policy), READONLY, "the policy that decided"},
    {"_texts", T_OBJECT, offsetof(outcome_object, texts), READONLY, "texts that obligations may quote"},
    {NULL, 0, 0, 0, NULL},
};

static void outcome_dealloc(outcome_object *o) {
    PyTypeObject *type = Py_TYPE((PyObject *)o);
    Py_XDECREF(o->policy);
    Py_XDECREF(o->texts);
    Py_XDECREF(o->reason);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(o);
    Py_DECREF(type);
}

static PyType_Slot outcome_slots[] = {
    {Py_tp_doc, "The compact outcome that Outcome is built on."},
    {Py_tp_dealloc, outcome_dealloc},
    {Py_tp_getset, outcome_getters},
    {Py_tp_members, outcome_members},
    {0, NULL},
};

PyType_Spec gov_outcome_spec = {
    "govlang.native._dict.Decided", offsetof(outcome_object, words), sizeof(int64_t),
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, outcome_slots,
};
