"""Dials by a SOCKS proxy, for urllib3. What is said to the proxy is in session/reaching/proxying/machine.py."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProxyError

from mirrord_cli.session.reaching.proxying.machine import Proxy, ProxyRefused, tunnel_by

PIECE = 4096


def pools_by(proxy: Proxy) -> dict[str, type[HTTPConnectionPool]]:
    """Return pools, by scheme, whose connections go by a proxy."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _dial(proxy, self)

    class Secured(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _dial(proxy, self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecuredPool(HTTPSConnectionPool):
        ConnectionCls = Secured

    return {"http": PlainPool, "https": SecuredPool}


def _dial(proxy: Proxy, connection: HTTPConnection) -> socket.socket:
    timeout: Any = connection.timeout
    with ExitStack() as failed:
        try:
            sock = failed.enter_context(socket.create_connection((proxy.host, proxy.port), timeout))
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            tunnel = tunnel_by(proxy, connection.host.strip("[]"), connection.port)
            while not tunnel.open:
                sock.sendall(tunnel.pull())
                tunnel.receive(sock.recv(PIECE))
        except OSError as error:
            raise ProxyError("no tunnel", error) from error
        except ProxyRefused as error:
            raise ProxyError(str(error), error) from error
        failed.pop_all()
        return sock
