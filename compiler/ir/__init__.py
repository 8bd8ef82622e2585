"""The checked IR: one policy, all sugar gone, every value an integer.

In: built by `lower.py` (or by tests) through the checking constructors below.  Out: read by the
interpreter, the verifier and every back end; none of them sees the AST.

What always holds of an IR that the front end hands out:

* Every number is a count of steps of its field, every enumeration member its position, every set a
  bit mask over its members, every bool 0 or 1, every time and duration milliseconds.
* No sub-expression can leave the int64 range for any valid request and any parameter
  (`intervals.py` has proved it), so unbounded and 64-bit integers agree.
* A read of an optional field is guarded by `Has`; an absent field reads as `Field.absent`, and no
  outcome depends on it.
* `rules` stand in order of precedence: guards of invariants, then the highest tier, then source order.

Spans are carried for messages and never take part in equality, hashing or the canonical core.
"""

from __future__ import annotations

from govlang.compiler.ir.expressions import (
    FALSE,
    INT64_MAX,
    INT64_MIN,
    TRUE,
    And,
    Arith,
    ArithOp,
    Atom,
    BoolConst,
    BoolExpr,
    Choose,
    Compare,
    CompareOp,
    DecisionIn,
    Effect,
    FieldValue,
    FloorDiv,
    Has,
    InRanges,
    IntConst,
    IntExpr,
    Not,
    Or,
    ParamValue,
    Pattern,
    PatternKind,
    Ranges,
    SetOp,
    SetTest,
    TextEqual,
    TextTest,
    conjunction,
    disjunction,
    negation,
)
from govlang.compiler.ir.fields import (
    SET_MEMBERS_MAX,
    TEXT_KINDS,
    Action,
    Field,
    Kind,
    Origin,
    Param,
    Rounding,
)
from govlang.compiler.ir.policy import (
    APPROVED,
    ArgValue,
    Assumption,
    Cell,
    Combine,
    Default,
    Do,
    Limit,
    Policy,
    Property,
    Remedy,
    Rule,
    RuleKind,
    TextConst,
    TextField,
)
from govlang.compiler.ir.walk import (
    atoms,
    fields_read,
    int_parts,
)

__all__ = [
    "APPROVED",
    "FALSE",
    "INT64_MAX",
    "INT64_MIN",
    "SET_MEMBERS_MAX",
    "TEXT_KINDS",
    "TRUE",
    "Action",
    "And",
    "ArgValue",
    "Arith",
    "ArithOp",
    "Assumption",
    "Atom",
    "BoolConst",
    "BoolExpr",
    "Cell",
    "Choose",
    "Combine",
    "Compare",
    "CompareOp",
    "DecisionIn",
    "Default",
    "Do",
    "Effect",
    "Field",
    "FieldValue",
    "FloorDiv",
    "Has",
    "InRanges",
    "IntConst",
    "IntExpr",
    "Kind",
    "Limit",
    "Not",
    "Or",
    "Origin",
    "Param",
    "ParamValue",
    "Pattern",
    "PatternKind",
    "Policy",
    "Property",
    "Ranges",
    "Remedy",
    "Rounding",
    "Rule",
    "RuleKind",
    "SetOp",
    "SetTest",
    "TextConst",
    "TextEqual",
    "TextField",
    "TextTest",
    "atoms",
    "conjunction",
    "disjunction",
    "fields_read",
    "int_parts",
    "negation",
]
