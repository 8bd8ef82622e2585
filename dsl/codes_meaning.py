"""The pages of GOV2xx: names, types, units, ranges, flow, imports, tests.

INVARIANT: every example that holds a declaration gives its code when it is compiled under a header;
a test compiles them.
"""

from __future__ import annotations

from typing import Final

from govlang.dsl.page import Page

MEANING: Final[dict[str, Page]] = {
    "GOV201": Page(
        "an unknown name",
        "Nothing of this name is declared where the name stands: no field, parameter, `let`, "
        "action, argument or rule; or a machine starts in a state that no transition of it names.",
        "input { payload : number in 0..25 kg }\nrule heavy when paylod > 5 kg deny",
        "Write the name as it was declared, or declare it.",
    ),
    "GOV202": Page(
        "a name declared twice",
        "Fields, parameters, outputs and `let`s share one space of names; rules, tables and "
        "invariants another; actions, properties, tiers and tests have their own. Imported "
        "declarations count, too.",
        "rule a deny\nrule a allow",
        "Rename or remove one of the two; the message shows both places.",
    ),
    "GOV203": Page(
        "a reserved name",
        "`approved`, `weekday` and `minute_of_day` are built-in fields; where `reserved(x)` is read, `reserved_x` "
        "and the events `reserved`, `settled` and `released` are built in, too. `default`, `invalid_request`, "
        "`clock_fault`, `state_full`, `fail_open` and `policy_unavailable` stand in outcomes that no "
        "rule decided, so no rule may be called so.",
        "rule default deny",
        "Use another name.",
    ),
    "GOV204": Page(
        "a value of the wrong type",
        "An operator stands between values that it is not for: numbers compare and add, enumerations "
        "are tested with `is` and `in`, sets with `contains`, `within` and `is empty`, texts with "
        "`==`, `in`, `like` and `under`; conditions join with `and`, `or`, `not`, `implies`.",
        "input { labels : set of write, delete }\nrule a when labels == 3 deny",
        "Use the test that the message names for this type.",
    ),
    "GOV205": Page(
        "units that do not fit",
        "Two numbers that measure different things are added, compared or assigned. Units of one "
        "dimension convert exactly (`1 min` is `60 s`); tokens, calls and other counting units each "
        "are a dimension of their own.",
        "input { payload : number in 0..25 kg }\nrule heavy when payload > 5 kW deny",
        "Write the constant in the unit of the field or in one that converts to it.",
    ),
    "GOV206": Page(
        "a number without the unit that it needs",
        "The other side has a unit, so a bare number could mean anything; 0 needs its unit, too.",
        "input { payload : number in 0..25 kg }\nrule heavy when payload > 5 deny",
        "Write the unit: `5 kg`.",
    ),
    "GOV207": Page(
        "a range, a step or a duration that makes no sense",
        "The smaller end of a range comes first; a step is more than 0, a finite decimal, and divides "
        "both ends of the range; `max` is at least 1; a duration is a whole number of milliseconds, "
        "and above 0 where something lasts or is waited for.",
        "input { risk : number in 0..1 step 0.3 }",
        "Choose a step that divides both ends, or other ends; write a time above 0.",
    ),
    "GOV208": Page(
        "a constant between two steps",
        "A field counts in steps, so a value between two of them never occurs: `==` with it would "
        "never hold, `!=` always, and a limit or an argument could not be set to it. `<`, `<=`, `>` "
        "and `>=` may compare with any constant.",
        "input { risk : number in 0..1 step 0.1 }\nrule a when risk == 0.25 deny",
        "Use one of the nearest values that the message names, or give the field a finer step.",
    ),
    "GOV209": Page(
        "a value outside the range of its field",
        "A limit, a default, an argument or a value in a test must lie in the range of the field it "
        "is for, whatever the request and the parameters.",
        "input { payload : number in 0..25 kg }\nrule cap limit payload to 30 kg",
        "Write a value in the range; `least(…)` and `greatest(…)` keep an expression inside.",
    ),
    "GOV210": Page(
        "a number that 64 bits could not hold",
        "Every value is counted in steps in 64 bits. The range of this expression, worked out from "
        "the ranges of its fields and brought to the finest step in it, is wider than that.",
        "input {\n  a : number in 0..1_000_000_000_000\n  b : number in 0..1_000_000_000_000\n}\n"
        "rule big when a * b > 5 deny",
        "Narrow the ranges, widen the steps, or compare parts of the expression.",
    ),
    "GOV211": Page(
        "a division by 0 or by what varies",
        "`/` divides by a constant other than 0 and rounds down, the same in every backend.",
        "input { a : number in 0..10 }\nrule r when a / 0 > 1 deny",
        "Multiply the other side: instead of `a / b > c` write `a > b * c` (for b above 0).",
    ),
    "GOV212": Page(
        "an unknown member",
        "An enumeration has the members that its declaration lists, a set the labels.",
        "input { zone : one of urban, rural }\nrule a when zone is urbn deny",
        "Write one of the members that the message names.",
    ),
    "GOV213": Page(
        "an optional field is read where it may be absent",
        "An absent field has no value, so reading it must be guarded. A guard counts to its right in "
        "`and`, after `not has x or …`, in the branches of `if has x`, after `implies`; the condition "
        "of a rule guards its effect, that of a tier its rules, an `assume` everything.",
        "input { cost : number in 0..9 optional }\nrule a when cost > 3 deny",
        "Write `has cost and cost > 3`.",
    ),
    "GOV214": Page(
        "an enumeration in a comparison",
        "Members of an enumeration have no order and are no numbers; they are tested with `is`.",
        "input { zone : one of urban, rural }\nrule a when zone == urban deny",
        "Write `zone is urban`, `zone is not urban` or `zone in {urban, rural}`.",
    ),
    "GOV215": Page(
        "a text that no valid request holds",
        "The text is longer than the field allows, or is no valid path: paths are relative and have "
        "no empty, `.` or `..` segment, no backslash and no NUL. A test with it would never hold.",
        'input { file : path }\nrule a when file == "/etc/passwd" deny',
        "Correct the text, or declare the field with a larger `max`.",
    ),
    "GOV216": Page(
        "`under` without a directory, or not on a path",
        "`under` tests whether a path lies in a directory, which is written with its last slash.",
        'input { file : path }\nrule a when file under "src" deny',
        'Write `under "src/"`; for texts use `like "src**"`.',
    ),
    "GOV217": Page(
        "the decision outside a proof",
        "`decision` is what all rules together come to, so rules, assumptions and invariants cannot "
        "depend on it.",
        "rule a when decision is deny deny",
        "Move the claim into `prove NAME: …`, or write the condition on the fields.",
    ),
    "GOV218": Page(
        "an unknown tier",
        "A `tier` block names one of the tiers that `tiers` lists, highest first.",
        "tiers safety\ntier safty { rule a deny }",
        "Write a tier that is listed, or list it.",
    ),
    "GOV220": Page(
        "an override that is not allowed",
        "A rule may override rules of its own tier and of lower ones. Guards of invariants stand above "
        "all tiers; rules outside every tier stand below all.",
        "tiers safety, business\ntier safety { rule a deny }\ntier business { rule b allow overrides a }",
        "Move the overriding rule up, or state the exception in the condition of the other.",
    ),
    "GOV221": Page(
        "overrides in a circle",
        "Rules that override each other would leave open which of them stands.",
        "rule a deny overrides b\nrule b allow overrides a",
        "Remove one of the `overrides` that the message names.",
    ),
    "GOV222": Page(
        "`overrides` under `first_match`",
        "Under `combine first_match` the first rule that fires is taken, so order alone decides.",
        "combine first_match\nrule a deny\nrule b allow overrides a",
        "Put the rule that should win first.",
    ),
    "GOV223": Page(
        "a cell that can be read in several ways",
        "A cell is a condition on its column. On a set, `{a, b}` could mean any of them, all of them "
        "or exactly these.",
        "input { labels : set of a, b }\ntable t(labels) -> decision {\n  | labels | decision |\n"
        "  | {a, b} | deny     |\n}",
        "Write `contains any {a, b}` or `contains all {a, b}`.",
    ),
    "GOV224": Page(
        "a file that cannot be read",
        "The policy itself, an imported file or the CSV of a table is missing or may not be read. "
        "Paths are relative to the file that names them.",
        'import "missing.gov"',
        "Correct the path; policies from standard input have no files beside them.",
    ),
    "GOV226": Page(
        "a file that imports itself",
        "The imports go round in a circle, directly or through other files.",
        'a.gov: import "b.gov"; b.gov: import "a.gov"',
        "Move what both need into a third file that imports neither.",
    ),
    "GOV227": Page(
        "a path outside the directory of the policy",
        "A policy is complete in its directory: imports and CSV files stand beside it or below.",
        'import "../secrets.gov"',
        "Move the file into the directory of the policy and name it relative to the importing file.",
    ),
    "GOV228": Page(
        "too many or too large files",
        "A policy has at most 256 files of 16 MiB together, imported at most 32 deep.",
        "a generated policy in 300 files",
        "Join files, or put rows into one CSV.",
    ),
    "GOV229": Page(
        "an `accept` of what does not exist or cannot be accepted",
        "`accept` names a finding that a policy can be kept with, GOV301 to GOV306, and a rule, a table, a "
        "property of this policy or `default`. A table that differs from its policy (GOV307) or an open "
        "question (GOV309) cannot be accepted, and what became looser (GOV308) only on the command line.",
        'rule a deny\naccept GOV302 on b because "moved"',
        "Remove the `accept` with the rule it was for, or correct the name.",
    ),
    "GOV230": Page(
        "a product of two values that vary",
        "The decision is exact, but the solver may need long for proofs about it or give up, which "
        "`gov verify` reports as undecided.",
        "input { a : number in 0..9 }\ninput { b : number in 0..9 }\nrule r when a * b > 5 deny",
        "Nothing needs to be done. Multiply by a constant where one will do.",
    ),
    "GOV231": Page(
        "a `let` made of itself",
        "A `let` is another name for an expression, which cannot contain that name.",
        "let a = b\nlet b = a\nrule r when a deny",
        "Write one of them out without the others.",
    ),
    "GOV232": Page(
        "an expression that is too large",
        "Written out, with every `let` in its place, an expression may have 100 000 parts and 120 "
        "levels; a sum of n terms has n, each `if` between conditions two.",
        "let a1 = a0 and (a0 or x > 1), let a2 = a1 and (a1 or x > 2), … forty times",
        "Use a `let` fewer times in one expression, or split the rule.",
    ),
    "GOV233": Page(
        "something written twice of which there is one",
        "A policy has one `combine`, one `default`, one list of `tiers` and one `time zone`, its "
        "imports included.",
        "default deny\ndefault allow",
        "Remove one of the two; the message shows both places.",
    ),
    "GOV234": Page(
        "an effect that cannot be carried out",
        "`limit` sets an input number of the request or an `output`; `do` gives an action each of its "
        "arguments; outputs are numbers or durations.",
        "input { zone : one of urban, rural }\nrule a limit zone to 1",
        "Limit a number, or give the action the arguments that the message names.",
    ),
    "GOV235": Page(
        "members that make no set",
        "Members of an enumeration or a set differ; a set has at most 64 (the roles of a policy are "
        "one), an enumeration at most 65 536.",
        "input { zone : one of urban, urban }",
        "Remove the second, or split the set into two fields.",
    ),
    "GOV236": Page(
        "an unknown time zone",
        "`time zone` takes a name of the IANA zone database.",
        'time zone "Mars/Olympus"',
        'Write a name such as `"Europe/Berlin"` or `"UTC"`.',
    ),
    "GOV237": Page(
        "a test whose request no policy could get",
        "Requests in tests are held against the fields, as at run time: required fields are there and "
        "values fit.",
        'input { zone : one of urban, rural }\ntest "t" { request { } expect deny }',
        "Give the missing fields; to test the refusal itself, `expect deny by invalid_request`.",
    ),
    "GOV238": Page(
        "a parameter of a type that parameters do not have",
        "A parameter is a constant of the deployment that proofs range over: a number, a duration, a "
        "bool or an enumeration.",
        'param owner : text = "root"',
        "Make it a field `from runtime`, or a number.",
    ),
    "GOV241": Page(
        "`has` on a field that always has a value",
        "Only optional fields can be absent, so this test would always hold.",
        "input { zone : one of urban, rural }\nrule a when has zone deny",
        "Leave it out, or declare the field `optional`.",
    ),
    "GOV242": Page(
        "an unknown unit",
        "A unit is built in, or a field, an output, a parameter or an argument is declared in it. Those of time are "
        "`us`, `ms`, `s`, `min`, `h`, `d` and `week`.",
        "input { payload : number in 0..25 kg }\nrule heavy when payload > 5 kgs deny",
        "Write the unit of the field.",
    ),
    "GOV243": Page(
        "an event or a signal of a type that cannot be reported or kept",
        "A signal is a number, a duration, a bool or an enumeration. The fields of an event are written as "
        "in `input`; each report carries all of them, so they have no modifier.",
        "signal owner : text\nrule r when fresh(owner, 1 min) deny",
        "Make the signal an enumeration, or remove the modifier.",
    ),
    "GOV244": Page(
        "state that is asked for where it is not kept",
        "State is kept by the key, by another field (`per F`) or once for all (`shared`), and moved by the "
        "samples that carry that key. What is combined in one operator or machine is seen by the same "
        "samples: an event of all does not move a machine of the key. `per F` needs a text or key field F "
        "that every request and the event carry.",
        "input { agent : key }\nevent failure\nshared event storm\n"
        "rule r when count(failure) since storm >= 3 deny",
        "Keep both by the same field, or ask how long ago the other was: `storm within 1 min`.",
    ),
    "GOV245": Page(
        "operators over time that stand too deep in each other",
        "What an operator reads is known one step before it; there are ten steps in one sample.",
        "input { agent : key }\nevent f\nrule r when "
        + "(" * 12
        + "f within 1 s"
        + ") for 1 s" * 12
        + " deny",
        "Give the inner condition a `machine` of its own.",
    ),
    "GOV246": Page(
        "something that is not known where it is read",
        "`allowed` happens once the rules have decided, and `enters M.s` once all machines have stepped, so "
        "rules cannot read the one nor transitions the other of the same sample. An assumption reads the "
        "request alone.",
        "input { agent : key }\nrule r when allowed deny",
        "Ask how long ago, or how often: `count(allowed) in 1 min >= 3`; read the state of a machine.",
    ),
    "GOV247": Page(
        "an operator over time that would need state without bound",
        "What a policy keeps has a fixed size: windows are no longer than `longest window` (24 h if the "
        "policy says nothing), an exact count is compared with a number up to 1 000 or a parameter, a sum "
        "has at most 1 000 panes, `max` and `elapsed` are compared with a constant.",
        "input { agent : key }\nevent failure\nrule r when failure within 30 d deny",
        "Write `longest window 30 d`, count by panes (`in 1 h by 5 min`), or compare with a constant.",
    ),
    "GOV248": Page(
        "an operator over time on what it cannot read",
        "`sum` and `average` take a number of an event whose range begins at 0 or above; `ewma` and "
        "`deviates` numbers, a weight above 0 up to 1 and a plain factor; no state keeps a text.",
        "input { agent : key }\nevent failure { host : text }\n"
        "rule r when sum(failure.host) in 1 h by 5 min > 3 deny",
        "Read a number, or write a weight such as `alpha 0.3`.",
    ),
    "GOV249": Page(
        "a sum by panes that errs on the unsafe side",
        "A sum by panes reaches over at least its window and up to one pane more, so it is never too small; with "
        "`under` it takes the whole panes inside the window alone, so it is never too large. A rule that restricts "
        "(deny, throttle, limit, require human) needs a sum that is never too small, one that allows a sum that is "
        "never too large, where it fires from a bound up; where it fires below one, the other way round.",
        "input { agent : key }\nevent pass\nrule earned when count(pass) in 7 d by 1 d >= 2000 allow\n"
        "longest window 7 d",
        "Write `count(pass) in 7 d by 1 d, under`, or take the bound into account.",
    ),
}
