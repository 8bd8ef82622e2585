"""What a search says to be absent is absent: two samples in a row leave out the first one of an instance."""

from __future__ import annotations

import pytest

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.encode import Term
from govlang.verifier.options import Options
from govlang.verifier.report import context_of
from govlang.verifier.solve import Absent, Answer, Found, Open, forget
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.moment import Moment, Taken
from govlang.verifier.time.search import Search

POLICY = """language 1
policy p version "1.0.0"
default deny
input { agent : key }
machine first {
  start no
  no -> yes when gap >= 0 ms
}
machine second {
  start no
  no -> yes when first is yes
}
rule fine when first is yes and second is yes allow
"""
"""`second` is behind `first` by a sample, so the two differ at the first sample of an agent and never again."""


def search_of(text: str) -> Search:
    forget()
    context = context_of(compile_source(Source("p.gov", text)).policy, Options())
    assert isinstance(context, TimeContext)
    return context.search


def asked_for(search: Search, first: int, second: int) -> Answer:
    """A request at which the two machines stand so."""

    def asked(moment: Moment, taken: Taken) -> list[Term]:
        seen = taken.seen
        return [moment.kind == ir.REQUEST, seen["first"] == first, seen["second"] == second]

    return search.find(asked, lambda reached: reached.values["first"] == first)


def test_the_first_sample_is_found_and_what_none_brings_is_absent() -> None:
    search = search_of(POLICY)
    assert isinstance(asked_for(search, 1, 0), Found)
    assert isinstance(asked_for(search, 1, 1), Found)
    assert isinstance(asked_for(search, 0, 1), Absent)


def test_a_first_sample_that_no_history_was_found_for_is_not_excluded_by_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = search_of(POLICY)
    monkeypatch.setattr(search, "_reached", lambda *_, **__: None)
    assert isinstance(asked_for(search, 1, 0), Open)
    assert isinstance(asked_for(search, 0, 1), Absent)
