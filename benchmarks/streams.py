"""Streams of requests for a generated workload: shuffled, distinct, half of them met by a rule.

Goes in: the workload, its index, a count and a seed. Comes out: a list of requests in an order and a number
(64 Ki and more for timing) that a branch predictor cannot learn.
"""

from __future__ import annotations

import json
import random

from benchmarks.index import CellIndex
from benchmarks.model import (
    NO_RULE,
    Between,
    Choice,
    Equals,
    Field,
    HasAny,
    Labels,
    Number,
    OneOf,
    Request,
    Rule,
    StartsWith,
    SumAtLeast,
    SumAtMost,
    Text,
    Value,
    Workload,
)

TRIES = 60


def request_stream(workload: Workload, index: CellIndex, count: int, seed: int) -> list[Request]:
    """`count` requests, every second one (before shuffling) met by a rule."""
    rng = random.Random(seed)
    texts = known_texts(workload)
    stream = [one(workload, index, texts, rng, hit=number % 2 == 0) for number in range(count)]
    rng.shuffle(stream)
    return laid_out(stream)


def laid_out(stream: list[Request]) -> list[Request]:
    """The same requests made anew in their order, so that shuffling them does not scatter them in memory."""
    made: list[Request] = json.loads(json.dumps(stream))
    return made


def one(
    workload: Workload,
    index: CellIndex,
    texts: dict[str, list[str]],
    rng: random.Random,
    *,
    hit: bool,
) -> Request:
    """A request that a rule meets, or that none does; the last try stands if luck fails."""
    request: Request = {}
    for _ in range(TRIES):
        request = drawn(workload, texts, rng)
        if hit:
            aim(request, rng.choice(workload.rules), workload, rng)
        if (index.decide(request) != NO_RULE) == hit:
            break
    return request


def known_texts(workload: Workload) -> dict[str, list[str]]:
    """The texts that rules name, for each text field, and a few that none does."""
    texts: dict[str, list[str]] = {f.name: [] for f in workload.fields if isinstance(f, Text)}
    for rule in workload.rules:
        for part in rule.conditions:
            match part:
                case Equals(name, value) if name in texts:
                    texts[name].append(value)
                case StartsWith(name, prefix) if name in texts:
                    texts[name].append(f"{prefix}.elsewhere")
                case _:
                    pass
    return {name: [*sorted(set(values)), "stranger.unknown"] for name, values in texts.items()}


def drawn(workload: Workload, texts: dict[str, list[str]], rng: random.Random) -> Request:
    """A request from the whole space; forbidden labels are rare."""
    return {f.name: value_of(f, texts, rng) for f in workload.fields}


def value_of(field: Field, texts: dict[str, list[str]], rng: random.Random) -> Value:
    """A value of the field."""
    match field:
        case Number(_, lo, hi):
            return rng.randint(lo, hi)
        case Choice(_, members):
            return rng.choice(members)
        case Text(name):
            return rng.choice(texts[name])
        case Labels(_, members):
            usual = members[:-1] if rng.random() < 0.99 else members
            return sorted(rng.sample(usual, rng.randint(0, 3)))


def aim(request: Request, rule: Rule, workload: Workload, rng: random.Random) -> None:
    """Changes the request so that it most likely meets the rule."""
    for part in rule.conditions:
        match part:
            case Equals(name, value):
                request[name] = value
            case OneOf(name, values):
                request[name] = rng.choice(values)
            case Between(name, lo, hi):
                request[name] = rng.randint(lo, hi)
            case SumAtMost(names, bound):
                aim_low(request, names, bound, workload, rng)
            case SumAtLeast(names, _):
                for name in names:
                    request[name] = rng.randint(*top_of(workload.field(name)))
            case HasAny(name, members):
                request[name] = [rng.choice(members)]
            case StartsWith(name, prefix):
                request[name] = f"{prefix}.elsewhere"


def aim_low(
    request: Request, names: tuple[str, ...], bound: int, workload: Workload, rng: random.Random
) -> None:
    """Draws the summed fields so small that they tend to stay below the bound."""
    for name in names:
        field = workload.field(name)
        if isinstance(field, Number) and field.hi > bound // 2:
            request[name] = rng.randint(field.lo, min(field.hi, max(field.lo, bound // len(names))))


def top_of(field: Field) -> tuple[int, int]:
    """The uppermost tenth of a number's range."""
    if not isinstance(field, Number):
        message = f"`{field.name}` must be a number"
        raise TypeError(message)
    return field.hi - (field.hi - field.lo) // 10, field.hi
