"""`guarded`: a Python function that runs only when the policy lets it.

In: a function, and how its arguments make a request.  Out: a function of the same signature, whose body runs under a
permit, with limits applied to its arguments.

What always holds: see `block.py`; a limit on what is no argument is a refusal.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from govlang.client.block import Fields, guard, road_of, unusable
from govlang.client.client import GovClient
from govlang.client.duties import Action, Duties, within
from govlang.client.errors import Denied
from govlang.client.leased import ThroughGateway
from govlang.client.local import Decides, InProcess
from govlang.client.permit import Permit
from govlang.client.road import LOG

F = TypeVar("F", bound=Callable[..., Any])

LOOK_S: Final = 0.2
"""How often a coroutine under a lease is looked at for having been cancelled."""

_NAMED: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


def guarded(
    topic: str,
    *,
    request: Callable[..., Fields] | Mapping[str, str] | None = None,
    fixed: Fields | None = None,
    policy: Decides | InProcess | None = None,
    gateway: GovClient | ThroughGateway | None = None,
    limits: Mapping[str, str] | None = None,
    actions: Mapping[str, Action] | None = None,
    payload: Callable[..., Any] | None = None,
    report: Callable[[Any], Any] | None = None,
    topic_field: str | None = "topic",
) -> Callable[[F], F]:
    """Let a function (also a coroutine function) run only when the policy lets it.

    `request`: the fields, as a mapping from fields to the function's parameters, or a callable of the same
    arguments; `fixed`: fields that are always the same; `topic` is added as `topic_field` (None: the policy has none).
    `limits`: from fields to the parameters to which a limit is applied; left out, those of `request`.  `payload`: what
    else belongs to the job, of the same arguments.  `report`: what of the function's value is stored as the output.

    Raises:
        CodedError: GOV684, the guard cannot be built; when the function is called only if what it returns is a
            coroutine or a generator, whose body would run after the guard has ended (it is closed, and does not run).
    """
    road_of(policy, gateway)
    mapped = request if isinstance(request, Mapping) else {}
    asked = request if callable(request) else None
    kept = dict(mapped if limits is None else limits)
    always, done = fixed or {}, actions or {}
    made = _Guarding(
        topic, asked, mapped, always, policy, gateway, kept, done, payload, report, topic_field
    )

    def wrap(function: F) -> F:
        _check_function(function, {*made.mapped.values(), *made.kept.values()})
        whole = made.run_async if inspect.iscoroutinefunction(function) else made.run
        return cast("F", whole(function, inspect.signature(function)))

    return wrap


@dataclass(frozen=True, slots=True)
class _Guarding:
    """What `guarded` was told; makes functions that run under a guard."""

    topic: str
    request: Callable[..., Fields] | None
    mapped: Mapping[str, str]
    fixed: Fields
    policy: Decides | InProcess | None
    gateway: GovClient | ThroughGateway | None
    kept: Mapping[str, str]
    actions: Mapping[str, Action]
    payload: Callable[..., Any] | None
    report: Callable[[Any], Any] | None
    topic_field: str | None

    def run(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        """The function under its guard."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            asked = self._ask(signature, args, kwargs)
            with asked.block as permit:
                value = _whole(function(*asked.bound.args, **asked.bound.kwargs))
                permit.output = _output(self.report, value, permit.output)
                return value

        return run

    def run_async(
        self, function: Callable[..., Any], signature: inspect.Signature
    ) -> Callable[..., Any]:
        """The coroutine function under its guard."""

        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            asked = self._ask(signature, args, kwargs)
            async with asked.block as permit:
                work = function(*asked.bound.args, **asked.bound.kwargs)
                value = _whole(await _heeding(work, permit))
                permit.output = _output(self.report, value, permit.output)
                return value

        return run

    def _ask(
        self, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _Asked:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if self.request is not None:
            fields = self.request(*args, **kwargs)
        else:
            fields = {name: bound.arguments[p] for name, p in self.mapped.items()}
        asked = _Asked(bound, self.kept)
        asked.block = guard(
            self.topic,
            {**self.fixed, **fields},
            self.policy,
            self.gateway,
            tuple(self.kept),
            self.actions,
            None if self.payload is None else self.payload(*args, **kwargs),
            self.topic_field,
            asked.prepare,
        )
        return asked


@dataclass(slots=True)
class _Asked:
    """One call: its arguments, and the block that it runs in."""

    bound: inspect.BoundArguments
    kept: Mapping[str, str]
    original: dict[str, Any] = field(default_factory=dict)
    block: guard = field(init=False)

    def __post_init__(self) -> None:
        self.original = dict(self.bound.arguments)

    def prepare(self, duties: Duties) -> None:
        """Put the arguments into the limits; raises Denied where that cannot be."""
        limited = dict(self.original)
        for name, to in duties.limits.items():
            limited[self.kept[name]] = within(limited[self.kept[name]], to)
        self.bound.arguments.update(limited)


def _check_function(function: Callable[..., Any], named: set[str]) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise unusable("a generator cannot be guarded: its body runs after the guard has ended")
    parameters = inspect.signature(function).parameters
    for name in sorted(named):
        if name not in parameters or parameters[name].kind not in _NAMED:
            raise unusable(f"`{getattr(function, '__name__', function)}` has no parameter `{name}`")


def _whole(value: Any) -> Any:
    """A value that is there; what would only run later is closed and refused, as the guard has ended then."""
    if inspect.isasyncgen(value):
        raise _late("an asynchronous generator")  # not begun, it holds nothing
    if inspect.isgenerator(value) or inspect.iscoroutine(value):
        kind = "a generator" if inspect.isgenerator(value) else "a coroutine"
        value.close()
        raise _late(kind)
    if inspect.isawaitable(value):
        if isinstance(value, asyncio.Future):
            value.cancel()
        raise _late("an awaitable")
    return value


def _late(kind: str) -> Exception:
    return unusable(
        f"the guarded function returned {kind}, whose body runs after the guard has ended: "
        "guard the function whose body it is, as `async def` or plain"
    )


def _output(report: Callable[[Any], Any] | None, value: Any, given: Any) -> Any:
    """What is reported of a value; the work is done, so a fault in reporting is only told."""
    if report is None:
        return given
    try:
        return report(value)
    except Exception as error:  # noqa: BLE001  # the caller's, and the value is there
        LOG.warning("the output of a guarded call was not reported: %s", type(error).__name__)
        return given


async def _heeding(work: Coroutine[Any, Any, Any], permit: Permit) -> Any:
    """The value of a coroutine, which is cancelled when its permit is."""
    if permit.job_id is None:
        return await work
    task = asyncio.ensure_future(work)
    try:
        while not task.done() and not permit.cancelled.is_set():
            await asyncio.wait({task}, timeout=LOOK_S)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if task.cancelled():
        members = {"job_id": permit.job_id}
        raise Denied("cancelled", 0, "the job was cancelled while it ran", members)
    return task.result()
