/* table.bin: the byte format of a compiled policy, and the engine that decides with it.

   The file is a header and sections, all little-endian, every section padded with zeros to a multiple of 8 bytes:

     byte 0        8       10      12        16          24                                  size
          | magic  | major | minor | crc32   | size      | section 0 | section 1 | … | data … |
          | 8 × u8 | u16   | u16   | u32     | u64 bytes | u32 first word, u32 count each     |

   A policy that remembers has minor version 1 and all sections; any other has minor version 0 and the sections up to
   NODES only.  What the further ones mean stands in gov_time.h.

   crc32 is the CRC-32 of zlib over the bytes 16..size.  Section i begins where section i - 1 ends (rounded up to
   8), the first one behind the header, and the last one ends at `size`: there are no gaps and no slack.  `first word`
   counts 8-byte words from the start of the file, `count` counts the section's records.  Every reserved bit is 0.
   A reader refuses another major version; a minor version only adds.

   Numbers of things (strings, fields, rules …) are indexes into their section; GOV_NONE is none.  The lists that the
   records of a section point to (members of fields, code of programs, limits, dos and overrides of rules, arguments of
   dos and then of remedies …) stand one behind the other in the order of these records and fill their section; where a
   list is empty `first` does not matter, but is at most the section's count.

   Names are distinct, and a reader refuses a table where they are not: every string is stored once, and one name is
   not borne by two inputs, outputs or parameters (these three together), two members of one field, two actions, two
   arguments of one action, or two rules.

   What a table means (the step rule):

     words     A request is an array of int64, one word a column (gov_column).
     rules     Rule 0 has the highest precedence.  A rule fires if one of its entries fires.
     entries   Sorted by rank, best first: the number of an entry is its rank.  Under combine strict and
               most_restrictive rank is (effect, strictest first; then rule), else (rule; then effect, strictest first).
               An entry fires if the walk from node 0 visits a block in which its bit stays set.
               The effect of a fired rule is the strictest one of its entries that fired.
     walk      visit(node):
                 SWITCH, HASH, SPLIT  visit the child that belongs to the word of `column`, if there is one;
                                      then visit `rest`, if there is one (not 0)
                 BLOCK                fired = bits 0..entries - 1, AND the mask of every lookup;
                                      clear each bit with a residual whose program gives 0;
                                      then visit `next`, if there is one (not 0)
               A node's number is the index of its first word in the section; links lead to higher numbers only.
     outcome   Assumptions are programs; the first that gives 0 makes the request invalid.  The fired rules are
               combined as the language says (overrides, combine, default, limits that do not meet). */

#ifndef GOV_TABLE_H
#define GOV_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define GOV_MAGIC "govtable"
#define GOV_VERSION_MAJOR 1
#define GOV_VERSION_MINOR 1
#define GOV_NONE 0xffffffffu

#define GOV_COLUMNS_MAX 4096  /* words of a request */
#define GOV_BLOCK_MAX 64      /* entries of a block: bits of a mask */
#define GOV_DEPTH_MAX 32      /* nodes with a `rest` on one path: the walk's stack */
#define GOV_STACK_MAX 256     /* words of a program's stack */
#define GOV_STEPS_MAX (1u << 24) /* worst case of one decision */
#define GOV_HASH_BITS_MAX 24
#define GOV_PROBES_MAX 16
#define GOV_DFA_STATES_MAX 4096
#define GOV_LIMITS_MAX 64      /* limits of one rule */
#define GOV_TEXT_MAX (1u << 20) /* bytes of a text, at most */

