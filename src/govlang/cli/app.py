"""The group of verbs: a name in, the verb's click command out, imported only when it is asked for.

What always holds: whatever happens inside a verb, the command ends with an exit code of the contract
and a message, never with a traceback.
"""

from __future__ import annotations

import importlib
import os
from typing import Final

import click

from govlang.cli.guard import Exit, internal_fault

VERBS: Final = {
    "bench": "measure how long a decision takes on each backend",
    "build": "verify a policy and compile it to a bundle",
    "check": "parse and type-check policies",
    "decide": "decide one request",
    "diff": "show every region whose outcome changed between two policies",
    "drill": "rehearse an outage, and rebuild incidents from the ledger",
    "evidence": "check, show, sign and export evidence ledgers",
    "explain": "say which rules fired, which did not and why, and what would be allowed",
    "export": "write a policy in the format of another tool",
    "fmt": "lay policies out in the one layout",
    "help": "say what a code means",
    "import": "turn the policy of another tool into .gov",
    "new": "start a policy project",
    "replay": "decide a ledger anew under another policy",
    "serve": "run the control plane: gates, approvals, workers, evidence",
    "test": "run the tests inside policies on the compiled table",
    "token": "make, list and revoke API tokens of the control plane",
    "verify": "prove that a policy makes sense, or show a request on which it does not",
    "worker": "run the jobs of a pool through a plugin",
}
"""Each verb and what it does; the verb's module is `govlang.cli.VERB` (`import_` for `import`)."""

INTERRUPTED: Final = 130
"""What shells report of a program that ended by SIGINT."""


class LazyGroup(click.Group):
    """A click group that imports a verb's module when the verb is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(
            f"govlang.cli.{'import_' if cmd_name == 'import' else cmd_name}"
        )
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, with a guess at what was meant where there is none."""
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, VERBS, n=1)
            hint = f": did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"there is no verb `{name}`{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="govlang", prog_name="gov")
@click.pass_context
def gov(ctx: click.Context) -> None:
    """Write, prove, compile and run the policies that say what agents may do."""
    ctx.color = False if os.environ.get("NO_COLOR") else None


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    try:
        code = gov.main(arguments, prog_name="gov", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return Exit.UNUSABLE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the last resort: a message instead of a traceback
        return internal_fault(error)
    return int(code or Exit.OK)
