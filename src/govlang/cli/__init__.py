"""The command `gov`: one file a verb, loaded when its verb is asked for."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from govlang.cli.app import run

    sys.exit(run(sys.argv[1:]))


__all__ = ["main"]
