"""What a contract needs is a bool field that is always there, and what else is written is told the way out."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source

SOURCE = """language 1
policy p version "1.0.0"
default allow
input {{
  agent  : key
  action : one of read, write
  ticket : bool from runtime
  maybe  : bool optional
  owner  : text
}}
let mine = owner == "me"
contract job for agent on action {{
  may   read
  needs {needs}
}}
"""


def told(needs: str) -> list[tuple[str, str, str]]:
    """The code, message and help of each error."""
    try:
        compile_source(Source("p.gov", SOURCE.format(needs=needs)))
    except GovError as error:
        return [(one.code, one.message, one.help or "") for one in error.diagnostics]
    return []


def test_bools_and_conditions_with_a_name_can_be_needed() -> None:
    assert told("ticket, mine") == []


@pytest.mark.parametrize(
    ("needs", "code", "message", "way_out"),
    [
        ("tickett", "GOV201", "there is no bool field `tickett`", "did you mean `ticket`?"),
        ("signed_off", "GOV201", "there is no bool field `signed_off`",
         "declare it: `signed_off : bool from runtime`"),
        ("owner", "GOV204", "`owner` is a text, and a contract needs a bool that is always there",
         "name a condition on it: `let ready = …`, and write `needs ready` for `owner`"),
        ("maybe", "GOV204", "`maybe` is optional, and a contract needs a bool that is always there",
         "name a condition on it: `let ready = …`, and write `needs ready` for `maybe`"),
    ],
)  # fmt: skip
def test_what_cannot_be_needed_is_told_once_with_a_way_out(
    needs: str, code: str, message: str, way_out: str
) -> None:
    assert told(f"ticket, {needs}") == [(code, message, way_out)]
