from __future__ import annotations

import re

import pytest
from c_demo import HEADER, SOURCE

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_read import read_c


def refused(header: str, source: str) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        read_c(header, source)
    assert caught.value.code == "GOV416"
    return caught.value


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


IN_DECIDE = "    uint64_t roles = request->approved;\n"

STATEMENTS = {
    "for (;;) { }": "the word `for`",
    "while (rule != 0) { rule = 0; }": "While",
    "do { rule = 0; } while (rule);": "the word `do`",
    "goto out; out: rule = 0;": "the word `goto`",
    "here: rule = 0;": "Label",
    "rule++;": r"`\+\+`",
    "--rule;": "`--`",
    "rule = rule = 1;": "Assignment",
    "rule = (rule = 1, 2);": "ExprList",
    "rule = 1, rule = 2;": "ExprList",
    ";": "EmptyStatement",
    "rule;": "ID",
    "int32_t late;": "without a first value",
    "int32_t *late = NULL;": "a local `late` of type",
    "int late = 0;": "a local `late` of type `int`",
    "int32_t late[2] = { 0 };": "a local `late` of type",
    "static int32_t late = 0;": "what stands beside `late`",
    "volatile int32_t late = 0;": "the word `volatile`",
    "register int32_t late = 0;": "the word `register`",
    "double late = 0;": "the word `double`",
    "int32_t rule2 = rule2;": "`rule2` has no value here",
    "int32_t demo_decide = 0;": "although it means something already",
    "int32_t NULL = 0;": "although it means something already",
    "int32_t battery = 0;": "although it means something already",
    "battery = 3;": "an assignment to `battery`",
    "request->battery = 3;": "an assignment to `battery`",
    "outcome->rule += 3;": "or one that reads it",
    "rule = outcome->rule;": "no value that may be read",
    "outcome->speed = 3;": "an assignment to `speed`",
    "outcome->limited = 3;": "an array without an index",
    "outcome->limited[2] = 3;": "word 2 of an array of 2",
    "outcome->limited[-1] = 3;": "word -1 of an array of 2",
    "outcome->limited[rule] = 3;": "`rule` has no value here",
    "outcome->rule[0] = 3;": "an index of what is no array",
    "rule = request->speed;": "no value that may be read",
    "rule = request->battery.x;": r"`\.`",
    "rule = (*request).battery;": r"`\.`",
    "rule = *params;": "none of the documented ones|the operator",
    "rule = &rule;": "the operator `&`",
    "rule = (request)->battery[0];": "ArrayRef",
    "rule = demo_commit(request, params, outcome);": "which stands further down",
    "rule = demo_decide(request, params, outcome);": "which stands further down",
    "rule = missing(1);": "which is no function of the file",
    "rule = within(1, 2);": "`within` takes 3 arguments",
    "within(1, 2, 3);": "uses more or less than it gives",
    "weight(3);": "uses more or less than it gives",
    "rule = clear(outcome);": "which is more than one `return`|uses more or less",
    "clear(request);": "the request as a",
    "clear(NULL);": "a pointer that is none of the arguments",
    "return;": "a `return` of a function that gives",
    "return 0; rule = 1;": "behind a `return`",
    "if (request) { rule = 1; }": "`request` has no value here",
    "if (request == params) { rule = 1; }": "has no value here",
    "if (rule == NULL) { rule = 1; }": "`rule` is no pointer here",
    "rule = sizeof(rule);": "none of the documented ones|the operator `sizeof`",
    "rule = 'a';": "`'`",
    'rule = "a";': '`"',
    "rule = 1.5;": "the number `1.5`",
    "rule = 1e3;": "the number `1e3`",
    "rule = 0x1e+1;": r"the number `0x1e\+1`",
    "rule = 010;": "the number `010`",
    "rule = 0b1;": "the number `0b1`",
    "rule = 1l;": "the number `1l`",
    "rule = 1z;": "the number `1z`",
    "rule = 2147483648;": "does not fit its type, int32_t",
    "rule = 0x80000000;": "does not fit its type, int32_t",
    "roles = 0xffffffffffffffffll;": "does not fit its type, int64_t",
    "roles = UINT64_C(18446744073709551616);": "does not fit uint64_t",
    "roles = UINT64_C(1u);": "without a plain number",
    "roles = UINT64_C(010);": "the number",
    "rule = (int)rule;": "a cast to `int`",
    "rule = (uint8_t)rule;": "a cast to `uint8_t`",
    "rule = (const int32_t)rule;": "a cast to",
    "rule = rule << 32;": "a shift of 32 bits by 32",
    "rule = rule << -1;": "a shift of 32 bits by -1",
    "rule = -8 >> 1;": "`>>` of a negative number",
    "limited = (limited + 1u) / 2u;": "depends on the width of `int`",
    "roles = ~limited;": "depends on the width of `int`",
    "roles = limited << 1;": "depends on the width of `int`",
    "rule = (limited - 1u) == 0u;": "depends on the width of `int`",
    "rule = (limited - 1u) && 1;": "depends on the width of `int`",
    "rule = !~limited;": "depends on the width of `int`",
    "limited = limited * limited;": "depends on the width of `int`",
    "limited = rule | limited;": "may be negative meets a `uint32_t`",
    "rule = (rule < limited);": "may be negative meets a `uint32_t`",
    "limited = limited & -1;": "may be negative meets a `uint32_t`",
    "limited = 7u / limited;": "of unsigned numbers",
    "roles = roles % 3u;": "of unsigned numbers",
    "limited &&= 1;": "not C|`=`",
    "switch (rule) { case 0: rule = 1; case 1: rule = 2; break; }": "without a `break`",
    "switch (rule) { case 0: rule = 1; break; case 0: rule = 2; break; }": "twice",
    "switch (rule) { case 0: rule = 1; break; case 1: }": "not C|EmptyStatement|is empty",
    "switch (rule) { default: rule = 1; break; case 1: rule = 2; break; }": "not the last part",
    "switch (rule) { case 1: default: rule = 2; break; }": "not the last part, or not alone",
    "switch (rule) { rule = 3; case 1: rule = 2; break; }": "before the first label",
    "switch (rule) { case 1: int32_t late = 2; rule = late; break; }": "not C|braces of its own",
    "switch (rule) { case 1: { if (rule == 1) { break; } } break; }": "Break",
    "switch (rule) { case rule: break; }": "`rule` has no value here",
    "switch (rule) { case INT64_C(5000000000): break; }": "twice, or never is",
    "switch (tags) { case -1: break; }": "twice, or never is",
    "switch (rule) { }": "is empty",
    "switch (rule) rule = 1;": "of another form",
    "switch (request) { case 1: break; }": "has no value here",
    "break;": "Break",
    "continue;": "the word `continue`",
    "case 1: rule = 2;": "Case",
    "__asm__(0);": "the word `__asm__`",
    "rule = _Generic(rule, default: 1);": "the word `_Generic`",
    "rule = outcome->limited[[0]];": r"`\[\[`",
    "rule = ({ 1; });": "not C|expression",
    "rule = rule ? : 1;": "not C",
    "rule = a$b;": r"`\$`",
    "rule = 1 @ 2;": "`@`",
    "rule = rule\\\n;": r"`\\`",
    "rule = <:0:>;": "`<:`",
    "%:define X 1": "`%:`",
    "rule = rule ??! 1;": "a trigraph",
    "// ??/\nrule = 1;": "a trigraph",
    "// hidden \\\nrule = 1;": "a backslash ends a line inside a comment",
    "/* hidden \\\n */ rule = 1;": "a backslash ends a line inside a comment",
    "rule = 1; /* two\nlines */": "shares a line with code",
    "rule = 1; /* no end": "a comment without an end",
    "rule = é;": "outside ASCII",
    "rule = 1\0;": "a control character",
    "rule = 1;\r": "a control character",
    "/* \x1b */": "a control character",
    "#define return 5": "inside brackets",
    "#if 0": "inside brackets",
    "rule = 1 +;": "not C",
    "int32_t (*f)(void) = NULL;": "a local `f` of type|none of the documented ones",
    "typedef int32_t mine;": "Typedef",
    "enum { X };": "none of the documented ones",
    "extern int32_t x;": "the word `extern`",
    "int32_t x = 1, y = (x = 2);": "Assignment",
    "rule = (int32_t){ 1 };": "CompoundLiteral",
    "if (rule) { return 0; } else { return 1; } rule = 2;": "behind a `return`",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_that_is_not_documented_is_refused_with_its_line(statement: str) -> None:
    error = refused(HEADER, SOURCE.replace(IN_DECIDE, f"{IN_DECIDE}{statement}\n"))
    assert re.search(STATEMENTS[statement], error.why), error.why
    first = line_of(SOURCE, IN_DECIDE) + 1
    assert error.at in {f"line {first}", f"line {first + 1}"}


SOURCES = {
    ("Policy demo", "Policy demo */ int32_t x; /*"): "behind code",
    ('#include "demo.h"', '#include "other.h"'): "does not include what it needs",
    ('#include "demo.h"', '#include "demo.h"\n#include "demo.h"'): "`#include",
    ('#include "demo.h"', '#include "demo.h"\n#include <math.h>'): "`#include",
    ('#include "demo.h"\n', ""): "does not include what it needs|`demo_outcome_t`|not C",
    ("static int32_t within", "#include <stddef.h>\nstatic int32_t within"): "behind code",
    ("static int32_t within", "#pragma once\nstatic int32_t within"): "the directive",
    ("static int32_t within", "#undef NULL\nstatic int32_t within"): "the directive",
    ("static int32_t within", "#ifdef X\n#endif\nstatic int32_t within"): "the directive",
    ("static int32_t within", "#line 7\nstatic int32_t within"): "the directive",
    ("static int32_t within", "#ifndef X\nstatic int32_t within"): "no include guard",
    ("static int32_t within", "#ifdef __cplusplus\nint32_t x;\n#endif\nstatic int32_t within"): "C\\+\\+",
    ("static int32_t within", "#define within 1\nstatic int32_t within"): "not C|within",
    ("static int32_t within", "#define return 1\nstatic int32_t within"): "means something already",
    ("static int32_t within", "#define NULL 1\nstatic int32_t within"): "means something already",
    ("static int32_t within", "#define INT64_C 1\nstatic int32_t within"): "something already",
    ("static int32_t within", "#define int32_t 1\nstatic int32_t within"): "something already",
    ("static int32_t within", "#define refused 1\nstatic int32_t within"): "something already",
    ("static int32_t within", "#define battery 1\nstatic int32_t within"): "something already",
    ("static int32_t within", "#define F(x) x\nstatic int32_t within"): "the directive|no constant",
    ("static int32_t within", "#define F 1 + 1\nstatic int32_t within"): "no constant",
    ("static int32_t within", "#define F (1) + (1)\nstatic int32_t within"): "no constant",
    ("static int32_t within", "#define F (1); (1)\nstatic int32_t within"): "no constant",
    ("static int32_t within", "#define F\nstatic int32_t within"): "no constant",
    ("static int32_t within", "#define F 1 // x \\\n\nstatic int32_t within"): "a backslash",
    ("static int32_t within", "#include \\\n<stdint.h>\nstatic int32_t within"): "backslash",
    ("static int32_t within", "int32_t shared = 0;\nstatic int32_t within"): "more than arrays",
    ("static int32_t within", "static int32_t shared = 0;\nstatic int32_t within"): "more than arrays",
    ("static int32_t within", "int32_t within"): "not what the header declares|what stands beside",
    ("static int32_t within", "static inline int32_t within"): "the word `inline`",
    ("static int32_t within", "static int within"): "uses more or less|`within`",
    ("static int32_t within", "static int32_t refused"): "means something already",
    ("static int32_t within", "static int32_t demo_commit"): "what stands beside",
    ("static int32_t within(int32_t value,", "static int32_t within(int32_t value, ...,"): r"`\.`",
    ("static int32_t within(int32_t value,", "static int32_t within(int32_t *value,"): "none of the arguments",
    ("static int32_t within(int32_t value,", "static int32_t within(int value,"): "the type",
    ("static int32_t within(int32_t value,", "static int32_t within(int32_t lo,"): "already",
    ("return (lo <= value)", "return within(lo, lo, lo) && (lo <= value)"): "further down",
    ("return quotient;\n", ""): "can end without a value",
    ("(const demo_request_t *request, const demo_params_t *params, demo_outcome_t *outcome)\n{\n    if",
     "(demo_request_t *request, const demo_params_t *params, demo_outcome_t *outcome)\n{\n    if"):
        "not what the header declares",
    ("typedef char demo_int_has_32_bits[(sizeof(int) >= 4) ? 1 : -1];", ""): "no check",
    ("(sizeof(int) >= 4)", "(sizeof(int) >= 2)"): "not the check of `int`",
    ("typedef char demo", "typedef int32_t mine;\ntypedef char demo"): "not the check of `int`",
    ("if (outcome == NULL)", "if (outcome != NULL)"): "although|behind|may be NULL",
    ("if (outcome == NULL) {\n        return -2;", "if (outcome == NULL) {\n        return -1;"): "not -2",
    ("(request == NULL) || (params == NULL)", "(request == NULL)"): "may be NULL",
    ("(request == NULL) || (params == NULL)", "(params == NULL)"): "may be NULL",
    ("(request == NULL) || (params == NULL)", "(request == NULL) && (params == NULL)"): "may be NULL",
    ("7);\n        return -2;", "7);\n        return -1;"): "not -2",
    ("(void)refused(outcome, -1, 7);", ""): "leaves the outcome unfinished",
    ("(void)refused", "refused"): "uses more or less",
    ("(void)refused", "(int32_t)refused"): "none of the documented ones",
    ("outcome->decision = DEMO_DENY;", "outcome->decision = DEMO_ALLOW;"): "not answered with deny",
    ("    outcome->roles = 0u;\n    return given;", "    return given;"): "outcome unfinished",
    ("static int32_t within", "static int32_t lone(void) { return 1; }\nstatic int32_t within"): "uses `lone`",
    ("static int32_t within", "static const uint8_t alone[1] = { 1 };\nstatic int32_t within"): "uses `alone`",
    ("return demo_decide(request, params, outcome);", "return 0;"): "`demo_commit` is not",
    ("return demo_decide(request, params, outcome);", "return refused(outcome, 0, 0);"): "is not",
}  # fmt: skip


@pytest.mark.parametrize("edit", SOURCES)
def test_a_source_that_is_not_documented_is_refused(edit: tuple[str, str]) -> None:
    assert SOURCE.count(edit[0]) >= 1
    error = refused(HEADER, SOURCE.replace(*edit, 1))
    assert re.search(SOURCES[edit], error.why), error.why


HEADERS = {
    ("#ifndef DEMO_H\n", ""): "outside the include guard|the directive",
    ("#define DEMO_H\n", ""): "outside the include guard",
    ("#define DEMO_H\n", "#define DEMO_G\n"): "outside the include guard",
    ("#ifndef DEMO_H", "#ifndef NULL"): "something already",
    ("#endif\n#endif\n", "#endif\n"): "without `#endif`",
    ("#endif\n#endif\n", "#endif\n#endif\nint32_t x;\n"): "outside the include guard",
    ("#include <stdint.h>", ""): "does not include what it needs",
    ("#include <stdint.h>", '#include "other.h"'): "`#include",
    ('extern "C" {', 'extern "C" { int32_t x;'): "for C",
    ('extern "C" {', "#define X 1"): "for C",
    ("DEMO_DENY = 4", "DEMO_DENY = 4, DEMO_DENY"): "already",
    ("DEMO_DENY = 4", "DEMO_DENY = 2147483648ll"): "does not fit `int`",
    ("DEMO_DENY = 4", "DEMO_DENY = missing"): "has no value here",
    ("DEMO_DENY = 4", "DEMO_DENY = 1 / 0"): "without a value",
    ("DEMO_DENY = 4", "NULL = 4"): "already",
    ("DEMO_DENY = 4", "int32_t = 4"): "not C|already",
    ("DEMO_DENY = 4", "DEMO_DENY = 2147483647, DEMO_MORE"): "does not fit `int`",
    ("DEMO_DENY = 4\n};", "DEMO_DENY = 4\n} decisions;"): "more than structs",
    ("typedef struct {\n    int32_t battery", "struct d {\n    int32_t battery"): "not C|more than structs",
    ("typedef struct {\n    int32_t battery", "typedef struct d {\n    int32_t battery"): "beside a struct",
    ("} demo_request_t;", "} demo_other_t;"): r"before: \*",
    ("} demo_params_t;", "} other_params_t;"): r"before: \*",
    ("} demo_params_t;", "} demo_request_t;"): "already|previously declared|not C",
    ("int32_t battery;", "int32_t battery : 3;"): "what stands beside",
    ("int32_t battery;", "int battery;"): "the type `int`",
    ("int32_t battery;", "const int32_t battery;"): "the type",
    ("int32_t battery;", "float battery;"): "the word `float`",
    ("int32_t battery;", "int32_t *battery;"): "the type",
    ("int32_t battery;", "int32_t battery[2];"): "the type",
    ("int32_t battery;", "int32_t battery; int32_t battery;"): "the member",
    ("int32_t battery;", "int32_t battery; int32_t more;"): "first values for",
    ("int32_t battery;", "uint8_t battery[4];"): "no member for|`{ 0 }`",
    ("int32_t battery;", "struct { int32_t battery; } b;"): "none of the documented",
    ("uint32_t limited[2];", "uint32_t limited[0];"): "the type",
    ("uint32_t limited[2];", "int32_t limited[2];"): "the type",
    ("uint32_t limited[2];", "uint32_t limited[2][2];"): "none of the documented",
    ("#define DEMO_REQUEST_UNSET {", "#define DEMO_OTHER_UNSET {"): "initialises nothing",
    ("#define DEMO_PARAMS_DEFAULT { 25 }", ""): "no first values for the params",
    ("#define DEMO_PARAMS_DEFAULT { 25 }", "#define DEMO_PARAMS_DEFAULT 25"): "no initialiser",
    ("#define DEMO_PARAMS_DEFAULT { 25 }", "#define DEMO_PARAMS_DEFAULT { 25, 26 }"): "first values",
    ("#define DEMO_PARAMS_DEFAULT { 25 }", "#define DEMO_PARAMS_DEFAULT { 2147483648ll }"): "fit",
    ("#define DEMO_PARAMS_DEFAULT { 25 }", "#define DEMO_PARAMS_DEFAULT { { 25 } }"): "InitList",
    ("    101, \\\n", "    101, \\ \n"): "`\\\\`|no constant|brackets|backslash",
    ("    101, \\\n", "    101,\\\n"): "`\\\\`|no constant|brackets|backslash",
    ("0x1u /*", "0x1u + 1 /*"): "no constant",
    ("DEMO_TAGS_RED 0x1u", "request 0x1u"): "not C|already",
    ("DEMO_TAGS_RED 0x1u", "_RED 0x1u"): "already",
    ("int32_t demo_commit(const", "int64_t demo_commit(const"): "not declared|not what",
    ("int32_t demo_commit(const", "int32_t demo_other(const"): "not declared|not what",
    ("int32_t demo_commit(const", "static int32_t demo_commit(const"): "stands beside",
    ("int32_t demo_commit(const", "int32_t demo_more(void);\nint32_t demo_commit(const"): "declared|body",
    ("int32_t demo_commit(const", "int32_t shared;\nint32_t demo_commit(const"): "more than structs",
    ("int32_t demo_commit(const", "int32_t x(void) { return 1; }\nint32_t demo_commit(const"): "more than",
}  # fmt: skip


@pytest.mark.parametrize("edit", HEADERS)
def test_a_header_that_is_not_documented_is_refused(edit: tuple[str, str]) -> None:
    assert HEADER.count(edit[0]) >= 1
    error = refused(HEADER.replace(*edit, 1), SOURCE)
    assert re.search(HEADERS[edit], error.why), error.why


HOSTILE = {
    "nothing": "",
    "blank lines": "\n" * 100_000,
    "no end of a comment": "/*" * 100_000,
    "ten megabytes": "int32_t x;\n" * 1_000_000,
    "open brackets": "(" * 100_000,
    "open braces": "{" * 100_000,
    "negations": "typedef char x[" + "!" * 20_000 + "1];",
    "signs": "typedef char x[" + "- " * 20_000 + "1];",
    "choices": "typedef char x[" + "1 ? 1 : " * 20_000 + "1];",
    "sums": "typedef char x[" + "1 + " * 20_000 + "1];",
    "or": "typedef char x[" + "1 || " * 20_000 + "1];",
    "casts": "typedef char x[" + "(int)" * 20_000 + "1];",
    "pointers": "int32_t " + "*" * 20_000 + "x;",
    "else if": "static int32_t f(void) {" + "if (1) { } else " * 20_000 + "{ } return 1; }",
    "a long number": "typedef char x[" + "1" * 20_000 + "];",
    "a long name": "int32_t " + "x" * 100_000 + ";",
    "NUL": "\0",
    "half of a character": "/* \ud800 */",
    "separators": "int32_t x;\u2028#define return 5",
    "attributes": "int32_t x [[a(b)]];",
    "atomic": "_Atomic(int) x;",
    "a pragma": '_Pragma("x")',
    "a colon": "int32_t f(void) { x: ; }",
    "old parameters": "int32_t f(x) int32_t x; { return x; }",
    "no type": "f(void) { return 1; }",
    "a struct in itself": "typedef struct { demo_t x; } demo_t;",
    "an array of itself": "typedef char x[sizeof(x)];",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["alone", "header", "source"])
def test_hostile_text_is_refused_with_a_code(name: str, place: str) -> None:
    text = HOSTILE[name]
    if place == "alone":
        refused(text, text)
    elif place == "header" and text.strip():
        refused(HEADER.replace("/* what was", f"{text}\n/* what was"), SOURCE)
    elif text.strip():
        refused(HEADER, SOURCE.replace("static int32_t within", f"{text}\nstatic int32_t within"))


def test_macros_that_hide_are_seen_through() -> None:
    """A macro's name means what it means to a compiler, wherever it stands."""
    header = HEADER.replace("#define DEMO_TAGS_RED", "#define high 7\n#define DEMO_TAGS_RED")
    refused(header, SOURCE)


def test_every_prefix_of_the_files_is_refused() -> None:
    for end in range(0, len(SOURCE) - 2, 37):
        refused(HEADER, SOURCE[:end])
    for end in range(0, len(HEADER) - 7, 37):
        refused(HEADER[:end], SOURCE)
