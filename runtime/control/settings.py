"""The settings of the control plane: the environment in, one frozen model out.

What always holds: every value is in its range; an unknown `GOV_…` or `POLICY_CHECK_…` variable, one that is nearly the
latter, an unknown value and an empty one stop the start, all of them named at once; secrets are never shown.  What is
unset has its default, and the default of `POLICY_CHECK_FAIL_MODE` is closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AnyHttpUrl,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from govlang.native.errors import CodedError
from govlang.native.request import legible
from govlang.native.signature import check_key
from govlang.runtime.control.topics import TopicRule, read_topic_rules
from govlang.runtime.json_request import DuplicateKeyError, JsonError, read_json

CODE: Final = "GOV600"
PREFIXES: Final = ("GOV_", "POLICY_CHECK_")
OTHERS: Final = frozenset({"GOV_CACHE_DIR", "GOV_TOKEN", "GOV_TRACEBACK", "GOV_URL"})
"""Variables of the command line, the clients and the worker that are no settings of the service."""

NEAR: Final = 0.85
"""How like a `POLICY_CHECK_…` setting another variable must be to be taken for a slip (difflib's ratio)."""

SHOWN_MAX: Final = 60
"""So many characters of a value are quoted in a message."""

SECRET: Final = frozenset({"policy_check_token", "policy_check_url"})
"""Their values are never quoted; a URL may hold a password."""


class SettingsError(CodedError):
    """The environment cannot be used; the message names every variable that is wrong."""


class FailMode(StrEnum):
    """What holds while the policy check does not answer."""

    OPEN = "open"
    CLOSED = "closed"


class Enforcement(StrEnum):
    """Whether a decision binds, or is only recorded."""

    SHADOW = "shadow"
    ENFORCE = "enforce"


class LogLevel(StrEnum):
    """From which level on a line is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """JSON lines, or text for a person."""

    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public key by which bundles must be signed, as it was read at the start."""

    path: Path
    pem: bytes


def variable(name: str) -> str:
    """The environment variable of a setting."""
    upper = name.upper()
    return upper if upper.startswith("POLICY_CHECK_") else "GOV_" + upper


def _digits(value: object) -> object:
    """Only digits: `1_000`, ` 5 ` and `5.0` are somebody's mistake."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        raise PydanticCustomError("digits", "not a whole number")
    return value


def _decimal(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", value, re.ASCII):
        raise PydanticCustomError("decimal", "not a decimal")
    return value


def _truth(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise PydanticCustomError("truth", "neither `true` nor `false`")
    return value


def _enforcement(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return read_topic_rules(read_json(value), tuple(Enforcement))
    except (JsonError, DuplicateKeyError, ValueError) as error:
        raise PydanticCustomError(
            "topics", "{why}", {"why": str(error).removeprefix("GOV413: the request is ")}
        ) from None


def _signing_key(value: object) -> object:
    if not isinstance(value, str | Path):
        return value
    try:
        pem = Path(value).read_bytes()
        check_key(pem)
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
    except ValueError:
        why = "it is no path"
    except CodedError as error:
        why = error.message
    else:
        return SigningKey(Path(value), pem)
    raise PydanticCustomError("key", "{why}", {"why": why})


def _url(value: object) -> object:
    if isinstance(value, str) and "@" in value:
        raise PydanticCustomError("userinfo", "it holds a user or password")
    return value


Whole = Annotated[int, BeforeValidator(_digits)]
Seconds = Annotated[float, BeforeValidator(_decimal)]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,500}$")]


def whole(default: int, low: int, high: int) -> Any:
    """A whole number of a range."""
    return Field(default, ge=low, le=high, description=f"a whole number from {low} to {high}")


def decimal(default: float, low: float, high: float) -> Any:
    """A decimal of a range."""
    return Field(default, ge=low, le=high, description=f"a decimal from {low:g} to {high:g}")


class Settings(BaseSettings):
    """Everything that an operator may set; `variable(name)` is how it is called in the environment."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=variable,
        validate_by_name=True,
        case_sensitive=True,
        validate_default=True,
    )

    policy_check_fail_mode: FailMode = Field(FailMode.CLOSED, description="`open` or `closed`")
    policy_check_fail_open_reason: Line | None = Field(
        None, description="a written reason of one line, up to 500 characters"
    )
    policy_check_url: Annotated[AnyHttpUrl, BeforeValidator(_url)] | None = Field(
        None, description="an http or https URL without user and password"
    )
    policy_check_token: SecretStr | None = Field(
        None, min_length=1, max_length=4096, description="a token of 1 to 4096 characters"
    )
    policy_check_timeout_s: Seconds = decimal(2, 0.01, 60)

    retry_budget: Whole = whole(50, 1, 10_000)
    backoff_first_s: Seconds = decimal(1, 0.001, 3600)
    backoff_max_s: Seconds = decimal(30, 0.001, 86_400)
    lease_s: Seconds = decimal(30, 0.1, 3600)
    unasked_s: Seconds = decimal(30, 0, 86_400)
    queue_wait_s: Whole = whole(604_800, 1, 31_536_000)
    approval_expires_s: Whole = whole(86_400, 1, 31_536_000)
    idempotency_days: Whole = whole(90, 1, 3650)
    retention_days: Whole = whole(90, 1, 3650)
    delegation_depth_max: Whole = whole(8, 0, 100)
    head_timeout_s: Seconds = decimal(10, 0.1, 3600)
    body_limit_bytes: Whole = whole(2_097_152, 1024, 67_108_864)
    body_timeout_s: Seconds = decimal(10, 0.1, 3600)
    body_values_max: Whole = whole(50_000, 100, 10_000_000)
    checkpoint_records: Whole = whole(1024, 1, 1_000_000)
    checkpoint_s: Seconds = decimal(10, 0.1, 86_400)
    state_records: Whole = whole(10_000, 1, 10_000_000)
    rate_per_s: Seconds = decimal(1000, 0.01, 1_000_000)
    rate_burst: Whole = whole(2000, 1, 1_000_000)
    enforcement: Annotated[tuple[TopicRule[Enforcement], ...], BeforeValidator(_enforcement)] = (
        Field(
            (),
            description='a JSON object of topic patterns, as `{"infra.*": "shadow", "**": "enforce"}`',
        )
    )
    require_signature: (
        Annotated[
            SigningKey,
            BeforeValidator(_signing_key),
            PlainSerializer(lambda key: str(key.path), return_type=str),
        ]
        | None
    ) = Field(None, description="the path of a public key in PEM")
    origin: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,199}$",
        description="a name of letters, digits, `.`, `/`, `_` and `-`, as `example.org/gov`",
    )
    key_capacity: Whole = whole(65_536, 1, 16_777_216)
    live_jobs_max: Whole = whole(100_000, 1, 10_000_000)
    live_jobs_agent_max: Whole = whole(20_000, 1, 10_000_000)
    group_max: Whole = whole(64, 1, 10_000)
    children_max: Whole = whole(2, 1, 64)
    metrics_open: Annotated[bool, BeforeValidator(_truth)] = Field(
        False, description="`true` or `false`"
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="`debug`, `info`, `warning` or `error`")
    log_format: LogFormat = Field(LogFormat.JSON, description="`json` or `text`")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: `read_settings` reads the environment that it is given, and nothing else."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @model_validator(mode="after")
    def _open_has_a_reason(self) -> Self:
        if self.policy_check_fail_mode is FailMode.OPEN and not self.policy_check_fail_open_reason:
            raise PydanticCustomError("unreasoned", "POLICY_CHECK_FAIL_OPEN_REASON")
        return self

    @model_validator(mode="after")
    def _backoff_grows(self) -> Self:
        if self.backoff_first_s > self.backoff_max_s:
            raise PydanticCustomError("backoff", "GOV_BACKOFF_MAX_S")
        return self

    def enforcement_of(self, topic: str) -> Enforcement:
        """What holds for a topic: the first pattern that matches, `enforce` where none does."""
        for rule in self.enforcement:
            if rule.matches(topic):
                return rule.value
        return Enforcement.ENFORCE

    def shown(self) -> dict[str, Any]:
        """Variable to value, for the record of the start; secrets only as `set`."""
        plain = self.model_dump(mode="json", exclude={"enforcement"}, by_alias=True)
        plain["GOV_ENFORCEMENT"] = {r.pattern: r.value.value for r in self.enforcement}
        for name in map(variable, SECRET):
            plain[name] = plain[name] and "set"
        return plain


