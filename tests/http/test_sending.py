from __future__ import annotations

import json

from govlang.runtime.control.answer import Answer, Lasting
from govlang.runtime.http.sending import body_of

BODY = {"decision": "deny", "reason": "für alle", "matched": ["a"]}


def test_a_lasting_body_is_written_as_any_other_and_only_once() -> None:
    lasting = Lasting(BODY)
    first = body_of(Answer(200, lasting))
    assert first == body_of(Answer(200, BODY))
    assert json.loads(first) == BODY
    assert body_of(Answer(200, lasting)) is first
