"""Which proxy leads to a server, as kubectl takes the variables."""

from __future__ import annotations

import pytest

from mirrord_cli.cluster.access.proxies import proxy_for
from mirrord_cli.errors import MirrordError

SERVER = "https://api.example.test:6443"
PROXY = {"HTTPS_PROXY": "http://p:3128"}


def proxy(variables: dict[str, str], server: str = SERVER, named: str = "", *, use_proxy: bool = True) -> str:
    return proxy_for(server, named, variables, use_proxy=use_proxy)


def test_none() -> None:
    assert proxy({}) == ""
    assert proxy({"ALL_PROXY": "http://p:1"}) == ""  # kubectl doesn't know it


@pytest.mark.parametrize(
    ("server", "variables", "found"),
    [
        (SERVER, {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        (SERVER, {"https_proxy": "p:3128"}, "http://p:3128"),
        (SERVER, {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, "http://a:1"),
        (SERVER, {"HTTP_PROXY": "http://p:3128"}, ""),
        ("http://api.example.test", {"HTTP_PROXY": "http://p:3128", "HTTPS_PROXY": "http://q:1"}, "http://p:3128"),
        (SERVER, {"HTTPS_PROXY": "https://u:pw@p"}, "https://u:pw@p"),
        (SERVER, {"HTTPS_PROXY": "SOCKS5H://p:1080"}, "socks5://p:1080"),
        (SERVER, {"HTTPS_PROXY": "socks5://[::1]:1080"}, "socks5://[::1]:1080"),
    ],
)
def test_by_variables(server: str, variables: dict[str, str], found: str) -> None:
    assert proxy(variables, server) == found
    assert proxy(variables, server, use_proxy=False) == ""


def test_the_kubeconfigs_counts_before_all() -> None:
    variables = {"HTTPS_PROXY": "http://other:1", "NO_PROXY": "*"}

    assert proxy(variables, named="socks5://p:1") == "socks5://p:1"
    assert proxy(variables, named="socks5://p:1", use_proxy=False) == "socks5://p:1"


@pytest.mark.parametrize(
    ("server", "exceptions", "excepted"),
    [
        (SERVER, "*", True),
        (SERVER, " other.test , example.test", True),
        (SERVER, "api.example.test", True),
        (SERVER, "API.Example.TEST", True),
        (SERVER, ".example.test", True),
        (SERVER, "*.example.test", True),
        (SERVER, "pi.example.test", False),
        (SERVER, ".api.example.test", False),
        (SERVER, "api.example.test:6443", True),
        (SERVER, "api.example.test:443", False),
        (SERVER, "test:port", False),
        ("https://example.test", "example.test:443", True),
        ("https://example.test", ".example.test", False),
        ("https://10.1.2.3:6443", "10.0.0.0/8", True),
        ("https://10.1.2.3:6443", "10.1.2.3", True),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", True),
        ("https://10.1.2.3:6443", "10.1.2.3:443", False),
        ("https://10.1.2.3:6443", "10.1.2.0/30", True),
        ("https://10.1.2.3:6443", "192.168.0.0/16", False),
        ("https://[fd00::1]:6443", "fd00::/8", True),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", True),
        ("https://[fd00::1]:6443", "[fd00::1", False),
        (SERVER, "10.0.0.0/8", False),
        ("https://localhost:6443", "", True),
        ("https://127.0.0.1:6443", "", True),
        ("https://[::1]:6443", "", True),
    ],
)
def test_exceptions(server: str, exceptions: str, excepted: bool) -> None:
    assert (proxy(PROXY | {"NO_PROXY": exceptions}, server) == "") is excepted
    assert (proxy(PROXY | {"no_proxy": exceptions}, server) == "") is excepted


@pytest.mark.parametrize(
    "address", ["ftp://p:1", "http://", "http://p:port", "socks4://p:1", "http://u:secret@p:99999"]
)
def test_what_is_no_proxy(address: str) -> None:
    with pytest.raises(MirrordError, match="variable HTTPS_PROXY names no proxy") as caught:
        proxy({"HTTPS_PROXY": address})
    with pytest.raises(MirrordError, match="proxy-url names no proxy"):
        proxy({}, named=address)

    assert "secret" not in caught.value.text
