/* govlang.native._dict: from a Python dict to an outcome, without Python in between.

   In: the address of a loaded table, a request (dict), the host's part (dict or None).  Out: an outcome object.
   Every field is read as native/request.py says; what gov_read.c leaves (long decimals, huge integers) goes
   to `_read_slowly`, a request that is invalid to `_explain`, both in runtime/policy.py, so that messages have one
   home.  INVARIANT: nothing becomes a decision of the table unless every field has been checked.

   Written against the limited API of Python 3.11. */

#include "gov_dict.h"

#include <structmember.h> /* and Python.h, through gov_dict.h */

#include <string.h>

#define TEXTS_KEPT 32

static PyObject *kept_texts(const decider *self, const text_value *texts) {
    PyObject *kept = PyTuple_New(self->texts);
    for (uint32_t i = 0; kept && i < self->texts; i++) {
        PyObject *text = texts[i].object ? texts[i].object : self->nothing;
        Py_INCREF(text);
        PyTuple_SetItem(kept, i, text);
    }
    return kept;
}

static int decide_words(decider *self, outcome_object *o, const text_value *texts, const gov_asked *how) {
    uint64_t local[SCRATCH_WORDS], *scratch = local;
    if (self->scratch > SCRATCH_WORDS && !(scratch = PyMem_Malloc(self->scratch * sizeof *scratch))) {
        PyErr_NoMemory();
        return FAILED;
    }
    int status = VALID;
    if (self->store) status = gov_decide_remembering(self, o, texts, how, scratch);
    else gov_decide_valid(self->table, o->words, scratch, &o->outcome);
    if (scratch != local) PyMem_Free(scratch);
    return status == VALID && o->outcome.rule == GOV_BY_INVALID ? INVALID : status;
}

/* The outcome is deny by invalid_request; the reference reader says why. */
static int explain(decider *self, outcome_object *o, PyObject *request, PyObject *runtime, int culprit) {
    o->outcome.rule = GOV_BY_INVALID;
    o->outcome.decision = GOV_DENY;
    PyObject *none = runtime ? runtime : Py_None;
    o->reason = PyObject_CallMethod((PyObject *)self, "_explain", "OOi", request, none, culprit);
    return o->reason ? VALID : FAILED;
}

static int fill(decider *self, outcome_object *o, PyObject *request, PyObject *runtime, const gov_asked *how) {
    text_value kept[TEXTS_KEPT], *texts = kept;
    size_t size = self->texts * sizeof *texts;
    if (self->texts > TEXTS_KEPT && !(texts = PyMem_Malloc(size))) {
        PyErr_NoMemory();
        return FAILED;
    }
    memset(texts, 0, size);
    int status = gov_read_request(self, request, runtime, o->words, texts);
    if (status == VALID) {
        status = decide_words(self, o, texts, how);
        if (self->quoting && status == VALID && !(o->texts = kept_texts(self, texts))) status = FAILED;
        const int broken = (int)(o->outcome.culprit - self->table->n_checked);
        if (status == INVALID) status = explain(self, o, request, runtime, broken);
    } else if (status == INVALID) {
        status = explain(self, o, request, runtime, -1);
    }
    for (uint32_t i = 0; i < self->texts; i++) Py_XDECREF(texts[i].object);
    if (texts != kept) PyMem_Free(texts);
    return status;
}

static PyObject *new_outcome(decider *self) {
    outcome_object *o = (outcome_object *)PyType_GenericAlloc(self->outcome, (Py_ssize_t)self->table->n_columns);
    if (!o) return NULL;
    Py_INCREF((PyObject *)self);
    o->policy = (PyObject *)self;
    o->deadline = GOV_UNKNOWN;
    return (PyObject *)o;
}

static PyObject *decide_dicts(decider *self, PyObject *request, PyObject *runtime, const gov_asked *how) {
    PyObject *o = new_outcome(self);
    if (o && fill(self, (outcome_object *)o, request, runtime, how) == FAILED) Py_CLEAR(o);
    return o;
}

static int read_arguments(PyObject *const *args, Py_ssize_t given, PyObject *names, PyObject **found) {
    Py_ssize_t named = names ? PyTuple_Size(names) : 0;
    if (given != 1) {
        PyErr_SetString(PyExc_TypeError, "expected one request");
        return -1;
    }
    found[0] = args[0];
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "runtime") == 0) found[1] = args[given + i];
        else if (PyUnicode_CompareWithASCIIString(name, "now_ms") == 0) found[2] = args[given + i];
        else {
            PyErr_Format(PyExc_TypeError, "unexpected argument %R", name);
            return -1;
        }
    }
    return 0;
}

