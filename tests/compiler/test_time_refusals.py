"""What is wrong with rules over time: the place, what was expected, and the next thing to type."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.diagnostics import Diagnostic, GovError
from govlang.dsl.source import Source

HEADER = """language 1
policy p version "1"
default allow
input { agent : key  x : number in 0..9  act : one of a, b }
event e { v : number in 0..5 }
event f
signal s : number in 0..9
"""


def only_error(text: str) -> Diagnostic:
    with pytest.raises(GovError) as caught:
        compile_source(Source("p.gov", HEADER + text))
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "help_line"),
    [
        ("rule r when e within 10 d deny", "GOV247", "10 d",
         "the window `10 d` is longer than the longest one, 1 d",
         "write `longest window 10 d` at the top of the policy"),
        ("longest window 23 h\nrule r when count(e) in 24 h >= 3 deny", "GOV247", "24 h",
         "the window `24 h` is longer than the longest one, 23 h",
         "write `longest window 24 h` at the top of the policy"),
        ("longest window 10 d\nrule r when elapsed(e) > 40 d deny", "GOV247", "40 d",
         "the window `40 d` is longer than the longest one, 10 d",
         "write `longest window 40 d` at the top of the policy"),
        ("machine m {\n start a\n a -> b after 3 d\n}\nrule r when m is b deny", "GOV247", "3 d",
         "the window `3 d` is longer than the longest one, 1 d",
         "write `longest window 3 d` at the top of the policy"),
        ("rule r when e between 82800000 ms and 23 h ago deny", "GOV247", "23 h",
         "a window of 0 s, 23 h ago, needs more than 1000 times", "widen the window"),
        ("rule r when e between 5 h and 1 h ago deny", "GOV247", "5 h",
         "`5 h` is longer ago than `1 h`", "write the shorter time first"),
        ("rule r when f throttle retry 30 sec", "GOV242", "30 sec",
         "there is no unit `sec`", "did you mean `s`?"),
        ("rule r when f throttle retry 5 m", "GOV205", "5 m",
         "`5 m` is a length (`m`), not a time", "did you mean `min`?"),
        ("rule r when f throttle retry 5 zorks", "GOV242", "5 zorks",
         "there is no unit `zorks`", "write it in `ms`, `s`, `min`, `h` or `d`"),
        ("machine m {\n start clsed\n closed -> open on f\n open -> closed after 3 s\n}", "GOV201", "clsed",
         "no transition of `m` leaves or enters its start `clsed`", "did you mean `closed`?"),
        ("machine m {\n start q\n closed -> open on f\n open -> closed after 3 s\n}", "GOV201", "q",
         "no transition of `m` leaves or enters its start `q`", "start in one of `closed`, `open`"),
        ("rule r when ewhat within 1 h deny", "GOV201", "ewhat",
         "there is no event or condition `ewhat`", "declare it: `event ewhat`"),
        ("rule r when fresh(heat, 1 h) deny", "GOV201", "heat",
         "there is no signal or field `heat`", "write `s`, `agent`, `x`, `act`"),
        ("event g after nothing", "GOV201", "nothing",
         "there is no event `nothing`", "write `e`, `f`, `g`, `dispatched`"),
        ("contract c for agent on act {\n may a\n stop 0 calls\n}", "GOV247", "0 calls",
         "`0 calls` is no number of calls", "write a whole number from 1 up: `stop after 200 calls`"),
        ("rule r when count(e) in 1 h >= 100000 deny", "GOV247", "count(e) in 1 h >= 100000",
         "a count is compared with a whole number from 0 to 1000",
         "count by panes beyond that: `count(E) in 1 h by 5 min`"),
        ("rule r when count(e) in 1 h >= -1 deny", "GOV247", "count(e) in 1 h >= -1",
         "a count is compared with a whole number from 0 to 1000",
         "a count is never below 0: write a number from 0 up"),
        ("rule r when count(e) since f >= -1 deny", "GOV247", "count(e) since f >= -1",
         "a count is compared with a number from 0 up",
         "a count is never below 0: write a number from 0 up"),
        ("rule r when -0.5 < count(e) in 1 h by 5 min deny", "GOV247",
         "-0.5 < count(e) in 1 h by 5 min",
         "a count is compared with a number from 0 up",
         "a count is never below 0: write a number from 0 up"),
        ("rule r when average(s) in 1 h by 5 min > 3 deny", "GOV248", "s",
         "`s` is a signal, and `average` takes the field of an event",
         "smooth a signal: `ewma(s, alpha 0.3)`, or ask `max(s) in 5 min`"),
        ("rule r when average(e) in 1 h by 5 min > 3 deny", "GOV248", "e",
         "`average` needs a field of an event",
         "write `average(allowed.tokens)` or `average(E.x)`"),
        ("rule r when count(e) in 1 h >= 1.5 deny", "GOV247", "count(e) in 1 h >= 1.5",
         "a count is compared with a whole number from 0 to 1000", "write 1 or the next whole number"),
        ('rule r when e within 1 h deny\ntest "t" {\n at 4 s clock back 5 s\n}', "GOV237", "5 s",
         "the clock would show a time before 0",
         "begin the test later: `at 1 d …`, or put the clock back by less"),
        ('rule r when e within 1 h deny\ntest "t" {\n at 4 s lose s { x 5 }\n}', "GOV201", "x",
         "there is no key `x`", "write `agent`"),
    ],
)  # fmt: skip
def test_the_place_the_message_and_the_way_out(
    text: str, code: str, place: str, message: str, help_line: str
) -> None:
    found = only_error(text)
    assert found.span is not None
    assert (found.code, found.span.text) == (code, place)
    assert (found.message, found.help) == (message, help_line)
