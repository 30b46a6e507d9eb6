"""Which proxy leads to an API server: the kubeconfig's, or one that variables name, as kubectl takes them. No I/O.

From Go's `golang.org/x/net/http/httpproxy`, which kubectl uses: HTTPS_PROXY or HTTP_PROXY by the server's scheme, none
for this machine, none for what NO_PROXY names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from mirrord_cli.errors import MirrordError

SCHEMES = ("http", "https", "socks5", "socks5h")
PORTS = {"http": 80, "https": 443}


def proxy_for(server: str, named: str, variables: Mapping[str, str], *, use_proxy: bool) -> str:
    """Return the proxy for a server, with its scheme; empty for none.

    Args:
        server: Its address, with the scheme.
        named: The kubeconfig's `proxy-url`; it counts in any case.
        variables: The environment.
        use_proxy: False: variables don't count.

    Raises:
        MirrordError: A proxy is named by something that is no address.
    """
    if named:
        return _checked(named, "The kubeconfig's proxy-url")
    parts = urlsplit(server)
    if not use_proxy or _is_excepted(parts, _either("NO_PROXY", variables)[1]):
        return ""
    name, proxy = _either("HTTPS_PROXY" if parts.scheme.lower() == "https" else "HTTP_PROXY", variables)
    return _checked(proxy, f"The variable {name}") if proxy else ""


def _either(name: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """Return a variable's name as it is there, in large letters or small, and its value."""
    for each in (name, name.lower()):
        if value := variables.get(each, ""):
            return each, value
    return name, ""


def _checked(proxy: str, where: str) -> str:
    full = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(full)
        valid = parts.scheme.lower() in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        text = f"{where} names no proxy that can be used."  # its value may have a password
        next_step = "Write it like http://HOST:PORT; the schemes are http, https and socks5."
        raise MirrordError("configuration", text, next_step)
    scheme = parts.scheme.lower().replace("socks5h", "socks5")  # the proxy finds names in either case
    return f"{scheme}://{full.partition('://')[2]}"


def _is_excepted(server: SplitResult, exceptions: str) -> bool:
    """Whether no proxy is wanted for a server."""
    host = (server.hostname or "").rstrip(".")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    port = server.port or PORTS[server.scheme.lower()]
    return any(_matches(entry.strip().lower(), host, address, port) for entry in exceptions.split(",") if entry.strip())


def _matches(entry: str, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None, port: int) -> bool:
    """Whether an entry of NO_PROXY means a host: `*`, an address, a network, a name, each but networks with a port."""
    if entry == "*":
        return True
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    else:
        return address is not None and address in network
    try:
        parts = urlsplit(f"//{entry}")
        name, wanted = parts.hostname or "", parts.port
    except ValueError:
        return False
    if wanted is not None and wanted != port:
        return False
    if (other := _address(name)) is not None:
        return address == other
    if name.startswith("*."):
        name = name[1:]
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