/* Sections, in the order of the file; the size of a record in bytes stands beside it. */
enum gov_section {
    GOV_POLICY,      /* 64   one gov_policy */
    GOV_COLUMNS,     /* 32   gov_column; request columns first, then what is remembered, parameters last */
    GOV_FIELDS,      /* 80   gov_field: inputs, outputs, parameters, arguments of actions, fields of samples */
    GOV_PARAMS,      /* 16   gov_param */
    GOV_ACTIONS,     /* 16   gov_action */
    GOV_STRINGS,     /*  8   gov_string */
    GOV_BYTES,       /*  1   UTF-8 */
    GOV_MEMBERS,     /*  4   u32 strings: members of enumerations and sets */
    GOV_CLASSIFIERS, /* 24   gov_classifier, sorted by field; their columns ascend */
    GOV_STATES,      /*  2   u16: automata */
    GOV_ASSUMPTIONS, /*  8   gov_assumption */
    GOV_PROGRAMS,    /*  8   gov_program */
    GOV_CODE,        /*  8   u64: instructions of programs */
    GOV_RULES,       /* 64   gov_rule */
    GOV_LIMITS,      /* 16   gov_limit */
    GOV_DOS,         /* 24   gov_do */
    GOV_ARGS,        /* 16   gov_arg */
    GOV_REMEDIES,    /* 16   gov_remedy */
    GOV_OVERRIDES,   /*  4   u32 rules: the lists that rules point to */
    GOV_ORDER,       /*  4   u32 rules that override or are overridden; whoever overrides stands before it */
    GOV_ENTRIES,     /*  8   gov_entry, sorted by rank */
    GOV_NODES,       /*  8   u64: nodes */
    GOV_MEMORY,      /* 24   one gov_memory; from here on see gov_time.h */
    GOV_PLAIN_SECTIONS = GOV_MEMORY,
    GOV_SCOPES,      /* 16   gov_scope; the shared one first */
    GOV_CELLS,       /* 48   gov_cell, by scope */
    GOV_SAMPLES,     /* 24   gov_sample_type: events and signals */
    GOV_UPDATES,     /* 24   gov_update, by stage, then by cell */
    GOV_POINTS,      /*  8   i64: values from which on a condition may change */
    GOV_SECTIONS
};

typedef struct { uint32_t first, count; } gov_span;

typedef struct {
    uint8_t magic[8];
    uint16_t major, minor;
    uint32_t crc32;
    uint64_t size;
    gov_span sections[GOV_SECTIONS];
} gov_header;

/* Effects, from the loosest to the strictest; also the decision of an outcome. */
enum gov_effect { GOV_ALLOW, GOV_LIMIT, GOV_THROTTLE, GOV_REQUIRE_HUMAN, GOV_DENY };
enum gov_combine { GOV_STRICT, GOV_MOST_RESTRICTIVE, GOV_FIRST_MATCH, GOV_UNIQUE };
enum gov_default { GOV_DEFAULT_ALLOW, GOV_DEFAULT_DENY, GOV_DEFAULT_NONE };

typedef struct {
    uint32_t name, version, snapshot, time_zone; /* strings; time_zone may be GOV_NONE */
    uint32_t language;
    uint8_t combine, fallback, reserved[2];      /* gov_combine, gov_default */
    uint32_t inputs, outputs;                    /* fields 0..inputs-1 and the outputs behind them */
    uint32_t params, arguments;                  /* fields behind those */
    uint32_t request_columns;                    /* columns that a request fills */
    uint32_t approved;                           /* column of the input `approved`, a set from the runtime: the roles
                                                    that approved; GOV_NONE exactly if there is no such input */
    uint32_t remembered, carried;                /* columns behind the request's; fields behind the arguments: see
                                                    gov_time.h, 0 for a policy that does not remember */
    uint64_t reserved2;
} gov_policy;

/* What a word holds. */
enum gov_column_kind {
    GOV_COLUMN_RANGE,  /* number, enumeration, bool, time, duration: lo..hi; absent: lo */
    GOV_COLUMN_SET,    /* mask over the members; lo = 0, hi = all members; absent: 0 */
    GOV_COLUMN_CLASS,  /* class of a text: 0..hi; absent: the class of the empty text */
    GOV_COLUMN_HAS,    /* 0 or 1: whether an optional field has a value */
    GOV_COLUMN_EQUAL,  /* 0 or 1: whether the texts of `source` and `other` are the same bytes */
    GOV_COLUMN_PARAM,  /* a parameter: lo..hi, the same for all requests */
    GOV_COLUMN_CELL,   /* a cell: lo..hi */
    GOV_COLUMN_SAMPLE, /* what the engine says of a sample: a gov_sample_column */
    GOV_COLUMN_CARRIED /* a field of a sample, no text: lo..hi; absent: lo */
};

