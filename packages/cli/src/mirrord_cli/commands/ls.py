"""`mirrord ls`: the targets of a namespace, in JSON. Editors read it to let a person choose."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from mirrord_cli.cluster.targets.kinds import KINDS
from mirrord_cli.cluster.targets.listing import Listing, wanted_kinds
from mirrord_cli.commands.verify import print_answer
from mirrord_cli.config.driver import DEFAULT_FILE, load
from mirrord_cli.config.values import SWITCHES
from mirrord_cli.errors import MirrordError
from mirrord_cli.ui import Screen

RICH = "MIRRORD_LS_RICH_OUTPUT"
TYPES = "MIRRORD_LS_TARGET_TYPES"
EPILOG = f"""\b
The answer is one line of JSON: a list of targets that can be chosen now.
  ["deployment/shop", "pod/shop-0/container/web", ...]
With {RICH}=true it is an object:
  {{"targets": [{{"path": "deployment/shop", "available": true}}, ...],
   "current_namespace": "default", "namespaces": ["default", ...]}}
{TYPES} says what -t does, as a list in JSON.
KIND is one of
  {", ".join(list(KINDS)[:5])},
  {", ".join(list(KINDS)[5:])}.
\b
Examples:
  mirrord ls
  mirrord ls -n shop -t deployment -t statefulset
"""


@click.command("ls", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-n", "--namespace", metavar="NAME", help="The namespace; without it, the context's.")
@click.option("-t", "--target-type", "chosen", metavar="KIND", multiple=True,
              type=click.Choice(list(KINDS), case_sensitive=False), help="Only targets of this kind.")  # fmt: skip
@click.option("-f", "--config-file", "file", is_flag=False, flag_value=DEFAULT_FILE, metavar="[FILE]",
              help="A configuration file: .json, .toml, .yaml.")  # fmt: skip
@click.option("--context", metavar="NAME", help="The context of the kubeconfig.")
@click.option("--kubeconfig", metavar="FILE", help="The kubeconfig file.")
@click.option("-c", "--accept-invalid-certificates", "unchecked", is_flag=True,
              help="The API server's certificate isn't checked.")  # fmt: skip
@click.option("-o", "--output", metavar="FORMAT", type=click.Choice(["json"]), default="json",
              help="How the answer is written: json.")  # fmt: skip
def ls_command(
    *,
    namespace: str | None,
    chosen: Sequence[str],
    file: str | None,
    context: str | None,
    kubeconfig: str | None,
    unchecked: bool,
    output: str,  # noqa: ARG001 - there is one way, and editors say so
) -> None:
    """List the targets of a namespace."""
    options = {
        "target.namespace": namespace,
        "kube_context": context,
        "kubeconfig": kubeconfig,
        "accept_invalid_certificates": "true" if unchecked else None,
    }
    said = {key: text for key, text in options.items() if text is not None}
    rich = SWITCHES.get(os.environ.get(RICH, "").lower(), False)
    kinds = _kinds(chosen, os.environ)
    resolved = load(said, os.environ, file)
    # What follows takes a while to load: mistakes are told before.
    from mirrord_cli.cluster.api.driver import open_configured
    from mirrord_cli.cluster.targets.driver import list_targets

    config = resolved.config
    api = open_configured(config, os.environ)
    found = list_targets(api, kinds, config.target.namespace or api.namespace, namespaces=rich)
    if found.refused:
        Screen(os.environ).warning(f"You may not list {', '.join(found.refused)}: they are left out.")
    print_answer(json.dumps(answer(found, rich=rich)))


def answer(found: Listing, *, rich: bool) -> Any:
    """Return what is printed: all, or the names of what can be chosen now."""
    if not rich:
        return [target.path for target in found.targets if target.available]
    return {
        "targets": [{"path": target.path, "available": target.available} for target in found.targets],
        "current_namespace": found.current_namespace,
        "namespaces": list(found.namespaces),
    }


def _kinds(chosen: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the kinds to list; a variable may name some that can't be, like `targetless`."""
    if chosen or not variables.get(TYPES):
        return wanted_kinds(chosen)
    try:
        named = json.loads(variables[TYPES])
    except ValueError:
        named = None
    if not isinstance(named, list) or not all(isinstance(word, str) for word in named):
        text = f"The variable {TYPES} must be a list of kinds in JSON, not {variables[TYPES]!r}."
        raise MirrordError("you", text, 'Write it like ["deployment", "pod"], or unset it.')
    return tuple(word for word in KINDS if word in named) if named else wanted_kinds(())
