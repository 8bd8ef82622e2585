from __future__ import annotations

from collections.abc import Callable

import pytest

from govlang.dsl.codes import CODES
from govlang.dsl.diagnostics import GovError, render_all
from govlang.dsl.parser import parse
from govlang.dsl.source import Source

HEADER = 'language 1\npolicy p version "1"\n'

FAULTS = {
    "misspelt declaration": "rul a deny",
    "misspelt when": "rule a whne x > 3 deny",
    "misspelt effect": "rule a when x alow",
    "misspelt effect after a number": "rule a when x < 30 dney\nrule b deny",
    "misspelt effect before more": 'rule a when x < 30 dney because "no"',
    "misspelt type": "input { a : nubmer in 0..5 }",
    "misspelt modifier": "input {\n  a : bool optinal\n}",
    "misspelt human": "rule a require humen",
    "misspelt default": "default alow",
    "misspelt combine": "combine strickt",
    "misspelt logic": "rule a when x > 3 adn y deny",
    "negative step": "input {\n  a : number in 0..10 step -1\n}",
    "no effect": "rule a when x > 3",
    "two effects": "rule a deny allow",
    "two reasons": 'rule a deny because "x" because "y"',
    "assignment for equality": "rule a when x = 3 deny",
    "equality for assignment": "let a == 3",
    "is with a number": "rule a when x is 3 deny",
    "chained comparison": "rule a when 1 < x < 5 deny",
    "not in": "rule a when zone not in {a, b} deny",
    "c operators": "rule a when x && !y || z deny",
    "single quotes": "rule a when x == 'y' deny",
    "typographic quotes": "rule a when x == “y” deny",
    "unclosed string": 'rule a deny because "no\nrule b allow',
    "bad escape": r'rule a deny because "C:\dir"',
    "exponent": "rule a when x > 1e-3 deny",
    "huge exponent": "rule a when x > 1e400 deny",
    "leading point": "rule a when x > .5 deny",
    "dotted name": "rule a when user.age > 3 deny",
    "square brackets": "rule a when zone in [a, b] deny",
    "hash comment": "# a comment\nrule a deny",
    "semicolon": "rule a deny;\nrule b deny",
    "colon after the rule's name": "rule a: when x deny",
    "comma between fields": "input {\n  a : bool,\n  b : bool\n}",
    "no comma between values": 'test "t" {\n  request { a 1 b 2 } expect deny\n}',
    "if inside and": "rule a when x and if y then z else w deny",
    "missing brace": "input {\n  a : bool\n\nrule a deny",
    "stray brace": "rule a deny\n}\nrule b deny",
    "file ends in a rule": "rule",
    "file ends in a condition": "rule a when x and",
    "file ends in a block": 'test "t" {\n  request { a 1',
    "row too short": "table t(a, b) -> limit s {\n  | a | b | s |\n  | 1 | 2 |\n}",
    "row without its end": "table t(a) -> limit s {\n  | a | s |\n  | 1 | 2\n}",
    "wrong headings": "table t(a) -> limit s {\n  | b | s |\n  | 1 | 2 |\n}",
    "no rows": "table t(a) -> limit s {\n  | a | s |\n}",
    "no decision": "table t(a) -> decision {\n  | a | decision |\n  | 1 | 2 |\n}",
    "an effect as a condition": "table t(a) -> decision {\n  | a | decision |\n  | throttle retry 3 s | deny |\n}",
    "arity": "let a = least(1)\nlet b = abs(1, 2)",
    "second header": "rule a deny\nlanguage 1",
    "field twice private": "input { a : bool private private }",
    "event": "event restart",
    "signal": "shared signal margin : number in 0..2",
    "machine": "machine m {\n  start a\n  a -> b on c\n}\nrule x dney",
    "count": "rule a when count(allowed) in 1 min >= 20 throttle",
    "within a time": "rule a when restart within 5 min deny",
    "for a time": "rule a when x > 3 for 5 min deny",
    "not within": "rule a when not restart within 5 min deny",
    "not for": "rule a when not x > 3 for 5 min deny",
    "always possible": "prove p: always possible (decision is allow)",
    "event in a test": 'test "t" {\n  at 0 s event restart\n}',
    "other words for an effect": "rule a permit\nrule b when x escalate",
    "a rule in braces": "rule a when x > 3 { deny }",
    "then": "rule a when x > 3 then deny",
    "an arrow": "rule a when x > 3 => deny",
    "if for when": "rule a if x deny",
    "is not in": "rule a when zone is not in {a, b} deny",
    "unequal as in other languages": "rule a when x <> 3 deny",
    "a number between two": "rule a when x between 3 and 5 deny",
    "other words for types": "input { a : string }\ninput { b : enum x, y }\ninput { c : int }",
    "members in braces": "input { a : one of {x, y} }",
    "a member with a dash": "input { a : one of us-east-1, b }",
    "a set after is": "rule a when s is {x} deny",
    "a set after contains": "rule a when s contains {x, y} deny",
    "a glob without quotes": "rule a when topic like infra deny",
    "an if inside an operator": "rule a when x and if n > 3 then y else z deny",
}
WHOLE = {
    "no header": "rule a deny",
    "header without a language": 'policy p version "1"\nrule a deny',
    "newer language": 'language 2\npolicy p version "1"',
    "misspelt header": 'langauge 1\npolicy p version "1"',
    "header without a version": "language 1\npolicy p\nrule a deny",
    "empty": " \n",
    "control character": HEADER + "rule a\x07 deny",
    "reversed text": HEADER + 'rule a when x == "\u202e" deny',
    "nested": HEADER + "let a = " + "(" * 300,
}


def report(text: str) -> str:
    with pytest.raises(GovError) as caught:
        parse(Source("policy.gov", text))
    assert all(d.code in CODES for d in caught.value.diagnostics)
    assert all(d.message[0].islower() or d.message[0] == "`" for d in caught.value.diagnostics)
    return render_all(caught.value.diagnostics)


def test_messages_name_what_was_found_and_what_to_type(golden: Callable[[str, str], None]) -> None:
    cases = {**{name: HEADER + text for name, text in FAULTS.items()}, **WHOLE}
    shown = (f"=== {name}\n\n{report(text)}\n" for name, text in cases.items())
    golden("dsl/syntax_errors.txt", "\n".join(shown))


@pytest.mark.parametrize("name", ["missing brace", "machine", "misspelt effect after a number"])
def test_reading_goes_on_after_an_error(name: str) -> None:
    text = HEADER + FAULTS[name] + "\nrule last dney\n"
    assert "`dney`" in report(text).split("\n\n")[-1]


def test_both_readings_of_a_negation_stand_on_one_line_and_are_short() -> None:
    long = " + ".join(f"x{i}" for i in range(100))
    for operand in ("x\n  > 3", f"{long} > 3"):
        with pytest.raises(GovError) as refused:
            parse(Source("p.gov", f"{HEADER}rule a when not {operand} for 5 min deny"))
        (fault,) = refused.value.diagnostics
        assert fault.code == "GOV121"
        assert fault.help is not None
        assert "\n" not in fault.message + fault.help
        assert len(fault.help) < 200