typedef struct {
    uint8_t kind, reserved[7];
    uint32_t source;      /* field; of PARAM the parameter, of CELL the cell, of SAMPLE the gov_sample_column */
    uint32_t other;       /* GOV_COLUMN_EQUAL: the second field; else GOV_NONE */
    int64_t lo, hi;       /* of a set: hi is the mask of all members */
} gov_column;

enum gov_kind {
    GOV_NUMBER, GOV_ENUM, GOV_SET, GOV_BOOL, GOV_TIME, GOV_DURATION, GOV_TEXT, GOV_PATH, GOV_KEY
};
enum gov_origin { GOV_FROM_REQUEST, GOV_FROM_RUNTIME, GOV_FROM_CLOCK };
enum gov_rounding { GOV_EXACT, GOV_UP, GOV_DOWN, GOV_NEAREST };
enum gov_flag { GOV_OPTIONAL = 1, GOV_PRIVATE = 2, GOV_IMPLIED = 4 };

typedef struct {
    uint32_t name, unit;                         /* strings */
    uint8_t kind, origin, rounding, flags;       /* flags: bits of gov_flag */
    uint32_t max_bytes;                          /* of a text; else 0 */
    int64_t lo, hi;                              /* in steps; of a set: 0 and the mask of all members; of a text: 0, 0 */
    int64_t step_num, step_den;                  /* one step is step_num / step_den units, both at least 1 */
    int64_t implied;                             /* the value that a missing field has, if GOV_IMPLIED; else 0 */
    uint32_t first_member, members;              /* GOV_MEMBERS */
    uint32_t column, has_column;                 /* inputs (and column: fields of samples) only, else GOV_NONE; texts
                                                    have no column of their own; has_column exactly if the field is
                                                    optional */
    uint32_t first_classifier, classifiers;      /* GOV_CLASSIFIERS of a text; else 0, 0 */
} gov_field;

typedef struct { uint32_t field, column; int64_t value; } gov_param;       /* value: the default, in steps */
typedef struct { uint32_t name, first_field, fields, reserved; } gov_action; /* its arguments, as fields */
typedef struct { uint32_t offset, length; } gov_string;                    /* in GOV_BYTES */

/* An automaton over bytes that gives the class of a text.  In GOV_STATES, from `first`:

     u16 symbol[256]             the symbol of a byte, below 1 << shift
     u16 next[states << shift]   next[state << shift | symbol]
     u16 class[states]           the class of a text that ends in the state; state 0 is the start */
typedef struct { uint32_t field, column, first, states, shift, reserved; } gov_classifier;

typedef struct { uint32_t text, program; } gov_assumption;
typedef struct { uint32_t first, words; } gov_program;                     /* in GOV_CODE */

/* An instruction is one word, then its operands, a word each:

     bit 63                 32 31          16 15       8 7       0
         | count               | column      | 0        | op      |

   Programs are postfix over a stack of int64, at most GOV_STACK_MAX deep, and leave one value.  There are no jumps.
   Arithmetic wraps (the compiler has proved that it never does).  Truth is any value but 0; tests push 0 or 1. */
enum gov_op {
    GOV_OP_CONST = 1,  /* value        push value */
    GOV_OP_LOAD,       /* (column)     push the word */
    GOV_OP_ADD, GOV_OP_SUB, GOV_OP_MUL, GOV_OP_LEAST, GOV_OP_GREATEST, /* a b -> a op b */
    GOV_OP_FLOORDIV,   /* divisor      a -> floor(a / divisor), divisor not 0 */
    GOV_OP_EQ, GOV_OP_NE, GOV_OP_LT, GOV_OP_LE,                        /* a b -> a op b */
    GOV_OP_IN_RANGE,   /* (column) lo hi            push lo <= word <= hi */
    GOV_OP_MEMBER,     /* (column, count) lo bits…  push bit (word - lo) of the `count` words, 0 outside them */
    GOV_OP_ANY, GOV_OP_ALL, GOV_OP_WITHIN, /* (column) mask: word & mask != 0, == mask; word & ~mask == 0 */
    GOV_OP_AND, GOV_OP_OR,                 /* a b -> truth of both, of one */
    GOV_OP_NOT,                            /* a -> a == 0 */
    GOV_OP_SELECT,                         /* c a b -> c ? a : b */
    GOV_OP_LAST = GOV_OP_SELECT
};

