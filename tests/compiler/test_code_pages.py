"""Every page of GOV2xx shows a fault that gives its code."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.codes_meaning import MEANING
from govlang.dsl.diagnostics import Diagnostic, GovError
from govlang.dsl.source import Source

HEADER = 'language 1\npolicy p version "1"\n'
IN_WORDS = {"GOV226", "GOV228", "GOV232"}


def no_files(name: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory", name)


def diagnostics_of(body: str) -> tuple[Diagnostic, ...]:
    try:
        return compile_source(Source("p.gov", HEADER + body), no_files).warnings
    except GovError as error:
        return error.diagnostics


@pytest.mark.parametrize("code", sorted(set(MEANING) - IN_WORDS))
def test_the_example_of_a_page_gives_its_code_and_no_other(code: str) -> None:
    found = diagnostics_of(MEANING[code].example)
    assert {one.code for one in found} == {code}
    assert all(one.span is not None for one in found)
