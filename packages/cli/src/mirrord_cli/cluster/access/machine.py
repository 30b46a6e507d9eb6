"""From what a kubeconfig means to `Access`: the server, who may vouch for it, and what each request carries. No I/O.

Files and programs are read and run by driver.py, plugin/ and provider/; which proxy is used is decided in proxies.py.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from mirrord_cli.cluster.access.kubeconfig import Chosen, Cluster, Plugin, Provider, User
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access

TOKEN_CHARACTERS = "-._~!#$&'*+^`|"
"""Beside letters and digits, what a header's name may have (RFC 9110 5.6.2, without the percent sign)."""
BAD_IN_HEADER = re.compile(r"[\x00-\x1f\x7f]")
REMOVED = {
    "gcp": "Use the plug-in gke-gcloud-auth-plugin: `gcloud container clusters get-credentials` writes it.",
    "azure": "Use the plug-in kubelogin: `kubelogin convert-kubeconfig` writes it.",
}
"""Ways to credentials that kubectl has given up (Kubernetes 1.26), and what to do."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user is known by."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        return "Credentials()"


def source_of(user: User) -> Plugin | Provider | None:
    """Return what has to be asked for credentials; None where the kubeconfig has them, or there are none.

    Raises:
        MirrordError: No client has this way any more.
    """
    if user.token or user.token_file or user.username:
        return None
    if user.plugin is not None:
        return user.plugin
    if user.auth_provider is None:
        return None
    name = user.auth_provider.name
    if name != "oidc":
        text = f"The kubeconfig's user has the auth-provider {name!r}, which kubectl doesn't have any more either."
        raise MirrordError("configuration", text, REMOVED.get(name, "Have an exec plug-in or a token in its place."))
    return user.auth_provider


def static_authorization(user: User, token_of_file: str) -> str:
    """Return the header for a token, or a name and a password, that stand in a kubeconfig; empty for neither."""
    if token := token_of_file or user.token:
        return bearer(token)
    if user.username:
        both = f"{user.username}:{user.password}".encode()
        return f"Basic {base64.b64encode(both).decode()}"
    return ""


def bearer(token: str) -> str:
    """Return the header for a token. Raises MirrordError."""
    if BAD_IN_HEADER.search(token) or not token.isascii():
        text = "The token for the cluster has characters that no token has."
        raise MirrordError("configuration", text, "Look at where it comes from: a file's line, or a plug-in's output.")
    return f"Bearer {token}"


def access_to(
    chosen: Chosen, authorities: bytes, credentials: Credentials, *, accept_invalid: bool | None, proxy: str
) -> Access:
    """Return how a chosen cluster is reached.

    Args:
        chosen: The context's meaning.
        authorities: Who may sign for the server, PEM; empty for those of this machine.
        credentials: The user's.
        accept_invalid: Whether the server's certificate may be anything; None: as the kubeconfig says.
        proxy: As `Access` has it.

    Raises:
        MirrordError: The server's address is none.
    """
    cluster = chosen.cluster
    server = server_of(chosen)
    headers = (("Authorization", credentials.authorization),) if credentials.authorization else ()
    return Access(
        server=server,
        verify=not (cluster.insecure_skip_tls_verify if accept_invalid is None else accept_invalid),
        authorities=authorities,
        server_name=cluster.tls_server_name,
        certificate=credentials.certificate,
        key=credentials.key,
        headers=(*headers, *_impersonation(chosen.user)),
        proxy=proxy,
    )


def server_of(chosen: Chosen) -> str:
    """Return the server's address, with its scheme. Raises MirrordError."""
    server = chosen.cluster.server.strip()
    if server and "://" not in server:
        server = f"{'https' if _is_secured(chosen.cluster, chosen.user) else 'http'}://{server}"
    try:
        parts = urlsplit(server)
        valid = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        text = f"The kubeconfig's cluster of context {chosen.context!r} has no address that can be used: {server!r}."
        raise MirrordError("configuration", text, "Write one like `server: https://HOST:6443`.")
    return server.rstrip("/")


def decode(data: str, what: str) -> bytes:
    """Return what base64 in a kubeconfig means. Raises MirrordError."""
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        text = f"The kubeconfig's {what} is no base64."
        raise MirrordError("configuration", text, "Correct it, or name a file in its place.") from None


def _is_secured(cluster: Cluster, user: User) -> bool:
    """Whether something is said that makes sense for TLS only: then it is meant."""
    return bool(
        cluster.certificate_authority
        or cluster.certificate_authority_data
        or cluster.insecure_skip_tls_verify
        or user.client_certificate
        or user.client_certificate_data
    )


def _impersonation(user: User) -> Iterator[tuple[str, str]]:
    """Yield the headers by which a user acts as another (Kubernetes, user impersonation)."""
    if user.act_as:
        yield "Impersonate-User", _header(user.act_as)
    if user.act_as_uid:
        yield "Impersonate-Uid", _header(user.act_as_uid)
    yield from (("Impersonate-Group", _header(group)) for group in user.act_as_groups)
    for name, values in user.act_as_user_extra.items():
        key = quote(name.lower(), safe=TOKEN_CHARACTERS).lower()
        yield from ((f"Impersonate-Extra-{key}", _header(value)) for value in values)


def _header(value: str) -> str:
    """Return a value as HTTP has it: a character for each byte. Raises MirrordError."""
    if BAD_IN_HEADER.search(value):
        text = f"The kubeconfig's user acts as {value!r}, which has characters that no name has."
        raise MirrordError("configuration", text, "Correct `as` and what is beside it.")
    return value.encode().decode("latin-1")