static PyObject *ask(decider *self, PyObject *const *args, Py_ssize_t given, PyObject *names, int keep) {
    PyObject *found[3] = {NULL, Py_None, Py_None};
    gov_asked how = {keep, 0, 0};
    if (!self->table) {
        PyErr_SetString(PyExc_RuntimeError, "the policy has no table");
        return NULL;
    }
    if (read_arguments(args, given, names, found) != 0) return NULL;
    PyObject *runtime = found[1] == Py_None ? NULL : found[1];
    const int timed = !self->store || found[2] == Py_None || gov_read_time(found[2], &how) == VALID;
    if (timed && !self->clocked && PyDict_CheckExact(found[0]) && (!runtime || PyDict_CheckExact(runtime)))
        return decide_dicts(self, found[0], runtime, &how);
    return PyObject_CallMethod((PyObject *)self, "_decide_otherwise", "OOOO", found[0], found[1], found[2],
                               keep ? Py_True : Py_False);
}

static PyObject *decider_decide(decider *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    return ask(self, args, given, names, 0);
}

static PyObject *decider_commit(decider *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    return ask(self, args, given, names, 1);
}

/* The same with plain dicts, the clock's fields among the host's; the time, or None; whether it is kept. */
static PyObject *decider_decide_plain(decider *self, PyObject *const *args, Py_ssize_t given) {
    gov_asked how = {0, 0, 0};
    if (given != 4 || !self->table || !PyDict_CheckExact(args[0]) || !PyDict_CheckExact(args[1]) ||
        (args[2] != Py_None && gov_read_time(args[2], &how) != VALID)) {
        PyErr_SetString(PyExc_TypeError, "expected two dicts and a time");
        return NULL;
    }
    how.keep = args[3] == Py_True;
    return decide_dicts(self, args[0], args[1], &how);
}

/* Deny by invalid_request for a reason that the caller has found. */
static PyObject *decider_refuse(decider *self, PyObject *reason) {
    outcome_object *o = self->table ? (outcome_object *)new_outcome(self) : NULL;
    if (!o) return NULL;
    gov_words(self->table, o->words);
    o->outcome.rule = GOV_BY_INVALID;
    o->outcome.decision = GOV_DENY;
    Py_INCREF(reason);
    o->reason = reason;
    return (PyObject *)o;
}

/* --- construction ------------------------------------------------------------------------------------------------ */

static int name_fields(decider *self) {
    const gov_table *t = self->table;
    self->names = PyMem_Calloc(gov_count(t, GOV_FIELDS) + 1u, sizeof *self->names);
    if (!self->names) return -1;
    self->named = gov_count(t, GOV_FIELDS);
    for (uint32_t i = 0; i < self->inputs; i++) {
        if (gov_name_field(self, i) != 0) return -1;
        if (gov_is_text(t->fields[i].kind)) self->names[i].text = self->texts++;
        self->clocked |= t->fields[i].origin == GOV_FROM_CLOCK;
    }
    const gov_arg *args = gov_at(t, GOV_ARGS);
    for (uint32_t i = 0; i < gov_count(t, GOV_ARGS); i++) self->quoting |= args[i].kind == GOV_ARG_FIELD;
    return 0;
}

static int name_rules(decider *self) {
    const gov_table *t = self->table;
    self->rule_ids = PyTuple_New(t->n_rules);
    self->reasons = PyTuple_New(t->n_rules);
    if (!self->rule_ids || !self->reasons) return -1;
    for (uint32_t i = 0; i < t->n_rules; i++) {
        PyObject *id = gov_text_of(t, t->rules[i].id), *reason = gov_text_of(t, t->rules[i].because);
        if (id) PyTuple_SetItem(self->rule_ids, i, id);
        if (reason) PyTuple_SetItem(self->reasons, i, reason);
        if (!id || !reason) return -1;
    }
    return 0;
}

static int find_decimal(decider *self) {
    PyObject *module = PyImport_ImportModule("decimal");
    self->decimal = module ? (PyTypeObject *)PyObject_GetAttrString(module, "Decimal") : NULL;
    Py_XDECREF(module);
    return self->decimal ? 0 : -1;
}

static int decider_init(decider *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"owner", "address", "decisions", "outcome", NULL};
    PyObject *owner, *decisions, *outcome;
    unsigned long long address;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OKO!O!", names, &owner, &address, &PyTuple_Type, &decisions,
                                     &PyType_Type, &outcome)) return -1;
    if (self->owner || PyTuple_Size(decisions) != GOV_DENY + 1 || !address) {
        PyErr_SetString(PyExc_ValueError, "expected a fresh object, an address and five decisions");
        return -1;
    }
    Py_INCREF(owner), Py_INCREF(decisions), Py_INCREF(outcome);
    self->owner = owner;
    self->decisions = decisions;
    self->outcome = (PyTypeObject *)outcome;
    const gov_table *table = (const gov_table *)(uintptr_t)address;
    self->inputs = table->policy->inputs;
    self->approved = table->policy->approved == GOV_NONE ? GOV_NONE - 1 : table->policy->approved;
    self->scratch = gov_table_scratch(table);
    self->default_id = PyUnicode_InternFromString("default");
    self->invalid_id = PyUnicode_InternFromString("invalid_request");
    self->nothing = PyUnicode_InternFromString("");
    self->clock_id = PyUnicode_InternFromString("clock_fault");
    self->clock_reason = PyUnicode_InternFromString("the clock went back");
    self->full_id = PyUnicode_InternFromString("state_full");
    self->full_reason = PyUnicode_InternFromString("there is no room to remember another key");
    self->table = table;
    if (!self->default_id || !self->invalid_id || !self->nothing || !self->clock_id || !self->clock_reason ||
        !self->full_id || !self->full_reason || find_decimal(self) != 0 || name_fields(self) != 0 ||
        name_rules(self) != 0 || gov_name_reports(self) != 0) {
        self->table = NULL;
        return -1;
    }
    return 0;
}

