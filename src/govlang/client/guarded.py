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
        CodedError: GOV684, the guard cannot be built; here, never when the function is called.
    """
    road_of(policy, gateway)
    mapped = request if isinstance(request, Mapping) else {}
    kept = dict(mapped) if limits is None else dict(limits)

    def wrap(function: F) -> F:
        _check_function(function, {*mapped.values(), *kept.values()})
        signature = inspect.signature(function)

        def ask(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Asked:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            if callable(request):
                fields = request(*args, **kwargs)
            else:
                fields = {name: bound.arguments[p] for name, p in mapped.items()}
            asked = _Asked(bound, kept)
            asked.block = guard(
                topic,
                {**(fixed or {}), **fields},
                policy,
                gateway,
                tuple(kept),
                actions or {},
                None if payload is None else payload(*args, **kwargs),
                topic_field,
                asked.prepare,
            )
            return asked

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            asked = ask(args, kwargs)
            with asked.block as permit:
                value = function(*asked.bound.args, **asked.bound.kwargs)
                permit.output = _output(report, value, permit.output)
                return value

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            asked = ask(args, kwargs)
            async with asked.block as permit:
                work = function(*asked.bound.args, **asked.bound.kwargs)
                value = await _heeding(work, permit)
                permit.output = _output(report, value, permit.output)
                return value

        return cast("F", run_async if inspect.iscoroutinefunction(function) else run)

    return wrap


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
