"""Logs: a JSON object a line on standard error, without secrets.

What always holds: no member whose name speaks of a secret is written, at any depth, nor a text that holds a token.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

SECRETS: Final = frozenset(
    {
        "authorization",
        "token",
        "secret",
        "password",
        "payload",
        "private",
        "salt",
        "request",
        "body",
        "input",
        "output",
        "key_pem",
        "cookie",
    }
)
"""Members that are dropped, whatever they hold; `token_id` and the like are no secrets."""

TOKEN: Final = re.compile(r"(gov_tok_[0-9a-f]{16}_)[0-9a-f]+|(?i:(bearer )\S+)")
LEFT_OUT: Final = "…"
LEVELS: Final = {
    name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")
}


def drop_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the event without what nobody should read in a log."""
    cleaned = _cleaned(event)
    assert isinstance(cleaned, dict)
    return cleaned


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return TOKEN.sub(lambda found: (found[1] or found[2]) + LEFT_OUT, value)
        case dict():
            return {
                name: LEFT_OUT if str(name).lower() in SECRETS else _cleaned(one)
                for name, one in value.items()
            }
        case list() | tuple():
            return [_cleaned(one) for one in value]
        case bytes():
            return LEFT_OUT
        case _:
            return value


def service_log(
    level: str = "info", form: str = "json", stream: TextIO | None = None
) -> structlog.typing.FilteringBoundLogger:
    """A log of that level and form (`json` or `text`); `stream`: standard error if left out."""
    shown: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            drop_secrets,
            shown,
        ],
    )
    return log


class Bridge(logging.Handler):
    """Writes what the standard library's loggers say (ours below control, uvicorn's) to the service's log."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; what its logger is called stands in `logger`."""
        level = record.levelname.lower()
        say = getattr(self._log, level if level in LEVELS else "error")
        say(record.getMessage(), logger=record.name, **_cause(record))


def _cause(record: logging.LogRecord) -> dict[str, Any]:
    return {"exc_info": record.exc_info} if record.exc_info else {}


def bridge(log: structlog.typing.FilteringBoundLogger, level: str = "info") -> None:
    """Have every logger of the standard library write to `log`, and nowhere else."""
    logging.basicConfig(handlers=[Bridge(log)], level=LEVELS[level], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
