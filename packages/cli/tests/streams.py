"""Reading from streams, for tests."""

from __future__ import annotations

import trio


async def exactly(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    """So many bytes, at least; the stream doesn't end before."""
    data = bytearray()
    while len(data) < size:
        piece = await stream.receive_some()
        assert piece
        data += piece
    return bytes(data)
