"""`mirrord rbac`: prints the least Role with which mirrord works. It asks no cluster; cluster/roles.py knows the rights."""

from __future__ import annotations

from typing import Literal

import click

from mirrord_cli.cluster.roles import Subject, Wanted, roles
from mirrord_cli.commands.verify import print_answer
from mirrord_cli.errors import MirrordError

EPILOG = """\b
Examples:
  mirrord rbac -n shop --user alice | kubectl apply -f -
  mirrord rbac --mode job -n shop -a agents --group developers
  mirrord rbac --all-namespaces --service-account ci:tester
"""


@click.command("rbac", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--mode", type=click.Choice(["auto", "job", "ephemeral"]), default="auto",
              help="For this agent.mode; auto by default.")  # fmt: skip
@click.option("-n", "--namespace", metavar="NAMESPACE", default="", help="The targets' namespace.")
@click.option("-a", "--agent-namespace", metavar="NAMESPACE", default="",
              help="The namespace of agents' Jobs, where it is another.")  # fmt: skip
@click.option("--all-namespaces", "everywhere", is_flag=True, help="A ClusterRole, for all namespaces.")
@click.option("--targetless", is_flag=True, help="For agents without a target alone.")
@click.option("--user", "users", multiple=True, metavar="NAME", help="Bind it to this user.")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="Bind it to this group.")
@click.option("--service-account", "accounts", multiple=True, metavar="NAMESPACE:NAME",
              help="Bind it to this service account.")  # fmt: skip
@click.option("--name", default="mirrord", show_default=True, help="The name of Role and RoleBinding.")
def rbac_command(
    *,
    mode: Literal["auto", "job", "ephemeral"],
    namespace: str,
    agent_namespace: str,
    everywhere: bool,
    targetless: bool,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    accounts: tuple[str, ...],
    name: str,
) -> None:
    """Print the least rights that mirrord needs, as YAML.

    Options that may be given several times bind all whom they name. Without any nobody is bound.
    """
    subjects = (
        *(Subject("User", user) for user in users),
        *(Subject("Group", group) for group in groups),
        *map(_account, accounts),
    )
    if everywhere and (namespace or agent_namespace):
        text = "--all-namespaces is for all namespaces, and one is named."
        raise MirrordError("you", text, "Leave out -n and -a, or --all-namespaces.")
    wanted = Wanted(
        mode=mode,
        namespace=namespace,
        agent_namespace=agent_namespace,
        targetless=targetless,
        everywhere=everywhere,
        subjects=subjects,
        name=name,
    )
    print_answer(roles(wanted).rstrip("\n"))


def _account(text: str) -> Subject:
    namespace, _, name = text.partition(":")
    if not namespace or not name:
        raise MirrordError(
            "you", f"The service account {text!r} has no namespace.", "Write NAMESPACE:NAME, for instance ci:tester."
        )
    return Subject("ServiceAccount", name, namespace)
