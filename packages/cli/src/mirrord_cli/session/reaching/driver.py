"""Connects to an API server: TCP, a proxy if there is one, TLS with what `Access` has; then bytes.

TLS goes through memory (ssl.MemoryBIO), many records at a time: trio.SSLStream takes one at a time.
"""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress

import trio

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.machine import ForwardFailed, Place, place_of, unreachable, untrusted

PATIENCE = 10.0
"""Seconds for a connection and TLS's handshake."""
RECEIVE = 256 << 10
RECORD = 16 << 10
"""Bytes of the largest record of TLS."""
SILENCE = 30_000
"""Milliseconds after which what was sent and isn't acknowledged ends the connection."""


class Connection:
    """A connected stream of plain bytes, secured or not. One task sends, one receives."""

    def __init__(
        self, stream: trio.SocketStream, secure: ssl.SSLObject | None, came: ssl.MemoryBIO, goes: ssl.MemoryBIO
    ) -> None:
        self._stream = stream
        self._secure = secure
        self._came, self._goes = came, goes
        self._sending = trio.Lock()
        self._ended = False

    async def shake_hands(self) -> None:
        """Do TLS's handshake. Raises ssl.SSLError, OSError, trio.BrokenResourceError."""
        assert self._secure
        while True:
            try:
                self._secure.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._take()
            except ssl.SSLError:
                with suppress(trio.BrokenResourceError):
                    await self._flush()  # the alert: why we go
                raise
            else:
                break
        await self._flush()

    async def receive(self) -> bytes:
        """Return bytes that came; empty at the end.

        Raises:
            trio.BrokenResourceError: It broke.
        """
        if self._secure is None:
            return bytes(await self._stream.receive_some(RECEIVE))
        while not self._ended:
            pieces = list[bytes]()
            try:
                while piece := self._secure.read(RECORD):
                    pieces.append(piece)
                self._ended = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:  # an end that wasn't announced, or garbage
                raise trio.BrokenResourceError from error
            if self._goes.pending:  # an answer of TLS's own
                await self._flush()
            if pieces:
                return b"".join(pieces)
            if not self._ended:
                await self._take()
        return b""

    async def send(self, data: bytes) -> None:
        """Send all.

        Raises:
            trio.BrokenResourceError: It broke.
        """
        if self._secure is None:
            async with self._sending:
                await self._stream.send_all(data)
            return
        try:
            self._secure.write(data)
        except ssl.SSLError as error:
            raise trio.BrokenResourceError from error
        await self._flush()

    async def close(self) -> None:
        """Let go of it."""
        await trio.aclose_forcefully(self._stream)

    async def _flush(self) -> None:
        async with self._sending:
            if data := self._goes.read():
                await self._stream.send_all(data)

    async def _take(self) -> None:
        if data := await self._stream.receive_some(RECEIVE):
            self._came.write(data)
        else:
            self._came.write_eof()


async def connect(access: Access) -> tuple[Connection, Place]:
    """Connect to an API server.

    Raises:
        ForwardFailed: It can't be reached, or not be trusted.
    """
    place = place_of(access.server)
    with trio.move_on_after(PATIENCE) as patience:
        try:
            stream = await _dial(access, place)
        except OSError as error:
            raise unreachable(place, _reason(error)) from None
        try:
            return await _secure(stream, access, place), place
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
    assert patience.cancelled_caught
    raise unreachable(place, f"no answer within {PATIENCE:g} seconds")


async def _dial(access: Access, place: Place) -> trio.SocketStream:
    if access.proxy:
        from python_socks import ProxyError, ProxyTimeoutError
        from python_socks.async_.trio import Proxy

        try:
            proxy = Proxy.from_url(access.proxy)
            sock = await proxy.connect(place.host, place.port, timeout=PATIENCE)
        except ValueError:
            text = "The proxy that the kubeconfig or HTTPS_PROXY names is of no kind that is supported."
            raise ForwardFailed(
                "configuration", text, "It has to begin with http://, socks5:// or socks4://."
            ) from None
        except (ProxyError, ProxyTimeoutError) as error:
            raise OSError(f"the proxy says: {error}") from None
        stream = trio.SocketStream(sock)
    else:
        stream = await trio.open_tcp_stream(place.host, place.port)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE)
    return stream


async def _secure(stream: trio.SocketStream, access: Access, place: Place) -> Connection:
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    if not place.secure:
        return Connection(stream, None, came, goes)
    try:
        context = context_for(access)
    except (ssl.SSLError, ValueError) as error:
        text = f"A certificate or key of the kubeconfig can't be used: {_reason(error)}."
        raise ForwardFailed("configuration", text, "Correct it, or log in to the cluster again.") from None
    name = access.server_name or place.host
    connection = Connection(stream, context.wrap_bio(came, goes, server_hostname=name), came, goes)
    try:
        await connection.shake_hands()
    except ssl.SSLCertVerificationError as error:
        raise untrusted(place, error.verify_message) from None
    except (ssl.SSLError, trio.BrokenResourceError) as error:
        raise unreachable(place, f"TLS failed: {_reason(error.__cause__ or error)}") from None
    return connection


def context_for(access: Access) -> ssl.SSLContext:
    """Return a context with the certificates of `access`. Raises ssl.SSLError if they aren't any."""
    authorities = access.authorities.decode("ascii", "replace")
    context = ssl.create_default_context(cadata=authorities or None)
    context.set_alpn_protocols(["http/1.1"])
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate:
        # OpenSSL's loader takes files only; what is in memory never gets to a disk.
        fd = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(access.certificate + b"\n" + access.key)
            context.load_cert_chain(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
    return context


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError) and error.__cause__ is not None and isinstance(error.__cause__, BaseExceptionGroup):
        first: BaseException = error.__cause__.exceptions[0]  # of trying several addresses
        return _reason(first)
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
