"""Connects to an API server: TCP, a proxy if there is one, TLS with what `Access` has.

What an error means is found out in securing/driver.py, and said in reasons.py.
"""

from __future__ import annotations

import socket
import ssl

import trio

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.machine import ForwardFailed, Place, place_of, unreachable
from mirrord_cli.session.reaching.pipes.driver import Pipe, SocketPipe, TlsPipe
from mirrord_cli.session.reaching.proxying.machine import Proxy, ProxyRefused, proxy_of, tunnel_by
from mirrord_cli.session.reaching.reasons import Kind, Trouble, phrase
from mirrord_cli.session.reaching.securing.driver import BadMaterial, tls_context, trouble_of

PATIENCE = 10.0
"""Seconds for a connection, with all that belongs to it."""
SILENCE = 30_000
"""Milliseconds after which what was sent and isn't acknowledged ends the connection."""
TCP = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE),
)


async def connect(access: Access) -> tuple[Pipe, Place]:
    """Connect to an API server.

    Raises:
        ForwardFailed: It can't be reached, or not be trusted.
    """
    place = place_of(access.server)
    try:
        context = tls_context(access)
    except BadMaterial as error:
        text = f"With what the kubeconfig has no connection can be made: {error}."
        raise ForwardFailed("configuration", text, "Get a new kubeconfig.") from None
    trouble = Trouble(Kind.SILENT)
    with trio.move_on_after(PATIENCE):
        try:
            return await _connect(access, place, context), place
        except _Troubled as error:
            trouble = error.trouble
    raise unreachable(trouble, access)


class _Troubled(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


async def _connect(access: Access, place: Place, context: ssl.SSLContext | None) -> Pipe:
    if not access.proxy:
        return await _secure(await _dial(place.host, place.port), context, access.server_name or place.host)
    proxy = proxy_of(access.proxy)
    try:
        pipe = await _dial(proxy.host, proxy.port)
        if proxy.scheme == "https":
            pipe = await _secure(pipe, ssl.create_default_context(), proxy.host)
    except _Troubled as error:
        blip = error.trouble.passing
        raise _Troubled(Trouble(Kind.PROXY, phrase(error.trouble), blip)) from None
    await _tunnel(pipe, proxy, place)
    return await _secure(pipe, context, access.server_name or place.host)


async def _dial(host: str, port: int) -> Pipe:
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as error:
        raise _Troubled(trouble_of(error)) from None
    for option in TCP:
        stream.setsockopt(*option)
    return SocketPipe(stream)


async def _tunnel(pipe: Pipe, proxy: Proxy, place: Place) -> None:
    """Have a proxy connect to a server."""
    try:
        tunnel = tunnel_by(proxy, place.host, place.port)
        while not tunnel.open:
            await pipe.send(tunnel.pull())
            tunnel.receive(await pipe.receive())
    except BaseException as error:
        await pipe.close()
        if isinstance(error, ProxyRefused):
            raise _Troubled(Trouble(Kind.PROXY, str(error))) from None
        if isinstance(error, trio.BrokenResourceError):
            raise _Troubled(Trouble(Kind.PROXY, "it closed the connection", blip=True)) from None
        raise


async def _secure(pipe: Pipe, context: ssl.SSLContext | None, name: str) -> Pipe:
    """Return a pipe that speaks TLS, if it is to."""
    if context is None:
        return pipe
    secured = TlsPipe(pipe, context, name.rstrip("."))  # certificates have no dot at the end
    try:
        await secured.shake_hands()
    except BaseException as error:
        await pipe.close()
        if isinstance(error, trio.BrokenResourceError) and isinstance(error.__cause__, OSError):
            error = error.__cause__
        if isinstance(error, OSError):
            raise _Troubled(trouble_of(error)) from None
        raise
    return secured
