"""urllib3's connections by a SOCKS proxy, plain ones too, and closed if there is none."""

from __future__ import annotations

import pytest
import urllib3

from answering import answer, answering
from mirrord_cli.cluster.api.tunnel.driver import pools_by
from mirrord_cli.session.reaching.proxying.machine import proxy_of
from proxies import proxy_server


def test_plain() -> None:
    with answering(lambda _: answer(200, b"here"), host="::1") as server, proxy_server("socks5") as proxy:
        pool = urllib3.PoolManager(retries=False)
        pool.pool_classes_by_scheme = pools_by(proxy_of(proxy.url))

        assert pool.request("GET", server.url).data == b"here"
        assert pool.request("GET", server.url).data == b"here"
        pool.clear()

        assert proxy.tunnels == [f"::1:{server.port}"]


def test_a_proxy_that_wants_a_name() -> None:
    with proxy_server("socks5", "al:pw") as proxy:
        pool = urllib3.PoolManager(retries=False)
        pool.pool_classes_by_scheme = pools_by(proxy_of(proxy.url.replace("al:pw@", "")))

        with pytest.raises(urllib3.exceptions.ProxyError, match="wants a name and a password"):
            pool.request("GET", "http://127.0.0.1:1")
