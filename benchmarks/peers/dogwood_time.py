"""Dogwood: the rules of `both_times.gov` as Cedar policies with temporal conditions.

Its clock counts seconds, windows are closed at both ends, events at one second count apart: as ours on a trace of
whole seconds. Its in-memory authorizer stamps events itself; only `replay` takes their times, from a log in text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dogwood import native

PERMIT: Final = """
@id("approved") permit (principal, action == Agent::Action::"call", resource)
when temporal { formerly within 30m (Agent::Action::"approval"::request{ input.agent: context.input.agent }) };
"""
WITHIN: Final = """
@id("{name}") forbid (principal, action == Agent::Action::"call", resource)
when temporal {{ formerly within {window} (Agent::Action::"{event}"::request{{ input.agent: context.input.agent }}) }};
"""
COUNTED: Final = """
@id("{name}") forbid (principal, action == Agent::Action::"call", resource)
when temporal {{ exists (n: Long). ((count for (t: Timepoint). where (formerly within {window}
  (Agent::Action::"{event}"::request{{ input.agent: context.input.agent }} && tp(t)))) == n && n >= {count}) }};
"""
POLICY: Final = (
    PERMIT
    + WITHIN.format(name="restarted", window="10s", event="restart")
    + COUNTED.format(name="failing", window="1m", event="failure", count=3)
    + COUNTED.format(name="worn", window="10m", event="failure", count=8)
    + WITHIN.format(name="banned", window="1h", event="violation")
)
SCHEMA: Final = """
namespace Agent {
  type In = { agent: String };
  entity Gateway;
  entity User;
  action "call", "approval", "restart", "failure", "violation" appliesTo {
    principal: [User], resource: [Gateway], context: { input: In }
  };
}
"""
LINE: Final = (
    '@{at} scope(principal: Agent::User::"{agent}", resource: Agent::Gateway::"g")'
    ' request_context(input: {{ agent: "{agent}" }}) Agent::Action::"{action}"::request('
    'input: {{ agent: "{agent}" }}, callerPrincipal: Agent::User::"{agent}",'
    ' callerResource: Agent::Gateway::"g", requestId: "r")'
)


def log(events: Sequence[tuple[int, str, str | None]]) -> str:
    """Seconds, agent and event (None: a request) as a log."""
    lines = (LINE.format(at=at, agent=agent, action=name or "call") for at, agent, name in events)
    return "\n".join(lines)


def replay(text: str) -> list[bool]:
    """Whether each event of a log would be permitted."""
    said = native.replay(POLICY, SCHEMA, text, None)
    return [line.endswith("true") for line in said.splitlines()]
