"""Asks the kubernetes client for a token of an OpenID Connect issuer, and keeps what it refreshed, as kubectl does.

The client is loaded here and nowhere else: it takes long. What it gets to see is decided in machine.py.
"""

from __future__ import annotations

import importlib
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from mirrord_cli.cluster.access.kubeconfig import AUTHORITY, Chosen, Provider
from mirrord_cli.cluster.access.machine import decode
from mirrord_cli.cluster.access.provider.machine import configuration_for, failed, refreshed


def ask_provider(chosen: Chosen, provider: Provider) -> str:
    """Return a user's token, as the header Authorization has it.

    A token that has expired is refreshed, and the new ones are written to the kubeconfig: the older may count no more.

    Raises:
        MirrordError: There is none.
    """
    from kubernetes.client import Configuration
    from kubernetes.config.config_exception import ConfigException
    from urllib3.exceptions import HTTPError

    kube_config: Any = importlib.import_module("kubernetes.config.kube_config")
    client = Configuration()
    with _authority(provider) as authority:
        configuration = configuration_for(provider, authority)
        try:
            kube_config.load_kube_config_from_dict(configuration, client_configuration=client, persist_config=False)
        except (ConfigException, kube_config.oauthlib.oauth2.OAuth2Error, HTTPError, OSError) as error:
            raise failed(str(error) or type(error).__name__) from None
        except (ValueError, LookupError) as error:  # of an answer that isn't what the client takes it for
            raise failed(f"its answer can't be used ({type(error).__name__})") from None
    token = client.api_key.get("BearerToken") or client.api_key.get("authorization")
    if not token:
        raise failed("what the kubeconfig has as id-token is none")
    if changed := refreshed(provider, configuration):
        with suppress(OSError):  # a kubeconfig that may only be read
            _keep(chosen, changed)
    return str(token)


@contextmanager
def _authority(provider: Provider) -> Iterator[str]:
    """Yield the name of a file with those who may sign for the issuer, which is none on a disk if it is made for this."""
    if path := provider.config.get(AUTHORITY):
        yield path
    elif data := provider.config.get(f"{AUTHORITY}-data"):
        with open(os.memfd_create("authority"), "wb") as file:
            file.write(decode(data, f"{AUTHORITY}-data"))
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        paths = ssl.get_default_verify_paths()
        yield paths.cafile or paths.openssl_cafile


def _keep(chosen: Chosen, changed: Mapping[str, str]) -> None:
    """Write what has changed to the kubeconfig, all or nothing. Raises OSError."""
    import yaml

    path = os.path.realpath(chosen.user_file)
    with open(path, encoding="utf-8") as file:
        tree = yaml.safe_load(file)
        mode = os.fstat(file.fileno()).st_mode & 0o777
    for each in tree["users"]:
        if each["name"] == chosen.user_name:
            each["user"]["auth-provider"]["config"].update(changed)
            break
    new = f"{path}.{os.getpid()}"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            yaml.safe_dump(tree, file, sort_keys=False)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
