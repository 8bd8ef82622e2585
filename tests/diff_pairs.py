"""Pairs of policies over time, and what became of their outcomes.

In: nothing.  Out: by name the source of two versions with the directions of what changed between them; no
direction at all: every history gives both the same outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEADER: Final = """language 1
policy p version "1.0.0"
{default}
input {{
  agent    : key
  resource : text
  size     : number in 0..9
}}
event ok
event bad
event deletion {{ resource : text }}
signal load : number in 0..100
"""

AGENT: Final = """language 1
policy agent version "1.0.0"
longest window 30 d
default deny
input {
  agent  : key
  action : one of read, edit, merge
  ticket : bool
}
event passed
event failed
event violation
event leak
"""

MACHINE: Final = """machine {m} {{
  start closed
  closed -> open when count(bad) since ok >= 3
  open -> half after 30 s
{more}  half -> open on bad
}}
rule run when {m} is not open allow
"""
CLOSES: Final = "  half -> closed on ok\n"

LEVELS: Final = """autonomy for agent on action {{
  observer    may read
  contributor may edit   when count(passed) in 7 d >= {n} and not (failed within {d})
  drop to observer on violation
}}
"""

CONTRACT: Final = """rule some when action is not merge allow
contract job for agent on action {{
  may    read, edit
  needs  ticket
  stop   after {hours} h, or on job.done
  revoke on {revoke}
}}
"""


@dataclass(frozen=True)
class Versions:
    """Two sources, the directions of what changed, and words of the declarations that did."""

    old: str
    new: str
    directions: frozenset[str] = frozenset()
    declarations: tuple[str, ...] = ()


def _of(old: str, new: str, *directions: str, default: str = "default deny") -> Versions:
    head = HEADER.format(default=default)
    return Versions(head + old, head + new, frozenset(directions))


def _agent(old: str, new: str, *directions: str) -> Versions:
    return Versions(AGENT + old, AGENT + new, frozenset(directions))


WITHIN: Final = (
    "rule a when ok within {} allow\nrule b when size > 5 and bad within 1 min deny overrides a\n"
)
LIMIT: Final = (
    "rule a when size > 2 allow\nrule limit when count({}) in 1 min >= {} throttle retry 30 s\n"
)
SINCE: Final = "rule limit when count(allowed) since ok >= {} throttle retry 30 s\n"
RULE: Final = "rule a when size > 2 allow\n"
OPEN: Final = MACHINE.format(m="m", more=CLOSES)

PAIRS: Final = {
    "a window in other words": _of(WITHIN.format("5 min"), WITHIN.format("300 s")),
    "a window widened": _of(WITHIN.format("5 min"), WITHIN.format("10 min"), "looser"),
    "a window narrowed": _of(WITHIN.format("5 min"), WITHIN.format("299999 ms"), "stricter"),
    "a longer window beside": _of(
        RULE + "rule b when bad within 1 min deny overrides a\n",
        RULE
        + "rule b when bad within 1 min deny overrides a\n"
        + "rule c when count(bad) in 1 h >= 2 and bad within 1 min and size > 4 deny overrides a\n",
    ),
    "a limit raised": _of(LIMIT.format("bad", 3), LIMIT.format("bad", 5), "looser"),
    "a limit lowered": _of(LIMIT.format("bad", 3), LIMIT.format("bad", 2), "stricter"),
    "a limit on what was allowed, in other words": _of(
        LIMIT.format("allowed", 4), LIMIT.format("allowed", "1 + 3")
    ),
    "a limit on what was allowed raised": _of(
        LIMIT.format("allowed", 2), LIMIT.format("allowed", 3), "looser", default="default allow"
    ),
    "a limit on what was allowed lowered by two": _of(
        LIMIT.format("allowed", 4), LIMIT.format("allowed", 2), "stricter", default="default allow"
    ),
    "a limit on what was allowed since an event raised": _of(
        SINCE.format(2), SINCE.format(3), "looser", default="default allow"
    ),
    "a machine renamed": _of(OPEN, MACHINE.format(m="fuse", more=CLOSES)),
    "a transition dropped": _of(OPEN, MACHINE.format(m="m", more=""), "looser", "stricter"),
    "a state that is not left as soon": _of(
        OPEN, OPEN.replace("after 30 s", "after 31 s"), "looser", "stricter"
    ),
    "a rule behind a state": _of(
        OPEN, OPEN + "rule probe when m is half and size > 5 deny overrides run\n", "stricter"
    ),
    "a name for a condition": _of(
        "rule a when ok within 5 min and size > 2 allow\n",
        "let lately = ok within 5 min\nrule a when lately and size > 2 allow\n",
    ),
    "what two keys do together": _of(
        RULE + "rule b when count(deletion) in 10 min >= 2 deny overrides a\n",
        RULE + "rule b when count(deletion per resource) in 10 min >= 2 deny overrides a\n",
        "looser",
        "stricter",
        "other",
    ),
    "a condition that holds for longer": _of(
        RULE + "rule b when (fresh(load, 1 min) and load > 50) for 5 s deny overrides a\n",
        RULE + "rule b when (fresh(load, 1 min) and load > 50) for 9 s deny overrides a\n",
        "looser",
        "other",
    ),
    "a clock that rules ask for": _of(
        RULE + "rule b when bad within 1 min deny overrides a\n",
        RULE
        + "rule b when bad within 1 min deny overrides a\n"
        + "rule c when clock_fault and size > 8 deny overrides a\n",
        "looser",
        "other",
    ),
    "levels that are earned sooner": _agent(
        LEVELS.format(n=3, d="1 d"), LEVELS.format(n=2, d="1 d"), "looser"
    ),
    "levels that are lost for longer": _agent(
        LEVELS.format(n=2, d="1 d"), LEVELS.format(n=2, d="2 d"), "stricter"
    ),
    "a contract that one event more revokes": _agent(
        CONTRACT.format(hours=2, revoke="violation"),
        CONTRACT.format(hours=2, revoke="violation, leak"),
        "looser",
        "stricter",
        "other",
    ),
    "an event added": Versions(
        HEADER.format(default="default deny") + RULE,
        HEADER.format(default="default deny") + "event zap\n" + RULE
        + "rule z when zap within 1 s deny overrides a\n",
        frozenset({"stricter", "other"}),
        ("the event `zap` was added",),
    ),
    "a range widened": Versions(
        HEADER.format(default="default deny") + RULE
        + "rule b when bad within 1 min deny overrides a\n",
        HEADER.format(default="default deny").replace("0..9", "0..10") + RULE
        + "rule b when bad within 1 min deny overrides a\n",
        frozenset({"looser", "other"}),
        ("the declaration of `size` changed",),
    ),
    "rules over single requests before": _of(
        RULE, RULE + "rule b when bad within 1 min deny overrides a\n", "stricter", "other"
    ),
}  # fmt: skip