enum gov_rule_kind { GOV_RULE, GOV_ROW, GOV_GUARD };

typedef struct {
    uint32_t id, because;            /* strings */
    uint8_t effect, kind, reserved[2];
    uint32_t remedy;                 /* or GOV_NONE */
    uint32_t first_limit, limits;
    uint32_t first_do, dos;
    uint32_t first_override, overrides; /* GOV_OVERRIDES: the rules that this one overrides */
    uint64_t roles;                  /* require human: the roles asked for, a mask over the members of `approved` */
    int64_t expires_ms, retry_ms;    /* or -1 */
} gov_rule;

typedef struct { uint32_t target, lo, hi, reserved; } gov_limit;      /* field (input or output), two programs */
typedef struct { uint32_t action, first_arg, args, reserved; int64_t for_ms; } gov_do; /* for_ms or -1 */
enum gov_arg_kind { GOV_ARG_PROGRAM, GOV_ARG_STRING, GOV_ARG_FIELD };
typedef struct { uint32_t field, kind, value, reserved; } gov_arg;    /* the field whose value it is; what it is */
typedef struct { uint32_t text, first_arg, args, reserved; } gov_remedy;

/* `effect` is the rule's; an entry of a `require human` rule that holds only when all its roles have approved has
   GOV_ALLOW instead.  It is the entries that say which of the two a rule decides: no decision looks at `roles`.  Should
   a table fire both for one request, which no policy means, the rule requires a human.  Obligations ask for `roles`
   that have not approved. */
typedef struct { uint32_t rule; uint8_t effect, reserved[3]; } gov_entry;

/* Nodes.  Words of 8 bytes; `u32 …` lists hold two a word, the last one padded with 0; a child 0 is none.

   SWITCH    bit 63         32 31      16 15     8 7      0
   word 0        | rest       | column   | 0      | 1      |
        1        | 0          | count                      |
        2        | lo                                      |    lo + count - 1 fits int64
        3…       | u32 child[count]: of the words lo, lo + 1, …; none outside

   HASH
   word 0        | rest       | column   | bits   | 2      |
        1        | 0          | probes                     |
        2…       | { i64 key, u64 child } × (1 << bits); child 0: an empty slot, key 0
             slot of key = (key × 0x9e3779b97f4a7c15 mod 2^64) >> (64 - bits), then the next ones, wrapping around,
             until the key or an empty slot is met, `probes` slots at most; every key is found so.

   SPLIT
   word 0        | rest       | column   | 0      | 3      |
        1        | 0          | count                      |    at least 1
        2…       | i64 breakpoint[count], strictly ascending
         …       | u32 child[count + 1]: child i is for words with exactly i breakpoints <= word

   BLOCK     bit 63         32 31      24 23     16 15    8 7      0
   word 0        | next       | residuals| lookups | entries | 4    |    1..64 entries
        1        | permits: bits of entries with effect allow or require human
        2        | alone:   bits of entries whose rule overrides, or has a limit from a lower end that is not the
                 |          constant lo of its target, or has two limits of one target
        3        | paired:  bits of entries whose rule has a limit
        4…       | u32 entry[entries], strictly ascending (bit 0 has the best rank)
         …       | u64 residual[residuals]: bit in bits 0..31 (strictly ascending), program in bits 32..63
         …       | lookups

   Lookup    bit 63         32 31      16 15     8 7      0
   word 0        | count      | column   | 0      | kind   |
   DENSE    (1)  | i64 lo, u64 mask[count]: of the words lo, lo + 1, …; mask 0 outside; lo + count - 1 fits int64
   RANGES   (2)  | i64 breakpoint[count], strictly ascending; u64 mask[count + 1], chosen as in SPLIT
   SET_ANY  (3)  | u64 set, u64 keep (count 0): if word & set == 0, AND keep
   SET_ALL  (4)  | the same: if word & set != set
   SET_WITHIN (5)| the same: if word & ~set != 0

   Masks have no bit at or above `entries`. */
