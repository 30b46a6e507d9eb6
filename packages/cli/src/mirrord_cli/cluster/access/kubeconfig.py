"""A kubeconfig's values, what several files say together, and which cluster and user a context means. No I/O.

As kubectl reads it: of things with one name the first counts, a relative path belongs to the folder of the file that has
it. What becomes of the values is in machine.py; the files are read in driver.py.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from mirrord_cli.errors import MirrordError

AUTHORITY = "idp-certificate-authority"
"""A provider's file with those who may sign for the issuer."""
SHOWN = 12
"""So many contexts are listed where one isn't found."""


class Named(msgspec.Struct, frozen=True):
    """A value of a list, by name; what it is is decided once all files are known."""

    name: str


class Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    """An API server. Data is base64."""

    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    proxy_url: str = ""
    extensions: list[Any] = []


class Variable(msgspec.Struct, frozen=True):
    """One that a plug-in gets."""

    name: str
    value: str = ""


class Plugin(msgspec.Struct, frozen=True, rename="camel"):
    """A program that has credentials: `exec` of a user (client authentication API)."""

    command: str
    api_version: str
    args: list[str] = []
    env: list[Variable] = []
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class Provider(msgspec.Struct, frozen=True):
    """A way to credentials that is built into clients: `auth-provider` of a user."""

    name: str
    config: dict[str, str] = {}
    """A path of idp-certificate-authority is absolute once a context is chosen."""


class User(msgspec.Struct, frozen=True, rename="kebab"):
    """Who asks. Data is base64."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    act_as: str = msgspec.field(default="", name="as")
    act_as_uid: str = msgspec.field(default="", name="as-uid")
    act_as_groups: list[str] = msgspec.field(default_factory=list, name="as-groups")
    act_as_user_extra: dict[str, list[str]] = msgspec.field(default_factory=dict, name="as-user-extra")
    username: str = ""
    password: str = ""
    auth_provider: Provider | None = None
    plugin: Plugin | None = msgspec.field(default=None, name="exec")


class Context(msgspec.Struct, frozen=True):
    """A cluster, a user and a namespace, by their names."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


class NamedCluster(Named, frozen=True):
    cluster: Cluster = Cluster()


class NamedUser(Named, frozen=True):
    user: User = User()


class NamedContext(Named, frozen=True):
    context: Context = Context()


N = TypeVar("N", bound=Named)


class Document(msgspec.Struct, frozen=True, rename="kebab"):
    """One file."""

    current_context: str = ""
    clusters: list[NamedCluster] = []
    users: list[NamedUser] = []
    contexts: list[NamedContext] = []


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a context means. All paths are absolute."""

    context: str
    namespace: str
    """Empty where the context names none."""
    cluster: Cluster
    user_name: str
    """Empty for nobody."""
    user: User
    user_file: str = ""
    """The file that the user stands in: what a provider refreshes is written there."""


def parse_document(tree: object, path: str) -> Document:
    """Return a file's values.

    Raises:
        MirrordError: They aren't a kubeconfig's.
    """
    try:
        return msgspec.convert(_without_nulls(tree) or {}, Document)
    except msgspec.ValidationError as error:
        text = f"The kubeconfig {path} isn't one: {error}."
        raise MirrordError("configuration", text, "Correct it: `kubectl config view` shows how it is read.") from None


def choose(files: Sequence[tuple[str, Document]], context: str | None) -> Chosen:
    """Return what a context of these files, or the current one, means.

    Args:
        files: Paths, absolute, and what they say, in the order of their weight.
        context: A name; None is the current context.

    Raises:
        MirrordError: There is no such context, cluster or user.
    """
    contexts = _first((path, each) for path, document in files for each in document.contexts)
    name = context or next((document.current_context for _, document in files if document.current_context), "")
    if not name:
        text = "The kubeconfig has no current context, and none was named."
        raise MirrordError("configuration", text, _known(name, contexts))
    if name not in contexts:
        text = f"The kubeconfig has no context {name!r}."
        if not context:
            text = f"The kubeconfig's current context is {name!r}, which it doesn't have."
        raise MirrordError("configuration", text, _known(name, contexts))
    meant = contexts[name][1].context
    clusters = _first((path, each) for path, document in files for each in document.clusters)
    users = _first((path, each) for path, document in files for each in document.users)
    for kind, wanted, there in (("cluster", meant.cluster, clusters), ("user", meant.user, users)):
        if wanted not in there and (wanted or kind == "cluster"):
            text = f"The context {name!r} names the {kind} {wanted!r}, which the kubeconfig doesn't have."
            raise MirrordError("configuration", text, f"Correct it: `kubectl config set-context {name} --{kind}=…`.")
    cluster_file, cluster = clusters[meant.cluster]
    user_file, user = users.get(meant.user, ("", NamedUser(name="")))
    return Chosen(
        context=name,
        namespace=meant.namespace,
        cluster=_cluster_from(os.path.dirname(cluster_file), cluster.cluster),
        user_name=meant.user,
        user=_user_from(os.path.dirname(user_file), user.user),
        user_file=user_file,
    )


def _cluster_from(folder: str, cluster: Cluster) -> Cluster:
    return msgspec.structs.replace(cluster, certificate_authority=_path(folder, cluster.certificate_authority))


def _user_from(folder: str, user: User) -> User:
    plugin = user.plugin
    if plugin is not None and os.sep in plugin.command:
        plugin = msgspec.structs.replace(plugin, command=_path(folder, plugin.command))
    provider = user.auth_provider
    if provider is not None and (authority := provider.config.get(AUTHORITY)):
        provider = Provider(provider.name, {**provider.config, AUTHORITY: _path(folder, authority)})
    return msgspec.structs.replace(
        user,
        client_certificate=_path(folder, user.client_certificate),
        client_key=_path(folder, user.client_key),
        token_file=_path(folder, user.token_file),
        plugin=plugin,
        auth_provider=provider,
    )


def _path(folder: str, path: str) -> str:
    return os.path.join(folder, path) if path else ""


def _first(found: Iterable[tuple[str, N]]) -> dict[str, tuple[str, N]]:
    """Return things by their names, each with its file; the first of a name counts."""
    by_name: dict[str, tuple[str, N]] = {}
    for path, each in found:
        by_name.setdefault(each.name, (path, each))
    return by_name


def _known(name: str, contexts: Iterable[str]) -> str:
    """Return a next step that lists the contexts, the nearest first."""
    there = list(contexts)
    if not there:
        return "Name another kubeconfig: it has no contexts at all."
    near = difflib.get_close_matches(name, there, n=3)
    ordered = [*near, *(each for each in there if each not in near)]
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return f"Name one with --context; there are: {', '.join(ordered[:SHOWN])}{more}."


def _without_nulls(tree: object) -> object:
    """Return values without those that are null: an absent value means the same."""
    if isinstance(tree, dict):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [_without_nulls(value) for value in tree if value is not None]
    return tree
