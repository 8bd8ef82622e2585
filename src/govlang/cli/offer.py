"""What a start names, held against the active policy: a bundle and parameters in; what is to be published out.

What always holds: it is weighed before a start is recorded, and published after; one that does not follow the active
policy ends the start, and if it is looser it is on the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from govlang.native.errors import CodedError

if TYPE_CHECKING:
    from govlang.runtime.bundle import Bundle
    from govlang.runtime.control.answer import Answer
    from govlang.runtime.control.publishing import Weighed
    from govlang.runtime.control.service import Service

WHO: Final = "the command line"
"""Who publishes what a start names, in the record."""


async def offer(
    service: Service, bundle: bytes | None, params: Mapping[str, Any], allow_looser: str | None
) -> Weighed | None:
    """The bundle and the parameters that were named, weighed, if others are active; before `start`.

    Raises:
        CodedError: GOV616, they do not follow the active policy; one that is looser is on the record then.
    """
    from govlang.runtime.control.answer import Answer
    from govlang.runtime.control.publishing import put_in_place

    if not service.differs(bundle, params):
        return None

    def comparing(found: Bundle) -> None:
        active = service.judge.policy
        click.echo(
            f"comparing  {active.name} {found.manifest.version} with {active.version}, which is active: is it nowhere "
            "looser? It takes a while; `--allow-looser REASON` skips it"
        )

    weighed = await service.weigh(
        bundle or service.active_bundle(),
        allow_looser=allow_looser is not None,
        reason=allow_looser or "given at the start",
        params=params,
        comparing=comparing,
    )
    if isinstance(weighed, Answer):
        raise _unfollowing(weighed)
    if weighed.looser is not None:
        loading = service.office.loading
        raise _unfollowing(
            service.before_start(lambda turn: put_in_place(turn, loading, weighed, WHO))
        )
    unfit = service.unfit(weighed)
    if unfit is not None:
        raise _unfollowing(unfit)
    return weighed


async def adopt(service: Service, offered: Weighed | None) -> None:
    """Publish what may follow the active policy."""
    if offered is None:
        return
    answer = await service.put_in_place(WHO, offered)
    if answer.status != 200:
        raise _unfollowing(answer)


def _unfollowing(answer: Answer) -> CodedError:
    """Why the bundle was not published, and the way out, which is another where it is of another policy."""
    assert isinstance(answer.body, dict)
    why, ways = answer.body["detail"], "give a bundle that `gov build` has made"
    match answer.body["code"]:
        case "other_policy":
            ways = "give `--data` a directory of its own, or leave BUNDLE out to serve the active policy"
        case "looser_policy":
            steps = [one["step"] for one in answer.body.get("examples", ()) if one["step"]]
            why += f", as on {json.dumps(steps[0])}" if steps else ""
            ways = (
                "leave it out to serve the active policy, or say why with `--allow-looser REASON`"
            )
    return CodedError("GOV616", f"the bundle does not follow the active policy: {why}", ways)
