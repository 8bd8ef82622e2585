"""What a policy check elsewhere says, read to the last member: the bytes of an answer in, a verdict out.

In: the body of its answer.  Out: a `Verdict` in which every obligation has the shape that the gates rely on.  What
always holds: the model is closed; a member that is not known, a number that is none, a text that no record holds and a
decision without the obligation that gives it its meaning make the whole answer unreadable, and nothing is guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from govlang.native.request import legible
from govlang.runtime.control.verdict import INVALID, CheckUnavailableError, Verdict
from govlang.runtime.decision import Decision
from govlang.runtime.evidence.record import written
from govlang.runtime.json_request import DuplicateKeyError, JsonError, read_json
from govlang.runtime.policy import Policy

MS_MAX: Final = 2**53 - 1
"""The longest time in ms that every reader of JSON reads alike (RFC 7493)."""

UNREADABLE: Final = "gave an answer that cannot be read"

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Hash = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Millis = Annotated[int, Field(ge=0, le=MS_MAX)]
Number = int | float


class Closed(BaseModel):
    """Nothing that is not declared, nothing that is turned into another type.

    A member with a default may be left out, and is never null.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Do(Closed):
    """An action of whoever carries it out."""

    do: Name
    args: dict[Name, Any] = Field(default_factory=dict)
    for_ms: Millis = 0


class Limit(Closed):
    """A range for a field or an output."""

    limit: Name
    from_: Number = Field(-math.inf, alias="from")
    to: Number

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.from_ > self.to:
            raise ValueError("no number is in it")
        return self


class Require(Closed):
    """The roles that must approve."""

    require: Annotated[list[Name], Field(min_length=1, max_length=64)]
    expires_ms: Annotated[int, Field(ge=1, le=MS_MAX)] = 1


class Retry(Closed):
    """After how long to ask again."""

    retry_ms: Millis


class Remedy(Closed):
    """What the caller may do instead."""

    remedy: Text
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with")


NEEDED: Final[Mapping[Decision, type[Closed]]] = {
    Decision.LIMIT: Limit,
    Decision.REQUIRE_HUMAN: Require,
}
"""The obligation without which a decision says nothing that could be obeyed."""


class Said(Closed):
    """An answer of `POST /v1/policy/evaluate`."""

    decision: Annotated[str, AfterValidator(Decision)]
    rule_id: Name
    reason: Text
    obligations: Annotated[list[Do | Limit | Require | Retry | Remedy], Field(max_length=1000)]
    matched: list[Name]
    policy_snapshot: Hash
    params_hash: Hash

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        needed = NEEDED.get(Decision(self.decision))
        if needed is not None and not any(isinstance(one, needed) for one in self.obligations):
            raise ValueError(f"{self.decision} without {needed.__name__}")
        return self


def verdict_of(content: bytes, runtime: Mapping[str, Any], of: str, here: Policy) -> Verdict:
    """The verdict that an answer is.

    Raises:
        CheckUnavailableError: it cannot be read.
    """
    del here
    plain = _plain(content)
    try:
        said = Said.model_validate(plain)
    except ValidationError:
        raise CheckUnavailableError(UNREADABLE) from None
    decision = Decision(said.decision)
    return Verdict(
        decision=decision,
        rule_id=said.rule_id,
        reason=said.reason,
        obligations=tuple(plain["obligations"]),
        matched=tuple(said.matched),
        policy_snapshot=said.policy_snapshot,
        params_hash=said.params_hash,
        before=decision,
        before_rule=said.rule_id,
        of=of,
        runtime=written(runtime),
    )


def refusal_of(content: bytes, runtime: Mapping[str, Any], of: str, here: Policy) -> Verdict:
    """The verdict on a request that the check elsewhere cannot read: it is an answer, and no fault of its.

    A refusal names no policy, so the record names the one here.

    Raises:
        CheckUnavailableError: it refuses for another reason, or cannot be read.
    """
    plain = _plain(content)
    code, why = (plain.get(name) for name in ("code", "detail"))
    if not isinstance(code, str) or not isinstance(why, str):
        raise CheckUnavailableError(UNREADABLE)
    if code != INVALID:
        raise CheckUnavailableError(f"refuses to answer: `{legible(code, 60)}`")
    return Verdict(
        decision=Decision.DENY,
        rule_id=INVALID,
        reason=why,
        obligations=(),
        matched=(),
        policy_snapshot=here.snapshot,
        params_hash=here.params_hash,
        before=Decision.DENY,
        before_rule=INVALID,
        of=of,
        runtime=written(runtime),
    )


def _plain(content: bytes) -> dict[str, Any]:
    """The object that the bytes are, in numbers and texts that every store and record holds.

    Raises:
        CheckUnavailableError: they are none.
    """
    try:
        read_json(content)  # for what it refuses: a key given twice
        plain = json.loads(content)
        json.dumps(plain, allow_nan=False, ensure_ascii=False).encode()
    except (JsonError, DuplicateKeyError, ValueError, RecursionError):
        raise CheckUnavailableError(UNREADABLE) from None
    if not isinstance(plain, dict):
        raise CheckUnavailableError(UNREADABLE)
    return plain
