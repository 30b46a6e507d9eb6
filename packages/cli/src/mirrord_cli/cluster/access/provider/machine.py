"""What a kubeconfig's `auth-provider` says as the kubernetes client takes it, and what is written back. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirrord_cli.cluster.access.kubeconfig import AUTHORITY, Provider
from mirrord_cli.errors import MirrordError

NAME = "x"
"""Of the one cluster, user and context that the client sees."""
WANTED = ("idp-issuer-url", "client-id", "id-token")
REFRESHED = ("id-token", "refresh-token")


def configuration_for(provider: Provider, authority: str) -> dict[str, Any]:
    """Return a kubeconfig that has nothing but a provider.

    The client makes temporary files of certificates and keys, so it gets none. It doesn't check who the issuer is where
    no authority is named, so one is.

    Args:
        provider: The user's.
        authority: A file with those who may sign for the issuer.

    Raises:
        MirrordError: Something is missing.
    """
    for name in WANTED:
        if not provider.config.get(name):
            text = f"The kubeconfig's auth-provider oidc has no {name}."
            raise MirrordError("configuration", text, "Sign in again with the tool that wrote it.")
    # The client expects these where it refreshes; an issuer may go without a secret.
    config = {"refresh-token": "", "client-secret": ""} | provider.config | {AUTHORITY: authority}
    config.pop(f"{AUTHORITY}-data", None)
    user = {"auth-provider": {"name": provider.name, "config": config}}
    return {
        "current-context": NAME,
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "clusters": [{"name": NAME, "cluster": {"server": "http://localhost"}}],
        "users": [{"name": NAME, "user": user}],
    }


def refreshed(provider: Provider, configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return what the client has changed: tokens, of which the older ones may count no more."""
    config = configuration["users"][0]["user"]["auth-provider"]["config"]
    return {name: config[name] for name in REFRESHED if config[name] and config[name] != provider.config.get(name)}


def failed(why: str) -> MirrordError:
    """Return what is told where an issuer gives no token."""
    text = f"The kubeconfig's auth-provider oidc gives no token that counts: {why}."
    return MirrordError("cluster", text, "Sign in again with the tool that wrote the kubeconfig.")
