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
    "dotted names": "rule a when user.profile.age > 3 deny",
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
    "not within": "rule a when not restart within 5 min deny",
    "not for": "rule a when not x > 3 for 5 min deny",
    "not over several": "rule a when not (x or y) between 1 and 5 min ago deny",
    "not since": "rule a when not x since y deny",
    "two times in a row": "rule a when x within 5 min for 1 min deny",
    "since within": "rule a when x since y within 5 min deny",
    "within a number of another kind": "rule a when x within window deny",
    "for at least": "rule a when x for at least 5 min deny",
    "in the last": "rule a when failure in the last 5 min deny",
    "in a time": "rule a when failure in 5 min deny",
    "a word after a unit": "rule a when x within 5 min foo deny",
    "between without ago": "rule a when x between 3 and 5 min deny",
    "between words": "rule a when x between low and high deny",
    "misspelt ago": "rule a when x between 3 and 5 min agoo deny",
    "misspelt function": "rule a when cuont(failure) in 5 min >= 3 deny",
    "a function of other languages": "rule a when avg(e.x) in 5 min >= 3 deny",
    "count without a time": "rule a when count(failure) >= 3 deny",
    "count of a condition": "rule a when count(x > 3) in 5 min >= 3 deny",
    "sum without a time": "rule a when sum(allowed.tokens) > 3 deny",
    "max of two": "rule a when max(x, y) > 3 deny",
    "a window below 0": "rule a when restart within -1 s deny",
    "a wait below 0": "machine m {\n  start a\n  a -> b after -5 s\n}",
    "fresh without a time": "rule a when fresh(x) deny",
    "stale with a name": "rule a when stale(x, limit) deny",
    "elapsed with a time": "rule a when elapsed(restart, 5 min) deny",
    "deviates without its threshold": "rule a when deviates(x, alpha 0.3) deny",
    "deviates with a misspelt word": "rule a when deviates(x, alhpa 0.3, by 3) deny",
    "deviates with a word twice": "rule a when deviates(x, alpha 0.3, by 3, by 4) deny",
    "ewma without its weight": "rule a when ewma(x) > 3 deny",
    "enters without a machine": "rule a when enters open deny",
    "always without possible": "prove p: always (decision is allow)",
    "misspelt possible": "prove p: always posible (decision is allow)",
    "an event with parentheses": "event deletion(resource : text)",
    "an event with a colon": "event deletion : text",
    "an event's fields with commas": "event deletion {\n  a : text,\n  b : text\n}",
    "a signal without a type": "signal voltage",
    "a signal in braces": "signal voltage { v : number in 0..30 V }",
    "misspelt signal": "singal voltage : number in 0..30 V",
    "shared without more": "shared\nrule a deny",
    "a machine without a start": "machine m {\n  a -> b on e\n}",
    "a machine without states": "machine m per",
    "a machine both shared and per": "shared machine m per r {\n  start a\n  a -> b on e\n}",
    "a transition without a cause": "machine m {\n  start a\n  a -> b\n  b -> a on e\n}",
    "a transition with two causes of a kind": "machine m {\n  start a\n  a -> b on e on f\n}",
    "a transition with if": "machine m {\n  start a\n  a -> b if x > 3\n  b -> a whne x\n}",
    "a transition with another arrow": "machine m {\n  start a\n  a => b on e\n  b to a on e\n}",
    "a contract without rights": "contract c for agent on action {\n  needs ticket\n}",
    "a contract that needs two things at once": "contract c for agent on action {\n  may read\n  needs ticket and x\n}",
    "a contract that needs a comparison": "contract c for agent on action {\n  may read\n  needs ticket, size > 3\n}",
    "a contract that needs the opposite": "contract c for agent on action {\n  may read\n  needs not ticket\n}",
    "a contract that is revoked by both": "contract c for k on act {\n  may read\n  needs a\n  revoke on x and y\n}",
    "a contract without a key": "contract c {\n  may read\n}",
    "a contract with a misspelt clause": "contract c for agent on action {\n  may read\n  scpoe x\n  stop after 2 h\n}",
    "a contract that stops twice": "contract c for agent on action {\n  may read\n  stop after 2 h, or after 3 h\n}",
    "a contract without on": "contract c for agent on action {\n  may read\n  revoke scope_violation\n}",
    "autonomy without levels": "autonomy for agent on action {\n  drop to a on e\n}",
    "autonomy without its field": "autonomy for agent {\n  a may read\n}",
    "a level without its rights": "autonomy for agent on action {\n  observer read_file\n}",
    "a level with if": "autonomy for agent on action {\n  observer may read_file if x\n}",
    "levels on one line": "autonomy for agent on action { a may x when n >= 3 b may y }",
    "a misspelt step": 'test "t" {\n  at 0 s evnt restart\n  at 1 s tick\n}',
    "an event without its name": 'test "t" {\n  at 0 s event { agent "a" }\n}',
    "a signal without its value": 'test "t" {\n  at 0 s signal voltage { drone "d" }\n}',
    "a state that is compared": 'test "t" {\n  at 0 s tick expect breaker == open\n}',
    "a request without expect": 'test "t" {\n  request { a 1 }\n  at 1 s tick\n}',
    "a state of a request": 'test "t" {\n  request { a 1 } expect breaker is open\n}',
    "a decision of a tick": 'test "t" {\n  at 1 s tick expect deny\n}',
    "a clock that goes forward": 'test "t" {\n  at 0 s clock forward 5 s\n}',
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


REPORTED_ON = [
    "missing brace",
    "misspelt effect after a number",
    "a transition with if",
    "a contract with a misspelt clause",
    "a level with if",
]


@pytest.mark.parametrize("name", REPORTED_ON)
def test_reading_goes_on_after_an_error(name: str) -> None:
    text = HEADER + FAULTS[name] + "\nrule last dney\n"
    assert "`dney`" in report(text).split("\n\n")[-1]


def test_both_readings_of_a_negation_stand_on_one_line_and_are_short() -> None:
    long = " + ".join(f"x{i}" for i in range(100))
    for operand in ("x\n  > 3", f"{long} > 3", f"({long})"):
        with pytest.raises(GovError) as refused:
            parse(Source("p.gov", f"{HEADER}rule a when not {operand} for 5 min deny"))
        (fault,) = refused.value.diagnostics
        assert fault.code == "GOV121"
        assert fault.help is not None
        assert "\n" not in fault.message + fault.help
        assert len(fault.help) < 200
