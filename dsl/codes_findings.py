"""The pages of what is found when a policy is proved and compiled: GOV26x and GOV3xx.

INVARIANT: every example that holds a declaration gives its code when it is verified under a header
with `default deny`; a test verifies them.
"""

from __future__ import annotations

from typing import Final

from govlang.dsl.page import Page

FINDINGS: Final[dict[str, Page]] = {
    "GOV260": Page(
        "a pattern that is too large",
        "The patterns of a field are compiled into automata of at most 4 096 states each; several "
        "patterns are split over several automata, but this one passes the limit by itself. Many "
        "`*` among many different letters make an automaton large.",
        'topic like "*a???…", a pattern with dozens of `*`',
        "Cut the pattern into several that are joined by `and`, or match less of the text.",
    ),
    "GOV261": Page(
        "a policy that is too large for a table",
        "The format of a decision table bounds its columns, its nodes and the depth of one sum.",
        "a sum of hundreds of products, each in its own parentheses",
        "Split the rule with `let`, or the policy into several.",
    ),
    "GOV301": Page(
        "a conflict: rules that stand together contradict each other",
        "On the request that is shown, both rules fire and neither overrides the other. They "
        "contradict each other if one allows what the other answers with `require human` or `deny`, "
        "if they tell the host to do one action with different arguments, or if their limits do not "
        "meet; under `combine unique` whatever they say. A stricter rule of a higher tier is no "
        "conflict.",
        "input { zone : one of urban, rural }\nrule a allow\nrule b when zone is urban deny",
        "Write `overrides` on the rule that should win, put the stricter one into a higher tier, keep "
        "the conditions apart, or write `combine most_restrictive`.",
    ),
    "GOV302": Page(
        "a rule that never matters",
        "On no request, with no parameters, does this rule or row decide or add an obligation: its "
        "condition cannot hold, or the rules that are named always decide where it holds.",
        "input { risk : number in 0..9 }\nrule a when risk > 3 deny\nrule b when risk > 5 deny",
        "Remove it, widen its condition, or narrow what covers it; `accept GOV302 on NAME` keeps it.",
    ),
    "GOV303": Page(
        "a rule that changes only the reason",
        "Without this rule every outcome would stay as it is; only `rule_id` and the reason would be "
        "others, as with a deny under `default deny`.",
        "input { risk : number in 0..9 }\nrule a when risk > 3 deny\nrule b when risk <= 3 allow",
        "Keep it if the reason helps people, else remove it.",
    ),
    "GOV304": Page(
        "a part of a condition that decides nothing",
        "This part is always true or always false where it is asked, or this `overrides` never drops "
        "the rule that it names. That is often a misplaced bound or a forgotten case.",
        "input { risk : number in 0..9 }\nrule a when risk >= 0 and risk < 5 allow",
        "Remove the part, or correct the bound that makes it so.",
    ),
    "GOV305": Page(
        "requests that no rule speaks of",
        "Only the default decides these requests, or no row of this table holds for them. Under "
        "`default none` that is an error, else a note.",
        "input { zone : one of urban, rural }\nrule a when zone is urban allow",
        "Add a rule for them, or leave it if the default is what is meant.",
    ),
    "GOV306": Page(
        "a claim that does not hold",
        "On the request that is shown the `prove` is false. The request was decided again by the "
        "interpreter and by the compiled table before it was printed.",
        "input { risk : number in 0..9 }\nrule a when risk < 5 allow\n"
        "prove low_only: decision is allow implies risk < 4",
        "Correct the rules, or the claim if it says more than is meant.",
    ),
    "GOV307": Page(
        "a compiled artefact that differs from the policy",
        "Every build proves that the bytes of the table decide as the policy does. Here they do not, "
        "on the request that is shown; nothing was written.",
        "a table of which a word was changed after it was compiled",
        "This is a fault of the compiler or of the file: build again, and report it with the policy.",
    ),
    "GOV308": Page(
        "a change that makes the policy looser",
        "On the request that is shown the new policy answers with a looser effect, a larger limit, "
        "fewer roles or actions, a longer `expires` or a shorter `retry` than the old one; over time, behind the "
        "samples that are shown. Without a request: a declaration changed so that requests or histories of the "
        "two versions cannot be compared.",
        "gov verify NEW --against OLD --no-looser, where NEW allows up to 6 kg and OLD up to 5 kg",
        "Tighten the new policy; leave out `--no-looser` if the change is meant.",
    ),
    "GOV309": Page(
        "a question that stayed open",
        "The solver did not answer within its time limit, or the proof of an artefact did not end within its "
        "own, so this is neither proved nor refuted. Products of two fields and very long conditions are hard, "
        "and so is what only a long history of several kinds of samples shows. Of `always possible` some questions "
        "are beyond what is looked for. The help says why it stays open and what to do next.",
        "gov verify policy.gov --timeout 0.001",
        "Do what the help says: give it more time with `--timeout S`, or make the condition simpler, or the counts "
        "smaller on which it depends. A property may stay so where "
        "`--allow-undecided NAME` says it: then the manifest records it.",
    ),
    "GOV310": Page(
        "two solvers that contradict each other",
        "With `--cross-check` cvc5 is asked every question that Z3 was asked. Of the question that is named "
        "one of them says that it can hold and the other that it cannot, so one of them is wrong and nothing "
        "that rests on it is proved.",
        "gov verify policy.gov --cross-check",
        "Write the question with `--smt2 DIR`, ask a third solver, and report it to the solver that is wrong.",
    ),
    "GOV311": Page(
        "an `accept` that accepts nothing",
        "`gov verify` has no finding of this code on this name: what was accepted once is mended, or "
        "the code is another one. `--allow-undecided` has the same note on a name that is no property. "
        "This is a note, under `--strict` too.",
        "input { risk : number in 0..9 }\nrule a when risk < 5 allow\n"
        'accept GOV302 on a because "It was covered once"',
        "Remove the `accept` or the name: it would hide a later finding.",
    ),
    "GOV312": Page(
        "a condition with more parts than are looked at",
        "Of a condition that is no plain list of at most 1 000 tests joined by `and`, at most 400 parts are "
        "asked whether they are always true or always false (GOV304), fewer the more tests it has; of the "
        "others nothing is known. Everything else is proved of the whole condition.",
        "a rule with hundreds of `or` and `not` in its `when`",
        "Split the rule into several, or leave it: this is a note.",
    ),
    "GOV313": Page(
        "a policy too large for C and WebAssembly, unless they are asked for",
        "Code grows with every rule, and compilers take long over it, so a bundle of more than 2 000 rules "
        "holds the table only. This is a note.",
        "gov build p.gov -o out, where p.gov has 3 000 rules",
        "Name the parts: `gov build p.gov -o out --emit c,wasm`.",
    ),
    "GOV314": Page(
        "a part of a machine that nothing ever reaches",
        "In no history, whatever comes when, does the machine reach this state, or take this transition: "
        "what it asks for cannot come about in the state that it leaves, or another transition always "
        "goes before it.",
        "input { agent : key }\nevent bad\nmachine m {\n  start a\n"
        "  a -> b when bad within 1 min and not (bad within 2 min)\n}\nrule r when m is a allow",
        "Widen the condition of the transition, or remove the state.",
    ),
    "GOV315": Page(
        "two transitions to different states at one sample",
        "After the samples that are shown the next one lets the machine go to two states at once. The "
        "transition that is written first is taken, and nothing says that it is the one that was meant. "
        "One that is due after a time goes before the others, which is no conflict.",
        "input { agent : key }\nevent bad\nmachine m {\n  start a\n  a -> b on bad\n"
        "  a -> c when count(bad) in 1 min >= 1\n  b -> a after 1 s\n  c -> a after 1 s\n}\n"
        "rule r when m is a allow",
        "Let the conditions exclude each other: `a -> c when count(bad) in 1 min >= 3 and …`.",
    ),
}
