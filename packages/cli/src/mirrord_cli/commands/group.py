"""The group of commands: `mirrord`. What isn't built is refused by name, here for commands and options."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from mirrord_cli import VERSION
from mirrord_cli.config import known
from mirrord_cli.errors import INTERRUPTED, MirrordError

COMMANDS = {
    "exec": ("mirrord_cli.commands.exec", "exec_command"),
    "ls": ("mirrord_cli.commands.ls", "ls_command"),
    "rbac": ("mirrord_cli.commands.rbac", "rbac_command"),
    "verify-config": ("mirrord_cli.commands.verify", "verify_command"),
}
EXAMPLES = """\b
Examples:
  mirrord exec -t deployment/shop -- python app.py
  mirrord exec -t process/4711 -- python app.py
  mirrord ls -n shop
  mirrord exec -f .mirrord/mirrord.toml -- bash
  mirrord verify-config .mirrord/mirrord.json
"""


class Commands(click.Group):
    """Loads a command's module only when the command is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


@click.command(cls=Commands, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "-V", "--version", message="mirrord %(version)s")
def mirrord() -> None:
    """Run a program on this machine as if it ran inside another process, of this machine or in a cluster."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit code; `exec` doesn't return.

    Raises:
        MirrordError: It can't be done.
    """
    try:
        result = mirrord.main(list(arguments), prog_name="mirrord", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.NoSuchOption as error:
        if error.option_name in known.OPTIONS:
            text = f"The option {error.option_name} is not supported yet."
            raise MirrordError("you", text, _help(error.ctx)) from None
        raise _misused(error) from None
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return MirrordError("you", "", "").exit_code
    except click.UsageError as error:
        command = next((word for word in arguments if not word.startswith("-")), "")
        if error.ctx is not None and error.ctx.command is mirrord and command in known.COMMANDS:
            text = f"The command {command} is not supported yet."
            raise MirrordError("you", text, _help(error.ctx)) from None
        raise _misused(error) from None
    except click.ClickException as error:
        raise MirrordError("you", error.format_message(), _help(None)) from None
    return result if isinstance(result, int) else 0


def _misused(error: click.UsageError) -> MirrordError:
    return MirrordError("you", error.format_message(), _help(error.ctx))


def _help(context: click.Context | None) -> str:
    return f"`{context.command_path if context else 'mirrord'} --help` lists what there is."
