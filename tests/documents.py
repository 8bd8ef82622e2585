"""Documents whose files, commands, outputs and Python are run as they stand.

A `gov` or other block behind `<!-- file: NAME -->` is written to NAME; one behind
`<!-- insert after "LINE" in NAME -->` goes into it.  In a `console` block a line `$ COMMAND` is run
and must print what follows, blanks at ends of lines apart; `…` stands for what differs from run to run.
`python` blocks are executed unless they are files.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
ENVIRONMENT: dict[str, str] = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "NO_COLOR": "1",
    "COLUMNS": "120",
    "XDG_CACHE_HOME": "cache",
}


@contextmanager
def port(place: Path) -> Iterator[None]:
    """A free port in `$PORT`; services of the document whose ids lie in `*.pid` are ended with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ENVIRONMENT["PORT"] = str(free.getsockname()[1])
    try:
        yield
    finally:
        del ENVIRONMENT["PORT"]
        for left in place.glob("*.pid"):
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(left.read_text("utf-8")), signal.SIGKILL)


def put_file(note: str, text: str, place: Path) -> None:
    if written := re.fullmatch(r"file: (\S+)", note):
        (place / written[1]).write_text(text, "utf-8")
        return
    inserted = re.fullmatch(r'insert after "(.*)" in (\S+)', note)
    assert inserted, f"what is to be done with a block marked `{note}`?"
    old = (place / inserted[2]).read_text("utf-8")
    assert old.count(inserted[1] + "\n") == 1
    new = old.replace(inserted[1] + "\n", f"{inserted[1]}\n{text}")
    (place / inserted[2]).write_text(new, "utf-8")


def run_console(text: str, place: Path) -> None:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=place,
            env=ENVIRONMENT,
            check=False,
            capture_output=True,
            text=True,
        )
        pattern = re.escape(expected.rstrip()).replace("…", ".*?")
        printed = re.sub(r" +$", "", done.stdout + done.stderr, flags=re.MULTILINE).rstrip()
        assert re.fullmatch(pattern, printed), f"$ {command}\n{printed}"


def run_document(name: str, place: Path) -> list[str]:
    """Write, run and compare every block of a document, in `place`; the kinds of the blocks."""
    kinds = []
    for block in BLOCK.finditer((ROOT / name).read_text("utf-8")):
        kinds.append(block["kind"])
        match block["kind"]:
            case "console":
                run_console(block["text"], place)
            case "python" if not (block["note"] or "").startswith("file: "):
                exec(compile(block["text"], name, "exec"), {})  # noqa: S102 - our own file
            case other if block["note"] is None:
                pytest.fail(f"a block of kind `{other}` is not run")
            case _:
                put_file(block["note"], block["text"], place)
    return kinds


def broken_links(name: str) -> list[str]:
    """Links of a document that lead to no file."""
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text("utf-8"))
    assert links
    return [link for link in links if not (ROOT / name).parent.joinpath(link).exists()]
