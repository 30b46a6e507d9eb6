"""`mirrord verify-config`: says in JSON whether a configuration is right. Editors read it; the exit code is 0 then too."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from mirrord_cli.config.agent import compatible_kinds
from mirrord_cli.config.driver import examine
from mirrord_cli.config.target import target_object
from mirrord_cli.errors import MirrordError

EPILOG = """\b
The answer is one line of JSON, and the exit code is 0 for mistakes too:
  {"type": "Success", "config": {"path": ..., "namespace": ...},
   "warnings": [], "compatible_target_types": ["targetless", "pod", ...]}
  {"type": "Fail", "errors": ["..."]}
"""


@click.command("verify-config", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--ide", is_flag=True, help="A missing target will follow: don't warn.")
@click.option("--resolved", is_flag=True, help="Also print the configuration with all defaults.")
@click.option("--schema", "wants_schema", is_flag=True, help="Print the JSON schema of configuration files.")
@click.argument("path", required=False, type=click.UNPROCESSED)
def verify_command(*, path: str | None, ide: bool, resolved: bool, wants_schema: bool) -> None:
    """Check the configuration file PATH (- for standard input)."""
    if wants_schema:
        from mirrord_cli.config.schema import schema

        print_answer(json.dumps(schema(), indent=2))
    elif path is None:
        raise click.UsageError("Missing argument 'PATH'.", click.get_current_context())
    else:
        print_answer(json.dumps(_verdict(path, ide=ide, resolved=resolved)))


def print_answer(text: str) -> None:
    """Print what an editor reads.

    Raises:
        MirrordError: It can't be written.
    """
    try:
        click.echo(text)
    except BrokenPipeError:
        raise  # whoever read it has enough; click ends quietly
    except OSError as error:
        said = f"The answer can't be written: {error.strerror}."
        raise MirrordError("you", said, "Look at where standard output goes.") from None


def _verdict(path: str, *, ide: bool, resolved: bool) -> dict[str, Any]:
    try:
        outcome, source, said = examine({}, os.environ, path)
    except MirrordError as error:
        return {"type": "Fail", "errors": [error.text]}
    if outcome.resolved is None:
        return {
            "type": "Fail",
            "errors": [source.place(problem, said) for problem in outcome.problems],
        }
    found = outcome.resolved
    warnings = list(found.warnings)
    if found.target is None and not ide:
        warnings.append("No target is named: give one with `mirrord exec --target`.")
    verdict: dict[str, Any] = {
        "type": "Success",
        "config": {
            "path": None if found.target is None else target_object(found.target),
            "namespace": found.config.target.namespace,
        },
        "warnings": warnings,
        "compatible_target_types": compatible_kinds(found.config),
    }
    if resolved:
        from msgspec import to_builtins

        verdict["resolved_config"] = to_builtins(found.config)
    return verdict