static void decider_dealloc(decider *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    for (uint32_t i = 0; self->names && i < self->named; i++) {
        field_names *names = &self->names[i];
        Py_ssize_t members = names->members ? PyDict_Size(names->members) : 0;
        for (Py_ssize_t k = 0; names->member && k < members; k++) Py_XDECREF(names->member[k]);
        PyMem_Free(names->member);
        Py_XDECREF(names->members);
        Py_XDECREF(names->name);
    }
    PyMem_Free(self->names);
    Py_XDECREF(self->owner);
    Py_XDECREF((PyObject *)self->outcome);
    Py_XDECREF((PyObject *)self->decimal);
    Py_XDECREF(self->decisions);
    Py_XDECREF(self->rule_ids);
    Py_XDECREF(self->reasons);
    Py_XDECREF(self->default_id);
    Py_XDECREF(self->invalid_id);
    Py_XDECREF(self->nothing);
    Py_XDECREF(self->clock_id);
    Py_XDECREF(self->clock_reason);
    Py_XDECREF(self->full_id);
    Py_XDECREF(self->full_reason);
    gov_forget_names(self);
    gov_store_free(self->store);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* --- module ------------------------------------------------------------------------------------------------------ */

static PyMethodDef decider_methods[] = {
    {"decide", (PyCFunction)(void (*)(void))decider_decide, METH_FASTCALL | METH_KEYWORDS,
     "decide($self, request, /, *, now_ms=None, runtime=None)\n--\n\nThe outcome of a request; nothing is written."},
    {"commit", (PyCFunction)(void (*)(void))decider_commit, METH_FASTCALL | METH_KEYWORDS,
     "commit($self, request, /, *, now_ms=None, runtime=None)\n--\n\nDecides and writes; only its outcome permits."},
    {"observe", (PyCFunction)gov_observe, METH_O,
     "observe($self, step, /)\n--\n\nTakes in a step of a trace that is no request; see Policy."},
    {"_decide_plain", (PyCFunction)(void (*)(void))decider_decide_plain, METH_FASTCALL, "decide, with plain dicts"},
    {"_refuse", (PyCFunction)decider_refuse, METH_O, "deny by invalid_request, for this reason"},
    {"_remember", (PyCFunction)(void (*)(void))gov_remember, METH_FASTCALL, "begin to remember: capacity, two seeds"},
    {"_report", (PyCFunction)(void (*)(void))gov_report, METH_FASTCALL, "take in an event, a signal or a tick"},
    {"_forget", (PyCFunction)(void (*)(void))gov_forget, METH_FASTCALL, "take an instance out; its bytes, or None"},
    {"_instance", (PyCFunction)(void (*)(void))gov_instance, METH_FASTCALL, "the bytes of an instance, or None"},
    {"_save", (PyCFunction)gov_save, METH_NOARGS, "every instance: scope, key, bytes"},
    {"_restore", (PyCFunction)gov_restore, METH_O, "these instances and no others"},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef decider_members[] = {
    {"_owner", T_OBJECT_EX, offsetof(decider, owner), READONLY, "the loaded table"},
    {"_rule_ids", T_OBJECT_EX, offsetof(decider, rule_ids), READONLY, "names of the rules"},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot decider_slots[] = {
    {Py_tp_doc, "Decides on dicts with a loaded table; the base of Policy."},
    {Py_tp_init, decider_init},
    {Py_tp_dealloc, decider_dealloc},
    {Py_tp_methods, decider_methods},
    {Py_tp_members, decider_members},
    {0, NULL},
};

static PyType_Spec decider_spec = {
    "govlang.native._dict.Decider", sizeof(decider), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, decider_slots,
};

static int add_types(PyObject *module) {
    PyObject *decider_type = PyType_FromSpec(&decider_spec), *outcome_type = PyType_FromSpec(&gov_outcome_spec);
    int failed = !decider_type || !outcome_type || PyModule_AddObjectRef(module, "Decider", decider_type) ||
                 PyModule_AddObjectRef(module, "Decided", outcome_type);
    Py_XDECREF(decider_type);
    Py_XDECREF(outcome_type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, add_types}, {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "govlang.native._dict", "Decisions on dicts, in C.", 0, NULL, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__dict(void) { return PyModuleDef_Init(&module); }