NAMES: Final = {variable(name): name for name in Settings.model_fields}
"""Variable to the name of its setting."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings that the variables say.

    Raises:
        SettingsError: GOV600, variables that are unknown or whose value cannot be used, all of them.
    """
    given = {name: value for name, value in environ.items() if name in NAMES}
    faults = list(_unknown(environ))
    settings = None
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        faults += (_fault(one) for one in error.errors(include_url=False))
        # what concerns two variables is asked only of good values, and all that is wrong is said at once
        is_open = given.get("POLICY_CHECK_FAIL_MODE") == FailMode.OPEN
        if is_open and "POLICY_CHECK_FAIL_OPEN_REASON" not in given:
            faults = list(dict.fromkeys((*faults, CROSS["unreasoned"])))
    if settings is None or faults:
        message = "the settings cannot be used: " + " · ".join(faults)
        raise SettingsError(CODE, message, "mend or unset the variables that are named")
    return settings


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(environ):
        if name in NAMES or name in OTHERS:
            continue
        is_ours = name.startswith(PREFIXES)
        near = get_close_matches(name, NAMES, 1) if is_ours else _slip(name)
        if is_ours or near:
            meant = f", did you mean `{near[0]}`?" if near else ""
            yield f"`{legible(name, SHOWN_MAX)}` is no setting{meant}"


def _slip(name: str) -> list[str]:
    """The `POLICY_CHECK_…` setting that a variable with a slip in its prefix, or in small letters, must mean."""
    ours = [one for one in NAMES if one.startswith("POLICY_CHECK_")]
    return get_close_matches(name.upper(), ours, 1, NEAR)


CROSS: Final = {
    "unreasoned": "`POLICY_CHECK_FAIL_OPEN_REASON` must be a written reason where "
    "`POLICY_CHECK_FAIL_MODE` is `open`, it is not set",
    "backoff": "`GOV_BACKOFF_MAX_S` must be at least `GOV_BACKOFF_FIRST_S`, it is less",
}
"""What concerns two variables at once."""


EXPLAINED: Final = frozenset({"topics", "key"})
"""Faults that say more than what was expected."""


def _fault(error: ErrorDetails) -> str:
    """One fault in words: the variable, what was expected, what was found."""
    if error["type"] in CROSS:
        return CROSS[error["type"]]
    name = str(error["loc"][0])
    setting = NAMES.get(name, name)
    expected = Settings.model_fields[setting].description
    if setting in SECRET:
        return f"`{variable(setting)}` must be {expected}, what is set is not"
    found = legible(str(error["input"]), SHOWN_MAX)
    why = f" ({error['msg']})" if error["type"] in EXPLAINED else ""
    return f"`{variable(setting)}` must be {expected}, not `{found}`{why}"
