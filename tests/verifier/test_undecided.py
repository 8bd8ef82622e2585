"""The title of what has no answer asks the question, and does not state what would refute it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from govlang.compiler.frontend import compile_source
from govlang.compiler.ir import Effect
from govlang.dsl.source import Source
from govlang.verifier.findings import Finding, Severity, undecided
from govlang.verifier.options import ReplayError
from govlang.verifier.report import verify

HEADER = """language 1
policy p version "1.0.0"
{settings}
input {{
  agent : key
  size  : number in 0..9
  zone  : one of urban, rural
}}
"""
EVENTS = "event ok\nevent bad\n"
MACHINE = """machine m {
  start a
  a -> b on ok
  a -> c when count(ok) in 1 s >= 1
}
rule r when m is b or m is c allow
"""


@dataclass(frozen=True)
class Answer:
    """What a compiled table that is not the policy's answers."""

    decision: str = "allow"
    rule_id: str = "nobody"
    matched: tuple[str, ...] = ()
    obligations: tuple[Any, ...] = ()
    effect: Effect = Effect.ALLOW


def titles(source: str, settings: str = "default deny") -> set[str]:
    """The titles of all undecided findings where no witness replays."""
    policy = compile_source(Source("p.gov", HEADER.format(settings=settings) + source)).policy
    report = verify(policy, replay=lambda *_: Answer(), rerun=_refused)
    return {one.message for one in report.findings if one.code == "GOV309"}


def _refused(*_: object) -> NoReturn:
    raise ReplayError("the compiled table does not take a step")


@pytest.mark.parametrize(
    ("source", "settings", "title"),
    [
        ("rule a when size > 5 allow\nprove q: decision is deny\n", "default deny",
         "undecided whether `q` holds of every request"),
        ("rule a when size > 5 allow\n", "default deny",
         "undecided whether a rule decides every request"),
        ("table t(zone) -> decision {\n  | zone | decision |\n  | urban | allow |\n}\n", "default deny",
         "undecided whether the rows of `t` cover every request"),
        ("rule a when size > 5 allow\nrule b when size > 7 deny\n", "default deny",
         "undecided whether `a` allows what `b` answers with deny"),
        ("rule a when size > 5 and size < 3 allow\n", "default deny",
         "undecided whether `a` never fires: its condition cannot hold"),
        ("rule a when size > 5 allow\nrule b when size < 2 deny overrides a\n", "default deny",
         "undecided whether `b`, which overrides `a`, ever drops it"),
    ],
)  # fmt: skip
def test_the_title_over_requests_is_the_question(source: str, settings: str, title: str) -> None:
    assert title in titles(source, settings)


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("rule a when bad within 1 min allow\nprove q: decision is deny\n",
         "undecided whether `q` holds after every history"),
        ('rule a when agent == "x" and bad within 1 s allow\nprove q: always possible (decision is allow)\n',
         "undecided whether `q` stays possible after every history"),
        (MACHINE,
         "undecided whether `m` can take both `a -> b` and `a -> c` at one sample"),
    ],
)  # fmt: skip
def test_the_title_over_histories_is_the_question(source: str, title: str) -> None:
    assert title in titles(EVENTS + source)


def test_what_has_no_question_of_its_own_asks_whether_its_message_is_so() -> None:
    finding = Finding("GOV302", "unreachable", Severity.ERROR, ("a",), "`a` never fires")
    assert undecided(finding, "why").message == "undecided whether `a` never fires"
