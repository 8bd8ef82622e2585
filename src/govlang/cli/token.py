"""`gov token create|list|revoke`: who may call the control plane, and as what."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.worker import read_token
from govlang.dsl.diagnostics import did_you_mean
from govlang.native.errors import CodedError

ROLES: Final = ("agent", "approver", "worker", "auditor", "operator")
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_LONGEST_S: Final = 3650 * 86_400
"""What the service takes at most (`ttl_s`)."""
_HELP: Final = {
    401: "give an operator's token: `--token-file FILE`, or `GOV_TOKEN`",
    403: "give an operator's token: `--token-file FILE`, or `GOV_TOKEN`",
    404: "`gov token list` shows those that there are",
}
URL: Final = "http://127.0.0.1:8420"


@click.group(name="token")
def command() -> None:
    """Make, list and revoke API tokens, through the running service (`--url`, GOV_TOKEN)."""


def _reach(function: Any) -> Any:
    for option in (
        click.option("--url", default=URL, show_default=True, help="the service"),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            help="a file with an operator's token  [default: GOV_TOKEN]",
        ),
    ):
        function = option(function)
    return function


@command.command(name="create")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(ROLES))
@click.option("--agent", required=True, help="whom the token speaks for", metavar="A")
@click.option("--ttl", default="30 d", show_default=True, help="how long it is good", metavar="D")
@click.option(
    "--approves",
    multiple=True,
    help="a role of the policy, as `sre-oncall`; an approver needs one",
    metavar="R",
)
@click.option(
    "--pool",
    "pools",
    multiple=True,
    help="a pool that a worker leases from, `*` is every one; a worker needs one, or an `--event`",
    metavar="P",
)
@click.option(
    "--event",
    "events",
    multiple=True,
    help="an event or signal of the policy that a worker may tell; left out: none",
    metavar="E",
)
@_reach
@format_option()
@guarded
def create(
    roles: tuple[str, ...],
    agent: str,
    ttl: str,
    approves: tuple[str, ...],
    pools: tuple[str, ...],
    events: tuple[str, ...],
    url: str,
    token_file: Path | None,
    style: str,
) -> int:
    """Make a token; its text is printed once."""
    if "approver" in roles and not approves:
        raise click.UsageError("an approver may approve nothing without `--approves ROLE`")
    if "worker" in roles and not pools and not events:
        raise click.UsageError(
            "a worker may lease from no pool without `--pool NAME`; `--pool '*'` names every one"
        )
    body = {
        "roles": list(roles),
        "agent": agent,
        "approves": list(approves),
        "pools": list(pools),
        **({"events": list(events)} if events else {}),
        "ttl_s": seconds(ttl),
    }
    made = _ask("POST", url, "/v1/tokens", token_file, body)
    click.echo(json_text(made) if style == "json" else made["token"])
    if approves:
        _note_unnamed(approves, url, token_file)
    return Exit.OK


def _note_unnamed(approves: tuple[str, ...], url: str, token_file: Path | None) -> None:
    """Say on stderr which roles the active policy does not name: the token is good, and nobody asks for them."""
    try:
        policy = _ask("GET", url, "/v1/policy", token_file)
    except CodedError:  # the token is made and shown, which is what was asked for
        return
    roles = next((one["members"] for one in policy["fields"] if one["name"] == "approved"), None)
    for role in approves:
        if role not in (roles or ()):
            near = did_you_mean(role, roles or ()) or f"roles: {', '.join(roles or ('none',))}"
            name = f"{policy['policy']} {policy['version']}"
            click.echo(f"note: the active policy ({name}) names no role `{role}`; {near}", err=True)


@command.command(name="list")
@_reach
@format_option()
@guarded
def list_(url: str, token_file: Path | None, style: str) -> int:
    """Show every token, without its secret."""
    found = _ask("GET", url, "/v1/tokens", token_file)["tokens"]
    for one in found:
        if style == "json":
            click.echo(json_text(one))
        else:
            click.echo(listed(one, time_ns() // 1_000_000))
    return Exit.OK


def listed(one: dict[str, Any], now_ms: int) -> str:
    """A line about a token: whether it is good and until when (UTC), whose it is, what it may; `now_ms` since 1970."""
    is_over = now_ms >= one["expires_ms"]
    state = "revoked" if one["revoked_ms"] else "expired" if is_over else "good"
    until = datetime.fromtimestamp(one["expires_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
    roles = ", ".join(_role(role, one) for role in one["roles"])
    return f"{one['id']}  {state:7}  until {until}  {one['agent']}  {roles}"


def _role(role: str, one: dict[str, Any]) -> str:
    """A role, with what it is for."""
    told = [f"tells {name}" for name in one.get("events", ())]
    of = {"approver": one["approves"], "worker": [*one["pools"], *told]}.get(role, ())
    return f"{role} ({', '.join(of)})" if of else role


@command.command(name="revoke")
@click.argument("token_id", metavar="ID")
@_reach
@guarded
def revoke(token_id: str, url: str, token_file: Path | None) -> int:
    """Make a token worthless, from now on."""
    _ask("POST", url, f"/v1/tokens/{token_id}/revoke", token_file)
    click.echo(f"revoked  {token_id}")
    return Exit.OK


def seconds(text: str) -> int:
    """A length of time as `30 d`, `12h`, `90 min`, in seconds.

    Raises:
        CodedError: GOV691 it is none.
    """
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*(s|min|h|d)\s*", text, re.ASCII)
    if found is None:
        raise CodedError(
            "GOV691", f"`{text}` is no length of time", "write `30 d`, `12 h` or `90 min`"
        )
    length_s = int(found[1]) * _UNITS[found[2]]
    if not 1 <= length_s <= _LONGEST_S:
        raise CodedError(
            "GOV691", f"a token is not good for `{text}`", "write a time from `1 s` to `3650 d`"
        )
    return length_s


def _ask(
    method: str, url: str, path: str, token_file: Path | None, body: dict[str, Any] | None = None
) -> Any:
    import httpx

    if not re.match(r"https?://.", url):
        why = f"`{url}` is no URL of a service: it must be `http://HOST:PORT`"
        shown = url.rpartition("//")[2] or "127.0.0.1:8420"
        raise CodedError("GOV690", why, f"write `http://{shown}`")
    token = read_token(token_file)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.request(
            method, url + path, json=body, headers=headers, timeout=10, trust_env=False
        )
    except httpx.HTTPError as error:
        why = f"`{url}` cannot be reached: {str(error) or type(error).__name__}"
        raise CodedError("GOV690", why, "start it with `gov serve`, or give its `--url`") from None
    if answer.is_success:
        return answer.json()
    try:
        said = answer.json()
    except ValueError:
        said = {"code": str(answer.status_code), "detail": "no problem that can be read"}
    raise CodedError(
        "GOV690",
        f"the service refuses: {said['detail']} ({said['code']})",
        _HELP.get(answer.status_code, "mend what is named and ask again"),
    )
