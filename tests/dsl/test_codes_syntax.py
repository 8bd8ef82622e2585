"""The pages of syntax errors show sources that have the error."""

from __future__ import annotations

import pytest

from govlang.dsl.codes import SYNTAX
from govlang.dsl.diagnostics import GovError
from govlang.dsl.parser import parse
from govlang.dsl.source import Source

HEADER = 'language 1\npolicy p version "1"\n'
WHOLE = {"GOV102", "GOV111", "GOV112"}
IN_WORDS = {"GOV101", "GOV103", "GOV104", "GOV108", "GOV115"}
"""Those that no short text can show; the tests of limits and of CSV files do."""


@pytest.mark.parametrize("code", sorted(SYNTAX.keys() - IN_WORDS))
def test_the_example_of_a_page_has_the_error(code: str) -> None:
    text = SYNTAX[code].example
    with pytest.raises(GovError) as caught:
        parse(Source("p.gov", text if code in WHOLE else HEADER + text))
    assert code in {d.code for d in caught.value.diagnostics}
