"""`guard`: a block of Python that runs only when the policy lets it.

In: what is asked (a topic and fields), who decides (a `Policy` in process, or a gateway), and what is kept to here
(limits, actions).  Out: a permit, or a `GovError` and the block has not run.

What always holds: the block begins only after the policy allowed it, every limit is kept to, every action was carried
out, and the start was acknowledged.  Any doubt on the way is a refusal.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from contextvars import Token
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any

from govlang.client.client import GovClient
from govlang.client.duties import Action, Duties, carry_out, check_duties, impossible, within
from govlang.client.errors import Denied, GovError
from govlang.client.leased import ThroughGateway
from govlang.client.local import Decides, InProcess
from govlang.client.permit import CURRENT, Permit
from govlang.client.road import Admitted, Road
from govlang.client.waiting import in_thread
from govlang.native.errors import CodedError

Fields = Mapping[str, Any]


@dataclass(slots=True)
class guard:  # noqa: N801  # reads like a statement: `with guard(…) as permit`
    """A block that runs only when the policy lets it: `with guard("infra.delete", {…}, policy=…) as permit`.

    `request`: the fields; whatever they hold, the field `topic_field` is `topic` (None: the policy has no such field).
    `accepts`: the limits that the block keeps to (by `permit.request` and `permit.limits`); one on anything else is a
    refusal.  `actions`: what carries out the policy's `do`.  `payload`: part of the job, where a gateway decides.
    `prepare` is given the obligations before anything is done, and may refuse.

    Raises:
        GovError: on entering; the block has not run.
        CodedError: GOV684, not exactly one of `policy` and `gateway` is given.
    """

    topic: str
    request: Fields
    policy: Decides | InProcess | None = None
    gateway: GovClient | ThroughGateway | None = None
    accepts: Collection[str] = ()
    actions: Mapping[str, Action] = field(default_factory=dict)
    payload: Any = None
    topic_field: str | None = "topic"
    prepare: Callable[[Duties], None] | None = None
    _held: Admitted | None = None
    _permit: Permit | None = None
    _token: Token[Permit | None] | None = None
    _given_up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        road_of(self.policy, self.gateway)

    def __enter__(self) -> Permit:
        return self._enter(self.admit())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()
        self.report(error)

    async def __aenter__(self) -> Permit:
        try:
            return self._enter(await in_thread(self.admit, self._abandon))
        except asyncio.CancelledError:
            self._given_up.set()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()
        await in_thread(lambda: self.report(error), _nothing)

    def admit(self) -> Permit:
        """Ask, keep to what was asked for, and begin."""
        if self._held is not None:
            raise unusable("a guard holds one permit at a time: make another one")
        road = road_of(self.policy, self.gateway)
        own = {} if self.topic_field is None else {self.topic_field: self.topic}
        request = {**self.request, **own}
        try:
            held = road.admit(
                request, self.payload, self._check, tuple(self.actions), self._given_up
            )
        except GovError as error:
            self._heed(error)
            raise
        try:
            self._compare(request, held)
            carry_out(held.duties, self.actions)
            held.begin()
        except BaseException as error:
            held.withdraw(type(error).__name__)
            raise
        self._held = held
        self._permit = Permit(
            _limited(held),
            held.duties.limits,
            held.decision,
            held.rule_id,
            held.job_id,
            held.cancelled,
        )
        return self._permit

    def report(self, error: BaseException | None) -> None:
        """Report how it ended; once."""
        held, permit, self._held = self._held, self._permit, None
        if held is None or permit is None:
            return
        held.succeed(permit) if error is None else held.fail(permit, error)

    def _enter(self, permit: Permit) -> Permit:
        self._token = CURRENT.set(permit)
        return permit

    def _leave(self) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None

    def _abandon(self) -> None:
        """The permit came when nobody waited for it any more."""
        self.report(asyncio.CancelledError("nobody waits for it any more"))

    def _check(self, duties: Duties) -> None:
        check_duties(duties, self.accepts, self.actions)
        if self.prepare is not None:
            self.prepare(duties)

    def _compare(self, asked: Fields, held: Admitted) -> None:
        """Demand that what may run is what was asked for, but for limits that are kept to."""
        for name in {*asked, *held.request}:
            there = name in asked and name in held.request
            if there and _same(asked[name], held.request[name]):
                continue
            if not there or name not in self.accepts or name not in held.duties.limits:
                raise impossible(
                    f"`{name}` is not what was asked for, and nothing here keeps to it"
                )

    def _heed(self, error: GovError) -> None:
        """Carry out what a refusal asks for (`deny … do isolate`), as far as it is known how."""
        listed = (error.decision or {}).get("obligations", ())
        known = [dict(one) for one in listed if isinstance(one, Mapping)]
        due = tuple(one for one in known if one.get("do") in self.actions)
        try:
            carry_out(Duties({}, due), self.actions)
        except Denied as failed:
            error.add_note(failed.detail)


def road_of(policy: Decides | InProcess | None, gateway: GovClient | ThroughGateway | None) -> Road:
    """Who decides.

    Raises:
        CodedError: GOV684, nobody, or both.
    """
    if (policy is None) == (gateway is None):
        raise unusable("a guard needs either `policy` or `gateway`, not both and not neither")
    if isinstance(gateway, ThroughGateway):
        return gateway
    if gateway is not None:
        return ThroughGateway(gateway)
    assert policy is not None
    return policy if isinstance(policy, InProcess) else InProcess(policy)


def unusable(why: str) -> CodedError:
    """A guard that cannot be built."""
    return CodedError("GOV684", why, "`gov help GOV684` shows one that can")


def _nothing() -> None:
    """What is abandoned of a report: nothing, it goes on in its thread."""


def _same(asked: Any, found: Any) -> bool:
    """Whether two values are one in JSON."""
    if isinstance(asked, set | frozenset) and isinstance(found, list | set | frozenset):
        return len(asked) == len(found) and set(asked) == set(found)
    if isinstance(asked, list | tuple) and isinstance(found, list | tuple):
        return len(asked) == len(found) and all(map(_same, asked, found))
    if isinstance(asked, bool) or isinstance(found, bool):
        return asked is found
    if isinstance(asked, Decimal) and isinstance(found, float):
        return float(asked) == found
    return bool(asked == found)


def _limited(held: Admitted) -> Fields:
    """The request with its limits applied; a gateway has done so already."""
    kept = {
        name: within(held.request[name], to)
        for name, to in held.duties.limits.items()
        if name in held.request
    }
    return {**held.request, **kept}
