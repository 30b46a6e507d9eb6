"""Connects, sends datagrams and listens, with the socket module and with asyncio: talk.py HOST ECHO REFUSED."""

import asyncio
import errno
import socket
import sys

HOST, ECHO, REFUSED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def plainly() -> None:
    """Blocking sockets, with and without a time limit."""
    for timeout in (None, 20.0):
        with socket.create_connection((HOST, ECHO), timeout=timeout) as end:
            end.sendall(b"hello")
            print("socket", end.recv(5, socket.MSG_WAITALL).decode(), *end.getpeername())
        try:
            socket.create_connection((HOST, REFUSED), timeout=timeout)
        except OSError as error:
            print("socket", errno.errorcode[error.errno or 0])
    with socket.socket(type=socket.SOCK_DGRAM) as end:
        end.sendto(b"hello", (HOST, ECHO))
        data, source = end.recvfrom(100)
        print("datagram", data.decode(), *source)


async def asynchronously() -> None:
    """Streams, datagrams and a server of asyncio."""
    reader, writer = await asyncio.open_connection(HOST, ECHO)
    writer.write(b"hello")
    print("asyncio", (await reader.readexactly(5)).decode(), *writer.get_extra_info("peername"))
    writer.close()
    await writer.wait_closed()
    try:
        await asyncio.open_connection(HOST, REFUSED)
    except OSError as error:
        print("asyncio", errno.errorcode[error.errno or 0])
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        print("client", *writer.get_extra_info("peername"), flush=True)
        writer.write(await reader.readexactly(5))
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await over.wait()


plainly()
asyncio.run(asynchronously())
