"""The policy that the tests of clients and workers put behind a gateway, and in process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tables import table_bytes

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.runtime.policy import Policy

OPS = """language 1
policy ops version "1.0.0"
default deny

action notify { team : one of sre, finance }

input {
  agent       : key
  topic       : text
  environment : one of production, staging
  size        : number in 0..100 step 0.5
}

output speed : number in 0..9

event success after dispatched
event failure after dispatched

tiers safety, business

tier business {
  rule ordinary when topic like "infra.*" allow
}

tier safety {
  rule gated
    when topic == "infra.delete" and environment is production
    require human from "sre" expires 15 min
    because "A person looks first"
  rule wide when topic == "infra.copy" and size > 10 limit size to 10
  rule slowly when topic == "infra.move" limit speed to 2
  rule told when topic == "infra.audit" allow and do notify(team = sre) for 10 min
  rule kept_out when topic == "infra.drop" deny and do notify(team = finance) because "Never here"
  rule burst when topic == "infra.burst" throttle retry 30 s
  rule failing when count(failure) since success >= 2 and topic == "infra.call" deny
}
"""


@lru_cache(maxsize=4)
def compiled(text: str = OPS) -> bytes:
    """The table of a policy."""
    return table_bytes(compile_source(Source("ops.gov", text)).policy)


def ops_policy() -> Policy:
    """The policy, with nothing remembered."""
    return Policy(compiled())


def asked(topic: str, **fields: Any) -> dict[str, Any]:
    """A request that the policy can read."""
    return {"agent": "a1", "topic": topic, "environment": "staging", "size": 1, **fields}
