"""`gov serve` that cannot begin says why in one error, and leaves nothing begun behind."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from control_plane import Plane, bundle_of
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from govlang.cli.offer import adopt, offer
from govlang.client import GovClient
from govlang.runtime.control.service import Service
from govlang.runtime.control.settings import Settings
from govlang.runtime.evidence.audit import audit, records

BUNDLE = Path(__file__).parents[2] / "runtime" / "builtin" / "job-1.0.0.govb"


CAPPED = """language 1
policy capped version "1.0.0"
default deny
input {
  agent : key
  topic : text
  amount : number in 0..100
}
param cap : number in 1..100 = 50
rule starts when amount <= cap allow
"""


def refused(
    folder: Path, *words: str, bundle: Path = BUNDLE, **environ: str
) -> subprocess.CompletedProcess[str]:
    """A start that must be refused."""
    command = [sys.executable, "-m", "govlang.cli", "serve", str(bundle), *words]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | environ,
    )


@pytest.mark.parametrize("more", [(), ("--dev",)])
def test_an_address_in_use_is_refused_before_the_first_token_is_used_up(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = refused(tmp_path, "--data", "data", "--port", port, *more)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error[GOV617]: `127.0.0.1:{port}` cannot be listened at: addr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("header", "bundle"),
    [
        ('policy vm version "1.0.0"', "vm-1.0.0.govb"),
        ("no policy at all", "NAME-VERSION.govb"),
    ],
)
def test_a_source_is_told_from_a_bundle_with_what_to_type(
    tmp_path: Path, header: str, bundle: str
) -> None:
    (tmp_path / "my vm.gov").write_text(f"language 1\n{header}\ndefault deny\n")
    command = [sys.executable, "-m", "govlang.cli", "serve", "my vm.gov", "--data", "data"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error[GOV629]: `my vm.gov` is the source of a policy")
    assert f"type `gov build 'my vm.gov' -o dist`, then `gov serve dist/{bundle}`" in ended.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["my vm.gov"]


def test_a_bundle_of_another_policy_is_refused_with_its_own_way_out(tmp_path: Path) -> None:
    first = BUNDLE.with_name("incident-1.0.0.govb").read_bytes()
    Service(tmp_path / "data", Settings(), first).office.store.close()
    ended = refused(tmp_path, "--data", "data", "--port", "0", "--allow-looser", "it is meant")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error[GOV616]: the bundle does not follow the active policy: ")
    assert "is of the policy `job`; here `incident` is active" in ended.stderr
    assert "give `--data` a directory of its own" in ended.stderr
    assert "--allow-looser" not in ended.stderr


def served(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "govlang.cli", "serve", str(BUNDLE), "--data", "data"]
    with out.open("wb") as file:
        return subprocess.Popen(
            [*command, "--port", "0"], cwd=folder, stdout=file, stderr=subprocess.DEVNULL
        )


def test_a_first_token_that_could_not_be_printed_is_replaced_at_the_next_start(
    tmp_path: Path,
) -> None:
    lost = served(tmp_path, Path("/dev/full"))
    assert lost.wait(60) != 0
    out = tmp_path / "out"
    running = served(tmp_path, out)
    try:
        while not (
            found := re.search(r"listening  (\S+).*token +(gov_\w+)\n", out.read_text(), re.DOTALL)
        ):
            assert running.poll() is None
            time.sleep(0.02)
        with GovClient(found[1], found[2]) as client:
            states = [one["revoked_ms"] is None for one in client.tokens()]
        assert states == [False, True]
    finally:
        running.terminate()
        running.wait(60)
    again = served(tmp_path, out)
    while "listening" not in out.read_text():
        assert again.poll() is None
        time.sleep(0.02)
    again.terminate()
    again.wait(60)
    assert "gov_" not in out.read_text()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.invalid", "a" * 64])
def test_an_address_of_another_machine_is_refused(tmp_path: Path, host: str) -> None:
    ended = refused(tmp_path, "--data", "data", "--port", "0", "--host", host)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error[GOV617]: `{host}:0` cannot be listened at: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plugin", ["bogus:cat", "exec:no-such-command", "entry:no_such:f"])
def test_a_plugin_that_cannot_be_used_is_refused_before_anything_is_begun(
    tmp_path: Path, plugin: str
) -> None:
    ended = refused(tmp_path, "--dev", "--data", "data", "--port", "0", "--plugin", plugin)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error[GOV681]: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "environ", "code"),
    [
        (("--param", "capp=9"), {}, "GOV411"),
        (("--param", "cap=900"), {}, "GOV411"),
        ((), {"GOV_REQUIRE_SIGNATURE": "no-such.pub"}, "GOV600"),
        ((), {"GOV_REQUIRE_SIGNATURE": "key.pub"}, "GOV405"),
    ],
)
def test_a_first_start_that_is_refused_makes_nothing(
    tmp_path: Path, words: tuple[str, ...], environ: dict[str, str], code: str
) -> None:
    bundle, key = tmp_path / "capped.govb", tmp_path / "key.pub"
    bundle.write_bytes(bundle_of(CAPPED))
    key.write_bytes(
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    ended = refused(tmp_path, "--data", "data", "--port", "0", *words, bundle=bundle, **environ)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error[{code}]: "), ended.stderr
    assert {one.name for one in tmp_path.iterdir()} == {"capped.govb", "key.pub"}


@pytest.mark.parametrize(
    ("given", "code"), [("cap=60", "GOV616"), ("cap=many", "GOV411"), ("capp=50", "GOV411")]
)
def test_a_parameter_of_a_later_start_is_published_or_refused_and_never_ignored(
    tmp_path: Path, given: str, code: str
) -> None:
    bundle = tmp_path / "capped.govb"
    bundle.write_bytes(bundle_of(CAPPED))

    async def begin() -> None:
        async with Plane(tmp_path / "data", bundle_of(CAPPED)):
            pass

    asyncio.run(begin())
    ended = refused(tmp_path, "--data", "data", "--port", "0", "--param", given, bundle=bundle)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"error[{code}]: " in ended.stderr


def test_a_start_that_is_refused_is_not_on_record_as_one_and_says_what_it_compares(
    tmp_path: Path,
) -> None:
    looser = CAPPED.replace('"1.0.0"', '"1.1.0"').replace("amount <= cap", "amount >= 0")
    (tmp_path / "looser.govb").write_bytes(bundle_of(looser))

    async def begin() -> list[str]:
        async with Plane(tmp_path / "data", bundle_of(CAPPED)) as plane:
            return plane.events()

    events = asyncio.run(begin())
    ended = refused(tmp_path, "--data", "data", "--port", "0", bundle=tmp_path / "looser.govb")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error[GOV616]: the bundle does not follow the active policy: ")
    assert ended.stdout.startswith("comparing  capped 1.1.0 with 1.0.0, which is active: ")
    assert "`--allow-looser REASON` skips it" in ended.stdout
    told = [one["run_timeline_event"] for one in records(tmp_path / "data")]
    assert told[len(events) :] == ["state_saved", "stopped", "policy_refused"]
    assert audit(tmp_path / "data").intact


def test_a_parameter_that_an_operator_stands_for_is_published_at_the_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(CAPPED)) as plane:
            asked = (None, {"cap": "60"}, "more of them")
            await adopt(plane.service, await offer(plane.service, *asked))
            assert (await plane.submit("a1", "x", 60)).status == 202
            count = len(plane.events())
            await adopt(plane.service, await offer(plane.service, *asked))
            assert len(plane.events()) == count, "what is active already is not published again"

    asyncio.run(scenario())
