"""What a credential plug-in is told, and what its answer means (Kubernetes, client-go credential plugins). No I/O.

driver.py runs it. As kubectl does: its errors go to the terminal, standard input is the terminal's where it may ask.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from mirrord_cli.cluster.access.kubeconfig import Cluster, Plugin
from mirrord_cli.cluster.access.machine import Credentials, bearer
from mirrord_cli.errors import MirrordError

GROUP = "client.authentication.k8s.io/"
EXTENSION = "client.authentication.k8s.io/exec"
INFORMATION = "KUBERNETES_EXEC_INFO"
MOST = 1 << 20
"""Bytes of an answer."""
SHOWN = 300
"""Characters of what it said on standard error."""


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The part of an answer that counts."""

    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    status: Status | None = None


def may_ask(plugin: Plugin, *, terminal: bool) -> bool:
    """Return whether a plug-in gets standard input.

    Args:
        plugin: The program.
        terminal: Whether standard input is a terminal.

    Raises:
        MirrordError: It needs a terminal and there is none.
    """
    if plugin.interactive_mode == "Always" and not terminal:
        text = f"The credential plug-in {plugin.command} wants to ask something, and standard input is no terminal."
        raise MirrordError("you", text, "Start mirrord from a terminal, or sign in beforehand.")
    return terminal and plugin.interactive_mode != "Never"


def environment_for(
    plugin: Plugin, cluster: Cluster, authorities: bytes, variables: Mapping[str, str], *, interactive: bool
) -> dict[str, str]:
    """Return what a plug-in's environment is."""
    specification: dict[str, Any] = {"interactive": interactive}
    if plugin.provide_cluster_info:
        specification["cluster"] = _cluster(cluster, authorities)
    information = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": specification}
    return {
        **variables,
        **{variable.name: variable.value for variable in plugin.env},
        INFORMATION: json.dumps(information),
    }


def read_answer(plugin: Plugin, output: bytes) -> Credentials:
    """Return the credentials that a plug-in wrote.

    Raises:
        MirrordError: It wrote something else.
    """
    try:
        answer = msgspec.json.decode(output, type=Answer)
    except msgspec.MsgspecError as error:
        raise unusable(plugin, f"it is no ExecCredential: {error}") from None
    except UnicodeDecodeError:
        raise unusable(plugin, "it is no text") from None
    if answer.kind != "ExecCredential" or answer.api_version != plugin.api_version:
        there = f"{answer.kind} {answer.api_version}"
        raise unusable(plugin, f"it is {there!r}, and asked for was ExecCredential {plugin.api_version}")
    status = answer.status or Status()
    if not status.token and not status.client_certificate_data:
        raise unusable(plugin, "it has neither a token nor a certificate")
    if bool(status.client_certificate_data) != bool(status.client_key_data):
        raise unusable(plugin, "a certificate or its key is missing")
    return Credentials(
        authorization=bearer(status.token) if status.token else "",
        certificate=(status.client_certificate_data or "").encode(),
        key=(status.client_key_data or "").encode(),
    )


def _cluster(cluster: Cluster, authorities: bytes) -> dict[str, Any]:
    """Return what a plug-in is told of the cluster; files of the kubeconfig are data here."""
    settings = next(
        (
            each.get("extension")
            for each in cluster.extensions
            if isinstance(each, dict) and each.get("name") == EXTENSION
        ),
        None,
    )
    told = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": base64.b64encode(authorities).decode(),
        "proxy-url": cluster.proxy_url,
        "config": settings,
    }
    return {name: value for name, value in told.items() if value}


def unusable(plugin: Plugin, why: str) -> MirrordError:
    """Return what is told of a plug-in whose output can't be used."""
    text = f"The credential plug-in {plugin.command} wrote something that can't be used: {why}."
    return MirrordError("cluster", text, "Run it by hand and look; `kubectl get pods` runs it too.")


def missing(plugin: Plugin) -> MirrordError:
    """Return what is told of a plug-in that can't be found."""
    hint = " ".join(plugin.install_hint.split())
    text = f"The kubeconfig has credentials from the plug-in {plugin.command}, which isn't installed here."
    return MirrordError("cluster", text, hint or "Install it, or put its folder into PATH.")


def not_runnable(plugin: Plugin, reason: str) -> MirrordError:
    """Return what is told of a plug-in that the kernel doesn't run."""
    text = f"The credential plug-in {plugin.command} can't be run: {reason}."
    return MirrordError("cluster", text, "Check the program, and the kubeconfig's `exec` entry.")


def failed(plugin: Plugin, code: int, errors: bytes) -> MirrordError:
    """Return what is told of a plug-in that failed: with the last line of what it said, if that was seen."""
    ended = f"ended with code {code}" if code >= 0 else f"was ended by signal {-code}"
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    said = "".join(character for character in lines[-1].strip() if character.isprintable()) if lines else ""
    text = f"The credential plug-in {os.path.basename(plugin.command)} {ended}{': ' + said[:SHOWN] if said else ''}."
    return MirrordError(
        "cluster", text.replace("..", "."), "Sign in again, and try `kubectl get pods`: it runs it too."
    )
