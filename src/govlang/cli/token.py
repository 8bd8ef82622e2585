"""`gov token create|list|revoke`: who may call the control plane, and as what."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.native.errors import CodedError

ROLES: Final = ("agent", "approver", "worker", "auditor", "operator")
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
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
    help="a pool that a worker leases from; left out: every one",
    metavar="P",
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
    url: str,
    token_file: Path | None,
    style: str,
) -> int:
    """Make a token; its text is printed once."""
    if "approver" in roles and not approves:
        raise click.UsageError("an approver may approve nothing without `--approves ROLE`")
    body = {
        "roles": list(roles),
        "agent": agent,
        "approves": list(approves),
        "pools": list(pools),
        "ttl_s": seconds(ttl),
    }
    made = _ask("POST", url, "/v1/tokens", token_file, body)
    click.echo(json_text(made) if style == "json" else made["token"])
    return Exit.OK


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
            state = "revoked" if one["revoked_ms"] else "good"
            click.echo(f"{one['id']}  {state:8} {one['agent']}  {', '.join(one['roles'])}")
    return Exit.OK


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
    return int(found[1]) * _UNITS[found[2]]


def _ask(
    method: str, url: str, path: str, token_file: Path | None, body: dict[str, Any] | None = None
) -> Any:
    import httpx

    token = token_file.read_text("utf-8").strip() if token_file else os.environ.get("GOV_TOKEN", "")
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
    known = answer.status_code in {401, 403}
    raise CodedError(
        "GOV690",
        f"the service refuses: {said['detail']} ({said['code']})",
        "give an operator's token" if known else "mend what is named and ask again",
    )
