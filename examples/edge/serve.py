"""Compiles a policy to WebAssembly beside the page and serves both on loopback (`gov build` also proves it).

In: a .gov file (the drone policy unless another is given) and a port.  Out: NAME.wasm in this folder, and
the page's address.  Only the page and the JavaScript host are served.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from govlang.cli.compiled import MODULE, compile_edge
from govlang.compiler.core import core_json, snapshot
from govlang.compiler.frontend import compile_file
from govlang.dsl.diagnostics import GovError

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
PAGE: Final = "/examples/edge/index.html"
SERVED: Final = ("examples/edge", "runtime/js")


def build(source: Path, folder: Path) -> Path:
    """Compile a policy to NAME.wasm in a folder."""
    policy = compile_file(source).policy
    module = compile_edge(policy, snapshot(core_json(policy)))[MODULE]
    place = folder / f"{policy.name}.wasm"
    place.write_bytes(module)
    return place


class Handler(SimpleHTTPRequestHandler):
    """Serves two folders of the project."""

    extensions_map: Final = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def send_head(self):  # noqa: ANN201  # the base class's own, private type
        """Answer a request for a file; anything outside the two folders is not there."""
        if self.path == "/":
            self.send_response(302)
            self.send_header("Location", PAGE)
            self.end_headers()
            return None
        place = Path(self.translate_path(self.path)).resolve()
        root = Path(self.directory)
        if not any(place.is_relative_to(root / part) for part in SERVED):
            self.send_error(404)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """A module that was built again is fetched again."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's word
        """Say nothing: the address is all that a person needs."""


def server(port: int, root: Path = ROOT) -> ThreadingHTTPServer:
    """A server of the page; port 0 takes any."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(root.resolve())))


def main() -> None:
    """Build, and serve until the keyboard says otherwise."""
    parser = argparse.ArgumentParser(description="A policy in the browser.")
    drone = ROOT / "examples" / "stateless" / "drone_fleet.gov"
    parser.add_argument("policy", nargs="?", type=Path, default=drone, help="a .gov file")
    parser.add_argument("--port", type=int, default=8000)
    chosen = parser.parse_args()
    try:
        module = build(chosen.policy, HERE)
        serving = server(chosen.port)
    except (GovError, OSError) as error:
        parser.exit(2, f"{error}\n")
    address = f"http://127.0.0.1:{serving.server_port}{PAGE}?policy={module.name}"
    print(f"{module.name}: {module.stat().st_size} bytes; open {address}", flush=True)
    with serving, suppress(KeyboardInterrupt):
        serving.serve_forever()


if __name__ == "__main__":
    main()
