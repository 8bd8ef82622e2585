"""What both clients share: where a call goes, what its answer means, and whether it is sent again.

In: a `Call`, and what came of sending it.  Out: the answer, an exception, or a number of seconds to wait.

What always holds: only what can do nothing twice is sent again, with the key it had; a `Retry-After` is kept to, or
the refusal is raised at once when it asks for more patience than there is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from govlang.client.errors import GovError, Unavailable, problem_of
from govlang.client.wire import Call

T = TypeVar("T")

CONNECT_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
PASSING: Final = frozenset((429, 500, 502, 503, 504))
"""The refusals that may have passed a moment later."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is sent at most, and how many seconds may pass between its sendings together."""

    tries: int = 4
    waits_s: float = 15.0


IMPATIENT: Final = Patience(1, 0.0)


def base_url(url: str) -> str:
    """The URL of a gateway.

    Raises:
        ValueError: it is none.
    """
    read = urlsplit(url)
    if read.scheme not in {"http", "https"} and "//" not in url:
        raise ValueError(
            f"`{url}` is no URL of a gateway, `http://` is missing: write http://{url}"
        )
    if read.scheme not in {"http", "https"} or not read.hostname or read.query or read.fragment:
        raise ValueError(f"`{url}` is no URL of a gateway: write http://HOST:PORT")
    if read.username is not None or read.password is not None:
        raise ValueError("the URL of a gateway holds no name and no password: give a token")
    return url.rstrip("/")


def headers_of(token: str | None) -> dict[str, str]:
    """The headers of every call; what stands round a token, as the line end of its file, is no part of it.

    Raises:
        ValueError: it can be no token; the text does not show it.
    """
    text = "" if token is None else token.strip()
    if any(not "!" <= one <= "~" for one in text):
        raise ValueError("the token is none: give the text `gov_…` that `gov token create` printed")
    return {"Authorization": f"Bearer {text}"} if text else {}


def arguments(call: Call[Any], timeout_s: float) -> dict[str, Any]:
    """What httpx is asked for a call."""
    headers = {"Accept": "application/json"}
    if call.content is not None:
        headers["Content-Type"] = call.content_type
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
    return {
        "method": call.method,
        "url": call.path,
        "content": call.content,
        "params": call.params or None,
        "headers": headers,
        "timeout": httpx.Timeout(timeout_s + call.extra_s, connect=min(CONNECT_S, timeout_s)),
    }


def answer_of(call: Call[T], response: httpx.Response) -> T:
    """The answer.

    Raises:
        GovError: it is a refusal, or cannot be read.
    """
    if not response.is_success:
        retry_after = response.headers.get("Retry-After")
        raise problem_of(response.status_code, response.content, retry_after)
    return call.reads(response.content)


def unanswered(error: Exception) -> Unavailable:
    """The refusal of a call that nothing came of; the text names no URL and no token."""
    if isinstance(error, httpx.TimeoutException):
        return Unavailable("timeout", 0, "the gateway did not answer in time")
    return Unavailable("unreachable", 0, f"the gateway cannot be reached: {type(error).__name__}")


def pause_s(
    call: Call[Any], error: GovError, sent: int, waited_s: float, patience: Patience
) -> float | None:
    """After how many seconds a call that was sent `sent` times is sent again; None: never."""
    passes = error.status in PASSING or (error.status == 0 and isinstance(error, Unavailable))
    if not call.repeatable or sent >= patience.tries or not passes:
        return None
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (sent - 1))
    pause = error.retry_after_s
    if pause is None:
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311  # so that not all come at once; no secret
    return pause if waited_s + pause <= patience.waits_s else None
