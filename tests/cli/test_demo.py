"""`make demo` shows what is so: its last part, the control plane, submits, records and verifies."""

from __future__ import annotations

import io
from pathlib import Path

from control_plane import EFFECTS, bundle_of, example
from rich.console import Console

from govlang.cli.demo import THEN, _build, _decisions
from govlang.cli.demo_service import show_service


def shown(bundle: bytes) -> tuple[bool, str]:
    said = io.StringIO()
    return show_service(Console(file=said, width=160), bundle), said.getvalue()


def test_the_control_plane_of_the_demo_allows_denies_asks_and_verifies() -> None:
    good, said = shown(example("stateless/control_plane.gov"))
    assert good, said
    for words in (
        "202 scheduled",
        "403 denied",
        "202 approval_required",
        "unverified_recipient",
        "prod-delete-needs-approval",
        "intact  7 records, 7 under a signed checkpoint",
    ):
        assert words in said


def test_a_policy_that_decides_otherwise_is_seen() -> None:
    source = EFFECTS.replace("amount : number in 0..1000 step 0.5", AS_THE_DEMO)
    source = source.replace("limit amount to 10 and limit pace", "limit risk to 0.5 and limit pace")
    source = source.replace(" with amount = 1", "")
    good, said = shown(bundle_of(source))
    assert not good, said
    assert "intact" in said


AS_THE_DEMO = """environment : text
  recipient_scope : text optional
  risk : number in 0..1 step 0.001
  tokens : number in 0..1_000_000
  labels : set of write"""

OVER_TIME = """language 1
policy p version "1"
default allow
input { agent : key  size : number in 0..9 }
event failure
rule failing when count(failure) in 1 min >= 2 deny

test "two failures deny" {
  at 0 s  request { agent "a", size 1 } expect allow
  at 1 s  request { agent "a", size 1 } expect allow
  at 2 s  event failure { agent "a" }
  at 2 s  event failure { agent "a" }
  at 3 s  request { agent "a", size 2 } expect deny by failing
  at 3 s  request { agent "b", size 2 } expect allow
}
"""


def test_each_request_that_another_rule_answers_is_shown_with_what_is_other_about_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.gov"
    path.write_text(OVER_TIME)
    shown = [(what, o.decision.value) for what, o in _decisions(_build(path, tmp_path))]
    assert shown == [
        ("two failures deny", "allow"),
        (f"{THEN}3 s later, size 2", "deny"),
        (f'{THEN}agent "b"', "allow"),
    ]