enum gov_node_kind { GOV_SWITCH = 1, GOV_HASH, GOV_SPLIT, GOV_BLOCK };
enum gov_lookup_kind { GOV_DENSE = 1, GOV_RANGES, GOV_SET_ANY, GOV_SET_ALL, GOV_SET_WITHIN };
#define GOV_HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

#define GOV_SIZE_IS(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
GOV_SIZE_IS(gov_header, 24 + 8 * GOV_SECTIONS);
GOV_SIZE_IS(gov_policy, 64);
GOV_SIZE_IS(gov_column, 32);
GOV_SIZE_IS(gov_field, 80);
GOV_SIZE_IS(gov_param, 16);
GOV_SIZE_IS(gov_action, 16);
GOV_SIZE_IS(gov_string, 8);
GOV_SIZE_IS(gov_classifier, 24);
GOV_SIZE_IS(gov_assumption, 8);
GOV_SIZE_IS(gov_program, 8);
GOV_SIZE_IS(gov_rule, 64);
GOV_SIZE_IS(gov_limit, 16);
GOV_SIZE_IS(gov_do, 24);
GOV_SIZE_IS(gov_arg, 16);
GOV_SIZE_IS(gov_remedy, 16);
GOV_SIZE_IS(gov_entry, 8);

/* The engine.  A loaded table never changes after gov_table_bind, so any number of threads may decide with it. */

typedef struct gov_table gov_table;

/* Outcome: the decision and the rule that gave it. */
#define GOV_BY_DEFAULT 0xffffffffu
#define GOV_BY_INVALID 0xfffffffeu
#define GOV_BY_CLOCK 0xfffffffdu  /* deny: the clock went back, and no rule reads that */
#define GOV_BY_FULL 0xfffffffcu   /* deny: a store has no room for the key; see gov_store.h */
typedef struct {
    uint32_t rule;      /* a rule, or a GOV_BY_… */
    uint32_t culprit;   /* GOV_BY_INVALID: the column whose word is out of range, or request_columns + remembered + the
                           assumption that is broken; else 0 */
    uint8_t decision;   /* gov_effect */
    uint8_t reserved[3];
} gov_outcome;

/* Checks every index, bound and link of the bytes and copies them; NULL, and why in words, if they do not add up.
   Afterwards no request can make the functions below read out of bounds, loop or allocate. */
gov_table *gov_table_load(const uint8_t *bytes, size_t size, const char **why);
void gov_table_free(gov_table *table);

/* Sets the parameters, in steps, in the order of declaration; before the table is shared.  -1: one is out of range. */
int gov_table_bind(gov_table *table, const int64_t *values);

uint32_t gov_table_columns(const gov_table *table);         /* words of a request */
uint32_t gov_table_scratch(const gov_table *table);         /* words of scratch */
uint32_t gov_table_programs(const gov_table *table);
uint32_t gov_table_classifiers(const gov_table *table);
uint64_t gov_table_steps(const gov_table *table);           /* worst case of a decision, texts left out */
const uint8_t *gov_table_bytes(const gov_table *table);     /* the copy */

/* Words of a request in which every optional field is absent, parameters included. */
void gov_words(const gov_table *table, int64_t *words);

/* The outcome; `words` hold a request, `scratch` is the caller's.  Words out of range: deny, GOV_BY_INVALID. */
void gov_decide(const gov_table *table, const int64_t *words, uint64_t *scratch, gov_outcome *outcome);

/* The same outcome, and in scratch two bit sets over the rules, (rules + 63) / 64 words each: the rules that fired,
   and those whose obligations count. */
void gov_collect(const gov_table *table, const int64_t *words, uint64_t *scratch, gov_outcome *outcome);

/* The value of a program. */
int64_t gov_run(const gov_table *table, uint32_t program, const int64_t *words);

/* The class of a text for one classifier: one step a byte. */
uint32_t gov_classify(const gov_table *table, uint32_t classifier, const uint8_t *text, size_t length);

#endif
