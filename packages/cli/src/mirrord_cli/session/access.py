"""How a Kubernetes API server is reached, and as whom: plain values, made by ../cluster/ from a kubeconfig. No I/O.

The session reads no kubeconfig and runs no plug-in: the command line does, which has the terminal, and hands over what
came of it by the status socket, never by argument or variable.
"""

from __future__ import annotations

import msgspec


class Access(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One API server, as one user. The texts of certificates and keys are PEM."""

    server: str
    """`https://HOST[:PORT][/PREFIX]`, or `http://` where the kubeconfig says so."""
    verify: bool = True
    """Whether the server's certificate is checked."""
    authorities: bytes = b""
    """Who may have signed it; empty means those that this machine trusts."""
    server_name: str = ""
    """The name that the certificate has to have; empty means the server's host."""
    certificate: bytes = b""
    """The user's certificate, with its chain; empty for none."""
    key: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """What each request carries: `Authorization`, `Impersonate-User` and its like. A character for each byte."""
    proxy: str = ""
    """`http://`, `https://` or `socks5://`, with user and password if it wants them; empty means none."""

    def __repr__(self) -> str:
        return f"Access(server={self.server!r})"  # nothing of it belongs into a log
