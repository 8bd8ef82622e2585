"""The group of verbs: a name in, the verb's click command out, imported only when it is asked for.

What always holds: whatever happens inside a verb, the command ends with an exit code of the contract
and a message, never with a traceback.
"""

from __future__ import annotations

import click

VERBS: dict[str, str] = {}


class LazyGroup(click.Group):
    """A click group whose commands are modules `govlang.cli.VERB`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(VERBS)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="govlang", prog_name="gov")
def gov() -> None:
    """Write, prove, compile and run the policies that say what agents may do."""


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    try:
        code = gov.main(arguments, prog_name="gov", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    return int(code or 0)
