"""Requests as hosts send them, sound and spoilt, with what the interpreter says of each.

In: a policy, its parameters, a seed.  Out: cases.  What always holds: a case's outcome is the
interpreter's for the request as `native/request.py` reads it, so a host that reads otherwise differs.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ir_requests import Requests

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome, decide, invalid_outcome
from govlang.compiler.requests import write_request
from govlang.native.request import InvalidFieldError, read_request
from govlang.runtime.decision import as_json
from govlang.runtime.edge import EdgeOutcome

ODD: tuple[Any, ...] = (
    *(None, True, False, "", "x", "a" * 41, "\ud800", "ä\u0000", "..", "a//b", "a\\b", "\u200b"),
    *([], {}, ["x"], [1], {"a": 1}, ["write", "write"]),
    *(0, 1, -1, 7, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, 10**30, -(10**24)),
    *(0.5, 0.1 + 0.2, 1e-9, -0.0, 1e22, 1e300, -1e300, 5e-324, 1e16, 0.25, -2.5, 1.05),
    *(float("inf"), float("-inf"), float("nan")),
)
"""Values that few fields can take."""


NAMESAKES = ir.Policy(
    "namesakes",
    "1.0.0",
    1,
    ir.Combine.STRICT,
    ir.Default.ALLOW,
    (
        ir.Field("decide", ir.Kind.NUMBER, 0, 9),
        ir.Field("text", ir.Kind.NUMBER, -(2**63), 2**63 - 1, optional=True),
        ir.Field("memory", ir.Kind.TEXT, max_bytes=9),
        ir.Field("commit", ir.Kind.TEXT, max_bytes=9, optional=True),
    ),
    (
        ir.Rule("few", ir.InRanges("decide", ((0, 4),)), ir.Effect.DENY),
        ir.Rule(
            "below",
            ir.And((ir.Has("text"), ir.InRanges("text", ((-(2**63), -1),)))),
            ir.Effect.DENY,
        ),
        ir.Rule(
            "twins",
            ir.And((ir.Has("commit"), ir.TextEqual("commit", "memory"))),
            ir.Effect.THROTTLE,
        ),
    ),
)
"""A policy whose fields are called as a module calls its own exports."""


_OUTPUTS = tuple(ir.Field(f"o{n}", ir.Kind.NUMBER, 0, 999, 1, 10) for n in range(70))
_TIMES = (None, 5, 9)
CROWD = ir.Policy(
    "crowd",
    "1.0.0",
    1,
    ir.Combine.MOST_RESTRICTIVE,
    ir.Default.ALLOW,
    tuple(ir.Field(f"f{n}", ir.Kind.BOOL, 0, 1) for n in range(70)),
    tuple(
        ir.Rule(
            f"r{n}",
            ir.InRanges(f"f{n}", ((1, 1),)),
            ir.Effect.THROTTLE if n % 9 == 0 else ir.Effect.LIMIT,
            limits=(ir.Limit(f"o{n}", ir.IntConst(n % 3), ir.IntConst(n + 9)),),
            dos=(ir.Do("call", (ir.IntConst(n // 2),), _TIMES[n % 3]),),
            remedy=ir.Remedy(f"leave f{n} out"),
        )
        for n in range(70)
    ),
    outputs=_OUTPUTS,
    actions=(ir.Action("call", (ir.Field("who", ir.Kind.NUMBER, 0, 99),)),),
)
"""A policy with more limits, duties and remedies than a word has bits; of a duty there are two times."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request with the host's part, and what the interpreter says of it."""

    request: dict[str, Any]
    runtime: dict[str, Any]
    expected: Outcome


def cases_of(
    policy: ir.Policy, params: Mapping[str, int], rng: random.Random, count: int
) -> Iterator[Case]:
    """Cases of a policy, about a third of them spoilt; numbers are ints and doubles."""
    source = Requests(policy)
    for _ in range(count):
        request, runtime = (_numbers(p) for p in write_request(policy, source.request(rng)))
        if rng.random() < 0.35:
            _spoil(rng, policy, request, runtime)
        yield Case(request, runtime, _outcome(policy, params, request, runtime))


def _outcome(
    policy: ir.Policy, params: Mapping[str, int], request: dict[str, Any], runtime: dict[str, Any]
) -> Outcome:
    try:
        values = read_request(policy.fields, request, runtime)
    except InvalidFieldError as error:
        return invalid_outcome(None, str(error))
    return decide(policy, params, values)


def _numbers(part: Mapping[str, Any]) -> dict[str, Any]:
    return {k: float(v) if isinstance(v, Decimal) else v for k, v in part.items()}


def _spoil(
    rng: random.Random, policy: ir.Policy, request: dict[str, Any], runtime: dict[str, Any]
) -> None:
    """Leave out, make up, forge or change a field."""
    name = rng.choice(policy.fields).name
    part = request if name in request or rng.random() < 0.3 else runtime
    match rng.randrange(8):
        case 0:
            part.pop(name, None)
        case 1:
            part[rng.choice(("none", "approved", "decide", "__proto__", "\u001b[0m", "é"))] = 1
        case 2:
            request[name] = runtime.get(name, _odd(rng))
        case _:
            part[name] = _odd(rng)


def _odd(rng: random.Random) -> Any:
    """An odd value; a whole double as the integer that JavaScript takes it for."""
    odd = rng.choice(ODD)
    return int(odd) if isinstance(odd, float) and odd.is_integer() else odd


# --- outcomes ------------------------------------------------------------------------------------


def said(outcome: Outcome) -> dict[str, Any]:
    """What the interpreter says as JSON; obligations as a set."""
    return {
        "decision": outcome.decision.word,
        "rule_id": outcome.rule_id,
        "reason": outcome.reason,
        "obligations": distinct(outcome.obligations),
    }


def told(outcome: EdgeOutcome) -> dict[str, Any]:
    """What a module says in a Python host, in the form of `said`."""
    return {
        "decision": outcome.decision.value,
        "rule_id": outcome.rule_id,
        "reason": outcome.reason,
        "obligations": distinct(outcome.obligations),
    }


def distinct(found: Iterable[dict[str, Any]]) -> list[str]:
    """Obligations as a set of JSON texts."""
    return sorted({json.dumps(as_json(one), sort_keys=True) for one in found})
